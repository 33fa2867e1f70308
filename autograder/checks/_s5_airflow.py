"""What the checks of lab s5_airflow share: run a task's DAG, and put into words what went wrong."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder import sqlread
from autograder.checks import CheckFailed, NotGradedHere
from autograder.flow import client
from autograder.flow.source import Behaviour, rows_of

DAG = "flight_delays"
FILE = "dags/flight_delays.py"
TOKEN = "fl-0d4b6f1ac37e9258"
RECORD = "airflow/airflow.db"
MAX_RECORD = 50 << 20
MAX_FILE = 1 << 20


class Report:
    """What a scenario left: runs, tasks, files, and the service's own list of its calls."""

    def __init__(self, task: Path, facts: dict[str, Any]) -> None:
        self.task, self.facts = task, facts

    def __getitem__(self, name: str) -> Any:
        return self.facts[name]

    @property
    def last(self) -> dict[str, Any]:
        """What there was after the last step."""
        return self.facts["steps"][-1]

    def run(self, month: str, step: int = -1, dag: str = DAG) -> dict[str, Any]:
        """Return the run of a month as it was after a step; raises CheckFailed if there is none."""
        for run in self.facts["steps"][step]["runs"]:
            if run["dag"] == dag and run["run"].endswith(month):
                return run
        raise CheckFailed(
            looked=f"the runs of {dag} in {self.task.name}",
            found=f"no run for {spoken(month)}",
            expected="one",
            hint="does the schedule have that month? Look at start_date, end_date and schedule.",
        )

    def tasks(self, run: Mapping[str, Any], *states: str) -> list[dict[str, Any]]:
        """Return a run's task instances in these states."""
        return [t for t in run["tasks"] if t["state"] in states]

    def file(self, name: str, step: int = -1) -> Any:
        """Return what is in a JSON file of the lake; None if it is not there or no JSON."""
        text = self.facts["steps"][step]["files"].get(name)
        try:
            return json.loads(text) if text is not None else None
        except ValueError:
            return None


def perform(task: Path, steps: list[dict[str, Any]], **source: Any) -> Report:
    """Run the scenario over a task's DAG; raises CheckFailed if the DAG cannot be read or ends it.

    ``source`` says how the airline's service behaves, see `autograder.flow.source.Behaviour`.
    """
    scenario = {"steps": steps, "source": {"token": TOKEN, **source}}
    facts = asked(task, scenario)
    parse = facts["parse"]
    looked = f"{task.name}/{FILE}, read as Airflow's DAG processor does"
    if parse["killed"]:
        raise CheckFailed(
            looked=looked,
            found=f"reading {parse['killed'][0]} was stopped after 10 s",
            expected="a file that is read in a moment: Airflow reads it again and again",
            hint="what stands outside of tasks runs at every reading. Move work into a task.",
        )
    for name, error in parse["errors"].items():
        raise CheckFailed(
            looked=looked,
            found=f"{name} cannot be imported: {error.splitlines()[-1][:200]}",
            expected="a DAG file without errors",
            hint=f"run python {name} in the folder dags: it shows the whole error.",
        )
    if DAG not in parse["dags"]:
        named = ", ".join(parse["dags"]) or "none at all"
        raise CheckFailed(
            looked=looked,
            found=f"DAGs: {named[:150]}",
            expected=f"a DAG called {DAG}",
            hint="a function with @dag makes a DAG only when it is called: the last line of the "
            "file does that.",
        )
    return Report(task, facts)


