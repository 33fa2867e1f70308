"""Make a lab's two notebooks from its source, and refuse what would embarrass its author.

``solutions/<lab>/<lab>.py`` becomes the executed ``solutions/<lab>/<lab>.ipynb`` and, by
nbgrader's own steps, the release ``labs/<lab>/<lab>.ipynb``.  Everything is made in a temporary
folder; the checkout changes only if all of it succeeded.
"""

from __future__ import annotations

import ast
import os
import re
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.preprocessors import (
    CheckCellMetadata,
    ClearHiddenTests,
    ClearMarkScheme,
    ClearOutput,
    ClearSolutions,
    ComputeChecksums,
    LockCells,
    NbGraderPreprocessor,
)
from traitlets.config import Config, PyFileConfigLoader

from autograder.checks import Check, checks_of
from autograder.engine import check_results, execute, warm_parent
from autograder.execute import Budget
from autograder.paths import Course
from autograder.results import CheckResult
from autograder.source import (
    SourceError,
    dumps,
    presentable,
    read_source,
    role_of,
    to_nbgrader,
    without_outputs,
    write_notebook,
)
from autograder.starts import warm_of
from autograder.verdict import number
from autograder.warm import WarmParent

# nbgrader's own steps of `generate_assignment`.  Between the two halves it saves the cells in its
# database: what it saves, solutions gone and hidden tests still there, is the master.
_MASTER_STEPS = (LockCells, ClearSolutions, ClearOutput, CheckCellMetadata, ComputeChecksums)
_RELEASE_STEPS = (ClearHiddenTests, ClearMarkScheme, ComputeChecksums, CheckCellMetadata)
_MARKS = ("BEGIN SOLUTION", "END SOLUTION", "BEGIN HIDDEN", "END HIDDEN", "MARK SCHEME")

Say = Callable[[str], None]


@dataclass(frozen=True)
class Built:
    """A lab's two notebooks."""

    lab: str
    solution: NotebookNode
    release: NotebookNode


def build(course: Course, lab: str, *, say: Say = lambda text: None) -> Built:
    """Build one lab and swap the result in; raises SourceError and changes nothing otherwise."""
    source = solution_notebook(course, lab)
    release = release_notebook(source)
    refuse_leaks(course, lab, source, release)
    with warm_parent(source, modules=warm_of(lab)) as warm:
        say("running the solution")
        executed = _run(lab, source, warm)
        _refuse_below_full(lab, executed)
        say("running the untouched starter")
        _refuse_above_zero(lab, _run(lab, release, warm))
    built = Built(lab, _keep_outputs_if_same(course, lab, presentable(executed)), release)
    _swap(course, built)
    return built


def stale(course: Course, lab: str) -> list[str]:
    """Return what of a lab's generated files differs from its source; empty if nothing does.

    Outputs are not compared: they hold times and hashes.
    """
    source = solution_notebook(course, lab)
    release = release_notebook(source)
    refuse_leaks(course, lab, source, release)
    wanted = {
        course.solutions / lab / f"{lab}.ipynb": dumps(without_outputs(source)),
        course.labs / lab / f"{lab}.ipynb": dumps(release),
    }
    return [
        f"{path.relative_to(course.root)} is not what its source makes: run `make build` and commit"
        for path, text in wanted.items()
        if not path.exists() or dumps(without_outputs(nbformat.read(path, 4))) != text
    ] + _unexecuted(course.solutions / lab / f"{lab}.ipynb")


def _unexecuted(path: Path) -> list[str]:
    if not path.exists():
        return []
    cells = nbformat.read(path, 4).cells
    missing = [c.id for c in cells if c.cell_type == "code" and c.execution_count is None]
    return [f"{path}: cell {i} was never executed: run `make build`" for i in missing]


def solution_notebook(course: Course, lab: str) -> NotebookNode:
    """Return a lab's source notebook: nbgrader metadata, solutions and hidden tests, no outputs.

    Raises SourceError for anything a lab's source must not be.
    """
    path = course.solutions / lab / f"{lab}.py"
    nb = read_source(path)
    try:
        checks = checks_of(lab)
    except ModuleNotFoundError as missing:
        raise SourceError(
            f"{path}: no module autograder/checks/{lab}.py. Every lab has one of its name."
        ) from missing
    _refuse_bad_source(path, nb, checks)
    return to_nbgrader(nb, {name: c.points for name, c in checks.items()})


def release_notebook(source: NotebookNode) -> NotebookNode:
    """Return what learners get, made by nbgrader's own release steps."""
    return without_outputs(_step_through(_RELEASE_STEPS, master_notebook(source)))


def master_notebook(source: NotebookNode) -> NotebookNode:
    """Return what submissions are graded with: no solutions, all tests, checksums."""
    return without_outputs(_step_through(_MASTER_STEPS, source))


def _step_through(steps: Iterable[type[NbGraderPreprocessor]], nb: NotebookNode) -> NotebookNode:
    config = nbgrader_config()
    nb = nbformat.from_dict(nb)
    resources: dict[str, object] = {}
    for step in steps:
        nb, resources = step(config=config).preprocess(nb, resources)
    return nb


