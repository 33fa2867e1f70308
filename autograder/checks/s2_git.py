"""Checks of lab s2_git: they read the repositories the learner left behind.

Git itself never runs in a learner's repository (see `autograder.gitread`), and what a learner
wrote runs only in the sandbox, on files taken out of a commit.  What a task started from is laid
out again beside it, so that a check can tell "was there before" from "the learner did this".
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from pathlib import Path

from autograder.checks import CheckFailed, check
from autograder.checks import _s2_git as shared
from autograder.gitread import shown
from autograder.gitstore import StoreError, read_file
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
CULPRIT = "broke-the-metric"
RELEASE = "v0.2.0"

# 1 · A name on every commit


@check(**_NAME, points=1)
def first_commit(task: Path) -> None:
    """`main` has a commit with both files and a message."""
    repo = shared.opened(task)
    tip = shared.main_of_new_repository(repo)
    missing = [path for path in ("README.md", "features.py") if path not in repo.files(tip)]
    if missing:
        raise CheckFailed(
            looked=shared.at(repo, tip),
            found=f"no {' and no '.join(missing)} in it",
            expected="README.md and features.py, both committed",
            hint=f"git add {' '.join(missing)} stages them; a second commit is fine.",
        )
    shared.refuse_vague(repo, [tip])


@check(**_NAME, points=1)
def author_named(task: Path) -> None:
    """Every commit on `main` carries a name and an address that a person chose."""
    repo = shared.opened(task)
    tip = shared.main_of_new_repository(repo)
    for commit in repo.history(tip):
        problem = shared.anonymous(commit.author.name, commit.author.email)
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


@check(**_IGNORE, points=2)
def ignored(task: Path, private: Sequence[str] = (), source: Sequence[str] = ()) -> None:
    """The committed rules ignore data and secrets, those of tomorrow too, and no source."""
    repo = shared.opened(task)
    tip = repo.branch("main")
    if not any(map(shared.is_rules, repo.files(tip))):
        raise CheckFailed(
            looked=shared.at(repo, tip),
            found="no .gitignore in that commit",
            expected="a .gitignore that is committed, so that the whole team has it",
            hint="write .gitignore in flight-delays, then git add .gitignore and commit it.",
        )
    shared.judge_rules(repo, tip, shared.PRIVATE, [*_SOURCE, "README.md"])
    if private or source:
        shared.judge_rules(repo, tip, private, source, secretly=True)


@check(**_IGNORE, points=1)
def data_stays_out(task: Path) -> None:
    """All source is committed, and no commit of any branch has data or the key."""
    repo = shared.opened(task)
    tip = repo.branch("main")
    missing = [path for path in _SOURCE if path not in repo.files(tip)]
    if missing:
        raise CheckFailed(
            looked=shared.at(repo, tip),
            found=f"not committed: {', '.join(missing)}",
            expected="all source, also data/README.md and .gitignore itself",
            hint="git status --ignored shows what is untracked and what is ignored. A folder "
            "that is ignored as a whole (data/) hides its README too; data/*.csv does not.",
        )
    for commit, path, blob in repo.blobs(*repo.named().values()):
        if shared.is_private(path) or FRESH_KEY.encode() in repo.blob(blob):
            raise CheckFailed(
                looked=f"all commits of all branches in {repo.name}",
                found=f"{shown(path)} in commit {commit}",
                expected="data, models and keys in no commit at all",
                hint=shared.how_to_forget(repo, tip, path),
            )


@check(**_IGNORE, points=1)
def commits_tell_why(task: Path) -> None:
    """At least two new commits, each with a change and a message that says what it is about."""
    repo = shared.opened(task)
    tip = repo.branch("main")
    before = {c.id for c in shared.start_of("2-ignore").history("main")}
    new = [c for c in repo.history(tip) if c.id not in before]
    if len(new) < 2:
        raise CheckFailed(
            looked=f"main of {repo.name}",
            found=f"{shared.count(len(new), 'new commit')}",
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
    shared.refuse_vague(repo, new)


# 3 · A feature of its own


@check(**_BRANCH, points=1)
def branch_made(task: Path) -> None:
    """`feature/evening` has work of its own, begun where `main` was."""
    repo, start = shared.opened(task), shared.start_of("3-branch")
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
            looked=f"{EVENING} of {repo.name}, beyond {began.short}",
            found="no commit there changes features.py",
            expected="your feature, committed on the branch",
            hint=f"git switch {EVENING}, then edit, git add features.py, git commit.",
        )


@check(**_BRANCH, points=1)
def branch_merged(task: Path) -> None:
    """`main` has a merge commit that brought the branch in."""
    repo = shared.opened(task)
    began = shared.start_of("3-branch").branch("main")
    feature, main = repo.branch(EVENING), repo.branch("main")
    looked = f"main ({main.short}) and {EVENING} ({feature.short}) of {repo.name}"
    if feature.id == began.id or not repo.is_ancestor(feature, main):
        raise CheckFailed(
            looked=looked,
            found=f"main does not contain the newest commit of {EVENING}"
            if feature.id != began.id
            else f"{EVENING} has no commit of its own yet",
            expected="the branch merged into main",
            hint=shared.finish(repo) or f"git switch main, then git merge --no-ff {EVENING}.",
        )
    merges = [c for c in repo.history(main) if len(c.parents) > 1]
    if not any(shared.joins(repo, merge, feature) for merge in merges):
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
    repo = shared.opened(task)
    shared.judge_features(
        repo,
        repo.branch("main"),
        {"hour", "distance", "evening"},
        'evening() is 1 from 17:00 on (1700), else 0; "evening" is in FEATURES; and main has both '
        "once the branch is merged.",
    )


# 4 · Two people, one line

_MARKER = re.compile(r"^[\s#]*(<{7}|>{7}|\|{7})(\s|$)", re.MULTILINE)


@check(**_CONFLICT, points=1)
def conflict_resolved(task: Path) -> None:
    """`main` has a merge commit, both people's commits, and no conflict marker in any file."""
    repo, start = shared.opened(task), shared.start_of("4-conflict")
    tip = repo.branch("main")
    yours, anas = start.branch("main"), start.branch(WEATHER)
    for whose, commit in (("your", yours), ("Ana's", anas)):
        if not shared.carries(repo, tip, commit):
            raise CheckFailed(
                looked=shared.at(repo, tip),
                found=f"{whose} commit {commit} is not in its history",
                expected="both people's commits, by their own names",
                hint=shared.finish(repo)
                or (
                    f"git merge {WEATHER} brings Ana's commit. A squash copies her lines and "
                    "drops her commit: git reset --hard "
                    f"{yours.short} goes back to before."
                ),
            )
    began = {c.id for c in start.history("main", WEATHER)}
    if not any(len(c.parents) > 1 for c in repo.history(tip) if c.id not in began):
        raise CheckFailed(
            looked=shared.at(repo, tip),
            found="both commits, but no merge commit",
            expected="a commit with two parents",
            hint="after a rebase the branch can still be merged: git merge --no-ff "
            f"{WEATHER} from a main that is one commit behind it.",
        )
    for path, entry in repo.files(tip).items():
        text = repo.blob(entry.id).decode("utf-8", "replace") if entry.is_file else ""
        if marker := _MARKER.search(text):
            raise CheckFailed(
                looked=f"{shown(path)} on {shared.at(repo, tip)}",
                found=f"a conflict marker: {marker[1]}",
                expected="only lines that you want to keep",
                hint="git grep -nE '^(<{7}|={7}|>{7})' lists the lines Git left for you. Edit the "
                "file and commit again; a commit on top is fine.",
            )


