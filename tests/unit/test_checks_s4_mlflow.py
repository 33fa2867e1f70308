"""Lab s4_mlflow: start states that MLflow believes, and evidence that is broken or hostile."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from autograder import modelroom
from autograder.checks import checks_of
from autograder.lab import Lab
from autograder.mlstore import open_store
from autograder.results import Status
from autograder.starts import starts_of
from autograder.starts.s4_mlflow import chance, model_files, schedule, tracking, write
from autograder.verdict import CheckFailed

CHECKS = checks_of("s4_mlflow")
FOLDERS = {int(folder.partition("-")[0]): folder for folder in starts_of("s4_mlflow")}
HERE = Path(__file__).parents[2] / "autograder" / "starts"


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lab") / "s4_mlflow"
    folder.mkdir()
    return Lab("s4_mlflow", folder).work


@pytest.fixture
def task(pristine: Path, tmp_path: Path) -> Callable[[int], Path]:
    """Give a copy of a task's start state, to break."""

    def copy(number: int) -> Path:
        name = FOLDERS[number]
        return Path(shutil.copytree(pristine / name, tmp_path / "work" / name))

    return copy


def says(name: str, folder: Path) -> str:
    """Judge evidence that cannot pass, and return on one line what the check says."""
    verdict = CHECKS[name].judge(folder)
    text = verdict.text()
    lines = dict(verdict.lines)
    assert verdict.status is Status.FAILED, text
    assert all(lines[part].strip() for part in ("Looked at", "Found", "Expected", "Try"))
    assert "something this check cannot read" not in text, text
    assert max(map(len, text.splitlines())) <= 84
    return " ".join(text.split())


def execute(folder: Path, *statements: str) -> None:
    with sqlite3.connect(folder / "mlflow.db") as database:
        for statement in statements:
            database.execute(statement)
    database.close()


# Start states


def test_mlflow_finds_what_the_start_states_say(pristine: Path) -> None:
    import mlflow

    store = f"sqlite:///{pristine / '11-rollback' / 'mlflow.db'}"
    client = mlflow.MlflowClient(store, store)
    assert client.get_model_version_by_alias("late-flights", "champion").version in (4, "4")
    versions = client.search_model_versions("name = 'late-flights'")
    passed = [int(v.version) for v in versions if v.tags["validation"] == "passed"]
    assert sorted(passed) == [1, 2]
    scores = [client.get_run(v.run_id).data.metrics["valid_auc"] for v in versions]
    assert len(set(scores)) == 4


def test_the_files_are_what_the_installed_mlflow_makes() -> None:
    from autograder.starts.s4_mlflow_make import empty_store, schedule, weights

    for name, text in (("sql", empty_store()), ("weights", weights()), ("schedule", schedule())):
        path = HERE / ("s4_mlflow.sql" if name == "sql" else f"s4_mlflow_{name}.json")
        again = "python -m autograder.starts.s4_mlflow_make makes it anew"
        assert path.read_text("utf-8") == text, again


def test_nothing_is_done_at_the_start(pristine: Path) -> None:
    for check in CHECKS.values():
        verdict = check.judge(pristine / FOLDERS[check.task])
        assert verdict.status is Status.FAILED, verdict.text()


def test_checks_of_files_answer_within_a_second(pristine: Path) -> None:
    slow = {}
    for check in CHECKS.values():
        began = time.process_time()
        check.judge(pristine / FOLDERS[check.task])
        slow[check.name] = time.process_time() - began
    assert max(slow.values()) < 1, slow


# Broken stores


def test_a_damaged_database(task: Callable[[int], Path]) -> None:
    folder = task(1)
    (folder / "mlflow.db").write_bytes(b"SQLite format 3\0" + os.urandom(5000))
    text = says("run_logged", folder)
    assert "cannot be read" in text and 'lab.restart("1-server")' in text


def test_no_database(task: Callable[[int], Path]) -> None:
    folder = task(1)
    (folder / "mlflow.db").unlink()
    assert "no mlflow.db there" in says("experiment_made", folder)
    (folder / "mlflow.db").symlink_to("/etc/passwd")
    assert "no mlflow.db there" in says("experiment_made", folder)


def test_a_database_with_other_tables(task: Callable[[int], Path]) -> None:
    folder = task(1)
    execute(folder, "DROP TABLE experiments")
    assert "cannot be read" in says("experiment_made", folder)


def test_a_view_that_never_ends(task: Callable[[int], Path]) -> None:
    folder = task(2)
    execute(
        folder,
        "ALTER TABLE runs RENAME TO real_runs",
        "CREATE VIEW runs AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
        "SELECT i AS run_uuid, i AS name, 'FINISHED' AS status, 1 AS experiment_id, "
        "1 AS start_time, 1 AS end_time, '' AS artifact_uri, 'active' AS lifecycle_stage FROM n",
    )
    began = time.monotonic()
    assert "cannot be read" in says("metric_steps", folder)
    assert time.monotonic() - began < 40


