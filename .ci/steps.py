"""Run the steps of `make test`, one after the other, and say how each went.

Words on the command line go to pytest. What every step printed is kept in `tests/artifacts/`,
together with `steps.json` and pytest's own `pytest.xml`. The last line printed is pytest's
closing line; the exit code is 0 only if every step passed.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
ARTIFACTS = ROOT / "tests" / "artifacts"
BIN = Path(sys.executable).parent

STEPS: dict[str, list[str]] = {
    "ruff check": ["ruff", "check", "."],
    "ruff format": ["ruff", "format", "--check", "."],
    "build": ["autograder", "build", "--check"],
    "pytest": [
        # One more than there are cores: servers and containers are waited for a lot.
        *("pytest", "-n", str((os.cpu_count() or 1) + 1), "--dist", "loadgroup"),
        "--durations=15",
        f"--junitxml={ARTIFACTS.relative_to(ROOT) / 'pytest.xml'}",
    ],
}

WALLS = ["--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"]
ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
CLOSING = re.compile(
    r"^(=+ )?(no tests (ran|collected)|.*\b\d+ (passed|failed|errors?|skipped|deselected))\b"
    r".* in \d+(\.\d+)?s\b.*$"
)


@dataclass(frozen=True)
class Outcome:
    """How one step went."""

    step: str
    seconds: float
    passed: bool


def remedy(package: str) -> str:
    """Give the line that installs a Debian package."""
    if not shutil.which("apt-get"):
        return f"install {package}"
    return f"{'' if os.geteuid() == 0 else 'sudo '}apt-get install {package}"


def complaint(command: Sequence[str | Path]) -> str:
    """Try a command; return the last thing it says if it fails, else nothing."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return ""
    return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]


def troubles() -> Iterator[str]:
    """Say what tests would use and do not find here: for what, with what effect, what to do."""
    if not shutil.which("chromium"):
        yield (
            "chromium is missing: the browser tests are skipped, and counted as skipped. "
            f"Run: {remedy('chromium')}"
        )
    elif driver := importlib.util.find_spec("playwright"):
        node = Path(driver.origin or "").parent / "driver" / "node"
        if wrong := complaint([node, "--version"]):
            yield (
                f"Playwright does not start, the browser tests need it: {wrong} "
                f"Run: {remedy('libatomic1')}"
            )
    if wrong := complaint(["docker", "version"]):
        yield (
            f"No Docker engine answers ({wrong[:80]}): the tests that need one are skipped, and "
            "counted as skipped. Run, as root: .ci/docker/engine up"
        )
    if sys.platform != "linux":
        return
    if not shutil.which("bwrap"):
        yield (
            "bubblewrap is missing: what needs the grader's sandbox cannot be tested. "
            f"Run: {remedy('bubblewrap')}"
        )
    # Some containers, and AppArmor on Ubuntu, forbid the namespaces it builds from.
    elif wrong := complaint(["bwrap", *WALLS, "true"]):
        yield (
            f"bubblewrap cannot build a sandbox here ({wrong}): what needs it cannot be tested. In "
            "Docker: --privileged; on Ubuntu: sysctl kernel.apparmor_restrict_unprivileged_userns=0"
        )


def header(text: str) -> None:
    """Print a line that is easy to find in a long log."""
    print(f"\n──── {text} ".ljust(96, "─"), flush=True)


def copy(source: IO[bytes], log: IO[bytes]) -> None:
    """Pass on what a step prints as it comes, and keep it."""
    while chunk := os.read(source.fileno(), 1 << 16):
        log.write(chunk)
        log.flush()
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()


def run(step: str, command: Sequence[str], environment: dict[str, str]) -> Outcome:
    """Run one step to its end."""
    header(f"{step}: {' '.join(command)}")
    start = time.monotonic()
    with log_path(step).open("wb") as log:
        try:
            process = subprocess.Popen(
                [BIN / command[0], *command[1:]],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        except OSError as error:
            print(f"{command[0]} cannot be started: {error.strerror}", flush=True)
            return Outcome(step, time.monotonic() - start, False)
        assert process.stdout is not None
        reader = threading.Thread(target=copy, args=(process.stdout, log), daemon=True)
        reader.start()
        try:
            code = process.wait()
        except KeyboardInterrupt:
            # Ctrl-C reached the step, too: let it finish its own report.
            code = process.wait() or 130
        # A server that a test left running holds the pipe open: do not wait for it.
        reader.join(timeout=5)
        if reader.is_alive():
            print(f"\n{step} left a process running.", flush=True)
    seconds = time.monotonic() - start
    print(f"{'PASS' if code == 0 else 'FAIL'} after {seconds:.1f} s", flush=True)
    return Outcome(step, seconds, code == 0)


def log_path(step: str) -> Path:
    """Where the output of a step is kept."""
    return ARTIFACTS / f"{step.replace(' ', '-')}.log"


def closing_line() -> str:
    """Find pytest's last word, such as `12 passed, 1 skipped in 3.21s`."""
    path = log_path("pytest")
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    plain = [ANSI.sub("", line).rstrip() for line in lines]
    return next((line for line in reversed(plain) if CLOSING.match(line)), "")


def main(arguments: Sequence[str]) -> int:
    """Run all steps, whatever the earlier ones said, then sum up."""
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    (ARTIFACTS / ".gitignore").write_text("*\n")
    for old in ("steps.json", "pytest.xml", *(log_path(step).name for step in STEPS)):
        (ARTIFACTS / old).unlink(missing_ok=True)

    environment = dict(os.environ, PYTHONUNBUFFERED="1")
    environment["PATH"] = os.pathsep.join([str(BIN), os.environ.get("PATH", os.defpath)])
    if sys.stdout.isatty() and "NO_COLOR" not in os.environ:
        environment |= {"FORCE_COLOR": "1", "PY_COLORS": "1"}

    notes = list(troubles())
    for note in notes:
        print(note, flush=True)

    outcomes = []
    for step, command in STEPS.items():
        extra = list(arguments) if step == "pytest" else []
        outcomes.append(run(step, [*command, *extra], environment))
    (ARTIFACTS / "steps.json").write_text(json.dumps([asdict(o) for o in outcomes], indent=1))

    header("summary")
    for outcome in outcomes:
        word = "PASS" if outcome.passed else "FAIL"
        print(f"{outcome.step:<12} {outcome.seconds:8.1f} s  {word}")
    print(f"{'all':<12} {sum(o.seconds for o in outcomes):8.1f} s")
    for note in notes:
        print(note)
    print(closing_line() or "pytest ended without its closing line: see above.", flush=True)
    return 0 if all(outcome.passed for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
