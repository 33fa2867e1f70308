"""Read a learner's Git repository as evidence: never run it, never follow it elsewhere.

    repo = gitread.open_repository(work / "4-conflict" / "flight-delays")
    tip = repo.branch("main")
    tip.subject, repo.read(tip, "features.py"), repo.is_ancestor(other, tip)

Whatever cannot be read ends in `Unreadable`, a `CheckFailed` that tells the learner what is the
matter.  All walks have limits, so that an absurd repository costs a message and not an hour.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from autograder.gitstore import MissingObjectError, Store, StoreError, entries, read_file
from autograder.verdict import CheckFailed

MAX_COMMITS = 2_000
MAX_ENTRIES = 20_000
MAX_DEPTH = 30
MAX_REFS = 2_000
MAX_EXTRACT = 32 << 20
# Commits and tree entries looked at in all; a check of a lab's repository needs a few thousand.
MAX_STEPS = 1_000_000

_FILE_MODES = (0o100644, 0o100755, 0o100664)
_FOLDER_MODE = 0o40000
_HEX = re.compile("[0-9a-f]{40}")
_BUSY = {
    "MERGE_HEAD": "merge",
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "BISECT_LOG": "bisect",
}


class Unreadable(CheckFailed):
    """The repository is absent, damaged, or of a kind the checks do not read."""


@dataclass(frozen=True)
class Person:
    """Who wrote, committed or tagged, and when (seconds since 1970)."""

    name: str
    email: str
    time: int

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>"


@dataclass(frozen=True)
class Commit:
    """One commit."""

    id: str
    tree: str
    parents: tuple[str, ...]
    author: Person
    committer: Person
    message: str

    @property
    def short(self) -> str:
        """The first seven digits of the id, as Git shows them."""
        return self.id[:7]

    @property
    def subject(self) -> str:
        """The first line of the message."""
        return self.message.strip().partition("\n")[0].strip()

    def __str__(self) -> str:
        return f'{self.short} "{shown(self.subject, 50)}"'


@dataclass(frozen=True)
class Tag:
    """An annotated tag: an object of its own that names another one."""

    id: str
    name: str
    target: str
    tagger: Person | None
    message: str


@dataclass(frozen=True)
class Entry:
    """What a tree says about one path."""

    mode: int
    id: str

    @property
    def is_file(self) -> bool:
        """True for an ordinary file; false for a symbolic link or a submodule."""
        return self.mode in _FILE_MODES


def open_repository(folder: Path, name: str = "", *, max_steps: float = MAX_STEPS) -> Repository:
    """Open the repository in a folder, or the bare repository that the folder is.

    ``name`` is how messages call it; by default the path from ``work/`` on.  Folders above the
    given one are not searched, and the folder must not be a symbolic link.  ``max_steps`` bounds
    all that is ever read from it; a repository of our own that stays open may have no bound.
    """
    name = name or _name(folder)
    try:
        repo = _open(folder, folder / ".git", name)
        repo.steps_left = max_steps
        return repo
    except OSError as error:
        raise _unreadable(
            name,
            f"a folder that cannot be read ({error.strerror})",
            "files that you, and a grader, may read",
            "ls -la shows who may; chmod -R u+rwX gives you the right.",
        ) from error


def _open(folder: Path, inner: Path, name: str) -> Repository:
    if folder.is_symlink() or inner.is_symlink():
        raise _unreadable(
            name,
            "a symbolic link instead of a folder",
            "a folder that holds its own repository",
            "move the real folder here, or lay the task out anew with lab.restart(…).",
        )
    if inner.is_file() or (inner / "commondir").exists():
        raise _unreadable(
            name,
            "a .git that only points to a repository somewhere else",
            "a repository that is complete in its own folder",
            "a linked worktree or --separate-git-dir keeps its history elsewhere. Work in the "
            "task's folder itself.",
        )
    if inner.is_dir():
        return Repository(inner, name)
    if (folder / "HEAD").is_file() and (folder / "objects").is_dir():
        return Repository(folder, name)
    raise _absent(folder, name)


def shown(text: str, width: int = 60) -> str:
    """Make learner-made text fit for one line of a message."""
    clean = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return clean if len(clean) <= width else clean[: width - 1] + "…"


class Repository:
    """One repository.  Every method that names a commit also takes a branch's or tag's name."""

    def __init__(self, git_dir: Path, name: str) -> None:
        self.git_dir = git_dir
        self.name = name
        self.steps_left: float = MAX_STEPS
        self._commits: dict[str, Commit] = {}
        self._trees: dict[str, list[tuple[str, Entry]]] = {}
        try:
            self._refuse_other_formats()
            self._store = Store(git_dir / "objects")
            self._head = _decode(read_file(git_dir / "HEAD", 4096) or b"").strip()
            self.refs: dict[str, str] = self._read_refs()
        except StoreError as error:
            raise self._problem(error) from error

    # Names

    @property
    def head(self) -> str:
        """The branch that is checked out; empty if HEAD names a commit and no branch."""
        prefix = "ref: refs/heads/"
        return self._head.removeprefix(prefix) if self._head.startswith(prefix) else ""

    @property
    def branches(self) -> list[str]:
        """The names of all local branches."""
        return self._names("refs/heads/")

    @property
    def tags(self) -> list[str]:
        """The names of all tags, annotated or not."""
        return self._names("refs/tags/")

    def branch(self, name: str) -> Commit:
        """Return the newest commit of a local branch.

        Raises Unreadable if there is no such branch, with the branches that there are.
        """
        if f"refs/heads/{name}" not in self.refs:
            there = ", ".join(shown(b, 30) for b in self.branches[:5])
            raise _unreadable(
                f"the branches of {self.name}",
                f"no branch {name}; there is {there}" if there else "no commit on any branch yet",
                f"a branch {name}",
                self._how_to_get(name),
            )
        return self.peel(self.refs[f"refs/heads/{name}"])

    def tag(self, name: str) -> Tag | None:
        """Return the tag object of an annotated tag; None if it is lightweight or absent."""
        object_id = self.refs.get(f"refs/tags/{name}", "")
        if not object_id or self._object(object_id)[0] != "tag":
            return None
        return self._parse_tag(object_id)

    @cached_property
    def stash(self) -> list[str]:
        """The ids of all stashed commits, newest first; only the first has a ref."""
        return self._ids_in_log("refs/stash") if "refs/stash" in self.refs else []

    @cached_property
    def busy_with(self) -> str:
        """What is half done here: merge, rebase, cherry-pick, revert, bisect; empty if nothing."""
        return next((what for sign, what in _BUSY.items() if (self.git_dir / sign).exists()), "")

    # Commits

    def commit(self, object_id: str) -> Commit:
        """Return a commit by its id."""
        if object_id not in self._commits:
            kind, body = self._object(object_id)
            if kind != "commit":
                raise self._problem(StoreError(f"{object_id[:7]} is a {kind} and not a commit"))
            self._commits[object_id] = self._parse_commit(object_id, body)
        return self._commits[object_id]

    def peel(self, object_id: str) -> Commit:
        """Follow tags, also tags of tags, to a commit."""
        for _ in range(MAX_DEPTH):
            if self._object(object_id)[0] != "tag":
                return self.commit(object_id)
            object_id = self._parse_tag(object_id).target
        raise self._problem(StoreError("a tag of a tag of a tag has no end"))

    def find(self, what: Commit | str) -> Commit:
        """Return the commit that a branch, a tag or an id names."""
        if isinstance(what, Commit):
            return what
        for prefix in ("refs/heads/", "refs/tags/"):
            if prefix + what in self.refs:
                return self.peel(self.refs[prefix + what])
        return self.commit(what)

    def history(self, *starts: Commit | str) -> list[Commit]:
        """Return all commits reachable from the given ones, those ahead of their parents.

        Raises Unreadable beyond 2,000 commits.
        """
        seen: dict[str, Commit] = {}
        todo = [self.find(s) for s in starts]
        while todo:
            commit = todo.pop()
            if commit.id in seen:
                continue
            seen[commit.id] = commit
            self._step()
            if len(seen) > MAX_COMMITS:
                raise self._problem(
                    StoreError(f"the history has more than {MAX_COMMITS:,} commits")
                )
            todo += [self.commit(p) for p in commit.parents if p not in seen]
        return _children_first(seen)

    def first_parents(self, start: Commit | str) -> list[Commit]:
        """Return the commits of a branch's own line: always the first parent."""
        line = [self.find(start)]
        while line[-1].parents:
            line.append(self.commit(line[-1].parents[0]))
            if len(line) > MAX_COMMITS:
                raise self._problem(
                    StoreError(f"the history has more than {MAX_COMMITS:,} commits")
                )
        return line

    def is_ancestor(self, old: Commit | str, new: Commit | str) -> bool:
        """Tell whether a commit is another one's ancestor or that one itself."""
        wanted = old.id if isinstance(old, Commit) else self.find(old).id
        return any(commit.id == wanted for commit in self.history(new))

    def merge_bases(self, one: Commit | str, other: Commit | str) -> list[Commit]:
        """Return the newest commits that two have in common; none if they are unrelated."""
        theirs = {c.id for c in self.history(other)}
        common = {c.id: c for c in self.history(one) if c.id in theirs}
        older = {p for c in common.values() for p in c.parents}
        return [c for c in common.values() if c.id not in older]

    def named(self) -> dict[str, Commit]:
        """Return the commits that any name leads to, by name.

        Stash entries are ``stash@{n}``; a detached HEAD counts as a name.  Names of something that
        is not a commit, say a tagged file, are left out.
        """
        found = {}
        if self._head in self._store:
            found["HEAD"] = self.commit(self._head)
        for ref, object_id in self.refs.items():
            if ref != "refs/stash" and self._leads_to_commit(object_id):
                found[ref] = self.peel(object_id)
        for n, object_id in enumerate(self.stash):
            found[f"stash@{{{n}}}"] = self.commit(object_id)
        return found

    # Files

    def files(self, where: Commit | str) -> dict[str, Entry]:
        """Return every path of a commit with its mode and blob."""
        found: dict[str, Entry] = {}
        self._flatten(self.find(where).tree, "", 0, found)
        return found

    def changes(self, commit: Commit) -> dict[str, Entry | None]:
        """Return what a commit changed against its first parent; a deleted path maps to None."""
        after = self.files(commit)
        before = self.files(commit.parents[0]) if commit.parents else {}
        changed: dict[str, Entry | None] = {p: e for p, e in after.items() if before.get(p) != e}
        return changed | {path: None for path in before if path not in after}

    def read(self, where: Commit | str, path: str) -> bytes | None:
        """Return a file's bytes at a commit, or None if there is no such file."""
        entry = self.files(where).get(path)
        return self.blob(entry.id) if entry and entry.is_file else None

    def text(self, where: Commit | str, path: str) -> str | None:
        """Return a file's text at a commit, or None; bytes that are no text become "�"."""
        body = self.read(where, path)
        return None if body is None else body.decode("utf-8", "replace")

    def blob(self, object_id: str) -> bytes:
        """Return the content of a blob."""
        return self._object(object_id)[1]

    def blobs(self, *starts: Commit | str) -> Iterator[tuple[Commit, str, str]]:
        """Yield every blob reachable from the given commits once: commit, path, blob id.

        The commit is one that has it.
        """
        seen: set[str] = set()
        for commit in self.history(*starts):
            yield from ((commit, path, blob) for path, blob in self._new_blobs(commit.tree, seen))

    def objects(self) -> Iterator[tuple[str, str, bytes]]:
        """Yield id, kind and content of all objects, also those that no name leads to."""
        for object_id in self._store:
            yield object_id, *self._object(object_id)

    def extract(
        self, where: Commit | str, folder: Path, only: Callable[[str], bool] = lambda path: True
    ) -> None:
        """Write a commit's files, or only those whose path is wanted, into an empty folder.

        Refuses symbolic links, submodules, and paths that could leave the folder.
        """
        room = MAX_EXTRACT
        wanted = {path: entry for path, entry in self.files(where).items() if only(path)}
        for path, entry in wanted.items():
            if not entry.is_file or not _harmless(path):
                raise self._problem(StoreError(f"{shown(path)} is not a plain file"))
            body = self.blob(entry.id)
            room -= len(body)
            if room < 0:
                raise self._problem(StoreError(f"its files are larger than {MAX_EXTRACT >> 20} MB"))
            try:
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                with (folder / path).open("xb") as file:
                    file.write(body)
            except OSError as error:
                problem = StoreError(f"{shown(path)} cannot be written out ({error.strerror})")
                raise self._problem(problem) from error

    # Inside

    def _refuse_other_formats(self) -> None:
        settings = (read_file(self.git_dir / "config") or b"").decode("utf-8", "replace").lower()
        for setting, what in (
            (r"objectformat\s*=\s*\"?sha256", "hashes of type SHA-256"),
            (r"refstorage\s*=\s*\"?reftable", "branch names in the reftable format"),
        ):
            if re.search(setting, settings):
                raise _unreadable(
                    self.name,
                    f"a repository with {what}",
                    "Git's usual format (SHA-1, plain files), which hosting sites use",
                    "make it again: remove its .git folder, then GIT_DEFAULT_HASH=sha1 "
                    "GIT_DEFAULT_REF_FORMAT=files git init -b main",
                )

    def _read_refs(self) -> dict[str, str]:
        raw = dict(self._packed_refs()) | dict(self._loose_refs(self.git_dir / "refs", "refs", 0))
        if len(raw) > MAX_REFS:
            raise StoreError(f"it has more than {MAX_REFS:,} names")
        resolved = {name: _resolve(value, raw) for name, value in raw.items()}
        return {name: value for name, value in sorted(resolved.items()) if value}

    def _packed_refs(self) -> Iterator[tuple[str, str]]:
        text = (read_file(self.git_dir / "packed-refs") or b"").decode("utf-8", "replace")
        for line in text.splitlines():
            value, _, name = line.partition(" ")
            if _HEX.fullmatch(value) and name.startswith("refs/"):
                yield name, value

    def _loose_refs(self, folder: Path, prefix: str, depth: int) -> Iterator[tuple[str, str]]:
        if depth > MAX_DEPTH:
            raise StoreError("its names are nested too deeply")
        for entry in entries(folder):
            name = f"{prefix}/{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                yield from self._loose_refs(Path(entry.path), name, depth + 1)
            elif not entry.name.endswith(".lock"):
                body = read_file(Path(entry.path), 4096) or b""
                yield name, body.decode("utf-8", "replace").strip()

    def _ids_in_log(self, ref: str) -> list[str]:
        """Return the ids a ref's log mentions, newest first."""
        logs = self.git_dir / "logs"
        if logs.is_symlink() or (logs / ref).parent.is_symlink():
            raise self._problem(StoreError("logs is a symbolic link"))
        try:
            text = (read_file(logs / ref) or b"").decode("utf-8", "replace")
        except StoreError as error:
            raise self._problem(error) from error
        ids = [line[41:81] for line in reversed(text.splitlines()[-MAX_REFS:])]
        newest = self.refs[ref]
        # A log may mention commits that were rewritten and swept away since.
        return [newest, *(i for i in ids if i in self._store and i != newest)]

    def _names(self, prefix: str) -> list[str]:
        return [ref.removeprefix(prefix) for ref in self.refs if ref.startswith(prefix)]

    def _leads_to_commit(self, object_id: str) -> bool:
        kind, body = self._object(object_id)
        for _ in range(MAX_DEPTH):
            if kind != "tag":
                break
            kind, body = self._object(_header(body, b"object").decode("ascii", "replace"))
        return kind == "commit"

    def _object(self, object_id: str) -> tuple[str, bytes]:
        try:
            return self._store[object_id]
        except MissingObjectError as error:
            if (self.git_dir / "shallow").exists():
                raise _unreadable(
                    self.name,
                    "a shallow clone: its older history was never fetched",
                    "the whole history",
                    "git fetch --unshallow",
                ) from error
            raise self._problem(error) from error
        except StoreError as error:
            raise self._problem(error) from error

    def _parse_commit(self, object_id: str, body: bytes) -> Commit:
        head, _, message = body.partition(b"\n\n")
        rows = [line.partition(b" ") for line in head.split(b"\n")]
        parents = tuple(v.decode("ascii", "replace") for k, _, v in rows if k == b"parent")
        tree = _header(body, b"tree").decode("ascii", "replace")
        if not all(map(_HEX.fullmatch, (tree, *parents))):
            raise self._problem(StoreError(f"commit {object_id[:7]} is malformed"))
        return Commit(
            object_id,
            tree,
            parents,
            _person(_header(body, b"author")),
            _person(_header(body, b"committer")),
            _decode(message, _header(body, b"encoding")),
        )

    def _parse_tag(self, object_id: str) -> Tag:
        body = self._object(object_id)[1]
        tagger = _header(body, b"tagger")
        # A signature follows the message; it is not part of what the learner wrote.
        message = re.split(rb"(?m)^-----BEGIN ", body.partition(b"\n\n")[2])[0]
        return Tag(
            object_id,
            _decode(_header(body, b"tag")),
            _header(body, b"object").decode("ascii", "replace"),
            _person(tagger) if tagger else None,
            _decode(message).strip(),
        )

    def _tree(self, object_id: str) -> list[tuple[str, Entry]]:
        if object_id not in self._trees:
            kind, body = self._object(object_id)
            if kind != "tree":
                raise self._problem(StoreError(f"{object_id[:7]} is a {kind} and not a tree"))
            try:
                self._trees[object_id] = list(_tree_entries(body))
            except ValueError as error:
                raise self._problem(StoreError(f"tree {object_id[:7]} is malformed")) from error
        return self._trees[object_id]

    def _flatten(self, tree: str, prefix: str, depth: int, found: dict[str, Entry]) -> None:
        if depth > MAX_DEPTH:
            raise self._problem(StoreError(f"folders are nested deeper than {MAX_DEPTH}"))
        for name, entry in self._tree(tree):
            self._step()
            if entry.mode == _FOLDER_MODE:
                self._flatten(entry.id, f"{prefix}{name}/", depth + 1, found)
            else:
                found[prefix + name] = entry
            if len(found) > MAX_ENTRIES:
                raise self._problem(StoreError(f"a commit has more than {MAX_ENTRIES:,} files"))

    def _new_blobs(self, tree: str, seen: set[str]) -> Iterator[tuple[str, str]]:
        """Yield path and id of the blobs below a tree that were not seen before."""
        todo = [(tree, "")]
        while todo:
            current, prefix = todo.pop()
            if current in seen:
                continue
            seen.add(current)
            for name, entry in self._tree(current):
                self._step()
                if entry.mode == _FOLDER_MODE:
                    todo.append((entry.id, f"{prefix}{name}/"))
                elif (entry.is_file or entry.mode == 0o120000) and entry.id not in seen:
                    seen.add(entry.id)
                    yield prefix + name, entry.id

    def _step(self) -> None:
        self.steps_left -= 1
        if self.steps_left < 0:
            raise self._problem(StoreError("it has too many commits and files to look through"))

    def _how_to_get(self, name: str) -> str:
        if self.busy_with:
            return f"a {self.busy_with} is still under way here: git status says how to finish it."
        if not self.branches:
            return "git add … and git commit make the first commit; git status shows where you are."
        return f"git branch lists the branches; git switch -c {name} makes one."

    def _problem(self, error: StoreError) -> Unreadable:
        return _unreadable(
            self.name,
            f"a repository that cannot be read as evidence: {error}",
            "an ordinary Git repository, complete in its folder",
            "git fsck in that folder says more. Or lay the task out anew with lab.restart(…).",
        )


