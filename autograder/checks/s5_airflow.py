"""Checks of lab s5_airflow: they run the learner's DAGs and read what the runs left.

The runs happen in a sandbox (see `autograder.flow`), on a copy of the learner's DAGs, a metadata
database of their own and a service that behaves as the check wants.  Runs, states and XComs come
from that database, files from the folder the DAG wrote to; what they should hold is worked out
again from the same flights.

The backfill is read from what the learner's own Airflow left: its metadata database, of which only
plain columns are asked for, and the files in the lake.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

from autograder.checks import CheckFailed, check
from autograder.checks import _s5_airflow as shared
from autograder.checks._s5_airflow import DAG, FILE, perform
from autograder.starts.s5_airflow import LEAKED, STRUCTURE

_IMPORT = {"task": 1, "title": "Reading is not running"}
_MONTH = {"task": 2, "title": "The run of March takes March"}
_TWICE = {"task": 3, "title": "Twice is once"}
_RETRIES = {"task": 4, "title": "A service that stumbles"}
_GATE = {"task": 5, "title": "Stop the broken month, and say why"}
_BETTER = {"task": 6, "title": "Only a better model"}
_AIRPORTS = {"task": 7, "title": "As many tasks as airports"}
_ASSET = {"task": 8, "title": "New model, new scores"}
_SETTINGS = {"task": 9, "title": "No key in the code, no nonsense in the settings"}
_TEST = {"task": 10, "title": "A test for the DAG itself"}
_BACKFILL = {"task": 11, "title": "Half a year, after the fact"}

SECONDS = 5.0


def _run(month: str, **more: Any) -> dict[str, Any]:
    return {"do": "run", "month": month, **more}


# 1 · Reading is not running


@check(**_IMPORT, points=1)
def imports_cheaply(task: Path) -> None:
    """Reading the file asks nobody, writes nothing and takes no time."""
    parse = perform(task, [_run("2013-01")])["parse"]
    looked = f"{task.name}/{FILE}, read as Airflow's DAG processor does"
    if parse["calls"] or parse["files"]:
        raise CheckFailed(
            looked=looked,
            found=f"{parse['calls']} call to the airline's service while the file was read"
            if parse["calls"]
            else f"written while the file was read: {', '.join(parse['files'])[:100]}",
            expected="no call and no file: reading a DAG only tells which tasks there are",
            hint="Airflow reads the file every 30 seconds, and once more for every task. Lines "
            "outside of a task run each time. Put them into a function with @task.",
        )
    if parse["seconds"] > SECONDS:
        raise CheckFailed(
            looked=looked,
            found=f"it took {parse['seconds']:.1f} s",
            expected=f"less than {SECONDS:.0f} s",
            hint="what is slow? Import what is heavy inside of the task that needs it.",
        )


@check(**_IMPORT, points=1)
def task_fetches(task: Path) -> None:
    """A run of January leaves January's flights."""
    report = perform(task, [_run("2013-01")])
    if report["parse"]["calls"]:
        raise CheckFailed(
            looked=f"who fetches the flights in {task.name}/{FILE}",
            found="the file itself, before any task ran",
            expected="the task extract, when a run has started it",
            hint="the lines with fetch() belong into the function below @task.",
        )
    _expect_raw(report, "2013-01", calls=report.last["calls"])


def _expect_raw(report: shared.Report, month: str, hidden: bool = False, calls: Any = None) -> None:
    name = shared.spoken(month, hidden)
    run = report.run(month)
    shared.expect_state(report, run, "success", "every task done", name)
    path = f"raw/{month}.json"
    wrong = calls is not None and [month, 200] not in [list(c) for c in calls]
    if wrong or not shared.same_rows(report.file(path), shared.fetched(month)):
        raw = sorted(n for n in report.last["files"] if n.startswith("raw/"))
        raise CheckFailed(
            looked=f"the lake after the run for {name} of {report.task.name}",
            found=f"{len(raw)} file{'' if len(raw) == 1 else 's'} in raw/, and none that is named "
            "for that month and holds its flights"
            if not wrong
            else "the task did not fetch that month from the service",
            expected=f"raw/{'<month>' if hidden else month}.json with the flights of that month, "
            "fetched by a task of this run",
            hint="product.write_json(lake() / 'raw' / …, fetch(month)) inside of the task; the "
            "month is that of the run's data interval, not today's.",
        )


