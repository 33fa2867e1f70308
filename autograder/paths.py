"""Where things lie in a checkout of the workbook."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

# In a copy handed out without solutions: the labs as they are before anybody works in them.
RELEASED = ".released"


class UserError(Exception):
    """Something the person at the keyboard can put right; the message names it and the remedy."""


@dataclass(frozen=True)
class Course:
    """The folders of one checkout (or of one class: everything is relative to ``root``)."""

    root: Path

    @property
    def solutions(self) -> Path:
        """nbgrader's source step."""
        return self.root / "solutions"

    @property
    def labs(self) -> Path:
        """nbgrader's release step: what learners open."""
        return self.root / "labs"

    @property
    def course(self) -> Path:
        """The stage notebooks."""
        return self.root / "course"

    @property
    def submitted(self) -> Path:
        """``submitted/<student>/<lab>/``."""
        return self.root / "submitted"

    @property
    def autograded(self) -> Path:
        """Graded notebooks, one folder a student and lab."""
        return self.root / "autograded"

    @property
    def feedback(self) -> Path:
        """HTML for students."""
        return self.root / "feedback"

    @property
    def reports(self) -> Path:
        """Class reports."""
        return self.root / "reports"

    @property
    def gradebook(self) -> Path:
        """nbgrader's database file."""
        return self.root / "gradebook.db"

    def lab_names(self) -> list[str]:
        """Return the labs in course order: every folder of ``solutions`` with a source in it.

        In a copy handed out without solutions, every folder of ``labs`` with its notebook.
        """
        files = self.solutions.glob("*/*.py")
        if not self.solutions.is_dir():
            files = self.labs.glob("*/*.ipynb")
        return sorted(p.parent.name for p in files if p.stem == p.parent.name)

    def require_lab(self, name: str) -> str:
        """Return the name of a lab, or raise UserError that lists the labs there are."""
        names = self.lab_names()
        if name in names:
            return name
        close = [n for n in names if name.lower().strip("/") in n]
        hint = f" Did you mean {close[0]}?" if close else ""
        raise UserError(
            f"There is no lab {name!r} in {self.root}.{hint} "
            f"Labs: {', '.join(names) or 'none yet'}."
        )


def find_course(start: Path | None = None) -> Course:
    """Return the checkout that a folder lies in.

    Looks upwards from ``start`` (default: the current folder) for a folder with ``labs`` and
    ``solutions`` or ``.released`` in it; ``AUTOGRADER_COURSE`` overrides.  Raises UserError.
    """
    if override := os.environ.get("AUTOGRADER_COURSE"):
        return Course(Path(override).resolve())
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        whole = (folder / "solutions").is_dir() or (folder / RELEASED).is_dir()
        if (folder / "labs").is_dir() and whole:
            return Course(folder)
    raise UserError(
        f"{here} is not inside the workbook (no labs/ in it or above). "
        "Change to the folder you cloned it to and try again."
    )
