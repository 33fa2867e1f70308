"""Read what a student handed in, and put it together with the lab's own cells.

A submission is hostile until shown otherwise: only its answer and free cells are kept.  Set-up
and check cells always come from the source, whatever the submission claims they are.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from autograder.paths import UserError

MAX_BYTES = 20 << 20
MAX_CELLS = 2000


class SubmissionError(UserError):
    """A submission cannot be graded; the message is for the student."""


def read_submission(path: Path) -> NotebookNode:
    """Read a handed-in notebook.

    Raises SubmissionError with a reason a student understands: missing, too large, not text,
    not JSON, not a notebook, too old a format, no cells, not for Python.
    """
    name = path.name
    if path.is_symlink() or not path.is_file():
        raise SubmissionError(_missing(path))
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise SubmissionError(
            f"{name} is {size / 1e6:.0f} MB; {MAX_BYTES >> 20} MB is the limit. Clear the outputs "
            "(Kernel > Restart Kernel and Clear Outputs of All Cells), save, hand in again."
        )
    try:
        data = json.loads(path.read_text("utf-8"))
    except UnicodeDecodeError as error:
        raise SubmissionError(
            f"{name} is not a text file; hand in the .ipynb that JupyterLab saved."
        ) from error
    except (ValueError, RecursionError) as error:
        raise SubmissionError(
            f"{name} is not a complete notebook: its JSON breaks off or is damaged "
            f"({str(error)[:80]}). Save it again in JupyterLab and hand in that file."
        ) from error
    return _as_notebook(data, name)


def _missing(path: Path) -> str:
    others = sorted(p.name for p in path.parent.glob("*") if p.suffix.lower() == ".ipynb")[:5]
    found = f" What is there: {', '.join(others)}." if others else ""
    return (
        f"{path.name} is missing from the submission.{found} Hand in the notebook under the "
        "name it had."
    )


def _as_notebook(data: Any, name: str) -> NotebookNode:
    if not isinstance(data, dict) or "nbformat" not in data:
        raise SubmissionError(f"{name} is JSON, but not a notebook. Hand in the .ipynb file.")
    if data.get("nbformat") != 4:
        raise SubmissionError(
            f"{name} has notebook format {str(data.get('nbformat'))[:20]}, not 4. Open it in "
            "JupyterLab, save it, hand it in again."
        )
    cells = data.get("cells")
    if not isinstance(cells, list) or not cells:
        raise SubmissionError(f"{name} has no cells: it looks like an empty notebook.")
    if len(cells) > MAX_CELLS:
        raise SubmissionError(f"{name} has {len(cells)} cells; {MAX_CELLS} is the limit.")
    language = _language(data)
    if language not in ("", "python"):
        raise SubmissionError(
            f"{name} is set to the kernel language {language[:40]!r}. Choose "
            "Kernel > Change Kernel > Python 3, save, hand in again."
        )
    nb = nbformat.v4.new_notebook(cells=[c for c in map(_clean_cell, cells) if c is not None])
    if not nb.cells:
        raise SubmissionError(f"{name} has no readable cells.")
    return nb


def _language(data: dict[str, Any]) -> str:
    metadata = data.get("metadata")
    spec = metadata.get("kernelspec") if isinstance(metadata, dict) else None
    language = spec.get("language") if isinstance(spec, dict) else None
    return language.lower() if isinstance(language, str) else ""


def _clean_cell(cell: Any) -> NotebookNode | None:
    """Keep type, source and the claimed grade id of a cell; drop all else a student can forge."""
    if not isinstance(cell, dict):
        return None
    source = cell.get("source", "")
    if isinstance(source, list):
        source = "".join(s for s in source if isinstance(s, str))
    if not isinstance(source, str) or cell.get("cell_type") not in ("code", "markdown", "raw"):
        return None
    make = {
        "code": nbformat.v4.new_code_cell,
        "markdown": nbformat.v4.new_markdown_cell,
        "raw": nbformat.v4.new_raw_cell,
    }[cell["cell_type"]]
    # Half a character is legal in JSON and in no file.
    clean = make(source.encode("utf-8", "replace").decode())
    if grade_id := _grade_id(cell):
        clean.metadata.nbgrader = {"grade_id": grade_id}
    return clean


def _grade_id(cell: dict[str, Any]) -> str | None:
    metadata = cell.get("metadata")
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    grade_id = nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None
    return grade_id if isinstance(grade_id, str) else None


def merge(submitted: NotebookNode, source: NotebookNode) -> tuple[NotebookNode, list[str]]:
    """Return the notebook to grade, and notes on what had to be put right.

    Order and free cells are the student's.  Cells the source knows keep nothing of theirs but
    the text of answers.  Of a cell handed in twice the last one counts, as in nbgrader; a
    missing one is put back after the cell it follows in the source.
    """
    own = {c.metadata.nbgrader.grade_id: c for c in source.cells if "nbgrader" in c.metadata}
    notes: list[str] = []
    merged: list[NotebookNode] = []
    seen: set[str] = set()
    for cell in reversed(submitted.cells):
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
        cell.metadata = nbformat.from_dict({})
        if grade_id in own and grade_id not in seen:
            seen.add(grade_id)
            merged.append(_take(cell, own[grade_id], notes))
        else:
            if grade_id in seen:
                note = f"Cell {grade_id} is there twice; the last one counts."
                notes += [note] if note not in notes else []
            merged.append(cell)
    merged.reverse()
    _put_back(merged, own, seen, notes)
    nb = nbformat.v4.new_notebook(cells=merged, metadata=copy.deepcopy(source.metadata))
    for i, cell in enumerate(nb.cells):
        cell.id = f"cell-{i}"
    return nb, notes


def _take(cell: NotebookNode, own: NotebookNode, notes: list[str]) -> NotebookNode:
    taken = copy.deepcopy(own)
    if taken.cell_type == "code":
        taken.outputs, taken.execution_count = [], None
    if own.metadata.nbgrader.solution:
        taken.source = cell.source
    elif cell.source.strip() != without_hidden(own.source).strip() and cell.source != own.source:
        notes.append(f"Cell {own.metadata.nbgrader.grade_id} was changed; the original was used.")
    return taken


def _put_back(
    merged: list[NotebookNode], own: dict[str, NotebookNode], seen: set[str], notes: list[str]
) -> None:
    position = 0
    for grade_id, cell in own.items():
        if grade_id in seen:
            position = 1 + next(
                i
                for i, c in enumerate(merged)
                if c.metadata.get("nbgrader", {}).get("grade_id") == grade_id
            )
            continue
        notes.append(f"Cell {grade_id} was missing; it was put back.")
        back = copy.deepcopy(cell)
        if back.cell_type == "code":
            back.outputs, back.execution_count = [], None
        if back.metadata.nbgrader.solution:
            back.source = ""
        merged.insert(position, back)
        position += 1


def without_hidden(source: str) -> str:
    """Return a check cell's source as learners see it, without its hidden part."""
    kept, hidden = [], False
    for line in source.split("\n"):
        if "BEGIN HIDDEN TESTS" in line:
            hidden = True
        elif "END HIDDEN TESTS" in line:
            hidden = False
        elif not hidden:
            kept.append(line)
    return "\n".join(kept)
