"""A class from start to end: gradebook, feedback, report; bad input; dying and going on."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import nbformat
import psutil
import pytest
from nbgrader.api import Gradebook

from autograder import gradebook
from autograder.answers import Answer, hand_in
from autograder.checks import checks_of
from autograder.engine import Graded, autograde
from autograder.execute import Budget
from autograder.feedback import write_feedback
from autograder.grade import Batch, fingerprint_of_lab, grade_lab
from autograder.paths import Course, UserError
from autograder.results import Status
from autograder.source import write_notebook
from autograder.starts import starts_of
from tests.conftest import ROOT, notebooks

LAB = "s2_git"
FULL = sum(c.points for c in checks_of(LAB).values())
BUDGET = Budget(cell=20, notebook=60)


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One perfect submission with its evidence, made once."""
    folder = tmp_path_factory.mktemp("perfect") / LAB
    solution, release, master = notebooks(LAB)
    path = hand_in(Answer(LAB, "right_solution", ""), solution, release, folder)
    from autograder.engine import autograde

    graded = autograde(path, LAB, master=master)
    assert graded.folder is not None
    shutil.copytree(graded.folder / "work", folder / "work")
    return folder


@pytest.fixture
def klass(tmp_path: Path, handed_in: Path) -> Course:
    """A course of its own with two students: ada did everything, bob nothing."""
    course = Course(tmp_path)
    for name in ("solutions", "labs"):
        (tmp_path / name).symlink_to(ROOT / name, target_is_directory=True)
    shutil.copytree(handed_in, course.submitted / "ada" / LAB)
    write_notebook(notebooks(LAB)[1], course.submitted / "bob" / LAB / f"{LAB}.ipynb")
    return course


class Inline(Executor):
    """Works in this process, so that all tests share its warm parents."""

    def submit(self, fn: Callable, /, *args: object, **kwargs: object) -> Future:
        future: Future = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def _grade(course: Course, **options: object) -> Batch:
    options = {"executor": Inline(), "budget": BUDGET, **options}
    return grade_lab(course, LAB, **options)  # type: ignore[arg-type]


def _points(batch: Batch) -> dict[str, float]:
    return {r.student: r.points for r in batch.results}


def _in_gradebook(course: Course) -> dict[str, float]:
    with Gradebook(gradebook.url(course)) as book:
        return {s.student.id: s.score for s in book.assignment_submissions(LAB)}


def test_a_new_gradebook_is_of_nbgraders_newest_version() -> None:
    code = "from nbgrader.api import get_alembic_version; print(get_alembic_version())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert gradebook.newest_revision() == done.stdout.strip()


def test_scores_reach_the_gradebook_and_the_files(klass: Course) -> None:
    batch = _grade(klass)
    assert _points(batch) == _in_gradebook(klass) == {"ada": FULL, "bob": 0}
    assert (klass.autograded / "ada" / LAB / f"{LAB}.ipynb").exists()
    assert (klass.autograded / "ada" / LAB / "work").is_dir()
    assert not list((klass.root / ".grading" / "staging").rglob("*.ipynb"))


def test_what_did_not_change_is_not_graded_again(klass: Course) -> None:
    first = _grade(klass)
    again = _grade(klass)
    assert (first.reused, again.reused) == (0, 2)
    assert _points(first) == _points(again)
    (klass.submitted / "bob" / LAB / "note.txt").write_text("one more thing")
    assert _grade(klass).reused == 1


