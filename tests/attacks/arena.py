"""Where attacks are tried: a course with another student's work in it, and a grader.

The lab is s2_git, cut down to two tasks and one hidden test, so that a run takes a second or two.
`ours` grades a submission with the engine, `ours_in_class` a class of three with the attacker in
the middle, `tests.attacks.plain` does the same with plain nbgrader.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import tempfile
import time
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from nbformat import NotebookNode

import autograder
from autograder import feedback, grade, gradebook
from autograder.engine import Graded, autograde
from autograder.lab import Lab
from autograder.paths import Course
from autograder.results import SubmissionResult
from autograder.source import write_notebook
from tests.conftest import COURSE, notebooks

if TYPE_CHECKING:
    from tests.attacks.attacks import Attack

LAB = "s2_git"
KEPT = ("lab", "identity", "first_commit", "author_named", "ignore", "ignored")
# What no student may learn: another one's work, and what only a hidden test says.
SECRET = "the-secret-of-ada-4711"
HIDDEN = "late.joblib"
MARK = "owned"


@dataclass(frozen=True)
class Outcome:
    """What became of an attack: points, everything its author gets to read, and how long."""

    points: float
    said: str
    leaked: tuple[str, ...]
    touched: tuple[str, ...]
    seconds: float
    errors: tuple[str, ...] = ()
    victims: dict[str, float] = field(default_factory=dict)
    pages: dict[str, str] = field(default_factory=dict)


def cut(nb: NotebookNode) -> NotebookNode:
    """Return a notebook of the lab with two of its tasks only."""
    nb = nbformat.from_dict(nb)
    nb.cells = [c for c in nb.cells if c.metadata.get("nbgrader", {}).get("grade_id") in KEPT]
    return nb


@cache
def solution() -> NotebookNode:
    """The cut lab with solutions and hidden tests."""
    return cut(notebooks(LAB)[0])


@cache
def master() -> NotebookNode:
    """The cut lab with hidden tests."""
    return cut(notebooks(LAB)[2])


def release() -> NotebookNode:
    """The cut lab as learners get it."""
    return cut(notebooks(LAB)[1])


@cache
def done_by_ada() -> Path:
    """A submission folder with the start states of all tasks, and the kept two of them done."""
    folder = Path(tempfile.mkdtemp(prefix="attacks-ada-")) / LAB
    folder.mkdir()
    here = Path.cwd()
    Lab(LAB, folder)
    os.chdir(here)
    for cell in solution().cells:
        if cell.metadata.nbgrader.solution:
            script = cell.source.removeprefix("%%bash\n")
            subprocess.run(["bash", "-euc", script], cwd=folder, check=True, capture_output=True)
    (folder / "secret.txt").write_text(SECRET)
    write_notebook(_answered(), folder / f"{LAB}.ipynb")
    return folder


@cache
def start_states() -> Path:
    """A ``work`` folder in which nothing is done."""
    folder = Path(tempfile.mkdtemp(prefix="attacks-start-")) / LAB
    folder.mkdir()
    Lab(LAB, folder)
    return folder / "work"


def _answered() -> NotebookNode:
    nb = release()
    texts = {c.metadata.nbgrader.grade_id: c.source for c in solution().cells}
    for cell in nb.cells:
        if cell.metadata.nbgrader.solution:
            cell.source = texts[cell.metadata.nbgrader.grade_id]
    return nb


def make_course(root: Path) -> Course:
    """Lay out a course: solutions, a gradebook, and what Ada handed in."""
    course = Course(root)
    for folder in (course.solutions / LAB, course.labs / LAB, course.submitted):
        folder.mkdir(parents=True)
    write_notebook(solution(), course.solutions / LAB / f"{LAB}.ipynb")
    shutil.copytree(done_by_ada(), course.submitted / "ada" / LAB)
    with sqlite3.connect(course.gradebook) as database:
        database.execute("create table grade (auto_score real, manual_score real)")
        database.execute("insert into grade values (2, null)")
    database.close()
    return course


def hand_in(attack: Attack, course: Course, student: str = "eve") -> Path:
    """Write an attack as a submission and return its notebook's path."""
    folder = course.submitted / student / LAB
    folder.mkdir(parents=True)
    nb = release()
    cells = [nbformat.v4.new_code_cell(aimed(source, course)) for source in attack.cells]
    nb.cells[1:1] = cells
    if attack.forge:
        attack.forge(nb)
    path = folder / f"{LAB}.ipynb"
    path.write_text(json.dumps(nb), "utf-8")
    if attack.evidence:
        shutil.copytree(start_states(), folder / "work")
    for name, text in attack.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(aimed(text, course))
    if attack.prepare:
        attack.prepare(folder, course.root)
    return path


