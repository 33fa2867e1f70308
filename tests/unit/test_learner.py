"""Check, watch, reset, pack and progress outside a notebook, on the real Git lab."""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from autograder import progress
from autograder.checks import checks_of
from autograder.learner.pack import pack_lab
from autograder.learner.page import labs_page, progress_page
from autograder.learner.reset import reset_lab, reset_task
from autograder.learner.selfcheck import check_lab, of_another_release
from autograder.learner.standing import standing
from autograder.learner.watch import Evidence, watch_lab
from autograder.paths import Course, UserError
from autograder.results import Status
from autograder.sandbox import available, kill_group
from autograder.staging import stage
from tests.conftest import COURSE, ROOT

LAB = "s2_git"
POINTS = sum(c.points for c in checks_of(LAB).values())


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_git_config: None) -> Iterator[Course]:
    """A checkout in which nobody has worked, and a log of progress that is empty."""
    course = Course(tmp_path / "checkout")
    (course.labs / LAB).mkdir(parents=True)
    shutil.copy(ROOT / "labs" / LAB / f"{LAB}.ipynb", course.labs / LAB)
    course.course.mkdir()
    (course.root / "solutions").symlink_to(ROOT / "solutions")
    monkeypatch.setenv(progress.LOG, str(tmp_path / "own" / "progress.jsonl"))
    monkeypatch.setenv("AUTOGRADER_COURSE", str(course.root))
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    yield course


def _run(*arguments: str, course: Course) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "autograder", *arguments],
        cwd=course.root,
        env={**os.environ, "COLUMNS": "150"},
        capture_output=True,
        text=True,
    )


def _do_first_task(course: Course) -> None:
    folder = course.labs / LAB / "work" / "1-first-commit" / "flight-delays"
    script = (
        "git init -q -b main && git config user.name 'Ada Lovelace' && git config user.email "
        "ada@example.org && git add -A && git commit -q -m 'Describe the product'"
    )
    subprocess.run(["bash", "-c", script], cwd=folder, check=True)


# --- check -------------------------------------------------------------------------------------


def test_check_judges_like_the_notebook(mine: Course) -> None:
    verdicts = check_lab(mine, LAB)
    assert [v.name for v in verdicts] == list(checks_of(LAB))
    assert sum(v.points for v in verdicts) == 0
    _do_first_task(mine)
    first = check_lab(mine, LAB, 1)
    assert {v.status for v in first} == {Status.PASSED}
    assert {v.task for v in first} == {1}


def test_check_on_the_command_line_says_what_the_card_says(mine: Course) -> None:
    done = _run("check", LAB, "1", course=mine)
    assert done.returncode == 1
    for part in ("✘ 1 · A name on every commit", "Looked at", "Found", "Expected", "Try"):
        assert part in done.stdout
    _do_first_task(mine)
    done = _run("check", LAB, "1", course=mine)
    assert (done.returncode, "2 of 2 points" in done.stdout) == (0, True), done.stdout


def test_check_of_what_is_not_there_says_what_is(mine: Course) -> None:
    with pytest.raises(UserError, match="no task 99; it has 1, 2, 3"):
        check_lab(mine, LAB, 99)
    (mine.labs / LAB / f"{LAB}.ipynb").write_text("{broken")
    with pytest.raises(UserError, match="autograder reset s2_git"):
        check_lab(mine, LAB)
    (mine.labs / LAB / f"{LAB}.ipynb").unlink()
    with pytest.raises(UserError, match="autograder reset s2_git"):
        check_lab(mine, LAB)


def test_a_learners_own_cells_are_not_run(mine: Course) -> None:
    path = mine.labs / LAB / f"{LAB}.ipynb"
    nb = nbformat.read(path, 4)
    for cell in nb.cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            cell.source = "open('ran', 'w')"
    nbformat.write(nb, path)
    check_lab(mine, LAB, 1)
    assert not (mine.labs / LAB / "ran").exists()


