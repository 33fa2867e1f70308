"""The page of DVC's plots, as lab s4_dvc opens it: it comes up without a network."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from autograder.starts.s4_dvc import REPO, _finished

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright: uv sync --dev")

CHROMIUM = Path("/usr/bin/chromium")
ARGS = [
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SHOTS = Path(__file__).parent.parent / "artifacts"


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run ``dvc plots show`` on a pipeline that ran."""
    folder = tmp_path_factory.mktemp("plots")
    _finished(folder)
    repo = folder / REPO
    environment = {
        **os.environ,
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(folder / "site"),
    }
    subprocess.run(
        [sys.executable, "-m", "dvc", "plots", "show", "-q"], cwd=repo, env=environment, check=True
    )
    return repo / "dvc_plots" / "index.html"


def test_the_page_comes_up(page_file: Path) -> None:
    if not CHROMIUM.exists():
        pytest.skip(f"no {CHROMIUM}: apt install chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGS)
        page = browser.new_page()
        asked: list[str] = []
        page.route("https://**", lambda route: (asked.append(route.request.url), route.abort()))
        page.goto(page_file.as_uri())
        assert page.title() == "DVC Plot"
        picture = page.locator("img").first
        picture.wait_for(state="visible")
        assert picture.evaluate("image => image.naturalWidth") == 400
        assert "promise.svg" in page.content()
        # The curve is drawn by Vega, which the page asks the web for: its data is in the page.
        assert "punctual" in page.content()
        assert all(url.startswith("https://cdn.jsdelivr.net/npm/vega") for url in asked)
        SHOTS.mkdir(exist_ok=True)
        page.screenshot(path=SHOTS / "dvc_plots.png", full_page=True)
        browser.close()
