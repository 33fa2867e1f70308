"""Start states of lab s4_mlflow: eleven small MLflow stores, each with a folder for its artifacts.

A store is written as rows into the empty one of ``s4_mlflow.sql`` (see ``s4_mlflow_make.py``), so
that nobody waits for an import of MLflow.  Ids and times are fixed.  Artifacts have addresses of
the kind ``mlflow-artifacts:/…``, which the server looks up in the folder beside its database: a
task's folder can be copied anywhere.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from autograder.servers import HEAVY, QUIET
from autograder.starts import start
from autograder.starts.s2_git import ANA, History
from autograder.starts.s2_git import _repository as make_repository

# The notebook imports MLflow after this module, and MLflow reads some of these once.
for _name, _value in QUIET.items():
    os.environ.setdefault(_name, _value)

# What the grader imports once for all kernels that learners' cells run in.
WARM = ("autograder.servers", *HEAVY, "mlflow.sklearn", "skops.io")
EXPERIMENT = "late-flights"
MODEL = "late-flights"
REPO = "flight-delays"
_HERE = Path(__file__).parent
_BEGAN = 1_709_539_200_000  # Monday, 4 March 2024, 08:00 UTC
_HOUR = 3_600_000

RAW_SIGNATURE = json.dumps(
    [
        {"type": kind, "name": name, "required": True}
        for name, kind in {
            "carrier": "string",
            "flight": "long",
            "origin": "string",
            "dest": "string",
            "distance": "long",
            "sched_dep_time": "string",
            "sched_arr_time": "string",
        }.items()
    ]
)


class Tracking:
    """A store being written: experiments, runs, models and their versions, an hour apart.

    ``artifacts`` is the address under which the store's artifacts are known; the files themselves
    go into the folder ``artifacts`` beside the database.
    """

    def __init__(self, folder: Path, artifacts: str = "mlflow-artifacts:") -> None:
        self.folder, self.artifacts = folder, artifacts
        self.path = folder / "mlflow.db"
        self.path.write_bytes(_empty())
        (folder / "artifacts").mkdir()
        self._database = sqlite3.connect(self.path, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("PRAGMA synchronous = OFF")
        self._count = 0

    def experiment(self, name: str = EXPERIMENT) -> int:
        """Add an experiment and return its number."""
        (number,) = self._database.execute("SELECT max(experiment_id) + 1 FROM experiments")
        now = self._now()
        self._add(
            "experiments",
            experiment_id=number[0],
            name=name,
            artifact_location=f"{self.artifacts}/{number[0]}",
            lifecycle_stage="active",
            creation_time=now,
            last_update_time=now,
        )
        return int(number[0])

    def run(
        self,
        name: str,
        *,
        experiment: int = 1,
        status: str = "FINISHED",
        deleted: bool = False,
        params: Mapping[str, Any] | None = None,
        metrics: Mapping[str, float] | None = None,
        tags: Mapping[str, str] | None = None,
        by: str = "ana",
    ) -> str:
        """Add a run and return its id."""
        now, run = self._now(), self._id("run")
        self._add(
            "runs",
            run_uuid=run,
            name=name,
            source_type="UNKNOWN",
            source_name="",
            entry_point_name="",
            user_id=by,
            status=status,
            start_time=now,
            end_time=now + 60_000,
            source_version="",
            lifecycle_stage="deleted" if deleted else "active",
            artifact_uri=f"{self.artifacts}/{experiment}/{run}/artifacts",
            experiment_id=experiment,
        )
        for key, value in (params or {}).items():
            self._add("params", key=key, value=str(value), run_uuid=run)
        for key, value in {"mlflow.runName": name, "mlflow.user": by, **(tags or {})}.items():
            self._add("tags", key=key, value=value, run_uuid=run)
        for key, number in (metrics or {}).items():
            row = {
                "key": key,
                "value": 0.0 if math.isnan(number) else number,
                "is_nan": math.isnan(number),
                "timestamp": now,
                "step": 0,
                "run_uuid": run,
            }
            self._add("metrics", **row)
            self._add("latest_metrics", **row)
        return run

    def model(self, run: str, *, signed: bool = True, experiment: int = 1) -> str:
        """Add a model, logged by a run, and return its id."""
        now, model = self._now(), "m-" + self._id("model")
        location = f"{experiment}/models/{model}/artifacts"
        self._add(
            "logged_models",
            model_id=model,
            experiment_id=experiment,
            name="model",
            artifact_location=f"{self.artifacts}/{location}",
            creation_timestamp_ms=now,
            last_updated_timestamp_ms=now,
            status=2,
            lifecycle_stage="active",
            model_type="",
            source_run_id=run,
        )
        self._add(
            "inputs",
            input_uuid=self._id("output"),
            source_type="RUN_OUTPUT",
            source_id=run,
            destination_type="MODEL_OUTPUT",
            destination_id=model,
            step=0,
        )
        write(self.folder / "artifacts" / location, model_files(model, run, signed=signed))
        return model

    def version(
        self,
        run: str,
        model: str,
        *,
        name: str = MODEL,
        description: str = "",
        tags: Mapping[str, str] | None = None,
    ) -> int:
        """Add a version of a registered model, which is added if it is new; return its number."""
        now = self._now()
        self._database.execute(
            "INSERT OR IGNORE INTO registered_models (name, creation_time, last_updated_time) "
            "VALUES (?, ?, ?)",
            (name, now, now),
        )
        (number,) = self._database.execute(
            "SELECT coalesce(max(version), 0) + 1 FROM model_versions WHERE name = ?", (name,)
        ).fetchone()
        (location,) = self._database.execute(
            "SELECT artifact_location FROM logged_models WHERE model_id = ?", (model,)
        ).fetchone()
        self._add(
            "model_versions",
            name=name,
            version=number,
            creation_time=now,
            last_updated_time=now,
            description=description,
            current_stage="None",
            source=f"models:/{model}",
            run_id=run,
            status="READY",
            storage_location=location,
        )
        for key, value in (tags or {}).items():
            self._add("model_version_tags", name=name, version=number, key=key, value=value)
        return int(number)

    def alias(self, alias: str, version: int, *, name: str = MODEL) -> None:
        """Let an alias name a version."""
        self._add("registered_model_aliases", name=name, alias=alias, version=version)

    def close(self) -> None:
        """Finish writing."""
        self._database.close()

    def _add(self, table: str, **row: Any) -> None:
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        self._database.execute(
            f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(row.values())
        )

    def _now(self) -> int:
        self._count += 1
        return _BEGAN + self._count * _HOUR

    def _id(self, kind: str) -> str:
        self._count += 1
        return hashlib.md5(f"{kind} {self._count}".encode(), usedforsecurity=False).hexdigest()


@contextmanager
def tracking(folder: Path, artifacts: str = "mlflow-artifacts:") -> Iterator[Tracking]:
    """Open a new store in a folder for writing."""
    store = Tracking(folder, artifacts)
    try:
        yield store
    finally:
        store.close()


@functools.cache
def _empty() -> bytes:
    """Return the database file of an empty store."""
    database = sqlite3.connect(":memory:")
    database.executescript((_HERE / "s4_mlflow.sql").read_text("utf-8"))
    return database.serialize()


# --- The small model -----------------------------------------------------------------------------

MODEL_PY = '''\
"""The chance that a flight arrives late, from a raw row of the schedule."""

import json
import math
from datetime import datetime
from pathlib import Path

import mlflow
import pandas as pd
from mlflow.pyfunc import PythonModel


class LateFlights(PythonModel):
    """A logistic regression, as the numbers it adds up."""

    def load_context(self, context):
        self.weights = json.loads(Path(context.artifacts["weights"]).read_text())

    def predict(self, context, model_input: pd.DataFrame, params=None):
        return [self.chance(row) for row in model_input.to_dict("records")]

    def chance(self, row):
        departure = datetime.fromisoformat(row["sched_dep_time"])
        total = self.weights["base"]
        total += self.weights["hour"].get(str(departure.hour), 0.0)
        total += self.weights["weekday"].get(str(departure.weekday()), 0.0)
        total += self.weights["carrier"].get(row["carrier"], 0.0)
        total += self.weights["origin"].get(row["origin"], 0.0)
        return 1 / (1 + math.exp(-total))


mlflow.models.set_model(LateFlights())
'''

_ANAS_LINE = 'Path("/home/ana/flight-delays/weights.json")'


def weights() -> dict[str, Any]:
    """Return the numbers of the small model."""
    return json.loads((_HERE / "s4_mlflow_weights.json").read_text("utf-8"))


def chance(row: Mapping[str, Any]) -> float:
    """Return what the small model must answer for a raw row of the schedule."""
    known, departure = weights(), datetime.fromisoformat(row["sched_dep_time"])
    total = known["base"] + known["hour"].get(str(departure.hour), 0.0)
    total += known["weekday"].get(str(departure.weekday()), 0.0)
    total += known["carrier"].get(row["carrier"], 0.0) + known["origin"].get(row["origin"], 0.0)
    return 1 / (1 + math.exp(-total))


def schedule() -> list[dict[str, Any]]:
    """Return twenty flights of July as a booking system sends them."""
    return json.loads((_HERE / "s4_mlflow_schedule.json").read_text("utf-8"))


def model_files(model: str, run: str, *, signed: bool = True) -> dict[str, str]:
    """Return the files that MLflow would log for the small model."""
    signature = (
        f"signature:\n  inputs: '{RAW_SIGNATURE}'\n"
        '  outputs: \'[{"type": "double", "required": true}]\'\n  params: null\n'
    )
    return {
        "MLmodel": (
            "flavors:\n  python_function:\n    artifacts:\n      weights:\n"
            "        path: artifacts/weights.json\n        uri: weights.json\n"
            "    env:\n      virtualenv: python_env.yaml\n"
            "    loader_module: mlflow.pyfunc.loaders.code_model\n"
            "    model_code_path: model.py\n    streamable: false\n"
            f"mlflow_version: 3.17.2\nmodel_id: {model}\nmodel_uuid: {model}\nrun_id: {run}\n"
            + (signature if signed else "")
            + "utc_time_created: '2024-03-04 08:00:00.000000'\n"
        ),
        "model.py": MODEL_PY,
        "artifacts/weights.json": (_HERE / "s4_mlflow_weights.json").read_text("utf-8"),
        "requirements.txt": "mlflow\n",
        "python_env.yaml": "python: 3.12.0\ndependencies:\n- -r requirements.txt\n",
    }


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write text files into a folder."""
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode())


