"""Read what DVC leaves behind as evidence: never run it, never believe a hash it wrote.

    out = dvcread.tracked(repo, tip)["data"]
    storage = dvcread.Objects(task / "storage")
    storage.files(out.md5)          # what the folder holds, by name
    dvcread.pipeline(repo, tip).stages["train"].outs

DVC's commands run programs that a repository names (stages, plugins, settings), so none of them
runs here.  Its files are simple: YAML that says which hash a path has, and folders that hold
contents under their hash (``files/md5/ab/cdef…``; a name that ends in ``.dir`` is a listing of a
folder in JSON).  Every content is hashed again.  What cannot be read ends in `Unreadable`, which
names the file and the way back.
"""

from __future__ import annotations

import configparser
import contextlib
import hashlib
import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from autograder.gitread import Commit, Repository, Unreadable, shown
from autograder.gitstore import StoreError, entries, read_file

MAX_TEXT = 1 << 18
MAX_OBJECT = 8 << 20
MAX_OBJECTS = 5_000
MAX_STAGES = 30
MAX_RUNS = 500
MAX_RUN = 1 << 14
MAX_FOLDER = 64 << 20
# A few lines of YAML that name each other unfold into more than any memory holds.
MAX_ALIASES = 16

_MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")


@dataclass(frozen=True)
class Out:
    """A path and the hash of what it holds, as DVC noted them."""

    path: str
    md5: str

    @property
    def is_folder(self) -> bool:
        """True if the hash is that of a folder's listing."""
        return self.md5.endswith(".dir")


@dataclass(frozen=True)
class Stage:
    """A stage as it ran: what dvc.lock says; paths are below the repository's folder."""

    name: str
    cmd: tuple[str, ...]
    wdir: str
    deps: dict[str, str]
    outs: dict[str, str]
    params: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Pipeline:
    """A commit's dvc.yaml, as it was written, and dvc.lock, stage by stage."""

    said: dict[str, Any]
    stages: dict[str, Stage]
    entries: dict[str, Any]

    @property
    def outs(self) -> dict[str, str]:
        """What all stages write, path by path."""
        return {path: md5 for stage in self.stages.values() for path, md5 in stage.outs.items()}

    def in_order(self) -> list[Stage]:
        """Return the stages so that each stands behind those whose outputs it reads."""
        waiting, ordered = dict(self.stages), []
        while waiting:
            ready = [
                s
                for s in waiting.values()
                if not any(
                    other is not s and any(overlaps(d, o) for d in s.deps for o in other.outs)
                    for other in waiting.values()
                )
            ]
            if not ready:
                raise unreadable(
                    "dvc.lock",
                    f"stages that wait for each other: {shown(', '.join(sorted(waiting)))}",
                    "stages that can run one after the other",
                    "dvc dag names the circle: a stage must not read what comes after it.",
                )
            for stage in ready:
                ordered.append(waiting.pop(stage.name))
        return ordered

    def declared(self, kind: str) -> set[str]:
        """Return the paths that stages, or dvc.yaml as a whole, call metrics or plots."""
        found = set(_paths(self.said.get(kind))) | set(_drawn(self.said.get(kind)))
        for name, stage in _mapping(self.said.get("stages")).items():
            wdir = self.stages[name].wdir if name in self.stages else "."
            found |= {join(wdir, path) for path in _paths(_mapping(stage).get(kind))}
        return found


