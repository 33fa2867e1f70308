"""MLflow's servers for a lab: where they listen, what they say when something is in the way."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from autograder import servers
from autograder.servers import ServerError, tracking_server
from autograder.starts.s4_mlflow import rollback

HUB = "/user/ada/"


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("work") / "11-rollback"
    folder.mkdir()
    rollback(folder)
    return folder


@pytest.fixture
def task(pristine: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pristine, tmp_path / "work" / "11-rollback"))


@pytest.fixture(scope="module")
def running(pristine: Path) -> Iterator[str]:
    """One server for all tests, started as on a JupyterHub; starting the first takes seconds."""
    before = dict(os.environ)
    os.environ["JUPYTERHUB_SERVICE_PREFIX"] = HUB
    yield tracking_server(pristine)
    servers.stop_servers()
    os.environ.clear()
    os.environ.update(before)


def _gone(pid: int) -> bool:
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


# What is in the way, before any server starts


def test_a_store_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match=r"mlflow\.db is not there.*lab\.restart"):
        tracking_server(tmp_path)


def test_a_damaged_store(task: Path) -> None:
    store = task / "mlflow.db"
    data = store.read_bytes()
    store.write_bytes(data[:4096] + b"\xa5" * 8192 + data[12288:])
    with pytest.raises(ServerError, match=r"mlflow\.db is damaged .*lab\.restart\(\"11-rollback\""):
        tracking_server(task)


def test_a_locked_store(task: Path) -> None:
    with sqlite3.connect(task / "mlflow.db", isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(ServerError, match=r"is locked.*Close it.*Nothing is lost"):
            tracking_server(task)
        other.execute("ROLLBACK")


def test_a_taken_port(task: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(ServerError, match=r"is taken by another program.*Leave port= out"):
            tracking_server(task, port=other.getsockname()[1])


# A server


def test_it_listens_on_the_loopback_and_is_used_again(running: str, pristine: Path) -> None:
    assert running.startswith("http://127.0.0.1:")
    assert tracking_server(pristine) == running
    found = requests.get(
        f"{running}/api/2.0/mlflow/registered-models/alias?name=late-flights&alias=champion"
    ).json()
    assert found["model_version"]["version"] == "4"


def test_its_page_opens_through_a_hub(
    running: str, pristine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A hub passes on its own name as the host, which MLflow refuses by default."""
    servers._stop(str(pristine))
    url = tracking_server(pristine)
    assert f"{HUB}proxy/{url.rpartition(':')[2]}/" in capsys.readouterr().out
    hub = {"Host": "hub.example.org", "Origin": "https://hub.example.org"}
    search = f"{url}/ajax-api/2.0/mlflow/runs/search"
    assert requests.get(url, headers=hub).status_code == 200
    found = requests.post(search, json={"experiment_ids": ["1"]}, headers=hub)
    assert len(found.json()["runs"]) == 4


def test_one_that_was_killed_is_named_and_comes_back_on_its_port(
    running: str, pristine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = tracking_server(pristine)
    os.kill(servers._servers[str(pristine)].pid, signal.SIGKILL)

    class Failed:
        error_in_exec = ConnectionError()

    servers._after_cell(Failed())
    assert "server of work" in capsys.readouterr().out.replace(pristine.parent.name, "work")
    assert tracking_server(pristine) == url
    servers._after_cell(Failed())
    assert "stopped" not in capsys.readouterr().out


def test_it_ends_with_the_kernel(running: str, pristine: Path) -> None:
    """A kernel that ends, however, closes the pipe that the nursery reads."""
    url = tracking_server(pristine)
    server, nursery = servers._servers[str(pristine)].pid, servers._nursery.process
    assert nursery is not None and nursery.stdin is not None
    nursery.stdin.close()
    assert nursery.wait(10) == 0
    assert _gone(server)
    with pytest.raises(requests.ConnectionError):
        requests.get(url)
