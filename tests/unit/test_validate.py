"""nbgrader's Validate button on every lab: the same messages as the cards, and no traceback."""

from __future__ import annotations

import shutil
from html import unescape
from pathlib import Path

import pytest
from nbgrader.validator import Validator

from autograder.build import nbgrader_config
from autograder.checks import checks_of
from tests.conftest import COURSE


@pytest.mark.parametrize("lab", COURSE.lab_names())
def test_validate_says_of_an_untouched_lab_what_its_cards_say(
    lab: str, tmp_path: Path, no_git_config: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "labs" / lab
    folder.mkdir(parents=True)
    shutil.copy(COURSE.labs / lab / f"{lab}.ipynb", folder)
    monkeypatch.chdir(folder)
    found = Validator(config=nbgrader_config()).validate(f"{lab}.ipynb")
    assert found.keys() <= {"failed"}, "a cell was changed, or the notebook is of another type"
    said = {entry["source"]: unescape(entry["error"]) for entry in found["failed"]}
    for name, check in checks_of(lab).items():
        ((source, error),) = [(s, e) for s, e in said.items() if f"check.{name}(" in s]
        assert "Traceback" not in error, source
        assert f"{check.task} · {check.title}" in error
        assert "Looked at" in error or "not graded here" in error
