"""Read an MLflow store as evidence: what MLflow's client finds in it, and its artifacts.

    store = mlstore.open_store(work / "5-model")
    run = store.runs("late-flights")[0]
    run.params, run.metrics, store.inputs(run), store.files(run.artifacts)

A store is learner-made: the client opens a copy of it in the sandbox of `autograder.modelroom`, and
plain data comes out.  Whatever cannot be read ends in a `CheckFailed` that says what is the matter.
Artifacts are found wherever the store has been copied to: ``mlflow-artifacts:`` is the folder
beside the database, and of other addresses only the part inside the task counts.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

from autograder import modelroom
from autograder.sqlread import MAX_DATABASE
from autograder.verdict import CheckFailed

STORE = "mlflow.db"
ARTIFACTS = "artifacts"
MAX_TEXT = 256 << 10
_KEPT = 8
# Reading takes a fifth of a second.
_SECONDS = 15.0
_read: dict[str, dict[str, Any]] = {}


@dataclass(frozen=True)
class DataSet:
    """A data set that a run says it read."""

    name: str
    digest: str
    context: str
    rows: int | None
    columns: tuple[str, ...]
    source: str


@dataclass(frozen=True)
class Run:
    """One run: what was logged, and where its artifacts lie.  A missing time is 0."""

    id: str
    name: str
    status: str
    experiment: str
    started: int
    ended: int
    artifacts: str
    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    inputs: tuple[DataSet, ...] = ()

    @property
    def finished(self) -> bool:
        """True if it came to its end."""
        return self.status == "FINISHED"

    @property
    def parent(self) -> str:
        """Id of the run it is a child of, or nothing."""
        return self.tags.get("mlflow.parentRunId", "")

    def __str__(self) -> str:
        return f"run {shown(self.name, 40)} ({self.id[:8]})"


@dataclass(frozen=True)
class Model:
    """A logged model."""

    id: str
    name: str
    run: str
    location: str
    created: int

    def __str__(self) -> str:
        return f"model {shown(self.name, 40)} ({self.id[:10]})"


@dataclass(frozen=True)
class Version:
    """A version of a registered model."""

    number: int
    source: str
    run: str
    location: str
    status: str
    description: str
    tags: dict[str, str] = field(default_factory=dict)


def open_store(task: Path) -> Store:
    """Open the store in a task's folder; raises CheckFailed if there is none that can be read."""
    return Store(task)


def aliases_in(folder: Path, model: str) -> dict[str, int]:
    """Return the version that each alias of a registered model names, in the store of a folder.

    Nothing else of the store is read.  Raises CheckFailed if it cannot be.
    """
    _require(folder / STORE, STORE, folder.name)
    found = _asked(folder / STORE, STORE, folder.name, aliases=model)
    return _numbered(found) if isinstance(found, dict) else {}


