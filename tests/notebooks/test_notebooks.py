"""Every notebook runs: with papermill to scratch, and with nbval against its stored outputs.

Pages of the course run small with papermill (`SMALL = True`), in full with nbval, and there without
a network. Solutions run once, with papermill, and nbval compares the outputs of that run.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
import papermill
import psutil
import pytest
from nbformat import NotebookNode

from autograder import pages
from autograder.learner.standing import first_cell
from tests.conftest import COURSE, ROOT, lacks
from tests.notebooks.replay import EXECUTED

SOLUTIONS = [f"solutions/{lab}/{lab}.ipynb" for lab in COURSE.lab_names()]
NOTEBOOKS = [*(f"course/{name}.ipynb" for name in pages.page_names(COURSE)), *SOLUTIONS]


# A network of one: the machine itself. Mind that /dev and /proc stay what they are.
NO_NETWORK = ["bwrap", "--dev-bind", "/", "/", "--unshare-net"]
GB = 1 << 30
# Binder's promise, and what its Jupyter server takes of that (measured: 0.2 GB).
BINDER, SERVER = 2 * GB, 0.25 * GB


@contextmanager
def watched_memory() -> Iterator[list[int]]:
    """Measure the most memory that this process's children use together meanwhile."""
    peak, stop = [0], threading.Event()

    def watch() -> None:
        while not stop.wait(0.5):
            used = 0
            for child in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    # What processes share is divided among them.
                    used += child.memory_full_info().pss
            peak[0] = max(peak[0], used)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        stop.set()
        thread.join()


def memory_of(path: Path) -> tuple[float, str]:
    """Return how much memory a notebook may use: what its first cell asks for, or Binder's."""
    asked = re.search(r"([\d.]+) GB of memory", first_cell(path))
    return (float(asked[1]) * GB, asked[0]) if asked else (BINDER, "Binder has 2 GB")


@pytest.fixture
def scratch(tmp_path: Path, no_git_config: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the notebooks in which nobody has worked yet."""
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    # Tools say more where they believe a machine is reading.
    monkeypatch.delenv("CI", raising=False)
    pages.copy_notebooks(COURSE, tmp_path)
    for lab in COURSE.lab_names():
        (tmp_path / "solutions" / lab).mkdir(parents=True)
        shutil.copy(COURSE.solutions / lab / f"{lab}.ipynb", tmp_path / "solutions" / lab)
    return tmp_path


def _skip_where_tools_lack(notebook: str) -> None:
    """A solution's checks raise where they cannot be graded, as on a machine without Docker."""
    lab = Path(notebook).stem
    if lab in COURSE.lab_names() and (needs := lacks(lab)):
        pytest.skip(f"needs {needs}")


def _run(path: Path) -> NotebookNode:
    """Run a notebook where it lies, a page of the course small; check its memory."""
    cells = nbformat.read(path, 4).cells
    small = any("parameters" in cell.metadata.get("tags", ()) for cell in cells)
    with watched_memory() as peak:
        executed = papermill.execute_notebook(
            path,
            path.with_name("executed.ipynb"),
            parameters={"SMALL": True} if small else {},
            cwd=path.parent,
            kernel_name="python3",
            progress_bar=False,
        )
    allowed, said = memory_of(path)
    print(f"{path.name}: {peak[0] / GB:.2f} GB at most, {allowed / GB:.1f} GB allowed")
    assert peak[0] + SERVER < allowed, f"{said}; write into its first cell: needs N GB of memory"
    return executed


@pytest.fixture
def solution_run(scratch: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Run a lab's solution once for both of its tests, whichever process they are in."""
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if os.environ.get("PYTEST_XDIST_WORKER") else shared
    shared = shared / "executed"
    shared.mkdir(exist_ok=True)

    def do(notebook: str) -> Path:
        done = shared / Path(notebook).name
        with done.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                _run(scratch / notebook)
                shutil.copy((scratch / notebook).with_name("executed.ipynb"), done)
        return done

    return do


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_runs_with_papermill(
    notebook: str, scratch: Path, solution_run: Callable[[str], Path]
) -> None:
    _skip_where_tools_lack(notebook)
    if notebook in SOLUTIONS:
        executed = nbformat.read(solution_run(notebook), 4)
    else:
        executed = _run(scratch / notebook)
    assert all(c.execution_count for c in executed.cells if c.cell_type == "code")


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_gives_its_stored_outputs_again(
    notebook: str, scratch: Path, solution_run: Callable[[str], Path]
) -> None:
    _skip_where_tools_lack(notebook)
    recorded = solution_run(notebook) if notebook in SOLUTIONS else None
    done = _nbval(scratch / notebook, recorded, alone=notebook.startswith("course/"))
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


def _nbval(
    path: Path, recorded: Path | None = None, alone: bool = False
) -> subprocess.CompletedProcess[str]:
    """Have nbval compare a notebook's outputs with those of a run, now or recorded."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    if recorded:
        environment[EXECUTED] = str(recorded)
    return subprocess.run(
        [
            *(NO_NETWORK if alone and shutil.which("bwrap") else ()),
            *(sys.executable, "-m", "pytest", "--nbval", "-q", "-p", "no:cacheprovider"),
            *("-p", "no:xdist", "--rootdir", str(path.parent), "-c", "/dev/null"),
            *("--nbval-cell-timeout", str(pages.SECONDS)),
            *("--nbval-sanitize-with", str(ROOT / "tests" / "notebooks" / "nbval.cfg")),
            *(("-p", "tests.notebooks.replay") if recorded else ()),
            path.name,
        ],
        cwd=path.parent,
        env=environment if recorded else None,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_every_code_cell_was_executed(notebook: str) -> None:
    cells = nbformat.read(ROOT / notebook, 4).cells
    assert [c.id for c in cells if c.cell_type == "code" and c.execution_count is None] == []


@pytest.mark.parametrize("recorded", [False, True])
def test_a_stored_output_that_lies_is_caught(scratch: Path, recorded: bool) -> None:
    """The comparison itself can fail, whether nbval runs the notebook or is told of a run."""
    path, run = scratch / "lie.ipynb", scratch / "run.ipynb"
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print(1)")])
    nb.cells[0].execution_count = 1
    nb.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    for file, text in ((run, "1\n"), (path, "2\n")):
        nb.cells[0].outputs = [nbformat.v4.new_output("stream", name="stdout", text=text)]
        nbformat.write(nb, file)
    assert _nbval(path, run if recorded else None).returncode == 1
    if recorded:
        assert _nbval(run, run).returncode == 0
