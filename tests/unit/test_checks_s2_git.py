"""Lab s2_git: its start states are what the tasks say, and its checks survive anything."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from autograder.checks import Check, checks_of
from autograder.gitread import open_repository
from autograder.lab import Lab
from autograder.results import Status
from autograder.starts import starts_of
from autograder.starts.s2_git import FRESH_KEY, LEAKED_KEY, ORIGIN, REPO
from autograder.verdict import Verdict

CHECKS = checks_of("s2_git")
FOLDERS = {int(folder.partition("-")[0]): folder for folder in starts_of("s2_git")}
HIDDEN = {
    "ignored": {"private": ["data/hidden-name.csv"], "source": ["hidden_name.py"]},
    "culprit_found": {"line": "_, hours = divmod(scheduled, 100)"},
}
WORDS = ("hidden", "divmod", "Split times")


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lab") / "s2_git"
    folder.mkdir()
    return Lab("s2_git", folder).work


@pytest.fixture
def work(pristine: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pristine, tmp_path / "work", symlinks=True))


def git(folder: Path, *arguments: str) -> str:
    env = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "GIT_EDITOR": "true"}
    done = subprocess.run(["git", *arguments], cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def judge(check: Check, work: Path) -> Verdict:
    return check.judge(work / FOLDERS[check.task], **HIDDEN.get(check.name, {}))


def says_what_to_do(verdict: Verdict) -> None:
    lines = dict(verdict.lines)
    assert verdict.status is Status.FAILED
    assert all(lines[part].strip() for part in ("Looked at", "Found", "Expected", "Try"))
    assert "something this check cannot read" not in lines["Found"], verdict.text()
    assert not any(word in verdict.text() for word in WORDS), verdict.text()


# The start states


def test_start_states_have_the_same_hashes_everywhere(pristine: Path) -> None:
    refs = [
        f"{path.parent.name}/{path.name} {ref} {object_id}"
        for folder in FOLDERS.values()
        for path in sorted((pristine / folder).iterdir())
        if (path / ".git").exists() or path.suffix == ".git"
        for ref, object_id in open_repository(path).refs.items()
    ]
    assert len(refs) == 23
    # Changes only together with a start state; then submissions made before score differently.
    digest = hashlib.sha256("\n".join(refs).encode()).hexdigest()[:16]
    assert digest == "3b35421eb9057da5"


def test_layout_is_quick(tmp_path: Path) -> None:
    (tmp_path / "s2_git").mkdir()
    began = time.perf_counter()
    Lab("s2_git", tmp_path / "s2_git")
    assert time.perf_counter() - began < 3.0


def test_settings_of_the_machine_do_not_matter(
    tmp_path: Path, pristine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "gitconfig"
    settings.write_text(
        "[init]\n\tdefaultBranch = trunk\n\tdefaultObjectFormat = sha256\n"
        "[commit]\n\tgpgSign = true\n[core]\n\thooksPath = /nonexistent\n\tautocrlf = true\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    monkeypatch.setenv("GIT_DEFAULT_HASH", "sha256")
    monkeypatch.setenv("GIT_DIR", "/nonexistent")
    (tmp_path / "s2_git").mkdir()
    work = Lab("s2_git", tmp_path / "s2_git").work
    for folder in ("4-conflict", "7-bisect"):
        here, there = work / folder / REPO, pristine / folder / REPO
        assert open_repository(here).refs == open_repository(there).refs
        assert (here / "README.md").read_bytes() == (there / "README.md").read_bytes()


def test_prepared_repositories_are_clean_and_sound(pristine: Path) -> None:
    for folder in FOLDERS.values():
        for path in (pristine / folder).iterdir():
            if (path / ".git").exists():
                git(path, "fsck", "--strict")
                if folder != "2-ignore":
                    assert git(path, "status", "--porcelain") == ""


def test_clones_use_relative_addresses(pristine: Path) -> None:
    for clone in ("9-remote/flight-delays", "9-remote/ana", "10-revert/flight-delays"):
        assert git(pristine / clone, "remote", "get-url", "origin") == f"../{ORIGIN}"
        git(pristine / clone, "fetch", "--dry-run")


def test_exactly_one_commit_breaks_the_metric(work: Path) -> None:
    repo = work / FOLDERS[7] / REPO
    commits = git(repo, "rev-list", "--reverse", "main").splitlines()
    assert len(commits) == 30
    values = []
    for commit in commits[3:]:
        git(repo, "switch", "-q", "--detach", commit)
        out = subprocess.run(
            [sys.executable, "evaluate.py"], cwd=repo, capture_output=True, text=True
        )
        values.append(float(re.findall(r"0\.\d+", out.stdout)[0]))
    bad = [value < 0.65 for value in values]
    assert bad == sorted(bad) and bad.count(True) == 10
    assert min(v for v, b in zip(values, bad, strict=True) if not b) > 0.69
    assert max(v for v, b in zip(values, bad, strict=True) if b) < 0.60


def test_the_conflict_is_one(work: Path) -> None:
    repo = work / FOLDERS[4] / REPO
    with pytest.raises(AssertionError):
        git(repo, "merge", "feature/weather")
    text = (repo / "features.py").read_text()
    assert text.count("<<<<<<<") == 2


# The checks


def test_twenty_or_more_points_in_small_checks() -> None:
    assert sum(c.points for c in CHECKS.values()) == 31
    assert all(1 <= c.points <= 3 for c in CHECKS.values())


@pytest.mark.parametrize("name", CHECKS)
def test_the_untouched_start_fails_every_check(pristine: Path, name: str) -> None:
    says_what_to_do(judge(CHECKS[name], pristine))


def _nothing_there(task: Path) -> None:
    shutil.rmtree(task)


def _a_file(task: Path) -> None:
    shutil.rmtree(task)
    task.write_text("")


def _a_link(task: Path) -> None:
    away = task.rename(task.with_name(f"away-{task.name}"))
    task.symlink_to(away)


def _repositories_are(change: str) -> object:
    def do(task: Path) -> None:
        for path in list(task.iterdir()):
            inner = path / ".git" if (path / ".git").exists() else path
            if change == "emptied":
                shutil.rmtree(path)
                path.mkdir()
            elif change == "linked":
                away = path.rename(path.with_name(f"away-{path.name}"))
                path.symlink_to(away)
            elif change == "without objects":
                shutil.rmtree(inner / "objects", ignore_errors=True)
            elif change == "without refs":
                shutil.rmtree(inner / "refs", ignore_errors=True)
                (inner / "packed-refs").unlink(missing_ok=True)
            elif change == "unborn":
                shutil.rmtree(path)
                path.mkdir()
                git(path, "init", "-q", "-b", "main")
            elif change == "unrelated":
                shutil.rmtree(path)
                path.mkdir()
                git(path, "init", "-q", "-b", "main")
                git(
                    path,
                    "-c",
                    "user.name=A",
                    "-c",
                    "user.email=a@b.cd",
                    "commit",
                    "-q",
                    "--allow-empty",
                    "-m",
                    "wip",
                )
                for name in ("feature/evening", "feature/weather", "feature/airports"):
                    git(path, "branch", name)

    return do


MISHAPS = {
    "nothing there": _nothing_there,
    "a file": _a_file,
    "a link": _a_link,
    **{
        c: _repositories_are(c)
        for c in ("emptied", "linked", "without objects", "without refs", "unborn", "unrelated")
    },
}


@pytest.mark.parametrize("mishap", MISHAPS)
def test_whatever_happened_every_check_says_what_to_do(work: Path, mishap: str) -> None:
    for folder in FOLDERS.values():
        MISHAPS[mishap](work / folder)  # type: ignore[operator]
    for name, check in CHECKS.items():
        if (mishap, name) == ("unrelated", "author_named"):
            continue  # an empty commit has an author too
        says_what_to_do(judge(check, work))


def test_the_keys_are_different_and_the_statement_has_the_new_one() -> None:
    assert LEAKED_KEY != FRESH_KEY
    source = Path(__file__).parents[2] / "solutions" / "s2_git" / "s2_git.py"
    text = source.read_text("utf-8")
    assert FRESH_KEY in text and LEAKED_KEY not in text


# What learners may try


def _features(work: Path, text: str) -> Verdict:
    """Commit a features module on task 3's main and judge it."""
    repo = work / FOLDERS[3] / REPO
    (repo / "features.py").write_text(text)
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "Try something")
    return judge(CHECKS["feature_works"], work)


