"""MLflow servers for a lab: on the loopback, on a free port, and gone when the kernel is gone.

>>> url = tracking_server("work/1-server")     # mlflow server on that folder's mlflow.db
>>> answers = model_server("models:/late-flights@champion")     # mlflow models serve

Importing MLflow's server takes seconds.  So one *nursery* process imports it once and forks a
server whenever one is asked for, which takes a fraction of a second.  The kernel holds the
nursery's standard input: when the kernel ends, however it ends, that pipe closes, the nursery
stops its servers and ends, too.  Should the nursery itself be killed, its servers notice.

Run as ``python -m autograder.servers`` this module is that nursery.
"""

from __future__ import annotations

import contextlib
import http.client
import importlib
import json
import logging
import os
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TextIO

from autograder.lab import LabError
from autograder.sandbox import free_port

__all__ = ["ServerError", "model_server", "prepare", "stop_servers", "tracking_server"]

HOST = "127.0.0.1"
STORE = "mlflow.db"
ARTIFACTS = "artifacts"
# Variables that the servers and the client of a lab run with, unless somebody chose otherwise.
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # A server that is gone is reported at once, not after minutes of retries.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "GIT_PYTHON_REFRESH": "quiet",
}
# Where Jupyter runs in a hub (Binder is one), the browser comes in through its proxy: under the
# hub's name, which MLflow would refuse.  The hub has let in nobody but the learner.
HUB = "JUPYTERHUB_SERVICE_PREFIX"
BEHIND_HUB = {"MLFLOW_SERVER_ALLOWED_HOSTS": "*", "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": "*"}
_READY_SECONDS = 120.0
_START_SECONDS = 60.0


class ServerError(LabError):
    """A server did not start; the message names what is in the way, and the way back."""


@dataclass
class _Running:
    """A server as the kernel knows it."""

    pid: int
    port: int
    log: Path
    health: str

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"


def tracking_server(folder: str | Path, port: int = 0) -> str:
    """Return the address of the MLflow server on a folder's store, and start it if need be.

    It does what ``mlflow server --backend-store-uri sqlite:///<folder>/mlflow.db
    --artifacts-destination <folder>/artifacts --workers 1`` does.  One that still answers is used
    again; one that was stopped comes back on the port it had.  ``port`` insists on a port.
    Raises ServerError if the store or the port is not as it must be.
    """
    place = Path(folder).resolve()
    key = str(place)
    running = _servers.get(key)
    if running and port in (0, running.port) and _answers(running):
        return running.url
    _stop(key)
    _inspect(place)
    port = _port(port, running)
    command = {"do": "track", "folder": key, "port": port}
    url = _start(key, command, "/health", f"the tracking server of {_short(place)}")
    if room := sys.modules.get("autograder.modelroom"):
        # Waiting is expected here. The check that comes next would else be what waits.
        room.await_open()
    print(f"MLflow of {_short(place)}: {_shown(url)}")
    return url


def model_server(model_uri: str, port: int = 0) -> str:
    """Return the address of a server that answers for one model at ``/invocations``.

    It does what ``mlflow models serve -m <model_uri> --env-manager local`` does.  ``models:/…``
    is looked up where ``MLFLOW_TRACKING_URI`` or ``mlflow.set_tracking_uri`` says.  It always
    starts anew: an alias may name another version by now.  Raises ServerError if it does not come
    up.
    """
    running = _servers.get(model_uri)
    _stop(model_uri)
    port = _port(port, running)
    command = {"do": "answer", "model": model_uri, "tracking": _tracking_uri(), "port": port}
    url = _start(model_uri, command, "/ping", f"the server of {model_uri}")
    print(f"{model_uri} answers at {url}/invocations")
    return url


def stop_servers() -> None:
    """Stop every server of this kernel."""
    for key in list(_servers):
        _stop(key)
    _nursery.close()


