"""Grade one submission: no database, no class, one function.

`autograde` is what the command line, the demo, the tests and the benchmarks all call.
"""

from __future__ import annotations

import copy
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbgrader.preprocessors import Execute
from nbgrader.utils import determine_grade
from traitlets.config import Config

from autograder.checks import checks_of
from autograder.results import CheckResult, Status, SubmissionResult
from autograder.submission import SubmissionError, merge, read_submission
from autograder.verdict import MIME, WANTED

_ANSI = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Budget:
    """Seconds of wall time: for one cell, and for all of a notebook's cells together."""

    cell: float = 60.0
    notebook: float = 300.0


@dataclass(frozen=True)
class Graded:
    """A result, and the executed notebook (None where the submission could not be read)."""

    result: SubmissionResult
    notebook: NotebookNode | None


def autograde(
    notebook: Path,
    master: NotebookNode,
    *,
    lab: str,
    student: str = "",
    budget: Budget | None = None,
) -> Graded:
    """Grade one notebook in the folder it lies in, and return scores and messages.

    ``master`` is the lab's master notebook: its own cells with the hidden tests.  The folder is worked in:
    hand in a copy.  A submission that cannot be read comes back with zero points and a
    ``problem`` for the student; nothing is raised for what a student did.
    """
    began = time.perf_counter()
    try:
        merged, notes = merge(read_submission(notebook), master)
    except SubmissionError as error:
        result = _unreadable(master, lab, student, str(error))
        return Graded(result, None)
    executed = execute(merged, notebook.parent, budget or Budget())
    result = SubmissionResult(
        student=student,
        lab=lab,
        checks=tuple(check_results(executed)),
        seconds=time.perf_counter() - began,
        notes=tuple(notes),
    )
    return Graded(result, executed)


def execute(
    nb: NotebookNode, folder: Path, budget: Budget, mode: str = "autograde"
) -> NotebookNode:
    """Run a notebook in a folder, as nbgrader does, and return it with its outputs."""
    nb = copy.deepcopy(nb)
    config = Config()
    config.Execute.timeout = int(budget.cell)
    config.Execute.shutdown_kernel = "immediate"
    config.Execute.extra_arguments = ["--log-level=ERROR"]
    with _environment(NBGRADER_EXECUTION=mode, **{WANTED: "1"}):
        nb, _ = Execute(config=config).preprocess(nb, {"metadata": {"path": str(folder)}})
    return nb


def check_results(nb: NotebookNode) -> Iterator[CheckResult]:
    """Yield the result of every check cell of an executed notebook, in its order."""
    for cell in nb.cells:
        if cell.metadata.get("nbgrader", {}).get("grade"):
            yield _check_result(cell)


def _check_result(cell: NotebookNode) -> CheckResult:
    name = cell.metadata.nbgrader.grade_id
    without_stderr(cell)
    points, max_points = determine_grade(cell)
    verdict = _last_verdict(cell)
    text, found = verdict_text(verdict), str((verdict or {}).get("found", ""))
    if verdict is None:
        text = found = _error_text(cell)
    return CheckResult(
        name=name,
        task=int((verdict or {}).get("task", 0)),
        title=str((verdict or {}).get("title", name)),
        points=float(points or 0.0),
        max_points=float(max_points),
        status=_status(cell, points, max_points, verdict),
        message="" if points == max_points else text,
        found="" if points == max_points else found.partition("\n")[0],
    )


def _status(
    cell: NotebookNode, points: float | None, max_points: float, verdict: dict[str, Any] | None
) -> Status:
    if points is None:
        return Status.NEEDS_REVIEW
    if verdict and verdict.get("status") == Status.NOT_GRADED:
        return Status.NOT_GRADED
    if any(o.get("ename") in ("CellTimeoutError", "TimeoutError") for o in cell.outputs):
        return Status.TIMEOUT
    if points >= max_points:
        return Status.PASSED
    return Status.PARTIAL if points > 0 else Status.FAILED


def without_stderr(cell: NotebookNode) -> None:
    """Drop what a cell wrote to stderr: a warning is no wrong answer."""
    cell.outputs = [
        o for o in cell.outputs if not (o.output_type == "stream" and o.name == "stderr")
    ]


def _last_verdict(cell: NotebookNode) -> dict[str, Any] | None:
    for output in reversed(cell.outputs):
        data = output.get("data", {}).get(MIME)
        if isinstance(data, dict):
            lines = dict(map(tuple, data.get("lines", ())))
            return {
                **data,
                "found": lines.get("Found", lines.get("Why", "")),
                "lines": lines,
                "text": output["data"].get("text/plain", ""),
            }
    return None


def verdict_text(verdict: dict[str, Any] | None) -> str:
    """Return the card of a verdict as plain text."""
    return str(verdict["text"]) if verdict else ""


def _error_text(cell: NotebookNode) -> str:
    for output in cell.outputs:
        if output.output_type == "error":
            return _ANSI.sub("", f"{output.ename}: {output.evalue}").strip()[:300]
    return "the check did not run"


def _unreadable(master: NotebookNode, lab: str, student: str, problem: str) -> SubmissionResult:
    checks = tuple(zero_results(master, lab, problem))
    return SubmissionResult(student=student, lab=lab, problem=problem, checks=checks)


def zero_results(master: NotebookNode, lab: str, problem: str) -> Iterator[CheckResult]:
    """Yield a failed result for every check of a lab."""
    known = checks_of(lab)
    for cell in master.cells:
        meta = cell.metadata.get("nbgrader", {})
        if meta.get("grade"):
            name, points = meta.grade_id, float(meta.points)
            task, title = (known[name].task, known[name].title) if name in known else (0, name)
            yield CheckResult(name, task, title, 0.0, points, Status.FAILED, problem)


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