# --- The tasks -----------------------------------------------------------------------------------


@start("1-server")
def server(folder: Path) -> None:
    """An empty store."""
    with tracking(folder):
        pass


@start("2-story")
def story(folder: Path) -> None:
    """A store with an experiment and no run."""
    with tracking(folder) as store:
        store.experiment()


@start("3-autolog")
def autolog(folder: Path) -> None:
    """A store with an experiment and no run."""
    with tracking(folder) as store:
        store.experiment()


#: Ana's runs: name, status, deleted, valid_auc, tags.  Four of the best cannot be trusted.
ANAS_RUNS: list[tuple[str, str, bool, float | None, dict[str, str]]] = [
    ("trees-100", "FINISHED", False, 0.6712, {}),
    ("trees-300", "FINISHED", False, 0.7034, {}),
    ("trees-with-delay", "FINISHED", False, 0.9127, {"leak": "yes"}),
    ("linear", "FINISHED", False, 0.6841, {}),
    ("linear-all-months", "FINISHED", False, 0.7291, {"leak": "yes"}),
    ("forest", "FAILED", False, 0.7466, {}),
    ("forest-again", "KILLED", False, 0.7205, {}),
    ("typo", "FINISHED", True, 0.7813, {}),
    ("no-score", "FINISHED", False, None, {}),
    ("divided-by-zero", "FINISHED", False, math.nan, {}),
    ("trees-200", "FINISHED", False, 0.6958, {"leak": "no"}),
]