def prepare() -> None:
    """Begin to import MLflow's server in the background, so that the first one starts sooner.

    It also sees to it that commands in cells find this environment's ``python`` and ``mlflow``,
    and that no proxy stands between this machine and itself.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    # It warns for every model that the environment has no pip, which no model here needs.
    logging.getLogger("mlflow.utils.environment").setLevel(logging.ERROR)
    _extend("PATH", str(Path(sys.executable).parent), os.pathsep)
    for name in ("NO_PROXY", "no_proxy"):
        _extend(name, HOST, ",")
    _watch_cells()
    _nursery.start()
    if "autograder.checks.s4_mlflow" in sys.modules and not os.environ.get("NBGRADER_EXECUTION"):
        # So that a learner's first check need not wait for it.
        importlib.import_module("autograder.modelroom").prepare()


def _extend(name: str, entry: str, separator: str) -> None:
    entries = [e for e in os.environ.get(name, "").split(separator) if e]
    if entry not in entries:
        os.environ[name] = separator.join([entry, *entries])


def _start(key: str, command: dict[str, Any], health: str, what: str) -> str:
    prepare()
    log = _nursery.folder / f"{len(list(_nursery.folder.iterdir()))}.log"
    pid = _nursery.ask({**command, "log": str(log)})["pid"]
    running = _Running(pid, command["port"], log, health)
    deadline = time.monotonic() + _START_SECONDS
    while not _answers(running):
        if not _alive(running):
            raise ServerError(f"{what} did not start. {_last_words(running, key)}")
        if time.monotonic() > deadline:
            _nursery.ask({"do": "stop", "pid": pid})
            raise ServerError(f"{what} did not answer within {_START_SECONDS:.0f} s. Try again.")
        time.sleep(0.03)
    _servers[key] = running
    return running.url


def _stop(key: str) -> None:
    if running := _servers.pop(key, None):
        with contextlib.suppress(ServerError):
            _nursery.ask({"do": "stop", "pid": running.pid})


def _alive(running: _Running) -> bool:
    try:
        return bool(_nursery.ask({"do": "status", "pid": running.pid})["alive"])
    except ServerError:
        return False


def _answers(running: _Running) -> bool:
    """Tell whether a server of ours answers; never through a proxy."""
    if not _nursery.alive:
        return False
    connection = http.client.HTTPConnection(HOST, running.port, timeout=10)
    try:
        connection.request("GET", running.health)
        return connection.getresponse().status == 200 and _alive(running)
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _port(wanted: int, before: _Running | None) -> int:
    """Return the port to listen on: the wanted one, the one it had, or a free one."""
    for port in (wanted, before.port if before else 0):
        if port and _is_free(port):
            return port
        if port and port == wanted:
            raise ServerError(
                f"port {port} is taken by another program. Leave port= out, and a free one is "
                "chosen, or name another one."
            )
    return free_port()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _inspect(folder: Path) -> None:
    """Raise ServerError for a store that no server could work with."""
    store, name = folder / STORE, f"{_short(folder)}/{STORE}"
    again = f'lab.restart("{folder.name}") lays the start state out anew and keeps this folder.'
    if not store.is_file():
        raise ServerError(f"{name} is not there. {again}")
    try:
        with contextlib.closing(sqlite3.connect(store, timeout=2)) as database:
            if (verdict := database.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
                raise sqlite3.DatabaseError(verdict.splitlines()[-1])
            database.execute("BEGIN IMMEDIATE")
            database.rollback()
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise ServerError(
                f"{name} is locked: another program is writing to it and does not finish. Close "
                "it (another notebook's kernel, a script in a terminal, a database viewer), then "
                "run this cell again. Nothing is lost."
            ) from error
        raise ServerError(f"{name} cannot be opened: {error}. {again}") from error
    except sqlite3.DatabaseError as error:
        raise ServerError(f"{name} is damaged ({error}). {again}") from error


def _last_words(running: _Running, key: str) -> str:
    try:
        lines = running.log.read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    said = [line.strip() for line in lines if line.strip()]
    if any("out-of-date database schema" in line for line in said):
        return (
            "Its database was made by another version of MLflow. In a terminal: "
            f"mlflow db upgrade sqlite:///{key}/{STORE}"
        )
    errors = [line for line in said if "Error" in line or "Exception" in line]
    return f"It said: {(errors or said or ['nothing'])[-1][:300]}"


def _tracking_uri() -> str:
    mlflow = sys.modules.get("mlflow")
    return mlflow.get_tracking_uri() if mlflow else os.environ.get("MLFLOW_TRACKING_URI", "")


def _shown(url: str) -> str:
    """Return the address at which the learner's browser finds a server of this machine."""
    if hub := os.environ.get(HUB):
        return f"{url} (in your browser: {hub}proxy/{url.rpartition(':')[2]}/)"
    return url


