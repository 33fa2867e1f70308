"""Make the notebooks of ``course/`` from their sources: executed, committed, never stale."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

from autograder import progress
from autograder.engine import warm_parent
from autograder.paths import Course, UserError
from autograder.source import dumps, presentable, read_source, without_outputs, write_notebook

SECONDS = 240


def page_names(course: Course) -> list[str]:
    """Return the names of the notebooks in ``course/``, in reading order."""
    return sorted(path.stem for path in course.course.glob("*.py"))


def build(course: Course, name: str) -> None:
    """Execute a page and write its notebook; raises UserError that quotes the failing cell."""
    nb = read_source(course.course / f"{name}.py")
    with tempfile.TemporaryDirectory(prefix="pages-") as scratch:
        copy_notebooks(course, Path(scratch))
        log = {progress.LOG: f"{scratch}/progress.jsonl"}
        with warm_parent(nb, **log) as warm:
            client = NotebookClient(
                nb,
                km=warm.manager() if warm else None,
                timeout=SECONDS,
                resources={"metadata": {"path": f"{scratch}/course"}},
                extra_arguments=["--log-level=ERROR"],
            )
            try:
                client.execute(env=os.environ | log)
            except CellExecutionError as error:
                raise UserError(f"course/{name}.py: {str(error)[-1500:]}") from error
    presentable(nb)
    path = course.course / f"{name}.ipynb"
    if (
        path.exists()
        and _same_source(old := nbformat.read(path, 4), nb)
        and _tables(old) == _tables(nb)
    ):
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    write_notebook(nb, temporary)
    temporary.replace(path)


def copy_notebooks(course: Course, into: Path) -> None:
    """Copy pages and labs as they are before anybody worked in them.

    A page shows the learner's own progress; the committed one must not show its author's.
    """
    made = shutil.ignore_patterns("*.py", "work", ".ipynb_checkpoints")
    shutil.copytree(course.course, into / "course", ignore=made)
    for lab in course.lab_names():
        (into / "labs" / lab).mkdir(parents=True)
        released = course.labs / lab / f"{lab}.ipynb"
        if released.exists():
            shutil.copy(released, into / "labs" / lab)


def stale(course: Course, name: str) -> list[str]:
    """Return what is wrong with a page's committed notebook; empty if it is fresh and executed."""
    path = course.course / f"{name}.ipynb"
    remedy = "run `make build` and commit"
    if not path.exists():
        return [f"course/{name}.ipynb is missing: {remedy}"]
    nb = nbformat.read(path, 4)
    if not _same_source(nb, read_source(course.course / f"{name}.py")):
        return [f"course/{name}.ipynb is not what its source makes: {remedy}"]
    empty = [c.id for c in nb.cells if c.cell_type == "code" and c.execution_count is None]
    return [f"course/{name}.ipynb: cell {i} was never executed: {remedy}" for i in empty]


def _tables(nb: NotebookNode) -> list[str]:
    """Return the Markdown that cells made, such as a list of the labs that are there."""
    outputs = [output for cell in nb.cells for output in cell.get("outputs", ())]
    return [text for output in outputs if (text := output.get("data", {}).get("text/markdown"))]


def _same_source(one: NotebookNode, other: NotebookNode) -> bool:
    return dumps(without_outputs(one)) == dumps(without_outputs(other))
