"""Whose file is it, what may come out of an archive, and what is said about the rest."""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import time
import zipfile
from datetime import datetime
from pathlib import Path

import pytest

from autograder.gradebook import timestamp_of
from autograder.paths import Course, UserError
from autograder.teacher.archives import ArchiveError, find_lab, unpack
from autograder.teacher.collect import (
    Outcome,
    collect_files,
    collect_repositories,
    read_times,
)
from autograder.teacher.match import Matcher
from autograder.teacher.roster import Student
from tests.conftest import ROOT

LAB = "s2_git"
CLASS = [
    Student("ada", "Lovelace", "Ada", "ada@example.edu", "4100"),
    Student("ann", "Lee", "Ann", "ann@example.edu", "4101"),
    Student("ann-lee", "Lee", "Ann Marie", "aml@example.edu", "4102"),
    Student("s123", "Łoś-O'Brien", "Zoë", "zoe@example.edu", "", "Zoe Los;zlb"),
    Student("jo.x", "Meier", "Jo", "jo.meier@example.edu", ""),
    Student("max1", "Meier", "Max", "max@example.edu", ""),
    Student("max2", "Meier", "Max", "max.m@example.edu", ""),
]


@pytest.mark.parametrize(
    ("name", "student"),
    [
        ("Ada Lovelace_4100_assignsubmission_file_", "ada"),
        ("Ada Lovelace_4100_assignsubmission_file_/s2_git.zip", "ada"),
        ("Somebody Renamed_4100_assignsubmission_file_s2_git.zip", "ada"),
        ("Zoë Łoś-O'Brien_77_assignsubmission_file_", "s123"),
        ("Team 4-Jo Meier_78_assignsubmission_file_", "jo.x"),
        ("lovelaceada_4100_90210_s2_git.zip", "ada"),
        ("lovelaceada_LATE_999_90210_s2_git-1.zip", "ada"),
        ("losobrienzoe_5_6_s2_git.ipynb", "s123"),
        ("ada.zip", "ada"),
        ("s2_git_ada.zip", "ada"),
        ("2026-11-30 ada@example.edu.zip", "ada"),
        ("Ada Lovelace", "ada"),
        ("lovelace-ada.ipynb", "ada"),
        ("ann.zip", "ann"),
        ("ann-lee.zip", "ann-lee"),
        ("s2_git_ann-lee_attempt_2026-11-30.zip", "ann-lee"),
        ("jo.x.zip", "jo.x"),
        ("JO.MEIER.zip", "jo.x"),
        ("zlb.zip", "s123"),
        ("Zoe Los.zip", "s123"),
        ("max2.zip", "max2"),
    ],
)
def test_whose_it_is(name: str, student: str) -> None:
    match = Matcher(CLASS).of(name)
    assert match.student is not None, match.why
    assert match.student.id == student


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Max Meier_99_assignsubmission_file_", "fits max1, max2"),
        ("meiermax_99_12_s2_git.zip", "fits max1, max2"),
        ("Grace Hopper_1_assignsubmission_file_", "nobody in the roster goes by"),
        ("hoppergrace_1_2_s2_git.zip", "nobody in the roster goes by"),
        ("adam.zip", "nobody in the roster goes by"),
        ("nomad.zip", "nobody in the roster goes by"),
        ("s2_git.zip", "nobody in the roster goes by"),
        ("max1 and max2.zip", "fits max1, max2"),
    ],
)
def test_it_does_not_guess(name: str, why: str) -> None:
    match = Matcher(CLASS).of(name)
    assert match.student is None
    assert why in match.why


# --- Archives ----------------------------------------------------------------------------------


