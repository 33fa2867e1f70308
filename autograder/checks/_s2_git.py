"""What the checks of lab s2_git share: opening evidence, judging commits, running a module."""

from __future__ import annotations

import ast
import functools
import hashlib
import json
import math
import os
import random
import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from autograder import sandbox
from autograder.checks import CheckFailed
from autograder.gitread import Commit, Repository, Unreadable, open_repository, shown
from autograder.starts import starts_of
from autograder.starts.s2_git import LEAKED_KEY, REPO

AIRPORTS = "feature/airports"
PRIVATE = (".env", "data/flights-2013-01.csv", "data/flights-2013-02.csv", "models/model.pkl")

# The evidence


def opened(task: Path, name: str = REPO) -> Repository:
    """Open one of a task's repositories; the task's folder itself must not be a link."""
    if task.is_symlink():
        raise Unreadable(
            looked=f"work/{task.name}",
            found="a symbolic link",
            expected="the task's own folder",
            hint=f'remove the link; lab.restart("{task.name}") lays the folder out anew.',
        )
    return open_repository(task / name)


def start_of(folder: str, name: str = REPO) -> Repository:
    """Return a repository as the task's start state has it."""
    return _start_of(folder)[name]


@functools.cache
def _start_of(folder: str) -> dict[str, Repository]:
    """Lay a start state out once more and read its repositories.

    They are packed, and a pack is read as a whole, so the folder may go again.
    """
    with tempfile.TemporaryDirectory(prefix="start-") as temporary:
        starts_of("s2_git")[folder](Path(temporary))
        folders = Path(temporary).iterdir()
        return {path.name: open_repository(path, max_steps=math.inf) for path in folders}


def at(repo: Repository, commit: Commit) -> str:
    """Say where on `main` a check looked."""
    return f"main of {repo.name}, commit {commit.short}"


def count(n: int, thing: str) -> str:
    """Write a number with its thing: ``no commits``, ``1 commit``, ``2 commits``."""
    return f"{n or 'no'} {thing}{'' if n == 1 else 's'}"


def listed(subjects: list[str]) -> str:
    """Write subjects one a line."""
    return "\n".join(shown(s, 60) for s in subjects[:8]) or "none"


def finish(repo: Repository) -> str:
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


def bisecting(repo: Repository) -> bool:
    """Tell whether a bisect was begun and not ended."""
    return repo.busy_with == "bisect"


# Commits


def main_of_new_repository(repo: Repository) -> Commit:
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


def anonymous(name: str, email: str) -> str:
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


def refuse_vague(repo: Repository, commits: list[Commit]) -> None:
    """Expect of every commit a first line that tells a colleague what it does."""
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


def carries(repo: Repository, tip: Commit, wanted: Commit) -> Commit | None:
    """Return the commit, or its copy by rebase or cherry-pick, if the tip's history has it."""

    def identity(c: Commit) -> tuple[str, ...]:
        return c.author.name, c.author.email, str(c.author.time), c.subject

    return next((c for c in repo.history(tip) if identity(c) == identity(wanted)), None)


def joins(repo: Repository, merge: Commit, tip: Commit) -> bool:
    """Tell whether a merge brought a branch in: one parent has its tip, another one has not."""
    return len({repo.is_ancestor(tip, parent) for parent in merge.parents}) == 2


def introduces(repo: Repository, commit: Commit, line: str) -> bool:
    """Tell whether a commit brought a line into model.py."""
    return line in (repo.text(commit, "model.py") or "") and not any(
        line in (repo.text(parent, "model.py") or "") for parent in commit.parents
    )


def sets_version(repo: Repository, commit: Commit, version: str) -> bool:
    """Tell whether a commit is the one that set the version."""
    changed = "VERSION" in repo.changes(commit)
    return changed and (repo.text(commit, "VERSION") or "").strip() == version


def expect_unmoved(repo: Repository, tip: Commit, began: Commit) -> None:
    """Expect a `main` that still has what others have already."""
    if not repo.is_ancestor(began.id, tip):
        raise CheckFailed(
            looked=at(repo, tip),
            found=f"{began}, which others have already, is no longer part of main",
            expected="main as it was, with your commits on top",
            hint="it was main that was rebased, not the branch. git switch main, git reset --hard "
            f"{began.short}, then git switch {AIRPORTS} and git rebase main.",
        )


def towards_line(repo: Repository, began: Commit) -> str:
    """Say what is left to do for a straight line."""
    if AIRPORTS in repo.branches and repo.is_ancestor(began.id, repo.branch(AIRPORTS)):
        return (
            f"the branch stands on main already: git switch main, git merge --ff-only {AIRPORTS}."
        )
    return f"git switch {AIRPORTS}, git rebase main; then git switch main, git merge --ff-only."


