"""Checks of lab s2_git: they read the repositories the learner left behind.

Git itself never runs in a learner's repository (see `autograder.gitread`), and what a learner
wrote runs only in the sandbox, on files taken out of a commit.  What a task started from is laid
out again beside it, so that a check can tell "was there before" from "the learner did this".
"""

from __future__ import annotations

import ast
import functools
import hashlib
import json
import os
import random
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from autograder import sandbox
from autograder.checks import CheckFailed, check
from autograder.gitread import Commit, Repository, Unreadable, open_repository, shown
from autograder.gitstore import StoreError, read_file
from autograder.starts import starts_of
from autograder.starts.s2_git import ANAS, FRESH_KEY, LEAKED_KEY, ORIGIN, REPO

_NAME = {"task": 1, "title": "A name on every commit"}
_IGNORE = {"task": 2, "title": "Code in, data and secrets out"}
_BRANCH = {"task": 3, "title": "A feature of its own"}
_CONFLICT = {"task": 4, "title": "Two people, one line"}
_REBASE = {"task": 5, "title": "A straight line"}
_SECRET = {"task": 6, "title": "The key that got out"}
_BISECT = {"task": 7, "title": "Which commit broke it?"}
_RELEASE = {"task": 8, "title": "A release anyone can name"}
_REMOTE = {"task": 9, "title": "Two clones, one truth"}
_REVERT = {"task": 10, "title": "Take it back in the open"}

EVENING = "feature/evening"
WEATHER = "feature/weather"
AIRPORTS = "feature/airports"
CULPRIT = "broke-the-metric"
RELEASE = "v0.2.0"

# 1 · A name on every commit


@check(**_NAME, points=1)
def first_commit(task: Path) -> None:
    """`main` has a commit with both files and a message."""
    repo = _open(task)
    tip = _main_of_new_repository(repo)
    missing = [path for path in ("README.md", "features.py") if path not in repo.files(tip)]
    if missing:
        raise CheckFailed(
            looked=_at(repo, tip),
            found=f"no {' and no '.join(missing)} in it",
            expected="README.md and features.py, both committed",
            hint=f"git add {' '.join(missing)} stages them; a second commit is fine.",
        )
    _refuse_vague(repo, [tip])


@check(**_NAME, points=1)
def author_named(task: Path) -> None:
    """Every commit on `main` carries a name and an address that a person chose."""
    repo = _open(task)
    tip = _main_of_new_repository(repo)
    for commit in repo.history(tip):
        problem = _anonymous(commit.author.name, commit.author.email)
        if problem:
            raise CheckFailed(
                looked=f"the author of commit {commit} in {repo.name}",
                found=f"{shown(str(commit.author), 70)}: {problem}",
                expected="your name and an address like ada@example.org",
                hint="set user.name and user.email with git config (with --global for all your "
                "repositories, without it for this one). A commit keeps the name it was made "
                "with: git commit --amend --reset-author --no-edit gives the newest one yours.",
            )


# 2 · Code in, data and secrets out

_SOURCE = ("features.py", "train.py", "tests/test_features.py", "data/README.md", ".gitignore")
_PRIVATE = (".env", "data/flights-2013-01.csv", "data/flights-2013-02.csv", "models/model.pkl")


@check(**_IGNORE, points=2)
def ignored(task: Path, private: Sequence[str] = (), source: Sequence[str] = ()) -> None:
    """The committed rules ignore data and secrets, those of tomorrow too, and no source."""
    repo = _open(task)
    tip = repo.branch("main")
    rules = {
        path: repo.blob(entry.id)
        for path, entry in repo.files(tip).items()
        if path.rpartition("/")[2] == ".gitignore" and entry.is_file
    }
    if not rules:
        raise CheckFailed(
            looked=_at(repo, tip),
            found="no .gitignore in that commit",
            expected="a .gitignore that is committed, so that the whole team has it",
            hint="write .gitignore in flight-delays, then git add .gitignore and commit it.",
        )
    _judge_rules(repo, tip, rules, _PRIVATE, [*_SOURCE, "README.md"])
    if private or source:
        _judge_rules(repo, tip, rules, private, source, secretly=True)


@check(**_IGNORE, points=1)
def data_stays_out(task: Path) -> None:
    """All source is committed, and no commit of any branch has data or the key."""
    repo = _open(task)
    tip = repo.branch("main")
    missing = [path for path in _SOURCE if path not in repo.files(tip)]
    if missing:
        raise CheckFailed(
            looked=_at(repo, tip),
            found=f"not committed: {', '.join(missing)}",
            expected="all source, also data/README.md and .gitignore itself",
            hint="git status --ignored shows what is untracked and what is ignored. A folder "
            "that is ignored as a whole (data/) hides its README too; data/*.csv does not.",
        )
    for commit, path, blob in repo.blobs(*repo.named().values()):
        if _is_private(path) or FRESH_KEY.encode() in repo.blob(blob):
            raise CheckFailed(
                looked=f"all commits of all branches in {repo.name}",
                found=f"{shown(path)} in commit {commit}",
                expected="data, models and keys in no commit at all",
                hint=_how_to_forget(repo, tip, path),
            )


@check(**_IGNORE, points=1)
def commits_tell_why(task: Path) -> None:
    """At least two new commits, each with a change and a message that says what it is about."""
    repo = _open(task)
    tip = repo.branch("main")
    before = {c.id for c in _start("2-ignore").history("main")}
    new = [c for c in repo.history(tip) if c.id not in before]
    if len(new) < 2:
        raise CheckFailed(
            looked=f"main of {repo.name}",
            found=f"{_count(len(new), 'new commit')}",
            expected="two or more, one idea each",
            hint="git add takes file names: stage what belongs together, commit, stage the rest. "
            "git reset --soft HEAD~1 undoes a commit and keeps its changes staged.",
        )
    for commit in new:
        if len(commit.parents) < 2 and not repo.changes(commit):
            raise CheckFailed(
                looked=f"commit {commit} in {repo.name}",
                found="an empty commit: it changes no file",
                expected="a change in every commit",
                hint="stage something with git add before you commit, and git status before that.",
            )
    _refuse_vague(repo, new)


