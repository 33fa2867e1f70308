"""Checks of lab s4_dvc: they read Git's commits, DVC's files, its cache and its remote.

Neither Git nor DVC runs on a learner's repository (see `autograder.gitread` and
`autograder.dvcread`).  Where a number must be believed, the stages of the committed pipeline run
again in the sandbox, each in a folder of its own, and the number is computed here from what they
predicted.
"""

from __future__ import annotations

import contextlib
import csv
import fnmatch
import functools
import io
import json
import math
import random
import re
import shlex
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from autograder import dvcread, sandbox
from autograder.checks import CheckFailed, check
from autograder.dvcread import Objects, Pipeline, Stage, hash_of, join, overlaps
from autograder.gitread import Commit, Repository, Unreadable, open_repository, shown
from autograder.gitstore import StoreError
from autograder.starts.s4_dvc import (
    ANAS,
    AUDIT,
    INBOX,
    REPO,
    STORAGE,
    corrected_february,
    month_file,
    month_name,
    tracked_folder,
)
from autograder.starts.s4_dvc import _run as pipeline_at_start

_INIT = {"task": 1, "title": "A repository that knows data"}
_TRACK = {"task": 2, "title": "A fingerprint in Git, the data beside it"}
_REMOTE = {"task": 3, "title": "A place that others can reach"}
_VERSIONS = {"task": 4, "title": "Two versions, a name each"}
_MISSING = {"task": 5, "title": "The file nobody pushed"}
_PIPELINE = {"task": 6, "title": "From four scripts to a pipeline"}
_REPRO = {"task": 7, "title": "Only what changed"}
_EXPERIMENTS = {"task": 8, "title": "Three tries, one winner"}
_FRESH = {"task": 9, "title": "The same number on a stranger's machine"}

V1, V2 = "data-v1", "data-v2"
METRICS, PREDICTIONS = "metrics.json", "build/predictions.csv"
MODEL, FEATURES = "build/model.json", "build/features/test.csv"
PICTURES = ("build/roc.csv", "build/promise.svg")
DEPTH = 3
LATE = 15
MAX_STEPS = 100

# 1 · A repository that knows data


@check(**_INIT, points=1)
def dvc_set_up(task: Path) -> None:
    """`main` has DVC's settings, and neither cache nor temporary files."""
    repo, tip = _open(task)
    files = repo.files(tip)
    if ".dvc/config" not in files:
        raise CheckFailed(
            looked=_at(repo, tip),
            found="a .dvc folder on disk, but no .dvc/config in the commit"
            if (task / REPO / ".dvc").is_dir()
            else "no .dvc/config",
            expected=".dvc/config and .dvc/.gitignore, committed",
            hint="dvc init makes and stages them; git commit is still to do."
            if (task / REPO / ".dvc").is_dir()
            else f"dvc init, inside {REPO} (the folder with .git), then git commit.",
        )
    rules = (repo.text(tip, ".dvc/.gitignore") or "").split()
    inner = [p for p in files if p.startswith((".dvc/tmp/", ".dvc/cache/"))]
    if inner or not {"/cache", "/tmp"} <= set(rules):
        raise CheckFailed(
            looked=_at(repo, tip),
            found=f"{inner[0]} in the commit" if inner else "no .dvc/.gitignore that DVC wrote",
            expected="DVC's settings in Git; its cache and temporary files not",
            hint="dvc init writes .dvc/.gitignore: git add it. git rm -r --cached takes out of "
            "Git what slipped in, and keeps it on disk.",
        )


@check(**_INIT, points=1)
def analytics_off(task: Path) -> None:
    """The committed settings tell DVC to report nothing."""
    repo, tip = _open(task)
    value = dvcread.config(repo, tip).get("core", "analytics", fallback="").strip().lower()
    if value not in ("false", "no", "off", "0"):
        raise CheckFailed(
            looked=f".dvc/config on {_at(repo, tip)}",
            found=f"core.analytics = {shown(value, 20)}" if value else "nothing about analytics",
            expected="analytics = false in section [core], for everybody who clones",
            hint="dvc config core.analytics false writes it (with --local or --global it is for "
            "you alone). Then git add .dvc/config and commit.",
        )


# 2 · A fingerprint in Git, the data beside it

_FIRST = (1, 2, 3)


@check(**_TRACK, points=2)
def months_tracked(task: Path) -> None:
    """Three months are tracked, the cache has them, and the files are there unchanged."""
    repo, tip = _open(task)
    cache = _cache(task)
    found = _tracked_files(repo, tip, cache)
    for month in _FIRST:
        path = f"data/{month_name(month)}"
        _expect_tracked(repo, tip, found, path, month_file(month))
        if cache.read(hash_of(month_file(month))) is None:
            raise CheckFailed(
                looked=f"{cache.name}, for {path}",
                found="its content is not there",
                expected="a copy in the cache: what the fingerprint stands for",
                hint=f"dvc add data/*.csv puts it there (dvc commit, if {path}.dvc is right)."
                + _stuck(task),
            )
        _expect_on_disk(task, REPO, path, month_file(month))


@check(**_TRACK, points=1)
def data_not_in_git(task: Path) -> None:
    """No commit holds a month, and committed rules keep them out from now on."""
    repo, tip = _open(task)
    if not dvcread.tracked(repo, tip):
        raise CheckFailed(
            looked=_at(repo, tip),
            found="no .dvc file: DVC tracks nothing yet",
            expected="fingerprints in Git instead of data",
            hint="dvc add data/*.csv, then git add data and commit.",
        )
    _refuse_data_in_git(repo, tip)
    names = [month_name(m) for m in _FIRST]
    for name in names:
        if not _is_ignored(repo, tip, f"data/{name}"):
            raise CheckFailed(
                looked=f"the .gitignore files on {_at(repo, tip)}",
                found=f"no rule for data/{name}",
                expected="rules that keep the data out of everybody's next git add",
                hint="dvc add wrote data/.gitignore for you: git add data/.gitignore and commit.",
            )


# 3 · A place that others can reach


@check(**_REMOTE, points=1)
def remote_set(task: Path) -> None:
    """The committed settings name `storage` as default remote, by a relative path."""
    repo, tip = _open(task)
    name, address = dvcread.remote_address(dvcread.config(repo, tip))
    looked = f".dvc/config on {_at(repo, tip)}"
    if not name or not address:
        raise CheckFailed(
            looked=looked,
            found=f"core.remote = {shown(name, 30)}, and no address for it"
            if name
            else "no default remote",
            expected="a default remote in the settings that are committed",
            hint=f"dvc remote add -d {STORAGE} ../{STORAGE} in {REPO}, then commit .dvc/config. "
            f"If the remote is there already: dvc remote default {STORAGE}.",
        )
    if join(f"{REPO}/.dvc", address) != STORAGE:
        raise CheckFailed(
            looked=looked,
            found=f"url = {shown(address, 70)}",
            expected=f"the folder {STORAGE} beside {REPO}, by a relative path: ../../{STORAGE} "
            "as seen from .dvc",
            hint="an absolute path is true on one machine only. dvc remote modify "
            f"{shown(name, 20)} url ../{STORAGE} corrects it (DVC rewrites the path for .dvc).",
        )