def expect_pushed(origin: Repository, commit: Commit, what: str) -> None:
    """Expect a commit, or its copy, on the remote's `main`."""
    tip = origin.branch("main")
    if not carries(origin, tip, commit):
        raise CheckFailed(
            looked=at(origin, tip),
            found=f"{what} is not there: {commit}",
            expected="every commit of both clones",
            hint="git push in the clone that has it. If Git rejects the push, the remote has "
            "something you have not: git pull first. --force would throw that away.",
        )


def expect_files(
    repo: Repository, tip: Commit, wanted: dict[str, Any], newer: dict[str, Any]
) -> None:
    """Expect each wanted file as it is, where ``newer`` has the newer of two versions."""
    files = repo.files(tip)
    for path, entry in (wanted | newer).items():
        if files.get(path) != entry:
            raise CheckFailed(
                looked=f"{path} on {at(repo, tip)}",
                found="the file is not there" if path not in files else "other content",
                expected="the file as its author left it",
                hint=f"git log -p -- {path} shows where it changed.",
            )


# What must not be in a repository


def is_private(path: str) -> bool:
    """Tell whether a path is of the kind that task 2 keeps out."""
    return path in PRIVATE or path == ".env" or path.endswith((".csv", ".pkl", "/.env"))


def how_to_forget(repo: Repository, tip: Commit, path: str) -> str:
    """Say how to get a file out of the history of task 2, from where it is now."""
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


def is_rules(path: str) -> bool:
    """Tell whether a path is a .gitignore, at the top or in a folder."""
    return path.rpartition("/")[2] == ".gitignore"


def judge_rules(
    repo: Repository,
    tip: Commit,
    private: Sequence[str],
    source: Sequence[str],
    *,
    secretly: bool = False,
) -> None:
    """Ask Git, in a repository of our own, which paths the learner's rules ignore."""
    hits = _ignored_by(repo, tip, [*private, *source])
    looked = f".gitignore on {at(repo, tip)}"
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


