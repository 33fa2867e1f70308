"""Grade one submission: no database, no class, one function.

`autograde` is what the command line, the demo, the tests and the benchmarks all call.
"""

from __future__ import annotations

import ast
import contextlib
import copy
import importlib
import os
import re
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbgrader.preprocessors import Execute
from nbgrader.utils import determine_grade
from traitlets.config import Config

from autograder import sandbox
from autograder.checks import checks_of
from autograder.execute import Budget, TrustedExecute, Workshop
from autograder.results import CheckResult, Status, SubmissionResult
from autograder.staging import remove_tree, stage
from autograder.starts import starts_of, warm_of
from autograder.submission import SubmissionError, merge, read_submission
from autograder.verdict import MIME, WANTED
from autograder.warm import WarmParent

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_workshops: dict[tuple[str, Budget, bool, int], Workshop] = {}


@dataclass(frozen=True)
class Graded:
    """A result, and the executed notebook (None where the submission could not be read).

    ``folder`` holds the submission's files as the run left them, until the next call.
    """

    result: SubmissionResult
    notebook: NotebookNode | None
    folder: Path | None = None


def autograde(
    notebook: Path,
    lab: str,
    *,
    master: NotebookNode | None = None,
    student: str = "",
    budget: Budget | None = None,
    confined: bool = True,
) -> Graded:
    """Grade one notebook with the folder it lies in, and return scores and messages.

    The folder is copied, never changed.  ``master`` is the lab's own notebook with its hidden
    tests; without it, it is made from the lab's source in the checkout around this folder.  A
    submission that cannot be read comes back with zero points and a ``problem`` for the student;
    nothing is raised for what a student did.  Raises SandboxMissingError if ``confined`` and the
    machine has no sandbox.

    The first call for a lab starts two warm parents, which serve later calls of this process;
    `close` ends them.
    """
    began = time.perf_counter()
    master = master or _master(lab)
    budget = budget or Budget()
    if confined:
        sandbox.require()
    shop = workshop(lab, master, budget, confined)
    folder = shop.room / lab
    remove_tree(folder)
    try:
        notes = stage(notebook.parent, folder)
        merged, changes = merge(read_submission(folder / notebook.name), master)
    except SubmissionError as error:
        return Graded(_unreadable(master, lab, student, str(error)), None, folder)
    executed, trouble = _run(shop, merged, folder, lab)
    result = SubmissionResult(
        student=student,
        lab=lab,
        checks=tuple(check_results(executed, lab)),
        seconds=time.perf_counter() - began,
        cpu=shop.cpu,
        notes=(*notes, *changes, *trouble),
    )
    return Graded(result, executed, folder)


def _run(
    shop: Workshop, nb: NotebookNode, folder: Path, lab: str
) -> tuple[NotebookNode, list[str]]:
    step = TrustedExecute(shop, learner_runs=not evidence_came_along(folder, lab))
    # Their imports take seconds: let both parents do them at the same time.
    shop.judge.begin()
    if step.learner_runs:
        shop.learner.begin()
    try:
        nb, _ = step.preprocess(nb, {"metadata": {"path": str(folder)}})
    finally:
        shop.sweep()
        _clean_up(lab)
    return nb, step.trouble


def evidence_came_along(folder: Path, lab: str) -> bool:
    """Tell whether a submission brings the folder of every task.

    Then there is nothing for its cells to make: what the checks read is what was handed in, and
    running a `git revert` a second time would only undo the first.
    """
    folders = starts_of(lab)
    return bool(folders) and all((folder / "work" / name).is_dir() for name in folders)


def workshop(lab: str, master: NotebookNode, budget: Budget, confined: bool) -> Workshop:
    """Return this thread's workshop for a lab, made when first asked for."""
    # A room holds one submission at a time; a Dask worker may have several threads.
    key = (lab, budget, confined, threading.get_ident())
    if key not in _workshops:
        if not _workshops:
            # Unlike atexit's, this is also called at the end of a pool's worker.
            Finalize(None, close, exitpriority=0)
        cache = flights_cache()
        paths, variables = _tools_of_the_judge(lab)
        _workshops[key] = Workshop(
            # Short and resolved: the same path holds inside and outside of the sandbox.
            Path(tempfile.mkdtemp(prefix="room-")).resolve(),
            modules=("autograder", f"autograder.starts.{lab}", *imports_of(master), *warm_of(lab)),
            judge_modules=("autograder", f"autograder.checks.{lab}"),
            budget=budget,
            confined=confined,
            readable=[cache],
            judge_readable=paths,
            environment={"FLIGHTS_CACHE": str(cache)},
            judge_environment=variables,
        )
    return _workshops[key]