def _zip(path: Path, files: dict[str, bytes | str], links: dict[str, str] | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files.items():
            file.writestr(name, content)
        for name, target in (links or {}).items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            file.writestr(info, target)
    return path


@pytest.mark.parametrize(
    "name", ["../out", "a/../../out", "/tmp/out", "..\\out", "C:\\out", "C:out", "a/..\\..\\out"]
)
def test_no_path_leads_out(name: str, tmp_path: Path) -> None:
    packed = _zip(tmp_path / "a.zip", {name: "x", "fine/kept": "y"})
    notes = unpack(packed, tmp_path / "deep" / "into")
    assert any("points out of the archive" in note for note in notes)
    files = [p for p in (tmp_path / "deep").rglob("*") if p.is_file()]
    assert files == [tmp_path / "deep" / "into" / "fine" / "kept"]
    assert not (tmp_path / "out").exists() and not Path("/tmp/out").exists()


def test_links_are_left_behind(tmp_path: Path) -> None:
    packed = _zip(tmp_path / "a.zip", {"real": "x"}, {"link": "/etc", "link/passwd": "y"})
    notes = unpack(packed, tmp_path / "into")
    assert sum("is a link" in note for note in notes) == 2
    assert [p.name for p in (tmp_path / "into").iterdir()] == ["real"]


def test_sizes_are_counted_as_they_come(tmp_path: Path) -> None:
    packed = _zip(tmp_path / "bomb.zip", {"zeros": b"\0" * (30 << 20)})
    assert packed.stat().st_size < 100_000
    with pytest.raises(ArchiveError, match="more than may be handed in"):
        unpack(packed, tmp_path / "into", max_bytes=10 << 20)
    assert sum(p.stat().st_size for p in (tmp_path / "into").iterdir()) <= 10 << 20
    many = _zip(tmp_path / "many.zip", {str(n): "" for n in range(30)})
    with pytest.raises(ArchiveError, match="more than 20 files"):
        unpack(many, tmp_path / "other", max_files=20)


def test_what_is_no_archive_says_so(tmp_path: Path) -> None:
    broken = tmp_path / "a.zip"
    broken.write_bytes(b"Rar!\x1a\x07")
    with pytest.raises(ArchiveError, match="no zip file, or a damaged one"):
        unpack(broken, tmp_path / "one")
    whole = _zip(tmp_path / "b.zip", {"a": os.urandom(5000)}).read_bytes()
    broken.write_bytes(whole[:2000] + b"\0" * 500 + whole[2500:])
    with pytest.raises(ArchiveError):
        unpack(broken, tmp_path / "two")


def test_a_name_that_is_a_file_and_a_folder_is_no_crash(tmp_path: Path) -> None:
    packed = _zip(tmp_path / "a.zip", {"a": "x", "a/b": "y", "n" * 300: "z"})
    notes = unpack(packed, tmp_path / "into")
    assert len(notes) == 2
    assert (tmp_path / "into" / "a").read_text() == "x"


@pytest.mark.parametrize(
    ("files", "found"),
    [
        (["s2_git.ipynb"], "s2_git.ipynb"),
        (["a/b/s2_git/s2_git.ipynb", "a/b/s2_git/work/1/x"], "a/b/s2_git/s2_git.ipynb"),
        (["s2_git-1.ipynb"], "s2_git-1.ipynb"),
        (["s2_git (2).ipynb"], "s2_git (2).ipynb"),
        (["s2_git/s2_git.before-1.ipynb", "s2_git/s2_git.ipynb"], "s2_git/s2_git.ipynb"),
        (["solutions/s2_git/s2_git.ipynb", "labs/s2_git/s2_git.ipynb"], "labs/s2_git/s2_git.ipynb"),
        (["labs/s2_git/s2_git.ipynb", "x/y/s2_git.ipynb", "x/y/work/z"], "x/y/s2_git.ipynb"),
        ([".ipynb_checkpoints/s2_git.ipynb", "s4_dvc.ipynb"], None),
    ],
)
def test_the_lab_is_found_where_it_lies(
    files: list[str], found: str | None, tmp_path: Path
) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    lab = find_lab(tmp_path, LAB)
    assert (str((lab[0] / lab[1]).relative_to(tmp_path)) if lab else None) == found


# --- Collecting --------------------------------------------------------------------------------

NOTEBOOK = json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []})


@pytest.fixture
def course(tmp_path: Path) -> Course:
    root = tmp_path / "class"
    root.mkdir()
    for name in ("solutions", "labs"):
        (root / name).symlink_to(ROOT / name)
    return Course(root)


def _packed_lab(text: str = "") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr(f"{LAB}/{LAB}.ipynb", NOTEBOOK)
        file.writestr(f"{LAB}/work/1/evidence", text)
    return out.getvalue()


