"""Write to nbgrader's gradebook: one writer, one transaction a submission."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nbformat import NotebookNode
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.preprocessors import AssignLatePenalties, SaveCells
from nbgrader.utils import compute_checksum, is_solution, parse_utc
from sqlalchemy.exc import DatabaseError, OperationalError, SAWarning

from autograder.build import nbgrader_config
from autograder.gitstore import StoreError, read_file
from autograder.paths import Course, UserError
from autograder.results import Status, SubmissionResult

log = logging.getLogger("autograder")
# nbgrader's own way of making rows; it warns about what it then does right.
warnings.filterwarnings("ignore", category=SAWarning, message=".*not in session.*")


def url(course: Course) -> str:
    """Return the gradebook's database address."""
    return f"sqlite:///{course.gradebook}"


@contextmanager
def explained(course: Course) -> Iterator[None]:
    """Turn a database error into one that names the file and the remedy."""
    try:
        yield
    except (OperationalError, DatabaseError) as error:
        reason = str(error.orig)
        remedy = {
            "readonly": "make it writable (chmod u+w) and run the command again",
            "locked": "close what else has it open (Formgrader, another grading) and run again",
            "full": "make room on its disk and run the command again",
            "unable to open": "check that its folder exists and is writable",
            "not a database": "it is damaged: restore a backup, or move it away to start anew",
            "malformed": "it is damaged: restore a backup, or move it away to start anew",
        }
        hint = next((h for word, h in remedy.items() if word in reason), "see the message above")
        raise UserError(
            f"{course.gradebook}: {reason}. Remedy: {hint}. "
            "Scores that were not written are kept and written then."
        ) from error


def register(course: Course, lab: str, master: NotebookNode) -> None:
    """Enter a lab and its cells, or bring them up to date.

    Raises UserError where cells were added or removed and submissions are graded already:
    nbgrader does not allow it.
    """
    resources = {"nbgrader": {"notebook": lab, "assignment": lab, "db_url": url(course)}}
    with explained(course):
        with Gradebook(url(course), "mlops-workbook") as gradebook:
            gradebook.update_or_create_assignment(lab)
        try:
            SaveCells(config=nbgrader_config()).preprocess(master, resources)
        except RuntimeError as error:
            raise UserError(
                f"lab {lab} has other cells than when its submissions were graded, and nbgrader "
                f"cannot change a graded lab. Keep {course.gradebook.name} as the old term's "
                "record under another name, and grade again."
            ) from error


def save(
    course: Course, result: SubmissionResult, notebook: NotebookNode, timestamp: str | None
) -> None:
    """Write one submission's scores in one transaction; manual scores and comments stay."""
    with explained(course), Gradebook(url(course), "mlops-workbook") as gradebook:
        gradebook.update_or_create_student(result.student)
        times = {"timestamp": parse_utc(timestamp)} if timestamp else {}
        gradebook.update_or_create_submission(result.lab, result.student, **times)
        submitted = gradebook.find_submission_notebook(result.lab, result.lab, result.student)
        results = {c.name: c for c in result.checks}
        for grade in submitted.grades:
            found = results.get(grade.name)
            review = found is not None and found.status is Status.NEEDS_REVIEW
            grade.auto_score = None if review else (found.points if found else 0.0)
            grade.needs_manual_grade = review or grade.manual_score is not None
        answers = {c.metadata.nbgrader.grade_id: c for c in notebook.cells if is_solution(c)}
        for comment in submitted.comments:
            cell = answers.get(comment.name)
            untouched = cell is not None and cell.metadata.nbgrader.get("checksum") == (
                compute_checksum(cell)
            )
            comment.auto_comment = "No response." if untouched else None
        gradebook.db.commit()
    _late_penalty(course, result, notebook)


def _late_penalty(course: Course, result: SubmissionResult, notebook: NotebookNode) -> None:
    resources = {
        "nbgrader": {
            "notebook": result.lab,
            "assignment": result.lab,
            "student": result.student,
            "db_url": url(course),
        }
    }
    with explained(course):
        AssignLatePenalties(config=nbgrader_config()).preprocess(notebook, resources)


def has(course: Course, lab: str, student: str) -> bool:
    """Tell whether the gradebook holds a submission."""
    if not course.gradebook.exists():
        return False
    with explained(course), Gradebook(url(course), "mlops-workbook") as gradebook:
        try:
            gradebook.find_submission(lab, student)
        except MissingEntry:
            return False
    return True


def timestamp_of(folder: Path) -> str | None:
    """Return the time of submission that nbgrader's collect left beside it, if it did.

    Students can hand in a file of that name: a link, a pipe, or no time at all counts as none.
    """
    try:
        text = (read_file(folder / "timestamp.txt", 200) or b"").decode("utf-8").strip()
        parse_utc(text)
    except (StoreError, ValueError, OverflowError):
        return None
    return text or None
