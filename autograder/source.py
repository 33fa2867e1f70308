"""Read a lab's source, ``solutions/<lab>/<lab>.py``, into an nbgrader notebook.

The source is a jupytext py:percent file.  A cell's role is one word in its header:

===================  ============================================================
``task=3``           statement of task 3 (Markdown)
``hint=3``           its hint, folded in ``<details>`` (Markdown)
``setup="lab"``      locked code; a trusted grader runs it in both processes
``answer="merge"``   the learner's cell, with the solution between its marks
``look=3``           a line that shows the result
``check="merged"``   locked and graded: calls the check of that name
===================  ============================================================

Cells without a role are plain text and examples.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbformat import NotebookNode

from autograder.paths import UserError
from autograder.verdict import MIME

ROLES = ("task", "hint", "setup", "answer", "look", "check")
IGNORE_OUTPUT = "nbval-ignore-output"
_KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


class SourceError(UserError):
    """A lab's source breaks a rule; the message names file, cell, rule and remedy."""


@dataclass(frozen=True)
class Role:
    """What a cell is for, and its number or name."""

    kind: str
    value: Any


def read_source(path: Path) -> NotebookNode:
    """Read a py:percent file as a notebook with stable cell ids and no volatile metadata.

    Raises SourceError if the file is missing or cannot be parsed.
    """
    try:
        nb = jupytext.read(path, fmt="py:percent")
    except FileNotFoundError as missing:
        raise SourceError(f"{path} is missing.") from missing
    except Exception as error:
        raise SourceError(f"{path}: cannot be read as py:percent: {error}") from error
    nb = nbformat.v4.upgrade(nb)
    for cell in nb.cells:
        cell.metadata.pop("lines_to_next_cell", None)
    set_ids(nb)
    return presentable(nb)


def presentable(nb: NotebookNode) -> NotebookNode:
    """Drop, in place, what a run leaves in a notebook and what says more of the machine."""
    nb.nbformat, nb.nbformat_minor = 4, 5
    nb.metadata = nbformat.from_dict({"kernelspec": _KERNEL, "language_info": {"name": "python"}})
    scratch = re.compile(re.escape(tempfile.gettempdir()) + r"/lab-\w+/")
    for cell in nb.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", ()):
            output.get("data", {}).pop(MIME, None)
            if "text" in output:
                output.text = scratch.sub("labs/", output.text)
    return nb


def set_ids(nb: NotebookNode) -> None:
    """Give every cell an id that depends on nothing but the source."""
    seen: Counter[str] = Counter()
    for cell in nb.cells:
        role = role_of(cell)
        named = cell.metadata.get("nbgrader", {}).get("grade_id") or (
            role.value if role and role.kind in ("answer", "check", "setup") else None
        )
        base = str(named) if named else hashlib.sha256(cell.source.encode()).hexdigest()[:8]
        base = re.sub(r"[^A-Za-z0-9_-]", "-", base)[:56]
        seen[base] += 1
        cell.id = base if seen[base] == 1 else f"{base}-{seen[base]}"


def role_of(cell: NotebookNode) -> Role | None:
    """Return the role that a cell's header gives it, if any."""
    for kind in ROLES:
        if kind in cell.metadata:
            return Role(kind, cell.metadata[kind])
    return None


def to_nbgrader(nb: NotebookNode, points: dict[str, float]) -> NotebookNode:
    """Return the notebook with roles turned into nbgrader's metadata.

    ``points`` gives what each check is worth.  Raises SourceError for a check that has none.
    """
    nb = nbformat.from_dict(nb)
    for cell in nb.cells:
        role = role_of(cell)
        if role is None:
            continue
        # Which task a cell belongs to is for authors; graders and learners need the role only.
        cell.metadata.setdefault("tags", []).append(role.kind)
        del cell.metadata[role.kind]
        if role.kind == "setup":
            cell.metadata.nbgrader = _nbgrader(role.value, locked=True)
        elif role.kind == "answer":
            cell.metadata.nbgrader = _nbgrader(role.value, solution=True)
        elif role.kind == "check":
            if role.value not in points:
                raise SourceError(
                    f"cell check={role.value!r}: the lab's check module has no check of that name. "
                    f"It has {', '.join(points) or 'none'}."
                )
            cell.metadata.nbgrader = _nbgrader(
                role.value, grade=True, locked=True, points=points[role.value]
            )
    return nb


def _nbgrader(grade_id: str, **kind: Any) -> NotebookNode:
    flags = {"grade": False, "locked": False, "solution": False, "task": False}
    return nbformat.from_dict({**flags, **kind, "grade_id": grade_id, "schema_version": 3})


def write_notebook(nb: NotebookNode, path: Path) -> None:
    """Write a notebook the way all generated ones are written: sorted, one trailing newline."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dumps(nb), "utf-8", newline="\n")


def dumps(nb: NotebookNode) -> str:
    """Return a notebook as text, byte-identical for equal notebooks."""
    nbformat.validate(nb)
    return nbformat.writes(nb, version=4).rstrip("\n") + "\n"


def without_outputs(nb: NotebookNode) -> NotebookNode:
    """Return a copy with neither outputs nor execution counts."""
    nb = nbformat.from_dict(nb)
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        cell.metadata.pop("execution", None)
    return nb