# 3 · A feature of its own


@check(**_BRANCH, points=1)
def branch_made(task: Path) -> None:
    """`feature/evening` has work of its own, begun where `main` was."""
    repo, start = _open(task), _start("3-branch")
    tip = repo.branch(EVENING)
    began = start.branch("main")
    if not repo.is_ancestor(began.id, tip):
        raise CheckFailed(
            looked=f"{EVENING} of {repo.name}",
            found=f"it does not contain {began}, the main you began with",
            expected=f"a branch that goes on from {began.short}",
            hint=f"git switch -c feature/again {began.short} begins anew there; git cherry-pick "
            f"brings your commit; git branch -M {EVENING} gives the branch its name.",
        )
    own = [c for c in repo.history(tip) if c.id not in {b.id for b in start.history("main")}]
    if not any("features.py" in repo.changes(c) for c in own if len(c.parents) == 1):
        raise CheckFailed(
            looked=f"{EVENING} of {repo.name}, {_count(len(own), 'commit')} beyond {began.short}",
            found="no commit there changes features.py",
            expected="your feature, committed on the branch",
            hint=f"git switch {EVENING}, then edit, git add features.py, git commit.",
        )


@check(**_BRANCH, points=1)
def branch_merged(task: Path) -> None:
    """`main` has a merge commit that brought the branch in."""
    repo = _open(task)
    began = _start("3-branch").branch("main")
    feature, main = repo.branch(EVENING), repo.branch("main")
    looked = f"main ({main.short}) and {EVENING} ({feature.short}) of {repo.name}"
    if feature.id == began.id or not repo.is_ancestor(feature, main):
        raise CheckFailed(
            looked=looked,
            found=f"main does not contain the newest commit of {EVENING}"
            if feature.id != began.id
            else f"{EVENING} has no commit of its own yet",
            expected="the branch merged into main",
            hint=_finish(repo) or f"git switch main, then git merge --no-ff {EVENING}.",
        )
    merges = [c for c in repo.history(main) if len(c.parents) > 1]
    if not any(_joins(repo, merge, feature) for merge in merges):
        raise CheckFailed(
            looked=looked,
            found="no merge commit: main was moved forward to the branch (fast-forward)"
            if not merges
            else f"a merge commit, but none that joins {EVENING} with main",
            expected="a commit with two parents, main's and the branch's, so that the feature "
            "can be seen, and undone, as one",
            hint=f"git switch main, git reset --hard {began.short} (where main was), then "
            f'git merge --no-ff {EVENING} -m "…".',
        )


@check(**_BRANCH, points=1)
def feature_works(task: Path) -> None:
    """On `main`, the model gets `evening` with the right value for flights unseen so far."""
    repo = _open(task)
    _judge_features(
        repo,
        repo.branch("main"),
        {"hour", "distance", "evening"},
        "1 from 17:00 on, 0 before: look at the first minute (1700) and the last (2359).",
    )


# 4 · Two people, one line

_MARKER = re.compile(r"^[\s#]*(<{7}|>{7}|\|{7})(\s|$)", re.MULTILINE)


@check(**_CONFLICT, points=1)
def conflict_resolved(task: Path) -> None:
    """`main` has a merge commit, both people's commits, and no conflict marker in any file."""
    repo, start = _open(task), _start("4-conflict")
    tip = repo.branch("main")
    yours, anas = start.branch("main"), start.branch(WEATHER)
    for whose, commit in (("your", yours), ("Ana's", anas)):
        if not _carries(repo, tip, commit):
            raise CheckFailed(
                looked=_at(repo, tip),
                found=f"{whose} commit {commit} is not in its history",
                expected="both people's commits, by their own names",
                hint=_finish(repo)
                or (
                    f"git merge {WEATHER} brings Ana's commit. A squash copies her lines and "
                    "drops her commit: git reset --hard "
                    f"{yours.short} goes back to before."
                ),
            )
    began = {c.id for c in start.history("main", WEATHER)}
    if not any(len(c.parents) > 1 for c in repo.history(tip) if c.id not in began):
        raise CheckFailed(
            looked=_at(repo, tip),
            found="both commits, but no merge commit",
            expected="a commit with two parents",
            hint="after a rebase the branch can still be merged: git merge --no-ff "
            f"{WEATHER} from a main that is one commit behind it.",
        )
    for path, entry in repo.files(tip).items():
        marker = _MARKER.search(repo.blob(entry.id).decode("utf-8", "replace"))
        if entry.is_file and marker:
            raise CheckFailed(
                looked=f"{shown(path)} on {_at(repo, tip)}",
                found=f"a conflict marker: {marker[1]}",
                expected="only lines that you want to keep",
                hint="git grep -nE '^(<{7}|={7}|>{7})' lists the lines Git left for you. Edit the "
                "file and commit again; a commit on top is fine.",
            )


@check(**_CONFLICT, points=2)
def features_both(task: Path) -> None:
    """On `main`, the model gets both features, once each, with the right values."""
    repo = _open(task)
    _judge_features(
        repo,
        repo.branch("main"),
        {"hour", "distance", "carrier", "weather"},
        f"git show {WEATHER}:features.py has Ana's side, git show "
        f"{_start('4-conflict').branch('main').short}:features.py has yours. A new commit that "
        "puts it right is fine.",
    )


# 5 · A straight line


@check(**_REBASE, points=1)
def history_linear(task: Path) -> None:
    """`main` goes on from where it was, has the branch's files, and no commit with two parents."""
    repo, start = _open(task), _start("5-rebase")
    tip, began = repo.branch("main"), start.branch("main")
    _expect_unmoved(repo, tip, began)
    if "tests/test_airports.py" not in repo.files(tip):
        raise CheckFailed(
            looked=_at(repo, tip),
            found=f"the work of {AIRPORTS} is not on main yet",
            expected="main with the three commits of the branch",
            hint=_finish(repo) or _towards_line(repo, began),
        )
    knots = [c for c in repo.history(tip) if len(c.parents) > 1]
    if knots:
        raise CheckFailed(
            looked=_at(repo, tip),
            found=f"commit {knots[0]} has {len(knots[0].parents)} parents",
            expected="one parent a commit: a line without knots",
            hint=f"git switch main and git reset --hard {began.short} take the merge back. "
            f"git switch {AIRPORTS} and git rebase main, then merge with --ff-only.",
        )