# --- watch -------------------------------------------------------------------------------------


def test_watch_sees_a_commit_and_turns_green(mine: Course) -> None:
    stop, seen = threading.Event(), []
    rounds = watch_lab(mine, LAB, 1, stop=stop)
    seen.append(next(rounds))
    assert {v.status for v in seen[0]} == {Status.FAILED}

    def follow() -> None:
        for verdicts in rounds:
            seen.append(verdicts)
            if all(v.status is Status.PASSED for v in verdicts):
                return

    thread = threading.Thread(target=follow)
    thread.start()
    time.sleep(1)
    _do_first_task(mine)
    thread.join(timeout=30)
    stop.set()
    assert {v.status for v in seen[-1]} == {Status.PASSED}


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("work/1/.git/refs/heads/main", True),
        ("work/1/features.py", True),
        ("work/progress.json", False),
        ("work/.progress.json.17", False),
        ("work/1/.git/index.lock", False),
        ("work/4.before-1/features.py", False),
        ("work/.4.making-7/x", False),
        ("work/1/__pycache__/x.pyc", False),
    ],
)
def test_what_is_a_reason_to_check_again(path: str, counts: bool) -> None:
    assert Evidence()(2, f"/course/labs/{LAB}/{path}") is counts  # type: ignore[arg-type]


# --- reset and progress ------------------------------------------------------------------------


def test_reset_gives_a_fresh_lab_keeps_the_old_and_the_progress(mine: Course) -> None:
    folder = mine.labs / LAB
    check_lab(mine, LAB)
    _do_first_task(mine)
    check_lab(mine, LAB)
    nb = nbformat.read(folder / f"{LAB}.ipynb", 4)
    nb.cells.append(nbformat.v4.new_markdown_cell("my note"))
    nbformat.write(nb, folder / f"{LAB}.ipynb")

    kept = reset_lab(mine, LAB)
    assert [p.name for p in kept] == [f"{LAB}.before-1.ipynb", "work.before-1"]
    assert "my note" in kept[0].read_text("utf-8")
    assert (kept[1] / "1-first-commit" / "flight-delays" / ".git").is_dir()
    fresh = nbformat.read(folder / f"{LAB}.ipynb", 4)
    assert fresh.cells == nbformat.read(ROOT / "labs" / LAB / f"{LAB}.ipynb", 4).cells
    assert sum(v.points for v in check_lab(mine, LAB)) == 0

    lab = standing(mine).labs[0]
    assert (lab.now, lab.best, lab.points) == (0, 2, POINTS)
    assert lab.tasks[0].done
    assert standing(mine).next_step[1].number == 2  # type: ignore[index]
    assert [p.name for p in reset_lab(mine, LAB)][1] == "work.before-2"


def test_reset_of_one_task_leaves_the_others(mine: Course) -> None:
    check_lab(mine, LAB)
    _do_first_task(mine)
    other = mine.labs / LAB / "work" / "2-ignore" / "note"
    other.write_text("mine")
    assert reset_task(mine, LAB, "1").name == "1-first-commit"
    assert not (mine.labs / LAB / "work" / "1-first-commit" / "flight-delays" / ".git").exists()
    assert other.exists()


def test_reset_on_the_command_line(mine: Course) -> None:
    check_lab(mine, LAB)
    done = _run("reset", LAB, course=mine)
    assert done.returncode == 0, done.stdout
    assert f"labs/{LAB}/work.before-1" in done.stdout
    wrong = _run("reset", LAB, "77", course=mine)
    assert wrong.returncode == 1
    assert "4-conflict" in wrong.stdout
    assert "There is no lab" in _run("reset", "s9_none", course=mine).stdout