# 2 · The run of March takes March


@check(**_MONTH, points=1)
def schedule_monthly(task: Path) -> None:
    """The schedule has the twelve months of 2013, each run when its month is over."""
    dag = perform(task, [_run("2013-03")])["parse"]["dags"][DAG]
    due = [when[:10] for when, *_ in dag["schedule"]]
    wanted = [f"2013-{m:02}-01" for m in range(2, 13)] + ["2014-01-01"]
    if due != wanted:
        raise CheckFailed(
            looked=f"when the schedule of {task.name}/{FILE} is due, from 2012 to 2014",
            found=f"{len(due)}{' or more' if len(due) >= 40 else ''} times"
            + (f", from {due[0]} to {due[-1]}" if due else ""),
            expected="twelve times: on the first of each month from 2013-02-01 to 2014-01-01, for "
            "the month that just ended",
            hint="a run happens at the end of its interval. With CronDataIntervalTimetable("
            '"@monthly", …) start_date is in the first interval, end_date in the last.',
        )


@check(**_MONTH, points=1)
def no_flood(task: Path) -> None:
    """Switched on today, the DAG starts nothing that nobody asked for."""
    report = perform(task, [{"do": "turn_on"}])
    runs = [r for r in report.last["runs"] if r["dag"] == DAG]
    if runs:
        raise CheckFailed(
            looked=f"what the scheduler does by itself when {DAG} of {task.name} is switched on",
            found=f"it creates {len(runs)} run{'s' if len(runs) > 1 else ''} at once, the first is "
            f"{runs[0]['run'][:40]}",
            expected="none: 2013 is past, and old months come by a backfill that somebody asks for",
            hint="catchup=True makes up for every run since start_date. Say catchup=False, and "
            "let the schedule end with 2013 (end_date).",
        )


@check(**_MONTH, points=2)
def right_month(task: Path, months: tuple[str, ...] = ("2013-03",)) -> None:
    """The run of a month writes the flights of that month."""
    hidden = months != ("2013-03",)
    report = perform(task, [_run(m) for m in months])
    for month in months:
        _expect_raw(report, month, hidden)


# 3 · Twice is once


@check(**_TWICE, points=2)
def rerun_same(task: Path) -> None:
    """March run twice leaves one line for March, and April's stays."""
    steps = [_run("2013-03"), _run("2013-04"), {"do": "rerun", "month": "2013-03"}]
    report = perform(task, steps)
    for month in ("2013-03", "2013-04"):
        shared.expect_state(report, report.run(month), "success", "every task done", month)
    before, after = (_table(report, step) for step in (1, 2))
    wanted = []
    for month in ("2013-03", "2013-04"):
        rows = shared.fetched(month)
        wanted.append((month, len(rows), shared.share(rows)))
    looked = f"late_share.csv in the lake of {task.name}"
    if before != wanted:
        raise CheckFailed(
            looked=f"{looked}, after the runs of March and April",
            found=f"{len(before)} lines that can be read, " + _told(before),
            expected="one line a month: 2013-03,<flights>,<share late> and the same for 2013-04",
            hint="is another month's line lost when one is written?",
        )
    if after != wanted:
        raise CheckFailed(
            looked=f"{looked}, after March ran a second time",
            found=f"{len(after)} lines, " + _told(after),
            expected="the same two lines as before",
            hint="read the table, drop the line of this month, add the new one, write it whole. "
            "Or write a file a month and the table from all of them.",
        )


def _table(report: shared.Report, step: int) -> list[tuple[str, int, float]]:
    rows = []
    for line in report["steps"][step]["files"].get("late_share.csv", "").splitlines():
        try:
            month, count, late = line.strip().split(",")
            rows.append((month, int(count), float(late)))
        except ValueError:
            continue  # a header
    return sorted(rows)


def _told(rows: list[tuple[str, int, float]]) -> str:
    months = [row[0] for row in rows]
    return "months " + (", ".join(months[:6]) or "none")


