"""What each task of lab s5_airflow starts from: a small project whose DAG lacks one thing."""

from __future__ import annotations

from pathlib import Path

from autograder.starts import start

LEAKED = "fl-5e1c9a7742d0b836"

_PRODUCT = '''\
"""The steps of flight-delays, as plain functions: nothing in here knows Airflow.

A month is written "2013-03".  Rows are dictionaries: date, hour, carrier, origin, dest, distance,
late (1 or 0).
"""

import csv
import io
import json
import urllib.error
import urllib.request
from pathlib import Path


class SourceBusy(Exception):
    """The airline's service said: try again later."""


def fetch(month, host, port, token):
    """Ask the airline's service for a month of flights."""
    request = urllib.request.Request(
        f"http://{host}:{port}/flights/{month}.csv", headers={"Authorization": f"Bearer {token}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            text = answer.read().decode()
    except urllib.error.HTTPError as error:
        if error.code == 503:
            raise SourceBusy(f"the service is busy, no {month} yet") from None
        raise
    rows = list(csv.DictReader(io.StringIO(text)))
    for row in rows:
        row |= {name: int(row[name]) for name in ("hour", "distance", "late")}
    return rows


def problems(rows, month):
    """List what is wrong with a month of flights; an empty list means that it can be used."""
    found = []
    if len(rows) < 100:
        found.append(f"only {len(rows)} flights")
    if wrong := sum(not row["date"].startswith(month) for row in rows):
        found.append(f"{wrong} flights of another month")
    if wrong := sum(row["distance"] <= 0 for row in rows):
        found.append(f"{wrong} flights without a distance")
    if wrong := sum(not row["carrier"] for row in rows):
        found.append(f"{wrong} flights without a carrier")
    return found


def share_late(rows):
    """Share of flights that arrived late."""
    return round(sum(row["late"] for row in rows) / len(rows), 4)


def train(rows):
    """A small model: the share of late flights by hour of departure."""
    hours = sorted({row["hour"] for row in rows})
    return {str(h): share_late([row for row in rows if row["hour"] == h]) for h in hours}


def auc(model, rows):
    """How well the model ranks: 0.5 is chance, 1 is perfect."""
    chances = [model.get(str(row["hour"]), 0.25) for row in rows]
    late = [c for c, row in zip(chances, rows) if row["late"]]
    rest = [c for c, row in zip(chances, rows) if not row["late"]]
    return round(sum((a > b) + (a == b) / 2 for a in late for b in rest) / len(late) / len(rest), 4)


def write_json(path, data):
    """Write a file as a whole; folders come into being."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data, indent=1))


def read_json(path):
    """Read a file that `write_json` wrote."""
    return json.loads(Path(path).read_text())
'''

_HEAD = '''\
from pathlib import Path

import pendulum
from airflow.sdk import BaseHook, CronDataIntervalTimetable, Variable, dag, task

import product


def lake():
    """The folder that all files of the pipeline go to."""
    return Path(Variable.get("lake"))


def fetch(month):
    """A month of flights from the airline's service."""
    api = BaseHook.get_connection("flights_api")
    return product.fetch(month, api.host, api.port, api.password)

'''

_DAG = '''
@dag(
    schedule=CronDataIntervalTimetable("@monthly", timezone="UTC"),
    start_date=pendulum.datetime(2013, 1, 1, tz="UTC"),
    end_date=pendulum.datetime(2013, 12, 31, tz="UTC"),
    catchup=False,
)
def flight_delays():
    """Retrain the model on the flights of a month."""
'''

_EXTRACT = """
    @task
    def extract(data_interval_start=None):
        month = f"{data_interval_start:%Y-%m}"
        product.write_json(lake() / "raw" / f"{month}.json", fetch(month))
        return month
"""

_TRAIN = """
    @task
    def train(month):
        rows = product.read_json(lake() / "raw" / f"{month}.json")
        product.write_json(lake() / "models" / f"{month}.json", product.train(rows))
        return month
"""

_END = "\n\nflight_delays()\n"


def _project(folder: Path, dag: str, more: dict[str, str] | None = None) -> None:
    files = {"dags/flight_delays.py": dag, "dags/product.py": _PRODUCT, **(more or {})}
    for name, text in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8", newline="\n")


@start("1-import")
def import_(folder: Path) -> None:
    """A DAG file that fetches its data while it is read."""
    top = (
        '# Everything is ready before the first task starts. Is that good?\nMONTH = "2013-01"\n'
        'TARGET = lake() / "raw" / f"{MONTH}.json"\nproduct.write_json(TARGET, fetch(MONTH))\n\n'
    )
    body = """
    @task
    def extract():
        return MONTH

    extract()
"""
    _project(folder, f"{_HEAD}\n{top}{_DAG}{body}{_END}")


@start("2-month")
def month(folder: Path) -> None:
    """A DAG that takes the month from the clock on the wall."""
    dag = '''
@dag(schedule="@daily", start_date=pendulum.datetime(2013, 1, 1, tz="UTC"), catchup=True)
def flight_delays():
    """Fetch the flights of a month."""

    @task
    def extract():
        month = f"{pendulum.now():%Y-%m}"
        product.write_json(lake() / "raw" / f"{month}.json", fetch(month))
        return month

    extract()
'''
    _project(folder, f"{_HEAD}{dag}{_END}")


