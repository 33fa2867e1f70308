"""docs/instructors.md: its commands are run, one after another, on the class that it makes."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from autograder.sandbox import available, free_port, kill_group
from tests.browser.test_jupyterlab import ARTIFACTS, CHROMIUM, QUIET
from tests.conftest import ROOT

if CHROMIUM:
    from playwright.sync_api import sync_playwright

PAGE = ROOT / "docs" / "instructors.md"
BLOCK = re.compile(r"^```bash( server)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
pytestmark = [
    pytest.mark.skipif(not available(), reason="needs bubblewrap to grade"),
    pytest.mark.xdist_group("instructors"),
]


def blocks() -> list[tuple[bool, str]]:
    """Return the page's commands, block by block, and whether each is a server."""
    return [(bool(server), text) for server, text in BLOCK.findall(PAGE.read_text("utf-8"))]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workbook as a clone has it, with this environment, and nothing of anybody's work."""
    root = tmp_path_factory.mktemp("class") / "workbook"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, root / name)
    (root / ".venv").symlink_to(ROOT / ".venv")
    _git(root, "init", "-q")
    _git(root, "add", "-A")
    return root


def _git(root: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True)


def _shell(text: str, root: Path) -> str:
    """Run commands in a shell of their own, as somebody who stays in that folder types them."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=root,
        env={**os.environ, "PATH": f"{root}/.venv/bin:{os.environ['PATH']}", "COLUMNS": "120"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


@contextmanager
def _server(command: str, root: Path) -> Iterator[str]:
    """Start a command of the page that serves, and yield its address."""
    port = free_port()
    options = f"--no-browser --ServerApp.port={port} --IdentityProvider.token= "
    options += "--ServerApp.disable_check_xsrf=True"
    log = root / "server.log"
    process = subprocess.Popen(
        ["bash", "-c", f"exec {command.strip()} {options}"],
        cwd=root,
        env={**os.environ, "PATH": f"{root}/.venv/bin:{os.environ['PATH']}"},
        stdout=log.open("w"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api", timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        else:
            raise AssertionError(log.read_text()[-2000:])
        yield f"http://127.0.0.1:{port}"
    finally:
        kill_group(process)


def _ask(url: str, data: dict | None = None) -> list[dict] | dict:
    body = json.dumps(data).encode() if data is not None else None
    asked = urllib.request.Request(url, body, method="PUT" if data else "GET")
    with urllib.request.urlopen(asked, timeout=60) as answer:
        return json.loads(answer.read())


def _override(address: str) -> None:
    """Take half a point from Blaise's first check by hand: in Formgrader's page, or its API."""
    found = _ask(f"{address}/formgrader/api/submitted_notebooks/s2_git/s2_git")
    (notebook,) = [n for n in found if n["student"] == "blaise"]
    grades = _ask(f"{address}/formgrader/api/grades?submission_id={notebook['id']}")
    grade = next(g for g in grades if g["auto_score"])
    score = grade["auto_score"] - 0.5
    if CHROMIUM:
        _in_the_browser(address, notebook, grade["name"], score)
    else:
        given = {"manual_score": score, "extra_credit": 0}
        _ask(f"{address}/formgrader/api/grade/{grade['id']}", given)


def _in_the_browser(address: str, notebook: dict, check: str, score: float) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(60_000)
        page.goto(f"{address}/formgrader/manage_submissions/s2_git")
        for who in ("Lovelace, Ada", "Pascal, Blaise", "Hodgkin, Dorothy", "Viète, François"):
            row = page.locator("tr", has_text=who)
            row.wait_for()
            assert "graded" in row.inner_text()
        _shot(page, "formgrader-class")
        page.goto(f"{address}/formgrader/submissions/{notebook['id']}/")
        field = page.locator(f"input.score#{check}")
        # What the page writes before it has loaded the scores is lost.
        page.wait_for_function(f"document.querySelector('#{check}').placeholder !== ''")
        field.fill(str(score))
        with page.expect_response(lambda r: "/api/grade/" in r.url and r.request.method == "PUT"):
            field.press("Tab")
        _shot(page, "formgrader-by-hand")
        browser.close()


def _shot(page, name: str) -> None:  # type: ignore[no-untyped-def]
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(ARTIFACTS / f"{name}.png"))


def _table(path: Path) -> dict[str, dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    return {next(iter(row.values())): row for row in rows}


@pytest.fixture(scope="module")
def evening(checkout: Path) -> dict[str, str]:
    """Run the page from top to bottom; what each block said, by its first line."""
    said = {}
    for server, text in blocks():
        if server:
            with _server(text, checkout) as address:
                _override(address)
        else:
            began = time.perf_counter()
            said[text.partition("\n")[0]] = _shell(text, checkout)
            print(f"{time.perf_counter() - began:5.1f} s  {text.partition(chr(10))[0]}")
    return said


def test_the_page_is_about_every_command_for_instructors() -> None:
    from autograder.teacher.commands import COMMANDS

    text = "\n".join(block for _, block in blocks())
    missing = [c.name for c in COMMANDS if f"autograder {c.name}" not in text]
    assert not missing, f"docs/instructors.md does not show: {missing}"


def test_all_of_it_runs(evening: dict[str, str], checkout: Path) -> None:
    assert "6 students, 6 of them new" in evening["autograder roster practice/class.csv"]
    graded = evening["autograder grade s2_git"]
    assert "Graded 6 submissions of s2_git" in graded
    assert (checkout / "reports" / "s2_git.html").exists()
    assert len(list((checkout / "feedback").glob("*/s2_git/s2_git.html"))) == 6


def test_every_source_brought_everybody(evening: dict[str, str]) -> None:
    collected = {line: said for line, said in evening.items() if " collect " in line}
    assert len(collected) == 4
    for line, said in collected.items():
        assert "Collected 5 of 6." in said, line
        assert "Nothing from: francois." in said, line


def test_the_one_without_a_repository_is_named(evening: dict[str, str]) -> None:
    said = evening["autograder collect s2_git --git"]
    assert "✘ francois" in said and "does not exist" in said


def test_being_late_costs_what_the_policy_says(evening: dict[str, str], checkout: Path) -> None:
    late = next(said for line, said in evening.items() if line.startswith("cat >> nbgrader"))
    # A day and two hours late, one day of extension: one day begun.
    assert "1 students lose points" in late
    row = _table(checkout / "exports" / "csv.csv")["dorothy"]
    points = float(row["s2_git"]) - float(row["s2_git_late"])
    assert float(row["s2_git_late"]) == pytest.approx(-points / 10)


def test_what_was_given_by_hand_is_in_every_table(evening: dict[str, str], checkout: Path) -> None:
    plain = _table(checkout / "exports" / "csv.csv")
    assert float(plain["blaise"]["s2_git"]) % 1 == 0.5
    moodle = _table(checkout / "exports" / "moodle.csv")
    assert moodle["blaise@example.edu"]["s2_git"] == plain["blaise"]["s2_git"]
    canvas = _table(checkout / "exports" / "canvas.csv")
    assert canvas["Pascal, Blaise"]["s2_git"] == plain["blaise"]["s2_git"]
    assert canvas["Points Possible"]["s2_git"] == plain["blaise"]["s2_git_of"]
    feedback = checkout / "feedback" / "blaise" / "s2_git" / "s2_git.html"
    assert f"Score: {plain['blaise']['s2_git']}" in feedback.read_text("utf-8")


def test_the_handout_holds_no_solution(evening: dict[str, str], checkout: Path) -> None:
    import zipfile

    with zipfile.ZipFile(checkout / "mlops-workbook.zip") as file:
        names = file.namelist()
        notebooks = [file.read(n).decode() for n in names if n.endswith(".ipynb")]
    # A start state may hold tests of its own; the course's tests hold the answers.
    closed = ("mlops-workbook/solutions/", "mlops-workbook/tests/")
    assert not [n for n in names if n.startswith(closed)]
    assert not [nb for nb in notebooks if "BEGIN SOLUTION" in nb or "HIDDEN TESTS" in nb]
    assert "mlops-workbook/labs/s2_git/s2_git.ipynb" in names


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")
def test_the_class_report_of_this_evening_is_sorted_and_searched(
    evening: dict[str, str], checkout: Path
) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.goto((checkout / "reports" / "s2_git.html").as_uri())
        names = page.locator("#grid tbody th")
        assert names.count() == 6
        page.locator("#grid thead th button", has_text="Points").click()
        # François handed in the untouched lab.
        ends = {names.first.inner_text(), names.last.inner_text()}
        assert "francois" in ends
        _shot(page, "class-report")
        page.locator("#filter").fill("doro")
        assert page.locator("#grid tbody tr:visible").count() == 1
        browser.close()
