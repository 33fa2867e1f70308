"""Bring what was handed in to ``submitted/<student>/<lab>/``, and say what could not be placed.

Sources: what a learning platform lets you download (Canvas, Moodle), a folder of zip files or of
folders, a Git repository per student.  nbgrader's exchange has ``nbgrader collect``.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from nbgrader.utils import parse_utc

from autograder.grade import fingerprint
from autograder.gradebook import timestamp_of
from autograder.lab import free_name
from autograder.paths import Course, UserError
from autograder.staging import remove_tree, stage
from autograder.submission import SubmissionError
from autograder.teacher.archives import (
    ArchiveError,
    find_lab,
    notebooks_in,
    unpack,
    unpack_inner,
)
from autograder.teacher.late import read_time
from autograder.teacher.match import CANVAS, Matcher
from autograder.teacher.roster import Student, read_table

STAMP = "timestamp.txt"
_CLONES = 8
_CLONE_SECONDS = 300
# A stranger's repository may bring files, and nothing that runs.
_QUIET_GIT = [
    "git",
    *("-c", "core.hooksPath=/dev/null", "-c", "core.symlinks=false", "-c", "core.fsmonitor=false"),
    *("-c", "core.attributesFile=/dev/null", "-c", "protocol.ext.allow=never"),
    *("-c", "submodule.recurse=false", "-c", "filter.lfs.smudge=", "-c", "filter.lfs.required=no"),
]


class Outcome(StrEnum):
    """What became of a student's submission."""

    NEW = "new"
    UPDATED = "updated"
    SAME = "unchanged"
    OLDER = "older than what is there"


@dataclass(frozen=True)
class Placed:
    """A submission that was collected.

    ``evidence`` tells whether its ``work`` folder came along, ``notes`` what was odd about it.
    """

    student: Student
    outcome: Outcome
    source: str
    received: datetime | None = None
    evidence: bool = True
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Left:
    """Something that could not be collected, and why."""

    source: str
    why: str


@dataclass
class Collection:
    """All that one collecting did."""

    lab: str
    placed: list[Placed] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    nothing_from: list[Student] = field(default_factory=list)


@dataclass(frozen=True)
class _Item:
    """One thing that was found and belongs to somebody: a folder with its files unpacked."""

    student: Student
    source: str
    folder: Path
    received: datetime | None
    notes: tuple[str, ...] = ()


def collect_files(
    course: Course,
    lab: str,
    source: Path,
    students: list[Student],
    *,
    file_times: bool = False,
    times: Path | None = None,
) -> Collection:
    """Collect a lab from a download of a platform or from a folder.

    ``times`` is a table that says who handed in when (Moodle's grading worksheet does);
    ``file_times`` takes the files' own times.  Raises UserError if the source or the table cannot
    be read.
    """
    course.require_lab(lab)
    if not source.exists():
        raise UserError(f"{source} does not exist.")
    known = read_times(times, students) if times else {}
    with _scratch(course) as scratch:
        left: list[Left] = []
        items = list(_items(source, Matcher(students), lab, scratch, left, file_times))
        items = [
            _Item(i.student, i.source, i.folder, known.get(i.student.id, i.received), i.notes)
            for i in items
        ]
        return _place_all(course, lab, items, left, students)


def collect_repositories(
    course: Course, lab: str, students: list[Student], branch: str = ""
) -> Collection:
    """Collect a lab from each student's Git repository, as its branch is now.

    The time of a submission is that of the last commit, which is what the student's computer said.
    """
    course.require_lab(lab)
    with_one = [student for student in students if student.repository]
    if not with_one:
        raise UserError(
            "nobody in the roster has a repository: add a column repository, or give a pattern: "
            "--repositories 'https://git.example.org/class/{id}.git'."
        )
    with _scratch(course) as scratch, ThreadPoolExecutor(_CLONES) as pool:
        work = [(s, scratch / f"clone-{n}", branch) for n, s in enumerate(with_one)]
        found = list(pool.map(lambda job: _clone(*job), work))
        items = [item for item in found if isinstance(item, _Item)]
        left = [item for item in found if isinstance(item, Left)]
        return _place_all(course, lab, items, left, students)


