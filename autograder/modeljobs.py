"""Inside the room of `autograder.modelroom`: the jobs it does on what learners made.

Every job runs in a process of its own, in the folder of copies that it was given.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder import sandbox


def do(place: str) -> None:
    """Do the job that lies in a folder, and leave its outcome there."""
    folder = Path(place)
    request = json.loads(Path("request.json").read_text("utf-8"))
    sys.path.insert(0, place)
    outcome: dict[str, Any] = {}
    try:
        outcome["value"] = _JOBS[request["kind"]](folder, request)
    except BaseException as error:
        first = (str(error).strip().splitlines() or [""])[0]
        outcome["problem"] = f"{type(error).__name__}: {first}"[:300]
    (folder / "result.json").write_text(json.dumps(outcome, default=str), "utf-8")


@dataclass
class _Warm:
    """A place where the first process of the room has had a store, and the store's revision.

    SQLAlchemy remembers by engine what it has made of a query, MLflow by address which stores it
    has opened: half of what the first question to a store takes.  So jobs bring theirs to this
    place.  They run in forks, one at a time, and what one leaves there is gone before the next.
    """

    place: Path
    revision: str

    @property
    def address(self) -> str:
        return f"sqlite:///{self.place / 'mlflow.db'}"


_warm: _Warm | None = None


def parent_ready() -> None:
    """Work with an empty store once, for all jobs to come."""
    global _warm
    warm = _Warm(Path(tempfile.mkdtemp(prefix="store-")), "")
    try:
        import mlflow

        client = mlflow.MlflowClient(warm.address, warm.address)
        _rehearse(client)
        warm.revision = _revision(warm.place / "mlflow.db")
        client._tracking_client.store.engine.dispose()
        client._get_registry_client().store.engine.dispose()
        _warm = warm
    finally:
        shutil.rmtree(warm.place)


def _rehearse(client: Any) -> None:
    """Ask a store for what checks and learners' functions ask for."""
    experiment = client.create_experiment("x")
    run = client.create_run(experiment).info.run_id
    client.log_param(run, "x", "1")
    client.log_metric(run, "x", 1.0, step=1)
    client.set_tag(run, "x", "1")
    client.set_terminated(run)
    client.get_run(run)
    client.get_metric_history(run, "x")
    client.get_experiment_by_name("x")
    client.search_runs([experiment], "tags.x = '1'", order_by=["metrics.x DESC"])
    client.create_registered_model("x")
    client.create_model_version("x", "file:///x", run)
    client.set_registered_model_alias("x", "a", "1")
    client.set_model_version_tag("x", "1", "x", "1")
    client.get_model_version_by_alias("x", "a")
    client.get_model_version("x", "1")
    client.search_registered_models("name = 'x'")
    _contents(client)
    client.delete_registered_model_alias("x", "a")


def _revision(database: Path) -> str:
    """Return the revision of a store; raises sqlite3.Error if the database is none."""
    with contextlib.closing(sqlite3.connect(database)) as there:
        # MLflow would lay its tables out in any database, and find nothing in them.
        there.execute("SELECT count(*) FROM runs").fetchone()
        return str(there.execute("SELECT version_num FROM alembic_version").fetchone()[0])


@contextlib.contextmanager
def _store(folder: Path) -> Iterator[str]:
    """Yield the address of the store in a job's folder; it is back there at the end.

    Raises sqlite3.Error for a database that is no store.
    """
    there = folder / "mlflow.db"
    if _warm is None or not there.exists() or _revision(there) != _warm.revision:
        # MLflow has its own words for one of another release.
        yield f"sqlite:///{there}"
        return
    # Without walls nobody else clears away what a job that was stopped has left there.
    shutil.rmtree(_warm.place, ignore_errors=True)
    _warm.place.mkdir()
    for part in folder.glob("mlflow.db*"):
        # A copy: a job that is ended half way leaves the store as it was.
        shutil.copy(part, _warm.place / part.name)
    try:
        yield _warm.address
    finally:
        for part in _warm.place.glob("mlflow.db*"):
            shutil.copy(part, folder / part.name)
        shutil.rmtree(_warm.place)


def _read(folder: Path, request: dict[str, Any]) -> Any:
    """Tell what a store holds.

    If ``history`` names a run and a metric, only its steps and values; if ``aliases`` names a
    registered model, only the version behind each of its aliases.
    """
    import mlflow

    with _store(folder) as store:
        client = mlflow.MlflowClient(store, store)
        if asked := request.get("history"):
            # Of a step that was logged twice, the later value is the last.
            found = sorted(client.get_metric_history(*asked), key=lambda m: (m.step, m.timestamp))
            return [[m.step, m.value] for m in found]
        if asked := request.get("aliases"):
            found = client.search_registered_models(f"name = '{asked}'")
            return {a: int(v) for model in found for a, v in model.aliases.items()}
        return _contents(client)


