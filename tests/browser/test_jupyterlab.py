"""JupyterLab as a learner sees it: red, fix, green; Validate says the same."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from autograder import pages, progress
from autograder.sandbox import free_port, kill_group
from tests.conftest import COURSE, ROOT

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
    pytest.mark.xdist_group("jupyterlab"),
]
ARTIFACTS = ROOT / "tests" / "artifacts"
QUIET = (
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
LAB = "labs/s2_git/s2_git.ipynb"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A JupyterLab on a copy of the course in which nobody has worked yet."""
    root = tmp_path_factory.mktemp("checkout")
    pages.copy_notebooks(COURSE, root)
    (root / "solutions").mkdir()
    port = free_port()
    home = root / "home"
    home.mkdir()
    options = [f"--ServerApp.port={port}", "--ServerApp.port_retries=0", "--no-browser"]
    process = subprocess.Popen(
        [sys.executable, "-m", "autograder", "lab", *options, "--IdentityProvider.token="],
        cwd=root,
        env={
            **os.environ,
            "HOME": str(home),
            "JUPYTERLAB_SETTINGS_DIR": str(home),
            "GIT_CONFIG_GLOBAL": os.devnull,
            # Not what other tests of this process have reached.
            progress.LOG: str(home / "progress.jsonl"),
        },
        stdout=(root / "log").open("w"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        _wait_for(f"http://127.0.0.1:{port}/api", root / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        kill_group(process)


def _wait_for(url: str, log: Path) -> None:
    for _ in range(600):
        try:
            urllib.request.urlopen(url, timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(log.read_text()[-2000:])


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    with playwright.sync_playwright() as p:
        chromium = p.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser, server: str):  # type: ignore[no-untyped-def]
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    # A first kernel can take a minute on a machine that is busy with other tests.
    page.set_default_timeout(120_000)
    yield page
    _shot(page, "last")
    page.close()


def _open(page, server: str, path: str) -> None:  # type: ignore[no-untyped-def]
    page.goto(f"{server}/lab/tree/{path}?reset")
    page.wait_for_selector(".jp-NotebookPanel .jp-Cell")
    page.wait_for_selector("[data-status='idle'].jp-Notebook-ExecutionIndicator")


def _run(page, contains: str) -> None:  # type: ignore[no-untyped-def]
    """Run the code cell whose text contains some words."""
    cell = page.locator(".jp-CodeCell", has_text=contains).first
    cell.scroll_into_view_if_needed()
    before = cell.locator(".jp-InputPrompt").first.inner_text()
    for _ in range(20):
        # Focus, not click: a note of JupyterLab's may lie above the cell for a moment.
        cell.locator(".cm-content").focus()
        page.keyboard.press("Control+Enter")
        # A key pressed before the kernel is connected is lost.
        for _ in range(30):
            if cell.locator(".jp-InputPrompt").first.inner_text() != before:
                return
            page.wait_for_timeout(50)
    raise AssertionError(f"the cell {contains!r} does not run")


def _shot(page, name: str) -> None:  # type: ignore[no-untyped-def]
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(ARTIFACTS / f"{name}.png"))


def test_red_then_green_within_a_second(page, server: str) -> None:  # type: ignore[no-untyped-def]
    _open(page, server, LAB)
    _run(page, 'lab = Lab("s2_git")')
    _run(page, "check.first_commit(")
    card = page.locator(".autograder-card[data-check='first_commit']")
    card.wait_for()
    assert card.get_attribute("data-status") == "failed"
    for part in ("Looked at", "Found", "Expected", "Try", "0 of"):
        assert part in card.inner_text()
    _shot(page, "check-red")

    answer = page.locator(".jp-CodeCell", has_text="Your work goes here").first
    answer.locator(".cm-content").focus()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(_solution("first_commit"))
    page.keyboard.press("Control+Enter")
    page.wait_for_timeout(1500)
    began = time.perf_counter()
    _run(page, "check.first_commit(")
    page.wait_for_selector(".autograder-card[data-check='first_commit'][data-status='passed']")
    seconds = time.perf_counter() - began
    _shot(page, "check-green")
    print(f"red to green: {seconds:.2f} s")
    # Clicking, scrolling and this machine's other work are in it: a bound, not the figure.
    assert seconds < 5


def _solution(check: str) -> str:
    """Return the solution of the answer cell that stands before a check."""
    nb = json.loads((COURSE.solutions / "s2_git" / "s2_git.ipynb").read_text("utf-8"))
    last = ""
    for cell in nb["cells"]:
        meta = cell["metadata"].get("nbgrader", {})
        if meta.get("solution"):
            last = "".join(cell["source"])
        if meta.get("grade_id") == check:
            return last
    raise AssertionError(check)


def test_validate_shows_the_same_message(page, server: str) -> None:  # type: ignore[no-untyped-def]
    _open(page, server, LAB)
    page.locator(".jp-NotebookPanel-toolbar").get_by_text("Validate").first.click()
    dialog = page.locator(".jp-Dialog-content")
    dialog.wait_for(timeout=120_000)
    page.wait_for_function(
        "document.querySelector('.jp-Dialog-content')?.innerText.includes('Looked at')",
        timeout=120_000,
    )
    assert "Try" in dialog.inner_text()
    _shot(page, "validate")


def test_the_roadmap_opens_first(page, server: str) -> None:  # type: ignore[no-untyped-def]
    page.goto(server)
    page.wait_for_selector(".jp-NotebookPanel h1:has-text('Roadmap')")
    assert page.locator("a", has_text="s2_git").first.get_attribute("href")
    _shot(page, "roadmap")


def test_the_launcher_leads_to_progress_labs_and_help(page, server: str) -> None:  # type: ignore[no-untyped-def]
    page.goto(f"{server}/lab?reset")
    for title, at, says in (
        ("Progress", "progress", "Next:"),
        ("Labs", "labs", "You need"),
        ("Help and doctor", "help", "Tools on this machine"),
    ):
        page.locator("#jupyterlab-splash").wait_for(state="detached")
        if not page.locator(".jp-LauncherCard").first.is_visible():
            page.keyboard.press("Control+Shift+L")
        card = page.locator(".jp-LauncherCard", has_text=title)
        card.wait_for()
        if title == "Progress":
            page.locator(".jp-Launcher-sectionTitle", has_text="MLOps workbook").wait_for()
            # In view, on a small laptop, without scrolling.
            place = card.bounding_box()
            assert place["y"] + place["height"] <= 900
            _shot(page, "launcher")
        card.click()
        frame = page.frame_locator(f"iframe[src$='/workbook/{at}']")
        frame.get_by_text(says).first.wait_for()
        _shot(page, f"page-{at}")
    # A lab's name opens its notebook in this JupyterLab.
    frame.get_by_role("link", name="Your progress").click()
    # Which lab is next depends on what the tests before this one have done.
    step = frame.locator(".next a")
    lab = step.inner_text().partition(",")[0]
    assert lab in COURSE.lab_names()
    step.click()
    page.wait_for_selector(".jp-NotebookPanel .jp-Cell")
    page.locator(".lm-TabBar-tabLabel", has_text=f"{lab}.ipynb").first.wait_for()
