"""Scores out of the gradebook: a plain table, and what Canvas and Moodle read."""

from __future__ import annotations

import contextlib
import csv
import io
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from nbgrader.api import Gradebook, MissingEntry

from autograder import gradebook
from autograder.paths import Course, UserError
from autograder.report import csv_text, number
from autograder.teacher import late
from autograder.teacher.roster import Student, read_table, students_of


class Form(StrEnum):
    """Whose table it is."""

    CSV = "csv"
    CANVAS = "canvas"
    MOODLE = "moodle"


@dataclass(frozen=True)
class Score:
    """One student's score for one lab; ``points`` is None where nothing was handed in."""

    points: float | None
    penalty: float = 0.0
    needs_review: bool = False

    @property
    def final(self) -> float | None:
        """Points after what being late costs."""
        return None if self.points is None else max(0.0, self.points - self.penalty)


@dataclass(frozen=True)
class Book:
    """The class's scores: ``scores[lab][student id]``, and each lab's maximum."""

    students: tuple[Student, ...]
    scores: dict[str, dict[str, Score]]
    most: dict[str, float]


@dataclass(frozen=True)
class Exported:
    """What was written, and what somebody should look at before uploading it."""

    path: Path
    notes: tuple[str, ...]


def read_book(course: Course, labs: Sequence[str] = ()) -> Book:
    """Read the scores of some labs, or of all that were graded.

    Late penalties are worked out anew first.  Raises UserError if nothing was graded.
    """
    if not course.gradebook.exists():
        raise UserError(f"{course.gradebook} does not exist: autograder grade LAB makes it.")
    students = {student.id: student for student in students_of(course)}
    scores: dict[str, dict[str, Score]] = {}
    most: dict[str, float] = {}
    with gradebook.explained(course):
        for lab in labs:
            late.apply(course, course.require_lab(lab))
        with Gradebook(gradebook.url(course), gradebook.COURSE_ID) as book:
            graded = [a.name for a in book.assignments if a.submissions]
        for lab in [] if labs else graded:
            late.apply(course, lab)
        with Gradebook(gradebook.url(course), gradebook.COURSE_ID) as book:
            for lab in labs or sorted(graded):
                try:
                    most[lab] = book.find_assignment(lab).max_score
                except MissingEntry as error:
                    raise UserError(f"{lab} was not graded yet: autograder grade {lab}.") from error
                scores[lab] = _scores(book, lab)
                for one in scores[lab]:
                    students.setdefault(one, Student(one))
    if not scores:
        raise UserError("nothing was graded yet: autograder grade LAB.")
    return Book(tuple(students.values()), scores, most)


def _scores(book: Gradebook, lab: str) -> dict[str, Score]:
    return {
        submission.student.id: Score(
            submission.score,
            submission.late_submission_penalty or 0.0,
            submission.needs_manual_grade,
        )
        for submission in book.assignment_submissions(lab)
    }


def export(
    course: Course,
    labs: Sequence[str],
    form: Form,
    into: Path,
    *,
    fill: Path | None = None,
    zero: bool = False,
    scale: bool = False,
) -> Exported:
    """Write scores for somebody else to read.

    ``fill`` is a table that the platform exported: it comes back with the scores in it and all else
    as it was; ``scale`` converts them where its maximum is not the lab's.  ``zero`` gives who
    handed nothing in a zero instead of an empty cell.  Raises UserError that says what does not
    fit.
    """
    book = read_book(course, labs)
    notes = _worth_a_look(book)
    if fill:
        rows, more = _filled(book, form, fill, zero, scale)
        notes += more
    else:
        rows = {Form.CSV: _plain, Form.CANVAS: _canvas, Form.MOODLE: _moodle}[form](book, zero)
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    temporary = into.with_name(f".{into.name}.{os.getpid()}")
    try:
        into.parent.mkdir(parents=True, exist_ok=True)
        # Excel takes a file without this mark for its own country's encoding.
        mark = "utf-8-sig" if form is Form.CSV else "utf-8"
        temporary.write_text(out.getvalue(), mark, newline="")
        temporary.replace(into)
    except OSError as error:
        raise UserError(f"{into}: {error.strerror}.") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return Exported(into, tuple(notes))


def _worth_a_look(book: Book) -> list[str]:
    notes = []
    for lab, scores in book.scores.items():
        if waiting := sorted(i for i, score in scores.items() if score.needs_review):
            notes.append(f"{lab}: still to be graded by hand in Formgrader: {', '.join(waiting)}.")
        if missing := [s.id for s in book.students if s.id not in scores]:
            notes.append(f"{lab}: nothing handed in: {', '.join(missing)}.")
    return notes


def _cell(score: Score | None, zero: bool, factor: float = 1) -> str:
    final = score.final if score else None
    if final is None:
        return "0" if zero else ""
    return number(final * factor).replace("\N{MINUS SIGN}", "-")


