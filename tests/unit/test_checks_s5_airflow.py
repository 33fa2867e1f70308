"""Lab s5_airflow: the simulated service, and DAGs that misbehave while they are read or run."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from autograder.checks import _s5_airflow as shared
from autograder.checks import checks_of
from autograder.flow import client, up, waiting
from autograder.flow.source import COLUMNS, PER_AIRPORT, Behaviour, as_csv, rows_of
from autograder.results import Status
from autograder.starts import starts_of

pytestmark = pytest.mark.xdist_group("s5_airflow")


def test_a_month_has_the_same_flights_for_everybody() -> None:
    rows = rows_of("2013-03")
    assert rows == rows_of("2013-03")
    assert len(rows) == 3 * PER_AIRPORT
    assert {row["date"][:7] for row in rows} == {"2013-03"}
    assert as_csv(rows).splitlines()[0] == ",".join(COLUMNS)


@pytest.mark.parametrize("how", ["distance", "carrier", "month", "twice"])
def test_a_broken_month_differs(how: str) -> None:
    assert rows_of("2013-05", Behaviour(broken={"2013-05": how})) != rows_of("2013-05")


@pytest.mark.parametrize("month", ["2026-11", "2013-13", "x", ""])
def test_there_are_no_other_months(month: str) -> None:
    with pytest.raises(ValueError):
        rows_of(month)


def test_rows_are_the_same_in_any_order_and_type() -> None:
    rows = rows_of("2013-01")
    assert shared.same_rows([{k: str(v) for k, v in row.items()} for row in rows[::-1]], rows)
    assert not shared.same_rows(rows[:-1], rows)
    assert not shared.same_rows("no list", rows)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "1-import"
    folder.mkdir()
    starts_of("s5_airflow")["1-import"](folder)
    return folder


def _judge(project: Path, dag: str, name: str = "task_fetches") -> str:
    (project / "dags" / "flight_delays.py").write_text(dag)
    verdict = checks_of("s5_airflow")[name].judge(project)
    assert verdict.status is Status.FAILED
    return verdict.text()


def _dag(body: str, top: str = "") -> str:
    lines = "\n".join(f"        {line}" for line in body.splitlines())
    return (
        f"import os, time\nfrom airflow.sdk import dag, task\n{top}\n@dag()\n"
        f"def flight_delays():\n    @task\n    def extract():\n{lines}\n    extract()\n"
        "flight_delays()\n"
    )


def _beneath() -> set[int]:
    return {p.pid for p in psutil.Process().children(recursive=True)}


@pytest.fixture(scope="module", autouse=True)
def service() -> Iterator[None]:
    client.start()
    yield
    if client._service is not None:
        client._service.close()
        client._service = None


def test_a_missing_file_is_named(project: Path) -> None:
    (project / "dags" / "flight_delays.py").unlink()
    verdict = checks_of("s5_airflow")["task_fetches"].judge(project)
    assert "no dags/flight_delays.py" in verdict.found


def test_reading_that_takes_for_ever_is_stopped(project: Path) -> None:
    began = time.monotonic()
    assert "was stopped after 10 s" in _judge(project, _dag("pass", "time.sleep(60)"))
    assert time.monotonic() - began < 90


def test_processes_of_a_task_end_with_it(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Airflow waits for them, a minute at most; that is not what is tested here.
    ask = client._Service.ask
    monkeypatch.setattr(
        client._Service, "ask", lambda self, request: ask(self, {**request, "seconds": 10})
    )
    _judge(project, _dag("pass"))  # the service is warm, and has its own processes
    before = _beneath()
    body = (
        "for _ in range(5):\n    if os.fork() == 0:\n        os.setsid()\n        time.sleep(300)"
    )
    _judge(project, _dag(body))
    assert _beneath() == before


def test_a_task_that_ends_its_process_is_a_failed_task(project: Path) -> None:
    assert "extract failed" in _judge(project, _dag("os._exit(0)"))


def test_the_next_request_is_untouched_by_one_that_removes_the_database(project: Path) -> None:
    body = "import glob\nfor f in glob.glob('/flow/f/run/airflow.db*'):\n    os.unlink(f)"
    said = " ".join(_judge(project, _dag(body)).split())
    assert "Permission denied: '/flow/f/run/airflow.db'" in said
    assert "raw/" in _judge(project, _dag("pass"))


def test_without_the_wall_a_database_that_is_gone_is_told(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Older kernels have no Landlock."""
    ask = client._Service.ask
    monkeypatch.setattr(
        client._Service, "ask", lambda self, request: ask(self, {**request, "landlock": False})
    )
    body = "import glob\nfor f in glob.glob('/flow/f/run/airflow.db*'):\n    os.unlink(f)"
    assert "database was removed" in _judge(project, _dag(body))
    assert "raw/" in _judge(project, _dag("pass"))