# 4 · A service that stumbles


@check(**_RETRIES, points=1)
def survives(task: Path, month: str = "2013-02", failures: int = 2) -> None:
    """The run succeeds although the first calls for its month fail."""
    hidden = month != "2013-02"
    report = perform(task, [_run(month)], fail={month: failures})
    run = report.run(month)
    name = shared.spoken(month, hidden)
    shared.expect_state(report, run, "success", "the service answers after a few tries", name)
    _expect_raw(report, month, hidden, calls=report.last["calls"])


@check(**_RETRIES, points=1)
def waits_longer(task: Path) -> None:
    """It waits between tries, and longer each time."""
    report = perform(task, [_run("2013-02")], fail={"2013-02": 2})
    waits = max((t["delays"] for t in report.run("2013-02")["tasks"]), key=len, default=[])
    if len(waits) < 2 or not waits[0] >= 1 or any(b <= a for a, b in pairwise(waits)):
        raise CheckFailed(
            looked=f"how long {task.name} waited before each retry in February",
            found=", ".join(f"{w:.0f} s" for w in waits) or "no retry",
            expected="at least a second, and longer before the second retry than before the first",
            hint="retry_delay is the first wait; retry_exponential_backoff makes each the double "
            "of the last. A service that is busy is not helped by asking at once.",
        )


@check(**_RETRIES, points=1)
def only_where_it_helps(task: Path) -> None:
    """Only the task that asks the service retries."""
    report = perform(task, [_run("2013-02")], fail={"2013-02": 2})
    tasks = report["parse"]["dags"][DAG]["tasks"]
    retrying = sorted(name for name, t in tasks.items() if t["retries"])
    asking = sorted({t["task"] for t in report.run("2013-02")["tasks"] if t["tries"] > 1})
    if not retrying or not asking or retrying != asking:
        raise CheckFailed(
            looked=f"which tasks of {task.name}/{FILE} may retry, and which had to",
            found=f"may: {', '.join(retrying) or 'none'}; had to: {', '.join(asking) or 'none'}",
            expected="the task that asks the service, and no other",
            hint="training fails the same way every time: a retry only hides it for longer. Give "
            "retries to one task, @task(retries=…), and not to all by default_args.",
        )


# 5 · Stop the broken month, and say why

_GOOD, _BAD = "2013-04", "2013-05"


def _gate(task: Path, broken: str) -> shared.Report:
    return perform(task, [_run(_GOOD), _run(_BAD)], broken={_BAD: broken})


@check(**_GATE, points=2)
def bad_month_stops(task: Path, broken: str = "distance") -> None:
    """A good month goes through; a broken one fails before it becomes a model."""
    hidden = broken != "distance"
    report = _gate(task, broken)
    shared.expect_state(report, report.run(_GOOD), "success", "this month is good", _GOOD)
    files = report.last["files"]
    looked = f"the lake of {task.name} after a good month and a broken one"
    if f"models/{_GOOD}.json" not in files:
        raise CheckFailed(
            looked=looked,
            found=f"no models/{_GOOD}.json",
            expected="a model of the good month",
            hint="a gate that lets nothing through is no gate. What did it object to?",
        )
    if f"models/{_BAD}.json" in files:
        raise CheckFailed(
            looked=looked,
            found="a model of the broken month" + ("" if hidden else " (negative distances)"),
            expected="no model of it",
            hint="a problem that is printed stops nobody. If product.problems(…) finds something, "
            "raise an error: what comes after the task does not run.",
        )
    shared.expect_state(
        report, report.run(_BAD), "failed", "a broken month must be seen", "a broken month"
    )


@check(**_GATE, points=1)
def says_why(task: Path) -> None:
    """What was wrong with a month is kept in the lake."""
    report = _gate(task, "distance")
    good, bad = (report.file(f"quality/{m}.json") for m in (_GOOD, _BAD))
    if good != [] or not isinstance(bad, list) or not bad or "40 flights" not in str(bad[0]):
        raise CheckFailed(
            looked=f"quality/{_GOOD}.json and quality/{_BAD}.json in the lake of {task.name}",
            found=f"{_short(good)} and {_short(bad)}",
            expected="[] for the good month, the list of problems for the broken one",
            hint="write the list that product.problems(…) returns before you raise the error: "
            "after it, nothing of the task runs.",
        )