def test_a_download_is_placed_and_the_rest_is_named(course: Course, tmp_path: Path) -> None:
    download = _zip(
        tmp_path / "moodle.zip",
        {
            "Ada Lovelace_4100_assignsubmission_file_/s2_git.zip": _packed_lab(),
            "Ann Lee_4101_assignsubmission_file_/s2_git.ipynb": NOTEBOOK,
            "Jo Meier_5_assignsubmission_file_/s4_dvc.ipynb": NOTEBOOK,
            "Grace Hopper_6_assignsubmission_file_/s2_git.zip": _packed_lab(),
            "Max Meier_7_assignsubmission_file_/s2_git.zip": _packed_lab(),
            "Ann Marie Lee_4102_assignsubmission_file_/s2_git.zip": b"not a zip",
            "Zoë Łoś-O'Brien_8_assignsubmission_file_/report.pdf": b"%PDF",
        },
    )
    done = collect_files(course, LAB, download, CLASS)
    assert {p.student.id: p.evidence for p in done.placed} == {"ada": True, "ann": False}
    why = {left.source.partition("_")[0]: left.why for left in done.left}
    assert "nobody in the roster goes by" in why["Grace Hopper"]
    assert "max1, max2" in why["Max Meier"]
    assert "no s2_git.ipynb in it (s4_dvc.ipynb)" in why["Jo Meier"]
    assert "no zip file, or a damaged one" in why["Ann Marie Lee"]
    assert "no other notebook" in why["Zoë Łoś-O'Brien"]
    assert {s.id for s in done.nothing_from} == {"ann-lee", "s123", "jo.x", "max1", "max2"}
    assert (course.submitted / "ada" / LAB / "work" / "1" / "evidence").exists()
    assert not list((course.root / ".grading").iterdir())


def test_collecting_again_keeps_what_was_there_before(course: Course, tmp_path: Path) -> None:
    zips = tmp_path / "zips"
    zips.mkdir()
    (zips / "ada.zip").write_bytes(_packed_lab("first"))
    outcomes = [collect_files(course, LAB, zips, CLASS).placed[0].outcome for _ in range(2)]
    (zips / "ada.zip").write_bytes(_packed_lab("second"))
    outcomes.append(collect_files(course, LAB, zips, CLASS).placed[0].outcome)
    assert outcomes == [Outcome.NEW, Outcome.SAME, Outcome.UPDATED]
    folder = course.submitted / "ada"
    assert (folder / LAB / "work/1/evidence").read_text() == "second"
    assert (folder / f"{LAB}.before-1" / "work/1/evidence").read_text() == "first"


def test_times_come_from_whom_one_can_believe(course: Course, tmp_path: Path) -> None:
    zips = tmp_path / "zips"
    inside = _zip(
        tmp_path / "x.zip",
        {"s2_git.ipynb": NOTEBOOK, "timestamp.txt": "2001-01-01 00:00:00 UTC"},
    )
    zips.mkdir()
    (zips / "ada.zip").write_bytes(inside.read_bytes())
    collect_files(course, LAB, zips, CLASS)
    goal = course.submitted / "ada" / LAB
    assert timestamp_of(goal) is None, "a student's own time counts"
    at = datetime(2026, 11, 30, 9, 30)
    os.utime(zips / "ada.zip", ((at - datetime(1970, 1, 1)).total_seconds(),) * 2)
    done = collect_files(course, LAB, zips, CLASS, file_times=True)
    assert (done.placed[0].outcome, timestamp_of(goal)) == (Outcome.UPDATED, at)
    # From a source without times the same work keeps its own, and older work does not replace it.
    assert collect_files(course, LAB, zips, CLASS).placed[0].outcome is Outcome.SAME
    assert timestamp_of(goal) == at
    (zips / "ada.zip").write_bytes(_packed_lab("older"))
    os.utime(zips / "ada.zip", (1, 1))
    done = collect_files(course, LAB, zips, CLASS, file_times=True)
    assert (done.placed[0].outcome, timestamp_of(goal)) == (Outcome.OLDER, at)


def test_moodles_worksheet_knows_the_times(tmp_path: Path) -> None:
    sheet = tmp_path / "grades.csv"
    sheet.write_text(
        "Identifier,Full name,Email address,Last modified (submission)\n"
        'Participant 4100,Ada Lovelace,,"Monday, 30 November 2026, 9:30 AM UTC"\n'
        "Participant 9,Zoë,zoe@example.edu,2026-12-01 20:00 UTC\n"
        "Participant 4101,Ann Lee,ann@example.edu,-\n"
    )
    assert read_times(sheet, CLASS) == {
        "ada": datetime(2026, 11, 30, 9, 30),
        "s123": datetime(2026, 12, 1, 20, 0),
    }
    sheet.write_text("Identifier,Grade\n4100,3\n")
    with pytest.raises(UserError, match=r"no column says when .* Found: Identifier, Grade"):
        read_times(sheet, CLASS)