_REWRITE = """import glob, sqlite3
for file in ("/flow/f/run/airflow.db", *glob.glob("/flow/f/run/logs/*")):
    try:
        open(file, "ab").close()
        raise SystemExit(f"can write {file}")
    except OSError:
        pass
try:
    with sqlite3.connect("/flow/f/run/airflow.db") as database:
        database.execute("UPDATE task_instance SET state = 'success', try_number = 3")
except sqlite3.OperationalError as error:
    raise ValueError(f"refused: {error}")"""


@pytest.mark.parametrize("where", ["read", "task"])
def test_a_dag_cannot_rewrite_what_airflow_records(project: Path, where: str) -> None:
    dag = _dag("pass", _REWRITE) if where == "read" else _dag(_REWRITE)
    assert "refused: attempt to write a readonly database" in " ".join(_judge(project, dag).split())


def test_the_same_question_is_answered_once(project: Path) -> None:
    first = shared.perform(project, [{"do": "run", "month": "2013-01"}]).facts
    began = time.monotonic()
    assert shared.perform(project, [{"do": "run", "month": "2013-01"}]).facts == first
    assert time.monotonic() - began < 1


# 11 · The backfill: what a real Airflow leaves, here laid out by hand.

HALF_YEAR = [f"2013-{m:02}" for m in range(1, 7)]
TABLES = """
CREATE TABLE dag_run (id INTEGER PRIMARY KEY, dag_id, data_interval_start, run_type, state,
                      backfill_id);
CREATE TABLE backfill (id INTEGER PRIMARY KEY, dag_id, from_date, to_date);
"""


class Left:
    """A task's folder with a metadata database and a lake."""

    def __init__(self, task: Path) -> None:
        self.task, self.path = task, task / "airflow" / "airflow.db"
        self.path.parent.mkdir()
        with sqlite3.connect(self.path) as database:
            database.executescript(TABLES)

    def asked(self, number: int, first: str, last: str) -> None:
        self._add("backfill", (number, "flight_delays", f"{first} 00:00", f"{last} 00:00"))

    def ran(
        self,
        months: list[str],
        kind: str = "backfill",
        state: str = "success",
        of: int | None = None,
        dag: str = "flight_delays",
    ) -> None:
        for month in months:
            self._add("dag_run", (None, dag, f"{month}-01 00:00:00.000000", kind, state, of))

    def _add(self, table: str, values: tuple[object, ...]) -> None:
        with sqlite3.connect(self.path) as database:
            marks = ", ".join("?" * len(values))
            database.execute(f"INSERT INTO {table} VALUES ({marks})", values)

    def made(self, months: list[str]) -> None:
        for month in months:
            rows = rows_of(month)
            for part, data in (("raw", rows), ("models", shared.trained(rows))):
                file = self.task / "lake" / part / f"{month}.json"
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(json.dumps(data))

    def says(self, name: str) -> str:
        """What a check says; nothing if it is content."""
        verdict = checks_of("s5_airflow")[name].judge(self.task)
        return "" if verdict.status is Status.PASSED else verdict.text()


@pytest.fixture
def left(tmp_path: Path) -> Left:
    folder = tmp_path / "11-backfill"
    folder.mkdir()
    starts_of("s5_airflow")["11-backfill"](folder)
    return Left(folder)


BACKFILL = ("backfill_asked", "only_the_half_year", "half_year_made")


def test_a_half_year_is_right(left: Left) -> None:
    left.asked(1, "2013-01-01", "2013-06-30")
    left.ran(HALF_YEAR, of=1)
    left.made(HALF_YEAR)
    assert [left.says(name) for name in BACKFILL] == ["", "", ""]


def test_a_second_backfill_may_add_what_was_missing(left: Left) -> None:
    left.asked(1, "2013-01-01", "2013-05-31")
    left.ran(HALF_YEAR[:5], of=1)
    assert "2013-01-01 to 2013-05-31" in left.says("backfill_asked")
    assert "June's run is dated" in " ".join(left.says("backfill_asked").split())
    left.asked(2, "2013-01-01", "2013-06-30")
    left.ran(["2013-06"], of=2)
    assert left.says("backfill_asked") == left.says("only_the_half_year") == ""


