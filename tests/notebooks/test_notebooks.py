"""Every notebook runs: with papermill to scratch, and with nbval against its stored outputs.

Pages of the course run small with papermill (`SMALL = True`), in full with nbval, and there without
a network.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
import papermill
import psutil
import pytest

from autograder import pages
from autograder.learner.standing import first_cell
from tests.conftest import COURSE, ROOT, lacks

NOTEBOOKS = [
    *(f"course/{name}.ipynb" for name in pages.page_names(COURSE)),
    *(f"solutions/{lab}/{lab}.ipynb" for lab in COURSE.lab_names()),
]


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


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_runs_with_papermill(notebook: str, scratch: Path) -> None:
    _skip_where_tools_lack(notebook)
    path = scratch / notebook
    cells = nbformat.read(path, 4).cells
    small = any("parameters" in cell.metadata.get("tags", ()) for cell in cells)
    with watched_memory() as peak:
        executed = papermill.execute_notebook(
            path,
            scratch / "executed.ipynb",
            parameters={"SMALL": True} if small else {},
            cwd=path.parent,
            kernel_name="python3",
            progress_bar=False,
        )
    allowed, said = memory_of(path)
    print(f"{notebook}: {peak[0] / GB:.2f} GB at most, {allowed / GB:.1f} GB allowed")
    assert peak[0] + SERVER < allowed, f"{said}; write into its first cell: needs N GB of memory"
    assert all(c.execution_count for c in executed.cells if c.cell_type == "code")


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_gives_its_stored_outputs_again(notebook: str, scratch: Path) -> None:
    _skip_where_tools_lack(notebook)
    path = scratch / notebook
    done = subprocess.run(
        [
            *(NO_NETWORK if notebook.startswith("course/") and shutil.which("bwrap") else ()),
            *(sys.executable, "-m", "pytest", "--nbval", "-q", "-p", "no:cacheprovider"),
            *("-p", "no:xdist", "--rootdir", str(path.parent), "-c", "/dev/null"),
            *("--nbval-cell-timeout", str(pages.SECONDS)),
            *("--nbval-sanitize-with", str(ROOT / "tests" / "notebooks" / "nbval.cfg")),
            path.name,
        ],
        cwd=path.parent,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_every_code_cell_was_executed(notebook: str) -> None:
    cells = nbformat.read(ROOT / notebook, 4).cells
    assert [c.id for c in cells if c.cell_type == "code" and c.execution_count is None] == []


def test_a_stored_output_that_lies_is_caught(scratch: Path) -> None:
    """The comparison itself can fail."""
    path = scratch / "lie.ipynb"
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print(1)")])
    nb.cells[0].outputs = [nbformat.v4.new_output("stream", name="stdout", text="2\n")]
    nb.cells[0].execution_count = 1
    nb.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(nb, path)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--nbval", "-q", "-p", "no:xdist", path.name],
        cwd=scratch,
        capture_output=True,
    )
    assert done.returncode == 1