def test_an_upgraded_check_regrades_what_is_stale(
    klass: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    _grade(klass)
    monkeypatch.setattr("autograder.grade.ENGINE", "next")
    assert _grade(klass).reused == 0


def test_what_a_missing_tool_left_is_graded_when_the_tool_is_there(
    klass: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_engine(*arguments: object, **options: object) -> Graded:
        graded = autograde(*arguments, **options)  # type: ignore[arg-type]
        first, *others = graded.result.checks
        first = replace(first, status=Status.NOT_GRADED, points=0)
        return replace(graded, result=replace(graded.result, checks=(first, *others)))

    monkeypatch.setattr(f"autograder.checks.{LAB}.lacks", lambda: "an engine", raising=False)
    with monkeypatch.context() as patch:
        patch.setattr("autograder.grade.autograde", without_engine)
        _grade(klass)
    assert _grade(klass).reused == 2
    monkeypatch.setattr(f"autograder.checks.{LAB}.lacks", lambda: "", raising=False)
    assert _grade(klass).reused == 0
    # What is not graded for another reason than the machine is not tried again and again.
    assert _grade(klass).reused == 2


def test_a_changed_file_of_a_start_state_makes_a_lab_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "autograder"
    shutil.copytree(ROOT / "autograder", copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr("autograder.grade.__file__", str(copy / "grade.py"))
    master = notebooks(LAB)[2]
    before = fingerprint_of_lab("s2_docker", master)
    inside = next(path for path in (copy / "starts" / "_s2_docker").rglob("*") if path.is_file())
    inside.write_bytes(inside.read_bytes() + b"\n")
    assert fingerprint_of_lab("s2_docker", master) != before


def test_twenty_regrades_give_the_same_scores(klass: Course, handed_in: Path) -> None:
    # Bob brings his evidence as Ada does, which spares his cells nineteen runs; some is unfinished.
    bob = klass.submitted / "bob" / LAB
    shutil.rmtree(bob)
    shutil.copytree(handed_in, bob)
    for name, make in list(starts_of(LAB).items())[:4]:
        shutil.rmtree(bob / "work" / name)
        (bob / "work" / name).mkdir()
        make(bob / "work" / name)
    first = _grade(klass)
    assert 0 < _points(first)["bob"] < _points(first)["ada"] == FULL
    for _ in range(19):
        again = _grade(klass, force=True)
        assert [r.checks for r in again.results] == [r.checks for r in first.results]


def test_manual_scores_and_comments_survive_a_regrade(klass: Course) -> None:
    _grade(klass)
    name = next(iter(checks_of(LAB)))
    with Gradebook(gradebook.url(klass)) as book:
        grade = book.find_grade(name, LAB, LAB, "bob")
        grade.manual_score = 0.5
        grade.needs_manual_grade = False
        comment = book.find_submission_notebook(LAB, LAB, "bob").comments[0]
        comment.manual_comment = "Come and see me."
        book.db.commit()
    _grade(klass, force=True)
    with Gradebook(gradebook.url(klass)) as book:
        grade = book.find_grade(name, LAB, LAB, "bob")
        assert (grade.manual_score, grade.score) == (0.5, 0.5)
        assert grade.needs_manual_grade
        comments = book.find_submission_notebook(LAB, LAB, "bob").comments
        assert "Come and see me." in [c.manual_comment for c in comments]


def test_feedback_shows_the_cards_and_no_hidden_source(klass: Course) -> None:
    _grade(klass)
    paths = write_feedback(
        ["ada", "bob"],
        lab=LAB,
        autograded=klass.autograded,
        feedback=klass.feedback,
        db_url=gradebook.url(klass),
    )
    html = paths[1].read_text("utf-8")
    assert "Looked at" in html
    hidden = [line for cell in notebooks(LAB)[2].cells for line in _hidden(cell.source)]
    assert hidden
    for line in hidden:
        assert line not in html
    assert "HIDDEN TESTS" not in html


def _hidden(source: str) -> list[str]:
    if "### BEGIN HIDDEN TESTS" not in source:
        return []
    inside = source.split("### BEGIN HIDDEN TESTS\n")[1].split("### END")[0]
    return [line.strip() for line in inside.splitlines() if len(line.strip()) > 8]


def _broken_json(path: Path) -> None:
    path.write_text('{"cells": [', "utf-8")


def _no_notebook(path: Path) -> None:
    path.unlink()
    (path.parent / "essay.txt").write_text("I did it all.")


def _binary(path: Path) -> None:
    path.write_bytes(os.urandom(1000))


def _other_lab(path: Path) -> None:
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x = 1")])
    for i, cell in enumerate(nb.cells):
        cell.metadata.nbgrader = {"grade_id": f"other-{i}", "grade": True, "points": 50}
    write_notebook(nb, path)


def _wrong_case(path: Path) -> None:
    path.rename(path.with_name(path.name.upper()))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_broken_json, "JSON breaks off"),
        (_no_notebook, "is missing"),
        (_binary, "not a text file"),
        (_other_lab, "was missing; it was put back"),
        (_wrong_case, "S2_GIT.IPYNB"),
    ],
)
def test_a_bad_submission_is_a_row_with_a_reason(
    klass: Course, spoil: Callable[[Path], None], says: str
) -> None:
    spoil(klass.submitted / "bob" / LAB / f"{LAB}.ipynb")
    batch = _grade(klass)
    assert _points(batch) == _in_gradebook(klass) == {"ada": FULL, "bob": 0}
    bob = batch.results[1]
    assert says in " ".join([bob.problem, *bob.notes])
    assert bob.max_points == FULL
    # Formgrader opens whatever lies there.
    nbformat.read(klass.autograded / "bob" / LAB / f"{LAB}.ipynb", 4)


