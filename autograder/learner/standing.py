"""Where a learner stands: stages, labs, tasks, points, and what comes next."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from autograder import progress
from autograder.checks import Check, checks_of
from autograder.paths import Course

STAGES = {
    1: "Foundations",
    2: "DevOps",
    3: "Cloud",
    4: "Tracking and versioning",
    5: "Pipelines",
    6: "Deployment and monitoring",
}


@dataclass(frozen=True)
class TaskStanding:
    """One task: points by what is on disk now, the best there ever were, and the maximum."""

    number: int
    title: str
    now: float
    best: float
    points: float
    tried: bool

    @property
    def done(self) -> bool:
        """True once it had full points, whatever became of the evidence since."""
        return self.best >= self.points


@dataclass(frozen=True)
class LabStanding:
    """One lab and its tasks; ``minutes`` and ``needs`` are what its first cell says."""

    name: str
    stage: int
    title: str
    minutes: int | None
    needs: str
    tasks: tuple[TaskStanding, ...]
    started: bool

    @property
    def now(self) -> float:
        """Points for the evidence on disk, as the checks last saw it."""
        return sum(task.now for task in self.tasks)

    @property
    def best(self) -> float:
        """The best points, task by task, through every reset."""
        return sum(task.best for task in self.tasks)

    @property
    def points(self) -> float:
        """Points there are."""
        return sum(task.points for task in self.tasks)

    @property
    def next_task(self) -> TaskStanding | None:
        """The first task that is not done, if any."""
        return next((task for task in self.tasks if not task.done), None)

    @property
    def notebook(self) -> str:
        """The notebook's path in the checkout."""
        return f"labs/{self.name}/{self.name}.ipynb"


@dataclass(frozen=True)
class Standing:
    """All labs of a checkout, in course order, and the pages of its stages."""

    labs: tuple[LabStanding, ...]
    pages: dict[int, str]

    @property
    def best(self) -> float:
        """Points reached."""
        return sum(lab.best for lab in self.labs)

    @property
    def points(self) -> float:
        """Points there are."""
        return sum(lab.points for lab in self.labs)

    @property
    def next_step(self) -> tuple[LabStanding, TaskStanding] | None:
        """The lab and task to go on with: one that was begun, else the first; None at the end."""
        open_ = [(lab, task) for lab in self.labs if (task := lab.next_task)]
        begun = [step for step in open_ if step[0].started]
        return next(iter([*begun, *open_]), None)

    def of_stage(self, stage: int) -> list[LabStanding]:
        """Return the labs of a stage."""
        return [lab for lab in self.labs if lab.stage == stage]


def standing(course: Course) -> Standing:
    """Read what the checks said so far; labs whose notebook or checks are missing are left out."""
    labs = [found for name in _labs(course) if (found := lab_standing(course, name))]
    return Standing(tuple(labs), dict(_pages(course)))


def lab_standing(course: Course, name: str) -> LabStanding | None:
    """Return one lab's standing, or None if the course has no checks for it."""
    try:
        checks = checks_of(name)
    except ModuleNotFoundError:
        return None
    work = course.labs / name / "work"
    title, minutes, needs = _facts(course.labs / name / f"{name}.ipynb", name)
    now = progress.read(work)
    return LabStanding(
        name=name,
        stage=int(name[1]) if re.match(r"s\d_", name) else 0,
        title=title,
        minutes=minutes,
        needs=needs,
        tasks=tuple(_tasks(checks, now, progress.best(name, work))),
        started=work.is_dir() or any(now.values()),
    )


def _labs(course: Course) -> list[str]:
    return sorted(path.parent.name for path in course.labs.glob("*/*.ipynb") if _own(path))


def _own(path: Path) -> bool:
    return path.stem == path.parent.name


def _tasks(
    checks: dict[str, Check], now: dict[str, float], best: dict[str, float]
) -> Iterator[TaskStanding]:
    by_task: dict[int, list[Check]] = {}
    for check in checks.values():
        by_task.setdefault(check.task, []).append(check)
    for number, group in sorted(by_task.items()):
        yield TaskStanding(
            number,
            group[0].title,
            # A check may have become cheaper since.
            sum(min(now.get(c.name, 0.0), c.points) for c in group),
            sum(min(best.get(c.name, 0.0), c.points) for c in group),
            sum(c.points for c in group),
            any(c.name in now or c.name in best for c in group),
        )


def _facts(notebook: Path, name: str) -> tuple[str, int | None, str]:
    """Return title, minutes and needs from the notebook's first cell, as far as it says them."""
    text = first_cell(notebook)
    title = re.search(r"^# (.+)$", text, re.MULTILINE)
    minutes = re.search(r"(\d+) minutes", text)
    needs = re.search(r"needs (.+?)(?:\.(?:\s|$)|$)", text, re.MULTILINE)
    return (
        title[1].strip() if title else name,
        int(minutes[1]) if minutes else None,
        needs[1].strip() if needs else "",
    )


def first_cell(notebook: Path) -> str:
    """Return the text of a notebook's first cell; empty if it cannot be read."""
    try:
        cells = json.loads(notebook.read_text("utf-8"))["cells"]
        return "".join(cells[0]["source"])
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return ""


def _pages(course: Course) -> Iterator[tuple[int, str]]:
    """Yield the stages that have a notebook, and its path."""
    for path in sorted(course.course.glob("*.ipynb")):
        if found := re.match(r"(?:stage_?|s)?([1-6])_", path.stem):
            yield int(found[1]), f"course/{path.name}"
