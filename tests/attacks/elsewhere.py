"""Where attacks on the labs with other tools are tried: MLflow, DVC, Airflow, Prometheus.

Such a lab is cut down to the checks of the one task that an attack aims at.  What is handed in are
the start states of all tasks, so no cell runs; what is hostile lies in the evidence.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
from nbformat import NotebookNode

from autograder.checks import checks_of
from autograder.engine import Graded, autograde
from autograder.lab import Lab
from autograder.paths import Course
from autograder.source import write_notebook
from tests.attacks import arena
from tests.conftest import notebooks

if TYPE_CHECKING:
    from tests.attacks.attacks import Attack


def cut(nb: NotebookNode, lab: str, task: int) -> NotebookNode:
    """Return a notebook of a lab with the set-up cell and the checks of one task only."""
    checks = checks_of(lab)
    nb = nbformat.from_dict(nb)
    nb.cells = [
        cell
        for cell in nb.cells
        if (meta := cell.metadata.get("nbgrader", {})).get("grade_id") == "lab"
        or ((own := checks.get(meta.get("grade_id"))) and own.task == task)
    ]
    return nb


@cache
def start_states(lab: str) -> Path:
    """A ``work`` folder in which nothing is done."""
    folder = Path(tempfile.mkdtemp(prefix="attacks-start-")) / lab
    folder.mkdir()
    here = Path.cwd()
    Lab(lab, folder)
    os.chdir(here)
    return folder / "work"


def make_course(root: Path, lab: str) -> Course:
    """Lay out a course: solutions, a gradebook, and what Ada handed in."""
    course = Course(root)
    (course.solutions / lab).mkdir(parents=True)
    write_notebook(notebooks(lab)[0], course.solutions / lab / f"{lab}.ipynb")
    shutil.copytree(start_states(lab), course.submitted / "ada" / lab / "work", symlinks=True)
    (course.submitted / "ada" / lab / "secret.txt").write_text(arena.SECRET)
    with sqlite3.connect(course.gradebook) as database:
        database.execute("create table grade (auto_score real, manual_score real)")
        database.execute("insert into grade values (2, null)")
    database.close()
    return course


def hand_in(attack: Attack, course: Course) -> Path:
    """Write an attack as a submission and return its notebook's path."""
    folder = course.submitted / "eve" / attack.lab
    shutil.copytree(start_states(attack.lab), folder / "work", symlinks=True)
    for name, text in attack.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(arena.aimed(text, course, attack.lab))
    if attack.prepare:
        attack.prepare(folder, course.root)
    return _notebook(folder, attack.lab, attack.task)


def _notebook(folder: Path, lab: str, task: int) -> Path:
    path = folder / f"{lab}.ipynb"
    write_notebook(cut(notebooks(lab)[1], lab, task), path)
    return path


def ours(attack: Attack, root: Path) -> arena.Outcome:
    """Grade an attack with the engine, and after it Zoe, if she has done the task."""
    course = make_course(root, attack.lab)
    path = hand_in(attack, course)
    zoe = course.submitted / "zoe" / attack.lab
    if attack.zoe:
        shutil.copytree(start_states(attack.lab), zoe / "work", symlinks=True)
        attack.zoe(zoe)
        _notebook(zoe, attack.lab, attack.task)
    before = arena.snapshot(root)
    began = time.monotonic()
    graded = _graded(path, attack)
    seconds = time.monotonic() - began
    touched = [*arena._differences(before, arena.snapshot(root)), *arena.marks(graded, attack)]
    victims = {}
    if attack.zoe:
        result = _graded(zoe / path.name, attack).result
        # Two points are what a victim's work is worth in the other arena.
        victims["zoe"] = 2.0 * result.points / result.max_points
    return arena.Outcome(
        points=graded.result.points,
        said=arena._said(graded.result, graded.notebook),
        leaked=arena._leaks(graded.result, graded.notebook),
        touched=tuple(touched),
        seconds=seconds,
        victims=victims,
    )


def _graded(path: Path, attack: Attack) -> Graded:
    master = cut(notebooks(attack.lab)[2], attack.lab, attack.task)
    return autograde(path, attack.lab, master=master, student="eve", budget=attack.budget)
