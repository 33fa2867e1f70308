"""Run what a learner made where it can do no harm.

On Linux the walls are bubblewrap's: own folder writable, the environment read-only, nothing else
of the machine, no network but its own loopback.  On a learner's own machine without bubblewrap
the command runs unconfined (it is their code); a grader refuses, see `require`.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import select
import shutil
import signal
import site
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

# How much may lie in a sandbox's own /tmp, and as much again in its /dev/shm: both are memory.
MEMORY_FILES = 512 << 20

# Set by the grader: with it, a missing sandbox is an error and not a shrug.
REQUIRED = "AUTOGRADER_SANDBOX"

_SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin")
_ETC = (
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/alternatives",
    "/etc/ssl/certs",
    "/etc/fonts",
    "/etc/mime.types",
    "/etc/localtime",
    "/etc/nsswitch.conf",
)


class SandboxMissingError(RuntimeError):
    """No sandbox works here and the caller insists on one."""


@dataclass(frozen=True)
class Limits:
    """What a confined command may use: seconds of wall time, and bytes."""

    seconds: float = 10.0
    memory: int = 4 << 30
    file_size: int = 256 << 20
    output: int = 1 << 20
    open_files: int = 512
    processes: int = 256


@dataclass(frozen=True)
class Completed:
    """How a confined command ended: exit code (negative: a signal), output, and whether in time."""

    code: int
    stdout: str
    stderr: str
    timed_out: bool = False
    argv: tuple[str, ...] = field(default=(), repr=False)

    @property
    def ok(self) -> bool:
        """True if it ended in time with exit code 0."""
        return self.code == 0 and not self.timed_out

    @property
    def last_line(self) -> str:
        """The last non-empty line of what it printed, for a message."""
        lines = [ln for ln in (self.stderr + "\n" + self.stdout).splitlines() if ln.strip()]
        return lines[-1].strip()[:200] if lines else f"no output, exit code {self.code}"


def run(
    argv: Sequence[str],
    *,
    folder: Path,
    limits: Limits | None = None,
    stdin: str = "",
    environment: Mapping[str, str] | None = None,
    readable: Sequence[Path] = (),
    network: bool = False,
) -> Completed:
    """Run a command that touches learner-made things, confined to one folder.

    ``folder`` is its working directory and the only place it can write, apart from a private
    ``/tmp``; ``readable`` are further paths it may read.  ``network`` is the caller's, which in
    the grader is its loopback and no more.  Output beyond ``limits.output`` bytes a
    stream is cut.  Raises SandboxMissingError where a sandbox is required and none works.
    """
    limits = limits or Limits()
    command, env = _confined(argv, folder, limits, environment, readable, network=network)
    with (
        tempfile.TemporaryFile() as given,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
    ):
        given.write(stdin.encode())
        given.seek(0)
        process = subprocess.Popen(
            command,
            stdin=given,
            stdout=out,
            stderr=err,
            cwd=folder,
            env=env,
            start_new_session=True,
        )
        try:
            timed_out = not _ends_within(process, limits.seconds)
        finally:
            kill_group(process)
        texts = [_head(stream, limits.output) for stream in (out, err)]
    return Completed(process.returncode, *texts, timed_out, tuple(argv))


def _confined(
    argv: Sequence[str],
    folder: Path,
    limits: Limits,
    environment: Mapping[str, str] | None,
    readable: Sequence[Path],
    *,
    network: bool,
    hidden: Sequence[Path] = (),
) -> tuple[list[str], dict[str, str]]:
    """Return the command line with its limits and walls, and its environment."""
    env = clean_environment(environment)
    walls: list[str] = []
    if available():
        walls = bwrap([folder], readable, chdir=folder, env=env, network=network, hidden=hidden)
    elif os.environ.get(REQUIRED):
        raise SandboxMissingError(MISSING)
    return prlimit(limits) + walls + list(argv), env


def start(
    argv: Sequence[str],
    *,
    folder: Path,
    limits: Limits | None = None,
    environment: Mapping[str, str] | None = None,
    hidden: Sequence[Path] = (),
) -> subprocess.Popen[bytes]:
    """Start a command, confined like `run`, and return it with its ends of two pipes.

    The caller talks to it and ends it with `kill_group`; ``limits.seconds`` and ``limits.output``
    are the caller's to keep.  ``hidden`` are folders of the environment that it finds empty.
    Raises SandboxMissingError as `run` does.
    """
    command, env = _confined(
        argv, folder, limits or Limits(), environment, (), network=False, hidden=hidden
    )
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env=env,
        start_new_session=True,
    )


@contextlib.contextmanager
def serve(
    argv: Sequence[str],
    *,
    folder: Path,
    answers: Callable[[], bool],
    seconds: float = 30.0,
    limits: Limits | None = None,
    environment: Mapping[str, str] | None = None,
    readable: Sequence[Path] = (),
) -> Iterator[Server]:
    """Run a learner-made server, confined like `run`, for as long as the ``with`` block lasts.

    It listens on the caller's loopback.  ``answers`` is asked until it says True, which is when
    the block begins.  Raises ServerFailedError, with the server's last words, if it ends before
    or does not answer within ``seconds``; SandboxMissingError as `run` does.
    """
    limits = limits or Limits(memory=8 << 30)
    command, env = _confined(argv, folder, limits, environment, readable, network=True)
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=env,
            start_new_session=True,
        )
        server = Server(process, lambda: _tail(log, limits.output))
        try:
            deadline = time.monotonic() + seconds
            while not answers():
                if process.poll() is not None:
                    raise ServerFailedError(f"it ended with code {process.returncode}", server)
                if time.monotonic() > deadline:
                    raise ServerFailedError(f"it did not answer within {seconds:.0f} s", server)
                time.sleep(0.05)
            yield server
        finally:
            kill_group(process)


@dataclass(frozen=True)
class Server:
    """A running server: its outermost process, and what it has printed so far."""

    process: subprocess.Popen[bytes]
    log: Callable[[], str]


class ServerFailedError(RuntimeError):
    """A learner-made server did not come up; ``last_line`` is what it said last."""

    def __init__(self, reason: str, server: Server) -> None:
        lines = [line for line in server.log().splitlines() if line.strip()]
        self.last_line = lines[-1].strip()[:200] if lines else "nothing"
        super().__init__(f"{reason}; it said: {self.last_line}")


def free_port() -> int:
    """Return a TCP port of the loopback that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def python(
    *arguments: str,
    folder: Path,
    limits: Limits | None = None,
    stdin: str = "",
    environment: Mapping[str, str] | None = None,
    readable: Sequence[Path] = (),
    network: bool = False,
) -> Completed:
    """Run this environment's Python on a learner's files, see `run`."""
    return run(
        [sys.executable, *arguments],
        folder=folder,
        limits=limits,
        stdin=stdin,
        environment=environment,
        readable=readable,
        network=network,
    )


