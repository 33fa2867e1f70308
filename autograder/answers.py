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
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from autograder.lab import Lab
from autograder.paths import Course, UserError
from autograder.source import write_notebook

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


def hand_in(answer: Answer, solution: NotebookNode, release: NotebookNode, folder: Path) -> Path:
    """Write an answer as a submission into ``folder`` and return its notebook's path.

    ``folder`` must carry the lab's name.  Raises UserError if its terminal script fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{answer.lab}.ipynb"
    write_notebook(notebook_of(answer, solution, release), path)
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