@start("4-search")
def search(folder: Path) -> None:
    """A store with Ana's runs, good and bad."""
    with tracking(folder) as store:
        store.experiment()
        write_runs(store, ANAS_RUNS)


def write_runs(
    store: Tracking, runs: list[tuple[str, str, bool, float | None, dict[str, str]]]
) -> list[str]:
    """Write runs with their ``valid_auc`` and return their ids."""
    return [
        store.run(
            name,
            status=status,
            deleted=deleted,
            metrics={} if auc is None else {"valid_auc": auc},
            tags=tags,
        )
        for name, status, deleted, auc, tags in runs
    ]


@start("5-model")
def model(folder: Path) -> None:
    """A store with an experiment and no run."""
    with tracking(folder) as store:
        store.experiment()


@start("6-promote")
def promote(folder: Path) -> None:
    """A registered model with four versions; version 1 is the champion."""
    with tracking(folder) as store:
        store.experiment()
        for name, auc, signed in (
            ("linear", 0.6846, True),
            ("linear-hours", 0.6935, True),
            ("trees", 0.7412, False),
            ("linear-distance", 0.6617, True),
        ):
            run = store.run(name, metrics={"valid_auc": auc})
            store.version(run, store.model(run, signed=signed), description=f"Ana's {name}")
        store.alias("champion", 1)


