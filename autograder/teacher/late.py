"""What handing in late costs: nbgrader's plugin, set in ``nbgrader_config.py``."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from nbgrader.api import Gradebook, MissingEntry, SubmittedAssignment
from nbgrader.plugins import BasePlugin
from nbgrader.preprocessors import AssignLatePenalties
from nbgrader.utils import parse_utc
from traitlets import Float, Int

from autograder import gradebook
from autograder.paths import Course, UserError

DAY = 24 * 60 * 60


class LatePolicy(BasePlugin):
    """Takes a share of the points earned for every day begun, after minutes of grace."""

    percent_per_day = Float(0.0, min=0.0, help="Of the points earned, for every day begun.").tag(
        config=True
    )
    most_percent = Float(100.0, min=0.0, max=100.0, help="Never more than this.").tag(config=True)
    grace_minutes = Int(0, min=0, help="This late counts as in time.").tag(config=True)

    def late_submission_penalty(
        self, student_id: str, score: float, total_seconds_late: float
    ) -> float | None:
        """Return the points to take off, or None where nothing is."""
        if not self.percent_per_day or total_seconds_late <= self.grace_minutes * 60:
            return None
        days = math.ceil(total_seconds_late / DAY)
        return score * min(self.percent_per_day * days, self.most_percent) / 100


def set_due(course: Course, lab: str, when: str) -> datetime:
    """Set when a lab is due, work the penalties out anew, and return the time (UTC).

    A time without a zone is this machine's.  Raises UserError if it cannot be read as one.
    """
    course.require_lab(lab)
    due = read_time(when)
    with gradebook.explained(course), Gradebook(gradebook.url(course), gradebook.COURSE_ID) as book:
        book.update_or_create_assignment(lab, duedate=due)
    apply(course, lab)
    return due


def read_time(when: str) -> datetime:
    """Read a time as people write it; without a zone it is this machine's.  UTC, zone left off."""
    from dateutil import parser, tz

    zones = {"CET": tz.gettz("Europe/Berlin"), "CEST": tz.gettz("Europe/Berlin")}
    text, _, name = when.strip().rpartition(" ")
    zone = tz.gettz(name) if "/" in name else None
    try:
        read = parser.parse(text if zone else when, tzinfos=zones)
    except (ValueError, OverflowError) as error:
        raise UserError(
            f"{when!r} is not a time. Write it like 2026-12-01 18:00, with a zone if you like: "
            "2026-12-01 18:00 Europe/Berlin, or 2026-12-01T18:00+01:00."
        ) from error
    if read.tzinfo is None:
        read = read.replace(tzinfo=zone or tz.tzlocal())
    return parse_utc(read)


def extend(course: Course, lab: str, student: str, days: float) -> datetime:
    """Give a student more time and return the new due date; raises UserError that says why not."""
    course.require_lab(lab)
    with gradebook.explained(course), Gradebook(gradebook.url(course), gradebook.COURSE_ID) as book:
        try:
            if book.find_assignment(lab).duedate is None:
                raise UserError(f"lab {lab} has no due date yet: autograder due {lab} WHEN.")
            submission = book.find_submission(lab, student)
        except MissingEntry as error:
            raise UserError(
                f"{student} has no graded submission of {lab}; time can be given once there is one."
            ) from error
        whole = timedelta(days=days)
        book.grant_extension(lab, student, days=whole.days, minutes=whole.seconds // 60)
        due = submission.duedate
    apply(course, lab)
    return due


def apply(course: Course, lab: str) -> dict[str, float]:
    """Work out every penalty of a lab anew and return them by student, where there are any.

    Due dates, extensions, the policy and scores given by hand may all have changed since grading.
    """
    if not course.gradebook.exists():
        return {}
    step = AssignLatePenalties(config=gradebook.class_config(course))
    step.init_plugin()
    found = {}
    with gradebook.explained(course), Gradebook(gradebook.url(course), gradebook.COURSE_ID) as book:
        for submission in _submissions(book, lab):
            late = submission.total_seconds_late
            for notebook in submission.notebooks:
                asked = late and step.plugin_inst.late_submission_penalty(
                    submission.student.id, notebook.score, late
                )
                penalty = min(max(asked or 0.0, 0.0), notebook.score)
                notebook.late_submission_penalty = penalty or None
                if penalty:
                    found[submission.student.id] = penalty
        book.db.commit()
    return found


def _submissions(book: Gradebook, lab: str) -> list[SubmittedAssignment]:
    try:
        return book.assignment_submissions(lab)
    except MissingEntry:
        return []