@check(**_GATE, points=1)
def failure_recorded(task: Path) -> None:
    """A callback leaves a record of the failed run, and of no other."""
    report = _gate(task, "distance")
    files = report.last["files"]
    alerts = {n: text for n, text in files.items() if n.startswith("alerts/")}
    run = report.run(_BAD)["run"]
    named = [n for n, text in alerts.items() if run in text or run in n]
    if len(alerts) != 1 or len(named) != 1:
        raise CheckFailed(
            looked=f"alerts/ in the lake of {task.name} after a good month and a broken one",
            found=f"{len(alerts)} files, {len(named)} with the run id of the broken month",
            expected="one file, that names the failed run",
            hint="on_failure_callback takes a function; Airflow calls it with the context, and "
            'context["run_id"] names the run. Set it once, for the DAG or for the tasks.',
        )


def _short(value: Any) -> str:
    return "nothing" if value is None else str(value)[:90]


# 6 · Only a better model


def _better(task: Path) -> shared.Report:
    def old(auc: float) -> dict[str, Any]:
        text = f'{{"month": "2012-12", "auc": {auc}}}'
        return {"do": "write", "path": "production.json", "text": text}

    return perform(task, [old(0.2), _run("2013-06"), old(0.99), _run("2013-07")])


@check(**_BETTER, points=1)
def better_wins(task: Path) -> None:
    """A model that is better than the one in production takes its place."""
    report = _better(task)
    shared.expect_state(report, report.run("2013-06", 1), "success", "all went well", "2013-06")
    now = report.file("production.json", 1)
    if not isinstance(now, dict) or now.get("month") != "2013-06":
        raise CheckFailed(
            looked=f"production.json in the lake of {task.name}, where the model had an AUC of 0.2",
            found=f"{_short(now)} after a better model was trained for 2013-06",
            expected="the new model: its month and its AUC",
            hint="which way round is the comparison?",
        )


@check(**_BETTER, points=2)
def worse_stays_out(task: Path) -> None:
    """A model that is worse is skipped, and the report is written all the same."""
    report = _better(task)
    now = report.file("production.json", 3)
    run = report.run("2013-07", 3)
    looked = f"the run for 2013-07 of {task.name}, with a model of AUC 0.99 in production"
    if not isinstance(now, dict) or now.get("month") != "2012-12":
        raise CheckFailed(
            looked=looked,
            found=f"production.json is {_short(now)}",
            expected="the old model, untouched: the new one is worse",
            hint="read production.json, compare, and only then decide: @task.branch returns the id "
            "of the task to go on with.",
        )
    shared.expect_state(report, run, "success", "a worse model is no failure", "2013-07")
    if not report.tasks(run, "skipped"):
        raise CheckFailed(
            looked=looked,
            found=shared.tasks_told(run),
            expected="the task that registers, skipped: so everybody sees that it was not needed",
            hint="an if inside of the task leaves no trace. Use @task.branch.",
        )
    for month, step in (("2013-06", 1), ("2013-07", 3)):
        if report.file(f"reports/{month}.json", step) is None:
            raise CheckFailed(
                looked=f"reports/ in the lake of {task.name}",
                found=f"no reports/{month}.json",
                expected="a report of every month, whichever way the branch went",
                hint="a task after a branch is skipped with it, unless its trigger_rule says that "
                'a skipped neighbour is fine: "none_failed_min_one_success" or "none_failed".',
            )


# 7 · As many tasks as airports


def _airports(task: Path, given: tuple[str, ...]) -> tuple[shared.Report, dict[str, Any]]:
    report = perform(task, [_run("2013-08")], airports={"2013-08": list(given)})
    run = report.run("2013-08")
    shared.expect_state(report, run, "success", "every airport done", "2013-08")
    return report, run