@check(**_REBASE, points=2)
def commits_replayed(task: Path) -> None:
    """The branch's three commits are on `main`, in order, each with its own change."""
    repo, start = _open(task), _start("5-rebase")
    tip, began = repo.branch("main"), start.branch("main")
    _expect_unmoved(repo, tip, began)
    known = {c.id for c in start.history("main")}
    wanted = [c for c in reversed(start.history(AIRPORTS)) if c.id not in known]
    line = [c for c in reversed(repo.first_parents(tip)) if c.id not in known]
    found = [(c.subject, repo.changes(c)) for c in line]
    for commit in wanted:
        replayed = (commit.subject, start.changes(commit))
        if replayed not in found:
            raise CheckFailed(
                looked=f"the commits of main since {began.short} in {repo.name}",
                found=_list([c.subject for c in line]),
                expected=f'also "{commit.subject}", after the ones before it and with its own '
                "change",
                hint=_finish(repo)
                or (
                    f"the originals are {', '.join(c.short for c in wanted)}. git rebase and "
                    "git cherry-pick repeat them one by one; a squash makes one of three."
                ),
            )
        del found[: found.index(replayed) + 1]
    _expect_files(repo, tip, start.files("main") | start.files(AIRPORTS), start.files("main"))


# 6 · The key that got out


@check(**_SECRET, points=1)
def key_gone(task: Path) -> None:
    """No branch, tag, stash or other name leads to a commit with the key."""
    repo = _open(task)
    repo.branch("main")
    named = repo.named()
    for ref in repo.refs:
        if ref != "refs/stash" and ref not in named:
            raise CheckFailed(
                looked=f"all names in {repo.name}",
                found=f"{shown(ref)} names something that is not a commit",
                expected="names that lead to commits",
                hint=f"git update-ref -d {shown(ref)} removes it.",
            )
    leaks = [leak for name, tip in named.items() if (leak := _leak(repo, name, tip))]
    if leaks:
        raise CheckFailed(
            looked=f"everything that {_count(len(named), 'name')} in {repo.name} lead to",
            found="the leaked key, still reachable:\n" + "\n".join(leaks[:4]),
            expected="the key in no commit, under no name",
            hint=_how_to_purge(leaks),
        )


@check(**_SECRET, points=2)
def history_kept(task: Path) -> None:
    """All else is as it was: the same commits, by the same people, with the same other files."""
    repo, start = _open(task), _start("6-secret")
    leak = _leak(repo, "refs/heads/main", repo.branch("main"))
    if leak:
        raise CheckFailed(
            looked=f"main of {repo.name}",
            found=leak.strip(),
            expected="a main without the key, and all else in it as it was",
            hint="git log --oneline -- .env lists the commits that touch the file. Removing it in "
            "a new commit leaves the old ones as they are; git filter-repo rewrites them.",
        )
    for ref, tip in start.named().items():
        if ref not in repo.refs:
            raise CheckFailed(
                looked=f"the names in {repo.name}",
                found=f"{ref.removeprefix('refs/')} is gone",
                expected="every branch and tag, each with its history",
                hint='deleting a name loses the work it led to. lab.restart("6-secret") brings '
                "the start state back; git filter-repo rewrites all names at once.",
            )
        _expect_same_history(repo, start, ref, tip)


@check(**_SECRET, points=1)
def key_swept(task: Path) -> None:
    """No object in the repository holds the key, not even one that no name leads to."""
    repo = _open(task)
    key = LEAKED_KEY.encode()
    holders = [f"{kind} {i[:7]}" for i, kind, body in repo.objects() if key in body]
    if holders:
        raise CheckFailed(
            looked=f"every object in {repo.name}, also those without a name",
            found=f"the leaked key in {_count(len(holders), 'object')}: {', '.join(holders[:4])}",
            expected="in none: whoever copies the folder copies these too",
            hint="Git keeps what was replaced for weeks, for you to undo. git reflog expire "
            "--expire=now --all, then git gc --prune=now, ends that. If it stays, a name still "
            "leads there: git for-each-ref lists them.",
        )


@check(**_SECRET, points=1)
def key_rotated(task: Path) -> None:
    """The new key is in `.env`, which Git does not have."""
    repo = _open(task)
    env = task / REPO / ".env"
    try:
        text = (read_file(env, 1 << 16) or b"").decode("utf-8", "replace")
    except StoreError as error:
        text = f"({error})"
    looked = f"{repo.name}/.env, on disk and in the commits"
    if FRESH_KEY not in text or LEAKED_KEY in text:
        raise CheckFailed(
            looked=looked,
            found="the leaked key, which is worthless now"
            if LEAKED_KEY in text
            else "no .env with the new key",
            expected=f"one line, WEATHER_API_KEY={FRESH_KEY}",
            hint="the statement has the new key. Write the file after you rewrote the history: "
            "rewriting takes a committed .env off the disk.",
        )
    for commit, path, blob in repo.blobs(*repo.named().values()):
        if FRESH_KEY.encode() in repo.blob(blob):
            raise CheckFailed(
                looked=looked,
                found=f"the new key in {shown(path)} of commit {commit}",
                expected="the new key on disk only",
                hint="take the commit back (git reset --soft HEAD~1, git restore --staged .env): "
                "the file stays, and .gitignore keeps it out from now on.",
            )


# 7 · Which commit broke it?