def asked(
    task: Path, scenario: dict[str, Any], files: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Ask the service; raises CheckFailed where a task's code ended it, or there is no DAG file."""
    if not (task / FILE).is_file():
        raise CheckFailed(
            looked=f"work/{task.name}",
            found=f"no {FILE}",
            expected="the DAG in that file",
            hint=f'lab.restart("{task.name}") lays the start state out again.',
        )
    try:
        facts = client.ask({**client.files_of(task), **(files or {})}, scenario)
    except client.TooMuchError as error:
        raise CheckFailed(
            looked=f"work/{task.name}",
            found=str(error),
            expected="a DAG, its helpers and tests, and nothing else",
            hint="data belongs in the lake.",
        ) from None
    except client.ServiceError as error:
        raise NotGradedHere(
            "Airflow", f"autograder doctor says what is missing ({error})."
        ) from None
    if facts.get("trouble"):
        raise CheckFailed(
            looked=f"the runs of {task.name}/{FILE}",
            found=facts["trouble"],
            expected="runs that come to an end, and leave Airflow's own database alone",
            hint="a task that waits for ever, starts processes without end, or removes files that "
            "are not its own is ended with all of it.",
        )
    return facts


def spoken(month: str, hidden: bool = False) -> str:
    """Name a month in a message; a hidden one is not named."""
    return "another month" if hidden else month


def expect_state(report: Report, run: Mapping[str, Any], state: str, why: str, name: str) -> None:
    """Refuse a run that ended otherwise; the failed task's last words help."""
    if run["state"] == state:
        return
    raise CheckFailed(
        looked=f"the run for {name} of {report.task.name}",
        found=f"state {run['state']}; {tasks_told(run)}",
        expected=f"state {state}: {why}",
        hint=last_words(run) or "the tasks' states above say how far it came.",
    )


def tasks_told(run: Mapping[str, Any]) -> str:
    """Tell a run's tasks and states in a line or two."""
    told = []
    for t in run["tasks"]:
        index = f"[{t['index']}]" if t["index"] >= 0 else ""
        state = "stopped after 10 s" if t["killed"] else t["state"].replace("None", "not started")
        told.append(f"{t['task'][:40]}{index} {state}")
    return ", ".join(told[:10]) or "no task"


def last_words(run: Mapping[str, Any]) -> str:
    """Return what the first failed task said last."""
    for t in run["tasks"]:
        if t["state"] in ("failed", "up_for_retry") and t["log"]:
            said = (t["error"] or t["log"]).strip().splitlines() or ["none"]
            return f"the last words of {t['task'][:40]}: {said[0 if t['error'] else -1][:200]}"
    return ""


def fetched(month: str, **behaviour: Any) -> list[dict[str, Any]]:
    """Return the rows that the service has for a month."""
    return rows_of(month, Behaviour(**behaviour))


def same_rows(found: Any, wanted: list[dict[str, Any]]) -> bool:
    """Tell whether a file holds exactly these flights, in whatever order."""
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        return False

    def told(rows: Iterable[Mapping[str, Any]]) -> list[str]:
        return sorted(json.dumps({k: str(v) for k, v in r.items()}, sort_keys=True) for r in rows)

    return told(found) == told(wanted)


def share(rows: list[dict[str, Any]]) -> float:
    """Share of late flights, as the pipeline's own helper rounds it."""
    return round(sum(r["late"] for r in rows) / len(rows), 4)


# What a real Airflow left: its metadata database, and the lake


@dataclass(frozen=True)
class Run:
    """A DAG run as the metadata database has it; ``backfill`` is the backfill that asked for it."""

    month: str
    kind: str
    state: str
    backfill: int | None


@dataclass(frozen=True)
class Record:
    """The runs of the DAG, and the stretches that backfills were asked for: first and last day."""

    runs: tuple[Run, ...]
    backfills: tuple[tuple[str, str], ...]


def record(task: Path) -> Record:
    """Read the metadata database of a task's Airflow; raises CheckFailed if none can be read."""
    path, name = task / RECORD, f"work/{task.name}/{RECORD}"
    if path.is_symlink() or not path.is_file():
        raise CheckFailed(
            looked=f"work/{task.name}",
            found=f"no {RECORD}: Airflow has not run here",
            expected="Airflow's metadata database, with the runs of a backfill",
            hint=f'start("work/{task.name}") starts Airflow on this folder and tells its address.',
        )
    try:
        if path.stat().st_size > MAX_RECORD:
            raise sqlite3.DataError(f"more than {MAX_RECORD >> 20} MB")
        database = sqlread.snapshot(path)
        runs = sqlread.rows(
            database,
            "SELECT r.data_interval_start, r.run_type, r.state, b.id FROM dag_run r "
            "LEFT JOIN backfill b ON b.id = r.backfill_id AND b.dag_id = r.dag_id "
            "WHERE r.dag_id = ? ORDER BY r.data_interval_start, r.id",
            DAG,
        )
        asked = sqlread.rows(
            database, "SELECT from_date, to_date FROM backfill WHERE dag_id = ? ORDER BY id", DAG
        )
    except (sqlite3.Error, OverflowError, OSError) as error:
        raise CheckFailed(
            looked=name,
            found=f"a database that cannot be read: {printable(str(error), 120)}",
            expected="the SQLite database that Airflow writes",
            hint=f'lab.restart("{task.name}") lays the start state out anew and keeps this one '
            "beside it.",
        ) from error
    return Record(
        tuple(Run(_month(m), printable(k), printable(s), b) for m, k, s, b in runs),
        tuple((printable(a, 10), printable(b, 10)) for a, b in asked),
    )


def _month(moment: Any) -> str:
    return printable(moment, 7)


def printable(text: Any, limit: int = 20) -> str:
    """Return text from a learner's database, on one line and not too long."""
    return "".join(c if c.isprintable() else "?" for c in str(text)[:limit])


def lake_file(task: Path, name: str) -> Any:
    """Return what is in a JSON file of the lake; None if it is not there, too large, or no JSON."""
    path = task / "lake" / name
    try:
        if any(p.is_symlink() for p in (path.parent.parent, path.parent, path)):
            return None
        if not path.is_file() or path.stat().st_size > MAX_FILE:
            return None
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def lake_months(task: Path, part: str) -> list[str]:
    """Return the months that a folder of the lake has files for."""
    folder = task / "lake" / part
    if folder.is_symlink() or not folder.is_dir():
        return []
    return sorted(printable(p.stem, 7) for p in folder.glob("*.json"))[:100]


def trained(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Return the model that the pipeline's own helper learns from these rows."""
    hours = sorted({row["hour"] for row in rows})
    return {str(h): share([row for row in rows if row["hour"] == h]) for h in hours}
