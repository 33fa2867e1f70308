"""Tell what is on this machine, what it is for, what works without it, and how to get it."""

from __future__ import annotations

import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from autograder import sandbox
from autograder.paths import Course

LEAST_MEMORY = 2 << 30
LEAST_DISK = 2 << 30


class System(StrEnum):
    """The systems there are install lines for."""

    DEBIAN = "Linux with apt"
    LINUX = "Linux"
    MACOS = "macOS"
    WSL = "Windows with WSL"
    BINDER = "Binder"
    WINDOWS = "Windows without WSL"


class State(StrEnum):
    """What was found."""

    GOOD = "ok"
    OLD = "too old"
    BROKEN = "does not work"
    MISSING = "missing"


SYMBOLS = {State.GOOD: "✔", State.OLD: "!", State.BROKEN: "!", State.MISSING: "✘"}


@dataclass(frozen=True)
class Tool:
    """One thing the workbook uses.

    ``install`` is the line for each system, ``mend`` the one for what is there and does not work,
    ``package`` the Debian package that ``--fix`` may install, ``look`` finds out state and version
    (or what is wrong with it).
    """

    name: str
    purpose: str
    without: str
    look: Callable[[], tuple[State, str]]
    install: dict[System, str] = field(default_factory=dict)
    mend: dict[System, str] = field(default_factory=dict)
    required: bool = False
    package: str = ""


@dataclass(frozen=True)
class Found:
    """What the doctor says about one tool on this machine."""

    tool: Tool
    state: State
    version: str
    remedy: str

    @property
    def good(self) -> bool:
        """True if there is nothing to do."""
        return self.state is State.GOOD


def system() -> System:
    """Return which of the systems this is."""
    if os.environ.get("BINDER_SERVICE_HOST") or os.environ.get("BINDER_REPO_URL"):
        return System.BINDER
    if sys.platform == "darwin":
        return System.MACOS
    if sys.platform == "win32":
        return System.WINDOWS
    if "microsoft" in platform.release().lower():
        return System.WSL
    return System.DEBIAN if shutil.which("apt-get") else System.LINUX


def examine(course: Course | None, on: System | None = None) -> list[Found]:
    """Look at every tool and return what was found, in a fixed order.

    ``course`` is the checkout whose folder and disk are looked at; without one they are left out.
    """
    on = on or system()
    found = []
    for tool in [*TOOLS, *_places(course)]:
        state, said = tool.look()
        found.append(Found(tool, state, said, _remedy(tool, state, on)))
    return found


def _remedy(tool: Tool, state: State, on: System) -> str:
    if state is State.GOOD:
        return ""
    mended = tool.mend.get(on, "") if state is State.BROKEN else ""
    return mended or tool.install.get(on) or _elsewhere(tool, on)


def _elsewhere(tool: Tool, on: System) -> str:
    if on is System.WINDOWS:
        return "install WSL (in PowerShell, as administrator: wsl --install) and work in it"
    if on is System.BINDER:
        return (
            "the Binder image brings it; start Binder anew, or work on a machine of your own: "
            "nothing can be installed here"
        )
    if on is System.WSL and System.DEBIAN in tool.install:
        return tool.install[System.DEBIAN]
    if on is System.LINUX and System.DEBIAN in tool.install:
        return f"your package manager; on Debian it is: {tool.install[System.DEBIAN]}"
    return "nothing to install on this system: do this part in WSL, Docker or on Linux"


# --- How to look -------------------------------------------------------------------------------


def command_output(argv: Sequence[str], seconds: float = 10) -> tuple[int, str]:
    """Return exit code and text of a command; 127 and why if it cannot be run."""
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=seconds, stdin=subprocess.DEVNULL
        )
    except FileNotFoundError:
        return 127, "not found"
    except (OSError, subprocess.TimeoutExpired) as error:
        return 126, str(error)[:200]
    return done.returncode, (done.stdout or done.stderr).strip()


