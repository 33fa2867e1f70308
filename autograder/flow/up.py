"""Start Airflow's real scheduler and web page on one task's DAGs: ``python -m autograder.flow.up``.

Everything stays on this machine: SQLite, the LocalExecutor, free ports of the loopback, no example
DAGs, nobody has to log in.  Ctrl-C ends all of it.  Airflow's own files lie in ``airflow/`` in the
task's folder, what the DAG writes in ``lake/``.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from autograder.flow.source import Behaviour, server
from autograder.sandbox import free_port, kill_group

_PARTS = (("api-server",), ("scheduler", "--skip-serve-logs"), ("dag-processor",))
_READY_SECONDS = 180.0


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
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
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
            yield env["AIRFLOW__API__BASE_URL"]
        finally:
            for part in reversed(parts):
                kill_group(part)
            http.shutdown()
            http.server_close()


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
            if all(health[p]["status"] == "healthy" for p in ("scheduler", "dag_processor")):
                return
        time.sleep(0.5)
    raise RuntimeError(f"Airflow is not well after {_READY_SECONDS:.0f} s: {_last_line(log)}")


def _last_line(log: Path) -> str:
    lines = log.read_text("utf-8", "replace").strip().splitlines()
    return lines[-1][:300] if lines else "it said nothing"


def main() -> None:
    """Start Airflow for the folder named on the command line, until Ctrl-C."""
    if len(sys.argv) != 2 or not (Path(sys.argv[1]) / "dags").is_dir():
        sys.exit("usage: python -m autograder.flow.up work/<task>    (a folder with dags/ in it)")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print("Starting Airflow; this takes half a minute.", flush=True)
    with contextlib.suppress(KeyboardInterrupt), airflow(Path(sys.argv[1])) as address:
        print(f"Open {address} in your browser. Ctrl-C ends it.", flush=True)
        signal.pause()


if __name__ == "__main__":
    main()
