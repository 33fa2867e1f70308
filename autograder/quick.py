"""Let a slow command line tool answer at once in a notebook's cells.

A ``dvc`` command imports for half a second before it does anything.  `start` keeps one process
that has done the imports, and puts a command of the tool's name first on the PATH.  It hands
arguments, folder, environment and open files over; a fork of that process does the rest with the
tool's own code.  Where that cannot be, the command becomes the tool as it is installed.

The helper belongs to the kernel that started it, has no more rights, and ends with it.  A grader's
checks never use it: they run no tool of a learner's.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

# Whose main function is the tool, and what else its commands import sooner or later.
TOOLS: dict[str, tuple[str, tuple[str, ...]]] = {
    "dvc": (
        "dvc.cli:main",
        (
            "celery.backends.filesystem",
            "celery.worker.worker",
            "dulwich.worktree",
            "dvc._debug",
            "dvc.cachemgr",
            "dvc.cli.parser",
            "dvc.data_cloud",
            "dvc.render.match",
            "dvc.repo.artifacts",
            "dvc.repo.brancher",
            "dvc.repo.commit",
            "dvc.repo.datasets",
            "dvc.repo.experiments.queue.celery",
            "dvc.repo.experiments.queue.tempdir",
            "dvc.repo.experiments.queue.workspace",
            "dvc.repo.experiments.show",
            "dvc.repo.index",
            "dvc.repo.metrics.diff",
            "dvc.repo.open_repo",
            "dvc.repo.plots",
            "dvc.repo.reproduce",
            "dvc.repo.stage",
            "dvc.stage.loader",
            "dvc.ui.table",
            "dvc.utils.strictyaml",
            "dvc.utils.table",
            "dvc_data.fs",
            "dvc_data.hashfile.db.local",
            "dvc_data.index.fetch",
            "dvc_data.index.push",
            "dvc_task.app",
            "fsspec.implementations.memory",
            "networkx",
            "numpy",
            "pygit2",
            "rich.status",
            "ruamel.yaml",
            "sqlite3",
        ),
    )
}
# What libraries read while they are imported: with other values the tool starts anew.
_READ_AT_IMPORT = ("HOME", "LANG", "LC_", "LD_", "PYTHON", "VIRTUAL_ENV", "XDG_")
_CLIENT = Path(__file__).with_name("quick_client.py")
_running: dict[str, tuple[subprocess.Popen[bytes], str]] = {}


def start(tool: str) -> None:
    """Make a tool quick for this process and its children; does nothing where that cannot be."""
    if tool in _running:
        _put_first(_running[tool][1])
        return
    installed = shutil.which(tool)
    if sys.platform != "linux" or installed is None:
        return
    folder = Path(tempfile.mkdtemp(prefix="quick-"))
    with socket.socket(socket.AF_UNIX) as listener:
        # Bound here, so that the first command waits for the imports and does not miss them.
        listener.bind(str(folder / "socket"))
        listener.listen(64)
        number = listener.fileno()
        helper = subprocess.Popen(
            [sys.executable, "-P", "-m", "autograder.quick", tool, str(number), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            pass_fds=[number],
            start_new_session=True,
        )
    _write_command(folder / tool, folder / "socket", installed)
    _running[tool] = helper, str(folder)
    _put_first(str(folder))
    atexit.register(stop, tool)


def _write_command(path: Path, address: Path, installed: str) -> None:
    words = [sys.executable, "-IS", str(_CLIENT), str(address), installed]
    path.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n', "utf-8")
    path.chmod(0o700)


def stop(tool: str) -> None:
    """End a tool's helper, which removes its folder; does nothing if there is none."""
    if tool not in _running:
        return
    helper, folder = _running.pop(tool)
    os.environ["PATH"] = os.pathsep.join(_others(folder))
    with contextlib.suppress(OSError, AttributeError):
        helper.stdin.close()  # type: ignore[union-attr]
    with contextlib.suppress(subprocess.TimeoutExpired):
        helper.wait(5)


def _put_first(folder: str) -> None:
    os.environ["PATH"] = os.pathsep.join([folder, *_others(folder)])


def _others(folder: str) -> list[str]:
    return [path for path in os.environ.get("PATH", "").split(os.pathsep) if path != folder]


# The helper


def main(tool: str, number: str, folder: str) -> None:
    """Import, then serve commands until standard input ends, which is when the kernel ends."""
    entry, modules = TOOLS[tool]
    name, _, function = entry.partition(":")
    for module in (name, *modules):
        with contextlib.suppress(Exception):
            importlib.import_module(module)
    run = getattr(importlib.import_module(name), function)
    # What is imported stays: a fork need not look at it, nor copy it.
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    helper = os.getpid()
    listener = socket.socket(fileno=int(number))
    try:
        for connection in _connections(listener):
            if os.fork() == 0:
                listener.close()
                _serve(connection, tool, run)
                return
            connection.close()
    finally:
        if os.getpid() == helper:
            shutil.rmtree(folder, ignore_errors=True)


def _connections(listener: socket.socket) -> Iterator[socket.socket]:
    while True:
        ready, _, _ = select.select([0, listener], [], [])
        if 0 in ready:
            return
        yield listener.accept()[0]


def _serve(connection: socket.socket, tool: str, run: Callable[[], Any]) -> None:
    """Run one command in a fork, and tell the client how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    request = _request(connection)
    if request is None or _at_import(request.environment) != _at_import(os.environ):
        connection.sendall(b"anew\n")
        return
    connection.sendall(b"runs\n")
    child = os.fork()
    if child == 0:
        connection.close()
        _become(tool, run, request)
    code = _end_of(child, connection)
    with contextlib.suppress(OSError):
        connection.sendall(f"{code}\n".encode())


@dataclass(frozen=True)
class _Request:
    arguments: list[str]
    folder: str
    umask: int
    environment: dict[str, str]
    files: list[int]


def _request(connection: socket.socket) -> _Request | None:
    """Read what a client wants; None if it went away, or sent no files."""
    body, files, _, _ = socket.recv_fds(connection, 1 << 16, 3)
    while not body.endswith(b"\n"):
        part = connection.recv(1 << 16)
        if not part:
            return None
        body += part
    return _Request(**json.loads(body), files=list(files)) if len(files) == 3 else None


def _at_import(environment: Mapping[str, str]) -> dict[str, str]:
    return {k: v for k, v in environment.items() if k.startswith(_READ_AT_IMPORT)}


def _become(tool: str, run: Callable[[], Any], request: _Request) -> NoReturn:
    """Turn this fork into the command: its files, folder, environment, then the tool's own main."""
    os.setsid()
    # Libraries hold on to the streams they found at import: those stay, and lead elsewhere.
    for number, file in enumerate(request.files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(request.folder)
    os.umask(request.umask)
    os.environ.clear()
    os.environ.update(request.environment)
    sys.argv = [tool, *request.arguments]
    try:
        code: Any = run()
    except SystemExit as ended:
        code = ended.code
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    # Taking a thousand modules down one by one would take longer than most commands do.
    os._exit(code if isinstance(code, int) else int(code is not None))


def _end_of(child: int, connection: socket.socket) -> int:
    """Wait for the command, end it if its client goes away, and return its exit code."""
    ended = os.pidfd_open(child)
    ready, _, _ = select.select([ended, connection], [], [])
    if ended not in ready:
        for sign, seconds in ((signal.SIGINT, 3), (signal.SIGKILL, None)):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child, sign)
            if select.select([ended], [], [], seconds)[0]:
                break
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    main(*sys.argv[1:])