def _by_command(*argv: str, least: tuple[int, ...] = ()) -> Callable[[], tuple[State, str]]:
    """Ask a program for its version."""

    def look() -> tuple[State, str]:
        if not shutil.which(argv[0]):
            return State.MISSING, ""
        code, text = command_output(argv)
        found = re.search(r"\d+(?:\.\d+)+", text)
        if code or not found:
            return State.BROKEN, (text.splitlines() or [f"exit code {code}"])[0][:100]
        parts = tuple(int(part) for part in found[0].split("."))
        if least and parts < least:
            return State.OLD, f"{found[0]}, needs {'.'.join(map(str, least))}"
        return State.GOOD, found[0]

    return look


def _by_package(*names: str) -> Callable[[], tuple[State, str]]:
    """Ask the environment for packages' versions, without importing them."""

    def look() -> tuple[State, str]:
        found, missing = [], []
        for name in names:
            try:
                found.append(version(name))
            except PackageNotFoundError:
                missing.append(name)
        if missing:
            return State.MISSING, f"no {', '.join(missing)}"
        return State.GOOD, ", ".join(found)

    return look


def _python() -> tuple[State, str]:
    fits = (3, 11) <= sys.version_info[:2] <= (3, 13)
    said = f"{platform.python_version()} in {sys.prefix}"
    return (State.GOOD, said) if fits else (State.OLD, f"{said}, needs 3.11, 3.12 or 3.13")


def _bubblewrap() -> tuple[State, str]:
    state, said = _by_command("bwrap", "--version")()
    if state is State.GOOD and not sandbox.available():
        return State.BROKEN, f"{said}, but this machine forbids it namespaces"
    return state, said


def _docker() -> tuple[State, str]:
    """Ask for the engine: a client alone builds nothing."""
    if not shutil.which("docker"):
        return State.MISSING, ""
    code, text = command_output(["docker", "version", "--format", "{{.Server.Version}}"])
    if code:
        return State.BROKEN, "the client is there, but no engine answers"
    return State.GOOD, text.splitlines()[0]


_IMAGES = ("python:3.11-slim-bookworm", "registry:2")


def _images() -> tuple[State, str]:
    """Ask the engine for the two images that lab s2_docker stands on."""
    if _docker()[0] is not State.GOOD:
        return State.MISSING, "no engine to ask"
    missing = [
        name for name in _IMAGES if command_output(["docker", "image", "inspect", name])[0] != 0
    ]
    if missing:
        return State.MISSING, f"no {', '.join(missing)}"
    return State.GOOD, ", ".join(_IMAGES)


def _hadolint() -> tuple[State, str]:
    """Look beside Python first: a package of the environment brings it on Linux."""
    own = Path(sys.executable).parent / "hadolint"
    return _by_command(str(own) if own.exists() else "hadolint", "--version")()


def _browser() -> tuple[State, str]:
    try:
        webbrowser.get()
    except webbrowser.Error:
        return State.MISSING, "none found: JupyterLab prints an address to open elsewhere"
    return State.GOOD, "found"


def memory() -> int:
    """Return how much memory this session may use, in bytes: the machine's, or less if limited."""
    most = psutil.virtual_memory().total
    limits = [os.environ.get("MEM_LIMIT", "")]
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            limits.append(Path(path).read_text().strip())
        except OSError:
            continue
    return min([most, *(int(float(text)) for text in limits if re.fullmatch(r"[\d.]+", text))])


def _memory() -> tuple[State, str]:
    said = f"{memory() / (1 << 30):.1f} GB"
    return (State.GOOD, said) if memory() >= LEAST_MEMORY else (State.OLD, f"{said}, needs 2 GB")


def _port() -> tuple[State, str]:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", 8888))
        except OSError:
            return State.GOOD, "8888 is in use; JupyterLab takes the next free one"
    return State.GOOD, "8888 is free"


# --- What there is to look at ------------------------------------------------------------------

_SYNC = "make sync"
_ENVIRONMENT = dict.fromkeys(System, _SYNC) | {
    System.BINDER: "start Binder anew: its image brings it",
    System.WINDOWS: "work in WSL: wsl --install, then make lab in it",
}