@check(**_REMOTE, points=1)
def pushed(task: Path) -> None:
    """The remote has every month that `main` tracks."""
    repo, tip = _open(task)
    _expect_in_storage(task, repo, tip, _tracked_outs(repo, tip))


@check(**_REMOTE, points=1)
def pulled_back(task: Path) -> None:
    """The cache is a new one, and every month is back, byte by byte."""
    repo, tip = _open(task)
    cache = _cache(task)
    wanted = {hash_of(month_file(m)): m for m in _FIRST}
    extra = [md5 for md5 in cache if md5 not in wanted]
    if extra:
        raise CheckFailed(
            looked=cache.name,
            found=f"{extra[0][:8]}…, which no commit tracks: the cache is still the old one",
            expected="a cache that came from the remote alone",
            hint="dvc push first. Then rm -rf .dvc/cache data/*.csv, and dvc pull.",
        )
    for md5, month in wanted.items():
        if cache.read(md5) is None:
            raise CheckFailed(
                looked=cache.name,
                found=f"nothing under the fingerprint of data/{month_name(month)}",
                expected="all three months, pulled from the remote",
                hint="dvc pull brings what the remote has. If the remote lacks it, it was wiped "
                'before it was pushed: lab.restart("3-remote").' + _stuck(task),
            )
        path = f"data/{month_name(month)}"
        _expect_on_disk(task, REPO, path, month_file(month))
        _expect_tracked(repo, tip, _tracked_files(repo, tip, cache), path, month_file(month))


# 4 · Two versions, a name each


def _version(number: int) -> dict[str, bytes]:
    old = {month_name(m): month_file(m) for m in _FIRST}
    new = {month_name(2): corrected_february(), month_name(4): month_file(4)}
    return old if number == 1 else old | new


@check(**_VERSIONS, points=2)
def new_version(task: Path) -> None:
    """`data-v2` names a commit on `main` that tracks the new data; `data-v1` is as it was."""
    repo, tip = _open(task)
    commit = _second_version(repo, tip)
    found = _tracked_files(repo, commit, _cache(task), Objects(task / STORAGE, _name(task)))
    for name, body in _version(2).items():
        _expect_tracked(repo, commit, found, f"data/{name}", body, f"{V2}, commit {commit.short}")
    _refuse_data_in_git(repo, tip)


@check(**_VERSIONS, points=1)
def versions_pushed(task: Path) -> None:
    """The remote has what both versions need."""
    repo, tip = _open(task)
    second = _second_version(repo, tip)
    for commit in (second, repo.find(V1)):
        _expect_in_storage(task, repo, commit, _tracked_outs(repo, commit))


@check(**_VERSIONS, points=1)
def old_restored(task: Path) -> None:
    """`audit` has the first version, byte by byte; your own folder has the second."""
    _open(task)
    with _reading(f"work/{task.name}/{AUDIT}"):
        there = dvcread.files_below(task, AUDIT)
    for name, body in _version(1).items():
        if there.get(name) != body:
            raise CheckFailed(
                looked=f"work/{task.name}/{AUDIT}/{name}",
                found="no such file" if name not in there else _difference(name, there[name]),
                expected=f"the file as it was at the tag {V1}",
                hint=f"dvc get . data --rev {V1} -o ../{AUDIT} takes it from any commit. Or "
                f"git switch --detach {V1}, dvc checkout, copy, and back.",
            )
    extra = sorted(there.keys() - _version(1).keys() - {".gitignore"})
    if extra:
        raise CheckFailed(
            looked=f"work/{task.name}/{AUDIT}",
            found=f"also {shown(extra[0], 40)}",
            expected=f"nothing but what {V1} had: {', '.join(_version(1))}",
            hint="remove what does not belong there.",
        )
    for name, body in _version(2).items():
        _expect_on_disk(task, REPO, f"data/{name}", body)


def _second_version(repo: Repository, tip: Commit) -> Commit:
    """Return the commit that data-v2 names, which must go on from data-v1."""
    first = _first_commit_that_tracks(repo, tip)
    if f"refs/tags/{V1}" not in repo.refs or repo.find(V1).id != first.id:
        raise CheckFailed(
            looked=f"the tags of {repo.name}",
            found=f"{V1} is gone or was moved",
            expected=f"{V1} where it was, at {first}",
            hint=f"git tag -f -a {V1} {first.short} -m … puts it back: others rely on it.",
        )
    if f"refs/tags/{V2}" not in repo.refs:
        raise CheckFailed(
            looked=f"the tags of {repo.name}: {shown(', '.join(repo.tags), 50)}",
            found=f"no tag {V2}",
            expected=f"{V2} on the commit that tracks the new data",
            hint=f"copy both files from {INBOX} into data, dvc add data, commit data.dvc, then "
            f'git tag -a {V2} -m "…".',
        )
    second = repo.find(V2)
    if not repo.is_ancestor(second, tip):
        raise CheckFailed(
            looked=f"{V2} and main of {repo.name}",
            found=f"{V2} names {second}, which is not on main",
            expected="a commit of main",
            hint=f"git switch main, git merge {V2}; or git tag -f {V2} on the right commit.",
        )
    return second


def _first_commit_that_tracks(repo: Repository, tip: Commit) -> Commit:
    text = tracked_folder(_version(1))["data.dvc"]
    having = [c for c in repo.history(tip) if repo.text(c, "data.dvc") == text]
    if not having:
        raise CheckFailed(
            looked=_at(repo, tip),
            found="the commit that tracked the first version is no longer in the history",
            expected="a main that goes on from where it was",
            hint='git reflog lists where main was. lab.restart("4-versions") begins anew.',
        )
    return having[-1]


# 5 · The file nobody pushed


@check(**_MISSING, points=1)
def storage_complete(task: Path) -> None:
    """The remote has every month that `main` tracks."""
    repo, tip = _open(task)
    _expect_months_still_tracked(repo, tip)
    _expect_in_storage(
        task, repo, tip, _tracked_outs(repo, tip), f"dvc push in {ANAS}, where the data is whole. "
    )


@check(**_MISSING, points=1)
def clone_complete(task: Path) -> None:
    """Your clone has every month, byte by byte, and knows the same fingerprints."""
    repo, tip = _open(task)
    _expect_months_still_tracked(repo, tip)
    for month in _FIRST:
        _expect_on_disk(task, REPO, f"data/{month_name(month)}", month_file(month))


def _expect_months_still_tracked(repo: Repository, tip: Commit) -> None:
    found = {path: out.md5 for path, out in dvcread.tracked(repo, tip).items()}
    for month in _FIRST:
        path = f"data/{month_name(month)}"
        _expect_tracked(repo, tip, found, path, month_file(month))


# 6 · From four scripts to a pipeline

_SCRIPTS = ("split.py", "featurize.py", "train.py", "evaluate.py")


