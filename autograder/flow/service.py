"""A process with Airflow imported that forks once for every request.

Runs as ``python -m autograder.flow.service``, in a sandbox where there is one.  Requests and
answers are JSON lines; the answer with number 0 says that it is ready.  The same request is
answered once: its files and its scenario say all.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import importlib
import json
import logging
import os
import select
import shutil
import signal
import time
import warnings
from pathlib import Path
from typing import Any

from autograder import forkserver
from autograder.staging import remove_tree

WORK = "AUTOGRADER_FLOW_FOLDER"
_MEMORY = 3 << 30
_LIMITS = {"memory": _MEMORY, "file_size": 64 << 20, "open_files": 512, "processes": 150, "core": 0}
_KEPT = 400
# What leads to the grader: its requests, and our answers.
_private: list[int] = []
_SETTINGS = {
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
    "AIRFLOW__CORE__FERNET_KEY": "",
    "AIRFLOW__API_AUTH__JWT_SECRET": "not-used-nobody-logs-in-here-0000",
    "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
    "AIRFLOW__SCHEDULER__CREATE_CRON_DATA_INTERVALS": "False",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_POOL_ENABLED": "False",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
}


def main() -> None:
    """Warm up, then answer until nobody asks any more."""
    requests = os.fdopen(os.dup(0), "r", encoding="utf-8", errors="surrogateescape")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="surrogateescape")
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(null, descriptor)
    forkserver._prctl(forkserver._PR_SET_DUMPABLE, 0)
    _private.extend((requests.fileno(), answers.fileno()))
    folder = Path(os.environ[WORK])
    template = warm_up(folder)
    home = _contents(folder / "home")
    known: dict[str, str] = {}
    answers.write('{"number": 0}\n')
    answers.flush()
    for line in requests:
        request = json.loads(line)
        number = request.pop("number")
        dirty = False
        key = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
        if key not in known:
            reply = _answer(folder, request, template)
            dirty = True
            while len(known) >= _KEPT:
                del known[next(iter(known))]
            known[key] = reply
        answers.write(f'{{"number": {number}, "answer": {known[key]}}}\n')
        answers.flush()
        if dirty:
            # What cannot be removed ends this process, and all that lies in its memory with it.
            _clear(folder, home)


def warm_up(folder: Path) -> bytes:
    """Import all that a run needs, and return the bytes of an empty metadata database."""
    os.environ.update(forkserver.ONE_THREAD)
    home = folder / "home"
    home.mkdir(parents=True, exist_ok=True)
    database = folder / "empty.db"
    os.environ.update(_SETTINGS)
    os.environ["AIRFLOW_HOME"] = str(home)
    os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = f"sqlite:///{database}"
    warnings.simplefilter("ignore")
    from autograder.flow import run

    for name in ("pytest", "sandlock"):
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    logging.disable(logging.WARNING)
    pid = os.fork()
    if pid == 0:
        try:
            _make_database()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    data = database.read_bytes()
    database.unlink()
    run.warm_up(folder / "run", data)
    shutil.rmtree(folder / "run")
    gc.collect()
    gc.freeze()
    return data


def _make_database() -> None:
    from airflow.utils.db import initdb

    initdb()


def _answer(folder: Path, request: dict[str, Any], template: bytes) -> str:
    """Fork, wait, end all that is left, and return the answer as JSON."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(read)
            os.setsid()
            _serve(folder / "run", request, template, write)
        finally:
            os._exit(1)
    os.close(write)
    data, in_time = _read_all(read, float(request.get("seconds", 60)))
    os.close(read)
    _end_all(pid)
    if not in_time:
        return json.dumps({"trouble": "the runs took too long and were stopped"})
    return data.decode().strip() or json.dumps({"trouble": "the process that ran them was ended"})


def _read_all(descriptor: int, seconds: float) -> tuple[bytes, bool]:
    deadline = time.monotonic() + seconds
    data = b""
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([descriptor], [], [], left)[0]:
            return data, False
        chunk = os.read(descriptor, 1 << 16)
        if not chunk or data.endswith(b"\n"):
            return data, True
        data += chunk
        if data.endswith(b"\n"):
            return data, True


def _end_all(pid: int) -> None:
    """End the fork and all that came of it; in a sandbox, everything but this process."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    if os.environ.get("AUTOGRADER_CONFINED"):
        for _ in range(50):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(-1, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            others = [
                e.name
                for e in Path("/proc").iterdir()
                if e.name.isdigit() and int(e.name) not in (1, os.getpid())
            ]
            if not others:
                return
            time.sleep(0.02)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)


def _contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def _clear(folder: Path, home: dict[str, bytes]) -> None:
    """Leave nothing of what a run wrote: Airflow's home is laid out anew, all else removed.

    Airflow looks into its home for settings and plugins, Python and its libraries into the user's.
    """
    confined = os.environ.get("AUTOGRADER_CONFINED")
    if confined and forkserver.empty_memory({folder}, remove_tree):
        raise OSError("something stays in the sandbox's memory")
    remove_tree(folder)
    Path(os.environ["HOME"]).mkdir(parents=True, exist_ok=True)
    (folder / "home").mkdir(parents=True)
    for name, content in home.items():
        target = folder / "home" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def _keep_private(write: int) -> None:
    """Close what leads to the grader: in this process all but its answer, in its forks that, too.

    A learner's code runs in forks only.  With one of these it could answer in the grader's place.
    """
    for descriptor in _private:
        os.close(descriptor)
    open_ = [write]

    def close() -> None:
        while open_:
            os.close(open_.pop())

    os.register_at_fork(after_in_child=close)


def _serve(folder: Path, request: dict[str, Any], template: bytes, write: int) -> None:
    _keep_private(write)
    forkserver._limit(_LIMITS)
    forkserver._prctl(forkserver._PR_SET_PDEATHSIG, signal.SIGKILL)
    os.dup2(1, 2)
    folder.mkdir()
    os.chdir(folder)
    from autograder.flow import run

    try:
        answer = run.perform(folder, request, template)
    except Exception as error:
        import traceback

        where = traceback.extract_tb(error.__traceback__)[-1]
        answer = {
            "trouble": f"{type(error).__name__}: {error}"[:300],
            "where": f"{Path(where.filename).name}:{where.lineno}",
            "trace": traceback.format_exc()[-3000:],
        }
    data = json.dumps(answer).encode() + b"\n"
    while data:
        data = data[os.write(write, data) :]
    os._exit(0)


if __name__ == "__main__":
    main()
