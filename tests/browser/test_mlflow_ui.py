"""MLflow's own pages, as lab s4_mlflow opens them from its notebook."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from autograder import servers
from autograder.starts.s4_mlflow import promote

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")
SHOTS = Path(__file__).parent.parent / "artifacts"
QUIET = (
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("work") / "6-promote"
    folder.mkdir()
    promote(folder)
    yield servers.tracking_server(folder)
    servers.stop_servers()


def test_runs_and_versions_come_up(address: str) -> None:
    SHOTS.mkdir(exist_ok=True)
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(60_000)
        page.goto(f"{address}/#/experiments/1/runs")
        page.get_by_text("linear-hours").first.wait_for()
        page.screenshot(path=str(SHOTS / "mlflow-runs.png"))
        page.goto(f"{address}/#/models/late-flights")
        page.get_by_text("@ champion").first.wait_for()
        page.screenshot(path=str(SHOTS / "mlflow-versions.png"))
        browser.close()