def flights_cache() -> Path:
    """Return the folder of the flights' cache, filled: whoever reads it behind walls cannot."""
    import flights

    # Cells that ask for the flights say themselves that their package is not there.
    with contextlib.suppress(flights.DataPackageError):
        flights.fill_cache()
    return flights.cache_dir()


def _tools_of_the_judge(lab: str) -> tuple[list[Path], dict[str, str]]:
    """Return what a lab's checks, and they alone, reach beyond the sandbox: paths, variables.

    A check module whose tool is a service of the machine, such as the Docker engine, says so in a
    function `for_the_judge`, and removes in `clean_up` what a check that was cut off left there.
    """
    wish = getattr(importlib.import_module(f"autograder.checks.{lab}"), "for_the_judge", None)
    return wish() if wish else ([], {})


def _clean_up(lab: str) -> None:
    if left := getattr(importlib.import_module(f"autograder.checks.{lab}"), "clean_up", None):
        left()


def close() -> None:
    """End this process's warm parents and remove their rooms."""
    while _workshops:
        (lab, *_), shop = _workshops.popitem()
        shop.close()
        _clean_up(lab)
        remove_tree(shop.room)


def imports_of(nb: NotebookNode) -> list[str]:
    """Return the modules that a notebook's code cells import, in order, for warming up."""
    found: dict[str, None] = {}
    for cell in nb.cells:
        if cell.cell_type != "code":
            continue
        try:
            tree = ast.parse(cell.source)
        except SyntaxError:
            continue  # a shell cell
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found |= dict.fromkeys(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found[node.module] = None
    return [name for name in found if not name.startswith("autograder")]


def _master(lab: str) -> NotebookNode:
    from autograder.build import master_notebook, solution_notebook
    from autograder.paths import find_course

    course = find_course()
    return master_notebook(solution_notebook(course, course.require_lab(lab)))


def execute(
    nb: NotebookNode,
    folder: Path,
    budget: Budget,
    mode: str = "",
    warm: WarmParent | None = None,
) -> NotebookNode:
    """Run a notebook in a folder in one ordinary kernel, as a learner does, and return it.

    With a parent of `warm_parent` the kernel is forked from it, its imports done.
    """
    nb = copy.deepcopy(nb)
    config = Config()
    config.Execute.timeout = int(budget.cell)
    config.Execute.shutdown_kernel = "immediate"
    config.Execute.extra_arguments = ["--log-level=ERROR"]
    environment = {"NBGRADER_EXECUTION": mode, WANTED: "1"}
    if warm:
        warm.environment.update(environment)
    with _environment(**environment):
        km = warm.manager() if warm else None
        nb, _ = Execute(config=config).preprocess(nb, {"metadata": {"path": str(folder)}}, km=km)
    return nb


@contextmanager
def warm_parent(
    *notebooks: NotebookNode, modules: Iterable[str] = (), **environment: str
) -> Iterator[WarmParent | None]:
    """Yield a parent for kernels with the caller's own rights that has the notebooks' imports done.

    It is for the course's own notebooks.  ``modules`` are imported as well; ``environment`` is
    what the kernels see beside the caller's.  Yields None on systems that cannot fork.
    """
    if not hasattr(os, "fork"):
        yield None
        return
    known = dict.fromkeys([name for nb in notebooks for name in imports_of(nb)] + [*modules])
    with tempfile.TemporaryDirectory(prefix="warm-") as folder:
        seen = {**os.environ, **environment}
        parent = WarmParent("author", Path(folder), list(known), environment=seen, confined=False)
        try:
            yield parent
        finally:
            parent.close()


def check_results(nb: NotebookNode, lab: str) -> Iterator[CheckResult]:
    """Yield the result of every check cell of an executed notebook, in its order."""
    known = checks_of(lab)
    for cell in nb.cells:
        if cell.metadata.get("nbgrader", {}).get("grade"):
            own = known.get(cell.metadata.nbgrader.grade_id)
            yield _check_result(cell, (own.task, own.title) if own else None)


def _check_result(cell: NotebookNode, known: tuple[int, str] | None) -> CheckResult:
    name = cell.metadata.nbgrader.grade_id
    task, title = known or (0, name)
    without_stderr(cell)
    points, max_points = determine_grade(cell)
    verdict = _last_verdict(cell)
    text, found = verdict_text(verdict), str((verdict or {}).get("found", ""))
    if verdict is None:
        text = found = _error_text(cell)
    return CheckResult(
        name=name,
        task=task,
        title=title,
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
