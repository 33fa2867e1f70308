"""Lab s4_dvc: start states that DVC itself believes, and evidence that is broken or hostile."""

from __future__ import annotations

import json
import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from autograder import dvcread
from autograder.checks import checks_of
from autograder.checks.s4_dvc import _chances, _pairs
from autograder.gitread import Unreadable
from autograder.starts import starts_of
from autograder.starts.s4_dvc import _FILES, REPO, STORAGE, _finished, month_file
from autograder.verdict import CheckFailed

CHECKS = checks_of("s4_dvc")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All start states, moved once after they were laid out."""
    made = tmp_path_factory.mktemp("made") / "work"
    for name, layout in starts_of("s4_dvc").items():
        (made / name).mkdir(parents=True)
        layout(made / name)
    return Path(shutil.move(made, tmp_path_factory.mktemp("moved") / "work"))


@pytest.fixture
def task(work: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of task 9's start state, to break: a pipeline that ran, with its remote."""
    yield shutil.copytree(work / "9-fresh", tmp_path / "work" / "9-fresh")


def _dvc(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(folder.parent / "site"),
        "GIT_CONFIG_GLOBAL": os.devnull,
    }
    command = [sys.executable, "-m", "dvc", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def _git(folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


def _says(name: str, task: Path) -> str:
    verdict = CHECKS[name].judge(task)
    text = verdict.text()
    assert verdict.points == 0
    assert "cannot read: " not in text, text
    assert max(map(len, text.splitlines())) <= 84
    return " ".join(text.split())


# Start states


@pytest.mark.parametrize("name", ["3-remote", "6-pipeline", "7-repro", "8-experiments", "9-fresh"])
def test_dvc_finds_nothing_to_do(work: Path, name: str) -> None:
    done = _dvc(work / name / REPO, "status")
    assert "Data and pipelines are up to date." in done.stdout, done.stdout + done.stderr
    assert _git(work / name / REPO, "status", "--short") == ""


@pytest.mark.parametrize("name", ["4-versions", "9-fresh"])
def test_dvc_finds_the_remote_complete(work: Path, name: str) -> None:
    assert "are in sync" in _dvc(work / name / REPO, "status", "-c").stdout


def test_the_run_cache_is_one_that_dvc_uses(work: Path, tmp_path: Path) -> None:
    repo = shutil.copytree(work / "7-repro" / REPO, tmp_path / REPO)
    (repo / "dvc.lock").unlink()
    said = _dvc(repo, "repro").stdout
    assert said.count("is cached - skipping run") == 6, said
    assert "Running stage" not in said


def test_the_scripts_write_what_was_laid_out(work: Path, tmp_path: Path) -> None:
    repo = shutil.copytree(work / "9-fresh" / REPO, tmp_path / REPO)
    before = {p: p.read_bytes() for p in (repo / "build").rglob("*") if p.is_file()}
    for script in ("split", "featurize", "train", "evaluate"):
        subprocess.run([sys.executable, f"src/{script}.py"], cwd=repo, check=True)
    assert before == {p: p.read_bytes() for p in before}


def test_layouts_are_the_same_every_time(tmp_path: Path) -> None:
    for side in ("a", "b"):
        (tmp_path / side).mkdir()
        _finished(tmp_path / side)
    heads = {_git(tmp_path / side / REPO, "rev-parse", "main") for side in ("a", "b")}
    assert len(heads) == 1


def test_the_picture_does_not_sort_by_the_answer() -> None:
    evaluate = runpy.run_path(str(_FILES / "evaluate.py"))
    bars = evaluate["picture"]([0.5] * 100, [0, 1] * 50)
    assert bars.count('height="200.0"') == 10


# Broken evidence: a message that names it, and the way back


def _break(path: Path, text: str) -> None:
    path.chmod(0o644)
    path.write_text(text)


def _commit(repo: Path) -> None:
    _git(repo, "add", "-A")
    _git(repo, "commit", "-q", "-m", "Break something")


def test_a_damaged_object_is_named(task: Path) -> None:
    md5 = dvcread.hash_of(month_file(2))
    for where in (task / STORAGE, task / REPO / ".dvc/cache"):
        _break(where / "files/md5" / md5[:2] / md5[2:], "cut off")
    assert f"storage/files/md5/{md5[:2]}/{md5[2:]}" in _says("months_in_order", _with_may(task))


def _with_may(task: Path) -> Path:
    """Claim May, and let the split be the damaged month."""
    repo = task / REPO
    lock = (repo / "dvc.lock").read_text()
    for path in ("train.csv", "test.csv"):
        at = lock.index("md5: ", lock.index(f"build/{path}", lock.index("outs:")))
        lock = lock[: at + 5] + dvcread.hash_of(month_file(2)) + lock[at + 37 :]
    (repo / "dvc.lock").write_text(lock)
    _commit(repo)
    return task


def test_a_half_pushed_remote_is_named(work: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(work / "5-missing", tmp_path / "5-missing")
    said = _says("storage_complete", copy)
    assert "data/flights-2013-02.csv" in said
    assert "dvc push in ana" in said


def test_a_deleted_cache_is_named(work: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(work / "7-repro", tmp_path / "7-repro")
    repo = copy / REPO
    text = (repo / "params.yaml").read_text().replace("max_depth: 1", "max_depth: 3")
    (repo / "params.yaml").write_text(text)
    lock = (repo / "dvc.lock").read_text().replace("max_depth: 1", "max_depth: 3")
    (repo / "dvc.lock").write_text(lock)
    _commit(repo)
    shutil.rmtree(repo / ".dvc/cache")
    said = _says("reran_downstream", copy)
    assert "neither in the cache nor in the remote" in said
    assert "If the cache was deleted" in said


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("stages: [", "line 1"),
        ("<<<<<<< HEAD\nschema: '2.0'\n=======\n", "Git's conflict marks"),
        ("[" * 5000, "cannot be read"),
        ("just words", "no YAML with names and values"),
        ("a: " + "x" * (1 << 18), "more than 256 KB"),
        ("!!python/object/apply:os.system [echo]", "cannot be read"),
        (
            "a0: &a0 [x]\n" + "".join(f"a{i + 1}: &a{i + 1} [*a{i}, *a{i}]\n" for i in range(40)),
            "alias",
        ),
        (
            "a0: &a0 {x: 1}\n"
            + "".join(f"a{i + 1}: &a{i + 1} {{<<: [*a{i}, *a{i}]}}\n" for i in range(40)),
            "alias",
        ),
    ],
)
def test_a_broken_lock_is_named(task: Path, text: str, says: str) -> None:
    (task / REPO / "dvc.lock").write_text(text)
    _commit(task / REPO)
    said = _says("months_in_order", task)
    assert "dvc.lock on main" in said
    assert says in said


@pytest.mark.parametrize(
    ("path", "text", "says"),
    [
        (".git/index.lock", "", ".git/index.lock"),
        (".dvc/tmp/rwlock", "{half", "rwlock is damaged"),
        (".dvc/tmp/rwlock", '{"write": {"a": {"pid": 1, "cmd": "dvc repro"}}}', "is at work"),
    ],
)
def test_a_lock_left_behind_is_named(
    work: Path, tmp_path: Path, path: str, text: str, says: str
) -> None:
    copy = shutil.copytree(work / "8-experiments", tmp_path / "8-experiments")
    lock = copy / REPO / path
    lock.parent.mkdir(exist_ok=True)
    lock.write_text(text)
    assert says in _says("experiments_ran", copy)


def test_stages_in_a_circle_are_named(task: Path) -> None:
    lock = (task / REPO / "dvc.lock").read_text()
    (task / REPO / "dvc.lock").write_text(lock.replace("path: data\n", "path: metrics.json\n"))
    _commit(task / REPO)
    assert "wait for each other" in _says("metric_true", task)


# Hostile evidence


@pytest.mark.parametrize("where", [".dvc", ".dvc/cache"])
def test_a_linked_cache_is_refused(work: Path, tmp_path: Path, where: str) -> None:
    copy = shutil.copytree(work / "3-remote", tmp_path / "3-remote")
    shutil.move(copy / REPO / where, tmp_path / "elsewhere")
    (copy / REPO / where).symlink_to(tmp_path / "elsewhere")
    assert "symbolic link" in _says("pulled_back", copy)


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", ".git/config", "a\\b", ""])
def test_paths_that_lead_elsewhere_are_refused(path: str) -> None:
    assert not dvcread.harmless(path)


def test_a_listing_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    body = json.dumps([{"md5": "0" * 32, "relpath": "../../outside"}]).encode()
    md5 = dvcread.hash_of(body)
    target = tmp_path / "files/md5" / md5[:2] / f"{md5[2:]}.dir"
    target.parent.mkdir(parents=True)
    target.write_bytes(body)
    with pytest.raises(Unreadable, match="lead elsewhere"):
        dvcread.Objects(tmp_path, "cache").files(f"{md5}.dir")


def test_stages_run_behind_walls(task: Path, tmp_path: Path) -> None:
    """A stage that writes beside its folder changes nothing there."""
    repo, mark = task / REPO, tmp_path / "escaped"
    for name in ("dvc.yaml", "dvc.lock"):
        text = (repo / name).read_text()
        command = f"cmd: touch {mark}; touch /tmp/escaped-s4; python src/split.py"
        (repo / name).write_text(text.replace("cmd: python src/split.py", command))
    text = (repo / "params.yaml").read_text().replace("test: 4 ", "test: 5 ")
    (repo / "params.yaml").write_text(text)
    _commit(repo)
    CHECKS["reproduced"].judge(task)
    assert not mark.exists()
    assert not Path("/tmp/escaped-s4").exists()


def test_no_git_or_dvc_setting_is_followed(task: Path, tmp_path: Path) -> None:
    """Hooks, filters, plugins, commands: nothing of a repository runs when a check looks at it."""
    repo, mark = task / REPO, tmp_path / "ran"
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "evil.py").write_text(f"open({str(mark)!r}, 'w')\n")
    for text in ("pre-commit", "post-checkout", "post-index-change", "reference-transaction"):
        hook = repo / ".git/hooks" / text
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch {mark}\n")
        hook.chmod(0o755)
    (repo / ".dvc/config").write_text(
        f"[hydra]\n    enabled = true\n    plugins_path = {plugins}\n"
        f"[core]\n    remote = storage\n    hardlink_lock = true\n[cache]\n    dir = {plugins}\n"
        f"['remote \"storage\"']\n    url = ssh://example.org/x\n    keyfile = $(touch {mark})\n"
    )
    for name in ("dvc.yaml", "dvc.lock"):
        text = (repo / name).read_text()
        (repo / name).write_text(text.replace("cmd: python", f"cmd: touch {mark}; python"))
    (repo / ".gitattributes").write_text("* filter=evil diff=evil\n")
    _commit(repo)
    with (repo / ".git/config").open("a") as config:
        config.write(f'[core]\n\tfsmonitor = "touch {mark}"\n\tpager = "touch {mark}"\n')
        config.write(f'[filter "evil"]\n\tsmudge = touch {mark}\n\tclean = touch {mark}\n')
    mark.unlink(missing_ok=True)
    for check in CHECKS.values():
        check.judge(task)
    assert not mark.exists()


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-1", "1e400", "true", '"0.64"', "[]"])
def test_a_metric_that_is_no_number_is_refused(task: Path, value: str) -> None:
    repo = task / REPO
    (repo / "metrics.json").write_text(f'{{"auc": {value}, "flights": 2000}}\n')
    _commit(repo)
    assert "no number from 0 to 1" in _says("metric_true", task)


def test_predictions_that_are_no_numbers_count_as_none() -> None:
    assert _pairs(b"late,chance\n1,0.5\n") == [(0.5, 1)]
    assert _pairs(b"late,chance\n1,nan\n") == []
    assert _pairs(b"late,chance\n1," + b"9" * 200_000) == []


def test_a_tree_that_leads_in_circles_says_nothing() -> None:
    nodes = [{"feature": "hour", "at_most": 30, "yes": 0, "no": 0}] * 200
    assert _chances(json.dumps(nodes).encode(), b"hour\n1\n", 1) == []


@pytest.mark.parametrize("path", ["/etc", "../../elsewhere", "build"])
def test_an_output_that_lies_elsewhere_is_not_followed(
    task: Path, tmp_path: Path, path: str
) -> None:
    """Neither by its path in dvc.lock nor by a link in the folder."""
    repo = task / REPO
    shutil.move(repo / "build", tmp_path / "elsewhere")
    (repo / "build").symlink_to(tmp_path / "elsewhere")
    lock = (repo / "dvc.lock").read_text()
    (repo / "dvc.lock").write_text(lock.replace("path: build/features/", f"path: {path}/features/"))
    _commit(repo)
    said = _says("lock_true", task)
    assert "symbolic link" in said or "leads out of its folder" in said


def test_a_message_never_holds_a_metric_that_was_computed(task: Path) -> None:
    repo = task / REPO
    (repo / "metrics.json").write_text('{"auc": 0.9, "flights": 2000}\n')
    _commit(repo)
    with pytest.raises(CheckFailed) as caught:
        CHECKS["metric_true"].function(task)
    assert "0.6066" not in caught.value.found + caught.value.hint + caught.value.expected