@check(**_CONFLICT, points=2)
def features_both(task: Path) -> None:
    """On `main`, the model gets both features, once each, with the right values."""
    repo = shared.opened(task)
    yours = shared.start_of("4-conflict").branch("main")
    shared.judge_features(
        repo,
        repo.branch("main"),
        {"hour", "distance", "carrier", "weather"},
        f"git show {WEATHER}:features.py has Ana's side, git show {yours.short}:features.py has "
        "yours. A new commit that puts it right is fine.",
    )


# 5 · A straight line


@check(**_REBASE, points=1)
def history_linear(task: Path) -> None:
    """`main` goes on from where it was, has the branch's files, and no commit with two parents."""
    repo, start = shared.opened(task), shared.start_of("5-rebase")
    tip, began = repo.branch("main"), start.branch("main")
    shared.expect_unmoved(repo, tip, began)
    if "tests/test_airports.py" not in repo.files(tip):
        raise CheckFailed(
            looked=shared.at(repo, tip),
            found=f"the work of {shared.AIRPORTS} is not on main yet",
            expected="main with the three commits of the branch",
            hint=shared.finish(repo) or shared.towards_line(repo, began),
        )
    knots = [c for c in repo.history(tip) if len(c.parents) > 1]
    if knots:
        raise CheckFailed(
            looked=shared.at(repo, tip),
            found=f"commit {knots[0]} has {len(knots[0].parents)} parents",
            expected="one parent a commit: a line without knots",
            hint=f"git switch main and git reset --hard {began.short} take the merge back. "
            f"git switch {shared.AIRPORTS} and git rebase main, then merge with --ff-only.",
        )