@check(**_BISECT, points=2)
def culprit_found(task: Path, line: str = "") -> None:
    """The tag `broke-the-metric` names a commit between the good one and today.

    With ``line``, it must be the commit that brought this line into model.py.
    """
    repo, start = _open(task), _start("7-bisect")
    if f"refs/tags/{CULPRIT}" not in repo.refs:
        raise CheckFailed(
            looked=f"the tags of {repo.name}",
            found=f"no tag {CULPRIT}" + (": a bisect is under way" if _bisecting(repo) else ""),
            expected=f"the tag {CULPRIT} on the first commit with the bad metric",
            hint='git bisect ends with "… is the first bad commit". '
            f"git tag {CULPRIT} <that commit> leaves the answer.",
        )
    commit = repo.find(CULPRIT)
    suspects = start.history("main")
    good = {c.id for c in start.history("v0.1.0")}
    if commit.id not in {c.id for c in suspects} or commit.id in good:
        raise CheckFailed(
            looked=f"the tag {CULPRIT} of {repo.name}",
            found=f"it names {commit}",
            expected=f"one of the {len(suspects) - len(good)} commits after v0.1.0 that you were "
            "given",
            hint="v0.1.0 is good, so it and what was before it are not to blame. "
            f"git tag -f {CULPRIT} <commit> moves the tag.",
        )
    if line and not _introduces(repo, commit, line):
        raise CheckFailed(
            looked=f"the tag {CULPRIT} of {repo.name}",
            found=f"{commit} is not the commit that broke the metric",
            expected="a commit with a bad metric whose parent has a good one",
            hint="try both: git switch --detach, python3 evaluate.py, once for the commit and "
            "once for its parent (add ~1). git bisect run does this for you, five times.",
        )


@check(**_BISECT, points=1)
def metric_restored(task: Path) -> None:
    """A new commit on `main` makes the model rank flights well again."""
    repo, start = _open(task), _start("7-bisect")
    tip, began = repo.branch("main"), start.branch("main")
    if not repo.is_ancestor(began.id, tip):
        raise CheckFailed(
            looked=_at(repo, tip),
            found=f"{began}, the main you began with, is gone from it",
            expected="all commits kept, and a new one that repairs",
            hint=f"git reset --hard {began.short} on main, then git revert the commit that broke "
            "the metric.",
        )
    flights = _unseen_flights(random.Random(tip.id))
    past, future = flights[:200], flights[200:]
    asked = [{k: v for k, v in f.items() if k != "arr_delay"} for f in future]
    chances = _run(repo, tip, "model", _RANK, {"past": past, "future": asked})
    value = _auc(chances, [int(f["arr_delay"]) >= 15 for f in future])
    if value < 0.9:
        raise CheckFailed(
            looked=f"model.py on {_at(repo, tip)}",
            found=f"AUC {value:.2f} on flights that are late if and only if they leave late in the "
            "day",
            expected="above 0.90",
            hint=f"git show {CULPRIT} shows what the commit changed; git revert --no-edit "
            f"{CULPRIT} undoes just that, in a new commit."
            + (" First git bisect reset." if _bisecting(repo) else ""),
        )


# 8 · A release anyone can name


@check(**_RELEASE, points=1)
def release_annotated(task: Path) -> None:
    """`v0.2.0` is an annotated tag with a message."""
    repo = _open(task)
    looked = f"the tags of {repo.name}: {shown(', '.join(repo.tags), 50) or 'none'}"
    tag = repo.tag(RELEASE)
    if f"refs/tags/{RELEASE}" not in repo.refs:
        raise CheckFailed(
            looked=looked,
            found=f"no tag {RELEASE}",
            expected=f"the tag {RELEASE}: a v, then the version as in the file VERSION",
            hint="a new feature that breaks nothing raises the middle number. "
            f'git tag -a {RELEASE} -m "…" <commit> makes an annotated tag.',
        )
    if tag is None or len(tag.message.split()) < 2 or tag.tagger is None:
        raise CheckFailed(
            looked=looked,
            found=f"{RELEASE} is a lightweight tag: a name without author, date or message"
            if tag is None
            else f'{RELEASE} with the message "{shown(tag.message, 40)}"',
            expected="an annotated tag whose message says what is new, in two words or more",
            hint=f"git tag -d {RELEASE} removes the tag here (fine, nobody else has it yet), "
            "git tag -a makes it anew.",
        )


@check(**_RELEASE, points=1)
def release_commit(task: Path) -> None:
    """`v0.2.0` names the commit that set the version, and no earlier tag moved."""
    repo, start = _open(task), _start("8-release")
    if f"refs/tags/{RELEASE}" not in repo.refs:
        raise CheckFailed(
            looked=f"the tags of {repo.name}",
            found=f"no tag {RELEASE}",
            expected=f"the tag {RELEASE} on the commit to be released",
            hint="git log --oneline -- VERSION lists the commits that changed the version.",
        )
    for name in start.tags:
        if repo.refs.get(f"refs/tags/{name}") != start.refs[f"refs/tags/{name}"]:
            raise CheckFailed(
                looked=f"the earlier tags of {repo.name}",
                found=f"{name} is gone or was moved",
                expected="tags that were published stay as they are: others rely on them",
                hint='lab.restart("8-release") brings the start state back.',
            )
    commit = repo.find(RELEASE)
    (right,) = [c for c in start.history("main") if _sets_version(start, c, "0.2.0")]
    if commit.id != right.id:
        version = (repo.text(commit, "VERSION") or "no such file").strip()
        raise CheckFailed(
            looked=f"the tag {RELEASE} of {repo.name}",
            found=f"it names {commit}, where VERSION is {shown(version, 20)}",
            expected="the commit that set VERSION to 0.2.0",
            hint="without a commit, git tag takes HEAD, and main has moved on. git log --oneline "
            f"-- VERSION finds the right one; git tag -d {RELEASE} first, then tag it.",
        )


# 9 · Two clones, one truth


@check(**_REMOTE, points=1)
def yours_pushed(task: Path) -> None:
    """The remote's `main` has your commit and all that was there before."""
    origin = _open(task, ORIGIN)
    _expect_pushed(origin, _start("9-remote", ORIGIN).branch("main"), "what was there before")
    _expect_pushed(origin, _start("9-remote").branch("main"), "your commit")