def require() -> None:
    """Raise SandboxMissingError, with the remedy, where no sandbox works."""
    if not available():
        raise SandboxMissingError(MISSING)


MISSING = (
    "no sandbox works on this machine, so learners' code would run with your rights. Install "
    "bubblewrap (Debian, Ubuntu, WSL: sudo apt-get install bubblewrap; Fedora: sudo dnf install "
    "bubblewrap). Elsewhere, let Docker bring it: --in-container. To grade without one: --unsafe."
)


@functools.cache
def available() -> bool:
    """Tell whether bubblewrap is here and may make its namespaces."""
    if sys.platform != "linux" or shutil.which("bwrap") is None:
        return False
    probe = [
        *_NAMESPACES,
        "--unshare-net",
        "--unshare-pid",
        "--ro-bind",
        "/",
        "/",
        "--proc",
        "/proc",
        "true",
    ]
    return subprocess.run(["bwrap", *probe], capture_output=True).returncode == 0


_NAMESPACES = (
    "--unshare-user",
    # Run by root, bubblewrap keeps root's capabilities: inside, a learner could mount what is
    # read-only anew as writable, and change the grader itself on the machine.
    "--cap-drop",
    "ALL",
    "--unshare-ipc",
    "--unshare-uts",
    "--unshare-cgroup-try",
    "--die-with-parent",
    "--new-session",
)