@check(**_PIPELINE, points=2)
def stages_declared(task: Path) -> None:
    """`main` has four stages or more that hang together, with params, a metric and two plots."""
    repo, tip = _open(task)
    pipe = dvcread.pipeline(repo, tip)
    looked = f"dvc.yaml and dvc.lock on {_at(repo, tip)}"
    for script in _SCRIPTS:
        if not any(dep.endswith(f"src/{script}") or dep == "src" for dep in _all_deps(pipe)):
            raise CheckFailed(
                looked=looked,
                found=f"no stage that depends on src/{script}",
                expected="a stage for each of the four scripts, with the script among its deps",
                hint="without it, DVC does not notice when the script changes. In dvc.yaml, add "
                f"src/{script} under deps; dvc repro brings dvc.lock up to date.",
            )
    if len(pipe.stages) < 4:
        raise CheckFailed(
            looked=looked,
            found=f"{len(pipe.stages)} stages: {shown(', '.join(pipe.stages), 60)}",
            expected="four or more: what is a stage of its own need not run when others change",
            hint="one stage a script: split, featurize, train, evaluate.",
        )
    _expect_chain(pipe, looked)
    _expect_params(pipe, looked)
    for kind, paths in (("metrics", (METRICS,)), ("plots", PICTURES)):
        for path in paths:
            if path not in pipe.declared(kind):
                raise CheckFailed(
                    looked=looked,
                    found=f"{path} is not among the {kind}",
                    expected=f"{path} under {kind}, of its stage or of the file as a whole",
                    hint=f"in dvc.yaml, a stage has outs, metrics and plots. dvc {kind} show "
                    "lists what DVC takes for one.",
                )


@check(**_PIPELINE, points=2)
def inputs_declared(task: Path) -> None:
    """Each stage does its work when it gets what it declares and nothing else."""
    repo, tip = _open(task)
    pipe = dvcread.pipeline(repo, tip)
    _rerun(repo, tip, pipe, _data(repo, tip, _cache(task)), declared_only=True)


@check(**_PIPELINE, points=1)
def lock_true(task: Path) -> None:
    """`dvc.lock` says what the commit, the cache and the files on disk say."""
    repo, tip = _open(task)
    _expect_lock_true(task, repo, tip, dvcread.pipeline(repo, tip))


@check(**_PIPELINE, points=1)
def metric_true(task: Path) -> None:
    """The committed metric is the one that the committed pipeline reaches."""
    repo, tip = _open(task)
    pipe = dvcread.pipeline(repo, tip)
    _expect_metric(repo, tip, pipe, _data(repo, tip, _cache(task)), _late(month_file(4)))


def _all_deps(pipe: Pipeline) -> set[str]:
    return {dep for stage in pipe.stages.values() for dep in stage.deps}


def _expect_chain(pipe: Pipeline, looked: str) -> None:
    """Expect that the metric's stage depends, step by step, on the data."""
    reached = [s for s in pipe.stages.values() if METRICS in s.outs]
    seen: set[str] = set()
    while reached:
        stage = reached.pop()
        seen.add(stage.name)
        reached += [
            s
            for s in pipe.stages.values()
            if s.name not in seen and any(overlaps(d, o) for d in stage.deps for o in s.outs)
        ]
    if len(seen) < 4 or not any(
        overlaps(dep, "data") for name in seen for dep in pipe.stages[name].deps
    ):
        raise CheckFailed(
            looked=looked,
            found=f"from {METRICS} back, only: "
            + (shown(", ".join(sorted(seen)), 60) or "no stage writes it"),
            expected="a chain from the data to the metric: what one stage writes (outs), the next "
            "one reads (deps)",
            hint="dvc dag draws it. A stage that stands alone lacks a dep.",
        )


def _expect_params(pipe: Pipeline, looked: str) -> None:
    declared = {
        name.partition(".")[0]
        for stage in pipe.stages.values()
        for names in stage.params.values()
        for name in names
    }
    missing = [name for name in ("split", "train") if name not in declared]
    if missing:
        raise CheckFailed(
            looked=looked,
            found=f"no stage has {' or '.join(missing)} among its params",
            expected="split and train of params.yaml, each at the stage that reads it",
            hint="under params, list the names: split, or split.train and split.test one by one. "
            "Then dvc repro.",
        )


# 7 · Only what changed


@check(**_REPRO, points=2)
def reran_downstream(task: Path) -> None:
    """With the new depth, DVC ran what depends on it, and `main` has the result."""
    repo, tip = _open(task)
    pipe = dvcread.pipeline(repo, tip)
    _expect_depth(repo, tip, pipe)
    _expect_lock_true(task, repo, tip, pipe)
    cache = _cache(task)
    for name in ("train", "evaluate", "compare"):
        entry = pipe.entries.get(name, {})
        if not any(_same_run(entry, run) for run in cache.runs):
            raise CheckFailed(
                looked=f"{cache.name}/runs, where DVC notes every run",
                found=f"no run of {name} with what dvc.lock says it read and wrote",
                expected="a run, done by DVC, for each stage that depends on the depth",
                hint="dvc.lock is a record, not a setting: nobody edits it. Delete it, then dvc "
                "repro: it takes from the run cache what ran before, and runs the rest."
                + _stuck(task),
            )
    stated = _stated(repo.read(tip, METRICS), f"on {_at(repo, tip)}")
    _judge_run(pipe, cache, stated, f"on {_at(repo, tip)}")


@check(**_REPRO, points=1)
def rest_spared(task: Path) -> None:
    """What does not depend on the depth did not run again: nothing was ordered twice."""
    repo, tip = _open(task)
    pipe = dvcread.pipeline(repo, tip)
    _expect_depth(repo, tip, pipe)
    start = pipeline_at_start(True)
    runs = _cache(task).runs
    orders = [r for r in runs if "build/record.json" in _outs_of(r)]
    for stage in start.stages:
        if stage.name not in ("order", "split", "featurize"):
            continue
        before = start.entry(stage)
        if not _same_run(pipe.entries.get(stage.name, {}), before):
            raise CheckFailed(
                looked=f"dvc.lock on {_at(repo, tip)}, stage {stage.name}",
                found="another entry than before: it ran again, or was changed",
                expected="the entry as it was, because nothing that it reads has changed",
                hint="dvc repro alone decides what to run; -f forces all of it. "
                'lab.restart("7-repro") gives you the first delivery back.',
            )
    if len(orders) > 1:
        raise CheckFailed(
            looked=f"{_cache(task).name}/runs, the runs of stage order",
            found=f"{len(orders)} deliveries, each with a receipt of its own",
            expected="the one that was paid for already",
            hint="going back to the old dvc.lock does not take an order back. "
            'lab.restart("7-repro"), then change the depth and let dvc repro decide.',
        )


def _expect_depth(repo: Repository, tip: Commit, pipe: Pipeline) -> None:
    for text, value in (
        ("params.yaml", _param(repo, tip, "train.max_depth")),
        ("dvc.lock, stage train", _locked_param(pipe, "train", "train.max_depth")),
    ):
        if value != DEPTH:
            raise CheckFailed(
                looked=f"{text} on {_at(repo, tip)}",
                found=f"max_depth is {shown(str(value), 20)}",
                expected=f"{DEPTH}",
                hint="set it in params.yaml, dvc repro, then commit params.yaml, dvc.lock and "
                "metrics.json together.",
            )


# 8 · Three tries, one winner

_EXPERIMENT = re.compile(r"refs/exps/[0-9a-f]{2}/[0-9a-f]{38}/([^/]+)")