def _apt(package: str, macos: str = "") -> dict[System, str]:
    line = f"sudo apt-get install {package}"
    brew = {System.MACOS: macos} if macos else {}
    return {System.DEBIAN: line, System.WSL: line, **brew}


TOOLS = (
    Tool(
        "Python",
        "runs everything",
        "nothing",
        _python,
        {
            **_apt("python3 python3-venv", "brew install python@3.13"),
            System.BINDER: "start Binder anew: its image brings it",
        },
        required=True,
    ),
    Tool(
        "JupyterLab, nbgrader",
        "notebooks, the Validate button, grading",
        "the terminal: autograder check LAB",
        _by_package("jupyterlab", "nbgrader", "jupyter-server-proxy"),
        _ENVIRONMENT,
        required=True,
    ),
    Tool(
        "Git",
        "lab s2_git, and every lab that keeps code",
        "labs that keep no code",
        _by_command("git", "--version", least=(2, 28)),
        _apt("git", "xcode-select --install"),
        required=True,
        package="git",
    ),
    Tool(
        "Bash",
        "cells that begin with %%bash",
        "those tasks, done in your own terminal",
        _by_command("bash", "--version"),
        _apt("bash"),
        required=True,
        package="bash",
    ),
    Tool(
        "make",
        "make lab, make test",
        "everything, by name: .venv/bin/autograder lab",
        _by_command("make", "--version"),
        _apt("make", "xcode-select --install"),
        package="make",
    ),
    Tool(
        "bubblewrap",
        "the wall around code that is graded",
        "all labs and your own checks; grading a class refuses (but for --unsafe)",
        _bubblewrap,
        _apt("bubblewrap"),
        mend=dict.fromkeys(
            (System.DEBIAN, System.LINUX, System.WSL),
            "Ubuntu: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0; "
            "in a container: start it with --privileged",
        ),
        package="bubblewrap",
    ),
    Tool(
        "Docker engine",
        "labs that build and run images",
        "all other labs; these checks say “not graded here”",
        _docker,
        {
            System.DEBIAN: "sudo apt-get install docker.io && sudo usermod -aG docker $USER, "
            "then log in again",
            System.WSL: "Docker Desktop with WSL integration, or: sudo apt-get install docker.io "
            "&& sudo service docker start",
            System.MACOS: "brew install colima docker && colima start",
            System.BINDER: "Binder has none: do those labs on a machine of your own",
        },
        mend={
            System.DEBIAN: "sudo systemctl start docker (and, if it says permission denied: sudo "
            "usermod -aG docker $USER, then log in again)",
            System.LINUX: "sudo systemctl start docker",
            System.WSL: "sudo service docker start, or start Docker Desktop",
            System.MACOS: "colima start, or start Docker Desktop",
        },
    ),
    Tool(
        "Images of s2_docker",
        "what its images stand on, and the registry it pushes to",
        "all of it where the engine reaches Docker's registry: it then gets them by itself",
        _images,
        dict.fromkeys(System, f"docker pull {_IMAGES[0]} && docker pull {_IMAGES[1]}")
        | {
            System.DEBIAN: f"docker pull {_IMAGES[0]} && docker pull {_IMAGES[1]}; where Docker's "
            "registry is out of reach, as root: .ci/docker/engine up makes both from packages",
            System.BINDER: "Binder has no engine for them",
        },
    ),
    Tool(
        "hadolint",
        "task 10 of s2_docker",
        "every other task; this one is then graded when you hand in",
        _hadolint,
        _ENVIRONMENT | {System.MACOS: "brew install hadolint"},
    ),
    Tool(
        "Java",
        "stage 1: Spark",
        "everything but the cell that runs Spark",
        _by_command("java", "--version"),
        _apt("default-jre-headless", "brew install openjdk@21"),
        package="default-jre-headless",
    ),
    Tool(
        "MLflow",
        "stage 4: runs, models, registry",
        "all labs but s4_mlflow",
        _by_package("mlflow"),
        _ENVIRONMENT,
    ),
    Tool(
        "DVC",
        "stage 4: versions of data",
        "all labs but s4_dvc",
        _by_package("dvc"),
        _ENVIRONMENT,
    ),
    Tool(
        "Airflow",
        "stage 5: pipelines",
        "all labs but s5_airflow",
        _by_package("apache-airflow"),
        _ENVIRONMENT,
    ),
    Tool(
        "Prometheus",
        "stage 6: metrics of a running service",
        "all labs but s6_monitoring",
        _by_command("prometheus", "--version"),
        _apt("prometheus", "brew install prometheus"),
        package="prometheus",
    ),
    Tool(
        "Evidently",
        "stage 6: drift",
        "all labs but s6_monitoring",
        _by_package("evidently"),
        _ENVIRONMENT,
    ),
    Tool(
        "Chromium",
        "the browser tests; for authors only",
        "every lab",
        lambda: (
            _by_command("chromium", "--version")()
            if shutil.which("chromium")
            else _by_command("chromium-browser", "--version")()
        ),
        _apt("chromium", "brew install --cask chromium"),
    ),
    Tool(
        "Web browser",
        "shows JupyterLab",
        "everything, if you open the address that autograder lab prints",
        _browser,
        dict.fromkeys(System, "any browser; or make lab ARGS=--no-browser")
        | {System.BINDER: "nothing: you are in it"},
    ),
    Tool(
        "Port",
        "JupyterLab listens there",
        "everything: JupyterLab takes another",
        _port,
    ),
    Tool(
        "Memory",
        "2 GB carry the course; a lab that needs more says so",
        "most labs, one at a time",
        _memory,
        dict.fromkeys(System, "close other programs, or shut down kernels you do not need"),
    ),
)