def _short(folder: Path) -> str:
    """Name a task's folder as the lab does: ``work/1-server``."""
    return "/".join(folder.parts[-2:])


def _watch_cells() -> None:
    """After a cell that failed, say which server has stopped meanwhile: often it is the reason."""
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    if shell is not None and _after_cell not in shell.events.callbacks["post_run_cell"]:
        shell.events.register("post_run_cell", _after_cell)


def _after_cell(result: Any) -> None:
    if result is None or result.error_in_exec is None:
        return
    for key, running in _servers.items():
        if not _answers(running):
            call = "model_server" if key.startswith(("models:", "runs:")) else "tracking_server"
            name = key if call == "model_server" else _short(Path(key))
            print(
                f'The server of {name} has stopped. {call}("{name}") starts it again on the same '
                "port; what was logged is safe in its database."
            )


# --- The kernel's end of the pipe --------------------------------------------------------------


@dataclass
class _Fork:
    """A forked child, with the part of a `subprocess.Popen` that the nursery needs."""

    pid: int
    stdin: IO[bytes]
    stdout: IO[bytes]
    code: int | None = None

    def poll(self) -> int | None:
        return self._look(os.WNOHANG)

    def wait(self, timeout: float | None = None) -> int | None:
        return self._look(0)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def _look(self, options: int) -> int | None:
        if self.code is None:
            try:
                pid, status = os.waitpid(self.pid, options)
            except ChildProcessError:
                pid, status = self.pid, 0
            self.code = os.waitstatus_to_exitcode(status) if pid else None
        return self.code


class _Nursery:
    """The process that forks servers, started when first needed."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | _Fork | None = None
        self.ready = False
        self._buffer = b""
        self._lock = threading.RLock()

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start the process and return at once; its imports take a while."""
        with self._lock:
            if self.alive:
                return
            self._open_scratch()
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "autograder.servers"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=self.folder,
                env={**QUIET, **(BEHIND_HUB if HUB in os.environ else {}), **os.environ},
                start_new_session=True,
            )

    def fork(self) -> None:
        """Fork the process instead, from this one, which has done its imports."""
        self._open_scratch()
        (there_in, here_out), (here_in, there_out) = os.pipe(), os.pipe()
        if pid := os.fork():
            os.close(there_in)
            os.close(there_out)
            self.process = _Fork(pid, os.fdopen(here_out, "wb", 0), os.fdopen(here_in, "rb", 0))
            return
        try:
            os.close(here_out)
            os.close(here_in)
            os.setsid()
            os.chdir(self.folder)
            _nurse(os.fdopen(there_in), os.fdopen(there_out, "w"))
        finally:
            os._exit(0)

    def _open_scratch(self) -> None:
        self.ready, self._buffer = False, b""
        self._scratch = tempfile.TemporaryDirectory(prefix="mlflow-servers-")
        self.folder = Path(self._scratch.name)

    def ask(self, command: dict[str, Any]) -> dict[str, Any]:
        """Send one command and return the answer."""
        with self._lock:
            if not self.alive:
                raise ServerError("MLflow's servers have stopped. Run the cell again.")
            assert self.process and self.process.stdin
            if not self.ready:
                self._read(_READY_SECONDS)
                self.ready = True
            try:
                self.process.stdin.write(json.dumps(command).encode() + b"\n")
                self.process.stdin.flush()
            except OSError as error:
                raise ServerError("MLflow's servers have stopped. Run the cell again.") from error
            return self._read(20)

    def _read(self, seconds: float) -> dict[str, Any]:
        assert self.process and self.process.stdout
        stream, deadline = self.process.stdout.fileno(), time.monotonic() + seconds
        while b"\n" not in self._buffer:
            left = max(0.0, deadline - time.monotonic())
            chunk = b""
            # select takes no pipes on Windows, where reading simply waits.
            if os.name == "nt" or select.select([stream], [], [], left)[0]:
                chunk = os.read(stream, 65536)
            if not chunk:
                self.close()
                raise ServerError(
                    "MLflow's server did not start in this environment. In a terminal, `mlflow "
                    "server --help` shows why."
                )
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        return json.loads(line)

    def close(self) -> None:
        """End the process; its servers end with it."""
        process, self.process = self.process, None
        if process:
            for stream in (process.stdin, process.stdout):
                if stream:
                    stream.close()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            self._scratch.cleanup()