def _ignored_by(repo: Repository, tip: Commit, paths: Sequence[str]) -> set[str]:
    with tempfile.TemporaryDirectory(prefix="rules-") as temporary:
        folder = Path(temporary)
        repo.extract(tip, folder, only=is_rules)
        # The least that Git takes for a repository.
        for part in (".git/objects", ".git/refs"):
            (folder / part).mkdir(parents=True)
        (folder / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
        done = sandbox.run(
            ["git", "check-ignore", "--no-index", "--stdin"],
            folder=folder,
            stdin="".join(f"{path}\n" for path in paths),
            environment={"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull},
            limits=sandbox.Limits(seconds=5),
        )
    # No match is exit code 1 and silence; with a message, Git could not even start.
    if done.timed_out or done.code not in (0, 1) or (done.code and done.stderr.strip()):
        raise CheckFailed(
            looked="the rules in .gitignore",
            found=f"Git cannot use them: {shown(done.last_line)}",
            expected="a few lines, one pattern each",
            hint="start with the four lines .env, data/*.csv, models/ and __pycache__/.",
        )
    return set(done.stdout.splitlines())


def leak(repo: Repository, name: str, tip: Commit) -> str:
    """Return one line that says where a name leads to the key; empty if it does not."""
    key = LEAKED_KEY
    short = name.removeprefix("refs/")
    tag = repo.tag(name.removeprefix("refs/tags/")) if name.startswith("refs/tags/") else None
    if tag and key in tag.message:
        return f"  {shown(short, 30)}: in the tag's message"
    for commit, path, blob in repo.blobs(tip):
        if key.encode() in repo.blob(blob):
            return f"  {shown(short, 30)}: {shown(path, 24)} in commit {commit.short}"
    for commit in repo.history(tip):
        if key in commit.message:
            return f"  {shown(short, 30)}: in the message of commit {commit.short}"
    return ""


def how_to_purge(leaks: list[str]) -> str:
    """Say what removes the key from the names that still lead to it."""
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


def expect_names(repo: Repository, start: Repository) -> None:
    """Expect every branch and tag of the start, each with the work it led to.

    Who throws the repository away with the key has not removed the key from it.
    """
    for ref, tip in start.named().items():
        short = ref.removeprefix("refs/").removeprefix("heads/")
        if ref not in repo.refs or not carries(repo, repo.peel(repo.refs[ref]), tip):
            raise CheckFailed(
                looked=f"the names in {repo.name}",
                found=f'{short} no longer leads to "{tip.subject}"'
                if ref in repo.refs
                else f"{short} is gone",
                expected="every branch and tag, each with its history",
                hint="deleting a name loses the work it led to, and so does a new beginning. "
                'lab.restart("6-secret") brings the start state back; git filter-repo rewrites '
                "all names at once.",
            )


def expect_same_history(repo: Repository, start: Repository, ref: str, tip: Commit) -> None:
    """Expect a history that differs from the start's only in the file that held the key."""
    before, after = _fingerprints(start, tip), _fingerprints(repo, repo.peel(repo.refs[ref]))
    if before[tip.id] in after.values():
        return
    lost = [c for c in start.history(tip) if before[c.id] not in after.values()]
    short = ref.removeprefix("refs/").removeprefix("heads/")
    raise CheckFailed(
        looked=f"{short} of {repo.name}, {count(len(after), 'commit')}",
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


# Running a learner's module
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

RANK = """
import model
fitted = model.fit(given["past"])
answer = [model.chance(fitted, f) for f in given["future"]]
"""

_LABEL = """
import labels
answer = [[labels.is_late(d) for d in given], labels.share_on_time(given)]
"""


def run_module(repo: Repository, commit: Commit, module: str, body: str, data: Any) -> Any:
    """Run a few lines that use a module as the commit has it, and return what they answer."""
    looked = f"{module}.py on {at(repo, commit)}"
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
        hint=f"python3 -c 'import {module}' in flight-delays shows whether it is the import that "
        "fails; python -m pytest -q tries the rest. Repair it and commit.",
    )


def judge_features(repo: Repository, tip: Commit, wanted: set[str], hint: str) -> None:
    """Expect exactly the wanted features, once each, with the right value for unseen flights."""
    looked = f"features.py on {at(repo, tip)}"
    dice = random.Random(tip.id)
    flights = [_any_flight(dice) for _ in range(40)]
    got = run_module(repo, tip, "features", _BUILD, flights)
    names, rows = (got.get("names"), got.get("rows")) if isinstance(got, dict) else (None, None)
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
    if not isinstance(rows, list) or len(rows) != len(flights):
        raise CheckFailed(
            looked=looked,
            found="build() does not give a row for each flight",
            expected="one row, with the value of every feature",
            hint=hint,
        )
    for flight, row in zip(flights, rows, strict=True):
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
    """Return a function that a module defines twice at its top; empty if none."""
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    names = [node.name for node in body if isinstance(node, ast.FunctionDef)]
    return next((name for name in names if names.count(name) > 1), "")


def unseen_flights(dice: random.Random) -> list[dict[str, str]]:
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


def auc(chances: Any, late: list[bool]) -> float:
    """Return how well chances rank flights; 0 for what is no list of numbers."""
    if not isinstance(chances, list) or len(chances) != len(late):
        return 0.0
    if not all(isinstance(c, int | float) for c in chances):
        return 0.0
    hits = [c for c, was_late in zip(chances, late, strict=True) if was_late]
    rest = [c for c, was_late in zip(chances, late, strict=True) if not was_late]
    return sum((h > r) + (h == r) / 2 for h in hits for r in rest) / len(hits) / len(rest)


def judge_labels(repo: Repository) -> None:
    """Expect a `main` that kept what was pushed, with a new commit that takes the bad one back."""
    start = start_of("10-revert")
    tip, pushed = repo.branch("main"), start.branch("main")
    if not repo.is_ancestor(pushed.id, tip):
        raise CheckFailed(
            looked=at(repo, tip),
            found=f"{pushed} was pushed, and is no longer part of main",
            expected="every commit that others may have, and a new one that takes back the bad one",
            hint=f"git reset --hard {pushed.short} brings the pushed history back (and git push "
            "--force, if you pushed without it); then git revert the bad commit.",
        )
    if tip.id == pushed.id:
        raise CheckFailed(
            looked=at(repo, tip),
            found="main as it was: no commit takes the bad one back here",
            expected="a new commit that undoes it",
            hint=finish(repo)
            or "git log --oneline -- labels.py finds the bad commit. git revert --no-edit "
            "<commit> in your clone, then git push.",
        )
    dice = random.Random(tip.id)
    delays = [14, 15, 16, 59, 60, *(dice.randrange(-30, 120) for _ in range(20))]
    late, share = _pair(run_module(repo, tip, "labels", _LABEL, delays))
    right = [delay >= 15 for delay in delays]
    if late != right:
        odd = next((d for d, a, b in zip(delays, late, right, strict=False) if a != b), 15)
        raise CheckFailed(
            looked=f"labels.py on {at(repo, tip)}",
            found=f"is_late({odd}) is wrong",
            expected="late from 15 minutes on, as before the bad commit",
            hint="git show <commit> shows what a commit did. If you reverted another one, revert "
            "that revert, then the right one.",
        )
    if not isinstance(share, float) or abs(share - right.count(False) / len(right)) > 1e-9:
        raise CheckFailed(
            looked=f"labels.py on {at(repo, tip)}",
            found="share_on_time is missing or wrong",
            expected="the later, good commit kept",
            hint="only the bad commit is to be undone: git revert takes one commit at a time.",
        )


def _pair(answer: Any) -> tuple[list[Any], Any]:
    if isinstance(answer, list) and len(answer) == 2 and isinstance(answer[0], list):
        return answer[0], answer[1]
    return [], None