def read_times(path: Path, students: list[Student]) -> dict[str, datetime]:
    """Read who handed in when (UTC) from a table with a column for the person and one for the time.

    Raises UserError if there are no such columns.
    """
    rows = read_table(path)
    heads = [re.sub(r"[^a-z]", "", heading.lower()) for heading in rows[0]]
    when = next(
        (
            heads.index(name)
            for name in ("lastmodifiedsubmission", "timestamp", "submittedat", "submitted", "time")
            if name in heads
        ),
        None,
    )
    if when is None:
        raise UserError(
            f"{path}: no column says when something was handed in. Moodle's grading worksheet has "
            f"“Last modified (submission)”; timestamp does, too. Found: {', '.join(rows[0])}."
        )
    whose = {key: s.id for s in students for key in (s.id, s.email, s.lms_id) if key}
    found = {}
    for row in rows[1:]:
        keys = [re.sub(r"^\D+(?=\d+$)", "", cell) for cell in row] + row
        student = next((whose[key] for key in keys if key in whose), None)
        if student and when < len(row) and re.search(r"\d", row[when]):
            found[student] = read_time(row[when])
    return found


# --- What is there -----------------------------------------------------------------------------


def _items(
    source: Path,
    matcher: Matcher,
    lab: str,
    scratch: Path,
    left: list[Left],
    file_times: bool,
) -> Iterator[_Item]:
    """Yield what belongs to somebody; what belongs to nobody goes to ``left``."""
    top = source
    if source.is_file():
        top = scratch / "download"
        try:
            room = shutil.disk_usage(scratch).free - (1 << 30)
            notes = unpack(source, top, max_files=1_000_000, max_bytes=room)
        except ArchiveError as error:
            raise UserError(f"{source}: {error}.") from error
        left += [Left(source.name, note) for note in notes]
    for number, (path, name) in enumerate(_candidates(top, matcher, lab)):
        match = matcher.of(name)
        if match.student is None:
            left.append(Left(name, match.why))
            continue
        folder, notes = scratch / f"item-{number}", []
        try:
            if path.is_dir():
                notes += stage(path, folder)
                notes += unpack_inner(folder)
            elif path.suffix.lower() == ".zip":
                notes += unpack(path, folder)
                notes += unpack_inner(folder)
            elif path.suffix.lower() != ".ipynb":
                raise ArchiveError("neither a zip file nor a notebook")
            else:
                folder.mkdir()
                shutil.copyfile(path, folder / f"{lab}.ipynb", follow_symlinks=False)
        except (ArchiveError, SubmissionError) as error:
            left.append(Left(name, f"{match.student.id}: {error}"))
            continue
        if (found := CANVAS.match(name)) and found["late"]:
            notes.append("Canvas marked it late")
        received = datetime.fromtimestamp(path.stat().st_mtime, UTC) if file_times else None
        yield _Item(
            match.student,
            name,
            folder,
            received.replace(tzinfo=None) if received else None,
            tuple(notes),
        )


def _candidates(
    top: Path, matcher: Matcher, lab: str, inside: str = "", deep: int = 2
) -> Iterator[tuple[Path, str]]:
    """Yield files and folders that may be somebody's, with their names below the top.

    A folder that is nobody's and holds no lab is looked into: platforms and people pack one more
    folder around everything.
    """
    for path in sorted(top.iterdir()):
        if path.name.startswith(".") or path.name == "__MACOSX" or path.is_symlink():
            continue
        name = f"{inside}{path.name}"
        nobodys = path.is_dir() and matcher.of(name).student is None
        if nobodys and deep and not (path / f"{lab}.ipynb").exists():
            yield from _candidates(path, matcher, lab, f"{name}/", deep - 1)
        elif path.suffix.lower() != ".csv":
            yield path, name


# --- Git ---------------------------------------------------------------------------------------


def _clone(student: Student, target: Path, branch: str) -> _Item | Left:
    command = [*_QUIET_GIT, "clone", "--quiet", "--depth=1", "--single-branch", "--no-tags"]
    command += ["--template=", "--no-recurse-submodules"]
    command += [f"--branch={branch}"] if branch else []
    env = {
        **{k: v for k, v in os.environ.items() if not k.startswith("GIT_DIR")},
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_SSH_COMMAND": os.environ.get("GIT_SSH_COMMAND", "ssh -o BatchMode=yes"),
    }

    def run(*argv: str) -> str:
        done = subprocess.run(
            argv, env=env, capture_output=True, text=True, timeout=_CLONE_SECONDS, check=True
        )
        return done.stdout.strip()

    try:
        run(*command, "--", student.repository, str(target))
        stamp = run(*_QUIET_GIT, "-C", str(target), "log", "-1", "--format=%cI")
    except subprocess.TimeoutExpired:
        return Left(student.id, f"{student.repository}: no answer for {_CLONE_SECONDS} s")
    except subprocess.CalledProcessError as error:
        said = (error.stderr.strip().splitlines() or ["git failed"])[-1]
        return Left(student.id, f"{student.repository}: {said[:200]}")
    remove_tree(target / ".git")
    notes = unpack_inner(target)
    return _Item(student, student.repository, target, parse_utc(stamp), tuple(notes))