@check(**_EXPERIMENTS, points=2)
def experiments_ran(task: Path) -> None:
    """Three experiments or more, with other parameters each, whose metrics are true."""
    repo, _ = _open(task)
    tries = _tries(task, repo)
    different = {json.dumps(params, sort_keys=True) for _, params, _, _ in tries}
    if len(different) < 3:
        raise CheckFailed(
            looked=f"the experiments of {repo.name} (refs/exps)",
            found=f"{len(tries)} with results, {len(different)} different settings of train",
            expected="three or more that differ in max_depth, min_leaf or both",
            hint="dvc exp run --queue -S train.max_depth=2 puts one into the queue, -S with "
            "=2,4,8 three; dvc exp run --run-all runs them. dvc exp show lists them, dvc queue "
            "status tells what failed." + _stuck(task),
        )


@check(**_EXPERIMENTS, points=2)
def best_applied(task: Path) -> None:
    """`main` has the best experiment's parameters and results."""
    repo, tip = _open(task)
    tries = _tries(task, repo)
    if not tries:
        raise CheckFailed(
            looked=f"the experiments of {repo.name} (refs/exps)",
            found="none with results",
            expected="the best of at least three, applied and committed",
            hint="dvc exp show lists what there is; run some first.",
        )
    best = max(auc for _, _, auc, _ in tries)
    pipe = dvcread.pipeline(repo, tip)
    mine = _train_params(repo, tip)
    same = [(name, auc) for name, params, auc, _ in tries if params == mine]
    if not same or max(auc for _, auc in same) < best - 1e-9:
        raise CheckFailed(
            looked=f"params.yaml on {_at(repo, tip)}",
            found=f"train is {shown(json.dumps(mine), 50)}: "
            + ("no experiment had that" if not same else "another experiment did better"),
            expected=f"what the best of {len(tries)} experiments had: auc {best:.4f}",
            hint="dvc exp show --sort-by auc --sort-order desc puts the best on top; "
            "dvc exp apply <name> brings it here; then git add and commit what changed.",
        )
    _expect_lock_true(task, repo, tip, pipe)
    stated = _stated(repo.read(tip, METRICS), f"on {_at(repo, tip)}")
    _judge_run(pipe, _cache(task), stated, f"on {_at(repo, tip)}")


def _tries(task: Path, repo: Repository) -> list[tuple[str, dict[str, Any], float, str]]:
    """Return name, parameters for training, true AUC and commit of every experiment."""
    cache, found = _cache(task), []
    for ref, object_id in repo.refs.items():
        match = _EXPERIMENT.fullmatch(ref)
        if not match:
            continue
        name, commit = shown(match[1], 30), repo.peel(object_id)
        pipe = dvcread.pipeline(repo, commit)
        looked = f"experiment {name} of {repo.name}, commit {commit.short}"
        params = _train_params(repo, commit)
        if params != _locked_train(pipe):
            raise CheckFailed(
                looked=looked,
                found="params.yaml and dvc.lock disagree about train",
                expected="an experiment as DVC ran it",
                hint=f"dvc exp remove {name}, then dvc exp run -S … with what you want to try.",
            )
        auc = _judge_run(pipe, cache, _stated(repo.read(commit, METRICS), looked), looked)
        found.append((name, params, auc, commit.id))
    return found


# 9 · The same number on a stranger's machine

_MAY = 5


@check(**_FRESH, points=2)
def months_in_order(task: Path) -> None:
    """The model learns from January to April and is judged on May, which it never saw."""
    repo, tip = _open(task)
    pipe = dvcread.pipeline(repo, tip)
    stored = (Objects(task / STORAGE, _name(task)), _cache(task))
    seen = {part: _months_of(pipe, f"build/{part}.csv", stored) for part in ("train", "test")}
    looked = f"build/train.csv and build/test.csv, as dvc.lock on {_at(repo, tip)} has them"
    said = "; ".join(f"{part}: {_listed(months)}" for part, months in seen.items())
    if seen["train"] & seen["test"] or max(seen["train"]) > min(seen["test"]):
        raise CheckFailed(
            looked=looked,
            found=f"months in {said}",
            expected="every month to learn from before the month to judge on",
            hint="a model that has seen the flights it is judged on, or later ones, shines in "
            "the test and nowhere else. Correct split in params.yaml, then dvc repro.",
        )
    if seen != {"train": {1, 2, 3, 4}, "test": {_MAY}}:
        raise CheckFailed(
            looked=looked,
            found=f"months in {said}",
            expected="train: 1 2 3 4; test: 5",
            hint=f"copy May from {INBOX} into data, dvc add data, set split in params.yaml, "
            "dvc repro, commit.",
        )


@check(**_FRESH, points=1)
def remote_complete(task: Path) -> None:
    """The remote has all that the commit's data and pipeline name."""
    repo, tip = _open(task)
    _expect_may(repo, tip)
    pipe = dvcread.pipeline(repo, tip)
    in_git = repo.files(tip)
    outs = {path: md5 for path, md5 in pipe.outs.items() if path not in in_git}
    _expect_in_storage(task, repo, tip, _tracked_outs(repo, tip) | outs)


@check(**_FRESH, points=2)
def reproduced(task: Path, unseen: bool = False) -> None:
    """From the commit and the remote alone, the pipeline reaches the metric that it states.

    With ``unseen``, it also runs on a month whose delays changed places by lot: what an honest
    model says of a flight that has not flown stays what it was.
    """
    repo, tip = _open(task)
    _expect_may(repo, tip)
    pipe = dvcread.pipeline(repo, tip)
    data = _data(repo, tip, Objects(task / STORAGE, _name(task)))
    _expect_lock_true(task, repo, tip, pipe, on_disk=False)
    _expect_metric(repo, tip, pipe, data, _late(month_file(_MAY)))
    if unseen:
        _expect_no_foresight(repo, tip, pipe, data)


def _expect_may(repo: Repository, tip: Commit) -> None:
    if _param(repo, tip, "split.test") != _MAY:
        raise CheckFailed(
            looked=f"params.yaml on {_at(repo, tip)}",
            found=f"the month to judge on is {shown(str(_param(repo, tip, 'split.test')), 20)}",
            expected=f"{_MAY}",
            hint=f"May lies in {INBOX}. Add it to data, set split in params.yaml, dvc repro, "
            "commit, dvc push.",
        )


def _months_of(pipe: Pipeline, path: str, stored: tuple[Objects, ...]) -> set[int]:
    md5 = pipe.outs.get(path, "")
    body = next((b for o in stored if md5 and (b := o.read(md5)) is not None), None)
    if body is None:
        raise CheckFailed(
            looked=f"{path}, in {' and in '.join(o.name for o in stored)}",
            found="no stage writes it" if not md5 else "its content is in neither of the two",
            expected="what the split wrote",
            hint="dvc repro makes it, dvc push brings it to the remote.",
        )
    months = {str(row.get("month")) for row in _rows(body)}
    return {int(m) for m in months if re.fullmatch("[0-9]{1,2}", m)} or {0}


def _listed(months: set[int]) -> str:
    return " ".join(map(str, sorted(months)))