def test_names_with_spaces_and_letters_of_the_world(klass: Course) -> None:
    (klass.submitted / "bob").rename(klass.submitted / "Ødegård, José 李")
    batch = _grade(klass)
    assert _in_gradebook(klass)["Ødegård, José 李"] == 0
    write_feedback(
        [r.student for r in batch.results],
        lab=LAB,
        autograded=klass.autograded,
        feedback=klass.feedback,
        db_url=gradebook.url(klass),
    )
    assert (klass.feedback / "Ødegård, José 李" / LAB / f"{LAB}.html").exists()


def test_deleted_and_edited_checks_are_put_right(klass: Course) -> None:
    path = klass.submitted / "ada" / LAB / f"{LAB}.ipynb"
    nb = nbformat.read(path, 4)
    checks = [c for c in nb.cells if c.metadata.get("nbgrader", {}).get("grade")]
    nb.cells.remove(checks[0])
    checks[1].source = "pass"
    write_notebook(nb, path)
    ada = _grade(klass).results[0]
    assert ada.points == FULL
    assert len(ada.notes) == 2


def test_an_endless_loop_costs_its_limit_once(klass: Course) -> None:
    solution, release, _ = notebooks(LAB)
    first = next(
        c.metadata.nbgrader.grade_id
        for c in release.cells
        if c.metadata.get("nbgrader", {}).get("solution")
    )
    loop = Answer(LAB, "wrong_loop", "", cells={first: "while True:\n    pass"})
    shutil.rmtree(klass.submitted / "bob")
    hand_in(loop, solution, release, klass.submitted / "bob" / LAB)
    began = time.monotonic()
    batch = _grade(klass, budget=Budget(cell=4, notebook=90))
    bob = batch.results[1]
    assert time.monotonic() - began < 60
    assert "ran longer than 4 s" in " ".join(bob.notes)
    # The loop stands in the first task: some of what follows still counts.
    assert 0 < bob.points < FULL


def test_unknown_lab_no_submissions_unknown_student(klass: Course) -> None:
    with pytest.raises(UserError, match=r"no lab 's9_x'.*s2_git"):
        grade_lab(klass, "s9_x")
    with pytest.raises(UserError, match="no submission of zoe"):
        grade_lab(klass, LAB, students=["zoe"])
    shutil.rmtree(klass.submitted)
    with pytest.raises(UserError, match="no submissions in"):
        grade_lab(klass, LAB)


def test_a_damaged_gradebook_is_named(klass: Course) -> None:
    klass.gradebook.write_bytes(b"this is no database" * 100)
    with pytest.raises(UserError, match=r"gradebook\.db.*restore a backup"):
        _grade(klass)


def test_a_gradebook_locked_by_others_loses_nothing(klass: Course) -> None:
    _grade(klass, students=["bob"])
    other = sqlite3.connect(klass.gradebook)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(UserError, match=r"gradebook\.db.*close what else"):
        _grade(klass)
    other.rollback()
    other.close()
    batch = _grade(klass)
    assert _in_gradebook(klass) == {"ada": FULL, "bob": 0}
    assert batch.reused == 1