@check(**_AIRPORTS, points=2)
def one_task_each(task: Path, given: tuple[str, ...] = ("EWR", "LGA")) -> None:
    """There is one mapped task for each airport in the month's flights."""
    _, run = _airports(task, given)
    mapped: dict[str, int] = {}
    for t in run["tasks"]:
        if t["index"] >= 0 and t["state"] == "success":
            mapped[t["task"]] = mapped.get(t["task"], 0) + 1
    if len(given) not in mapped.values():
        few = f"{given[0]} and {given[1]}" if given == ("EWR", "LGA") else "other airports"
        raise CheckFailed(
            looked=f"the run for 2013-08 of {task.name}, a month with flights from {few} only",
            found=", ".join(f"{n} mapped {k} times" for n, k in mapped.items()) or "no mapped task",
            expected="as many mapped tasks as there are airports in the data",
            hint="a for loop in the DAG runs when the file is read, and then there are no data. "
            "expand(airport=…) takes the list that a task returns, when the run has it.",
        )


@check(**_AIRPORTS, points=1)
def share_each(task: Path) -> None:
    """Each airport has its file with the right share, and no other airport has one."""
    given = ("EWR", "LGA")
    report, _ = _airports(task, given)
    rows = shared.fetched("2013-08", airports={"2013-08": list(given)})
    wanted = {
        f"shares/2013-08/{a}.json": shared.share([r for r in rows if r["origin"] == a])
        for a in given
    }
    found = {n: report.file(n) for n in report.last["files"] if n.startswith("shares/")}
    if found != wanted:
        raise CheckFailed(
            looked=f"shares/ in the lake of {task.name}, August with flights from EWR and LGA",
            found=", ".join(f"{n.rpartition('/')[2]}: {v}" for n, v in found.items()) or "nothing",
            expected="EWR.json and LGA.json, each with the share of its own flights",
            hint="does every mapped task get its own airport, and the same month?",
        )


# 8 · New model, new scores


def _asset(task: Path) -> shared.Report:
    report = perform(task, [_run("2013-09")])
    shared.expect_state(report, report.run("2013-09"), "success", "the model is there", "2013-09")
    return report


@check(**_ASSET, points=1)
def asset_updated(task: Path) -> None:
    """The run that writes a model tells Airflow so."""
    report = _asset(task)
    if not report.run("2013-09")["events"]:
        raise CheckFailed(
            looked=f"the asset events of the run for 2013-09 of {task.name}",
            found="none",
            expected="an event from the task that writes the model",
            hint='MODEL = Asset("…") names it, @task(outlets=[MODEL]) says which task makes it.',
        )


@check(**_ASSET, points=1)
def scoring_follows(task: Path) -> None:
    """Another DAG runs because there is a new model, and writes scores."""
    report = _asset(task)
    run = report.run("2013-09")
    followers = [
        r for r in report.last["runs"] if r["dag"] != DAG and run["run"] in r["triggered_by"]
    ]
    scores = [n for n in report.last["files"] if n.startswith("scores/")]
    if not any(r["state"] == "success" for r in followers) or not scores:
        raise CheckFailed(
            looked=f"what happened in {task.name} after the run for 2013-09",
            found=f"{len(followers)} run(s) of another DAG"
            + (f", {followers[0]['dag']}: {followers[0]['state']}" if followers else "")
            + f"; {len(scores)} files in scores/",
            expected="a run of a second DAG that the asset started, and its file in scores/",
            hint=(followers and shared.last_words(followers[0]))
            or "schedule=[MODEL] lets a DAG run whenever MODEL is new. It has no month of its own: "
            "let it take the newest file in models/.",
        )


# 9 · No key in the code, no nonsense in the settings


@check(**_SETTINGS, points=1)
def key_from_connection(task: Path, token: str = "fl-b7719a54c2de0f83") -> None:
    """The run succeeds with a key and a port that were made a moment ago."""
    report = perform(task, [_run("2013-10")], token=token)
    run = report.run("2013-10")
    shared.expect_state(
        report, run, "success", "Airflow's connection flights_api has key and address", "2013-10"
    )
    _expect_raw(report, "2013-10")