def _expect_no_foresight(
    repo: Repository, tip: Commit, pipe: Pipeline, data: Mapping[str, bytes]
) -> None:
    """Run the pipeline with other delays in May, and expect that it cannot know of them."""
    known = _rerun(repo, tip, pipe, data)
    may = _delays_by_lot(month_file(_MAY), random.Random(tip.id))
    other = {p: may if p.endswith(f"/{month_name(_MAY)}") else body for p, body in data.items()}
    made = _rerun(repo, tip, pipe, other)
    looked = f"the pipeline of {_at(repo, tip)}, run with other delays in the judged month"
    stated = _stated(made.get(METRICS), looked)
    _judge_predictions(made.get(PREDICTIONS, b""), _late(may), stated, looked)
    before, after = (
        [chance for chance, _ in _pairs(each.get(PREDICTIONS, b""))] for each in (known, made)
    )
    if not _alike(before, after):
        raise CheckFailed(
            looked=looked,
            found="it predicts something else, although nothing else has changed",
            expected="a model that knows nothing of the flights it is judged on",
            hint="something carries the answer into the test: the judged month in training, or "
            "the column late (or arr_delay) in what the model reads. Follow it through src.",
        )


def _delays_by_lot(month: bytes, dice: random.Random) -> bytes:
    """Return a month's flights with their delays dealt out anew among them."""
    header, *lines = month.decode().splitlines()
    parts = [line.rpartition(",") for line in lines]
    delays = [delay for *_, delay in parts]
    dice.shuffle(delays)
    rows = [f"{head},{delay}" for (head, *_), delay in zip(parts, delays, strict=True)]
    return "\n".join([header, *rows, ""]).encode()


# What the checks share: the evidence


def _open(task: Path, name: str = REPO) -> tuple[Repository, Commit]:
    """Open a repository and return it with the tip of `main`."""
    if task.is_symlink():
        raise Unreadable(
            looked=f"work/{task.name}",
            found="a symbolic link",
            expected="the task's own folder",
            hint=f'remove the link; lab.restart("{task.name}") lays the folder out anew.',
        )
    repo = open_repository(task / name)
    return repo, repo.branch("main")


def _cache(task: Path, name: str = REPO) -> Objects:
    return Objects(task / name / ".dvc" / "cache", f"work/{task.name}/{name}/.dvc/cache")


def _name(task: Path) -> str:
    return f"work/{task.name}/{STORAGE}"


def _at(repo: Repository, commit: Commit) -> str:
    return f"main of {repo.name}, commit {commit.short}"


def _stuck(task: Path) -> str:
    """Name a lock that a command left behind when it was ended; empty if there is none."""
    repo = task / REPO
    if (repo / ".git" / "index.lock").exists():
        return (
            " And .git/index.lock is there: if no git command runs, an earlier one was ended; "
            "delete that file."
        )
    try:
        text = (dvcread.read_file(repo / ".dvc" / "tmp" / "rwlock") or b"{}").decode()
        held = any(json.loads(text or "{}").values())
    except (StoreError, ValueError, AttributeError):
        return " And .dvc/tmp/rwlock is damaged: delete that file, DVC makes a new one."
    if held:
        return (
            " And .dvc/tmp/rwlock says that a dvc command is at work: wait for it, or, if it was "
            "ended, delete that file."
        )
    return ""


@contextlib.contextmanager
def _reading(what: str) -> Iterator[None]:
    """Turn what cannot be read into a message."""
    try:
        yield
    except StoreError as error:
        raise dvcread.unreadable(
            what,
            str(error),
            "ordinary files and folders",
            "dvc config cache.type copy, then delete the file and dvc checkout: DVC copies "
            "instead of linking.",
        ) from error


def _tracked_outs(repo: Repository, commit: Commit) -> dict[str, str]:
    return {path: out.md5 for path, out in dvcread.tracked(repo, commit).items()}


def _tracked_files(repo: Repository, commit: Commit, *stores: Objects) -> dict[str, str]:
    """Return every tracked file with its hash; folders are opened where a store can do it."""
    found = {}
    for path, md5 in _tracked_outs(repo, commit).items():
        inside = next((f for s in stores if (f := _inside(s, md5)) is not None), None)
        found |= {path: md5} if inside is None else {f"{path}/{n}": h for n, h in inside.items()}
    return found


def _inside(stored: Objects, md5: str) -> dict[str, str] | None:
    return stored.files(md5) if md5.endswith(".dir") else None


def _expect_tracked(
    repo: Repository,
    commit: Commit,
    found: Mapping[str, str],
    path: str,
    body: bytes,
    where: str = "",
) -> None:
    if found.get(path) != hash_of(body):
        known = found.get(path)
        whole = next((p for p, h in found.items() if h.endswith(".dir")), "")
        raise CheckFailed(
            looked=f"the .dvc files on {where or _at(repo, commit)}",
            found=f"the fingerprint of another content for {path}"
            if known
            else f"the listing of {whole} is neither in the cache nor in the remote"
            if whole
            else f"nothing that tracks {path}",
            expected=f"a .dvc file with the fingerprint of {path}",
            hint="the data file was changed before it was added: lab.restart(…) has the "
            "original. dvc add notes what is on disk at that moment."
            if known
            else "dvc add makes the .dvc file, git add and git commit bring it into the commit.",
        )


def _expect_on_disk(task: Path, name: str, path: str, body: bytes) -> None:
    where = f"work/{task.name}/{name}/{path}"
    with _reading(where):
        there = dvcread.read_below(task / name, path)
    if there != body:
        raise CheckFailed(
            looked=where,
            found="no such file" if there is None else _difference(path, there),
            expected="the file, byte by byte",
            hint="dvc checkout takes it from the cache, dvc pull from the remote. Both keep a "
            "file that was changed by hand: delete it first, or add --force." + _stuck(task),
        )


def _difference(path: str, body: bytes) -> str:
    return f"{len(body):,} bytes with the fingerprint {hash_of(body)[:8]}…, not those of {path}"


def _expect_in_storage(
    task: Path, repo: Repository, commit: Commit, outs: Mapping[str, str], how: str = ""
) -> None:
    """Expect that the remote's folder holds every output, whole."""
    storage = Objects(task / STORAGE, _name(task))
    if not outs:
        raise CheckFailed(
            looked=_at(repo, commit),
            found="nothing that DVC tracks",
            expected="data that can be pushed",
            hint="dvc add, git add, git commit.",
        )
    lost = storage.missing(outs)
    if lost:
        others = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        raise CheckFailed(
            looked=f"{storage.name}, for what commit {commit.short} needs",
            found=f"not there: {shown(lost[0], 60)}{others}",
            expected="everything: whoever clones can pull nothing else",
            hint=(how or "dvc push in a clone that still has it. ")
            + "dvc status -c lists what only one side has; "
            "--all-tags takes older versions along." + _stuck(task),
        )