class Store:
    """A store, read once into memory."""

    def __init__(self, task: Path) -> None:
        self.task = task
        self.name = f"work/{task.name}/{STORE}"
        self._contents = _contents(task / STORE, self.name, task.name)

    # --- What the client found ----------------------------------------------------------------

    def experiment(self, name: str) -> tuple[str, str] | None:
        """Return id and artifact location of an active experiment."""
        for found in self._list("experiments"):
            if _text(found.get("name")) == name:
                return _text(found.get("id")), _text(found.get("location"))
        return None

    def experiments(self) -> list[str]:
        """Return the names of all active experiments."""
        return [_text(found.get("name")) for found in self._list("experiments")]

    def runs(self, experiment: str) -> list[Run]:
        """Return an experiment's runs that are not deleted, the newest first."""
        found = self.experiment(experiment)
        if found is None:
            return []
        return [run for run in self.all_runs.values() if run.experiment == found[0]]

    @cached_property
    def all_runs(self) -> dict[str, Run]:
        """All runs that are not deleted, by id, the newest first."""
        return {_text(found.get("id")): _run(found) for found in self._list("runs")}

    def history(self, run: Run, metric: str) -> list[tuple[int, float]]:
        """Return the steps and values of a run's metric, in the order of the steps."""
        found = _asked(self.task / STORE, self.name, self.task.name, history=[run.id, metric])
        pairs = found if isinstance(found, list) else []
        return [(_integer(step), _number(value)) for step, value in pairs]

    def inputs(self, run: Run) -> list[DataSet]:
        """Return the data sets that a run says it read."""
        return list(run.inputs)

    @cached_property
    def models(self) -> list[Model]:
        """All logged models that are not deleted, the newest first."""
        return [
            Model(
                *(_text(found.get(name)) for name in ("id", "name", "run", "location")),
                _integer(found.get("created")),
            )
            for found in self._list("models")
        ]

    def versions(self, name: str) -> dict[int, Version]:
        """Return the versions of a registered model by number."""
        texts = ("source", "run", "location", "status", "description")
        found = {
            _integer(v.get("number")): Version(
                _integer(v.get("number")), *(_text(v.get(t)) for t in texts), tags=_texts(v, "tags")
            )
            for v in self._list("versions")
            if v.get("model") == name
        }
        return dict(sorted(found.items()))

    def registered(self) -> list[str]:
        """Return the names of all registered models."""
        return [_text(name) for name in _mapping(self._contents, "registered")]

    def aliases(self, name: str) -> dict[str, int]:
        """Return the version that each alias of a registered model names."""
        return _numbered(_mapping(_mapping(self._contents, "registered"), name))

    def _list(self, kind: str) -> list[dict[str, Any]]:
        found = self._contents.get(kind)
        return [f for f in found if isinstance(f, dict)] if isinstance(found, list) else []

    # --- Artifacts ----------------------------------------------------------------------------

    def folder(self, address: str) -> Path | None:
        """Return the folder inside the task that an artifact address names, if there is one."""
        for parts in self._places(address):
            place = self.task.joinpath(*parts)
            if ".." not in parts and place.is_dir() and _inside(place, self.task):
                return place
        return None

    def _places(self, address: str) -> Iterator[Sequence[str]]:
        parts = urlsplit(address[:2000])
        path = [p for p in unquote(parts.path).replace("\\", "/").split("/") if p not in ("", ".")]
        if parts.scheme == "mlflow-artifacts":
            yield (ARTIFACTS, *path)
        elif parts.scheme == "models" and path[:1]:
            yield from (
                place
                for model in self.models
                if model.id == path[0] and not model.location.startswith("models:")
                for place in self._places(model.location)
            )
        elif parts.scheme in ("file", ""):
            # An absolute path on the machine it was logged on: its end, as far as it is here.
            for start in range(max(0, len(path) - 12), len(path)):
                yield path[start:]

    def files(self, address: str) -> dict[str, Path]:
        """Return the ordinary files below an artifact address, by their path in it."""
        folder = self.folder(address)
        if folder is None:
            return {}
        found: dict[str, Path] = {}
        for path in folder.rglob("*"):
            if len(found) >= 2000:
                break
            if path.is_file() and not path.is_symlink() and _inside(path, self.task):
                found[path.relative_to(folder).as_posix()] = path
        return found

    def artifact_folder(self, model: Model | Version) -> Path | None:
        """Return the folder with the files of a logged model or of a version."""
        if isinstance(model, Version):
            return self.folder(model.source) or self.folder(model.location)
        return self.folder(model.location)


def read_text(path: Path, limit: int = MAX_TEXT) -> str:
    """Return a small text file's content; nothing for one that is absent, a link or too large."""
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > limit:
            return ""
        return path.read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""


def read_yaml(path: Path) -> dict[str, Any]:
    """Return a small YAML file's content; nothing if it is no mapping, has aliases or is deep."""
    text = read_text(path)
    try:
        depth = 0
        for event in yaml.parse(text, _Loader):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            # Aliases let a small file stand for an immense one; depth ends the process that reads.
            if isinstance(event, yaml.AliasEvent) or depth > 50:
                return {}
        value = yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def signature(mlmodel: dict[str, Any]) -> tuple[list[dict[str, Any]], list[Any]] | None:
    """Return the input columns and the outputs of a model's signature, or None without one."""
    found = mlmodel.get("signature")
    if not isinstance(found, dict):
        return None
    sides = []
    for side in ("inputs", "outputs"):
        try:
            value = json.loads(found.get(side) or "[]")
        except (ValueError, TypeError, RecursionError):
            value = []
        sides.append([v for v in value if isinstance(v, dict)] if isinstance(value, list) else [])
    return (sides[0], sides[1]) if sides[0] else None