def test_a_month_too_many_is_seen(left: Left) -> None:
    left.asked(1, "2013-01-01", "2013-07-01")
    left.ran([*HALF_YEAR, "2013-07"], of=1)
    left.made([*HALF_YEAR, "2013-07"])
    assert left.says("backfill_asked") == ""
    assert "both dates of a backfill count" in " ".join(left.says("only_the_half_year").split())
    assert "2013-07" in left.says("half_year_made")


def test_catchup_is_no_backfill(left: Left) -> None:
    left.ran(HALF_YEAR, kind="scheduled")
    assert "no backfill; 6 runs (scheduled)" in left.says("backfill_asked")
    assert "catchup=True makes up for every month" in left.says("only_the_half_year")


def test_runs_by_hand_are_no_backfill(left: Left) -> None:
    left.ran(HALF_YEAR, kind="manual")
    left.made(HALF_YEAR)
    assert "no backfill; 6 runs (manual)" in left.says("backfill_asked")
    assert left.says("half_year_made") == ""


def test_a_backfill_of_another_dag_or_of_none_does_not_count(left: Left) -> None:
    left.ran(HALF_YEAR, of=7)
    assert "no backfill" in left.says("backfill_asked")
    left.asked(1, "2013-01-01", "2013-06-30")
    left.ran(HALF_YEAR, of=1, dag="other")
    assert "no backfill" in left.says("backfill_asked")


@pytest.mark.parametrize(
    ("state", "said"), [("failed", "reprocess-behavior failed"), ("queued", "waits for the runs")]
)
def test_a_run_that_did_not_end_well_is_named(left: Left, state: str, said: str) -> None:
    left.asked(1, "2013-01-01", "2013-06-30")
    left.ran(HALF_YEAR[:5], of=1)
    left.ran(["2013-06"], state=state, of=1)
    assert said in " ".join(left.says("backfill_asked").split())


def test_no_run_at_all_is_not_only_the_half_year(left: Left) -> None:
    assert "nothing has run yet" in left.says("only_the_half_year")


def test_flights_twice_and_models_of_something_else_are_seen(left: Left) -> None:
    left.made(HALF_YEAR)
    raw = left.task / "lake" / "raw" / "2013-02.json"
    raw.write_text(json.dumps(rows_of("2013-02") * 2))
    model = left.task / "lake" / "models" / "2013-05.json"
    model.write_text(json.dumps(shared.trained(rows_of("2013-04"))))
    assert "for 2013-02, 2013-05" in left.says("half_year_made")


def test_a_database_that_is_none_or_hostile_is_refused(left: Left) -> None:
    left.path.write_bytes(b"no database" * 500)
    assert "cannot be read" in left.says("backfill_asked")
    left.path.unlink()
    with sqlite3.connect(left.path) as database:
        database.execute(TABLES.split(";")[1])
        database.execute(
            "CREATE VIEW dag_run AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
            " SELECT i AS id, 'flight_delays' AS dag_id, i AS data_interval_start, 'x' AS run_type,"
            " 'success' AS state, 1 AS backfill_id FROM n"
        )
    began = time.monotonic()
    assert "cannot be read" in left.says("backfill_asked")
    assert time.monotonic() - began < 5


def test_a_link_is_not_followed(left: Left, tmp_path: Path) -> None:
    left.path.rename(tmp_path / "elsewhere.db")
    left.path.symlink_to(tmp_path / "elsewhere.db")
    assert "Airflow has not run here" in left.says("backfill_asked")
    left.made(HALF_YEAR)
    shutil.move(left.task / "lake", tmp_path / "lake")
    (left.task / "lake").symlink_to(tmp_path / "lake")
    assert "not the month's own" in left.says("half_year_made")


def test_the_months_of_a_hostile_record_cannot_spoil_a_message(left: Left) -> None:
    left.asked(1, "\x1b[2J" + "x" * 500, "2013-06-30")
    left.ran(["\x1b[31m" + "y" * 5000], of=1)
    for name in BACKFILL[:2]:
        said = left.says(name)
        assert "\x1b" not in said
        assert max(map(len, said.splitlines())) <= 84


# 11 · The real Airflow, in the background of a notebook