class Objects:
    """A cache or a remote in a folder: contents by their hash."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.name = name
        self._known: dict[str, bytes | None] = {}
        if any(path.is_symlink() for path in (folder, *folder.parents[:2])):
            raise self._problem("a symbolic link instead of a folder")

    def read(self, md5: str) -> bytes | None:
        """Return the content with this hash, or None if it is not here.

        Raises Unreadable if the file that should hold it holds something else.
        """
        if md5 not in self._known:
            self._known[md5] = self._read(md5)
        return self._known[md5]

    def files(self, md5: str) -> dict[str, str] | None:
        """Return a folder's files with their hashes, by its listing; None if that is not here."""
        body = self.read(md5)
        if body is None:
            return None
        try:
            rows = json.loads(body)
            found = {str(row["relpath"]): str(row["md5"]) for row in rows}
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise self._damaged(md5, "no listing of a folder") from error
        if not all(map(harmless, found)) or len(found) > MAX_OBJECTS:
            raise self._damaged(md5, "a listing with paths that lead elsewhere")
        return found

    def missing(self, outs: Mapping[str, str]) -> list[str]:
        """Return the paths whose content is not here, those inside of folders too."""
        lost = []
        for path, md5 in outs.items():
            inside = self.files(md5) if md5.endswith(".dir") else None
            if self.read(md5) is None:
                lost.append(path)
            for name, each in (inside or {}).items():
                if self.read(each) is None:
                    lost.append(f"{path}/{name}")
        return lost

    def __iter__(self) -> Iterator[str]:
        """Yield the hash of everything that is here."""
        seen = 0
        for fan in self._entries(self.folder / "files" / "md5"):
            for entry in self._entries(Path(fan.path)):
                seen += 1
                if seen > MAX_OBJECTS:
                    raise self._problem(f"more than {MAX_OBJECTS:,} files")
                if _MD5.fullmatch(fan.name + entry.name):
                    yield fan.name + entry.name

    @cached_property
    def runs(self) -> list[dict[str, Any]]:
        """What the run cache remembers: one entry of dvc.lock's form for every run."""
        found: list[dict[str, Any]] = []
        for path in self._run_files():
            # What DVC itself could not read either is no run.
            with contextlib.suppress(Unreadable):
                found.append(parse(self._text(path), path.name))
        return found

    def _run_files(self) -> Iterator[Path]:
        seen = 0
        for fan in self._entries(self.folder / "runs"):
            for key in self._entries(Path(fan.path)):
                for entry in self._entries(Path(key.path)):
                    seen += 1
                    if seen > MAX_RUNS:
                        raise self._problem(f"more than {MAX_RUNS} runs")
                    yield Path(entry.path)

    def _text(self, path: Path) -> str:
        try:
            return (read_file(path, MAX_RUN) or b"").decode("utf-8", "replace")
        except StoreError as error:
            raise self._problem(str(error)) from error

    def _entries(self, folder: Path) -> list[Any]:
        try:
            return entries(folder)
        except StoreError as error:
            raise self._problem(str(error)) from error

    def _read(self, md5: str) -> bytes | None:
        if not _MD5.fullmatch(md5):
            raise self._problem(f"a hash that is none: {shown(md5, 40)}")
        relative = f"files/md5/{md5[:2]}/{md5[2:]}"
        try:
            body = read_below(self.folder, relative, MAX_OBJECT)
        except StoreError as error:
            raise self._problem(str(error)) from error
        if body is not None and hash_of(body) != md5.removesuffix(".dir"):
            raise self._damaged(md5, "content whose hash is another one")
        return body

    def _damaged(self, md5: str, what: str) -> Unreadable:
        path = f"{self.name}/files/md5/{md5[:2]}/{md5[2:]}"
        return unreadable(
            path,
            f"{what}: the file is damaged",
            "content under its own hash",
            "delete that file. If it is in a cache, dvc pull or dvc repro brings it back; if it "
            "is in a remote, dvc push from a clone that still has the content.",
        )

    def _problem(self, what: str) -> Unreadable:
        return unreadable(
            self.name,
            what,
            "a folder as DVC fills it, with ordinary files",
            "dvc config cache.type copy makes DVC copy files instead of linking them; "
            "lab.restart(…) lays the task out anew.",
        )


def tracked(repo: Repository, commit: Commit) -> dict[str, Out]:
    """Return what the .dvc files of a commit track, by path."""
    found = {}
    for path in repo.files(commit):
        if not path.endswith(".dvc") or posixpath.basename(path) == ".dvc":
            continue
        said = parse(repo.text(commit, path) or "", f"{path} on {_at(repo, commit)}")
        wdir = join(posixpath.dirname(path), str(said.get("wdir", ".")))
        for row in _list(said.get("outs")):
            out = _out(_mapping(row), wdir)
            if out:
                found[out.path] = out
    return found