def test_progress_is_the_evidences_and_the_logs_best(mine: Course) -> None:
    check_lab(mine, LAB)
    _do_first_task(mine)
    check_lab(mine, LAB)
    shutil.rmtree(mine.labs / LAB / "work" / "1-first-commit")
    check_lab(mine, LAB)
    done = _run("progress", course=mine)
    assert f"2 of {POINTS:g}" in done.stdout
    assert "Next: s2_git, task 2" in done.stdout
    assert "1 · A name on every commit" in _run("progress", LAB, course=mine).stdout


def test_a_damaged_log_counts_as_far_as_it_can_be_read(mine: Course) -> None:
    good = {"lab": LAB, "check": "first_commit", "points": 1.0, "at": "2027-01-01T00:00:00"}
    progress.log_path().parent.mkdir(parents=True)
    lines = ["{half", json.dumps(good), "[]", json.dumps({**good, "points": "many"})]
    progress.log_path().write_text("\n".join(lines))
    assert progress.best(LAB) == {"first_commit": 1.0}
    progress.log_path().write_bytes(b"\xff\xfe")
    assert progress.best(LAB) == {}


def test_points_never_exceed_the_labs(mine: Course) -> None:
    progress.log_path().parent.mkdir(parents=True)
    entry = {"lab": LAB, "check": "first_commit", "points": 1e9}
    progress.log_path().write_text(json.dumps(entry))
    assert standing(mine).labs[0].best == checks_of(LAB)["first_commit"].points


def test_pages_hold_stages_labs_points_and_the_next_step(mine: Course) -> None:
    check_lab(mine, LAB)
    _do_first_task(mine)
    check_lab(mine, LAB)
    page = progress_page(standing(mine))
    for part in ("2 · DevOps", "6 · Deployment", f"2 of {POINTS:g} points", "task 2"):
        assert part in page
    assert f'href="../lab/tree/labs/{LAB}/{LAB}.ipynb"' in page
    alone = progress_page(standing(mine), to_root=None)
    assert "<a " not in alone and "<script" not in alone
    assert "90" in labs_page(standing(mine))
    done = _run("progress", "--html", str(mine.root / "p.html"), course=mine)
    assert done.returncode == 0 and (mine.root / "p.html").read_text("utf-8") == alone


# --- pack --------------------------------------------------------------------------------------


def test_packed_is_what_the_grader_would_stage(mine: Course, tmp_path: Path) -> None:
    check_lab(mine, LAB)
    _do_first_task(mine)
    reset_task(mine, LAB, "4")
    (mine.labs / LAB / "work" / "link").symlink_to("/etc/passwd")
    path, notes = pack_lab(mine, LAB)
    assert any("work/link" in note for note in notes)
    with zipfile.ZipFile(path) as file:
        names = file.namelist()
        file.extractall(tmp_path / "out")
    assert not [n for n in names if ".before-" in n or "progress.json" in n]
    stage(mine.labs / LAB / "work", tmp_path / "staged")
    shutil.rmtree(tmp_path / "staged" / "4-conflict.before-1")
    (tmp_path / "staged" / "progress.json").unlink()
    there, here = (
        sorted(str(p.relative_to(root)) for p in root.rglob("*"))
        for root in (tmp_path / "staged", tmp_path / "out" / LAB / "work")
    )
    assert there == here


def test_packing_without_a_notebook_is_refused(mine: Course) -> None:
    (mine.labs / LAB / f"{LAB}.ipynb").unlink()
    with pytest.raises(UserError, match="nothing to hand in"):
        pack_lab(mine, LAB)


# --- What goes wrong ---------------------------------------------------------------------------


def _read_only(*arguments: str, course: Course) -> subprocess.CompletedProcess[str]:
    """Run a command where the checkout cannot be written, not even by root."""
    wall = ["bwrap", "--dev-bind", "/", "/", "--ro-bind", str(course.root), str(course.root)]
    return subprocess.run(
        [*wall, sys.executable, *arguments],
        cwd=course.labs / LAB,
        env={**os.environ, "COLUMNS": "150"},
        capture_output=True,
        text=True,
    )


