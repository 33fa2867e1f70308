"""Lab s5_airflow's second part: the real scheduler runs a DAG, and the web page shows it."""

from __future__ import annotations

import json
import shutil
import time
import urllib.request
from pathlib import Path
from typing import Any

import psutil
import pytest

from autograder.flow.source import rows_of
from autograder.flow.up import airflow
from autograder.starts import starts_of
from tests.conftest import ROOT

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
    pytest.mark.xdist_group("s5_airflow"),
]
ARTIFACTS = ROOT / "tests" / "artifacts"
GB = 1 << 30


def _ask(address: str, method: str, path: str, data: Any = None, token: str = "") -> Any:
    request = urllib.request.Request(
        f"{address}{path}",
        method=method,
        data=json.dumps(data).encode() if data is not None else None,
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def _memory() -> int:
    used = 0
    for child in psutil.Process().children(recursive=True):
        try:
            used += child.memory_full_info().pss
        except psutil.Error:
            continue  # it has just ended
    return used


def test_a_run_ends_and_the_page_shows_it(tmp_path: Path) -> None:
    task = tmp_path / "5-gate"
    task.mkdir()
    starts_of("s5_airflow")["5-gate"](task)
    before = set(psutil.Process().children(recursive=True))
    with airflow(task) as address:
        token = _ask(address, "GET", "/auth/token")["access_token"]
        dag = "/api/v2/dags/flight_delays"
        _wait(lambda: _exists(address, dag, token), 90)
        _ask(address, "PATCH", dag, {"is_paused": False}, token)
        run = _ask(
            address, "POST", f"{dag}/dagRuns", {"logical_date": "2013-04-01T00:00:00Z"}, token
        )
        where = f"{dag}/dagRuns/{run['dag_run_id']}"
        ended = ("success", "failed")
        _wait(lambda: _ask(address, "GET", where, token=token)["state"] in ended, 180)
        assert _ask(address, "GET", where, token=token)["state"] == "success"
        assert _memory() < 1.5 * GB
        _look(f"{address}/dags/flight_delays/runs/{run['dag_run_id']}")
    raw = json.loads((task / "lake" / "raw" / "2013-03.json").read_text())
    assert len(raw) == len(rows_of("2013-03"))
    time.sleep(1)
    left = set(psutil.Process().children(recursive=True)) - before
    assert [p.cmdline() for p in left if p.status() != psutil.STATUS_ZOMBIE] == []


def _exists(address: str, path: str, token: str) -> bool:
    try:
        _ask(address, "GET", path, token=token)
    except OSError:
        return False
    return True


def _wait(done: Any, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.5)


def _look(address: str) -> None:
    """Take a picture of the finished run as a learner sees it."""
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(address)
        page.get_by_text("Success").first.wait_for(timeout=60_000)
        page.get_by_text("validate").first.wait_for(timeout=60_000)
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=ARTIFACTS / "airflow.png")
        browser.close()