@check(**_REBASE, points=2)
def commits_replayed(task: Path) -> None:
    """The branch's three commits are on `main`, in order, each with its own change."""
    repo, start = shared.opened(task), shared.start_of("5-rebase")
    tip, began = repo.branch("main"), start.branch("main")
    shared.expect_unmoved(repo, tip, began)
    known = {c.id for c in start.history("main")}
    wanted = [c for c in reversed(start.history(shared.AIRPORTS)) if c.id not in known]
    line = [c for c in reversed(repo.first_parents(tip)) if c.id not in known]
    found = [(c.subject, repo.changes(c)) for c in line]
    for commit in wanted:
        replayed = (commit.subject, start.changes(commit))
        if replayed not in found:
            raise CheckFailed(
                looked=f"the commits of main since {began.short} in {repo.name}",
                found=shared.listed([c.subject for c in line]),
                expected=f'also "{commit.subject}", after the ones before it and with its own '
                "change",
                hint=shared.finish(repo)
                or (
                    f"the originals are {', '.join(c.short for c in wanted)}. git rebase and "
                    "git cherry-pick repeat them one by one; a squash makes one of three."
                ),
            )
        del found[: found.index(replayed) + 1]
    shared.expect_files(
        repo, tip, start.files("main") | start.files(shared.AIRPORTS), start.files("main")
    )


# 6 · The key that got out


@check(**_SECRET, points=1)
def key_gone(task: Path) -> None:
    """No branch, tag, stash or other name leads to a commit with the key."""
    repo = shared.opened(task)
    shared.expect_names(repo, shared.start_of("6-secret"))
    named = repo.named()
    for ref in repo.refs:
        if ref != "refs/stash" and ref not in named:
            raise CheckFailed(
                looked=f"all names in {repo.name}",
                found=f"{shown(ref)} names something that is not a commit",
                expected="names that lead to commits",
                hint=f"git update-ref -d {shown(ref)} removes it.",
            )
    leaks = [leak for name, tip in named.items() if (leak := shared.leak(repo, name, tip))]
    if leaks:
        raise CheckFailed(
            looked=f"everything that {shared.count(len(named), 'name')} in {repo.name} lead to",
            found="the leaked key, still reachable:\n" + "\n".join(leaks[:4]),
            expected="the key in no commit, under no name",
            hint=shared.how_to_purge(leaks),
        )


@check(**_SECRET, points=2)
def history_kept(task: Path) -> None:
    """All else is as it was: the same commits, by the same people, with the same other files."""
    repo, start = shared.opened(task), shared.start_of("6-secret")
    leak = shared.leak(repo, "refs/heads/main", repo.branch("main"))
    if leak:
        raise CheckFailed(
            looked=f"main of {repo.name}",
            found=leak.strip(),
            expected="a main without the key, and all else in it as it was",
            hint="git log --oneline -- .env lists the commits that touch the file. Removing it in "
            "a new commit leaves the old ones as they are; git filter-repo rewrites them.",
        )
    shared.expect_names(repo, start)
    for ref, tip in start.named().items():
        shared.expect_same_history(repo, start, ref, tip)


@check(**_SECRET, points=1)
def key_swept(task: Path) -> None:
    """No object in the repository holds the key, not even one that no name leads to."""
    repo = shared.opened(task)
    shared.expect_names(repo, shared.start_of("6-secret"))
    key = LEAKED_KEY.encode()
    holders = [f"{kind} {i[:7]}" for i, kind, body in repo.objects() if key in body]
    if holders:
        many = shared.count(len(holders), "object")
        raise CheckFailed(
            looked=f"every object in {repo.name}, also those without a name",
            found=f"the leaked key in {many}: {', '.join(holders[:4])}",
            expected="in none: whoever copies the folder copies these too",
            hint="Git keeps what was replaced for weeks, for you to undo. git reflog expire "
            "--expire=now --all, then git gc --prune=now, ends that. If it stays, a name still "
            "leads there: git for-each-ref lists them.",
        )