@pytest.mark.skipif(not available(), reason="needs bubblewrap")
def test_a_read_only_folder_is_named_with_a_remedy(mine: Course) -> None:
    for command in (["check", LAB], ["reset", LAB, "--yes"], ["pack", LAB]):
        done = _read_only("-m", "autograder", *command, course=mine)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert "Read-only file system" in done.stdout
        assert str(mine.root) in done.stdout
    start = f"from autograder import Lab; Lab({LAB!r})"
    assert (
        "copy the workbook to a folder of your own" in _read_only("-c", start, course=mine).stderr
    )


@pytest.mark.skipif(not available(), reason="needs bubblewrap")
def test_work_that_cannot_be_written_any_more_is_still_judged(mine: Course) -> None:
    check_lab(mine, LAB)
    _do_first_task(mine)
    done = _read_only("-m", "autograder", "check", LAB, "1", course=mine)
    assert (done.returncode, "2 of 2 points" in done.stdout) == (0, True), done.stderr


def test_two_jupyterlabs_may_open_a_lab_at_the_same_moment(mine: Course) -> None:
    start = f"from autograder import Lab; Lab({LAB!r})"
    both = [
        subprocess.Popen([sys.executable, "-c", start], cwd=mine.labs / LAB, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    said = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    folders = [path.name for path in (mine.labs / LAB / "work").iterdir()]
    assert len(folders) == len(set(folders)) == 10
    assert not [name for name in folders if "making" in name]


def test_a_notebook_of_last_term_says_so_and_is_replaced_without_loss(mine: Course) -> None:
    check_lab(mine, LAB)
    _do_first_task(mine)
    path = mine.labs / LAB / f"{LAB}.ipynb"
    old = path.read_text("utf-8").replace("check.first_commit(", "check.initial_commit(")
    path.write_text(old, "utf-8")
    done = _run("check", LAB, course=mine)
    assert "of another release: it does not call first_commit" in done.stdout
    # In the notebook itself the call fails, and says what to do.
    with pytest.raises(AttributeError, match="autograder reset s2_git --keep-work"):
        importlib.import_module(f"autograder.checks.{LAB}").initial_commit(path)
    assert not hasattr(importlib.import_module(f"autograder.checks.{LAB}"), "_repr_html_")
    verdict = checks_of(LAB)["first_commit"].judge("one", "too many")
    assert (verdict.points, "of another release" in verdict.found) == (0, True)

    done = _run("reset", LAB, "--keep-work", "--yes", course=mine)
    assert done.returncode == 0, done.stdout
    assert (mine.labs / LAB / f"{LAB}.before-1.ipynb").read_text("utf-8") == old
    done = _run("check", LAB, "1", course=mine)
    assert "2 of 2 points" in done.stdout and "another release" not in done.stdout


@pytest.mark.parametrize("lab", COURSE.lab_names())
def test_released_notebooks_are_of_this_release(lab: str) -> None:
    assert of_another_release(COURSE, lab) == ""


def test_a_port_in_use_and_no_browser_stop_nobody(mine: Course) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        log = mine.root / "log"
        hidden = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
        process = subprocess.Popen(
            [sys.executable, "-m", "autograder", "lab", f"--ServerApp.port={port}"],
            cwd=mine.labs / LAB,
            env={k: v for k, v in os.environ.items() if k not in hidden}
            | {"BROWSER": "no-such-browser", "HOME": str(mine.root)},
            stdout=log.open("w"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            for _ in range(300):
                said = log.read_text()
                if "http://127.0.0.1" in said:
                    break
                time.sleep(0.1)
        finally:
            kill_group(process)
    assert f"The port {port} is already in use" in said
    (other,) = {int(found) for found in re.findall(r"http://127\.0\.0\.1:(\d+)/lab", said)}
    assert other != port
    assert f"Serving notebooks from local directory: {mine.root}" in said
