"""Every notebook, run once in a test run by papermill, as its learner would run it.

Both tests of the notebook, and all answers of a lab, work with what that run left: its outputs,
and the evidence in its ``work`` folder.  Pages of the course run without a network.
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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from autograder import pages
from autograder.learner.standing import first_cell
from tests.conftest import COURSE

GB = 1 << 30
# Binder's promise, and what its Jupyter server takes of that (measured: 0.2 GB).
BINDER, SERVER = 2 * GB, 0.25 * GB
# Where it is set, pages of the course run small.
SMALL = "SMALL_PAGES"
_PAPERMILL = "papermill"
# A network of one: the machine itself. Mind that /dev and /proc stay what they are.
NO_NETWORK = ["bwrap", "--dev-bind", "/", "/", "--unshare-net"]


@dataclass(frozen=True)
class Done:
    """A notebook that has run: the file with its outputs, and the folder of its evidence."""

    executed: Path
    work: Path


def shared_folder(factory: pytest.TempPathFactory, name: str) -> Path:
    """Return a folder that all processes of a test run share."""
    base = factory.getbasetemp()
    # With xdist, every worker has a folder of its own below one that they share.
    folder = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / name
    folder.mkdir(exist_ok=True)
    return folder


def solution(lab: str, factory: pytest.TempPathFactory) -> Done:
    """Run a lab's solution, unless another test or process has, and return what it left."""
    return executed(f"solutions/{lab}/{lab}.ipynb", factory)


def executed(notebook: str, factory: pytest.TempPathFactory) -> Done:
    """Run a notebook, unless another test or process has, and return what it left."""
    shared = shared_folder(factory, "executed")
    path = Path(notebook)
    folder = shared / path.stem / path.parent
    done = Done(folder / "executed.ipynb", folder / "work")
    with (shared / f"{path.stem}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.executed.exists():
            shutil.rmtree(shared / path.stem, ignore_errors=True)
            copy_notebooks(shared / path.stem)
            with as_nobody():
                run(folder / path.name, done.executed, alone=path.parts[0] == "course")
    return done


def copy_notebooks(folder: Path) -> None:
    """Lay out the notebooks of the course and its solutions, in which nobody has worked yet."""
    folder.mkdir(parents=True, exist_ok=True)
    pages.copy_notebooks(COURSE, folder)
    for lab in COURSE.lab_names():
        (folder / "solutions" / lab).mkdir(parents=True)
        shutil.copy(COURSE.solutions / lab / f"{lab}.ipynb", folder / "solutions" / lab)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Look like a learner's machine on which nobody ever configured anything."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("NBGRADER_EXECUTION", raising=False)
        # Tools say more where they believe a machine is reading.
        patch.delenv("CI", raising=False)
        patch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
        patch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
        yield


def run(path: Path, target: Path, *, alone: bool = False) -> None:
    """Run a notebook where it lies, ``alone`` without a network; check its memory.

    The target is there only when the notebook has run to its end.
    """
    running = path.with_name("running.ipynb")
    small = alone and os.environ.get(SMALL)
    command = [
        *(NO_NETWORK if alone and shutil.which("bwrap") else ()),
        *(sys.executable, "-m", _PAPERMILL, str(path), str(running)),
        *("--cwd", str(path.parent), "--kernel", "python3", "--no-progress-bar"),
        *("--execution-timeout", str(pages.SECONDS)),
        *(("-p", "SMALL", "True") if small else ()),
    ]
    with watched_memory() as peak:
        done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{path.name}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
    allowed, said = memory_of(path)
    print(f"{path.name}: {peak[0] / GB:.2f} GB at most, {allowed / GB:.1f} GB allowed")
    assert peak[0] + SERVER < allowed, f"{said}; write into its first cell: needs N GB of memory"
    running.rename(target)


@contextmanager
def watched_memory() -> Iterator[list[int]]:
    """Measure the most memory that the kernels which this process now starts use together."""
    peak, stop = [0], threading.Event()
    others = set(psutil.Process().children())

    def watch() -> None:
        while not stop.wait(1):
            used = 0
            for child in set(psutil.Process().children()) - others:
                with contextlib.suppress(psutil.Error):
                    for process in (child, *child.children(recursive=True)):
                        # papermill stands where a learner has the server, which counts apart.
                        if _PAPERMILL not in process.cmdline():
                            # What processes share is divided among them.
                            used += process.memory_full_info().pss
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
