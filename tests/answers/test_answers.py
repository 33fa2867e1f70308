"""Every right and wrong answer of every lab, graded by the real engine, to the exact point."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest

from autograder.answers import Answer, hand_in, load_answers, narrowed
from autograder.checks import checks_of
from autograder.engine import Graded, autograde
from autograder.results import CheckResult, Status, SubmissionResult
from autograder.source import write_notebook
from tests.conftest import COURSE, lacks, notebooks
from tests.solutions import shared_folder, solution

LABS = COURSE.lab_names()
# Where it is set, the grader runs a solution's cells as well, which takes minutes more.
WHOLE = "WHOLE_SOLUTIONS"

ANSWERS = [
    pytest.param(answer, id=f"{lab}-{answer.name}")
    for lab in LABS
    for answer in load_answers(COURSE, lab)
]


@dataclass(frozen=True)
class Solved:
    """A lab done as its solution does it: the folder of its evidence, and what it scored."""

    work: Path
    result: SubmissionResult


@pytest.fixture(scope="session")
def solved(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Solved]:
    """Do a lab once for all processes of a test run, however many ask."""
    shared = shared_folder(tmp_path_factory, "solved")

    def do(lab: str) -> Solved:
        work, file = shared / lab / "work", shared / f"{lab}.json"
        with (shared / f"{lab}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not file.exists():
                cells = bool(lacks(lab) or os.environ.get(WHOLE))
                brought = None if cells else solution(lab, tmp_path_factory).work
                result = _solve(lab, shared / lab, brought)
                file.write_text(json.dumps(result.to_json()), "utf-8")
        return Solved(work, SubmissionResult.from_json(json.loads(file.read_text("utf-8"))))

    return do


def _solve(lab: str, folder: Path, brought: Path | None) -> SubmissionResult:
    """Grade the solution on the evidence that its learner brings; without any, run its cells."""
    solution, release, master = notebooks(lab)
    path = hand_in(Answer(lab, "right_solution", ""), solution, release, folder / "in" / lab)
    if brought:
        shutil.copytree(brought, path.parent / "work", symlinks=True)
    graded = autograde(path, lab, master=master)
    assert graded.folder is not None
    shutil.copytree(graded.folder / "work", folder / "work", symlinks=True)
    return graded.result


@pytest.fixture
def grade(solved: Callable[[str], Solved], tmp_path: Path) -> Callable[..., Graded]:
    """Grade an answer; of tasks that it leaves alone it brings the evidence, see `hand_in`."""

    def do(answer: Answer, visible: bool = False) -> Graded:
        solution, release, master = notebooks(answer.lab)
        work = None if answer.terminal else solved(answer.lab).work
        path = hand_in(answer, solution, release, tmp_path / answer.lab, work)
        master = release if visible else master
        return autograde(path, answer.lab, master=narrowed(answer, master) if work else master)

    return do


@pytest.mark.parametrize("answer", ANSWERS)
def test_scores_exactly_and_says_why(
    answer: Answer, grade: Callable[..., Graded], no_git_config: None
) -> None:
    done = grade(answer)
    result = done.result
    graded = [c for c in result.checks if not _needs_more(c, answer.lab)]
    got = {c.name: c.points for c in graded}
    wanted = {n: c.points for n, c in checks_of(answer.lab).items()} | answer.scores
    assert result.problem == ""
    assert answer.scores.keys() <= {c.name for c in result.checks}
    assert got == {name: wanted[name] for name in got}, _told(done)
    for check in result.checks:
        if check.status is Status.FAILED:
            for part in ("Looked at", "Found", "Expected", "Try"):
                assert part in check.message
            assert "cannot read" not in check.message, check.message
            assert max(map(len, check.message.splitlines())) <= 84
    if left := len(result.checks) - len(graded):
        pytest.skip(f"{left} of {len(result.checks)} checks need {lacks(answer.lab)}")


def _told(done: Graded) -> str:
    """What somebody must read who asks why an answer scored otherwise: messages, and outputs."""
    told = [check.message for check in done.result.checks]
    for cell in done.notebook.cells if done.notebook else ():
        for output in cell.get("outputs", ()):
            said = output.get("text") or "\n".join(output.get("traceback", ()))
            told += [f"--- {cell.source[:200]}\n{said[-2000:]}"] if said else []
    return "\n".join(told)


def _needs_more(check: CheckResult, lab: str) -> bool:
    """Tell whether a check was not graded because this machine lacks something."""
    return check.status is Status.NOT_GRADED and bool(lacks(lab))


@pytest.mark.parametrize("answer", [p for p in ANSWERS if p.values[0].fails_only_hidden])
def test_hidden_part_is_what_fails(
    answer: Answer, grade: Callable[..., Graded], no_git_config: None
) -> None:
    seen = {c.name: c for c in grade(answer, visible=True).result.checks}
    for name in answer.fails_only_hidden:
        if _needs_more(seen[name], answer.lab):
            pytest.skip(f"{name} needs {lacks(answer.lab)}")
        assert seen[name].status is Status.PASSED


@pytest.mark.parametrize("lab", LABS)
def test_every_lab_has_enough_answers(lab: str) -> None:
    answers = list(load_answers(COURSE, lab))
    wrong = [a for a in answers if not a.is_right]
    assert any(a.fails_only_hidden for a in wrong)
    assert len(wrong) >= 8
    assert len(answers) - len(wrong) >= 3
    lost = {name for answer in wrong for name in answer.scores}
    assert lost == set(checks_of(lab)), "a check that no wrong answer fails may be one that cannot"


@pytest.mark.parametrize("lab", LABS)
def test_solution_gets_full_marks(
    lab: str, solved: Callable[[str], Solved], no_git_config: None
) -> None:
    result = solved(lab).result
    left = sum(c.max_points for c in result.checks if _needs_more(c, lab))
    assert (result.points + left, result.notes) == (result.max_points, ())
    if left:
        pytest.skip(f"{left:g} of {result.max_points:g} points need {lacks(lab)}")


@pytest.mark.parametrize("lab", LABS)
def test_nothing_done_gets_nothing(lab: str, tmp_path: Path, no_git_config: None) -> None:
    """The untouched starter, and a notebook without any of its cells."""
    release, master = notebooks(lab)[1:]
    empty = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("")])
    for name, nb in (("untouched", release), ("empty", empty)):
        path = tmp_path / name / lab / f"{lab}.ipynb"
        write_notebook(nb, path)
        result = autograde(path, lab, master=master).result
        assert result.points == 0
        assert result.max_points == sum(c.points for c in checks_of(lab).values())
        assert {c.status for c in result.checks} <= {Status.FAILED, Status.NOT_GRADED}
