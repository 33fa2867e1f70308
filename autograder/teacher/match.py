"""Whose is this file?  Learning platforms put names and numbers into what they let you download."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from autograder.teacher.roster import Student

# Moodle: "Ada Lovelace_1234567_assignsubmission_file_", as a folder or before the file's name.
MOODLE = re.compile(
    r"^(?:.*/)?(?P<name>[^/]+)_(?P<lms_id>\d+)_assignsubmission_(?:file|onlinetext)_?(?=/|$|[^/]*$)"
)
# Canvas: "lovelaceada_LATE_340934_208490284_s2_git-1.zip", name, its user, its upload.
CANVAS = re.compile(
    r"^(?:.*/)?(?P<name>[^/_]+)(?P<late>_LATE)?_(?P<lms_id>\d+)_\d+_[^/]+$", re.IGNORECASE
)
_LETTERS = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ı": "i", "ß": "ss", "æ": "ae", "œ": "oe"})


@dataclass(frozen=True)
class Match:
    """Whose a file is, or why nobody's: exactly one of the two is set."""

    student: Student | None
    why: str = ""


class Matcher:
    """Finds the student of a file by its name."""

    def __init__(self, students: Iterable[Student]) -> None:
        self.students = list(students)

    def of(self, name: str) -> Match:
        """Return whose file this is; a guess between two people is never made.

        Looks, in this order, for the platform's number, for names as Moodle and Canvas write them,
        and for an id, an e-mail address or another name of the roster as a part of its own.
        """
        if found := MOODLE.match(name) or CANVAS.match(name):
            if numbered := [s for s in self.students if s.lms_id == found["lms_id"]]:
                return _only(numbered, f"number {found['lms_id']}")
            named = [s for s in self.students if fold(found["name"]) in _names(s)]
            if not named:
                # In group work Moodle puts the group's name and a dash first.
                rest = fold(found["name"].rpartition("-")[2])
                named = [s for s in self.students if rest in _names(s)]
            return _only(named, f"the name “{found['name']}”")
        last = name.rpartition("/")[2]
        lengths = {s.id: _mentioned(s, last) for s in self.students}
        # Where "ann" and "ann-lee" are in the class, ann-lee.zip is the latter's.
        longest = max(lengths.values(), default=0)
        named = [s for s in self.students if longest and lengths[s.id] == longest]
        return _only(named, f"“{last}”")


def _only(found: list[Student], what: str) -> Match:
    if len(found) == 1:
        return Match(found[0])
    if not found:
        return Match(None, f"nobody in the roster goes by {what}")
    return Match(None, f"{what} fits {', '.join(s.id for s in found)}")


def _names(student: Student) -> set[str]:
    first, last = student.first_name, student.last_name
    own = [f"{first}{last}", f"{last}{first}", student.id, *student.also.split(";")]
    return {fold(name) for name in own} - {""}


def _mentioned(student: Student, name: str) -> int:
    """Return the length of the longest of a student's names that is a part of a file's name.

    Ids may hold the signs that separate parts, so they are looked for and not cut out.
    """
    stem = re.sub(r"(?i)\.(zip|ipynb|git)$", "", name)
    words = [student.id, student.email, student.email.partition("@")[0], *student.also.split(";")]
    found = [
        len(word)
        for word in map(str.strip, words)
        if word and re.search(rf"(?i)(?<![^\W_]){re.escape(word)}(?![^\W_])", stem)
    ]
    return max(found, default=len(stem) if fold(stem) in _names(student) else 0)


def fold(name: str) -> str:
    """Return a name without accents, case, spaces and signs: ``O'Brien-Łoś`` is ``obrienlos``."""
    plain = unicodedata.normalize("NFKD", name).casefold().translate(_LETTERS)
    return "".join(c for c in plain if c.isalnum())