@check(**_SETTINGS, points=1)
def key_nowhere(task: Path) -> None:
    """The key is in no file, and in nothing that a run leaves."""
    report = perform(task, [_run("2013-10")])
    shared.expect_state(report, report.run("2013-10"), "success", "it has the key", "2013-10")
    from autograder.flow.client import files_of

    places = [n for n, text in files_of(task).items() if LEAKED in text] + report["token_seen_in"]
    if places:
        raise CheckFailed(
            looked=f"the files of {task.name}, its lake, and the XComs of its run",
            found=f"a key in {places[0]}",
            expected="the key in Airflow's connection, and nowhere else",
            hint="ask for the connection in the task that needs it, and return data, not the "
            "connection: what a task returns is kept as XCom, for all to read.",
        )


@check(**_SETTINGS, points=1)
def limit_is_checked(task: Path) -> None:
    """The limit is a parameter; one that makes no sense is refused before a task runs."""
    steps = [_run("2013-10", conf={"max_late": 1.5}), _run("2013-11", conf={"max_late": 0.01})]
    report = perform(task, [*steps, _run("2013-12", conf={"max_late": 0.95})])
    looked = f"runs of {task.name} that somebody starts with a limit of their own"
    if not report["steps"][0]["refused"]:
        raise CheckFailed(
            looked=looked,
            found='{"max_late": 1.5} was accepted, though a share cannot be above 1',
            expected="a refusal, before any task runs",
            hint='params={"max_late": Param(0.9, type="number", minimum=0, maximum=1)} in @dag.',
        )
    strict, lax = (report.run(m) for m in ("2013-11", "2013-12"))
    if (strict["state"], lax["state"]) != ("failed", "success"):
        raise CheckFailed(
            looked=looked,
            found=f"with max_late 0.01 the run ended {strict['state']}, with 0.95 {lax['state']}",
            expected="failed with 0.01 (more flights are late than that), success with 0.95",
            hint='a task that names an argument params gets them: params["max_late"].',
        )


# 10 · A test for the DAG itself


def _tested(task: Path, dag: str) -> dict[str, Any]:
    return shared.asked(task, {"pytest": True}, {FILE: dag})


@check(**_TEST, points=1)
def test_passes(task: Path) -> None:
    """The tests pass with the DAG as it should be."""
    told = _tested(task, STRUCTURE)
    if told["code"] or not told["passed"]:
        lines = [ln for ln in told["output"].splitlines() if ln.strip()]
        raise CheckFailed(
            looked=f"pytest in {task.name}, with the DAG as it was at the start",
            found="it took longer than 10 s"
            if told["killed"]
            else (lines[-1].strip()[:200] if lines else "no output"),
            expected="one test or more, and all of them pass",
            hint="a test is a function whose name begins with test_; python -m pytest tests in "
            "the task's folder shows what fails.",
        )


@check(**_TEST, points=2)
def test_catches(task: Path) -> None:
    """The tests fail when the gate is bypassed, and when nobody retries."""
    if not _tested(task, STRUCTURE)["passed"]:
        raise CheckFailed(
            looked=f"pytest in {task.name}, with the DAG as it was at the start",
            found="no test that passes",
            expected="tests that pass with a good DAG and fail with a bad one",
            hint="begin with one that asks whether train comes after validate.",
        )
    bypassed = STRUCTURE.replace(
        "train(validate(extract()))", "m = extract()\n    validate(m)\n    train(m)"
    )
    broken = {
        "train no longer waits for validate": bypassed,
        "extract no longer retries": STRUCTURE.replace("@task(retries=3)", "@task"),
    }
    for what, dag in broken.items():
        if _tested(task, dag)["code"] != 1:
            raise CheckFailed(
                looked=f"pytest in {task.name}, with a DAG in which {what}",
                found="no test fails",
                expected="a test that fails: that is what it is for",
                hint='dag.get_task("train").upstream_task_ids tells what a task waits for, '
                'dag.get_task("extract").retries how often it tries again.',
            )


# 11 · Half a year, after the fact

_HALF_YEAR = [f"2013-{m:02}" for m in range(1, 7)]


