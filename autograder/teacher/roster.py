"""Who is in the class: read from whatever table there is, kept in ``roster.csv`` and the gradebook.

Tables that Canvas (Gradebook → Export) and Moodle (participants, grading worksheet) write are
understood as they are; so is any CSV with the columns of `COLUMNS`.
"""

from __future__ import annotations

import contextlib
import csv
import io
import os
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from nbgrader.api import Gradebook

from autograder import gradebook
from autograder.paths import Course, UserError

FILE = "roster.csv"
COLUMNS = ("id", "last_name", "first_name", "email", "lms_id", "also", "repository")

# What a column is called elsewhere, folded; of several that are there, the first one counts.
_NAMES = {
    "id": ("studentid", "id", "username", "login", "loginid", "sisloginid", "idnumber"),
    "last_name": ("lastname", "surname", "familyname"),
    "first_name": ("firstname", "givenname"),
    "email": ("email", "emailaddress", "mail"),
    "lms_id": ("lmsid", "lmsuserid", "canvasid", "identifier"),
    "also": ("also", "alias", "aliases"),
    "repository": ("repository", "repo", "git", "url"),
}
_FULL_NAMES = ("name", "fullname", "student")
_UNSAFE = re.compile(r"[/\\\x00-\x1f\x7f*+]|^[.\s-]|\s$")


@dataclass(frozen=True)
class Student:
    """One line of the roster.

    ``id`` names folders and is what the gradebook calls a student; ``lms_id`` is the number the
    learning platform puts into file names; ``also`` holds other names, separated by semicolons.
    """

    id: str
    last_name: str = ""
    first_name: str = ""
    email: str = ""
    lms_id: str = ""
    also: str = ""
    repository: str = ""

    @property
    def name(self) -> str:
        """First and last name, or the id where there is none."""
        return f"{self.first_name} {self.last_name}".strip() or self.id


@dataclass(frozen=True)
class Enrolled:
    """What entering a roster changed: ids that are new, and ids that are only in the gradebook."""

    students: tuple[Student, ...]
    new: tuple[str, ...]
    not_in_file: tuple[str, ...]


def read_roster(path: Path) -> list[Student]:
    """Read a table of students.

    Commas, semicolons and tabs separate; UTF-8 and Excel's Western encoding are read.  Raises
    UserError that names file, line and remedy.
    """
    rows = _rows(path)
    folded = [_fold_heading(heading) for heading in rows[0]]
    places = _places(folded)
    if places["id"] is None and places["email"] is None:
        raise UserError(
            f"{path}: no column says who a student is. Name one of them id (or username, SIS "
            f"Login ID, Email address). Found: {', '.join(rows[0])}."
        )
    students = []
    for line, row in enumerate(rows[1:], start=2):
        if any(row) and not _is_points_row(row):
            students.append(_student(path, line, row, places, folded))
    _refuse_twice(path, students)
    if not students:
        raise UserError(f"{path}: there is no student below the headings.")
    return students


def enrol(course: Course, students: list[Student]) -> Enrolled:
    """Enter students into the gradebook, or bring them up to date, and write ``roster.csv``.

    Nobody is removed: a student who left the class keeps the scores.
    """
    with gradebook.explained(course), Gradebook(gradebook.url(course), gradebook.COURSE_ID) as book:
        before = {student.id for student in book.students}
        for student in students:
            book.update_or_create_student(
                student.id,
                first_name=student.first_name or None,
                last_name=student.last_name or None,
                email=student.email or None,
                lms_user_id=student.lms_id or None,
            )
    ids = [student.id for student in students]
    _write(course.root / FILE, students)
    return Enrolled(
        tuple(students),
        tuple(i for i in ids if i not in before),
        tuple(sorted(before - set(ids))),
    )