def _children_first(commits: dict[str, Commit]) -> list[Commit]:
    """Order commits so that each stands before its parents, newer ones first."""
    waiting = dict.fromkeys(commits, 0)
    for commit in commits.values():
        for parent in set(commit.parents):
            waiting[parent] += 1
    ready = [c for c in commits.values() if not waiting[c.id]]
    ordered = []
    while ready:
        ready.sort(key=lambda c: c.committer.time)
        commit = ready.pop()
        ordered.append(commit)
        for parent in set(commit.parents):
            waiting[parent] -= 1
            if not waiting[parent]:
                ready.append(commits[parent])
    return ordered


def _tree_entries(body: bytes) -> Iterator[tuple[str, Entry]]:
    at = 0
    while at < len(body):
        end = body.index(b"\0", at)
        mode, _, name = body[at:end].partition(b" ")
        if len(body) < end + 21:
            raise ValueError("a tree ends too early")
        at = end + 21
        yield (
            name.decode("utf-8", "backslashreplace"),
            Entry(int(mode, 8), body[end + 1 : at].hex()),
        )


def _header(body: bytes, name: bytes) -> bytes:
    """Return the value of a commit's or tag's header line, empty if it has none."""
    for line in body.partition(b"\n\n")[0].split(b"\n"):
        key, _, value = line.partition(b" ")
        if key == name:
            return value
    return b""