def aimed(text: str, course: Course, lab: str = LAB) -> str:
    """Put the course's real path into an attack: its author knows where to aim."""
    return text.replace("@COURSE@", str(course.root)).replace("@LAB@", lab)


def ours(attack: Attack, root: Path) -> Outcome:
    """Grade an attack with the engine."""
    course = make_course(root)
    path = hand_in(attack, course)
    before = snapshot(root)
    began = time.monotonic()
    graded = autograde(path, LAB, master=master(), student="eve", budget=attack.budget)
    seconds = time.monotonic() - began
    return Outcome(
        points=graded.result.points,
        said=_said(graded.result, graded.notebook),
        leaked=_leaks(graded.result, graded.notebook),
        touched=(*_differences(before, snapshot(root)), *marks(graded, attack)),
        seconds=seconds,
    )


def marks(graded: Graded, attack: Attack) -> list[str]:
    """Return the marks that code left which must not have run, or not with such rights."""
    found = [str(p) for p in Path(autograder.__file__).parent.rglob(f"{MARK}*")]
    # A cell may write to its own folder; what comes as evidence must do nothing at all.
    if not attack.cells and graded.folder is not None and graded.folder.exists():
        found += [str(p) for p in graded.folder.rglob(f"{MARK}*")]
    return found


class Serial(Executor):
    """Do each piece of work at once, in this process: one worker for the whole class."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run it and return its future, done."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:
            future.set_exception(error)
        return future


def ours_in_class(attack: Attack, root: Path, patch: Any) -> Outcome:
    """Grade a class in one worker: Ada, the attacker, Zoe."""
    course = make_course(root)
    course.gradebook.unlink()
    (course.solutions / LAB / f"{LAB}.py").touch()
    patch.setattr(grade, "solution_notebook", lambda *_: COURSE and solution())
    for student in ("ada", "zoe"):
        victim(course, student)
    hand_in(attack, course, attack.student)
    before = snapshot(course.submitted)
    began = time.monotonic()
    batch = grade.grade_lab(course, LAB, budget=attack.budget, executor=Serial())
    seconds = time.monotonic() - began
    mine = next(r for r in batch.results if r.student == attack.student)
    written = feedback.write_feedback(
        [attack.student, "zoe"],
        lab=LAB,
        autograded=course.autograded,
        feedback=course.feedback,
        db_url=gradebook.url(course),
    )
    placed = course.autograded / attack.student / LAB / f"{LAB}.ipynb"
    pages = {p.parent.parent.name: p.read_text("utf-8") for p in written}
    leaks = [w for w in (SECRET, HIDDEN) if w in pages[attack.student]]
    return Outcome(
        points=mine.points,
        said=_said(mine, nbformat.read(placed, 4)),
        leaked=(*_leaks(mine, nbformat.read(placed, 4)), *leaks),
        touched=tuple(_differences(before, snapshot(course.submitted))),
        seconds=seconds,
        errors=batch.errors,
        victims={r.student: r.points for r in batch.results if r.student != attack.student},
        pages=pages,
    )


def victim(course: Course, student: str) -> None:
    """Hand in an honest submission that does the first task, worth two points."""
    folder = course.submitted / student / LAB
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    nb = _answered()
    nb.cells = [c for c in nb.cells if c.metadata.nbgrader.grade_id != "ignore"]
    write_notebook(nb, folder / f"{LAB}.ipynb")
    (folder / "secret.txt").write_text(SECRET)


def snapshot(folder: Path) -> dict[str, str]:
    """Return a digest of every file below a folder, by path, as far as paths reach."""
    found: dict[str, str] = {}
    todo = [folder]
    while todo:
        for path in todo.pop().iterdir():
            if path.is_symlink():
                found[str(path)] = f"link {path.readlink()}"
            elif path.is_file() and path.stat().st_size < 1 << 24:
                found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
            else:
                found[str(path)] = "there"
                todo += [path] if path.is_dir() and len(str(path)) < 1000 else []
    return found


def _differences(before: dict[str, str], after: dict[str, str]) -> list[str]:
    return sorted(p for p in before.keys() | after.keys() if before.get(p) != after.get(p))


def _said(result: SubmissionResult, nb: NotebookNode | None) -> str:
    """Return all that the result and the notebook's outputs say, as one text."""
    lines = [result.problem, *result.notes, *(c.message for c in result.checks)]
    for cell in nb.cells if nb else ():
        lines += [json.dumps(o, ensure_ascii=False) for o in cell.get("outputs", ())]
    return "\n".join(lines)


def _leaks(result: SubmissionResult, nb: NotebookNode | None) -> tuple[str, ...]:
    said = _said(result, nb)
    return tuple(word for word in (SECRET, HIDDEN) if word in said)