@start("7-raw")
def raw(folder: Path) -> None:
    """A store with an experiment, and flights as the booking system sends them."""
    with tracking(folder) as store:
        store.experiment()
    write(folder, {"schedule.json": _schedule_text()})


_TRAIN_PY = '''\
"""Train a classifier of late flights and say how well it ranks July."""

import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

CATEGORIES = ["carrier", "origin", "dest", "weekday", "hour"]
NUMBERS = ["distance", "sched_duration"]

train = pd.read_csv("/home/ana/flight-delays/data/train.csv")
valid = pd.read_csv("/home/ana/flight-delays/data/valid.csv")

model = make_pipeline(
    make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), CATEGORIES),
        (StandardScaler(), NUMBERS),
    ),
    SGDClassifier(loss="log_loss", alpha=0.001, max_iter=20, tol=None),
)
model.fit(train, train["late"])

valid_auc = roc_auc_score(valid["late"], model.predict_proba(valid)[:, 1])
print(f"valid_auc {valid_auc:.4f}")
'''


@start("8-project")
def project(folder: Path) -> None:
    """A store, and Ana's script with its data: it runs on her machine only."""
    with tracking(folder) as store:
        store.experiment()
    write(folder / "project", {"train.py": _TRAIN_PY, **_data()})


@start("9-serve")
def serve(folder: Path) -> None:
    """A store, Ana's model as code with its weights, and flights to predict."""
    with tracking(folder) as store:
        store.experiment()
    anas = MODEL_PY.replace('Path(context.artifacts["weights"])', _ANAS_LINE)
    weighed = (_HERE / "s4_mlflow_weights.json").read_text("utf-8")
    write(
        folder,
        {"model.py": anas, "weights.json": weighed, "schedule.json": _schedule_text()},
    )


_LINEAGE_PY = (
    _TRAIN_PY.replace("/home/ana/flight-delays/", "")
    .replace("import pandas as pd\n", "import mlflow\nimport pandas as pd\n")
    .replace("tol=None)", "tol=None, random_state=1)")
    .replace(
        'print(f"valid_auc {valid_auc:.4f}")\n',
        'mlflow.set_experiment("late-flights")\n'
        'with mlflow.start_run(run_name="train.py"):\n'
        '    mlflow.log_metric("valid_auc", valid_auc)\n'
        "    mlflow.sklearn.log_model(\n"
        '        model, name="model", pip_requirements=["scikit-learn"], '
        "input_example=train.head(3)\n    )\n",
    )
)


@start("10-lineage")
def lineage(folder: Path) -> None:
    """A store and a Git repository: a script that logs a model, and its data."""
    with tracking(folder) as store:
        store.experiment()
    history = History()
    history.commit("Add a sample of flights", _data(), by=ANA)
    history.commit("Train and log a model", {"train.py": _LINEAGE_PY}, by=ANA)
    make_repository(folder / REPO, history)


@start("11-rollback")
def rollback(folder: Path) -> None:
    """A registered model whose newest version went wrong in production."""
    with tracking(folder) as store:
        store.experiment()
        for name, auc, tags in (
            ("linear", 0.6712, {"validation": "passed"}),
            ("linear-hours", 0.6846, {"validation": "passed"}),
            ("trees", 0.6935, {"validation": "failed"}),
            ("trees-300", 0.6981, {"validation": "skipped", "live_auc": "0.553"}),
        ):
            run = store.run(name, metrics={"valid_auc": auc})
            store.version(run, store.model(run), description=f"Ana's {name}", tags=tags)
        store.alias("champion", 4)


def _data() -> dict[str, Any]:
    return {
        f"data/{name}.csv": (_HERE / f"s4_mlflow_{name}.csv").read_text("utf-8")
        for name in ("train", "valid")
    }


def _schedule_text() -> str:
    return (_HERE / "s4_mlflow_schedule.json").read_text("utf-8")
