"""Every notebook runs with papermill, and nbval compares its outputs with the stored ones.

Each runs once in a test run, pages of the course without a network; nbval is told of that run.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from autograder import pages
from tests.conftest import COURSE, ROOT, lacks
from tests.notebooks.replay import EXECUTED
from tests.solutions import SMALL, copy_notebooks, executed

SOLUTIONS = [f"solutions/{lab}/{lab}.ipynb" for lab in COURSE.lab_names()]
NOTEBOOKS = [*(f"course/{name}.ipynb" for name in pages.page_names(COURSE)), *SOLUTIONS]


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """A copy of the notebooks in which nobody has worked yet."""
    copy_notebooks(tmp_path)
    return tmp_path


def _skip_where_tools_lack(notebook: str) -> None:
    """A solution's checks raise where they cannot be graded, as on a machine without Docker."""
    lab = Path(notebook).stem
    if lab in COURSE.lab_names() and (needs := lacks(lab)):
        pytest.skip(f"needs {needs}")


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_runs_with_papermill(notebook: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    _skip_where_tools_lack(notebook)
    done = nbformat.read(executed(notebook, tmp_path_factory).executed, 4)
    assert all(c.execution_count for c in done.cells if c.cell_type == "code")


@pytest.mark.skipif(bool(os.environ.get(SMALL)), reason="pages run small say other things")
@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_gives_its_stored_outputs_again(
    notebook: str, scratch: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    _skip_where_tools_lack(notebook)
    done = _nbval(scratch / notebook, executed(notebook, tmp_path_factory).executed)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


def _nbval(path: Path, recorded: Path | None) -> subprocess.CompletedProcess[str]:
    """Have nbval compare a notebook's outputs with those of a run, now or recorded."""
    # nbval alone: the plug-ins of the course's own tests take longer to import than it does.
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    if recorded:
        environment |= {"PYTHONPATH": str(ROOT), EXECUTED: str(recorded)}
    return subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-p", "nbval.plugin", "--nbval", "-q"),
            *("-p", "no:cacheprovider", "--rootdir", str(path.parent), "-c", "/dev/null"),
            *("--nbval-sanitize-with", str(ROOT / "tests" / "notebooks" / "nbval.cfg")),
            *(("-p", "tests.notebooks.replay") if recorded else ()),
            path.name,
        ],
        cwd=path.parent,
        env=environment,
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