def pipeline(repo: Repository, commit: Commit) -> Pipeline:
    """Return a commit's pipeline; raises Unreadable if it has none, or none that ran."""
    texts = {name: repo.text(commit, name) for name in ("dvc.yaml", "dvc.lock")}
    for name, text in texts.items():
        if text is None:
            raise unreadable(
                _at(repo, commit),
                f"no {name} in it",
                "dvc.yaml, which says what the stages are, and dvc.lock, which says how they ran",
                "dvc stage add, or an editor, makes dvc.yaml; dvc repro makes dvc.lock. Then "
                "git add dvc.yaml dvc.lock, and commit.",
            )
    said, lock = (
        parse(text or "", f"{name} on {_at(repo, commit)}") for name, text in texts.items()
    )
    locked = _mapping(lock.get("stages"))
    if len(locked) > MAX_STAGES:
        raise unreadable(
            f"dvc.lock on {_at(repo, commit)}",
            f"{len(locked)} stages",
            f"at most {MAX_STAGES}",
            "this lab needs a handful.",
        )
    wdirs = {
        str(n): str(_mapping(s).get("wdir", ".")) for n, s in _mapping(said.get("stages")).items()
    }
    stages = {
        str(name): _stage(str(name), _mapping(entry), wdirs.get(str(name), "."))
        for name, entry in locked.items()
    }
    return Pipeline(said, stages, {str(n): _mapping(e) for n, e in locked.items()})


def config(repo: Repository, commit: Commit) -> configparser.ConfigParser:
    """Return the settings in .dvc/config of a commit; an absent file has none."""
    return config_text(repo.text(commit, ".dvc/config") or "", _at(repo, commit))


def config_text(text: str, where: str) -> configparser.ConfigParser:
    """Parse the text of a .dvc/config."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(re.sub(r"(?m)^[ \t]+", "", text[:MAX_TEXT]))
    except configparser.Error as error:
        raise unreadable(
            f".dvc/config on {where}",
            f"a file that cannot be read: {shown(str(error), 80)}",
            "sections such as [core], and lines such as analytics = false",
            "git log -p -- .dvc/config shows what it was before.",
        ) from error
    return parser


def remote_address(settings: configparser.ConfigParser) -> tuple[str, str]:
    """Return name and address of the default remote; empty where there is none."""
    name = settings.get("core", "remote", fallback="").strip()
    for section in (f"'remote \"{name}\"'", f'remote "{name}"'):
        if settings.has_section(section):
            return name, settings.get(section, "url", fallback="").strip()
    return name, ""


def parse(text: str, where: str) -> dict[str, Any]:
    """Parse YAML of a learner: a mapping, within limits; raises Unreadable that names the file."""
    problem = ""
    try:
        if len(text) > MAX_TEXT:
            problem = f"more than {MAX_TEXT >> 10} KB"
        elif _aliases(text) > MAX_ALIASES:
            problem = f"more than {MAX_ALIASES} aliases (*name)"
        else:
            said = yaml.safe_load(text)
            if isinstance(said, dict):
                return said
            problem = "no YAML with names and values"
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        problem = f"YAML that cannot be read: {shown(str(error.problem), 60)}, line {line}"
    except (yaml.YAMLError, RecursionError, ValueError, TypeError):
        problem = "YAML that cannot be read"
    conflict = " It holds Git's conflict marks." if re.search("(?m)^<{7} ", text) else ""
    raise unreadable(
        where,
        problem + conflict,
        "the file as DVC, or you, wrote it",
        "git log -p -- <file> shows its last good state, git checkout <commit> -- <file> brings "
        "it back. A dvc.lock can always be made anew: delete it, then dvc repro.",
    )


def _aliases(text: str) -> int:
    if "*" not in text or "&" not in text:
        return 0
    return sum(isinstance(token, yaml.AliasToken) for token in yaml.scan(text, yaml.SafeLoader))


def read_below(folder: Path, relative: str, limit: int = MAX_OBJECT) -> bytes | None:
    """Return the bytes of a file below a folder, or None; no step may be a symbolic link."""
    if not harmless(relative):
        raise StoreError(f"{shown(relative)} leads out of its folder")
    path = folder
    for part in ("", *relative.split("/")[:-1]):
        path = path / part
        if path.is_symlink():
            raise StoreError(f"{shown(path.name)} is a symbolic link")
    return read_file(folder / relative, limit)


def files_below(folder: Path, relative: str) -> dict[str, bytes]:
    """Return all files of a folder below another one, by their path inside it."""
    if not harmless(relative):
        raise StoreError(f"{shown(relative)} leads out of its folder")
    found: dict[str, bytes] = {}
    size = 0
    todo = [relative]
    while todo:
        current = todo.pop()
        for entry in entries(folder / current):
            path = f"{current}/{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                todo.append(path)
            else:
                body = read_below(folder, path)
                found[path.removeprefix(f"{relative}/")] = body or b""
                size += len(body or b"")
            if len(found) > MAX_OBJECTS or size > MAX_FOLDER:
                most = f"{MAX_OBJECTS:,} files, or {MAX_FOLDER >> 20} MB"
                raise StoreError(f"{shown(relative)} holds more than {most}")
    return found


def hash_of(body: bytes) -> str:
    """Return the hash DVC names contents by."""
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def listing(files: Mapping[str, str]) -> bytes:
    """Return the object that stands for a folder, given its files' hashes."""
    rows = [{"md5": md5, "relpath": path} for path, md5 in sorted(files.items())]
    return json.dumps(rows, sort_keys=True).encode()