def bwrap(
    writable: Sequence[Path],
    readable: Sequence[Path] = (),
    *,
    chdir: Path,
    env: Mapping[str, str],
    trusted: bool = False,
    network: bool = False,
    hidden: Sequence[Path] = (),
    memory: Sequence[Path] = (),
) -> list[str]:
    """Return the bubblewrap command line that a command is appended to.

    ``hidden`` are folders that would be readable and are to look empty, ``memory`` empty ones to
    write to beside the two that everybody has: ``/tmp`` and ``/dev/shm``.

    ``network`` shares the caller's network, which inside the grader is its loopback and no more.

    ``trusted`` is for the grader's own code that reads hostile files: it sees the machine's
    processes, because only then can it build sandboxes of its own inside.
    """
    line = ["bwrap", *_NAMESPACES, "--hostname", "sandbox", "--clearenv"]
    if trusted and os.geteuid() == 0:
        # Without it the kernel lets nobody who runs as root make a sandbox inside this one.
        line += ["--cap-add", "CAP_SETFCAP"]
    line += [] if network else ["--unshare-net"]
    for name, value in env.items():
        line += ["--setenv", name, value]
    for path in _SYSTEM:
        if Path(path).is_symlink():
            line += ["--symlink", str(Path(path).readlink()), path]
        elif Path(path).exists():
            line += ["--ro-bind", path, path]
    for path in _ETC:
        line += ["--ro-bind-try", path, path]
    line += ["--bind", "/proc", "/proc"] if trusted else ["--unshare-pid", "--proc", "/proc"]
    # What lies in memory is counted by no process: these two are the only places for it.
    line += ["--dev", "/dev"]
    for place in ("/tmp", "/dev/shm", *map(str, memory)):
        line += ["--size", str(MEMORY_FILES), "--tmpfs", place]
    line += ["--dir", env["HOME"]]
    for path in (*environment_paths(), *map(str, readable)):
        line += ["--ro-bind-try", path, path]
    for path in hidden:
        line += ["--tmpfs", str(path)]
    for path in writable:
        line += ["--bind", str(path), str(path)]
    # Else the next submission's kernel might find settings that this one left in, say, /etc.
    line += ["--remount-ro", "/dev", "--remount-ro", "/"]
    return [*line, "--chdir", str(chdir), "--"]


@functools.cache
def environment_paths() -> tuple[str, ...]:
    """Return what Python needs to run: interpreter, packages, this course's two packages."""
    candidates = [sys.prefix, sys.base_prefix, *site.getsitepackages()]
    for package in ("autograder", "flights"):
        # Found, not imported: pandas would cost every check a second.
        spec = importlib.util.find_spec(package)
        found = list(spec.submodule_search_locations or ()) if spec else []
        candidates += [str(Path(folder).resolve()) for folder in found]
    resolved = str(Path(sys.executable).resolve().parent.parent)
    seen: list[str] = []
    for path in [*candidates, resolved]:
        inside = any(Path(path).is_relative_to(s) for s in (*seen, "/usr"))
        if not inside and path not in seen:
            seen.append(path)
    return tuple(seen)


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the few variables a confined command gets; nothing of the caller's secrets."""
    path = os.pathsep.join([str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"])
    return {
        "PATH": path,
        "HOME": "/tmp/home" if available() else tempfile.gettempdir(),
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
        # The checkout this code runs from, also where another one is installed.
        "PYTHONPATH": str(Path(__file__).resolve().parent.parent),
        "OMP_NUM_THREADS": "1",
        **(extra or {}),
    }


def prlimit(limits: Limits) -> list[str]:
    """Return the prefix that sets resource limits, empty where the system has no prlimit."""
    if shutil.which("prlimit") is None:
        return []
    return [
        "prlimit",
        f"--fsize={limits.file_size}",
        f"--nofile={limits.open_files}",
        f"--as={limits.memory}",
        "--core=0",
        "--",
    ]


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """End a command and all it started; bubblewrap's own death ends its whole namespace."""
    below = _watched_children(process.pid)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    # The namespace dies a moment after bubblewrap, and may write or answer until it has: its
    # first process is gone only when all others are.
    deadline = time.monotonic() + 5
    for descriptor in below:
        select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
        os.close(descriptor)


def _ends_within(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait for a command to end, and tell whether it did in time."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except (OSError, AttributeError):
        # Python's own way looks again and again, at ever longer intervals.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        return process.returncode is not None
    try:
        return bool(select.select([descriptor], [], [], seconds)[0])
    finally:
        os.close(descriptor)


def _watched_children(pid: int) -> list[int]:
    """Return a descriptor for each child of a process that becomes readable when it has ended."""
    found = []
    # Absent where there is no Linux; then there is no namespace to wait for either.
    with contextlib.suppress(OSError, AttributeError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for child in children:
            with contextlib.suppress(OSError):
                found.append(os.pidfd_open(int(child)))
    return found


def _tail(stream, limit: int) -> str:  # type: ignore[no-untyped-def]
    size = os.fstat(stream.fileno()).st_size
    return os.pread(stream.fileno(), limit, max(0, size - limit)).decode("utf-8", "replace")


def _head(stream, limit: int) -> str:  # type: ignore[no-untyped-def]
    stream.seek(0)
    return stream.read(limit).decode("utf-8", "replace")