@check(**_REMOTE, points=1)
def anas_pushed(task: Path) -> None:
    """The remote's `main` has Ana's commit too, and yours is still there."""
    origin = _open(task, ORIGIN)
    _expect_pushed(origin, _start("9-remote", ANAS).branch("main"), "Ana's commit")
    _expect_pushed(origin, _start("9-remote").branch("main"), "your commit")
    tip = origin.branch("main")
    yours, anas = _start("9-remote").files("main"), _start("9-remote", ANAS).files("main")
    _expect_files(origin, tip, anas | {"OWNERS": yours["OWNERS"]}, {})


@check(**_REMOTE, points=1)
def clones_agree(task: Path) -> None:
    """Remote, your clone and Ana's have the same `main`, with both commits."""
    repos = [_open(task, name) for name in (ORIGIN, REPO, ANAS)]
    tips = [repo.branch("main") for repo in repos]
    if len({tip.id for tip in tips}) > 1:
        behind = [r for r, t in zip(repos, tips, strict=True) if t.id != tips[0].id]
        raise CheckFailed(
            looked="main in " + ", ".join(r.name for r in repos),
            found="\n".join(
                f"{r.name.rpartition('/')[2]}: {t}" for r, t in zip(repos, tips, strict=True)
            ),
            expected="the same commit three times",
            hint=_finish(behind[0]) or f"git -C {behind[0].name} pull brings it up to the remote.",
        )
    for name, whose in ((REPO, "your commit"), (ANAS, "Ana's commit")):
        _expect_pushed(repos[0], _start("9-remote", name).branch("main"), whose)


# 10 · Take it back in the open


@check(**_REVERT, points=2)
def reverted(task: Path) -> None:
    """Your `main` keeps every pushed commit and labels flights right again."""
    _judge_labels(_open(task))


@check(**_REVERT, points=1)
def revert_pushed(task: Path) -> None:
    """The remote's `main` does, too."""
    _judge_labels(_open(task, ORIGIN))


# What the checks share: the evidence


def _open(task: Path, name: str = REPO) -> Repository:
    if task.is_symlink():
        raise Unreadable(
            looked=f"work/{task.name}",
            found="a symbolic link",
            expected="the task's own folder",
            hint=f'remove the link; lab.restart("{task.name}") lays the folder out anew.',
        )
    return open_repository(task / name)


@functools.cache
def _start(folder: str, name: str = REPO) -> Repository:
    """Return a repository as the task's start state has it.

    Start states are packed and a pack is read as a whole, so the folder may go again.
    """
    with tempfile.TemporaryDirectory(prefix="start-") as temporary:
        starts_of("s2_git")[folder](Path(temporary))
        return open_repository(Path(temporary) / name)


def _at(repo: Repository, commit: Commit) -> str:
    return f"main of {repo.name}, commit {commit.short}"


def _count(n: int, thing: str) -> str:
    return f"{n or 'no'} {thing}{'' if n == 1 else 's'}"


def _list(subjects: list[str]) -> str:
    return "\n".join(shown(s, 60) for s in subjects[:8]) or "none"


def _finish(repo: Repository) -> str:
    """Say how to end what is half done; empty if nothing is."""
    what = repo.busy_with
    if not what:
        return ""
    if what == "bisect":
        return "a bisect is still under way: git bisect reset ends it."
    done = "git commit --no-edit" if what == "merge" else f"git {what} --continue"
    return (
        f"a {what} is still under way. git status names the files to repair; git add them, then "
        f"{done}. git {what} --abort goes back to before."
    )


def _bisecting(repo: Repository) -> bool:
    return repo.busy_with == "bisect"


# What the checks share: commits


def _main_of_new_repository(repo: Repository) -> Commit:
    """Return the tip of `main`, with a better hint where the first branch has another name."""
    if "main" not in repo.branches and repo.branches:
        raise CheckFailed(
            looked=f"the branches of {repo.name}",
            found=f"no main, but {shown(repo.branches[0], 30)}",
            expected="the first branch called main",
            hint="git branch -m main renames the branch you are on. git init -b main calls it so "
            "from the start.",
        )
    return repo.branch("main")


def _anonymous(name: str, email: str) -> str:
    """Say why an author tells nobody who it was; empty if it does."""
    if not name or name.lower() in {"your name", "you", "root", "user", "name"}:
        return "that is nobody's name"
    if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s.]+", email) or email.endswith(".(none)"):
        return "nobody can write to that address"
    if email.lower() in {"you@example.com", "you@example.org", "your@email.com"}:
        return "that address is the one from the manual"
    return ""


# Words that say nothing about a change; a message needs at least one other.
_VAGUE = re.compile(
    "a|add|added|again|all|and|another|asdf|blah?|changed?|changes|code|commits?|done|edit(ed|s)?|"
    "files?|final|fix(ed|es)?|foo|git|in|it|last|latest|minor|misc|more|my|new|of|ok|progress|"
    "small|some|stuff|te?mp|test|the|things?|updated?|updates|various|version|wip|work"
)


def _refuse_vague(repo: Repository, commits: list[Commit]) -> None:
    for commit in commits:
        words = re.findall(r"[^\W_]+", commit.subject.lower())
        problem = (
            "no message"
            if not words
            else "a first line longer than 72 characters"
            if len(commit.subject) > 72
            else "too little to know what changed"
            if len(commit.subject) < 10 or len(words) < 2 or all(map(_VAGUE.fullmatch, words))
            else ""
        )
        if problem:
            raise CheckFailed(
                looked=f"the message of commit {commit} in {repo.name}",
                found=problem,
                expected="a first line of 10 to 72 characters, two words or more, that tells a "
                "colleague what the commit does",
                hint='git commit --amend -m "…" gives the newest commit a new message. For an '
                "older one: git reset --soft HEAD~2 keeps the changes, commit them again.",
            )


