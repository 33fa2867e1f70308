"""A sample class, made from the answers the grader is tested with, and graded for real."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from nbformat import NotebookNode

from autograder.answers import Answer, hand_in, load_answers
from autograder.build import release_notebook, solution_notebook
from autograder.paths import Course, UserError

SIZE = 12
_NAMES = ("ada", "blaise", "chien-shiung", "dorothy", "emmy", "françois", "grace", "hedy", "ida")


def make_class(course: Course, lab: str, into: Path) -> Course:
    """Fill a folder with a class of 12: full, partial, wrong, empty, broken, one that never ends.

    The folder becomes a course of its own (links to the checkout's labs and solutions), so that
    a demo never touches a real gradebook.  Raises UserError for an unknown lab.
    """
    course.require_lab(lab)
    target = Course(into)
    _prepare(course, target)
    solution = solution_notebook(course, lab)
    release = release_notebook(solution)
    for name, answer in zip(_NAMES, choose_answers(course, lab), strict=False):
        hand_in(answer, solution, release, target.submitted / name / lab)
    _odd_ones(lab, solution, release, target)
    return target


def _prepare(course: Course, target: Course) -> None:
    if (target.root / "gradebook.db").exists() and not (target.root / ".demo").exists():
        raise UserError(f"{target.root} holds a real gradebook; the demo does not touch it.")
    for folder in (target.submitted, target.autograded, target.feedback, target.reports):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(target.root / ".grading", ignore_errors=True)
    target.gradebook.unlink(missing_ok=True)
    target.root.mkdir(parents=True, exist_ok=True)
    (target.root / ".demo").touch()
    for folder in ("solutions", "labs"):
        link = target.root / folder
        if not link.exists():
            link.symlink_to(course.root / folder, target_is_directory=True)
    # Formgrader and nbgrader's commands work in there, too.
    own = Path(__file__).with_name("nbgrader_config.py")
    (target.root / own.name).write_text(f"load_subconfig({str(own)!r})\n", "utf-8")


def choose_answers(course: Course, lab: str) -> list[Answer]:
    """Return nine answers: two perfect, then right and wrong ones."""
    answers = list(load_answers(course, lab))
    perfect = [Answer(lab, "right_solution", "the solution itself")] * 2
    right = [a for a in answers if a.is_right]
    wrong = [a for a in answers if not a.is_right]
    mixed = [*right[:2], *wrong]
    while len(mixed) < len(_NAMES) - len(perfect):
        mixed += perfect[:1]
    return [*perfect, *mixed][: len(_NAMES)]


def _odd_ones(lab: str, solution: NotebookNode, release: NotebookNode, target: Course) -> None:
    """Add the untouched starter, a broken file and a loop without end."""
    first = next(
        c.metadata.nbgrader.grade_id
        for c in solution.cells
        if c.metadata.get("nbgrader", {}).get("solution")
    )
    starter = target.submitted / "jean" / lab
    starter.mkdir(parents=True)
    (starter / f"{lab}.ipynb").write_text(json.dumps(release), "utf-8")
    broken = target.submitted / "katherine" / lab
    broken.mkdir(parents=True)
    (broken / f"{lab}.ipynb").write_text(json.dumps(release)[:2000], "utf-8")
    loop = Answer(lab, "wrong_loop", "never ends", cells={first: "while True:\n    pass"})
    hand_in(loop, solution, release, target.submitted / "lise" / lab)