def test_values_without_end(task: Callable[[int], Path]) -> None:
    folder = task(2)
    execute(
        folder,
        "ALTER TABLE params RENAME TO real_params",
        "CREATE TABLE params (run_uuid TEXT, key TEXT, "
        "value TEXT GENERATED ALWAYS AS (hex(zeroblob(1500000))) VIRTUAL)",
        *["INSERT INTO params (run_uuid, key) VALUES ('x', 'y')"] * 300,
        "INSERT INTO runs (run_uuid, name, status, start_time, lifecycle_stage, artifact_uri, "
        "experiment_id, user_id) VALUES ('x', 'x', 'FINISHED', 1, 'active', '', 1, '')",
    )
    began = time.monotonic()
    assert "history of valid_auc in run x" in says("metric_steps", folder)
    assert time.monotonic() - began < 40


def test_a_database_that_a_server_holds(task: Callable[[int], Path]) -> None:
    """A lock is in nobody's way: the check reads a copy."""
    folder = task(11)
    with sqlite3.connect(folder / "mlflow.db", isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert "champion on version 4" in says("rolled_back", folder)


@pytest.mark.parametrize(
    "source",
    ["file:///etc", "../../../../etc", "mlflow-artifacts:/../../../etc", "runs:/x/../..", "/"],
)
def test_addresses_lead_nowhere_outside(task: Callable[[int], Path], source: str) -> None:
    folder = task(11)
    execute(
        folder,
        f"UPDATE model_versions SET source = '{source}', storage_location = '{source}'",
    )
    store = open_store(folder)
    for version in store.versions("late-flights").values():
        place = store.artifact_folder(version)
        assert place is None or place.resolve().is_relative_to(folder.resolve())


# Hostile models: what they try, they try in the room


def registered(folder: Path, files: dict[str, str | bytes]) -> Path:
    """Put files in the place of the champion's, and return that place."""
    shutil.rmtree(folder)
    folder.mkdir()
    with tracking(folder) as store:
        store.experiment()
        run = store.run("x", metrics={"valid_auc": 0.69})
        model = store.model(run)
        store.version(run, model)
        store.alias("champion", 1)
    place = folder / "artifacts" / "1" / "models" / model / "artifacts"
    for name, content in files.items():
        (place / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return place


class _Opens:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.write_text, (self.path, "unpickled"))


def test_nothing_is_unpickled_here(task: Callable[[int], Path], tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    mlmodel = (
        "flavors:\n  python_function:\n    cloudpickle_version: 3.0.0\n"
        "    loader_module: mlflow.pyfunc.model\n    python_model: python_model.pkl\n"
        "    env: {virtualenv: python_env.yaml}\n"
    )
    folder = task(5)
    registered(folder, {"MLmodel": mlmodel, "python_model.pkl": pickle.dumps(_Opens(trace))})
    says("model_ranks", folder)
    assert not trace.exists()


def test_its_code_reaches_nothing(task: Callable[[int], Path], tmp_path: Path) -> None:
    """It runs where this folder, the network and the flights are not."""
    secret = tmp_path / "secret"
    secret.write_text("hidden")
    code = f"""
import socket, sys
from pathlib import Path
found = []
for name, attempt in {{
    "read": lambda: Path({str(secret)!r}).read_text(),
    "wrote": lambda: Path({str(tmp_path / "trace")!r}).write_text("x"),
    "passwd": lambda: Path("/etc/passwd").read_text(),
    "net": lambda: socket.create_connection(("1.1.1.1", 80), 2),
    "flights": lambda: __import__("flights").load_flights(months=[8]).shape,
}}.items():
    try:
        attempt()
        found.append(name)
    except Exception:
        pass
raise SystemExit("reached: " + " ".join(found))
"""
    folder = task(9)
    registered(folder, {"model.py": code})
    assert "SystemExit: reached: Expected" in says("serves_elsewhere", folder)
    assert not (tmp_path / "trace").exists()


def test_links_are_not_followed(task: Callable[[int], Path]) -> None:
    folder = task(9)
    place = registered(folder, {})
    (place / "artifacts" / "weights.json").unlink()
    (place / "artifacts" / "weights.json").symlink_to("/etc/hostname")
    assert "is a link" in says("serves_elsewhere", folder)


def test_a_model_of_many_files(task: Callable[[int], Path]) -> None:
    folder = task(9)
    place = registered(folder, {})
    for n in range(modelroom.MAX_FILES + 1):
        (place / f"{n}.txt").touch()
    assert "more than" in says("serves_elsewhere", folder)


def work(tmp_path: Path, code: str, seconds: float = 20) -> modelroom.Done:
    (tmp_path / "best.py").write_text(f"def best_run(uri):\n    {code}\n")
    return modelroom.work(
        "call",
        files={"best.py": tmp_path / "best.py"},
        seconds=seconds,
        file="best.py",
        function="best_run",
        given=["{store}"],
    )


def test_a_job_without_end_ends_alone(tmp_path: Path) -> None:
    assert work(tmp_path, "while True: pass", seconds=1).problem == "it did not end within 1 s"
    assert work(tmp_path, "return 'here'").value == "here"


def test_what_a_job_leaves_behind_is_gone_before_the_next(tmp_path: Path) -> None:
    leave = "import subprocess; open('/tmp/left', 'w'); subprocess.Popen(['sleep', '77'])"
    assert work(tmp_path, leave).problem == ""
    look = (
        "import os; from pathlib import Path; "
        "return [p.name for p in Path('/tmp').iterdir() if p.name == 'left'] + ["
        "c for p in Path('/proc').glob('[0-9]*/cmdline') if 'sleep\\x0077' in (c := p.read_text())]"
    )
    assert work(tmp_path, look).value == "[]"


def test_a_job_cannot_end_or_touch_the_room(tmp_path: Path) -> None:
    attack = (
        "import os; [os.kill(int(p), 9) for p in os.listdir('/proc') "
        "if p.isdigit() and int(p) not in (1, os.getpid())]"
    )
    work(tmp_path, attack)
    assert work(tmp_path, "return 'still here'").value == "still here"
    peek = "import os; return open(f'/proc/{os.getppid()}/mem', 'rb').read(1)"
    assert "Error" in work(tmp_path, peek).problem


def test_a_room_that_ended_opens_again_around_what_a_job_left() -> None:
    def look(folder: Path) -> str:
        modelroom._room().warm.stop()
        assert modelroom.work("call", files={}).problem.startswith("KeyError")
        return (folder / "evidence").read_text()

    assert modelroom.work("call", files={"evidence": "kept"}, look=look).seen == "kept"


def test_a_job_that_forges_its_result_gains_its_own_answer_only(tmp_path: Path) -> None:
    forged = (
        "import json, os; from pathlib import Path; "
        "Path('result.json').write_text(json.dumps({'value': ['a', 1]})); os._exit(0)"
    )
    assert work(tmp_path, forged).value == ["a", 1]


# Hostile projects


def project(folder: Path, mlproject: str, train: str) -> None:
    write(folder / "project", {"MLproject": mlproject, "train.py": train})
    with sqlite3.connect(folder / "mlflow.db") as database:
        run = "a" * 32
        database.execute(
            "INSERT INTO runs (run_uuid, name, status, start_time, end_time, lifecycle_stage, "
            "artifact_uri, experiment_id, user_id) "
            "VALUES (?, 'x', 'FINISHED', 1, 2, 'active', '', 1, '')",
            (run,),
        )
        database.execute("INSERT INTO tags VALUES ('mlflow.project.entryPoint', 'main', ?)", (run,))
        database.execute(
            "INSERT INTO params (key, value, run_uuid) VALUES ('a', '$(id)', ?)", (run,)
        )
        database.execute(
            "INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid) "
            "VALUES ('valid_auc', 0.67, 1, 0, 0, ?)",
            (run,),
        )
    database.close()


def test_a_projects_command_runs_in_the_room(task: Callable[[int], Path], tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    folder = task(8)
    main = (
        "name: x\nentry_points:\n  main:\n    command: \"sh -c 'echo {a} > " + str(trace) + "'\"\n"
    )
    project(folder, main, "")
    text = says("rerun_agrees", folder)
    assert "CalledProcessError" in text
    assert not trace.exists()


def test_a_description_that_would_run_code(task: Callable[[int], Path]) -> None:
    folder = task(8)
    project(folder, "!!python/object/apply:os.system ['exit']", "")
    assert "no such file, or not YAML" in says("rerun_agrees", folder)
    project_yaml = "a: &a [x, x]\nb: &b [*a, *a]\nentry_points: [*b, *b]\n"
    (folder / "project" / "MLproject").write_text(project_yaml)
    assert "no such file, or not YAML" in says("project_pinned", folder)
    deep = f"a: {'[' * 50_000}{']' * 50_000}\n"
    (folder / "project" / "MLproject").write_text(deep)
    assert "no such file, or not YAML" in says("project_pinned", folder)


# What an honest model must not lose


def test_the_small_model_answers_as_it_should(pristine: Path) -> None:
    files = model_files("m-" + "0" * 32, "1" * 32)
    done = modelroom.work(
        "predict",
        files={
            "frames/all": modelroom.packed(pd.DataFrame(schedule())),
            **{f"model/{name}": text for name, text in files.items()},
        },
    )
    assert done.problem == ""
    assert done.value["all"] == pytest.approx([chance(row) for row in schedule()])


def test_a_file_that_is_no_json_is_no_answer(task: Callable[[int], Path]) -> None:
    folder = task(9)
    (folder / "answers.json").write_text("[" * 100_000)
    assert "0 numbers" in says("answers_saved", folder)
    (folder / "answers.json").write_text(json.dumps({"predictions": ["x"] * 20}))
    says("answers_saved", folder)


def test_an_unreadable_store_is_reported_as_such(tmp_path: Path) -> None:
    with pytest.raises(CheckFailed):
        open_store(tmp_path)