def _carries(repo: Repository, tip: Commit, wanted: Commit) -> Commit | None:
    """Return the commit, or its copy by rebase or cherry-pick, if the tip's history has it."""

    def identity(c: Commit) -> tuple[str, ...]:
        return c.author.name, c.author.email, str(c.author.time), c.subject

    return next((c for c in repo.history(tip) if identity(c) == identity(wanted)), None)


def _joins(repo: Repository, merge: Commit, tip: Commit) -> bool:
    """Tell whether a merge brought a branch in: one parent has its tip, another one has not."""
    return len({repo.is_ancestor(tip, parent) for parent in merge.parents}) == 2


def _introduces(repo: Repository, commit: Commit, line: str) -> bool:
    return line in (repo.text(commit, "model.py") or "") and not any(
        line in (repo.text(parent, "model.py") or "") for parent in commit.parents
    )


def _sets_version(repo: Repository, commit: Commit, version: str) -> bool:
    changed = "VERSION" in repo.changes(commit)
    return changed and (repo.text(commit, "VERSION") or "").strip() == version


def _expect_unmoved(repo: Repository, tip: Commit, began: Commit) -> None:
    if not repo.is_ancestor(began.id, tip):
        raise CheckFailed(
            looked=_at(repo, tip),
            found=f"{began}, which others have already, is no longer part of main",
            expected="main as it was, with your commits on top",
            hint="it was main that was rebased, not the branch. git switch main, git reset --hard "
            f"{began.short}, then git switch {AIRPORTS} and git rebase main.",
        )


def _towards_line(repo: Repository, began: Commit) -> str:
    if AIRPORTS in repo.branches and repo.is_ancestor(began.id, repo.branch(AIRPORTS)):
        return (
            f"the branch stands on main already: git switch main, git merge --ff-only {AIRPORTS}."
        )
    return f"git switch {AIRPORTS}, git rebase main; then git switch main, git merge --ff-only."


def _expect_pushed(origin: Repository, commit: Commit, what: str) -> None:
    tip = origin.branch("main")
    if not _carries(origin, tip, commit):
        raise CheckFailed(
            looked=_at(origin, tip),
            found=f"{what} is not there: {commit}",
            expected="every commit of both clones",
            hint="git push in the clone that has it. If Git rejects the push, the remote has "
            "something you have not: git pull first. --force would throw that away.",
        )


def _expect_files(
    repo: Repository, tip: Commit, wanted: dict[str, Any], newer: dict[str, Any]
) -> None:
    """Expect each wanted file as it is, where ``newer`` has the newer of two versions."""
    files = repo.files(tip)
    for path, entry in (wanted | newer).items():
        if files.get(path) != entry:
            raise CheckFailed(
                looked=f"{path} on {_at(repo, tip)}",
                found="the file is not there" if path not in files else "other content",
                expected="the file as its author left it",
                hint=f"git log -p -- {path} shows where it changed.",
            )


# What the checks share: what must not be in a repository


def _is_private(path: str) -> bool:
    return path in _PRIVATE or path == ".env" or path.endswith((".csv", ".pkl", "/.env"))


def _how_to_forget(repo: Repository, tip: Commit, path: str) -> str:
    if path in repo.files(tip):
        return (
            f"a rule in .gitignore does not touch what is committed already. git rm --cached "
            f"{shown(path)} takes it out of the next commit; git commit --amend --no-edit makes "
            "that the newest one. If it is older, git reset --soft to before it and commit again."
        )
    return (
        "a later commit removed it, yet everyone who clones still gets it. git reset --soft to "
        'the commit before it was added, and commit again without it; or lab.restart("2-ignore").'
    )


def _judge_rules(
    repo: Repository,
    tip: Commit,
    rules: dict[str, bytes],
    private: Sequence[str],
    source: Sequence[str],
    *,
    secretly: bool = False,
) -> None:
    """Ask Git, in a repository of our own, which paths the learner's rules ignore."""
    hits = _ignored_by(rules, [*private, *source])
    looked = f".gitignore on {_at(repo, tip)}"
    kept = [p for p in private if p not in hits]
    if kept:
        raise CheckFailed(
            looked=looked,
            found="a file like those of today, with another name, would be committed"
            if secretly
            else f"not ignored: {', '.join(kept)}",
            expected="every .env, every CSV in data/, everything in models/, also next month's",
            hint="a rule can be a pattern: * stands for any part of a name, and a rule that ends "
            "in / for a folder and all in it. git check-ignore -v <path> tells which rule matches.",
        )
    # A file that is tracked stays tracked whatever the rules say.
    lost = [p for p in source if p in hits and p not in repo.files(tip)]
    if lost:
        raise CheckFailed(
            looked=looked,
            found="a new source file would be ignored"
            if secretly
            else f"ignored: {', '.join(lost)}",
            expected="rules that leave source alone",
            hint="make the rules narrower: data/*.csv ignores less than data/, and * alone is "
            "everything. git check-ignore -v <path> tells which rule matches.",
        )


