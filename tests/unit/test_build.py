"""The build: what it refuses, what it releases, and that it changes nothing when it fails."""

from __future__ import annotations

import shutil
from pathlib import Path

import nbformat
import pytest

from autograder import build, pages
from autograder.build import release_notebook, solution_notebook
from autograder.paths import Course, UserError
from autograder.source import SourceError, dumps, read_source
from tests.conftest import COURSE, ROOT, notebooks

LABS = COURSE.lab_names()
LAB = "s2_git"


@pytest.fixture
def copy(tmp_path: Path) -> Course:
    """A course with one lab's source in it, to break."""
    target = Course(tmp_path)
    (target.solutions / LAB).mkdir(parents=True)
    (target.labs / LAB).mkdir(parents=True)
    shutil.copy(COURSE.solutions / LAB / f"{LAB}.py", target.solutions / LAB)
    return target


def _edit(course: Course, old: str, new: str) -> None:
    path = course.solutions / LAB / f"{LAB}.py"
    text = path.read_text("utf-8")
    assert old in text, f"{old!r} is not in the lab any more: adapt this test"
    path.write_text(text.replace(old, new, 1), "utf-8")


@pytest.mark.parametrize("lab", LABS)
def test_committed_notebooks_are_what_the_source_makes(lab: str) -> None:
    assert build.stale(COURSE, lab) == []


@pytest.mark.parametrize("name", pages.page_names(COURSE))
def test_committed_pages_are_what_the_source_makes(name: str) -> None:
    assert pages.stale(COURSE, name) == []


@pytest.mark.parametrize("lab", LABS)
def test_two_builds_are_byte_identical(lab: str) -> None:
    one, other = (release_notebook(solution_notebook(COURSE, lab)) for _ in range(2))
    assert dumps(one) == dumps(other)


@pytest.mark.parametrize("lab", LABS)
def test_a_release_gives_nothing_away(lab: str) -> None:
    solution, release, _ = notebooks(lab)
    text = dumps(release)
    for mark in ("BEGIN SOLUTION", "BEGIN HIDDEN", "### END"):
        assert mark not in text
    for cell in release.cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            original = next(c for c in solution.cells if c.id == cell.id)
            inside = original.source.split("### BEGIN SOLUTION\n")[1].split("\n### END")[0]
            assert inside not in text


@pytest.mark.parametrize("lab", LABS)
def test_cell_ids_are_unique_and_name_graded_cells(lab: str) -> None:
    cells = notebooks(lab)[1].cells
    ids = [c.id for c in cells]
    assert len(set(ids)) == len(ids)
    for cell in cells:
        if grade_id := cell.metadata.get("nbgrader", {}).get("grade_id"):
            assert cell.id == grade_id


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('# %% check="first_commit"', '# %% check="no_such"', "no_such"),
        ("check.first_commit(", "check.something_else(", "does not call check.first_commit"),
        ("check.first_commit(work", "check.first_commit(repo", "'repo'"),
        ("# %% [markdown] hint=1", "# %% [markdown]", "task 1 has no hint cell"),
        ("# <details><summary>Hint", "# Hint <details><summary>", "not folded"),
        ("### 1 · ", "### 11 · ", "its heading is not"),
        ("### BEGIN SOLUTION", "### BEGIN SOLUTIO", "no ### BEGIN SOLUTION"),
    ],
)
def test_refuses_a_bad_source(copy: Course, old: str, new: str, says: str) -> None:
    _edit(copy, old, new)
    with pytest.raises(SourceError, match=says) as caught:
        solution_notebook(copy, LAB)
    assert f"{LAB}.py" in str(caught.value)


def test_refuses_points_that_do_not_add_up(copy: Course) -> None:
    text = (copy.solutions / LAB / f"{LAB}.py").read_text("utf-8")
    (copy.solutions / LAB / f"{LAB}.py").write_text(
        text.replace(" points**", "9 points**").replace(" point**", "9 points**"), "utf-8"
    )
    with pytest.raises(SourceError, match="its checks add up to"):
        solution_notebook(copy, LAB)


