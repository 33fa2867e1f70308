"""Write to nbgrader's gradebook: one writer, one transaction a submission."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path

from alembic.script import ScriptDirectory
from nbformat import NotebookNode
from nbformat.v4 import new_notebook
from nbgrader import api
from nbgrader.api import BaseCell, Gradebook
from nbgrader.preprocessors import AssignLatePenalties, SaveCells
from nbgrader.utils import compute_checksum, is_solution, parse_utc
from sqlalchemy.exc import DatabaseError, OperationalError, SAWarning
from traitlets.config import Config, PyFileConfigLoader

from autograder.build import nbgrader_config
from autograder.gitstore import StoreError, read_file
from autograder.paths import Course, UserError
from autograder.results import Status, SubmissionResult

COURSE_ID = "mlops-workbook"
# nbgrader's own way of making rows; it warns about what it then does right.
warnings.filterwarnings("ignore", category=SAWarning, message=".*not in session.*")


@cache
def newest_revision() -> str:
    """Return the newest version of nbgrader's tables.

    nbgrader asks a process of alembic's for it whenever it makes a gradebook: two seconds.
    """
    return str(ScriptDirectory(str(Path(api.__file__).parent / "alembic")).get_current_head())


api.get_alembic_version = newest_revision


def class_config(course: Course) -> Config:
    """Return nbgrader's configuration: the course's, and what the instructor added in its folder.

    Raises UserError that names the file and what is wrong with it.
    """
    config = nbgrader_config()
    own = course.root / "nbgrader_config.py"
    if own.is_file():
        try:
            config.merge(PyFileConfigLoader(own.name, str(course.root)).load_config())
        except Exception as error:
            raise UserError(f"{own}: {type(error).__name__}: {error}") from error
    return config


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
            "What was written before stays; what was not is graded then."
        ) from error


def register(course: Course, lab: str, master: NotebookNode) -> None:
    """Enter a lab and its cells, or bring them up to date.

    Raises UserError where cells were added or removed and submissions are graded already:
    nbgrader does not allow it.
    """
    resources = {"nbgrader": {"notebook": lab, "assignment": lab, "db_url": url(course)}}
    with explained(course):
        with Gradebook(url(course), COURSE_ID) as gradebook:
            # Better now than after an hour's grading: can it be written?
            gradebook.db.connection().exec_driver_sql("UPDATE course SET id = id")
            gradebook.db.commit()
            gradebook.update_or_create_assignment(lab)
        try:
            SaveCells(config=nbgrader_config()).preprocess(master, resources)
        except RuntimeError as error:
            raise UserError(
                f"lab {lab} has other cells than when its submissions were graded, and nbgrader "
                f"cannot change a graded lab. Keep {course.gradebook.name} as the old term's "
                "record under another name, and grade again."
            ) from error


class Writer:
    """The one process that writes a batch's scores; keeps the gradebook open meanwhile."""

    def __init__(self, course: Course) -> None:
        self.course = course
        self._book: Gradebook | None = None

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *exc: object) -> None:
        self._close()

    def _open(self) -> Gradebook:
        if self._book is None:
            self._book = Gradebook(url(self.course), COURSE_ID)
        return self._book

    def _close(self) -> None:
        if self._book is not None:
            self._book.close()
            self._book = None

    def students(self, lab: str) -> set[str]:
        """Return who has a submission of a lab in the gradebook."""
        with explained(self.course):
            return {s.student_id for s in self._open().assignment_submissions(lab)}

    def save(
        self, result: SubmissionResult, untouched: Collection[str], timestamp: datetime | None
    ) -> None:
        """Write a submission's scores in one transaction; manual scores and comments stay.

        ``untouched`` are the answer cells that are as they were released: nothing to comment on.
        Raises UserError that names the gradebook and the remedy if it cannot be written.
        """
        try:
            with explained(self.course):
                self._save(self._open(), result, untouched, timestamp)
        except BaseException:
            # A session that failed is of no use to the next submission.
            self._close()
            raise

    def _save(
        self,
        book: Gradebook,
        result: SubmissionResult,
        untouched: Collection[str],
        timestamp: datetime | None,
    ) -> None:
        book.update_or_create_student(result.student)
        times = {"timestamp": timestamp} if timestamp else {}
        submission = book.update_or_create_submission(result.lab, result.student, **times)
        submitted = book.find_submission_notebook(result.lab, result.lab, result.student)
        results = {c.name: c for c in result.checks}
        # All names in one query; asked one by one, the database takes longer than the grading.
        cells = book.db.query(BaseCell.id, BaseCell.name)
        names = dict(cells.filter(BaseCell.notebook_id == submitted.notebook_id).all())
        for grade in submitted.grades:
            found = results.get(names[grade.cell_id])
            review = found is not None and found.status is Status.NEEDS_REVIEW
            grade.auto_score = None if review else (found.points if found else 0.0)
            grade.needs_manual_grade = review or grade.manual_score is not None
        for comment in submitted.comments:
            as_released = names[comment.cell_id] in untouched
            comment.auto_comment = "No response." if as_released else None
        submitted.late_submission_penalty = None
        late = submission.total_seconds_late > 0
        book.db.commit()
        if late:
            self._late_penalty(result)

    def _late_penalty(self, result: SubmissionResult) -> None:
        """Let the late policy that nbgrader is configured with set the penalty."""
        names = {"notebook": result.lab, "assignment": result.lab, "student": result.student}
        resources = {"nbgrader": {**names, "db_url": url(self.course)}}
        policy = AssignLatePenalties(config=class_config(self.course))
        policy.preprocess(new_notebook(), resources)


def untouched_answers(notebook: NotebookNode) -> list[str]:
    """Return the names of the answer cells that still are as they were released."""
    return [
        cell.metadata.nbgrader.grade_id
        for cell in notebook.cells
        if is_solution(cell) and cell.metadata.nbgrader.get("checksum") == compute_checksum(cell)
    ]


def timestamp_of(folder: Path) -> datetime | None:
    """Return the time of submission (UTC) that nbgrader's collect left beside it, if it did.

    Students can hand in a file of that name: a link, a pipe, or no time at all counts as none.
    """
    try:
        text = (read_file(folder / "timestamp.txt", 200) or b"").decode("utf-8").strip()
        return parse_utc(text) if text else None
    except (StoreError, ValueError, OverflowError):
        return None