def shown(text: str, limit: int = 60) -> str:
    """Return text that is safe to print: on one line, without control characters, not too long."""
    clean = re.sub(r"[^\x20-\x7e\u00a0-\u024f]+", "?", text)
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def _contents(path: Path, name: str, task: str) -> dict[str, Any]:
    """Return what MLflow's client finds in a store; the same store is read once."""
    _require(path, name, task)
    key = hashlib.sha256()
    for part in _parts(path).values():
        key.update(hashlib.sha256(part.read_bytes()).digest())
    if key.hexdigest() not in _read:
        # Only what was read: a failure may be the machine's, and the next look a better one.
        found = _asked(path, name, task)
        while len(_read) >= _KEPT:
            del _read[next(iter(_read))]
        _read[key.hexdigest()] = found if isinstance(found, dict) else {}
    return _read[key.hexdigest()]


def _require(path: Path, name: str, task: str) -> None:
    """Raise CheckFailed unless a store is there and small enough to be read."""
    if path.is_symlink() or not path.is_file():
        raise CheckFailed(
            looked=f"work/{task}",
            found=f"no {STORE} there",
            expected="the store that the lab laid out, with what you logged",
            hint=f'lab.restart("{task}") lays the start state out anew.',
        )
    size = sum(part.stat().st_size for part in _parts(path).values())
    if size > MAX_DATABASE:
        raise _unreadable(name, task, f"more than {MAX_DATABASE >> 20} MB")


def _asked(path: Path, name: str, task: str, **arguments: Any) -> Any:
    """Let the room read a copy of a store, and return its answer."""
    try:
        done = modelroom.work("read", files=_parts(path), seconds=_SECONDS, **arguments)
    except (modelroom.TooLarge, OSError) as error:
        raise _unreadable(name, task, str(error)) from error
    if done.problem:
        raise _unreadable(name, task, done.problem)
    return done.value


def _parts(path: Path) -> dict[str, Path]:
    """Return a database's files: what a server has not yet written into it lies beside it."""
    found = {f"{STORE}{end}": path.with_name(path.name + end) for end in ("", "-wal", "-journal")}
    return {n: file for n, file in found.items() if file.is_file() and not file.is_symlink()}


def _run(found: dict[str, Any]) -> Run:
    inputs = found.get("inputs")
    return Run(
        *(_text(found.get(name)) for name in ("id", "name", "status", "experiment")),
        *(_integer(found.get(name)) for name in ("started", "ended")),
        _text(found.get("artifacts")),
        params=_texts(found, "params"),
        metrics={_text(k): _number(v) for k, v in _mapping(found, "metrics").items()},
        tags=_texts(found, "tags"),
        inputs=tuple(
            DataSet(
                _text(i.get("name")),
                _text(i.get("digest")),
                _text(i.get("context")),
                _count(i.get("profile")),
                _columns(i.get("schema")),
                _text(i.get("source")),
            )
            for i in (inputs if isinstance(inputs, list) else [])
            if isinstance(i, dict)
        ),
    )


def _mapping(found: dict[str, Any], name: str) -> dict[str, Any]:
    value = found.get(name)
    return value if isinstance(value, dict) else {}


def _numbered(found: dict[str, Any]) -> dict[str, int]:
    return {_text(name): _integer(number) for name, number in found.items()}


def _texts(found: dict[str, Any], name: str) -> dict[str, str]:
    return {_text(key): _text(value) for key, value in _mapping(found, name).items()}


def _unreadable(name: str, task: str, reason: str) -> CheckFailed:
    return CheckFailed(
        looked=name,
        found=f"a database that cannot be read: {shown(reason, 120)}",
        expected="the SQLite database that MLflow writes",
        hint="is it damaged, or was it made by another program or release? "
        f'lab.restart("{task}") lays the start state out anew and keeps this one beside it.',
    )


def _inside(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)[:1000]


def _integer(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


def _count(profile: Any) -> int | None:
    """Return the number of rows that a data set's profile tells."""
    value = _json(profile)
    rows = value.get("num_rows") if isinstance(value, dict) else None
    return rows if isinstance(rows, int) else None


def _columns(schema: Any) -> tuple[str, ...]:
    """Return the names of the columns that a data set's schema lists."""
    value = _json(schema)
    columns = value.get("mlflow_colspec") if isinstance(value, dict) else None
    if not isinstance(columns, list):
        return ()
    return tuple(_text(c.get("name")) for c in columns if isinstance(c, dict))


def _json(text: Any) -> Any:
    try:
        return json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None
