"""The learner's side of a lab: where the evidence lies and how a task starts over."""

from __future__ import annotations

import errno
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from autograder import progress
from autograder.quick import start as start_quick
from autograder.starts import Layout, starts_of

# Set by the trusted grader in the process that runs the checks.
ROLE = "AUTOGRADER_ROLE"
JUDGE = "judge"

_current: dict[str, Lab] = {}


class LabError(Exception):
    """Something about a lab's folder is not as it should be; the message says what to do."""

    def _render_traceback_(self) -> list[str]:
        return [f"LabError: {self}"]


class Lab:
    """A lab that is being worked on in the current folder.

    Making one lays out the start state of every task that has none yet, each in its own folder
    under ``work/``, and keeps all that is already there.

    When a grader (or the Validate button) runs the notebook again, evidence that came with the
    submission must not be worked on twice: a second ``git revert`` would undo the first.  The
    answer cells then run in a scratch copy, and the checks look at the evidence as submitted.
    A task whose folder did not come along is done for real by its cell.

    ``quick`` names a command line tool that is to answer at once in the notebook's cells, see
    `autograder.quick`.
    """

    def __init__(self, name: str, folder: str | Path = ".", *, quick: str = "") -> None:
        self.name = name
        self.folder = Path(folder).resolve()
        self.work = self.folder / "work"
        self._starts = starts_of(name)
        self._refuse_wrong_folder()
        _put_tools_first()
        if os.environ.get(ROLE) != JUDGE:
            with _explained(self.work):
                self._lay_out()
            if quick:
                start_quick(quick)
        _current[name] = self

    def _refuse_wrong_folder(self) -> None:
        if not (self.folder / f"{self.name}.ipynb").exists() and self.folder.name != self.name:
            raise LabError(
                f"this notebook runs in {self.folder}, not in the folder of lab {self.name}. "
                f"Open labs/{self.name}/{self.name}.ipynb from JupyterLab's file browser and "
                "run it there."
            )

    def _lay_out(self) -> None:
        submitted = sorted(f for f in self._starts if (self.work / f).exists())
        self._make(f for f in self._starts if f not in submitted)
        if os.environ.get("NBGRADER_EXECUTION") and submitted:
            os.chdir(self._scratch(submitted))

    def _make(self, folders: Iterable[str]) -> None:
        for folder in folders:
            _lay_out_one(self._starts[folder], self.work / folder)

    def _scratch(self, submitted: list[str]) -> Path:
        """Return a folder that looks like the lab's but holds copies of what was submitted."""
        scratch = Path(tempfile.mkdtemp(prefix="rerun-", dir=os.environ.get("TMPDIR")))
        for entry in self.folder.iterdir():
            if entry.name != "work":
                (scratch / entry.name).symlink_to(entry)
        (scratch / "work").mkdir()
        for entry in self.work.iterdir():
            if entry.name in submitted:
                shutil.copytree(entry, scratch / "work" / entry.name, symlinks=True)
            else:
                (scratch / "work" / entry.name).symlink_to(entry)
        return scratch

    @property
    def folders(self) -> list[str]:
        """The names of the folders under ``work/`` that tasks start in."""
        return list(self._starts)

    def restart(self, folder: str) -> Path:
        """Lay out a task's start state anew and return its folder.

        What was there is kept beside it as ``<folder>.before-1`` (2, 3, …).
        """
        if folder not in self._starts:
            raise LabError(
                f"lab {self.name} has no task folder {folder!r}; it has {', '.join(self._starts)}."
            )
        target = self.work / folder
        with _explained(self.work):
            if target.exists():
                aside = free_name(target)
                target.rename(aside)
                print(f"Your earlier work is in {aside.relative_to(self.folder)}.")
            _lay_out_one(self._starts[folder], target)
        print(f"{target.relative_to(self.folder)} is as it was at the start.")
        return target

    def summary(self) -> None:
        """Print one line a check and the lab's points so far."""
        print(progress.summary(self.name, self.work))

    def __repr__(self) -> str:
        rows = [f"Lab {self.name}: your work and its evidence lie in work/"]
        rows += [note] if (note := too_little_memory(self.folder / f"{self.name}.ipynb")) else []
        rows += [
            f"  work/{folder:<14} {_first_line(self._starts[folder])}" for folder in self._starts
        ]
        rows.append('A task anew: lab.restart("<folder>") keeps your old work aside.')
        return "\n".join(rows)


def too_little_memory(notebook: Path) -> str:
    """Say so if a notebook's first cell asks for more memory than this session may use.

    A lab that needs more than Binder's 2 GB writes it there: ``needs 4 GB of memory``.
    """
    from autograder.learner.doctor import memory
    from autograder.learner.standing import first_cell

    asked = re.search(r"([\d.]+) GB of memory", first_cell(notebook))
    if not asked or memory() >= float(asked[1]) * (1 << 30) * 0.95:
        return ""
    return (
        f"This lab needs {asked[1]} GB of memory, and this session has {memory() / (1 << 30):.1f} "
        "GB: its kernel may be stopped in the middle. Shut other kernels down, or do it on a "
        "larger machine."
    )


def _put_tools_first() -> None:
    """Let shell cells find this environment's tools, however JupyterLab was started."""
    folder = str(Path(sys.executable).parent)
    path = os.environ.get("PATH", "").split(os.pathsep)
    if folder not in path[:1]:
        os.environ["PATH"] = os.pathsep.join([folder, *path])


def current(name: str) -> Lab | None:
    """Return the lab of that name that this process works on, if any."""
    return _current.get(name)


def _lay_out_one(layout: Layout, target: Path) -> None:
    """Fill a folder beside the target first, so that no half-made start state is ever kept."""
    target.parent.mkdir(parents=True, exist_ok=True)
    making = target.with_name(f".{target.name}.making-{os.getpid()}")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir()
    try:
        layout(making)
        try:
            making.rename(target)
        except OSError:
            # Another notebook or JupyterLab started at the same moment and was faster.
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(making, ignore_errors=True)


@contextmanager
def _explained(work: Path) -> Iterator[None]:
    """Turn what a file system refuses into an error that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT):
            raise
        raise LabError(
            f"{error.filename or work}: {error.strerror}. Your evidence is kept in {work}, so it "
            "must be writable. Make room or mend its rights; or copy the workbook to a folder of "
            "your own (cp -r) and open it there."
        ) from error


def free_name(target: Path) -> Path:
    """Return a free name beside the target: ``x.before-1``, for a notebook ``x.before-1.ipynb``."""
    end = ".ipynb" if target.suffix == ".ipynb" else ""
    stem = target.name.removesuffix(end)
    n = 1
    while (aside := target.with_name(f"{stem}.before-{n}{end}")).exists():
        n += 1
    return aside


def _first_line(layout: Layout) -> str:
    return (layout.__doc__ or "").strip().partition("\n")[0]
