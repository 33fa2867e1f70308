"""An invented class, as a learning platform hands it over: to try the whole evening once."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from autograder.answers import hand_in
from autograder.build import release_notebook, solution_notebook
from autograder.demo import choose_answers
from autograder.paths import Course, UserError
from autograder.teacher.match import fold
from autograder.teacher.roster import COLUMNS, Student

MARK = ".practice"
DUE = "2026-12-01 18:00 UTC"
_IN_TIME, _LATE = datetime(2026, 11, 30, 9, 30), datetime(2026, 12, 2, 20, 15)
# Everybody hands in but the last one, and Dorothy is a day late.
_PEOPLE = (
    ("ada", "Lovelace", "Ada"),
    ("blaise", "Pascal", "Blaise"),
    ("wu", "Wu", "Chien-Shiung"),
    ("dorothy", "Hodgkin", "Dorothy"),
    ("noether", "Noether", "Emmy"),
    ("francois", "Viète", "François"),
)


def make_practice(course: Course, lab: str, into: Path) -> list[Path]:
    """Fill a folder with a roster and one class's work in every form, and return what it holds.

    Raises UserError for an unknown lab, or a folder that holds something else.
    """
    course.require_lab(lab)
    if into.exists() and any(into.iterdir()) and not (into / MARK).exists():
        raise UserError(f"{into} is not empty; name a folder that is, with --into.")
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    (into / MARK).touch()
    people = [
        Student(id_, last, first, f"{id_}@example.edu", str(4100 + n), "", f"{into}/git/{id_}.git")
        for n, (id_, last, first) in enumerate(_PEOPLE)
    ]
    people[-1] = replace(people[-1], repository="")
    with tempfile.TemporaryDirectory(prefix="practice-") as scratch:
        packed = _work(course, lab, people[:-1], Path(scratch))
        _roster(into / "class.csv", people)
        _moodle(into / "moodle.zip", packed, lab)
        _canvas(into / "canvas.zip", packed, lab)
        _folder(into / "zips", packed)
        _repositories(into / "git", packed, lab, Path(scratch))
    _worksheet(into / "moodle-worksheet.csv", people)
    _gradebook(into / "canvas-gradebook.csv", people, lab)
    return sorted(path for path in into.iterdir() if path.name != MARK)


def _time_of(student: Student) -> datetime:
    return _LATE if student.id == "dorothy" else _IN_TIME


def _work(
    course: Course, lab: str, people: Iterable[Student], scratch: Path
) -> list[tuple[Student, Path]]:
    """Let everybody do the lab, each in a way the grader is tested with, and pack it."""
    solution = solution_notebook(course, lab)
    release = release_notebook(solution)
    answers = choose_answers(course, lab)
    packed = []
    for student, answer in zip(people, answers[1:], strict=False):
        folder = scratch / student.id / lab
        hand_in(answer, solution, release, folder)
        archive = shutil.make_archive(str(scratch / student.id / lab), "zip", folder.parent, lab)
        packed.append((student, Path(archive)))
    return packed


def _roster(path: Path, people: Iterable[Student]) -> None:
    _table(path, [COLUMNS, *([getattr(s, column) for column in COLUMNS] for s in people)])


def _moodle(path: Path, packed: Iterable[tuple[Student, Path]], lab: str) -> None:
    with zipfile.ZipFile(path, "w") as file:
        for s, archive in packed:
            file.write(archive, f"{s.name}_{s.lms_id}_assignsubmission_file_/{lab}.zip")


def _canvas(path: Path, packed: Iterable[tuple[Student, Path]], lab: str) -> None:
    with zipfile.ZipFile(path, "w") as file:
        for n, (s, archive) in enumerate(packed):
            late = "_LATE" if _time_of(s) == _LATE else ""
            name = fold(s.last_name + s.first_name)
            file.write(archive, f"{name}{late}_{s.lms_id}_{90210 + n}_{lab}.zip")


def _folder(path: Path, packed: Iterable[tuple[Student, Path]]) -> None:
    path.mkdir()
    for student, archive in packed:
        target = path / f"{student.id}.zip"
        shutil.copyfile(archive, target)
        at = (_time_of(student) - datetime(1970, 1, 1)).total_seconds()
        os.utime(target, (at, at))


def _repositories(
    path: Path, packed: Iterable[tuple[Student, Path]], lab: str, scratch: Path
) -> None:
    """Make a repository for each, with what `autograder pack` wrote committed in it."""
    for student, archive in packed:
        clone = scratch / f"{student.id}-clone"
        clone.mkdir()
        shutil.copyfile(archive, clone / f"{lab}.zip")
        when = f"{_time_of(student).isoformat()}+00:00"
        who = {"NAME": student.name, "EMAIL": student.email, "DATE": when}
        env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
        env |= {f"GIT_{role}_{k}": v for role in ("AUTHOR", "COMMITTER") for k, v in who.items()}
        bare = str(path / f"{student.id}.git")
        for command in (
            ["init", "-q", "-b", "main"],
            ["add", "-A"],
            ["commit", "-q", "-m", f"Hand in {lab}"],
            ["clone", "-q", "--bare", ".", bare],
        ):
            subprocess.run(["git", *command], cwd=clone, env=env, check=True, capture_output=True)


def _worksheet(path: Path, people: Iterable[Student]) -> None:
    head = ["Identifier", "Full name", "Email address", "Status", "Grade", "Maximum Grade"]
    head += ["Grade can be changed", "Last modified (submission)", "Last modified (grade)"]
    rows = [head]
    for s in people:
        gone = s.id == _PEOPLE[-1][0]
        when = "-" if gone else f"{_time_of(s):%A, %d %B %Y, %I:%M %p} UTC"
        status = "No submission" if gone else "Submitted for grading"
        name = f"Participant {s.lms_id}"
        rows.append([name, s.name, s.email, status, "", "100.00", "Yes", when, "-"])
    _table(path, rows)


def _gradebook(path: Path, people: Iterable[Student], lab: str) -> None:
    rows = [["Student", "ID", "SIS User ID", "SIS Login ID", "Section", f"{lab} (7301)"]]
    rows.append(["Points Possible", "", "", "", "", "100"])
    for s in people:
        rows.append([f"{s.last_name}, {s.first_name}", s.lms_id, "", s.id, "MLOps 1", ""])
    _table(path, rows)


def _table(path: Path, rows: Iterable[Iterable[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
