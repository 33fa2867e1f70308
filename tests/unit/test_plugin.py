"""Our engine inside plain ``nbgrader autograde``, by two lines of configuration."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

from autograder import gradebook, sandbox
from autograder.paths import Course
from autograder.source import write_notebook
from tests.attacks import arena
from tests.attacks.attacks import ATTACKS
from tests.conftest import ROOT

pytestmark = pytest.mark.skipif(
    not sandbox.available(), reason="needs bubblewrap: apt-get install bubblewrap"
)

PLUGGED_IN = """
from autograder.plugin import AUTOGRADE_STEPS

c.Autograde.autograde_preprocessors = AUTOGRADE_STEPS
c.CourseDirectory.release_directory = "made"
"""
TRICKS = ("ast_transformer_drops_checks", "run_code_hijacked", "number_as_result")


@pytest.fixture
def klass(tmp_path: Path) -> Course:
    """A class of one honest student and three who try what works on plain nbgrader."""
    course = arena.make_course(tmp_path)
    course.gradebook.unlink()
    # Plain nbgrader takes its answers and hidden tests from here.
    write_notebook(arena.solution(), course.solutions / arena.LAB / f"{arena.LAB}.ipynb")
    config = (ROOT / "autograder" / "nbgrader_config.py").read_text()
    (tmp_path / "nbgrader_config.py").write_text(config + PLUGGED_IN)
    for attack in ATTACKS:
        if attack.name in TRICKS:
            arena.hand_in(attack, course, attack.name)
    return course


def _nbgrader(course: Course, *words: str) -> str:
    done = subprocess.run(["nbgrader", *words], cwd=course.root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stderr


def test_nbgrader_grades_with_our_engine(klass: Course) -> None:
    _nbgrader(klass, "generate_assignment", arena.LAB)
    _nbgrader(klass, "autograde", arena.LAB)
    with Gradebook(gradebook.url(klass)) as book:
        scores = {s.student.id: s.score for s in book.assignment_submissions(arena.LAB)}
    full = sum(c.metadata.nbgrader.get("points", 0) for c in arena.master().cells)
    assert scores == {"ada": full, **dict.fromkeys(TRICKS, 0)}
    placed = klass.autograded / "ada" / arena.LAB / f"{arena.LAB}.ipynb"
    outputs = [o for c in nbformat.read(placed, 4).cells for o in c.get("outputs", ())]
    assert not [o for o in outputs if o.output_type == "error"]


def test_without_a_sandbox_it_refuses(klass: Course, tmp_path: Path) -> None:
    for student in TRICKS:
        shutil.rmtree(klass.submitted / student)
    _nbgrader(klass, "generate_assignment", arena.LAB)
    # A folder of programs that has all but bubblewrap.
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("git", "bash", "env"):
        (programs / name).symlink_to(str(shutil.which(name)))
    done = subprocess.run(
        [str(shutil.which("nbgrader")), "autograde", arena.LAB],
        cwd=klass.root,
        env={"PATH": str(programs), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert "bubblewrap" in done.stderr
    assert not list(klass.autograded.glob("ada/*/*.ipynb"))