@check(**_BACKFILL, points=1)
def backfill_asked(task: Path) -> None:
    """A backfill has one successful run for each month from January to June."""
    record = shared.record(task)
    runs = [r for r in record.runs if r.kind == "backfill" and r.backfill is not None]
    done = {r.month for r in runs if r.state == "success"}
    if set(_HALF_YEAR) <= done:
        return
    asked = "; ".join(f"{a} to {b}" for a, b in record.backfills[-3:])
    if not runs:
        kinds = sorted({r.kind for r in record.runs})
        found = f"no backfill; {len(record.runs)} runs" + (f" ({', '.join(kinds)})" * bool(kinds))
        hint = "airflow backfill create --help names its options. Runs by hand or by catchup stand "
        hint += (
            f'in its way, for they have its dates: if there are any, lab.restart("{task.name}").'
        )
    else:
        found = f"backfill asked for {asked}; successful for {_months(done)}"
        hint = "both dates count, and each means the day a month begins: June's run is dated "
        hint += "2013-06-01. --dry-run lists the runs. A second backfill may add what is missing."
    if waiting := [r.month for r in runs if r.state in ("queued", "running")]:
        found += f"; {len(waiting)} not ended"
        hint = (
            f'finish("work/{task.name}") waits for the runs before it ends Airflow. start(…) and '
        )
        hint += "then finish(…) lets them go on."
    if failed := sorted({r.month for r in runs if r.state == "failed"} - done):
        found += f"; failed for {_months(failed)}"
        hint = "airflow/logs in the task's folder tells why. When it is mended: another backfill, "
        hint += "with --reprocess-behavior failed."
    raise CheckFailed(
        looked=f"the backfills and their runs in {shared.RECORD} of {task.name}",
        found=found,
        expected="a backfill's successful run for each month from 2013-01 to 2013-06",
        hint=hint,
    )


@check(**_BACKFILL, points=1)
def only_the_half_year(task: Path) -> None:
    """Nobody started a run of another month, and the half-year's first runs are there."""
    runs = shared.record(task).runs
    months = {r.month for r in runs}
    others = sorted(months - set(_HALF_YEAR))
    scheduled = any(r.kind == "scheduled" for r in runs)
    if not others and months and not scheduled:
        return
    told = f"{len(runs)} runs" + (f", for {_months(months)}" if months else "")
    raise CheckFailed(
        looked=f"all runs in {shared.RECORD} of {task.name}",
        found=f"{told}{'; some made by the schedule itself' * scheduled}",
        expected="runs of January to June 2013, and none that nobody asked for",
        hint="nothing has run yet: start Airflow and ask for the six months."
        if not months
        else "catchup=True makes up for every month since start_date, six or sixty, and again with "
        f'every new database. Leave it off, lab.restart("{task.name}"), and ask for six months.'
        if scheduled
        else f'both dates of a backfill count. lab.restart("{task.name}") lays the start state out '
        "anew; --dry-run tells beforehand which runs there will be.",
    )


@check(**_BACKFILL, points=1)
def half_year_made(task: Path) -> None:
    """The lake has the flights and the model of each of the six months, and of no other."""
    for part in ("raw", "models"):
        found = shared.lake_months(task, part)
        if found != _HALF_YEAR:
            raise CheckFailed(
                looked=f"lake/{part} of {task.name}",
                found=f"files for {_months(found)}" if found else "no file",
                expected="one file a month, 2013-01.json to 2013-06.json",
                hint="a run writes the files of its own month. Which months had a run? The page of "
                "the DAG, or airflow dags list-runs flight_delays, tells.",
            )
    wrong = []
    for month in _HALF_YEAR:
        rows = shared.fetched(month)
        raw, model = (shared.lake_file(task, f"{p}/{month}.json") for p in ("raw", "models"))
        if not shared.same_rows(raw, rows) or model != shared.trained(rows):
            wrong.append(month)
    if wrong:
        raise CheckFailed(
            looked=f"lake/raw and lake/models of {task.name}",
            found=f"flights or a model that are not the month's own, for {_months(wrong)}",
            expected="each month's flights once, and the model trained on them",
            hint="was the DAG changed, or a file? When the DAG is right, another backfill with "
            "--reprocess-behavior completed writes the months anew.",
        )


def _months(found: Iterable[str]) -> str:
    months = sorted(found)
    return ", ".join(months[:12]) + (" …" if len(months) > 12 else "") or "no month"
