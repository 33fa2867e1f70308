"""Start Airflow's real scheduler and web page on one task's DAGs: ``python -m autograder.flow.up``.

Everything stays on this machine: SQLite, the LocalExecutor, free ports of the loopback, no example
DAGs, nobody has to log in.  Ctrl-C ends all of it.  Airflow's own files lie in ``airflow/`` in the
task's folder, what the DAG writes in ``lake/``.  While it runs, ``. work/<task>/airflow/env`` makes
a shell's ``airflow`` command talk to it.

In a notebook, `start` does the same in the background, and `finish` waits for its runs and ends it.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import secrets
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from autograder.flow.source import Behaviour, server
from autograder.sandbox import free_port, kill_group

_PARTS = (("api-server",), ("scheduler", "--skip-serve-logs"), ("dag-processor",))
_READY_SECONDS = 180.0
_QUIET_SECONDS = 3.0
_OPEN = ("queued", "running")
# What a shell must know to use the airflow command beside the running parts; no key is among it.
_FOR_SHELLS = (
    "PATH",
    "AIRFLOW_HOME",
    "AIRFLOW__CORE__DAGS_FOLDER",
    "AIRFLOW__CORE__LOAD_EXAMPLES",
    "AIRFLOW__CORE__EXECUTOR",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS",
    "AIRFLOW__API__BASE_URL",
    "AIRFLOW__LOGGING__LOGGING_LEVEL",
)
_running: dict[Path, Background] = {}


def settings(task: Path, port: int, service: int, token: str) -> dict[str, str]:
    """Return the environment that all parts of Airflow share."""
    connection = {"conn_type": "http", "host": "127.0.0.1", "port": service, "password": token}
    home = task / "airflow"
    return {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(task / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "5",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS": "autograder.flow.waiting.CONNECT_ARGS",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "AIRFLOW__API__SECRET_KEY": secrets.token_hex(16),
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "AIRFLOW_CONN_FLIGHTS_API": json.dumps(connection),
        "AIRFLOW_VAR_LAKE": str(task / "lake"),
    }


@contextlib.contextmanager
def airflow(task: Path) -> Iterator[str]:
    """Run Airflow on a task's DAGs for as long as the ``with`` block lasts; yields its address.

    Raises RuntimeError, with the log's last line, if a part ends or nothing answers in time.
    """
    task = task.resolve()
    token = "fl-" + secrets.token_hex(8)
    with Path(os.devnull).open("wb") as nowhere:
        http = server(Behaviour(token), nowhere.fileno())
        threading.Thread(target=http.serve_forever, daemon=True).start()
        env = settings(task, free_port(), http.server_address[1], token)
        (task / "lake").mkdir(exist_ok=True)
        home = Path(env["AIRFLOW_HOME"])
        home.mkdir(exist_ok=True)
        parts: list[subprocess.Popen[bytes]] = []
        try:
            _run(env, "db", "migrate").wait()
            parts += [_run(env, *part) for part in _PARTS]
            _wait_until_well(env["AIRFLOW__API__BASE_URL"], parts, home / "log.txt")
            _write_env(home / "env", env)
            yield env["AIRFLOW__API__BASE_URL"]
        finally:
            for part in reversed(parts):
                kill_group(part)
            http.shutdown()
            http.server_close()
            _tidy(home)


def _write_env(path: Path, env: dict[str, str]) -> None:
    lines = (f"export {name}={shlex.quote(env[name])}\n" for name in _FOR_SHELLS)
    path.write_text("".join(lines), "utf-8")


def _tidy(home: Path) -> None:
    """Leave what tells about the runs: one database file, and the tasks' logs."""
    (home / "env").unlink(missing_ok=True)
    shutil.rmtree(home / "logs" / "dag_processor", ignore_errors=True)
    with contextlib.suppress(sqlite3.Error), contextlib.closing(_database(home, "rw")) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _database(home: Path, mode: str = "ro") -> sqlite3.Connection:
    return sqlite3.connect(f"file:{home / 'airflow.db'}?mode={mode}", uri=True, timeout=20)


class Background:
    """Airflow on a task's DAGs, in the background of a notebook; it ends with the notebook."""

    def __init__(self, task: Path) -> None:
        self.task, self.home = task, task / "airflow"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "autograder.flow.up", str(task), "--until-input-ends"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
        )
        atexit.register(self.stop)
        assert self.process.stdout is not None
        lines = [line.strip() for line in iter(self.process.stdout.readline, "") if line.strip()]
        self.address = lines[-1] if lines else ""
        if not self.address.startswith("http://"):
            self.stop()
            raise RuntimeError(self.address or "Airflow did not start, and said nothing")

    def __repr__(self) -> str:
        return f"Airflow runs on work/{self.task.name}: {self.address}"

    def stop(self) -> None:
        """End it, and wait until it has ended."""
        atexit.unregister(self.stop)
        if self.process.poll() is None:
            assert self.process.stdin is not None
            self.process.stdin.close()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def wait(self, seconds: float) -> None:
        """Wait until no run has been open for a moment."""
        deadline = time.monotonic() + seconds
        quiet = time.monotonic() + _QUIET_SECONDS
        while time.monotonic() < min(deadline, quiet):
            if any(state in _OPEN for *_, state in _runs(self.home)):
                quiet = time.monotonic() + _QUIET_SECONDS
            time.sleep(0.3)


