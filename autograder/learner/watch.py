"""Check a lab again whenever its evidence changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

from watchfiles import BaseFilter, Change, watch

from autograder.learner.selfcheck import check_lab
from autograder.paths import Course
from autograder.progress import FILE
from autograder.verdict import Verdict


class Evidence(BaseFilter):
    """Lets through what a learner makes; ``.git`` counts, caches and our own notes do not."""

    ignore_dirs = ("__pycache__", ".ipynb_checkpoints", ".pytest_cache", ".virtual_documents")
    ignore_entity_patterns = (
        rf"^\.?{FILE}",
        r"\.before-\d+$",
        r"\.making-\d+$",
        r"\.lock$",
        r"\.sw[px]$",
        r"~$",
    )

    def __call__(self, change: Change, path: str) -> bool:
        """Tell whether a change is a reason to look again."""
        aside = any(".before-" in part or ".making-" in part for part in Path(path).parts)
        return not aside and super().__call__(change, path)


def watch_lab(
    course: Course,
    lab: str,
    task: int | None = None,
    *,
    stop: Event | None = None,
    judge: Callable[[Course, str, int | None], list[Verdict]] = check_lab,
) -> Iterator[list[Verdict]]:
    """Yield the lab's verdicts at once, and again after every change, until ``stop`` is set.

    A burst of changes, such as a rebase, is waited out for a tenth of a second of quiet.  Raises
    UserError as `check_lab` does.
    """
    yield judge(course, lab, task)
    changes = watch(
        course.labs / lab / "work",
        watch_filter=Evidence(),
        debounce=1600,
        step=100,
        stop_event=stop,
        raise_interrupt=False,
    )
    for _ in changes:
        yield judge(course, lab, task)