def _refuse_data_in_git(repo: Repository, tip: Commit) -> None:
    header = month_file(1).partition(b"\n")[0]
    for commit, path, blob in repo.blobs(*repo.named().values()):
        body = repo.blob(blob)
        if body.startswith(header) and len(body) > 2000:
            raise CheckFailed(
                looked=f"all commits of all branches and tags in {repo.name}",
                found=f"{shown(path)}, {len(body):,} bytes of data, in commit {commit}",
                expected="fingerprints only; the data belongs to DVC",
                hint="git rm --cached "
                f"{shown(path, 40)} and git commit --amend, if that is the newest commit. From an "
                "older one, git filter-repo takes it out of all history."
                if path in repo.files(tip)
                else "a later commit removed it, and everyone who clones still gets it: git "
                "filter-repo --invert-paths --path … takes it out of all history.",
            )


def _is_ignored(repo: Repository, tip: Commit, path: str) -> bool:
    """Tell whether a committed .gitignore has a rule for a path: whole name, pattern or folder."""
    folder, _, name = path.rpartition("/")
    for where, relative in (("", path), (f"{folder}/", name)):
        for rule in (repo.text(tip, f"{where}.gitignore") or "").splitlines():
            pattern = rule.strip().lstrip("/").rstrip("/")
            if not pattern or pattern.startswith(("#", "!")):
                continue
            if fnmatch.fnmatch(relative, pattern) or fnmatch.fnmatch(name, pattern):
                return True
            if relative.startswith(f"{pattern}/"):
                return True
    return False


# What the checks share: parameters


def _params(repo: Repository, commit: Commit) -> dict[str, Any]:
    text = repo.text(commit, "params.yaml")
    if text is None:
        raise CheckFailed(
            looked=_at(repo, commit),
            found="no params.yaml",
            expected="params.yaml, committed",
            hint="git add params.yaml. git log -- params.yaml tells where it went.",
        )
    return dvcread.parse(text, f"params.yaml on {_at(repo, commit)}")


def _dig(values: Any, name: str) -> Any:
    """Return the value under a dotted name, None where there is none."""
    for part in name.split("."):
        values = values.get(part) if isinstance(values, dict) else None
    return values


def _param(repo: Repository, commit: Commit, name: str) -> Any:
    return _dig(_params(repo, commit), name)


def _train_params(repo: Repository, commit: Commit) -> dict[str, Any]:
    train = _param(repo, commit, "train")
    return train if isinstance(train, dict) else {}


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mapping in which ``a.b`` has become a level of its own."""
    nested: dict[str, Any] = {}
    for name, value in flat.items():
        level, *rest = nested, *name.split(".")
        for part in rest[:-1]:
            level = level.setdefault(part, {})
            if not isinstance(level, dict):
                break
        else:
            level[rest[-1]] = value
    return nested


def _locked_param(pipe: Pipeline, stage: str, name: str) -> Any:
    known = pipe.stages.get(stage)
    return _dig(_nested(known.params.get("params.yaml", {})), name) if known else None


def _locked_train(pipe: Pipeline) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for stage in pipe.stages.values():
        train = _nested(stage.params.get("params.yaml", {})).get("train")
        found |= train if isinstance(train, dict) else {}
    return found


# What the checks share: dvc.lock


def _same_run(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Tell whether two entries of dvc.lock's form speak of the same run."""
    return _essence(one) == _essence(other)


def _essence(entry: Mapping[str, Any]) -> Any:
    def hashes(side: str) -> list[tuple[str, str]]:
        rows = entry.get(side)
        return sorted(
            (str(r.get("path")), str(r.get("md5")))
            for r in (rows if isinstance(rows, list) else [])
            if isinstance(r, dict)
        )

    return entry.get("cmd"), hashes("deps"), hashes("outs"), entry.get("params") or {}


def _outs_of(entry: Mapping[str, Any]) -> set[str]:
    return {path for path, _ in _essence(entry)[2]}


def _expect_lock_true(
    task: Path, repo: Repository, tip: Commit, pipe: Pipeline, *, on_disk: bool = True
) -> None:
    """Expect dvc.lock to agree with dvc.yaml, the commit, the cache or remote, and the disk."""
    looked = f"dvc.lock on {_at(repo, tip)}"
    for problem, expected, hint in _contradictions(task, repo, tip, pipe, on_disk):
        raise CheckFailed(looked=looked, found=problem, expected=expected, hint=hint + _stuck(task))


def _contradictions(
    task: Path, repo: Repository, tip: Commit, pipe: Pipeline, on_disk: bool
) -> Iterator[tuple[str, str, str]]:
    """Yield what dvc.lock says against what is: the problem, what is expected, what to try."""
    rerun = "dvc status names what changed, dvc repro runs it; then commit dvc.lock."
    said = pipe.said.get("stages") if isinstance(pipe.said.get("stages"), dict) else {}
    for name, stage in said.items():
        if name not in pipe.stages and isinstance(stage, dict) and "cmd" in stage:
            yield f"nothing about stage {shown(str(name), 30)}", "every stage of dvc.yaml", rerun
        cmd = stage.get("cmd") if isinstance(stage, dict) else None
        ran = " ".join(pipe.stages[name].cmd).strip() if name in pipe.stages else None
        if isinstance(cmd, str) and "${" not in cmd and ran not in (None, cmd.strip()):
            yield (
                f"another command for {shown(str(name), 30)} than in dvc.yaml",
                "the command that ran",
                rerun,
            )
    stores = (_cache(task), Objects(task / STORAGE, _name(task)))
    hashes = _Hashes(repo, tip, pipe, stores)
    for stage in pipe.stages.values():
        called = f"stage {shown(stage.name, 30)}"
        for path, md5 in stage.deps.items():
            if (real := hashes.committed(path)) not in (None, md5):
                yield (
                    f"{called} read {shown(path, 40)} with {md5[:8]}…; in the commit "
                    f"it is {str(real)[:8]}…",
                    "results made from what is committed with them",
                    rerun,
                )
        for file, values in stage.params.items():
            yield from _other_values(repo, tip, stage, file, values, rerun)
        for path, md5 in stage.outs.items():
            body = repo.read(tip, path)
            if body is not None and hash_of(body) != md5:
                yield (
                    f"{called} wrote {shown(path, 40)} with {md5[:8]}…; the committed "
                    f"file is {hash_of(body)[:8]}…",
                    "the file as the stage wrote it: nobody edits a result",
                    "dvc repro makes it anew if you delete it; then commit it.",
                )
            if body is None and all(s.missing({path: md5}) for s in stores):
                yield (
                    f"{called} wrote {shown(path, 40)} with {md5[:8]}…, which is "
                    "neither in the cache nor in the remote",
                    "a lock that only DVC wrote, and results that are kept",
                    "an edited dvc.lock names results that no run made: delete it, then dvc "
                    "repro. If the cache was deleted, dvc repro makes again what is missing.",
                )
        if on_disk:
            yield from _other_files(task, stage, rerun)


def _other_values(
    repo: Repository, tip: Commit, stage: Stage, file: str, values: Mapping[str, Any], rerun: str
) -> Iterator[tuple[str, str, str]]:
    text = repo.text(tip, file)
    real = dvcread.parse(text, f"{file} on {_at(repo, tip)}") if text else {}
    for name, value in values.items():
        if _dig(real, name) != value:
            yield (
                f"stage {shown(stage.name, 30)} ran with {shown(f'{name} = {value}', 50)}; "
                f"{shown(file, 40)} has {shown(str(_dig(real, name)), 40)}",
                "results made with the parameters that are committed with them",
                rerun,
            )