@start("3-twice")
def twice(folder: Path) -> None:
    """A DAG that adds a line to a table whenever it runs."""
    body = """
    @task
    def summarise(month):
        rows = product.read_json(lake() / "raw" / f"{month}.json")
        with (lake() / "late_share.csv").open("a") as table:
            table.write(f"{month},{len(rows)},{product.share_late(rows)}\\n")

    summarise(extract())
"""
    _project(folder, f"{_HEAD}{_DAG}{_EXTRACT}{body}{_END}")


@start("4-retries")
def retries(folder: Path) -> None:
    """A DAG that gives up at the first trouble."""
    body = f"{_TRAIN}\n    train(extract())\n"
    _project(folder, f"{_HEAD}{_DAG}{_EXTRACT}{body}{_END}")


@start("5-gate")
def gate(folder: Path) -> None:
    """A DAG that notices a broken month, and trains on it all the same."""
    validate = """
    @task
    def validate(month):
        rows = product.read_json(lake() / "raw" / f"{month}.json")
        print("problems:", product.problems(rows, month))
        return month
"""
    body = f"{validate}{_TRAIN}\n    train(validate(extract()))\n"
    _project(folder, f"{_HEAD}{_DAG}{_EXTRACT}{body}{_END}")


_REGISTER = """
    @task
    def evaluate(month):
        rows = product.read_json(lake() / "raw" / f"{month}.json")
        model = product.read_json(lake() / "models" / f"{month}.json")
        return product.auc(model, rows)

    @task
    def register(month, auc):
        product.write_json(lake() / "production.json", {"month": month, "auc": auc})
"""


@start("6-better")
def better(folder: Path) -> None:
    """A DAG that measures each new model, and then forgets it."""
    report = """
    @task
    def report(month, auc):
        product.write_json(lake() / "reports" / f"{month}.json", {"auc": auc})

    month = train(extract())
    auc = evaluate(month)
    report(month, auc)
"""
    _project(folder, f"{_HEAD}{_DAG}{_EXTRACT}{_TRAIN}{_REGISTER}{report}{_END}")


@start("7-airports")
def airports(folder: Path) -> None:
    """A DAG that knows three airports by heart."""
    body = """
    @task
    def share(month, airport):
        rows = product.read_json(lake() / "raw" / f"{month}.json")
        late = product.share_late([row for row in rows if row["origin"] == airport])
        product.write_json(lake() / "shares" / month / f"{airport}.json", late)

    month = extract()
    for airport in ("EWR", "JFK", "LGA"):
        share(month, airport)
"""
    _project(folder, f"{_HEAD}{_DAG}{_EXTRACT}{body}{_END}")


@start("8-asset")
def asset(folder: Path) -> None:
    """A DAG that makes models, and nobody who hears of them."""
    body = f"{_TRAIN}\n    train(extract())\n"
    _project(folder, f"{_HEAD}{_DAG}{_EXTRACT}{body}{_END}")


@start("9-settings")
def settings(folder: Path) -> None:
    """A DAG with a key in its code and a limit nobody checks."""
    head = _HEAD.replace(
        """    api = BaseHook.get_connection("flights_api")
    return product.fetch(month, api.host, api.port, api.password)
""",
        f'''    return product.fetch(month, "127.0.0.1", 8913, "{LEAKED}")
''',
    ).replace("BaseHook, ", "")
    body = """
    @task
    def check(month, params=None):
        rows = product.read_json(lake() / "raw" / f"{month}.json")
        if product.share_late(rows) > 0.9:
            raise ValueError(f"{month}: too many late flights to be true")

    check(extract())
"""
    _project(folder, f"{head}{_DAG}{_EXTRACT}{body}{_END}")


STRUCTURE = (
    _HEAD
    + _DAG
    + _EXTRACT.replace("@task\n", "@task(retries=3)\n")
    + """
    @task
    def validate(month):
        rows = product.read_json(lake() / "raw" / f"{month}.json")
        if found := product.problems(rows, month):
            raise ValueError("; ".join(found))
        return month
"""
    + _TRAIN
    + "\n    train(validate(extract()))\n"
    + _END
)
_FIRST_TEST = '''\
"""What must stay true of the DAG, whoever changes it."""

import sys
from pathlib import Path

DAGS = Path(__file__).resolve().parent.parent / "dags"
sys.path.insert(0, str(DAGS))


def the_dag():
    """The DAG as Airflow reads it."""
    import flight_delays

    return flight_delays.flight_delays()
'''


@start("10-test")
def test(folder: Path) -> None:
    """A DAG that is right, for now, and a test file without a test."""
    _project(folder, STRUCTURE, {"tests/test_dag.py": _FIRST_TEST})


@start("11-backfill")
def backfill(folder: Path) -> None:
    """A DAG that is right and switched on, and has nothing to do: its months are over."""
    dag = _DAG.replace(
        "    catchup=False,\n", "    catchup=False,\n    is_paused_upon_creation=False,\n"
    )
    body = """
    @task
    def retrain(data_interval_start=None):
        month = f"{data_interval_start:%Y-%m}"
        rows = fetch(month)
        product.write_json(lake() / "raw" / f"{month}.json", rows)
        product.write_json(lake() / "models" / f"{month}.json", product.train(rows))

    retrain()
"""
    _project(folder, f"{_HEAD}{dag}{body}{_END}")
