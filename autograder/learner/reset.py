"""Begin a lab again without losing anything."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbformat import NotebookNode

from autograder.build import release_notebook, solution_notebook
from autograder.lab import Lab, LabError, free_name
from autograder.paths import RELEASED, Course, UserError
from autograder.source import write_notebook


def reset_lab(
    course: Course, lab: str, *, keep_notebook: bool = False, keep_work: bool = False
) -> list[Path]:
    """Lay out a lab as it was released and return where the old work lies now.

    The old folder of evidence and the old notebook stay beside the new ones, as ``work.before-1``
    and ``<lab>.before-1.ipynb`` (2, 3, …); what was reached stays in the progress.  Raises
    UserError if the folder cannot be written; nothing is moved then.
    """
    course.require_lab(lab)
    folder = course.labs / lab
    fresh = None if keep_notebook else _released(course, lab)
    kept = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        notebook, work = folder / f"{lab}.ipynb", folder / "work"
        if fresh is not None:
            new = folder / f".{lab}.new"
            write_notebook(fresh, new)
            kept += _aside(notebook)
            new.rename(notebook)
        if not keep_work:
            kept += _aside(work)
        Lab(lab, folder)
    except LabError as error:
        raise UserError(str(error)) from error
    except OSError as error:
        raise UserError(
            f"{error.filename or folder}: {error.strerror}. The lab's folder must be writable: "
            "free the disk, or copy the workbook to a folder of your own, and reset there."
        ) from error
    return kept


def _released(course: Course, lab: str) -> NotebookNode:
    if course.solutions.is_dir():
        return release_notebook(solution_notebook(course, lab))
    return nbformat.read(course.root / RELEASED / f"{lab}.ipynb", 4)


def reset_task(course: Course, lab: str, folder: str) -> Path:
    """Lay out one task's folder anew (``4-conflict``, or just ``4``) and return it.

    Raises LabError that lists the folders if there is none of that name.
    """
    course.require_lab(lab)
    this = Lab(lab, course.labs / lab)
    matching = [name for name in this.folders if name.partition("-")[0] == folder]
    return this.restart(matching[0] if matching else folder.removeprefix("work/").strip("/"))


def _aside(path: Path) -> list[Path]:
    if not path.exists():
        return []
    aside = free_name(path)
    path.rename(aside)
    return [aside]