def test_refuses_an_id_used_twice(copy: Course) -> None:
    path = copy.solutions / LAB / f"{LAB}.py"
    text = path.read_text("utf-8")
    cell = next(p for p in text.split("# %% ") if p.startswith("answer="))
    path.write_text(text + "\n# %% " + cell, "utf-8")
    with pytest.raises(SourceError, match="used twice"):
        solution_notebook(copy, LAB)


def test_refuses_an_unexpected_file(copy: Course) -> None:
    (copy.solutions / LAB / "data.csv").touch()
    source = solution_notebook(copy, LAB)
    with pytest.raises(SourceError, match=r"unexpected file solutions/s2_git/data\.csv"):
        build.refuse_leaks(copy, LAB, source, release_notebook(source))


def test_refuses_a_hidden_line_that_learners_see(copy: Course) -> None:
    source = solution_notebook(copy, LAB)
    hidden = next(
        line for c in source.cells for line in build._hidden_lines(c.source) if line.startswith("c")
    )
    release = release_notebook(source)
    release.cells[1].source += "\n" + hidden
    with pytest.raises(SourceError, match="hidden line"):
        build.refuse_leaks(copy, LAB, source, release)


def test_a_solution_below_full_marks_changes_nothing(copy: Course, no_git_config: None) -> None:
    path = copy.solutions / LAB / f"{LAB}.py"
    head, _, rest = path.read_text("utf-8").partition("# ### BEGIN SOLUTION")
    _, _, tail = rest.partition("# ### END SOLUTION")
    path.write_text(f"{head}# ### BEGIN SOLUTION\n# true\n# ### END SOLUTION{tail}", "utf-8")
    with pytest.raises(SourceError, match="does not get full marks"):
        build.build(copy, LAB)
    assert not (copy.labs / LAB / f"{LAB}.ipynb").exists()
    assert [p.name for p in (copy.solutions / LAB).iterdir()] == [f"{LAB}.py"]


def test_a_starter_above_zero_is_refused() -> None:
    nb = nbformat.from_dict(notebooks(LAB)[1])
    for cell in nb.cells:
        if cell.metadata.get("nbgrader", {}).get("grade"):
            cell.source, cell.outputs = "None", []
    with pytest.raises(SourceError, match="already earns points"):
        build._refuse_above_zero(LAB, nb)


def test_an_unknown_lab_lists_the_known() -> None:
    with pytest.raises(UserError, match="s2_git"):
        COURSE.require_lab("s2_gti")


def test_no_source_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"missing\.py is missing"):
        read_source(tmp_path / "missing.py")


@pytest.mark.parametrize("lab", LABS)
def test_nbgrader_itself_makes_the_same_release(
    lab: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plain ``nbgrader generate_assignment`` gives learners what is committed in labs/."""
    from nbgrader.apps import NbGraderAPI
    from traitlets.config import Config, PyFileConfigLoader

    config: Config = PyFileConfigLoader(
        "nbgrader_config.py", str(ROOT / "autograder")
    ).load_config()
    config.CourseDirectory.root = str(tmp_path)
    shutil.copytree(COURSE.solutions / lab, tmp_path / "solutions" / lab)
    monkeypatch.chdir(tmp_path)
    done = NbGraderAPI(config=config).generate_assignment(lab)
    assert done["success"], done["log"]
    made = tmp_path / "labs" / lab
    assert [p.name for p in made.iterdir()] == [f"{lab}.ipynb"]
    plain = nbformat.read(made / f"{lab}.ipynb", 4)
    ours = notebooks(lab)[1]
    assert [(c.id, c.source, c.metadata) for c in plain.cells] == [
        (c.id, c.source, c.metadata) for c in ours.cells
    ]