def _person(value: bytes) -> Person:
    match = re.match(rb"([^<]*)<([^>]*)>(?: (-?\d{1,15}))?", value)
    if not match:
        return Person(_decode(value).strip(), "", 0)
    name, email, time = match.groups()
    return Person(_decode(name).strip(), _decode(email).strip(), int(time or 0))


def _decode(text: bytes, encoding: bytes = b"") -> str:
    """Decode text in the encoding its commit names, if that is one of the few in real use."""
    latin = encoding.lower() in (b"iso-8859-1", b"iso8859-1", b"latin1", b"latin-1")
    return text.decode("latin-1" if latin else "utf-8", "replace")


def _resolve(value: str, raw: dict[str, str]) -> str:
    """Follow names of names; one that leads nowhere becomes empty."""
    for _ in range(5):
        if not value.startswith("ref: "):
            break
        value = raw.get(value.removeprefix("ref: ").strip(), "")
    return value if _HEX.fullmatch(value) else ""


def _harmless(path: str) -> bool:
    """Tell whether writing this path stays inside the folder and makes no repository."""
    parts = path.split("/")
    banned = {"", ".", "..", ".git", "git~1"}
    return not (
        any(part.lower().rstrip(". ") in banned for part in parts)
        or any(c in path for c in '\\:\0<>"|?*')
        or PurePosixPath(path).is_absolute()
    )


def _name(folder: Path) -> str:
    parts = folder.parts
    start = len(parts) - 1 - parts[::-1].index("work") if "work" in parts else len(parts) - 2
    return "/".join(parts[max(start, 0) :])


def _absent(folder: Path, name: str) -> Unreadable:
    if not folder.exists():
        found, hint = "no such folder", "lab.restart(…) with the task's folder lays it out anew."
    elif (folder.parent / ".git").exists():
        found = f"no repository here, but one a level up, in {_name(folder.parent)}"
        hint = "remove that .git folder and run git init inside flight-delays."
    else:
        found, hint = "a folder without a repository (no .git in it)", "git init -b main makes one."
    return _unreadable(name, found, "a Git repository in this folder", hint)


def _unreadable(looked: str, found: str, expected: str, hint: str) -> Unreadable:
    return Unreadable(looked=looked, found=found, expected=expected, hint=hint)