def test_a_folder_without_dags_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="usage"):
        up.start(tmp_path)


def test_finish_without_start_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    up.finish(tmp_path)
    assert capsys.readouterr().out == "Airflow has not run here yet.\n"


def test_airflow_ends_with_the_notebook_and_leaves_no_key(project: Path) -> None:
    code = (
        "import sys, time; from autograder.flow.up import start\n"
        "print(start(sys.argv[1]).address, flush=True); time.sleep(300)"
    )
    notebook = subprocess.Popen(
        [sys.executable, "-c", code, str(project)], stdout=subprocess.PIPE, text=True
    )
    assert notebook.stdout is not None
    assert notebook.stdout.readline().startswith("http://127.0.0.1:")
    env = (project / "airflow" / "env").read_text("utf-8")
    assert "SQL_ALCHEMY_CONN=sqlite" in env
    assert not any(word in env for word in ("SECRET", "FERNET", "CONN_FLIGHTS", "password"))
    parts = _parts(project)
    assert len(parts) >= 4
    os.kill(notebook.pid, signal.SIGKILL)
    notebook.wait()
    deadline = time.monotonic() + 30
    while _parts(project):
        assert time.monotonic() < deadline
        time.sleep(0.3)
    assert not (project / "airflow" / "env").exists()


def test_who_reads_first_and_then_writes_waits_for_the_others(tmp_path: Path) -> None:
    """SQLite tells a reader who becomes a writer at once that the database is locked."""

    def read_then_write(other: str, **how: Any) -> list[tuple[int]]:
        path = tmp_path / other
        with closing(sqlite3.connect(path)) as first:
            first.executescript("PRAGMA journal_mode=WAL; CREATE TABLE t (n INT)")
        with (
            closing(sqlite3.connect(path, **how)) as ours,
            closing(sqlite3.connect(path)) as theirs,
        ):
            cursor = ours.cursor()
            cursor.execute("SAVEPOINT here")
            assert cursor.execute("SELECT count(*) FROM t").fetchone() == (0,)
            theirs.execute("PRAGMA busy_timeout=0")
            with suppress(sqlite3.OperationalError):
                theirs.execute("INSERT INTO t VALUES (1)")
                theirs.commit()
            cursor.execute("INSERT INTO t VALUES (?)", (2,))
            cursor.execute("RELEASE here")
            ours.commit()
            return theirs.execute("SELECT n FROM t").fetchall()

    with pytest.raises(sqlite3.OperationalError, match="locked"):
        read_then_write("plain")
    assert read_then_write("ours", **waiting.CONNECT_ARGS) == [(2,)]


def _parts(project: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            words = [*process.cmdline(), process.environ().get("AIRFLOW_HOME", "")]
            if process.status() != psutil.STATUS_ZOMBIE and any(str(project) in w for w in words):
                found.append(process)
        except psutil.Error:
            continue  # it has just ended
    return found


_FORGE = """import json, sys
frame, number = sys._getframe(), None
while frame:
    number, frame = frame.f_locals.get("number", number), frame.f_back
for name in os.listdir("/proc/self/fd"):
    try:
        if os.readlink("/proc/self/fd/" + name).startswith("pipe"):
            forged = {"number": number, "answer": {"trouble": "forged"}}
            os.write(int(name), json.dumps(forged).encode() + b"\\n" + b'{"trouble": "forged"}\\n')
    except OSError:
        pass"""


@pytest.mark.parametrize("where", ["read", "task"])
def test_a_dag_cannot_answer_for_the_service(project: Path, where: str) -> None:
    dag = _dag("pass", _FORGE) if where == "read" else _dag(_FORGE)
    text = _judge(project, dag)
    assert "forged" not in text
    assert "did not fetch that month" in " ".join(text.split())


def test_the_next_request_finds_nothing_that_one_left(project: Path) -> None:
    left = """import pathlib
for name in ("/flow/f/home/plugins/x.py", "/flow/f/run/lake/kept/x",
             "/tmp/home/.netrc", "/tmp/x/y"):
    path = pathlib.Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
os.chmod("/flow/f/run/lake/kept", 0)"""
    _judge(project, _dag(left))
    look = "import glob\nraise ValueError(glob.glob('/tmp/*') + glob.glob('/tmp/*/[.p]*'))"
    text = " ".join(_judge(project, _dag("pass", look)).split())
    assert "ValueError: ['/tmp/home']" in text
