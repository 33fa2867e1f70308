"""The instructor's evening: grade, write feedback and the class report, say where things are."""

from __future__ import annotations

import datetime
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from autograder import gradebook
from autograder.feedback import write_feedback
from autograder.grade import Batch, find_submissions, grade_lab
from autograder.paths import Course, UserError
from autograder.report import terminal_table, write_report
from autograder.results import SubmissionResult
from autograder.source import read_source
from autograder.teacher import late


def grade_and_report(
    course: Course, lab: str, console: Console, *, feedback: bool = True, **options: Any
) -> bool:
    """Grade a lab's class with a progress bar; return True if everything was written.

    ``options`` go on to `grade_lab`.
    """
    began = time.perf_counter()
    course.require_lab(lab)
    total = len(find_submissions(course, lab, options.get("students", ())))
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bars:
        grading = bars.add_task(f"grading {lab}", total=total)

        def tick(result: SubmissionResult, done: int, all_: int) -> None:
            bars.update(grading, completed=done, description=f"graded {result.student[:24]}")

        batch = grade_lab(course, lab, progress=tick, **options)
        bars.update(grading, completed=total)
        # Also for those graded before: due date and policy may have changed since.
        late.apply(course, lab)
        if feedback:
            bars.add_task("writing feedback", total=None)
            _feedback(course, lab, batch, options.get("jobs"))
    paths = write_report(
        batch.results, course.reports, title=_title(course, lab), made=datetime.date.today()
    )
    console.print(terminal_table(batch.results))
    _say(console, course, lab, batch, time.perf_counter() - began, feedback)
    console.print(f"Class report: {paths.html}", highlight=False, soft_wrap=True)
    for error in batch.errors:
        console.print(f"[red]✘[/] {error}", highlight=False)
    return not batch.errors


def _feedback(course: Course, lab: str, batch: Batch, jobs: int | None) -> None:
    failed = {error.partition(":")[0] for error in batch.errors}
    write_feedback(
        [r.student for r in batch.results if r.student not in failed],
        lab=lab,
        autograded=course.autograded,
        feedback=course.feedback,
        db_url=gradebook.url(course),
        jobs=jobs or os.cpu_count() or 1,
    )


def feedback_again(course: Course, lab: str, only: Sequence[str] = ()) -> list[Path]:
    """Write the feedback of every graded submission, or of some students', as things stand now.

    Raises UserError if there is none.
    """
    late.apply(course, lab)
    graded = sorted(p.parts[-3] for p in course.autograded.glob(f"*/{lab}/{lab}.ipynb"))
    if unknown := set(only) - set(graded):
        raise UserError(f"{', '.join(sorted(unknown))}: no graded submission of {lab}.")
    students = [s for s in graded if not only or s in only]
    if not students:
        raise UserError(f"no submission of {lab} is graded yet: autograder grade {lab}.")
    return write_feedback(
        students,
        lab=lab,
        autograded=course.autograded,
        feedback=course.feedback,
        db_url=gradebook.url(course),
        jobs=os.cpu_count() or 1,
    )


def _say(
    console: Console, course: Course, lab: str, batch: Batch, seconds: float, feedback: bool
) -> None:
    graded = len(batch.results) - batch.reused
    kept = f", {batch.reused} unchanged since last time" if batch.reused else ""
    console.print(f"Graded {graded} submissions of {lab} in {seconds:.0f} s{kept}.")
    console.print(f"Gradebook: {course.gradebook}", highlight=False, soft_wrap=True)
    if feedback:
        where = course.feedback / "<student>" / lab
        console.print(f"Feedback: {where}", highlight=False, soft_wrap=True, markup=False)


def _title(course: Course, lab: str) -> str:
    """Return the heading of a lab's notebook."""
    cells = read_source(course.solutions / lab / f"{lab}.py").cells
    headings = (ln[2:] for c in cells for ln in c.source.splitlines() if ln.startswith("# "))
    return f"{lab} · {next(headings, lab)}"