def overlaps(one: str, other: str) -> bool:
    """Tell whether two paths are the same, or one lies in the other."""
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")


def harmless(path: str) -> bool:
    """Tell whether a path stays in its folder, and out of Git's and DVC's own."""
    parts = path.split("/")
    return not (
        any(p in ("", ".", "..") or p.lower() in (".git", ".dvc") for p in parts)
        or any(c in path for c in "\\\0:")
    )


def join(folder: str, path: str) -> str:
    """Join two relative paths and tidy the result."""
    return posixpath.normpath(posixpath.join(folder or ".", path))


def unreadable(looked: str, found: str, expected: str, hint: str) -> Unreadable:
    """Return the failure that names what cannot be read, and the way back."""
    return Unreadable(looked=looked, found=found, expected=expected, hint=hint)


def _stage(name: str, entry: dict[str, Any], wdir: str) -> Stage:
    cmd = entry.get("cmd")
    sides = {
        side: {
            out.path: out.md5
            for row in _list(entry.get(side))
            if (out := _out(_mapping(row), wdir)) is not None
        }
        for side in ("deps", "outs")
    }
    params = {
        join(wdir, str(path)): {str(k): v for k, v in _mapping(values).items()}
        for path, values in _mapping(entry.get("params")).items()
    }
    commands = tuple(map(str, cmd)) if isinstance(cmd, list) else (str(cmd or ""),)
    return Stage(name, commands, join(".", wdir), sides["deps"], sides["outs"], params)


def _out(row: dict[str, Any], wdir: str) -> Out | None:
    path, md5 = row.get("path"), row.get("md5")
    if not isinstance(path, str) or not isinstance(md5, str) or not _MD5.fullmatch(md5):
        return None
    return Out(join(wdir, path), md5)


def _paths(rows: Any) -> Iterator[str]:
    """Yield the paths of a list whose items are a path, or a mapping from it to its options."""
    for row in _list(rows):
        for path in row if isinstance(row, dict) else [row]:
            if isinstance(path, str):
                yield path


def _drawn(rows: Any) -> Iterator[str]:
    """Yield the files that named plots at the top of dvc.yaml take their axes from."""
    for row in _list(rows):
        for options in row.values() if isinstance(row, dict) else ():
            for axis in ("x", "y"):
                yield from (str(path) for path in _mapping(_mapping(options).get(axis)))


def _at(repo: Repository, commit: Commit) -> str:
    return f"main of {repo.name}, commit {commit.short}"


def _mapping(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    # dvc.yaml's top-level plots may be a mapping as well as a list of them.
    return value if isinstance(value, list) else [value] if isinstance(value, dict) else []