def _other_files(task: Path, stage: Stage, rerun: str) -> Iterator[tuple[str, str, str]]:
    for path, md5 in {**stage.deps, **stage.outs}.items():
        with _reading(f"work/{task.name}/{REPO}/{path}"):
            folder = task / REPO
            body = dvcread.read_below(folder, path) if not (folder / path).is_dir() else None
            inside = dvcread.files_below(folder, path) if body is None else {}
        listed = dvcread.listing({n: hash_of(b) for n, b in inside.items()})
        real = hash_of(body) if body is not None else hash_of(listed) + ".dir" if inside else ""
        if real != md5:
            yield (
                f"{shown(path, 40)} with {md5[:8]}…; on disk "
                + (f"it is {real[:8]}…" if real else "there is no such file"),
                "files on disk that are those of the lock",
                f"dvc checkout brings them from the cache. Or, if you mean the change: {rerun}",
            )


class _Hashes:
    """What each path holds at a commit, by whoever looks after it: a stage, DVC, or Git."""

    def __init__(
        self, repo: Repository, tip: Commit, pipe: Pipeline, stores: tuple[Objects, ...]
    ) -> None:
        self.repo, self.tip = repo, tip
        self.known = {**pipe.outs, **_tracked_outs(repo, tip)}
        self.stores = stores

    def committed(self, path: str) -> str | None:
        """Return the hash of a path, None where the commit does not tell."""
        if path in self.known:
            return self.known[path]
        for folder, md5 in self.known.items():
            if path.startswith(f"{folder}/") and md5.endswith(".dir"):
                inside = next((f for s in self.stores if (f := _inside(s, md5)) is not None), {})
                return inside.get(path.removeprefix(f"{folder}/"))
        body = self.repo.read(self.tip, path)
        return None if body is None else hash_of(body)


# What the checks share: numbers that are computed here


def _rows(body: bytes) -> list[dict[str, str]]:
    """Return a table's rows, none if it is no table."""
    try:
        return list(csv.DictReader(io.StringIO(body.decode("utf-8", "replace"))))
    except csv.Error:
        return []


@functools.lru_cache(maxsize=8)
def _late(month: bytes) -> tuple[int, ...]:
    """Return, flight by flight, whether it came late."""
    return tuple(int(int(row["arr_delay"]) >= LATE) for row in _rows(month))


def _stated(body: bytes | None, looked: str) -> float:
    """Return the AUC that a metrics file states."""
    try:
        value = json.loads(body or b"")["auc"]
    except (ValueError, TypeError, KeyError, RecursionError):
        value = None
    # JSON as Python reads it has NaN, which differs from nothing, not even from the truth.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise CheckFailed(
            looked=f"{METRICS}, {looked}",
            found="no file" if body is None else "no number from 0 to 1 under the name auc",
            expected='{"auc": …, "flights": …}, as src/evaluate.py writes it',
            hint="the stage that evaluates writes it; git add it with dvc.lock.",
        )
    return float(value)


def _judge_run(pipe: Pipeline, cache: Objects, stated: float, looked: str) -> float:
    """Compute the AUC on April from what a run left in the cache, the model itself included."""
    kept = {}
    for path in (MODEL, FEATURES, PREDICTIONS):
        body = _kept(pipe, cache, path)
        if body is None:
            raise CheckFailed(
                looked=f"{cache.name}, for {path}, {looked}",
                found="no stage writes it" if not pipe.outs else "its content is not there",
                expected="the results of the run, kept",
                hint="dvc repro, or dvc exp run, makes it again. dvc exp remove forgets an "
                "experiment that has lost its results.",
            )
        kept[path] = body
    auc = _judge_predictions(kept[PREDICTIONS], _late(month_file(4)), stated, looked)
    said = [chance for chance, _ in _pairs(kept[PREDICTIONS])]
    if not _alike(said, _chances(kept[MODEL], kept[FEATURES], len(said))):
        raise CheckFailed(
            looked=f"{MODEL} and {PREDICTIONS}, {looked}",
            found="predictions that this model does not make",
            expected="what the model says of each flight in build/features/test.csv",
            hint="restore src/evaluate.py (git checkout HEAD~1 -- src), then dvc repro.",
        )
    return auc


def _kept(pipe: Pipeline, cache: Objects, path: str) -> bytes | None:
    """Return what a stage wrote to a path, on its own or in a folder, if the cache has it."""
    for out, md5 in pipe.outs.items():
        if out == path:
            return cache.read(md5)
        if path.startswith(f"{out}/") and md5.endswith(".dir"):
            each = (cache.files(md5) or {}).get(path.removeprefix(f"{out}/"))
            return cache.read(each) if each else None
    return None


def _alike(some: list[float], others: list[float]) -> bool:
    return len(some) == len(others) and all(
        abs(a - b) <= 1e-5 for a, b in zip(some, others, strict=True)
    )


def _pairs(predictions: bytes) -> list[tuple[float, int]]:
    """Return for each flight its predicted chance and what came true; nothing if one is none."""
    try:
        pairs = [(float(row["chance"]), int(row["late"])) for row in _rows(predictions)]
    except (KeyError, TypeError, ValueError):
        return []
    return pairs if all(math.isfinite(chance) for chance, _ in pairs) else []


def _chances(model: bytes, features: bytes, flights: int) -> list[float]:
    """Return what a model in JSON says of each flight; nothing if it is no such model."""
    try:
        nodes, rows = json.loads(model), _rows(features)
        return [_walk(nodes, row) for row in rows] if len(rows) == flights else []
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        return []


def _walk(nodes: list[dict[str, Any]], flight: Mapping[str, str]) -> float:
    at = 0
    # A tree may lead in circles.
    for _ in range(min(len(nodes), MAX_STEPS)):
        node = nodes[at]
        if "chance" in node:
            return float(node["chance"])
        yes = float(flight[node["feature"]]) <= float(node["at_most"])
        at = int(node["yes" if yes else "no"])
    raise ValueError("a tree without an end")


def _judge_predictions(
    predictions: bytes, late: tuple[int, ...], stated: float, looked: str
) -> float:
    """Compute the AUC from predictions and what came true; expect it to be the stated one."""
    pairs = _pairs(predictions)
    if tuple(y for _, y in pairs) != late:
        raise CheckFailed(
            looked=f"{PREDICTIONS}, {looked}",
            found=f"{len(pairs)} rows, not the judged month flight by flight",
            expected=f"{len(late)} rows, late,chance: what came true and what was predicted",
            hint="src/evaluate.py writes them in the order of build/test.csv.",
        )
    auc = _auc([chance for chance, _ in pairs], late)
    if abs(auc - stated) > 0.0006:
        raise CheckFailed(
            looked=f"{METRICS} and {PREDICTIONS}, {looked}",
            found=f"it states an auc of {stated:.4f}, the predictions reach another one",
            expected="a metric that the predictions reach",
            hint="a metric is a result: no hand may write it. Undo the change of metrics.json "
            "(and of src/evaluate.py, if it was that), delete metrics.json, dvc repro.",
        )
    return auc


