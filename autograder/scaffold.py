"""Write a new lab: one complete working task, its check, its start state, two answers."""

from __future__ import annotations

import re
from pathlib import Path
from string import Template

from autograder.paths import Course, UserError

TEMPLATE = Path(__file__).parent / "template"
_NAME = re.compile(r"s[1-6]_[a-z][a-z0-9_]{1,30}")


def new_lab(course: Course, name: str, title: str | None = None) -> list[Path]:
    """Write the files of a new lab and return their paths; nothing is ever overwritten.

    Raises UserError for a name of another form, or one that is taken.
    """
    if not _NAME.fullmatch(name):
        raise UserError(
            f"{name!r} is no lab name. Write s, the stage 1-6, an underscore and the tool in small "
            "letters: s4_feast, s2_ci. It sorts in course order and shadows no package."
        )
    package = course.root / "autograder"
    goals = {
        "lab.py.in": course.solutions / name / f"{name}.py",
        "checks.py.in": package / "checks" / f"{name}.py",
        "starts.py.in": package / "starts" / f"{name}.py",
        "wrong.py.in": course.root / "tests" / "answers" / name / "wrong_counts_every_flight.py",
        "right.py.in": course.root / "tests" / "answers" / name / "right_in_the_terminal.py",
    }
    if taken := [goal for goal in goals.values() if goal.exists()]:
        raise UserError(f"lab {name} is there already: {taken[0]}. Choose another name.")
    words = {"lab": name, "title": title or name.partition("_")[2].replace("_", " ").capitalize()}
    for template, goal in goals.items():
        goal.parent.mkdir(parents=True, exist_ok=True)
        text = Template((TEMPLATE / template).read_text("utf-8")).substitute(words)
        goal.write_text(text, "utf-8", newline="\n")
    return list(goals.values())
