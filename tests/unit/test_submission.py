"""Reading what students hand in, and putting it together with the lab's own cells."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from nbformat import NotebookNode, v4

from autograder.submission import SubmissionError, merge, read_submission, without_hidden


def _cell(source: str, **nbgrader: object) -> NotebookNode:
    flags = {"grade": False, "locked": False, "solution": False}
    return v4.new_code_cell(source, metadata={"nbgrader": {**flags, **nbgrader}})


def _master() -> NotebookNode:
    return v4.new_notebook(
        cells=[
            _cell("lab = 1", grade_id="lab", locked=True),
            v4.new_markdown_cell("do it"),
            _cell("# your work", grade_id="do", solution=True),
            _cell(
                "check.done(work)\n### BEGIN HIDDEN TESTS\n"
                "check.done(work, 7)\n### END HIDDEN TESTS",
                grade_id="done",
                grade=True,
                locked=True,
                points=2,
            ),
        ]
    )


def _handed_in() -> NotebookNode:
    nb = _master()
    nb.cells[2].source = "make()"
    nb.cells[3].source = without_hidden(nb.cells[3].source)
    return nb


def _sources(nb: NotebookNode) -> list[str]:
    return [c.source for c in nb.cells]


def test_an_honest_submission_keeps_its_answers_and_gets_the_hidden_tests() -> None:
    merged, notes = merge(_handed_in(), _master())
    assert notes == []
    assert merged.cells[2].source == "make()"
    assert "check.done(work, 7)" in merged.cells[3].source


def test_a_changed_check_is_put_right_and_noted() -> None:
    nb = _handed_in()
    nb.cells[3].source = "pass"
    nb.cells[3].metadata.nbgrader.points = 999
    merged, notes = merge(nb, _master())
    assert merged.cells[3].source == _master().cells[3].source
    assert merged.cells[3].metadata.nbgrader.points == 2
    assert notes == ["Cell done was changed; the original was used."]


def test_a_deleted_check_comes_back_behind_its_answer() -> None:
    nb = _handed_in()
    del nb.cells[3]
    merged, notes = merge(nb, _master())
    assert [c.metadata.get("nbgrader", {}).get("grade_id") for c in merged.cells] == [
        "lab",
        None,
        "do",
        "done",
    ]
    assert "was missing" in notes[0]


def test_of_a_cell_handed_in_twice_the_last_counts_and_the_other_is_not_graded() -> None:
    nb = _handed_in()
    nb.cells.append(_cell("second()", grade_id="do", solution=True))
    nb.cells.append(_cell("True", grade_id="done", grade=True, locked=True, points=2))
    merged, _ = merge(nb, _master())
    graded = [c for c in merged.cells if c.metadata.get("nbgrader", {}).get("grade")]
    answers = [c for c in merged.cells if c.metadata.get("nbgrader", {}).get("solution")]
    assert [c.source for c in graded] == [_master().cells[3].source]
    assert [c.source for c in answers] == ["second()"]


def test_forged_metadata_makes_no_check_and_no_setup() -> None:
    nb = _handed_in()
    nb.cells.append(_cell("evil()", grade_id="mine", grade=True, locked=True, points=100))
    nb.cells.append(_cell("evil()", grade_id="", locked=True))
    merged, _ = merge(nb, _master())
    assert [dict(c.metadata) for c in merged.cells[-2:]] == [{}, {}]


def test_a_check_turned_into_markdown_is_a_check_again() -> None:
    nb = _handed_in()
    nb.cells[3] = v4.new_markdown_cell("hello", metadata=nb.cells[3].metadata)
    merged, _ = merge(nb, _master())
    assert merged.cells[3].cell_type == "code"


def test_an_answer_in_a_foreign_notebook_changes_nothing() -> None:
    nb = v4.new_notebook(cells=[v4.new_code_cell("x = 1")])
    merged, notes = merge(nb, _master())
    assert "x = 1" in _sources(merged)
    assert len(notes) == 3


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "complete notebook"),
        (b"{", "complete notebook"),
        (b'{"cells": []', "complete notebook"),
        (b"\xff\xfe\x00binary", "not a text file"),
        (b"[" * 100_000, "complete notebook"),
        (b"[]", "not a notebook"),
        (b'{"a": 1}', "not a notebook"),
        (b'{"nbformat": 3, "worksheets": []}', "format 3"),
        (b'{"nbformat": 4, "cells": []}', "no cells"),
        (b'{"nbformat": 4, "cells": {"a": 1}}', "no cells"),
        (b'{"nbformat": 4, "cells": [1, null, {"cell_type": 5}]}', "no readable cells"),
    ],
)
def test_what_is_no_notebook_is_explained(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "s2_git.ipynb"
    path.write_bytes(content)
    with pytest.raises(SubmissionError, match=says) as caught:
        read_submission(path)
    assert "s2_git.ipynb" in str(caught.value)


def test_a_missing_notebook_names_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "s2_git (1).ipynb").write_text("{}")
    with pytest.raises(SubmissionError, match=r"s2_git \(1\)\.ipynb"):
        read_submission(tmp_path / "s2_git.ipynb")


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "s2_git.ipynb"
    with path.open("wb") as file:
        file.truncate(200 << 20)
    with pytest.raises(SubmissionError, match="Clear the outputs"):
        read_submission(path)


def test_another_language_is_explained(tmp_path: Path) -> None:
    nb = _handed_in()
    nb.metadata.kernelspec = {"name": "ir", "language": "R", "display_name": "R"}
    path = tmp_path / "s2_git.ipynb"
    path.write_text(json.dumps(nb))
    with pytest.raises(SubmissionError, match="Change Kernel"):
        read_submission(path)


def test_a_link_is_no_notebook(tmp_path: Path) -> None:
    real = tmp_path / "real.ipynb"
    real.write_text(json.dumps(_handed_in()))
    (tmp_path / "s2_git.ipynb").symlink_to(real)
    with pytest.raises(SubmissionError, match="missing"):
        read_submission(tmp_path / "s2_git.ipynb")