# --- Placing -----------------------------------------------------------------------------------


def _place_all(
    course: Course, lab: str, items: Iterable[_Item], left: list[Left], students: list[Student]
) -> Collection:
    result = Collection(lab, left=left)
    by_student: dict[str, list[_Item]] = {}
    for item in items:
        by_student.setdefault(item.student.id, []).append(item)
    for own in by_student.values():
        usable = [(item, found) for item in own if (found := find_lab(item.folder, lab))]
        for item in own if not usable else []:
            result.left.append(Left(item.source, f"{item.student.id}: {_instead(item, lab)}"))
        if usable:
            result.placed.append(_place_best(course, lab, usable, result.left))
    placed = {p.student.id for p in result.placed}
    result.nothing_from = [s for s in students if s.id not in placed]
    return result


def _instead(item: _Item, lab: str) -> str:
    others = ", ".join(notebooks_in(item.folder)[:3])
    notes = "".join(f"; {note}" for note in item.notes)
    return f"no {lab}.ipynb in it ({others or 'and no other notebook'}){notes}"


def _place_best(
    course: Course, lab: str, usable: list[tuple[_Item, tuple[Path, str]]], left: list[Left]
) -> Placed:
    """Place the best of what one student handed in: with evidence, newest, last by name."""

    def rank(one: tuple[_Item, tuple[Path, str]]) -> tuple[bool, datetime, list[int], str]:
        item, (folder, _) = one
        numbers = [int(n) for n in re.findall(r"\d+", item.source)]
        return (folder / "work").is_dir(), item.received or datetime.min, numbers, item.source

    *others, (item, (folder, notebook)) = sorted(usable, key=rank)
    notes = list(item.notes)
    notes += [f"{other.source} is from the same student and was not taken" for other, _ in others]
    if notebook != f"{lab}.ipynb":
        notes.append(f"the notebook was called {notebook}")
        (folder / notebook).rename(folder / f"{lab}.ipynb")
    evidence = (folder / "work").is_dir()
    outcome = _place(course, lab, item.student, folder, item.received)
    return Placed(item.student, outcome, item.source, item.received, evidence, tuple(notes))


def _place(
    course: Course, lab: str, student: Student, folder: Path, received: datetime | None
) -> Outcome:
    goal = course.submitted / student.id / lab
    new = folder.with_name(f"{folder.name}.placing")
    stage(folder, new)
    # The time is what we know, not what the student says.
    (new / STAMP).unlink(missing_ok=True)
    before = timestamp_of(goal)
    outcome = Outcome.NEW
    if goal.exists():
        if _alike(goal, new):
            # From a source that knows no times, the same work does not wipe the time there is.
            if received is None or received == before:
                return Outcome.SAME
            _stamp(goal, received)
            return Outcome.UPDATED
        if before and received and received < before:
            return Outcome.OLDER
        outcome = Outcome.UPDATED
        goal.rename(free_name(goal))
    if received:
        _stamp(new, received)
    goal.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(new, goal)
    return outcome


def _stamp(folder: Path, received: datetime) -> None:
    (folder / STAMP).write_text(f"{received:%Y-%m-%d %H:%M:%S.%f} UTC", "utf-8")


def _alike(one: Path, other: Path) -> bool:
    """Tell whether two folders hold the same, whenever they were handed in."""
    with tempfile.TemporaryDirectory(dir=other.parent) as scratch:
        bare = Path(scratch) / "bare"
        stage(one, bare)
        (bare / STAMP).unlink(missing_ok=True)
        return fingerprint(bare) == fingerprint(other)


@contextmanager
def _scratch(course: Course) -> Iterator[Path]:
    """A folder on the class's own disk, gone afterwards."""
    parent = course.root / ".grading"
    try:
        parent.mkdir(parents=True, exist_ok=True)
        course.submitted.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix="collecting-", dir=parent))
    except OSError as error:
        raise UserError(
            f"{error.filename}: {error.strerror}. The class's folder must be writable."
        ) from error
    try:
        yield scratch
    except OSError as error:
        raise UserError(f"{error.filename or scratch}: {error.strerror}.") from error
    finally:
        remove_tree(scratch)
