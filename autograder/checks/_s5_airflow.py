"""What the checks of lab s5_airflow share: run a task's DAG, and put into words what went wrong."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from autograder.checks import CheckFailed, NotGradedHere
from autograder.flow import client
from autograder.flow.source import Behaviour, rows_of

DAG = "flight_delays"
FILE = "dags/flight_delays.py"
TOKEN = "fl-0d4b6f1ac37e9258"


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
            errors = [
                ln
                for ln in t["log"].splitlines()
                if "Error" in ln or "Exception" in ln or ": " in ln
            ]
            said = (errors or t["log"].splitlines())[0]
            return f"the last words of {t['task'][:40]}: {said.strip()[:200]}"
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