def students_of(course: Course) -> list[Student]:
    """Return the class: ``roster.csv`` if it is there, else what the gradebook knows.

    Raises UserError if there is neither.
    """
    path = course.root / FILE
    if path.is_file():
        return read_roster(path)
    if not course.gradebook.exists():
        raise UserError(
            f"{course.root} has no class yet. Enter one: autograder roster FILE.csv "
            "(columns: id, last_name, first_name, email)."
        )
    with gradebook.explained(course), Gradebook(gradebook.url(course), gradebook.COURSE_ID) as book:
        return [
            Student(s.id, s.last_name or "", s.first_name or "", s.email or "", s.lms_user_id or "")
            for s in book.students
        ]


def read_table(path: Path) -> list[list[str]]:
    """Return the rows of a CSV file, headings first; raises UserError that says what is wrong."""
    return _rows(path)


def _rows(path: Path) -> list[list[str]]:
    if path.suffix.lower() in (".xlsx", ".xls", ".ods"):
        raise UserError(f"{path} is a spreadsheet: save it as CSV (File → Save as) and try again.")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}.") from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    rows = [
        [cell.strip() for cell in row]
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    ]
    if not rows or not any(rows[0]):
        raise UserError(f"{path} is empty: its first line must hold the columns' names.")
    return rows


def _fold_heading(heading: str) -> str:
    return re.sub(r"[^a-z]", "", heading.lower())


def _places(folded: list[str]) -> dict[str, int | None]:
    """Return at which place each of our columns stands in a table."""
    places: dict[str, int | None] = {}
    # In Canvas's table "ID" is Canvas's own number, and people log in with something else.
    canvas = "id" in folded and "sisloginid" in folded
    for column, names in _NAMES.items():
        if canvas and column == "id":
            names = ("sisloginid", "sisuserid", "id")
        if canvas and column == "lms_id":
            names = ("id",)
        places[column] = next((folded.index(name) for name in names if name in folded), None)
    return places


def _is_points_row(row: list[str]) -> bool:
    """Tell Canvas's line of maximum points, and its test student, from people."""
    return row[0] in ("Points Possible", "Student, Test")


def _student(
    path: Path, line: int, row: list[str], places: dict[str, int | None], folded: list[str]
) -> Student:
    values = {
        column: row[place] if place is not None and place < len(row) else ""
        for column, place in places.items()
    }
    if not (values["last_name"] or values["first_name"]):
        full = next((folded.index(name) for name in _FULL_NAMES if name in folded), None)
        if full is not None and full < len(row):
            values["first_name"], values["last_name"] = _split_name(row[full])
    # Moodle writes "Participant 1234" where its file names have the number alone.
    values["lms_id"] = re.sub(r"^\D+(?=\d+$)", "", values["lms_id"])
    values["id"] = values["id"] or values["email"].partition("@")[0]
    if not values["id"]:
        raise UserError(f"{path}, line {line}: this student has no id.")
    if _UNSAFE.search(values["id"]):
        raise UserError(
            f"{path}, line {line}: the id {values['id']!r} cannot name a folder. Use letters, "
            "digits, dots, dashes and underscores."
        )
    return Student(**values)


def _split_name(full: str) -> tuple[str, str]:
    if "," in full:
        last, _, first = full.partition(",")
        return first.strip(), last.strip()
    first, _, last = full.strip().rpartition(" ")
    return first, last


def _refuse_twice(path: Path, students: Iterable[Student]) -> None:
    seen: dict[str, str] = {}
    for student in students:
        # Folders of some systems do not tell Ada from ada.
        key = student.id.casefold()
        if key in seen:
            raise UserError(
                f"{path}: the id {student.id!r} is there twice ({seen[key]}; {student.name}). "
                "Every student needs an id of their own."
            )
        seen[key] = student.name


def _write(path: Path, students: Iterable[Student]) -> None:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(student) for student in students)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(out.getvalue(), "utf-8")
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise UserError(
            f"{path}: {error.strerror}. The class's folder must be writable."
        ) from error


def with_repositories(students: list[Student], pattern: str) -> list[Student]:
    """Return the students with an address each, made from a pattern with ``{id}`` in it."""
    return [
        student
        if student.repository
        else replace(student, repository=pattern.replace("{id}", student.id))
        for student in students
    ]