@contextmanager
def _read_only(file: Path) -> Iterator[None]:
    """Make a file read-only; for root, whom no mode stops, by mounting it over itself."""
    if os.geteuid() != 0:
        file.chmod(0o400)
        yield
        file.chmod(0o600)
        return
    mounted = subprocess.run(["mount", "--bind", str(file), str(file)], capture_output=True)
    if mounted.returncode:
        pytest.skip("this container may not mount: " + mounted.stderr.decode().strip())
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(file)], check=True)
        yield
    finally:
        subprocess.run(["umount", str(file)], check=True)


def test_a_read_only_gradebook_loses_nothing(klass: Course) -> None:
    _grade(klass, students=["bob"])
    with (
        _read_only(klass.gradebook),
        pytest.raises(UserError, match=r"gradebook\.db.*make it writable"),
    ):
        _grade(klass)
    batch = _grade(klass)
    assert batch.reused >= 1
    assert _in_gradebook(klass) == {"ada": FULL, "bob": 0}


def test_two_gradings_at_once_are_refused(klass: Course) -> None:
    import fcntl

    lock = klass.root / ".grading" / "lock"
    lock.parent.mkdir()
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(UserError, match="another grading is under way"):
            _grade(klass)


def test_without_a_sandbox_it_refuses(klass: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autograder.sandbox.available", lambda: False)
    with pytest.raises(RuntimeError, match="--unsafe"):
        _grade(klass)
    assert not klass.gradebook.exists()


def test_killed_at_any_moment_it_goes_on(klass: Course, handed_in: Path) -> None:
    for name in ("cleo", "dora"):
        shutil.copytree(handed_in, klass.submitted / name / LAB)
    command = [sys.executable, "-m", "autograder", "grade", LAB, "--jobs", "2", "--no-feedback"]
    for delay in (3.0, 7.0):
        process = subprocess.Popen(
            [*command, "--course", str(klass.root)],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(delay)
        below = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.wait()
        # Nothing of it stays behind.
        assert psutil.wait_procs(below, timeout=20)[1] == []
    batch = _grade(klass)
    assert _points(batch) == _in_gradebook(klass)
    assert _points(batch) == {"ada": FULL, "bob": 0, "cleo": FULL, "dora": FULL}
    assert all(r.status is Status.PASSED for r in batch.results[0].checks)


def test_a_batch_leaves_no_rooms_behind(klass: Course) -> None:
    """Also those of the pool's workers, whose end Python's own atexit does not see."""
    command = [sys.executable, "-m", "autograder", "grade", LAB, "--jobs", "2", "--no-feedback"]
    # A short path, as sockets need.
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        subprocess.run(
            [*command, "--course", str(klass.root)],
            cwd=ROOT,
            env={**os.environ, "TMPDIR": place},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        assert list(Path(place).iterdir()) == []


def test_a_full_disk_is_named_and_the_rest_graded(klass: Course, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a tiny file system")
    tiny = tmp_path / "autograded"
    tiny.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tiny)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("this container may not mount: " + mounted.stderr.decode().strip())
    try:
        batch = _grade(klass)
        assert len(batch.results) == 2
        assert any("disk is full" in error for error in batch.errors)
    finally:
        subprocess.run(["umount", str(tiny)], check=True)
    again = _grade(klass)
    assert again.errors == ()
    assert _in_gradebook(klass) == {"ada": FULL, "bob": 0}


def test_late_submissions_keep_their_time(klass: Course) -> None:
    (klass.submitted / "ada" / LAB / "timestamp.txt").write_text("2026-11-23 10:00:00 UTC")
    (klass.submitted / "bob" / LAB / "timestamp.txt").write_text("yesterday, I swear")
    _grade(klass)
    with Gradebook(gradebook.url(klass)) as book:
        assert book.find_submission(LAB, "ada").timestamp.hour == 10


def test_results_survive_the_way_through_json(klass: Course) -> None:
    from autograder.results import SubmissionResult

    for result in _grade(klass).results:
        assert SubmissionResult.from_json(json.loads(json.dumps(result.to_json()))) == result
