"""nbgrader's Validate button on every lab: the same messages as the cards, and no traceback."""

from __future__ import annotations

from html import unescape
from pathlib import Path

import pytest
from nbgrader.validator import Validator

from autograder.build import nbgrader_config
from autograder.checks import checks_of
from autograder.source import write_notebook
from tests.conftest import COURSE, notebooks


@pytest.mark.parametrize("lab", COURSE.lab_names())
def test_validate_says_of_an_untouched_lab_what_its_cards_say(
    lab: str, tmp_path: Path, no_git_config: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of its first and last task, that is; what all say is what the engine's tests look at."""
    checks = checks_of(lab)
    ends = {min(c.task for c in checks.values()), max(c.task for c in checks.values())}
    checks = {name: check for name, check in checks.items() if check.task in ends}
    release = notebooks(lab)[1]
    release.cells = [
        cell
        for cell in release.cells
        if not (meta := cell.metadata.get("nbgrader", {})).get("grade")
        or meta["grade_id"] in checks
    ]
    folder = tmp_path / "labs" / lab
    folder.mkdir(parents=True)
    write_notebook(release, folder / f"{lab}.ipynb")
    monkeypatch.chdir(folder)
    found = Validator(config=nbgrader_config()).validate(f"{lab}.ipynb")
    assert found.keys() <= {"failed"}, "a cell was changed, or the notebook is of another type"
    said = {entry["source"]: unescape(entry["error"]) for entry in found["failed"]}
    for name, check in checks.items():
        ((source, error),) = [(s, e) for s, e in said.items() if f"check.{name}(" in s]
        assert "Traceback" not in error, source
        assert f"{check.task} · {check.title}" in error
        assert "Looked at" in error or "not graded here" in error