_servers: dict[str, _Running] = {}
_nursery = _Nursery()


# --- The nursery -------------------------------------------------------------------------------


HEAVY = (
    "mlflow.pyfunc.loaders.code_model",
    "mlflow.pyfunc.model",
    "mlflow.pyfunc.scoring_server",
    "mlflow.server.fastapi_app",
    "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.store.tracking.sqlalchemy_store",
    "uvicorn.protocols.http.auto",
    "uvicorn.lifespan.on",
    "uvicorn.loops.auto",
)


def main() -> None:
    """Import MLflow's servers, then start and stop them on request until standard input ends."""
    request, answer = os.fdopen(os.dup(0), "r"), os.fdopen(os.dup(1), "w")
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    for name in HEAVY:
        importlib.import_module(name)
    _nurse(request, answer)


def _nurse(request: TextIO, answer: TextIO) -> None:
    children: set[int] = set()
    print("{}", file=answer, flush=True)
    for line in request:
        print(json.dumps(_obey(json.loads(line), children)), file=answer, flush=True)
    for pid in children:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)


def parent_ready() -> None:
    """Let MLflow list once which package each module comes from; it asks for every model."""
    if mlflow := sys.modules.get("mlflow.utils.requirements_utils"):
        # It costs half a second.  Should it have another name some day, only speed is lost.
        mlflow._init_packages_to_modules_map()


def kernel_begins() -> None:
    """Fork the nursery from a kernel whose warm parent has done its imports; it starts at once."""
    if all(name in sys.modules for name in HEAVY):
        _nursery.fork()


def _obey(command: dict[str, Any], children: set[int]) -> dict[str, Any]:
    match command["do"]:
        case "track" | "answer":
            children.add(pid := _fork(command))
            return {"pid": pid}
        case "status":
            return {"alive": _is_running(command["pid"], children)}
        case "stop":
            if _is_running(command["pid"], children):
                os.kill(command["pid"], signal.SIGKILL)
                os.waitpid(command["pid"], 0)
                children.discard(command["pid"])
    return {}


def _is_running(pid: int, children: set[int]) -> bool:
    """Tell whether a child runs, and bury it if not."""
    if pid not in children:
        return False
    if os.waitpid(pid, os.WNOHANG)[0]:
        children.discard(pid)
        return False
    return True


def _fork(command: dict[str, Any]) -> int:
    """Fork a server; in the child this never returns."""
    parent = os.getpid()
    if pid := os.fork():
        return pid
    code = 1
    try:
        os.closerange(3, 256)
        log = os.open(command["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)
        threading.Thread(target=_end_with, args=[parent], daemon=True).start()
        _serve(command)
        code = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.3)
    os._exit(0)


def _serve(command: dict[str, Any]) -> None:
    import uvicorn

    app = _tracking_app(command) if command["do"] == "track" else _model_app(command)
    uvicorn.run(app, host=HOST, port=command["port"], log_level="error", access_log=False)


def _tracking_app(command: dict[str, Any]) -> Any:
    """Do what ``mlflow server`` does once its options are read, and return its application."""
    from mlflow.server import constants, handlers
    from mlflow.server.fastapi_app import app

    folder = Path(command["folder"])
    store, artifacts = f"sqlite:///{folder / STORE}", (folder / ARTIFACTS).as_uri()
    os.environ |= {
        constants.BACKEND_STORE_URI_ENV_VAR: store,
        constants.ARTIFACT_ROOT_ENV_VAR: "mlflow-artifacts:/",
        constants.ARTIFACTS_DESTINATION_ENV_VAR: artifacts,
        constants.SERVE_ARTIFACTS_ENV_VAR: "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    handlers.initialize_backend_stores(store, store, "mlflow-artifacts:/")
    return app


def _model_app(command: dict[str, Any]) -> Any:
    """Load the model and return the application that ``mlflow models serve`` runs."""
    import mlflow
    from mlflow.pyfunc import scoring_server

    if command["tracking"]:
        mlflow.set_tracking_uri(command["tracking"])
    return scoring_server.init(mlflow.pyfunc.load_model(command["model"]))


if __name__ == "__main__":
    main()