def nbgrader_config() -> Config:
    """Read the course's nbgrader configuration."""
    folder = Path(__file__).parent
    return PyFileConfigLoader("nbgrader_config.py", str(folder)).load_config()


# --- What a source must be -------------------------------------------------------------------


def _refuse_bad_source(path: Path, nb: NotebookNode, checks: dict[str, Check]) -> None:
    problems = [
        *_cells_in_order(nb),
        *_statements(nb, checks),
        *_unique_ids(nb),
        *_checks_called(nb, checks),
        *_judgeable(nb),
        *_answers(nb),
    ]
    if problems:
        raise SourceError("\n".join(f"{path}: {problem}" for problem in problems))


def _cells_in_order(nb: NotebookNode) -> Iterable[str]:
    """Every task: statement, hint, answer, look, check — adjacent, in this order."""
    order = {"task": 0, "hint": 1, "answer": 2, "look": 3, "check": 4}
    task, reached = None, -1
    seen: set[str] = set()
    for cell in nb.cells:
        role = role_of(cell)
        if role is None or role.kind == "setup":
            continue
        if role.kind == "task":
            if task is not None:
                yield from _task_complete(task, seen)
            task, reached, seen = role.value, 0, {"task"}
            continue
        if task is None:
            continue
        if order[role.kind] < reached and role.kind not in ("answer", "look"):
            yield (
                f"task {task}: its {role.kind} cell comes too late "
                "(statement, hint, answer, look, check)"
            )
        reached = max(reached, order[role.kind])
        if role.kind == "hint" and role.value != task:
            yield f"hint={role.value} stands in task {task}"
        seen.add(role.kind)
    if task is not None:
        yield from _task_complete(task, seen)


def _task_complete(task: object, seen: set[str]) -> Iterable[str]:
    for kind in ("hint", "answer", "look", "check"):
        if kind not in seen:
            yield f"task {task} has no {kind} cell: add one with {kind}=… in its header"


def _statements(nb: NotebookNode, checks: dict[str, Check]) -> Iterable[str]:
    """The statement's heading and points are those that the checks say."""
    for cell in nb.cells:
        role = role_of(cell)
        if role is None:
            continue
        if role.kind == "hint" and not cell.source.lstrip().startswith("<details"):
            yield f"hint={role.value} is not folded: put it in <details><summary>Hint</summary>"
        if role.kind != "task":
            continue
        mine = [c for c in checks.values() if c.task == role.value]
        for title in {c.title for c in mine}:
            if f"### {role.value} · {title}" not in cell.source:
                heading = f"### {role.value} · {title}"
                yield f"task {role.value}: its heading is not '{heading}', as its check says"
        total = number(sum(c.points for c in mine))
        if not re.search(rf"\*\*{re.escape(total)} points?\*\*", cell.source):
            yield (
                f"task {role.value}: the statement does not say **{total} points**, which its "
                "checks add up to"
            )


def _unique_ids(nb: NotebookNode) -> Iterable[str]:
    seen: set[str] = set()
    for cell in nb.cells:
        role = role_of(cell)
        if role and role.kind in ("setup", "answer", "check"):
            if role.value in seen:
                yield f"the id {role.value!r} is used twice; setups, answers, checks each have one"
            seen.add(role.value)


def _checks_called(nb: NotebookNode, checks: dict[str, Check]) -> Iterable[str]:
    """A check cell calls the check it is named after, and every check has a cell."""
    used = set()
    for cell in nb.cells:
        role = role_of(cell)
        if role and role.kind == "check":
            used.add(role.value)
            if f".{role.value}(" not in cell.source:
                yield f"cell check={role.value!r} does not call check.{role.value}(…)"
    for name in checks.keys() - used:
        yield f"check {name!r} has no cell: its points could never be earned"


def _judgeable(nb: NotebookNode) -> Iterable[str]:
    """Checks run in another process than answers: they may use only what set-up cells define."""
    known = {"get_ipython", "__builtins__", *dir(__builtins__), *vars(__import__("builtins"))}
    for cell in nb.cells:
        role = role_of(cell)
        if role and role.kind == "setup":
            known |= _names(cell.source, ast.Store)
        if role and role.kind == "check":
            own = _names(cell.source, ast.Store)
            for name in sorted(_names(cell.source, ast.Load) - known - own):
                yield (
                    f"cell check={role.value!r} uses {name!r}, which no setup cell defines. Checks "
                    "run apart from answers: read evidence, not variables"
                )


def _names(source: str, context: type[ast.expr_context]) -> set[str]:
    tree = ast.parse(source)
    names = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, context)}
    if context is ast.Store:
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names |= {(a.asname or a.name).partition(".")[0] for a in node.names}
            elif isinstance(node, ast.FunctionDef | ast.ClassDef):
                names.add(node.name)
            elif isinstance(node, ast.arg):
                names.add(node.arg)
    return names