def _plain(book: Book, zero: bool) -> list[list[str]]:
    head = ["student", "last_name", "first_name", "email"]
    for lab in book.scores:
        head += [lab, f"{lab}_of", f"{lab}_late"]
    rows = [[*head, "total", "total_of"]]
    total = sum(book.most.values())
    for student in book.students:
        row = [student.id, student.last_name, student.first_name, student.email]
        row = [csv_text(text) for text in row]
        got = 0.0
        for lab, scores in book.scores.items():
            score = scores.get(student.id)
            got += (score.final or 0.0) if score else 0.0
            off = number(-score.penalty) if score and score.penalty else ""
            row += [_cell(score, zero), number(book.most[lab]), off.replace("\N{MINUS SIGN}", "-")]
        rows.append([*row, number(got), number(total)])
    return rows


def _canvas(book: Book, zero: bool) -> list[list[str]]:
    """Return Canvas's own columns; a column it does not know becomes a new assignment there."""
    rows = [["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *book.scores]]
    rows.append(["Points Possible", "", "", "", "", *map(number, book.most.values())])
    for s in book.students:
        name = f"{s.last_name}, {s.first_name}".strip(", ") or s.id
        row = [csv_text(name), s.lms_id, "", csv_text(s.id), ""]
        rows.append(row + [_cell(of.get(s.id), zero) for of in book.scores.values()])
    return rows


def _moodle(book: Book, zero: bool) -> list[list[str]]:
    """Return what Moodle's gradebook imports (Grades → Import → CSV file), matched by e-mail."""
    rows = [["Email address", "Username", *book.scores]]
    for s in book.students:
        row = [csv_text(s.email), csv_text(s.id)]
        rows.append(row + [_cell(of.get(s.id), zero) for of in book.scores.values()])
    return rows


# --- Into the platform's own table -------------------------------------------------------------


def _filled(
    book: Book, form: Form, fill: Path, zero: bool, scale: bool
) -> tuple[list[list[str]], list[str]]:
    rows = read_table(fill)
    columns = _columns(rows[0], book, form, fill)
    factors = {lab: _factor(rows, place, lab, book, fill, scale) for lab, place in columns.items()}
    whose = {}
    for student in book.students:
        for key in (student.id, student.email, student.lms_id):
            if key:
                whose.setdefault(key.casefold(), student)
    notes, seen = [], set()
    people = _people(rows[0])
    for row in rows[1:]:
        if not any(row) or row[0] in ("Points Possible", "Student, Test"):
            continue
        row += [""] * (len(rows[0]) - len(row))
        keys = [re.sub(r"^\D+(?=\d+$)", "", row[place]).casefold() for place in people]
        keys += [row[place].casefold() for place in people]
        student = next((whose[key] for key in keys if key in whose), None)
        if student is None:
            notes.append(f"{fill.name}: nobody of yours is {row[0]!r}; the line stays as it was.")
            continue
        seen.add(student.id)
        for lab, place in columns.items():
            # An empty cell would leave a score standing there, or wipe it: so only what there is.
            if cell := _cell(book.scores[lab].get(student.id), zero, factors[lab]):
                row[place] = cell
    lost = [s.id for s in book.students if s.id not in seen]
    if lost:
        notes.append(f"{fill.name} has no line for {', '.join(lost)}.")
    return rows, notes


def _factor(
    rows: list[list[str]], place: int, lab: str, book: Book, fill: Path, scale: bool
) -> float:
    """Return what a lab's points are multiplied by to be the platform's.

    Raises UserError where the maxima differ and nobody said to convert: 31 of 31 must not arrive
    as 31 of 100.
    """
    if "Maximum Grade" in rows[0]:
        cells = [row[rows[0].index("Maximum Grade")] for row in rows[1:2] if any(row)]
    else:
        cells = [row[place] for row in rows[1:] if row[0] == "Points Possible"]
    try:
        there = float(cells[0].replace(",", "."))
    except (IndexError, ValueError):
        return 1
    here = book.most[lab]
    if abs(there - here) > 1e-9 and not scale:
        raise UserError(
            f"{fill} has {number(there)} points for {lab}, the lab has {number(here)}. Set "
            f"{number(here)} on the platform, or convert them with --scale."
        )
    return there / here if here else 1


def _people(heads: list[str]) -> list[int]:
    names = {
        "id",
        "sisuserid",
        "sisloginid",
        "identifier",
        "idnumber",
        "username",
        "emailaddress",
        "email",
    }
    return [i for i, head in enumerate(heads) if re.sub(r"[^a-z]", "", head.lower()) in names]


def _columns(heads: list[str], book: Book, form: Form, fill: Path) -> dict[str, int]:
    """Return which column takes which lab."""
    if form is Form.MOODLE and "Grade" in heads:
        if len(book.scores) != 1:
            raise UserError(f"{fill} is the worksheet of one assignment: name one lab to export.")
        return {next(iter(book.scores)): heads.index("Grade")}
    columns = {}
    for lab in book.scores:
        # Canvas adds its number: "s2_git (12345)".
        fits = [i for i, h in enumerate(heads) if re.fullmatch(rf"{re.escape(lab)}(\b.*)?", h)]
        if len(fits) != 1:
            raise UserError(
                f"{fill} has {'no column' if not fits else 'more than one column'} whose name "
                f"begins with {lab}. Columns: {', '.join(heads)[:300]}."
            )
        columns[lab] = fits[0]
    return columns