def _places(course: Course | None) -> Iterator[Tool]:
    if course is None:
        return

    def folder() -> tuple[State, str]:
        if not os.access(course.labs, os.W_OK):
            return State.BROKEN, f"{course.labs} cannot be written"
        if system() is System.WSL and str(course.root).startswith("/mnt/"):
            return State.BROKEN, f"{course.root} is a Windows folder: slow, and rights get lost"
        return State.GOOD, str(course.root)

    def disk() -> tuple[State, str]:
        free = shutil.disk_usage(course.root).free
        said = f"{free / (1 << 30):.1f} GB free"
        return (State.GOOD, said) if free >= LEAST_DISK else (State.OLD, f"{said}, needs 2 GB")

    yield Tool(
        "Folder",
        "your work is kept in it",
        "reading",
        folder,
        dict.fromkeys(System, "copy the workbook to a folder of your own: cp -r . ~/workbook"),
        required=True,
    )
    yield Tool(
        "Disk",
        "data, images and environments",
        "labs without images and large data",
        disk,
        dict.fromkeys(System, "make room on this disk"),
    )


# --- Setting right -----------------------------------------------------------------------------


def repairs(found: Sequence[Found], course: Course) -> list[list[str]]:
    """Return the commands that ``--fix`` may run here: they add, and remove or start nothing.

    Packages of this environment come from the lock file.  Debian packages only as root or where
    sudo asks for no password; never a Docker engine (its group is root by another name), and no
    package whose service would start at once.
    """
    commands = []
    bad = [f for f in found if f.state in (State.MISSING, State.OLD)]
    own = Path(sys.prefix).resolve() == (course.root / ".venv").resolve()
    if own and any(f.remedy == _SYNC for f in bad):
        commands.append(["sh", str(course.root / ".ci" / "bootstrap.sh"), "sync"])
    packages = [f.tool.package for f in bad if f.tool.package and not _starts_a_service(f.tool)]
    if packages and shutil.which("apt-get") and (prefix := _as_root()) is not None:
        options = ["--yes", "--no-install-recommends", "--no-remove"]
        commands.append([*prefix, "apt-get", "install", *options, *packages])
    return commands


def _starts_a_service(tool: Tool) -> bool:
    return tool.package == "prometheus" and Path("/run/systemd/system").exists()


def _as_root() -> list[str] | None:
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") and command_output(["sudo", "-n", "true"])[0] == 0:
        return ["sudo", "-n"]
    return None