RIGHT = """
FEATURES = ["hour", "distance", "evening"]
def build(f):
    h = f["sched_dep_time"] // 100
    return {"hour": h, "distance": f["distance"], "evening": int(h >= 17)}
"""


@pytest.mark.parametrize(
    "prefix", ["", "print('hello')\n", "import sys\nsys.stdout.write('{}')\nsys.stdout.close()\n"]
)
def test_what_a_module_prints_does_not_matter(work: Path, prefix: str) -> None:
    verdict = _features(work, prefix + RIGHT)
    assert verdict.status is Status.PASSED, verdict.text()


@pytest.mark.parametrize(
    "text",
    {
        "never ends": "while True: pass",
        "exits": "raise SystemExit(0)",
        "dies": "import os\nos.kill(os.getpid(), 9)",
        "prints much": "while True: print('x' * 10**6)",
        "eats memory": "x = [0] * 10**10",
        "names are no list": RIGHT + "FEATURES = 7",
        "names are odd": RIGHT + "FEATURES = [None, 3, b'x']",
        "rows are no rows": RIGHT + "def build(f): return 'row'",
        "rows are odd": RIGHT + "def build(f): return {object(): 1}",
        "not a number": RIGHT + "def build(f): return {'hour': float('nan')}",
        "knows the caller": "import sys\nf = sys._getframe()\nwhile f.f_back: f = f.f_back\n"
        "names = ['hour', 'distance', 'evening']\n"
        "f.f_globals['answer'] = {'answer': {'names': names, 'rows': []}}\n"
        'import json\njson.dumps = lambda *a, **k: \'{"answer": {"names": ["hour", '
        '"distance", "evening"], "rows": []}}\'',
    }.items(),
    ids=lambda pair: pair[0],
)
def test_a_module_cannot_trick_the_judge(
    work: Path, text: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from autograder import sandbox

    quick = sandbox.Limits(seconds=2)
    monkeypatch.setattr(sandbox, "Limits", lambda **_: quick)
    says_what_to_do(_features(work, text[1]))


def test_a_module_beside_it_cannot_stand_in_for_the_library(work: Path) -> None:
    repo = work / FOLDERS[3] / REPO
    for name in ("json", "importlib", "sitecustomize", "usercustomize", "os"):
        (repo / f"{name}.py").write_text("print('{\"answer\": 1}')\nraise SystemExit(0)\n")
    verdict = _features(work, "FEATURES = []")
    says_what_to_do(verdict)
    assert "module 'features' has no attribute" in dict(verdict.lines)["Found"]


def test_settings_in_the_repository_run_nothing(work: Path, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\ntouch {trap}\n")
    script.chmod(0o755)
    for folder in FOLDERS.values():
        for path in (work / folder).iterdir():
            inner = path / ".git" if (path / ".git").exists() else path
            if (inner / "config").exists():
                with (inner / "config").open("a") as config:
                    config.write(
                        f"[core]\n\tfsmonitor = {script}\n\thooksPath = {tmp_path}\n"
                        f"\tsshCommand = {script}\n\tpager = {script}\n"
                        "[include]\n\tpath = /dev/zero\n"
                    )
    for check in CHECKS.values():
        judge(check, work)
    assert not trap.exists()


def test_rules_that_are_slow_to_match_end_in_a_message(work: Path) -> None:
    repo = work / FOLDERS[2] / REPO
    (repo / ".gitignore").write_text(("*a" * 60 + "b\n") * 200 + "\\\n[\n!\n")
    git(repo, "add", ".gitignore")
    git(repo, "commit", "-q", "-m", "Add rules that are slow to match")
    began = time.perf_counter()
    says_what_to_do(judge(CHECKS["ignored"], work))
    assert time.perf_counter() - began < 8


def test_checks_are_quick(pristine: Path) -> None:
    for check in CHECKS.values():
        judge(check, pristine)
    for check in CHECKS.values():
        began = time.perf_counter()
        judge(check, pristine)
        assert time.perf_counter() - began < 1.0, check.name


def run_tests(repo: Path) -> None:
    """Call every test function of a repository; starting pytest each time would take seconds."""
    script = (
        "import glob, runpy, sys\nsys.path.insert(0, '.')\n"
        "for file in glob.glob('tests/*.py'):\n"
        "    for name, value in runpy.run_path(file).items():\n"
        "        name.startswith('test_') and value()\n"
    )
    done = subprocess.run([sys.executable, "-B", "-c", script], cwd=repo, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize("folder", [f for n, f in FOLDERS.items() if n > 2])
def test_what_is_prepared_works(work: Path, folder: str) -> None:
    """Every branch of every prepared repository passes its own tests."""
    for path in (work / folder).iterdir():
        for branch in open_repository(path).branches if (path / ".git").exists() else []:
            git(path, "switch", "-q", branch)
            run_tests(path)