def _ignored_by(rules: dict[str, bytes], paths: Sequence[str]) -> set[str]:
    with tempfile.TemporaryDirectory(prefix="rules-") as temporary:
        folder = Path(temporary)
        for part in (".git/objects", ".git/refs"):
            (folder / part).mkdir(parents=True)
        (folder / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
        for path, text in rules.items():
            target = folder / path
            if ".git" not in target.relative_to(folder).parts[:-1] and ".." not in target.parts:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(text)
        done = sandbox.run(
            ["git", "check-ignore", "--no-index", "--stdin"],
            folder=folder,
            stdin="".join(f"{path}\n" for path in paths),
            environment={"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull},
            limits=sandbox.Limits(seconds=5),
        )
    if done.timed_out or done.code not in (0, 1):
        raise CheckFailed(
            looked="the rules in .gitignore",
            found=f"Git cannot use them: {shown(done.last_line)}",
            expected="a few lines, one pattern each",
            hint="start with the four lines .env, data/*.csv, models/ and __pycache__/.",
        )
    return set(done.stdout.splitlines())


def _leak(repo: Repository, name: str, tip: Commit) -> str:
    """Return one line that says where a name leads to the key; empty if it does not."""
    key = LEAKED_KEY
    short = name.removeprefix("refs/")
    tag = repo.tag(name.removeprefix("refs/tags/")) if name.startswith("refs/tags/") else None
    if tag and key in tag.message:
        return f"  {short}: in the tag's message"
    for commit, path, blob in repo.blobs(tip):
        if key.encode() in repo.blob(blob):
            return f"  {shown(short, 30)}: {shown(path, 24)} in commit {commit.short}"
    for commit in repo.history(tip):
        if key in commit.message:
            return f"  {shown(short, 30)}: in the message of commit {commit.short}"
    return ""


def _how_to_purge(leaks: list[str]) -> str:
    text = "\n".join(leaks)
    if "  original/" in text:
        return (
            "filter-branch keeps the old history under refs/original. git for-each-ref "
            "--format='delete %(refname)' refs/original | git update-ref --stdin removes it."
        )
    if "stash@{" in text:
        return "git stash list shows what is stashed, git stash drop or git stash clear removes it."
    if "  remotes/" in text:
        return (
            "git branch -dr <name> forgets a remote's branch; git remote remove origin forgets all."
        )
    if "heads/main:" not in text:
        return (
            "main is clean, other names are not. git filter-repo takes all of them; with "
            "filter-branch, add --tag-name-filter cat and -- --all."
        )
    return (
        "a new commit cannot remove it: the old commits have to be rewritten. "
        "git filter-repo --path .env --invert-paths --force does that under every name."
    )


def _expect_same_history(repo: Repository, start: Repository, ref: str, tip: Commit) -> None:
    """Expect a history that differs from the start's only in the file that held the key."""
    before, after = _fingerprints(start, tip), _fingerprints(repo, repo.peel(repo.refs[ref]))
    if before[tip.id] in after.values():
        return
    lost = [c for c in start.history(tip) if before[c.id] not in after.values()]
    short = ref.removeprefix("refs/").removeprefix("heads/")
    raise CheckFailed(
        looked=f"{short} of {repo.name}, {_count(len(after), 'commit')}",
        found=f"not as it was, from this commit on: {lost[-1].subject}",
        expected=f"the {len(before)} commits it had, with the same message, author, date, order "
        "and files, only without the key",
        hint="git filter-repo --path .env --invert-paths --force leaves the rest as it is. The "
        'start state is back with lab.restart("6-secret").',
    )


def _fingerprints(repo: Repository, tip: Commit) -> dict[str, str]:
    """Return, by commit id, a hash of all a commit says and comes from, apart from `.env`."""
    found: dict[str, str] = {}
    for c in reversed(repo.history(tip)):
        files = sorted((p, e.mode, e.id) for p, e in repo.files(c).items() if p != ".env")
        what = (
            c.message.strip(),
            str(c.author),
            c.author.time,
            files,
            [found[p] for p in c.parents],
        )
        found[c.id] = hashlib.sha256(repr(what).encode()).hexdigest()
    return found


# What the checks share: running a learner's module
#
# The probe reads what it is given before it imports anything of the learner's, and answers on a
# copy of stdout that it hides from them.  A module that writes there all the same gains nothing:
# right values cannot be told without knowing the inputs, which come from the commit's own hash.

_PROBE = """
import json, os, sys
given = json.load(sys.stdin)
out = os.fdopen(os.dup(1), "w")
null = os.open(os.devnull, os.O_WRONLY)
os.dup2(null, 1)
os.dup2(null, 2)
sys.path.insert(0, os.getcwd())
try:
    scope = {"given": given["data"]}
    exec(given["body"], scope)
    answer = {"answer": scope["answer"]}
except BaseException as error:
    answer = {"error": f"{type(error).__name__}: {error}"}
out.write("\\n" + json.dumps(answer, default=repr))
out.flush()
"""

_BUILD = """
import features
answer = {"names": list(features.FEATURES), "rows": [features.build(f) for f in given]}
"""

_RANK = """
import model
fitted = model.fit(given["past"])
answer = [model.chance(fitted, f) for f in given["future"]]
"""

_LABEL = """
import labels
answer = [[labels.is_late(d) for d in given], labels.share_on_time(given)]
"""


def _run(repo: Repository, commit: Commit, module: str, body: str, data: Any) -> Any:
    """Run a few lines that use a module as the commit has it, and return what they answer."""
    looked = f"{module}.py on {_at(repo, commit)}"
    with tempfile.TemporaryDirectory(prefix="probe-") as temporary:
        repo.extract(commit, Path(temporary))
        done = sandbox.python(
            "-I",
            "-B",
            "-c",
            _PROBE,
            folder=Path(temporary),
            stdin=json.dumps({"body": body, "data": data}),
        )
    try:
        answer = json.loads(done.stdout.rpartition("\n")[2])
        if "answer" in answer:
            return answer["answer"]
        problem = f"using it fails with {shown(str(answer['error']), 120)}"
    except (ValueError, KeyError, TypeError):
        problem = "it takes too long" if done.timed_out else "it ends Python before it can be used"
    raise CheckFailed(
        looked=looked,
        found=problem,
        expected=f"a module that can be imported and used: import {module}",
        hint=f"python3 -c 'import {module}' in flight-delays shows the line. Repair it and commit.",
    )


def _judge_features(repo: Repository, tip: Commit, wanted: set[str], hint: str) -> None:
    """Expect exactly the wanted features, once each, with the right value for unseen flights."""
    looked = f"features.py on {_at(repo, tip)}"
    dice = random.Random(tip.id)
    flights = [_any_flight(dice) for _ in range(40)]
    got = _run(repo, tip, "features", _BUILD, flights)
    names = got.get("names") if isinstance(got, dict) else None
    if not isinstance(names, list) or sorted(map(str, names)) != sorted(wanted):
        raise CheckFailed(
            looked=looked,
            found=f"FEATURES = {shown(json.dumps(names), 120)}",
            expected=f"{', '.join(sorted(wanted))}: each of them once",
            hint=hint,
        )
    twice = _defined_twice(repo.text(tip, "features.py") or "")
    if twice:
        raise CheckFailed(
            looked=looked,
            found=f"{shown(twice, 30)} is defined twice",
            expected="one definition of each",
            hint="Python silently takes the last one. Remove the other and commit.",
        )
    for flight, row in zip(flights, got["rows"], strict=False):
        right = {name: _RIGHT[name](flight) for name in wanted}
        if row != right:
            odd = next(
                (n for n in sorted(wanted) if not isinstance(row, dict) or row.get(n) != right[n]),
                "",
            )
            value = row.get(odd, "nothing") if isinstance(row, dict) else row
            raise CheckFailed(
                looked=f"{looked}: what build() makes of flights it has not seen",
                found=f"for one of them, {odd or 'the row'} is {shown(json.dumps(value), 60)}",
                expected="the value that the feature's docstring describes",
                hint=hint,
            )
    if len(got["rows"]) != len(flights):
        raise CheckFailed(looked=looked, found="not one row a flight", expected="one", hint=hint)


_RIGHT: dict[str, Callable[[dict[str, Any]], Any]] = {
    "hour": lambda f: f["sched_dep_time"] // 100,
    "distance": lambda f: f["distance"],
    "evening": lambda f: int(f["sched_dep_time"] >= 1700),
    "carrier": lambda f: f["carrier"].strip().upper(),
    "weather": lambda f: int(f["visibility"] < 3 or f["wind"] > 30),
}


def _any_flight(dice: random.Random) -> dict[str, Any]:
    """Return a flight with everything a feature may ask for, often at the edge of a rule."""
    scheduled = dice.choice(
        [1659, 1700, 1701, 2359, dice.randrange(5, 24) * 100 + dice.randrange(60)]
    )
    return {
        "sched_dep_time": scheduled,
        "distance": dice.randrange(80, 5000),
        "carrier": dice.choice(["UA", " dl", "b6 ", "AA"]),
        "visibility": dice.choice([0.25, 2.5, 3, 10]),
        "wind": dice.choice([0, 30, 31, 45]),
        "arr_delay": dice.randrange(-40, 200),
    }


def _defined_twice(source: str) -> str:
    """Return a name that a module binds twice at its top; empty if none."""
    seen: set[str] = set()
    for name in _top_names(source):
        if name in seen:
            return name
        seen.add(name)
    return ""


def _top_names(source: str) -> Iterator[str]:
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in body:
        if isinstance(node, ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (t.id for t in node.targets if isinstance(t, ast.Name))


def _unseen_flights(dice: random.Random) -> list[dict[str, str]]:
    """Return flights, as a CSV reader gives them, that are late exactly if they leave late."""
    flights = []
    for _ in range(300):
        hour, minute = dice.randrange(6, 23), dice.randrange(60)
        delay = dice.randrange(15, 90) if hour >= 17 else dice.randrange(-30, 15)
        flights.append(
            {
                "month": "7",
                "day": "4",
                "sched_dep_time": str(hour * 100 + minute),
                "carrier": "UA",
                "origin": "EWR",
                "dest": "ORD",
                "distance": "719",
                "arr_delay": str(delay),
            }
        )
    return flights


def _auc(chances: Any, late: list[bool]) -> float:
    """Return how well chances rank flights; 0 for what is no list of numbers."""
    if not isinstance(chances, list) or len(chances) != len(late):
        return 0.0
    if not all(isinstance(c, int | float) for c in chances):
        return 0.0
    hits = [c for c, was_late in zip(chances, late, strict=True) if was_late]
    rest = [c for c, was_late in zip(chances, late, strict=True) if not was_late]
    return sum((h > r) + (h == r) / 2 for h in hits for r in rest) / len(hits) / len(rest)


def _judge_labels(repo: Repository) -> None:
    """Expect a `main` that kept what was pushed, with a new commit that takes the bad one back."""
    start = _start("10-revert")
    tip, pushed = repo.branch("main"), start.branch("main")
    if not repo.is_ancestor(pushed.id, tip):
        raise CheckFailed(
            looked=_at(repo, tip),
            found=f"{pushed} was pushed, and is no longer part of main",
            expected="every commit that others may have, and a new one that takes back the bad one",
            hint=f"git reset --hard {pushed.short} brings the pushed history back (and git push "
            "--force, if you pushed without it); then git revert the bad commit.",
        )
    if tip.id == pushed.id:
        raise CheckFailed(
            looked=_at(repo, tip),
            found="main as it was: no commit takes the bad one back here",
            expected="a new commit that undoes it",
            hint=_finish(repo)
            or "git log --oneline -- labels.py finds the bad commit. git revert --no-edit "
            "<commit> in your clone, then git push.",
        )
    dice = random.Random(tip.id)
    delays = [14, 15, 16, 59, 60, *(dice.randrange(-30, 120) for _ in range(20))]
    late, share = _pair(_run(repo, tip, "labels", _LABEL, delays))
    right = [delay >= 15 for delay in delays]
    if late != right:
        odd = next((d for d, a, b in zip(delays, late, right, strict=False) if a != b), 15)
        raise CheckFailed(
            looked=f"labels.py on {_at(repo, tip)}",
            found=f"is_late({odd}) is wrong",
            expected="late from 15 minutes on, as before the bad commit",
            hint="git show <commit> shows what a commit did. If you reverted another one, revert "
            "that revert, then the right one.",
        )
    if not isinstance(share, float) or abs(share - right.count(False) / len(right)) > 1e-9:
        raise CheckFailed(
            looked=f"labels.py on {_at(repo, tip)}",
            found="share_on_time is missing or wrong",
            expected="the later, good commit kept",
            hint="only the bad commit is to be undone: git revert takes one commit at a time.",
        )


def _pair(answer: Any) -> tuple[list[Any], Any]:
    if isinstance(answer, list) and len(answer) == 2 and isinstance(answer[0], list):
        return answer[0], answer[1]
    return [], None
