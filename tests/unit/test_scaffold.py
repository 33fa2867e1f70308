"""A new lab is green at once, and the command line explains itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

LAB = "s4_sample"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout with a lab made by the scaffold."""
    root = tmp_path_factory.mktemp("fresh")
    for name in ("autograder", "flights", "tests", "solutions", "labs", "course"):
        ignore = shutil.ignore_patterns("__pycache__", "work", "artifacts", "s?_*")
        shutil.copytree(ROOT / name, root / name, ignore=ignore if name != "autograder" else None)
    shutil.copy(ROOT / "pyproject.toml", root)
    made = _run(root, "-m", "autograder", "new-lab", LAB, "--title", "A sample")
    assert made.returncode == 0, made.stdout + made.stderr
    for path in ("solutions", "labs"):
        assert f"{path}/{LAB}/{LAB}.ipynb" in made.stdout
    return root


def _run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=root,
        env={**env, "PYTHONPATH": str(root), "COLUMNS": "120"},
        capture_output=True,
        text=True,
    )


def test_a_new_lab_is_built_and_formatted(checkout: Path) -> None:
    done = _run(checkout, "-m", "autograder", "build", "--check")
    assert done.returncode == 0, done.stdout
    for command in (["check"], ["format", "--check"]):
        files = ["autograder/checks", "autograder/starts", "solutions", f"tests/answers/{LAB}"]
        done = _run(checkout, "-m", "ruff", *command, *files)
        assert done.returncode == 0, done.stdout


def test_a_new_labs_answers_score_as_they_say(checkout: Path) -> None:
    tests = "scores_exactly or solution or nothing_done"
    done = _run(checkout, "-m", "pytest", "-q", "tests/answers", "-k", tests, "-p", "no:xdist")
    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout


def test_nothing_is_ever_overwritten(checkout: Path) -> None:
    done = _run(checkout, "-m", "autograder", "new-lab", LAB)
    assert done.returncode == 1
    assert "is there already" in done.stdout


@pytest.mark.parametrize("name", ["feast", "s7_feast", "s4_Feast", "s4_../x", "s4_"])
def test_other_names_are_refused(checkout: Path, name: str) -> None:
    done = _run(checkout, "-m", "autograder", "new-lab", name)
    assert done.returncode == 1
    assert "is no lab name" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["grade", "s4_smaple"], "There is no lab 's4_smaple'"),
        (["grade", LAB], "no submissions in"),
        (["build", "s9_nothing"], f"Labs: {LAB}"),
        (["demo", "s9_nothing"], "There is no lab"),
    ],
)
def test_mistakes_are_one_message_with_a_remedy(
    checkout: Path, arguments: list[str], says: str
) -> None:
    done = _run(checkout, "-m", "autograder", *arguments)
    assert done.returncode == 1
    assert says in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_outside_of_a_checkout_it_says_where_to_go(tmp_path: Path) -> None:
    done = _run(tmp_path, "-m", "autograder", "grade", "s2_git")
    assert done.returncode == 1
    assert "not inside the workbook" in done.stdout


def test_the_demo_ends_with_a_table_and_the_reports_path(checkout: Path) -> None:
    done = _run(checkout, "-m", "autograder", "demo", LAB)
    assert done.returncode == 0, done.stdout + done.stderr
    for part in ("katherine", "JSON breaks off", "Class report:", "Graded 12 submissions"):
        assert part in done.stdout
    report = checkout / ".cache" / "demo" / "reports" / f"{LAB}.html"
    assert report.stat().st_size > 10_000
