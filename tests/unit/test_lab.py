"""Laying out a lab, starting over, and grading runs that must not work twice on evidence."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from autograder import progress
from autograder.checks import CheckFailed, NotGradedHere, check, checks_of
from autograder.lab import Lab, LabError
from autograder.results import Status
from autograder.starts import start
from autograder.verdict import TaskNotDone


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A lab of two tasks that lives in memory, and its folder as the current one."""
    starts = ModuleType("autograder.starts.s1_toy")

    @start("1-one")
    def one(folder: Path) -> None:
        """The first."""
        (folder / "file").write_text("start")

    @start("2-two")
    def two(folder: Path) -> None:
        """The second."""
        (folder / "file").write_text("start")

    starts.one, starts.two = one, two
    checks = ModuleType("autograder.checks.s1_toy")

    def done(folder: Path) -> None:
        text = (folder / "file").read_text()
        if text == "absent":
            raise NotGradedHere("a flux capacitor", "buy one")
        if text != "done":
            raise CheckFailed(looked="file", found=text, expected="done", hint="write done")

    done.__module__ = "autograder.checks.s1_toy"
    checks.done = check(task=1, title="Do it", points=2)(done)
    monkeypatch.setitem(sys.modules, starts.__name__, starts)
    monkeypatch.setitem(sys.modules, checks.__name__, checks)
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    folder = tmp_path / "s1_toy"
    folder.mkdir()
    monkeypatch.chdir(folder)
    yield folder


def _call(folder: Path) -> None:
    sys.modules["autograder.checks.s1_toy"].done(folder)


def test_lays_out_what_is_missing_and_keeps_what_is_there(toy: Path) -> None:
    work = Lab("s1_toy").work
    (work / "1-one" / "file").write_text("mine")
    Lab("s1_toy")
    assert (work / "1-one" / "file").read_text() == "mine"
    assert (work / "2-two" / "file").read_text() == "start"


def test_restart_keeps_the_old_work_aside(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lab = Lab("s1_toy")
    for text in ("first", "second"):
        (lab.work / "1-one" / "file").write_text(text)
        lab.restart("1-one")
    assert (lab.work / "1-one" / "file").read_text() == "start"
    assert (lab.work / "1-one.before-1" / "file").read_text() == "first"
    assert (lab.work / "1-one.before-2" / "file").read_text() == "second"
    assert "work/1-one.before-2" in capsys.readouterr().out


def test_restart_of_an_unknown_folder_names_the_known(toy: Path) -> None:
    with pytest.raises(LabError, match="1-one, 2-two"):
        Lab("s1_toy").restart("3-three")


def test_a_layout_that_fails_leaves_nothing_half_made(
    toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(folder: Path) -> None:
        (folder / "half").touch()
        raise OSError("disk full")

    broken.start_folder = "2-two"  # type: ignore[attr-defined]
    monkeypatch.setattr(sys.modules["autograder.starts.s1_toy"], "two", broken)
    with pytest.raises(OSError, match="disk full"):
        Lab("s1_toy")
    assert sorted(p.name for p in (toy / "work").iterdir()) == ["1-one"]


def test_a_wrong_folder_is_refused(toy: Path, tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"labs/s1_toy/s1_toy\.ipynb"):
        Lab("s1_toy", tmp_path)


def test_a_second_run_by_a_grader_does_not_touch_submitted_evidence(
    toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab("s1_toy")
    (lab.work / "1-one" / "file").write_text("done")
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    again = Lab("s1_toy")
    # What an answer cell does by a relative path lands in the copy.
    Path("work/1-one/file").write_text("done twice")
    assert again.work == lab.work
    assert (lab.work / "1-one" / "file").read_text() == "done"


def test_a_grader_lets_cells_make_what_did_not_come_along(
    toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    lab = Lab("s1_toy")
    Path("work/1-one/file").write_text("done")
    assert (lab.work / "1-one" / "file").read_text() == "done"


def test_a_mixed_submission_keeps_one_task_and_makes_the_other(
    toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (toy / "work" / "1-one").mkdir(parents=True)
    (toy / "work" / "1-one" / "file").write_text("done")
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    lab = Lab("s1_toy")
    Path("work/1-one/file").write_text("again")
    Path("work/2-two/file").write_text("made")
    assert (lab.work / "1-one" / "file").read_text() == "done"
    assert (lab.work / "2-two" / "file").read_text() == "made"


def test_a_check_says_what_it_found_and_raises(
    toy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lab = Lab("s1_toy")
    with pytest.raises(TaskNotDone):
        _call(lab.work / "1-one")
    said = capsys.readouterr().out
    assert "✘ 1 · Do it" in said
    assert "0 of 2" in said
    assert "s1_toy: 0 of 2 points" in said
    (lab.work / "1-one" / "file").write_text("done")
    _call(lab.work / "1-one")
    assert "s1_toy: 2 of 2 points" in capsys.readouterr().out
    assert progress.read(lab.work) == {"done": 2.0}


def test_progress_survives_a_broken_file_and_a_read_only_folder(toy: Path) -> None:
    lab = Lab("s1_toy")
    (lab.work / progress.FILE).write_text("{broken")
    assert progress.read(lab.work) == {}
    (lab.work / progress.FILE).unlink()
    (lab.work / progress.FILE).mkdir()
    (lab.work / "1-one" / "file").write_text("done")
    _call(lab.work / "1-one")


def test_a_missing_tool_gives_no_points_and_no_blame(
    toy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lab = Lab("s1_toy")
    (lab.work / "1-one" / "file").write_text("absent")
    with pytest.raises(TaskNotDone):
        _call(lab.work / "1-one")
    said = capsys.readouterr().out
    assert "not graded here (2)" in said
    assert "needs a flux capacitor" in said


def test_a_check_that_stumbles_says_so_and_gives_nothing(toy: Path) -> None:
    verdict = checks_of("s1_toy")["done"].judge(toy / "no such folder")
    assert (verdict.status, verdict.points) == (Status.FAILED, 0)
    assert "s1_toy.done at" in dict(verdict.lines)["Try"]


def test_cards_are_narrow_and_escape_html(toy: Path) -> None:
    lab = Lab("s1_toy")
    (lab.work / "1-one" / "file").write_text("<script>alert(1)</script> " * 20)
    verdict = checks_of("s1_toy")["done"].judge(lab.work / "1-one")
    assert max(map(len, verdict.text().splitlines())) <= 84
    assert "<script>" not in verdict.html()


def _contrast(one: str, other: str) -> float:
    """WCAG's contrast ratio of two colours written as #rrggbb."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(("text", "sign"), [("done", "✔"), ("start", "✘"), ("absent", "–")])
def test_cards_are_readable_without_colours_and_with_them(toy: Path, text: str, sign: str) -> None:
    lab = Lab("s1_toy")
    (lab.work / "1-one" / "file").write_text(text)
    html = checks_of("s1_toy")["done"].judge(lab.work / "1-one").html()
    assert sign in html
    (paper,) = re.findall(r"background:(#\w{6})", html)
    inks = re.findall(r"[;\"]color:(#\w{6})", html)
    assert len(inks) >= 2
    for ink in inks:
        assert _contrast(ink, paper) >= 4.5, (ink, paper)
