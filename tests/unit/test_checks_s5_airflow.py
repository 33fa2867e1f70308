"""Lab s5_airflow: the simulated service, and DAGs that misbehave while they are read or run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from autograder.checks import _s5_airflow as shared
from autograder.checks import checks_of
from autograder.flow import client
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


def test_processes_of_a_task_end_with_it(project: Path) -> None:
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
    body = "import glob\nfor f in glob.glob('/tmp/flow/run/airflow.db*'):\n    os.unlink(f)"
    assert "database was removed" in _judge(project, _dag(body))
    assert "raw/" in _judge(project, _dag("pass"))


def test_the_same_question_is_answered_once(project: Path) -> None:
    first = shared.perform(project, [{"do": "run", "month": "2013-01"}]).facts
    began = time.monotonic()
    assert shared.perform(project, [{"do": "run", "month": "2013-01"}]).facts == first
    assert time.monotonic() - began < 1


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
for name in ("/tmp/flow/home/plugins/x.py", "/tmp/flow/run/kept/x", "/tmp/home/.netrc", "/tmp/x/y"):
    path = pathlib.Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
os.chmod("/tmp/flow/run/kept", 0)"""
    _judge(project, _dag(left))
    look = "import glob\nraise ValueError(glob.glob('/tmp/*') + glob.glob('/tmp/*/[.p]*'))"
    text = " ".join(_judge(project, _dag("pass", look)).split())
    assert "ValueError: ['/tmp/flow', '/tmp/home']" in text or (
        "ValueError: ['/tmp/home', '/tmp/flow']" in text
    )