def _answers(nb: NotebookNode) -> Iterable[str]:
    for cell in nb.cells:
        role = role_of(cell)
        if role and role.kind == "answer" and "### BEGIN SOLUTION" not in cell.source:
            yield f"answer={role.value!r} has no ### BEGIN SOLUTION … ### END SOLUTION"
        if role and role.kind != "answer" and "BEGIN SOLUTION" in cell.source:
            yield f"cell {role.kind}={role.value!r} holds a solution; only answer cells may"
        if role and role.kind != "check" and "BEGIN HIDDEN" in cell.source:
            yield f"cell {role.kind}={role.value!r} holds hidden tests; only check cells may"


# --- What a release must not be --------------------------------------------------------------


def refuse_leaks(course: Course, lab: str, source: NotebookNode, release: NotebookNode) -> None:
    """Raise SourceError if a release gives away a solution or a hidden test, or a stray file."""
    text = dumps(release)
    problems = [f"the release contains {mark!r}" for mark in _MARKS if mark in text]
    shown = {line.strip() for cell in release.cells for line in cell.source.split("\n")}
    for cell in source.cells:
        for line in _hidden_lines(cell.source):
            if line in shown:
                problems.append(f"the release shows a hidden line: {line[:60]}")
    allowed = {f"{lab}.py", f"{lab}.ipynb"}
    for entry in (course.solutions / lab).iterdir():
        if entry.name not in allowed and entry.name not in (".ipynb_checkpoints", "__pycache__"):
            problems.append(
                f"unexpected file {entry.relative_to(course.root)}: nbgrader would copy it to "
                f"learners. Start files belong in autograder/starts/; delete what a run left"
            )
    if problems:
        raise SourceError("\n".join(f"lab {lab}: {problem}" for problem in problems))


def _hidden_lines(source: str) -> Iterable[str]:
    """Yield the lines between hidden-test marks that say something."""
    hidden = False
    for line in source.split("\n"):
        if "BEGIN HIDDEN TESTS" in line:
            hidden = True
        elif "END HIDDEN TESTS" in line:
            hidden = False
        elif hidden and len(line.strip()) > 8:
            yield line.strip()


# --- Running ---------------------------------------------------------------------------------


def _run(lab: str, nb: NotebookNode, warm: WarmParent | None) -> NotebookNode:
    with scratch_folder(lab) as folder:
        write_notebook(nb, folder / f"{lab}.ipynb")
        return execute(nb, folder, Budget(cell=240, notebook=600), warm=warm)


class scratch_folder:
    """A temporary folder that carries the lab's name, as the lab's own folder does."""

    def __init__(self, lab: str) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="lab-", ignore_cleanup_errors=True)
        self.folder = Path(self._temporary.name).resolve() / lab

    def __enter__(self) -> Path:
        self.folder.mkdir()
        return self.folder

    def __exit__(self, *exc: object) -> None:
        self._temporary.cleanup()


def _refuse_below_full(lab: str, executed: NotebookNode) -> None:
    results = list(check_results(executed, lab))
    bad = [r for r in results if r.points < r.max_points]
    if bad:
        raise SourceError(_listing(f"lab {lab}: the solution does not get full marks", bad))
    errors = [
        c.id for c in executed.cells for o in c.get("outputs", ()) if o.output_type == "error"
    ]
    if errors:
        raise SourceError(f"lab {lab}: the solution's cells end in an error: {', '.join(errors)}")


def _refuse_above_zero(lab: str, executed: NotebookNode) -> None:
    good = [r for r in check_results(executed, lab) if r.points > 0]
    if good:
        names = ", ".join(r.name for r in good)
        raise SourceError(f"lab {lab}: the untouched starter already earns points in {names}")


def _listing(head: str, results: Iterable[CheckResult]) -> str:
    return "\n".join(
        [head, *(f"{r.name}: {r.points:g} of {r.max_points:g}\n{r.message}" for r in results)]
    )


def _keep_outputs_if_same(course: Course, lab: str, executed: NotebookNode) -> NotebookNode:
    """Keep the committed outputs while the source is the same, so that a build makes no noise."""
    path = course.solutions / lab / f"{lab}.ipynb"
    if not path.exists():
        return executed
    committed = nbformat.read(path, 4)
    same = dumps(without_outputs(committed)) == dumps(without_outputs(executed))
    return committed if same and not _unexecuted(path) else executed


def _swap(course: Course, built: Built) -> None:
    """Write both notebooks beside their places, then move them in."""
    targets = {
        course.solutions / built.lab / f"{built.lab}.ipynb": built.solution,
        course.labs / built.lab / f"{built.lab}.ipynb": built.release,
    }
    made: list[tuple[Path, Path]] = []
    try:
        for path, nb in targets.items():
            temporary = path.with_name(f".{path.name}.{os.getpid()}")
            write_notebook(nb, temporary)
            made.append((temporary, path))
        for temporary, path in made:
            temporary.replace(path)
    finally:
        for temporary, _ in made:
            temporary.unlink(missing_ok=True)


__all__ = ["Built", "build", "master_notebook", "release_notebook", "solution_notebook", "stale"]