def start(task: str | Path) -> Background:
    """Start Airflow on a task's DAGs and return when it is well; if it runs already, that one."""
    folder = Path(task).resolve()
    if (there := _running.get(folder)) is None or there.process.poll() is not None:
        _running[folder] = Background(folder)
    return _running[folder]


def finish(task: str | Path, seconds: float = 300.0) -> None:
    """Wait for the runs of a task's Airflow, print them, and end it."""
    folder = Path(task).resolve()
    if there := _running.pop(folder, None):
        there.wait(seconds)
        there.stop()
    if not (folder / "airflow" / "airflow.db").exists():
        print("Airflow has not run here yet.")
        return
    for line in _told(folder):
        print(line)


def _runs(home: Path) -> list[tuple[Any, ...]]:
    with contextlib.closing(_database(home)) as database:
        return database.execute(
            "SELECT data_interval_start, run_type, state FROM dag_run ORDER BY 1, id"
        ).fetchall()


def _told(folder: Path) -> Iterator[str]:
    with contextlib.closing(_database(folder / "airflow")) as database:
        asked = database.execute(
            "SELECT from_date, to_date, reprocess_behavior FROM backfill ORDER BY id"
        ).fetchall()
    for begin, end, reprocess in asked:
        yield f"backfill asked for: {begin[:10]} to {end[:10]}, reprocess {reprocess}"
    for begin, kind, state in _runs(folder / "airflow"):
        yield f"   run of {str(begin)[:7]}   {kind:<10} {state}"
    for part in sorted(p for p in (folder / "lake").glob("*") if p.is_dir()):
        yield f"   lake: {part.name}/ has {', '.join(sorted(f.name for f in part.iterdir()))}"


def _run(env: dict[str, str], *arguments: str) -> subprocess.Popen[bytes]:
    with (Path(env["AIRFLOW_HOME"]) / "log.txt").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "airflow", *arguments],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _wait_until_well(address: str, parts: list[subprocess.Popen[bytes]], log: Path) -> None:
    """Wait until scheduler and DAG processor say that they are well."""
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        ended = [part.args[3] for part in parts if part.poll() is not None]  # type: ignore[index]
        if ended:
            raise RuntimeError(f"airflow {ended[0]} ended: {_last_line(log)}")
        with contextlib.suppress(OSError, ValueError):
            with urllib.request.urlopen(f"{address}/api/v2/monitor/health", timeout=5) as answer:
                health = json.load(answer)
            well = all(health[p]["status"] == "healthy" for p in ("scheduler", "dag_processor"))
            if well and _has_read(log.with_name("airflow.db")):
                return
        time.sleep(0.5)
    raise RuntimeError(f"Airflow is not well after {_READY_SECONDS:.0f} s: {_last_line(log)}")


def _last_line(log: Path) -> str:
    lines = log.read_text("utf-8", "replace").strip().splitlines()
    return lines[-1][:300] if lines else "it said nothing"


def _has_read(database: Path) -> bool:
    """Tell whether the DAG processor has read the folder: it knows a DAG, or why there is none."""
    with contextlib.closing(_database(database.parent)) as there:
        found = ("serialized_dag", "import_error")
        return any(there.execute(f"SELECT 1 FROM {name} LIMIT 1").fetchone() for name in found)


def main() -> None:
    """Start Airflow for the folder named on the command line, until Ctrl-C."""
    folder, *options = sys.argv[1:] or [""]
    quiet = options == ["--until-input-ends"]
    if not (Path(folder) / "dags").is_dir() or (options and not quiet):
        sys.exit("usage: python -m autograder.flow.up work/<task>    (a folder with dags/ in it)")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if quiet:
        _serve_quietly(Path(folder))
        return
    print("Starting Airflow; this takes half a minute.", flush=True)
    with contextlib.suppress(KeyboardInterrupt), airflow(Path(folder)) as address:
        print(f"Open {address} in your browser. Ctrl-C ends it.", flush=True)
        print(f"In another terminal: . {shlex.quote(folder)}/airflow/env; airflow --help")
        signal.pause()


def _serve_quietly(folder: Path) -> None:
    """Print the address, or what went wrong, and go on until nobody holds our input any more."""
    try:
        with contextlib.suppress(KeyboardInterrupt), airflow(folder) as address:
            print(address, flush=True)
            # Whoever started us reads to the end of our output, and then knows that we are well.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(1, 2)
            sys.stdin.read()
    except RuntimeError as error:
        print(error, flush=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