@check(**_SECRET, points=1)
def key_rotated(task: Path) -> None:
    """The new key is in `.env`, which Git does not have."""
    repo = shared.opened(task)
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
    repo, start = shared.opened(task), shared.start_of("7-bisect")
    if f"refs/tags/{CULPRIT}" not in repo.refs:
        raise CheckFailed(
            looked=f"the tags of {repo.name}",
            found=f"no tag {CULPRIT}"
            + (": a bisect is under way" if shared.bisecting(repo) else ""),
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
    if line and not shared.introduces(repo, commit, line):
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
    repo, start = shared.opened(task), shared.start_of("7-bisect")
    tip, began = repo.branch("main"), start.branch("main")
    if not repo.is_ancestor(began.id, tip):
        raise CheckFailed(
            looked=shared.at(repo, tip),
            found=f"{began}, the main you began with, is gone from it",
            expected="all commits kept, and a new one that repairs",
            hint=f"git reset --hard {began.short} on main, then git revert the commit that broke "
            "the metric.",
        )
    flights = shared.unseen_flights(random.Random(tip.id))
    past, future = flights[:200], flights[200:]
    asked = [{k: v for k, v in f.items() if k != "arr_delay"} for f in future]
    chances = shared.run_module(repo, tip, "model", shared.RANK, {"past": past, "future": asked})
    value = shared.auc(chances, [int(f["arr_delay"]) >= 15 for f in future])
    if value < 0.9:
        raise CheckFailed(
            looked=f"model.py on {shared.at(repo, tip)}",
            found=f"AUC {value:.2f} on made-up flights, late exactly if they leave from 5 pm on",
            expected="above 0.90: nothing is easier to learn from the hour",
            hint=f"git show {CULPRIT} shows what the commit changed; git revert --no-edit "
            f"{CULPRIT} undoes just that, in a new commit."
            + (" First git bisect reset." if shared.bisecting(repo) else ""),
        )


# 8 · A release anyone can name


@check(**_RELEASE, points=1)
def release_annotated(task: Path) -> None:
    """`v0.2.0` is an annotated tag with a message."""
    repo = shared.opened(task)
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
    repo, start = shared.opened(task), shared.start_of("8-release")
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
    (right,) = [c for c in start.history("main") if shared.sets_version(start, c, "0.2.0")]
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
    origin = shared.opened(task, ORIGIN)
    shared.expect_pushed(
        origin, shared.start_of("9-remote", ORIGIN).branch("main"), "what was there before"
    )
    shared.expect_pushed(origin, shared.start_of("9-remote").branch("main"), "your commit")


@check(**_REMOTE, points=1)
def anas_pushed(task: Path) -> None:
    """The remote's `main` has Ana's commit too, and yours is still there."""
    origin = shared.opened(task, ORIGIN)
    shared.expect_pushed(origin, shared.start_of("9-remote", ANAS).branch("main"), "Ana's commit")
    shared.expect_pushed(origin, shared.start_of("9-remote").branch("main"), "your commit")
    tip = origin.branch("main")
    yours = shared.start_of("9-remote").files("main")
    anas = shared.start_of("9-remote", ANAS).files("main")
    shared.expect_files(origin, tip, anas | {"OWNERS": yours["OWNERS"]}, {})


@check(**_REMOTE, points=1)
def clones_agree(task: Path) -> None:
    """Remote, your clone and Ana's have the same `main`, with both commits."""
    repos = [shared.opened(task, name) for name in (ORIGIN, REPO, ANAS)]
    tips = [repo.branch("main") for repo in repos]
    for repo, tip in zip(repos, tips, strict=True):
        if tip.id != tips[0].id:
            ahead = tips[0].id in {c.id for c in repo.history(tip)}
            raise CheckFailed(
                looked=f"main in {ORIGIN}, {REPO} and {ANAS}",
                found="\n".join(f"{r.name.rpartition('/')[2]}: {r.branch('main')}" for r in repos),
                expected="the same commit three times",
                hint=shared.finish(repo) or f"git -C {repo.name} {'push' if ahead else 'pull'}",
            )
    for name, whose in ((REPO, "your commit"), (ANAS, "Ana's commit")):
        shared.expect_pushed(repos[0], shared.start_of("9-remote", name).branch("main"), whose)


# 10 · Take it back in the open


@check(**_REVERT, points=2)
def reverted(task: Path) -> None:
    """Your `main` keeps every pushed commit and labels flights right again."""
    shared.judge_labels(shared.opened(task))


@check(**_REVERT, points=1)
def revert_pushed(task: Path) -> None:
    """The remote's `main` does, too."""
    shared.judge_labels(shared.opened(task, ORIGIN))
