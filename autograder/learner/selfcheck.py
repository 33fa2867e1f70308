"""Run a lab's checks without a notebook: the same checks, on the same evidence."""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat

from autograder import progress
from autograder.checks import Check, checks_of
from autograder.lab import LabError
from autograder.paths import Course, UserError
from autograder.verdict import Verdict


def check_lab(course: Course, lab: str, task: int | None = None) -> list[Verdict]:
    """Judge the evidence in ``labs/<lab>/work`` and return the verdicts, in the lab's order.

    The lab's locked cells are run as the notebook would run them, the learner's own cells are not;
    start states that are missing are laid out.  Raises UserError if there is no such lab, no
    notebook in its folder, or no such task.
    """
    course.require_lab(lab)
    folder = course.labs / lab
    setup, calls = _locked_cells(folder / f"{lab}.ipynb")
    checks = checks_of(lab)
    verdicts: list[Verdict] = []
    wanted = {name for name, c in checks.items() if task in (None, c.task)}
    if not wanted:
        tasks = ", ".join(str(n) for n in sorted({c.task for c in checks.values()}))
        raise UserError(f"lab {lab} has no task {task}; it has {tasks}.")
    with _inside(folder), redirect_stdout(StringIO()):
        names: dict[str, Any] = {"__name__": "__main__"}
        try:
            for source in setup:
                exec(compile(source, f"{lab}.ipynb", "exec"), names)
        except LabError as error:
            raise UserError(str(error)) from error
        for name, value in list(names.items()):
            if isinstance(value, ModuleType) and value.__name__ == f"autograder.checks.{lab}":
                names[name] = _Judge(checks, wanted, verdicts.append)
        for source in calls:
            exec(compile(source, f"{lab}.ipynb", "exec"), names)
    return verdicts


def of_another_release(course: Course, lab: str) -> str:
    """Say so if the learner's notebook and the lab's checks are not of the same release."""
    _, calls = _locked_cells(course.labs / lab / f"{lab}.ipynb")
    known = set(checks_of(lab))
    called = {
        node.func.attr
        for source in calls
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    missing = known - called
    if not missing:
        return ""
    return (
        f"Your notebook of {lab} is of another release: it does not call {_some(missing)}. "
        f"`autograder reset {lab} --keep-work` brings the current one; your evidence stays as it "
        "is, and the old notebook beside it."
    )


def _some(names: set[str]) -> str:
    first = sorted(names)[:3]
    more = f" and {len(names) - 3} more checks" if len(names) > 3 else ""
    return f"{', '.join(first)}{more}"


class _Judge:
    """Stands where the notebook has the lab's module of checks: judges instead of showing."""

    def __init__(
        self, checks: dict[str, Check], wanted: set[str], say: Callable[[Verdict], None]
    ) -> None:
        self._checks, self._wanted, self._say = checks, wanted, say

    def __getattr__(self, name: str) -> Callable[..., None]:
        def judge(*args: Any, **kwargs: Any) -> None:
            if name in self._wanted:
                self._say(progress.record(self._checks[name].judge(*args, **kwargs)))

        return judge


def _locked_cells(path: Path) -> tuple[list[str], list[str]]:
    """Return the sources of a released lab's set-up cells and of its check cells."""
    try:
        nb = nbformat.read(path, 4)
    except FileNotFoundError as error:
        raise UserError(
            f"{path} is missing. `autograder reset {path.stem}` brings it back."
        ) from error
    except Exception as error:
        raise UserError(
            f"{path} cannot be read as a notebook ({str(error)[:80]}). "
            f"`autograder reset {path.stem}` lays out a fresh one and keeps this one aside."
        ) from error
    setup, calls = [], []
    for cell in nb.cells:
        meta = cell.metadata.get("nbgrader", {})
        if cell.cell_type != "code" or meta.get("solution") or not meta.get("locked"):
            continue
        ast.parse(cell.source)
        (calls if meta.get("grade") else setup).append(cell.source)
    return setup, calls


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