def _auc(chances: list[float], late: tuple[int, ...]) -> float:
    """Return the share of pairs, one late and one not, that stand in the right order."""
    below = pairs = 0.0
    groups: dict[float, list[int]] = {}
    for chance, was_late in zip(chances, late, strict=True):
        groups.setdefault(chance, []).append(was_late)
    for chance in sorted(groups):
        hits = sum(groups[chance])
        rest = len(groups[chance]) - hits
        pairs += hits * (below + rest / 2)
        below += rest
    return pairs / (sum(late) * (len(late) - sum(late)))


def _expect_metric(
    repo: Repository,
    tip: Commit,
    pipe: Pipeline,
    data: Mapping[str, bytes],
    late: tuple[int, ...],
) -> None:
    """Run the committed pipeline on the data and expect the committed metric."""
    looked = f"on {_at(repo, tip)}"
    stated = _stated(repo.read(tip, METRICS), looked)
    made = _rerun(repo, tip, pipe, data)
    again = _stated(made.get(METRICS), f"when the pipeline {looked} runs again")
    if abs(again - stated) > 0.0006:
        raise CheckFailed(
            looked=f"{METRICS} {looked}, and what its pipeline reaches when it runs again",
            found=f"it states an auc of {stated:.4f}; run again, it is another one",
            expected="the same number",
            hint="a metric is a result: no hand may write it, nor dvc.lock. Delete metrics.json, "
            "dvc repro, and commit what comes out of it.",
        )
    where = f"when the pipeline {looked} runs again"
    _judge_predictions(made.get(PREDICTIONS, b""), late, again, where)


# What the checks share: running the stages


def _data(repo: Repository, tip: Commit, stored: Objects) -> dict[str, bytes]:
    """Return the tracked data of a commit, from one store alone."""
    found: dict[str, bytes] = {}
    for path, md5 in _tracked_outs(repo, tip).items():
        inside = _inside(stored, md5)
        rows = {path: md5} if inside is None else {f"{path}/{n}": h for n, h in inside.items()}
        for name, each in rows.items():
            body = stored.read(each)
            if body is None:
                raise CheckFailed(
                    looked=f"{stored.name}, for what commit {tip.short} needs",
                    found=f"not there: {shown(name, 60)}",
                    expected="all data that main tracks",
                    hint="dvc push brings it to the remote, dvc pull from there to the cache.",
                )
            found[name] = body
    return found


def _rerun(
    repo: Repository,
    tip: Commit,
    pipe: Pipeline,
    data: Mapping[str, bytes],
    *,
    declared_only: bool = False,
) -> dict[str, bytes]:
    """Run all stages in the sandbox, each in a fresh folder; return what they wrote.

    With ``declared_only`` a stage finds what dvc.yaml says it reads, and nothing else.
    """
    key = tip.id, hash_of(repr(sorted(data.items())).encode())
    if not declared_only and key in _made:
        return _made[key]
    pool = dict(_sources(repo, tip, pipe)) | dict(data)
    made: dict[str, bytes] = {}
    for stage in pipe.in_order():
        if stage.cmd == ("",):
            continue
        given = {
            path: body
            for path, body in pool.items()
            if not declared_only or any(overlaps(path, dep) for dep in stage.deps)
        }
        if declared_only:
            given |= _declared_params(stage)
        wrote = _run_stage(repo, tip, stage, given, declared_only)
        made |= wrote
        pool |= wrote
    _made[key] = made
    return made


# What commits made of data: a commit's id tells all that it holds, so nothing runs twice.
_made: dict[tuple[str, str], dict[str, bytes]] = {}


def _sources(repo: Repository, tip: Commit, pipe: Pipeline) -> Iterator[tuple[str, bytes]]:
    for path, entry in repo.files(tip).items():
        if entry.is_file and dvcread.harmless(path) and path not in pipe.outs:
            yield path, repo.blob(entry.id)


def _declared_params(stage: Stage) -> dict[str, bytes]:
    """Return parameter files that hold what a stage declares and nothing else."""
    return {path: yaml.safe_dump(_nested(values)).encode() for path, values in stage.params.items()}


def _run_stage(
    repo: Repository, tip: Commit, stage: Stage, given: Mapping[str, bytes], declared_only: bool
) -> dict[str, bytes]:
    looked = f"stage {shown(stage.name, 30)} of {_at(repo, tip)}, run in a folder of its own"
    if declared_only:
        looked += " with only what it declares"
    with tempfile.TemporaryDirectory(prefix="stage-") as temporary:
        folder = Path(temporary).resolve() / "repo"
        for path in (*given, *(f"{out}/x" for out in stage.outs), f"{stage.wdir}/x"):
            if not dvcread.harmless(join(".", path)):
                raise dvcread.unreadable(
                    looked, f"the path {shown(path, 50)}", "paths inside", "correct dvc.yaml."
                )
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
        for out in stage.outs:
            (folder / out).rmdir()
        for path, body in given.items():
            (folder / path).write_bytes(body)
        done = sandbox.run(
            ["bash", "-ec", f"cd {shlex.quote(stage.wdir)}\n" + "\n".join(stage.cmd)],
            folder=folder,
            limits=sandbox.Limits(seconds=45),
        )
        if not done.ok:
            raise CheckFailed(
                looked=looked,
                found="it takes too long" if done.timed_out else shown(done.last_line, 200),
                expected="a stage that runs"
                + (
                    ": every file it reads under deps, every value under params"
                    if declared_only
                    else " for a stranger who has the commit and the remote"
                ),
                hint="a file that lies on your disk but neither under deps nor in Git or DVC is "
                "not there for DVC, nor for a stranger. Add it to dvc.yaml, then dvc repro.",
            )
        with _reading(looked):
            after = {
                path: body
                for top in dvcread.entries(folder)
                for path, body in _all_below(folder, top.name).items()
            }
    wrote = {p: b for p, b in after.items() if given.get(p) != b and "__pycache__" not in p}
    _expect_outs(stage, wrote, after, looked)
    return {p: b for p, b in wrote.items() if any(overlaps(p, out) for out in stage.outs)}


def _all_below(folder: Path, name: str) -> dict[str, bytes]:
    if (folder / name).is_dir():
        return {f"{name}/{p}": b for p, b in dvcread.files_below(folder, name).items()}
    return {name: dvcread.read_below(folder, name) or b""}


def _expect_outs(
    stage: Stage, wrote: Mapping[str, bytes], after: Mapping[str, bytes], looked: str
) -> None:
    for out in stage.outs:
        if not any(overlaps(path, out) for path in after):
            raise CheckFailed(
                looked=looked,
                found=f"it does not write {shown(out, 50)}",
                expected="every output that dvc.yaml lists",
                hint="an output stands at the stage that writes it. dvc dag --outs draws who "
                "makes what.",
            )
    stray = [p for p in wrote if not any(overlaps(p, out) for out in stage.outs)]
    if stray:
        raise CheckFailed(
            looked=looked,
            found=f"it writes {shown(sorted(stray)[0], 50)}, which it does not declare",
            expected="every file it writes under outs, metrics or plots",
            hint="what DVC does not know it neither keeps nor brings back. Add it to dvc.yaml, "
            "then dvc repro.",
        )
