"""What a judge remembers of one submission must be of no use to forge another's verdict."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder.remember import MEMORY, leads_out, remembered
from autograder.verdict import CheckFailed

CALLS: list[str] = []


@remembered
def look(task: Path, wanted: str = "right") -> None:
    """Pass if the file says what is wanted."""
    CALLS.append(wanted)
    if (task / "answer").read_text() != wanted:
        raise CheckFailed(looked="answer", found="another", expected=wanted, hint="none")


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A task's folder, and a memory elsewhere."""
    CALLS.clear()
    (tmp_path / "memory").mkdir()
    monkeypatch.setenv(MEMORY, str(tmp_path / "memory"))
    folder = tmp_path / "1-task"
    folder.mkdir()
    (folder / "answer").write_text("right")
    return folder


def test_equal_evidence_is_judged_once(task: Path) -> None:
    look(task)
    look(task)
    assert CALLS == ["right"]


def test_other_evidence_and_other_arguments_are_judged_anew(task: Path) -> None:
    look(task)
    with pytest.raises(CheckFailed):
        look(task, "other")
    (task / "answer").write_text("wrong")
    with pytest.raises(CheckFailed):
        look(task)
    assert len(CALLS) == 3


def test_a_link_out_of_the_folder_is_never_remembered(task: Path) -> None:
    """The folder stays the same while what the link leads to changes."""
    answer = task / "answer"
    outside = Path(answer.rename(task.parent / "outside"))
    answer.symlink_to(outside)
    assert leads_out(task)
    look(task)
    outside.write_text("wrong")
    with pytest.raises(CheckFailed):
        look(task)


def test_a_link_inside_is_remembered(task: Path) -> None:
    (task / "same").symlink_to("answer")
    (task / "nowhere").symlink_to("not-there")
    assert not leads_out(task)
