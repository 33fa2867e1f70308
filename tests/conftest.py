"""What all tests share: the checkout, its labs' notebooks, and the tools' own folder first."""

from __future__ import annotations

import copy
import os
import re
import sys
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
from nbformat import NotebookNode
from xdist.scheduler import LoadScopeScheduling

from autograder import gradebook, progress  # noqa: F401 - nbgrader makes gradebooks faster with it
from autograder.build import master_notebook, release_notebook, solution_notebook
from autograder.paths import Course

ROOT = Path(__file__).resolve().parent.parent
COURSE = Course(ROOT)
# nbgrader and git-filter-repo are called by name.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"


class _Groups(LoadScopeScheduling):
    """Keeps together, on one worker, what shares a server or the grader's warm processes.

    These are the modules with the mark xdist_group, or with a fixture that all their tests share,
    all that grades submissions of one lab, and all that looks at one run of a notebook.

    xdist's own way, --dist=loadgroup, does nothing with pytest 9.2: it writes the group into an
    attribute that pytest no longer reads.
    """

    def _split_scope(self, nodeid: str) -> str:
        if graded := re.search(r"test_(?:answers|attacks)\.py::\w+\[(s\d_[a-z]+)(?=[-\]])", nodeid):
            return graded[1]
        if notebook := re.search(r"\[((?:course|solutions)/.+\.ipynb)\]", nodeid):
            return notebook[1]
        return _group_of(nodeid.partition("::")[0]) or nodeid


@cache
def _group_of(module: str) -> str:
    text = (ROOT / module).read_text("utf-8")
    if found := re.search(r"mark\.xdist_group\(\"(\w+)\"\)", text):
        return found[1]
    return module if re.search(r"scope=\"(module|session)\"", text) else ""


@pytest.hookimpl(optionalhook=True)  # also where xdist is switched off
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> _Groups:
    """Give the tests to the workers, those of a group to the same one."""
    return _Groups(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what others wait for, then with what takes longest."""
    items.sort(key=_turn)


# Left for the end, they would run while the other workers have nothing to do.
_LONG = ("[course/", "test_instructors_page", "test_validate_says", "test_scale.py")


def _turn(item: pytest.Item) -> int:
    if "test_runs_with_papermill[solutions/" in item.nodeid:
        return 0
    return 1 if any(name in item.nodeid for name in _LONG) else 2


def notebooks(lab: str) -> tuple[NotebookNode, NotebookNode, NotebookNode]:
    """Return a lab's solution, release and master notebook, the caller's to change."""
    solution, release, master = map(copy.deepcopy, _notebooks(lab))
    return solution, release, master


@cache
def _notebooks(lab: str) -> tuple[NotebookNode, NotebookNode, NotebookNode]:
    solution = solution_notebook(COURSE, lab)
    return solution, release_notebook(solution), master_notebook(solution)


@cache
def lacks(lab: str) -> str:
    """Return what this machine lacks to grade all of a lab, such as a Docker engine."""
    look = getattr(import_module(f"autograder.checks.{lab}"), "lacks", None)
    return look() if look else ""


@pytest.fixture(scope="session")
def course() -> Course:
    """The checkout the tests run in."""
    return COURSE


@pytest.fixture(scope="session", autouse=True)
def own_progress(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep what tests reach out of the progress of whoever runs them."""
    os.environ[progress.LOG] = str(tmp_path_factory.mktemp("progress") / "log.jsonl")


@pytest.fixture
def no_git_config(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which nobody ever configured git."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
