"""The answers the grader is tested with: ``tests/answers/<lab>/{right,wrong}_*.py``.

An answer is a Python file of plain data:

``CELLS``              the learner's text for some answer cells; the others hold the solution
``SCORES``             points of the checks that do not get full points (wrong answers only)
``TERMINAL``           a bash script run in the lab's folder before the notebook is graded, as a
                       learner works who prefers the terminal (optional)
``FAILS_ONLY_HIDDEN``  checks whose visible part must pass (optional)
"""

from __future__ import annotations

import runpy
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from autograder.checks import checks_of
from autograder.lab import Lab
from autograder.paths import Course, UserError
from autograder.source import write_notebook
from autograder.starts import starts_of

_KNOWN = {"CELLS", "SCORES", "TERMINAL", "FAILS_ONLY_HIDDEN"}


@dataclass(frozen=True)
class Answer:
    """One way a learner may have done a lab, and what it must score."""

    lab: str
    name: str
    says: str
    cells: dict[str, str] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)
    terminal: str = ""
    fails_only_hidden: tuple[str, ...] = ()

    @property
    def is_right(self) -> bool:
        """True for an answer that must get full marks."""
        return self.name.startswith("right_")


def load_answers(course: Course, lab: str) -> Iterator[Answer]:
    """Yield a lab's answers; raises UserError for a file that breaks the form."""
    for path in sorted((course.root / "tests" / "answers" / lab).glob("*_*.py")):
        yield read_answer(path, lab)


def read_answer(path: Path, lab: str) -> Answer:
    """Read one answer file; raises UserError that names the file and what is wrong with it."""
    values: dict[str, Any] = runpy.run_path(str(path))
    unknown = {n for n in values if n.isupper()} - _KNOWN
    if unknown:
        raise UserError(
            f"{path}: unknown {', '.join(sorted(unknown))}; known: {', '.join(_KNOWN)}."
        )
    answer = Answer(
        lab=lab,
        name=path.stem,
        says=(values.get("__doc__") or "").strip(),
        cells=values.get("CELLS", {}),
        scores=values.get("SCORES", {}),
        terminal=values.get("TERMINAL", ""),
        fails_only_hidden=tuple(values.get("FAILS_ONLY_HIDDEN", ())),
    )
    if answer.is_right == bool(answer.scores):
        raise UserError(
            f"{path}: a wrong_ answer needs SCORES with the points it loses, a right_ one has none."
        )
    return answer


def notebook_of(answer: Answer, solution: NotebookNode, release: NotebookNode) -> NotebookNode:
    """Return the release with its answer cells filled in: the solution's text, or the answer's.

    Raises UserError if the answer names a cell that the lab does not have.
    """
    texts = {
        c.metadata.nbgrader.grade_id: c.source
        for c in solution.cells
        if c.metadata.get("nbgrader", {}).get("solution")
    }
    if unknown := answer.cells.keys() - texts.keys():
        raise UserError(
            f"answer {answer.lab}/{answer.name}: the lab has no answer cell "
            f"{', '.join(sorted(unknown))}; it has {', '.join(texts)}."
        )
    nb = nbformat.from_dict(release)
    for cell in nb.cells:
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
        if grade_id in texts:
            cell.source = answer.cells.get(grade_id, texts[grade_id]).strip("\n")
    return nb


def hand_in(
    answer: Answer,
    solution: NotebookNode,
    release: NotebookNode,
    folder: Path,
    solved: Path | None = None,
) -> Path:
    """Write an answer as a submission into ``folder`` and return its notebook's path.

    ``folder`` must carry the lab's name.  ``solved`` is a ``work`` folder in which the lab is done:
    tasks that the answer leaves alone then come with that evidence and with empty cells, which
    spares running a slow tool for them, and without their checks, see `narrowed`.  Raises UserError
    if its terminal script fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{answer.lab}.ipynb"
    nb = notebook_of(answer, solution, release)
    if solved and not answer.terminal:
        nb = _bring_evidence(answer, nb, solved, folder / "work")
    write_notebook(nb, path)
    if answer.terminal:
        Lab(answer.lab, folder)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", answer.terminal],
            cwd=folder,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise UserError(f"answer {answer.lab}/{answer.name}: TERMINAL failed:\n{done.stderr}")
    return path


def narrowed(answer: Answer, nb: NotebookNode) -> NotebookNode:
    """Return a notebook without the checks of tasks that the answer leaves alone.

    Their evidence is the solution's, which is judged once for all answers.
    """
    checks, own = checks_of(answer.lab), own_tasks(answer, nb)
    nb = nbformat.from_dict(nb)
    nb.cells = [
        cell
        for cell in nb.cells
        if (check := checks.get(cell.metadata.get("nbgrader", {}).get("grade_id"))) is None
        or check.task in own
    ]
    return nb


def own_tasks(answer: Answer, nb: NotebookNode) -> set[int]:
    """Return the numbers of the tasks in which the answer differs from the solution."""
    return {task for name, task in _task_of_cells(answer.lab, nb).items() if name in answer.cells}


def _bring_evidence(answer: Answer, nb: NotebookNode, solved: Path, work: Path) -> NotebookNode:
    """Copy the evidence of tasks that the answer leaves alone; return its notebook without them."""
    tasks, own = _task_of_cells(answer.lab, nb), own_tasks(answer, nb)
    for name in starts_of(answer.lab):
        if int(name.partition("-")[0]) not in own:
            shutil.copytree(solved / name, work / name, symlinks=True)
    for cell in nb.cells:
        if tasks.get(cell.id, 0) not in {0, *own}:
            cell.source = ""
    return narrowed(answer, nb)


def _task_of_cells(lab: str, nb: NotebookNode) -> dict[str, int]:
    """Return, by id, the task of every answer and look: that of the checks that come next."""
    checks, found, task = checks_of(lab), {}, 0
    for cell in reversed(nb.cells):
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
        task = checks[grade_id].task if grade_id in checks else task
        if task and {"answer", "look"} & set(cell.metadata.get("tags", ())):
            found[cell.id] = task
    return found