def test_of_several_files_of_one_student_the_best_counts(course: Course, tmp_path: Path) -> None:
    download = _zip(
        tmp_path / "canvas.zip",
        {
            "lovelaceada_4100_11_s2_git.zip": _packed_lab("first"),
            "lovelaceada_4100_12_s2_git-1.zip": _packed_lab("second"),
            "lovelaceada_LATE_4100_13_s2_git-2.ipynb": NOTEBOOK,
        },
    )
    (placed,) = collect_files(course, LAB, download, CLASS).placed
    assert placed.source == "lovelaceada_4100_12_s2_git-1.zip"
    assert len([note for note in placed.notes if "was not taken" in note]) == 2


def test_a_folder_around_everything_is_looked_into(course: Course, tmp_path: Path) -> None:
    top = tmp_path / "downloads" / "submissions" / "week 3"
    (top / "ada" / LAB).mkdir(parents=True)
    (top / "ada" / LAB / f"{LAB}.ipynb").write_text(NOTEBOOK)
    (top / "notes.txt").write_text("mine")
    done = collect_files(course, LAB, tmp_path / "downloads", CLASS)
    assert [p.student.id for p in done.placed] == ["ada"]
    assert [left.source for left in done.left] == ["submissions/week 3/notes.txt"]


def test_a_repository_brings_files_and_runs_nothing(course: Course, tmp_path: Path) -> None:
    def git(*arguments: str, cwd: Path) -> None:
        env = {"GIT_CONFIG_GLOBAL": os.devnull, "PATH": os.environ["PATH"]}
        for role in ("AUTHOR", "COMMITTER"):
            env |= {f"GIT_{role}_NAME": "Ada", f"GIT_{role}_EMAIL": "a@example.edu"}
            env |= {f"GIT_{role}_DATE": "2026-11-30T10:30:00+01:00"}
        subprocess.run(["git", *arguments], cwd=cwd, env=env, check=True, capture_output=True)

    work = tmp_path / "ada"
    (work / "labs" / LAB).mkdir(parents=True)
    (work / "labs" / LAB / f"{LAB}.ipynb").write_text("untouched")
    (work / f"{LAB}.zip").write_bytes(_packed_lab("done"))
    (work / ".gitattributes").write_text("* filter=evil\n")
    (work / "link").symlink_to("/etc/passwd")
    git("init", "-q", "-b", "main", cwd=work)
    git("add", "-A", cwd=work)
    git("commit", "-q", "-m", "Hand in", cwd=work)
    hook = work / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    class_ = [
        Student("ada", repository=str(work)),
        Student("ann", repository=str(tmp_path / "nowhere")),
        Student("max1", repository="--upload-pack=touch /tmp/ran"),
        Student("max2", repository=f"ext::sh -c 'touch {tmp_path}/ran'"),
        Student("jo.x"),
    ]
    done = collect_repositories(course, LAB, class_)
    (placed,) = done.placed
    assert (placed.student.id, placed.received) == ("ada", datetime(2026, 11, 30, 9, 30))
    goal = course.submitted / "ada" / LAB
    assert (goal / "work/1/evidence").read_text() == "done"
    assert not (goal / ".git").exists()
    assert {left.source for left in done.left} == {"ann", "max1", "max2"}
    assert not (tmp_path / "ran").exists()
    assert {s.id for s in done.nothing_from} == {"ann", "max1", "max2", "jo.x"}


@pytest.mark.parametrize("source", ["nowhere", "empty.csv"])
def test_a_source_that_is_none_says_so(source: str, course: Course, tmp_path: Path) -> None:
    (tmp_path / "empty.csv").touch()
    with pytest.raises(UserError, match=r"does not exist|no zip file"):
        collect_files(course, LAB, tmp_path / source, CLASS)


def test_three_hundred_are_collected_in_seconds(course: Course, tmp_path: Path) -> None:
    class_ = [Student(f"s{n:03}", lms_id=str(5000 + n)) for n in range(300)]
    packed = _packed_lab()
    download = _zip(
        tmp_path / "all.zip",
        {f"Some Body_{s.lms_id}_assignsubmission_file_/{LAB}.zip": packed for s in class_},
    )
    began = time.perf_counter()
    done = collect_files(course, LAB, download, class_)
    print(f"300 collected in {time.perf_counter() - began:.1f} s")
    assert len(done.placed) == 300 and not done.left
