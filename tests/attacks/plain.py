"""The control: the same attacks against plain nbgrader.

nbgrader runs a student's code with the rights of whoever grades, so it runs here in a sandbox of
its own, with a course of its own; attacks that could still harm this machine are not run at all.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import autograder
from autograder.paths import Course
from autograder.source import write_notebook
from tests.attacks import arena
from tests.attacks import elsewhere as labs
from tests.attacks.arena import LAB, SECRET
from tests.attacks.attacks import Attack
from tests.conftest import notebooks

_WORKER = """
import sys
from autograder import sandbox
from nbgrader.apps import NbGraderAPI
from traitlets.config import PyFileConfigLoader
root, settings, step, *names = sys.argv[1:]
config = PyFileConfigLoader("nbgrader_config.py", settings).load_config()
config.CourseDirectory.root = root
config.Execute.timeout = 10
assert sandbox.available(), "checks would work without walls here"
api = NbGraderAPI(config=config)
done = api.generate_assignment(*names) if step == "generate" else api.autograde(*names)
print("DONE" if done["success"] else "FAILED " + str(done.get("error"))[-600:])
"""
# No process of this machine is in sight, no file can be written, and yet checks can build walls of
# their own inside: for that bubblewrap needs a whole /proc and the right to map users.
_WALLS = (
    *("unshare", "--user", "--map-root-user", "--fork", "--pid", "--mount-proc", "--kill-child"),
    *("bwrap", "--unshare-user", "--unshare-ipc", "--unshare-uts", "--unshare-net"),
    *("--cap-drop", "ALL", "--cap-add", "CAP_SETFCAP", "--die-with-parent", "--new-session"),
    *("--ro-bind", "/", "/", "--dev", "/dev", "--bind", "/proc", "/proc", "--tmpfs", "/tmp"),
)
_ADAS = "submitted_assignment.student_id = 'ada'"
_SCORES = """
select sum(coalesce(grade.manual_score, grade.auto_score)) from grade
join submitted_notebook on grade.notebook_id = submitted_notebook.id
join submitted_assignment on submitted_notebook.assignment_id = submitted_assignment.id
where submitted_assignment.student_id = ?
"""


def run(attack: Attack, root: Path) -> str:
    """Grade one attack with plain nbgrader and say in a few words what it gained or broke."""
    elsewhere = attack.lab != LAB
    if not (attack.plain or elsewhere):
        return "not run"
    shutil.copytree(_graded_course(attack.lab, attack.task), root, symlinks=True)
    course = Course(root)
    (labs.hand_in if elsewhere else arena.hand_in)(attack, course)
    before, score = arena.snapshot(course.submitted / "ada"), _score(course, "ada")
    said = _nbgrader(course, "autograde", attack.lab, "eve")
    harm = []
    if (points := _score(course, "eve")) > attack.worth:
        most = "" if elsewhere else f" of {_most()}"
        harm.append(f"**{points - attack.worth:g}{most} points**")
    if not (course.submitted / "ada").exists() or before != arena.snapshot(
        course.submitted / "ada"
    ):
        harm.append("**another's submission changed**")
    if _score(course, "ada") != score:
        harm.append("**another's score changed**")
    secrets = (SECRET, *(() if elsewhere else ("data/weather.csv",)))
    if any(_reads(course, attack.lab, secret) for secret in secrets):
        harm.append("**secrets read**")
    if (course.root / arena.MARK).exists():
        harm.append("**ran a program**")
    if "DONE" not in said:
        harm.append("not graded, an error for the instructor")
    return ", ".join(harm) or "no gain"


def _reads(course: Course, lab: str, secret: str) -> bool:
    """Tell whether outputs of the attacker's graded notebook hold a secret."""
    path = course.autograded / "eve" / lab / f"{lab}.ipynb"
    if not path.is_file():
        return False
    with contextlib.suppress(ValueError, OSError):
        cells = json.loads(path.read_text("utf-8", "replace"))["cells"]
        return any(secret in json.dumps(c.get("outputs", [])) for c in cells)
    return False


def _most() -> str:
    points = (c.metadata.nbgrader.get("points", 0) for c in arena.master().cells)
    return f"{sum(points):g}"


def _score(course: Course, student: str) -> float:
    with contextlib.suppress(sqlite3.Error):
        database = sqlite3.connect(course.gradebook)
        try:
            return float(database.execute(_SCORES, (student,)).fetchone()[0] or 0)
        finally:
            database.close()
    return -1.0


@cache
def _graded_course(lab: str, task: int) -> Path:
    """A course in which nbgrader has released the lab, or a task of it, and graded Ada."""
    root = Path(tempfile.mkdtemp(prefix="attacks-plain-")) / "course"
    if lab == LAB:
        course = arena.make_course(root)
        arena.victim(course, "ada")
        shutil.copytree(arena.done_by_ada() / "work", course.submitted / "ada" / LAB / "work")
    else:
        course = labs.make_course(root, lab)
        solution, release, _ = notebooks(lab)
        write_notebook(labs.cut(solution, lab, task), course.solutions / lab / f"{lab}.ipynb")
        release = labs.cut(release, lab, task)
        write_notebook(release, course.submitted / "ada" / lab / f"{lab}.ipynb")
    course.gradebook.unlink()
    for step in (("generate", lab), ("autograde", lab, "ada")):
        said = _nbgrader(course, *step)
        assert "DONE" in said, said
    return root


def _nbgrader(course: Course, *arguments: str) -> str:
    """Run nbgrader on a course, behind walls, and return what it said."""
    settings = str(Path(autograder.__file__).parent)
    command = [
        *_WALLS,
        *("--bind", str(course.root), str(course.root), "--chdir", str(course.root)),
        *("--setenv", "HOME", "/tmp", "--setenv", "PATH", os.environ["PATH"], "--"),
        *(sys.executable, "-c", _WORKER, str(course.root), settings, *arguments),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    except subprocess.TimeoutExpired:
        return "no end within 300 s"
    return done.stdout + done.stderr[-2000:]
