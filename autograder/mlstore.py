"""Read an MLflow store as evidence: its SQLite tables and its folder of artifacts, nothing more.

    store = mlstore.open_store(work / "5-model")
    run = store.runs("late-flights")[0]
    run.params, run.metrics, store.inputs(run), store.files(run.artifacts)

The tables are those of MLflow 3 (`mlflow.store.tracking.dbmodels`).  MLflow itself is not
imported: that takes seconds, and a store is learner-made.  The database is read from a copy, with
limits on time, rows and sizes; whatever cannot be read ends in a `CheckFailed` that says what is
the matter.  Artifacts are found wherever the store has been copied to: ``mlflow-artifacts:`` is
the folder beside the database, and of other addresses only the part inside the task counts.
"""

from __future__ import annotations

import json
import math
import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

from autograder import sqlread
from autograder.sqlread import MAX_DATABASE
from autograder.verdict import CheckFailed

STORE = "mlflow.db"
ARTIFACTS = "artifacts"
MAX_TEXT = 256 << 10


@dataclass(frozen=True)
class Run:
    """One run: what was logged, and where its artifacts lie.  A missing time is 0."""

    id: str
    name: str
    status: str
    experiment: int
    started: int
    ended: int
    artifacts: str
    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

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
class DataSet:
    """A data set that a run says it read."""

    name: str
    digest: str
    context: str
    rows: int | None
    columns: tuple[str, ...]
    source: str


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


class Store:
    """A store, read once into memory."""

    def __init__(self, task: Path) -> None:
        self.task = task
        self.name = f"work/{task.name}/{STORE}"
        self._database = _load(task / STORE, self.name, task.name)

    # --- Tables -------------------------------------------------------------------------------

    def experiment(self, name: str) -> tuple[int, str] | None:
        """Return number and artifact location of an active experiment."""
        rows = self._rows(
            "SELECT experiment_id, artifact_location FROM experiments "
            "WHERE name = ? AND lifecycle_stage = 'active'",
            name,
        )
        return (_integer(rows[0][0]), _text(rows[0][1])) if rows else None

    def experiments(self) -> list[str]:
        """Return the names of all active experiments."""
        return [
            _text(name)
            for (name,) in self._rows(
                "SELECT name FROM experiments WHERE lifecycle_stage = 'active'"
            )
        ]

    def runs(self, experiment: str) -> list[Run]:
        """Return an experiment's runs that are not deleted, the newest first."""
        found = self.experiment(experiment)
        if found is None:
            return []
        return [run for run in self.all_runs.values() if run.experiment == found[0]]

    @cached_property
    def all_runs(self) -> dict[str, Run]:
        """All runs that are not deleted, by id, the newest first."""
        rows = self._rows(
            "SELECT run_uuid, name, status, experiment_id, start_time, end_time, artifact_uri "
            "FROM runs WHERE lifecycle_stage = 'active' ORDER BY start_time DESC"
        )
        params = self._grouped("SELECT run_uuid, key, value FROM params", _text)
        tags = self._grouped("SELECT run_uuid, key, value FROM tags", _text)
        metrics = self._grouped(
            "SELECT run_uuid, key, CASE WHEN is_nan THEN NULL ELSE value END FROM latest_metrics",
            _number,
        )
        return {
            _text(r[0]): Run(
                _text(r[0]),
                _text(r[1]),
                _text(r[2]),
                *map(_integer, r[3:6]),
                _text(r[6]),
                *(table.get(_text(r[0]), {}) for table in (params, metrics, tags)),
            )
            for r in rows
        }

    def history(self, run: Run, metric: str) -> list[tuple[int, float]]:
        """Return the steps and values of a run's metric, in the order of the steps."""
        rows = self._rows(
            "SELECT step, CASE WHEN is_nan THEN NULL ELSE value END FROM metrics "
            "WHERE run_uuid = ? AND key = ? ORDER BY step, timestamp",
            run.id,
            metric,
        )
        return [(_integer(step), _number(value)) for step, value in rows]

    def inputs(self, run: Run) -> list[DataSet]:
        """Return the data sets that a run says it read."""
        rows = self._rows(
            "SELECT d.name, d.digest, t.value, d.dataset_profile, d.dataset_schema, "
            "d.dataset_source FROM inputs i "
            "JOIN datasets d ON i.source_id = d.dataset_uuid AND i.source_type = 'DATASET' "
            "LEFT JOIN input_tags t ON t.input_uuid = i.input_uuid "
            "AND t.name = 'mlflow.data.context' "
            "WHERE i.destination_type = 'RUN' AND i.destination_id = ?",
            run.id,
        )
        return [
            DataSet(
                _text(name), _text(digest), _text(context), _count(profile), _columns(schema),
                _text(source),
            )
            for name, digest, context, profile, schema, source in rows
        ]  # fmt: skip

    @cached_property
    def models(self) -> list[Model]:
        """All logged models that are not deleted, the newest first."""
        return [
            Model(_text(i), _text(name), _text(run), _text(location), _integer(created))
            for i, name, run, location, created in self._rows(
                "SELECT model_id, name, source_run_id, artifact_location, creation_timestamp_ms "
                "FROM logged_models WHERE lifecycle_stage = 'active' "
                "ORDER BY creation_timestamp_ms DESC"
            )
        ]

    def versions(self, name: str) -> dict[int, Version]:
        """Return the versions of a registered model by number."""
        tags: dict[int, dict[str, str]] = {}
        for version, key, value in self._rows(
            "SELECT version, key, value FROM model_version_tags WHERE name = ?", name
        ):
            tags.setdefault(_integer(version), {})[_text(key)] = _text(value)
        return {
            _integer(r[0]): Version(
                _integer(r[0]), *map(_text, r[1:]), tags=tags.get(_integer(r[0]), {})
            )
            for r in self._rows(
                "SELECT version, source, run_id, storage_location, status, description "
                "FROM model_versions WHERE name = ? AND current_stage != 'Deleted_Internal' "
                "ORDER BY version",
                name,
            )
        }

    def registered(self) -> list[str]:
        """Return the names of all registered models."""
        return [_text(name) for (name,) in self._rows("SELECT name FROM registered_models")]

    def aliases(self, name: str) -> dict[str, int]:
        """Return the version that each alias of a registered model names."""
        rows = self._rows(
            "SELECT alias, version FROM registered_model_aliases WHERE name = ?", name
        )
        return {_text(alias): _integer(version) for alias, version in rows}

    def _rows(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        try:
            return sqlread.rows(self._database, query, *values)
        except (sqlite3.Error, OverflowError) as error:
            raise _unreadable(self.name, self.task.name, str(error)) from error

    def _grouped(self, query: str, read: Any) -> dict[str, dict[str, Any]]:
        groups: dict[str, dict[str, Any]] = {}
        for run, key, value in self._rows(query):
            groups.setdefault(_text(run), {})[_text(key)] = read(value)
        return groups

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


def _load(path: Path, name: str, task: str) -> sqlite3.Connection:
    """Read a database into memory from a copy, so that nobody's lock or writing is in the way."""
    if path.is_symlink() or not path.is_file():
        raise CheckFailed(
            looked=f"work/{task}",
            found=f"no {STORE} there",
            expected="the store that the lab laid out, with what you logged",
            hint=f'lab.restart("{task}") lays the start state out anew.',
        )
    if path.stat().st_size > MAX_DATABASE:
        raise _unreadable(name, task, f"more than {MAX_DATABASE >> 20} MB")
    try:
        return sqlread.snapshot(path)
    except sqlite3.Error as error:
        raise _unreadable(name, task, str(error)) from error


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