def _contents(client: Any) -> dict[str, Any]:
    """Return a store's contents as plain data: lists of what MLflow calls entities."""
    from mlflow.entities import ViewType

    experiments = list(_pages(client.search_experiments, view_type=ViewType.ALL))
    within = [e.experiment_id for e in experiments]
    return {
        "experiments": [
            {"id": e.experiment_id, "name": e.name, "location": e.artifact_location}
            for e in experiments
            if e.lifecycle_stage == "active"
        ],
        "runs": [_run_facts(r) for r in _pages(client.search_runs, experiment_ids=within)],
        "models": [
            {
                "id": m.model_id,
                "name": m.name,
                "run": m.source_run_id,
                "location": m.artifact_location,
                "created": m.creation_timestamp,
            }
            for m in _pages(client.search_logged_models, experiment_ids=within)
        ],
        "registered": {
            m.name: {name: int(v) for name, v in m.aliases.items()}
            for m in _pages(client.search_registered_models)
        },
        "versions": [
            {
                "model": v.name,
                "number": int(v.version),
                "source": v.source,
                "run": v.run_id,
                "location": client.get_model_version_download_uri(v.name, v.version),
                "status": v.status,
                "description": v.description,
                "tags": v.tags,
            }
            for v in _pages(client.search_model_versions)
        ],
    }


def _run_facts(run: Any) -> dict[str, Any]:
    info, data = run.info, run.data
    return {
        "id": info.run_id,
        "name": info.run_name,
        "status": info.status,
        "experiment": info.experiment_id,
        "started": info.start_time,
        "ended": info.end_time,
        "artifacts": info.artifact_uri,
        "params": data.params,
        "metrics": data.metrics,
        "tags": data.tags,
        "inputs": [
            {
                "name": i.dataset.name,
                "digest": i.dataset.digest,
                "context": {t.key: t.value for t in i.tags}.get("mlflow.data.context"),
                "profile": i.dataset.profile,
                "schema": i.dataset.schema,
                "source": i.dataset.source,
            }
            for i in run.inputs.dataset_inputs
        ],
    }


def _pages(search: Callable[..., Any], **asked: Any) -> Iterator[Any]:
    token = None
    while True:
        page = search(**asked, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _predict(folder: Path, request: dict[str, Any]) -> dict[str, Any]:
    """Load a model and ask it for every frame; ``singly`` asks for some rows one by one."""
    import mlflow
    import pandas as pd

    # Before anything of the learner's runs: what is asked is what was brought.
    frames = {path.name: pd.read_parquet(path) for path in sorted(folder.glob("frames/*"))}
    model = mlflow.pyfunc.load_model(str(folder / "model"))
    answers: dict[str, Any] = {}
    for name, frame in frames.items():
        if name in request.get("singly", ()):
            rows = [frame.iloc[[i]] for i in range(len(frame))]
            answers[name] = [_numbers(model.predict(row))[0] for row in rows]
        else:
            answers[name] = _numbers(model.predict(frame))
    return answers


def _numbers(answer: Any) -> list[float]:
    """Return one number a row: of two columns (late or not) the last."""
    import numpy as np

    values = np.asarray(answer, dtype=float)
    return (values if values.ndim < 2 else values[:, -1]).tolist()


def _call(folder: Path, request: dict[str, Any]) -> Any:
    """Call a function of a learner's file; ``{store}`` is the address of a copied store."""
    with _store(folder) as store:
        return _called(folder, request, store)


def _called(folder: Path, request: dict[str, Any], store: str) -> Any:
    import importlib.util

    import mlflow

    mlflow.set_tracking_uri(store)
    mlflow.set_registry_uri(store)
    os.environ["MLFLOW_TRACKING_URI"] = store
    file = folder / request["file"]
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    given = {"{store}": store, "{client}": mlflow.MlflowClient(store, store)}
    answer = getattr(module, request["function"])(*(given.get(a, a) for a in request["given"]))
    return answer if isinstance(answer, str | int | float | bool | None) else str(answer)[:300]


def _run(folder: Path, request: dict[str, Any]) -> str:
    """Run a project's command in its folder, Python scripts without importing MLflow anew."""
    with _store(folder) as store:
        return _ran(folder, request, store)


def _ran(folder: Path, request: dict[str, Any], store: str) -> str:
    import runpy

    os.environ["MLFLOW_TRACKING_URI"] = store
    os.chdir(folder / "project")
    words = request["command"]
    if words[0] in ("python", "python3") and words[1].endswith(".py"):
        sys.argv = words[1:]
        sys.path[0] = str(folder / "project")
        with contextlib.suppress(SystemExit):
            runpy.run_path(words[1], run_name="__main__")
        return "ended"
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL)
    return "ended"


def _serve(folder: Path, request: dict[str, Any]) -> dict[str, Any]:
    """Serve a model as ``mlflow models serve`` does, and post one request to it over HTTP."""
    import http.client

    import mlflow
    import uvicorn
    from mlflow.pyfunc import scoring_server

    app = scoring_server.init(mlflow.pyfunc.load_model(str(folder / "model")))
    port = sandbox.free_port()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="critical"))
    threading.Thread(target=server.run, daemon=True).start()
    body, kind = json.dumps(request["payload"]), {"Content-Type": "application/json"}
    for _ in range(400):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            connection.request("POST", "/invocations", body, kind)
            answer = connection.getresponse()
            return {"status": answer.status, "body": answer.read().decode()}
        except ConnectionRefusedError:
            time.sleep(0.02)
    raise ConnectionRefusedError("the server did not come up")


_JOBS = {"read": _read, "predict": _predict, "call": _call, "run": _run, "serve": _serve}
