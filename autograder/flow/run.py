"""Drive Airflow's own scheduler over a learner's DAGs until nothing is left to do.

Everything that decides is Airflow's: the DAG processor's parser, the scheduler's steps, the
supervisor that starts each task in a process of its own, the Execution API behind it.  What is
ours is the clock: a retry that is due in five minutes is due now, and the report says five minutes.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from airflow import settings
from airflow._shared.timezones import timezone
from airflow.dag_processing.collection import update_dag_parsing_results_in_db
from airflow.dag_processing.processor import DagFileProcessorProcess, _parse_file_entrypoint
from airflow.exceptions import AirflowException
from airflow.executors.base_executor import BaseExecutor
from airflow.jobs.job import Job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models import DagModel, DagRun, TaskInstance
from airflow.models.asset import AssetEvent
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.xcom import XComModel
from airflow.sdk.api.client import Client
from airflow.sdk.execution_time.supervisor import (
    ActivitySubprocess,
    _subprocess_main,
    in_process_api_server,
)
from airflow.sdk.log import logging_processors
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, TaskInstanceState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from sqlalchemy import select, update
from uuid6 import uuid7

from autograder import forkserver
from autograder.flow.source import Behaviour, Source

BUNDLE = "dags-folder"
_FILE_BYTES = 120_000
_LOG_LINES = 12
_LAPS = 60
_RUNS = 40
_LOOK = 0.02
_kept: list[Any] = []


@dataclass
class Limits:
    """Seconds for reading the DAG file, for one task, for all of it."""

    parse: float = 10.0
    task: float = 10.0
    total: float = 60.0


@dataclass
class Place:
    """Where one request's files lie."""

    folder: Path
    project: Path = field(init=False)
    lake: Path = field(init=False)
    database: Path = field(init=False)

    def __post_init__(self) -> None:
        self.project, self.lake = self.folder / "project", self.folder / "lake"
        self.database = self.folder / "airflow.db"

    @property
    def dags(self) -> Path:
        """The folder Airflow looks for DAGs in."""
        return self.project / "dags"


class DatabaseLostError(RuntimeError):
    """Airflow's database is gone; only a task can have done that."""


class _Supervised(ActivitySubprocess):
    """A task process whose end is seen at once; Airflow itself may look five seconds later."""

    def _service_subprocess(self, max_wait_time: float, *args: Any, **kwargs: Any) -> Any:
        return super()._service_subprocess(min(max_wait_time, _LOOK), *args, **kwargs)


def _walled(place: Place, work: Callable[[], None]) -> Callable[[], None]:
    """Return work that cannot write into Airflow's database and logs, which tell what it did."""

    def do() -> None:
        if os.environ.get("AUTOGRADER_CONFINED"):
            may = (place.project, place.lake, os.environ["AIRFLOW_HOME"], "/tmp")
            forkserver.confine([str(path) for path in may])
        work()

    return do


class _Sink:
    """Keeps the callbacks that the scheduler asks for; Airflow's own keeps them in the database."""

    def __init__(self) -> None:
        self.requests: list[Any] = []

    def send(self, callback: Any) -> None:
        self.requests.append(callback)


class InlineExecutor(BaseExecutor):
    """Runs each task at once, supervised as any executor does, and waits for it."""

    is_local = True

    def __init__(self, seconds: float, place: Place) -> None:
        super().__init__(parallelism=32)
        self.seconds, self.place, self.logs = seconds, place, place.folder / "logs"
        self.killed: set[str] = set()
        self.callback_sink = _Sink()

    def _process_workloads(self, workload_items: Any) -> None:
        for workload in workload_items:
            self.queued_tasks.pop(workload.ti.key, None)
            self.running.add(workload.ti.key)
            state = self._supervise(workload)
            self.change_state(workload.ti.key, state)

    def _supervise(self, workload: Any) -> TaskInstanceState:
        ti = workload.ti
        process = None
        with _logger(self.logs / f"{ti.id}.log") as (logger, _):
            try:
                process = _Supervised.start(
                    what=ti,
                    dag_rel_path=workload.dag_rel_path,
                    bundle_info=workload.bundle_info,
                    client=_client(),
                    logger=logger,
                    target=_walled(self.place, _subprocess_main),
                )
                with _alarm(self.seconds, process.pid) as rang:
                    code = process.wait()
                if rang:
                    self.killed.add(str(ti.id))
                return TaskInstanceState.FAILED if code else TaskInstanceState.SUCCESS
            except Exception as error:
                logger.error("the task could not be run", error=str(error)[:300])
                return TaskInstanceState.FAILED


@contextlib.contextmanager
def _alarm(seconds: float, group: int) -> Iterator[list[int]]:
    """End a process group that takes longer; the list is not empty if that was needed."""
    rang: list[int] = []

    def ring(*_: object) -> None:
        rang.append(group)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.kill(group, signal.SIGKILL)

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield rang
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def _logger(path: Path) -> Iterator[tuple[Any, Any]]:
    """Yield a logger that writes JSON lines to a file, and the open file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        yield (
            structlog.wrap_logger(
                structlog.BytesLogger(file),
                processors=logging_processors(json_output=True),
                logger_name="task",
            ).bind(),
            file,
        )


def _client() -> Client:
    client = Client(
        base_url=None, token="", dry_run=True, transport=in_process_api_server().transport
    )
    client.base_url = "http://in-process.invalid./"  # type: ignore[assignment]
    return client


_REHEARSAL = """
from airflow.sdk import Asset, dag, task

DONE = Asset("rehearsal://done")


@dag(schedule="@monthly", on_failure_callback=print)
def rehearsal():
    @task(retries=1)
    def one(data_interval_start=None, ti=None):
        if ti.try_number == 1:
            raise ValueError("once")
        return ["a"]

    @task.branch
    def which(x):
        return "two"

    @task(outlets=[DONE])
    def two():
        pass

    which.expand(x=one()) >> two()


@dag(schedule=[DONE])
def follower():
    @task
    def three():
        raise ValueError("at last")

    three()


rehearsal()
follower()
"""


def warm_up(folder: Path, template: bytes) -> None:
    """Run a DAG of our own once: every later run finds imports, routes and queries made ready.

    Half of what a first run takes is preparation that SQLAlchemy and FastAPI then remember.  They
    remember it by engine and application, so forks must find both, and the database's place, as
    they were.
    """
    step = {"do": "run", "month": "2013-03", "dag": "rehearsal"}
    request = {
        "files": {"dags/rehearsal.py": _REHEARSAL},
        "scenario": {"steps": [step, {**step, "do": "rerun"}, {"do": "turn_on"}]},
    }
    folder.mkdir()
    perform(folder, request, template)
    # A fork has none of the threads behind it and makes its own.  The reference keeps this one from
    # being shut down, which would wait for what is idle anyway.
    api = in_process_api_server()
    _kept.append(api.transport)
    del api.transport


def perform(folder: Path, request: dict[str, Any], template: bytes) -> dict[str, Any]:
    """Run one scenario over a learner's files, in an empty folder, and return what happened."""
    if not request.get("landlock", True):
        os.environ[forkserver.NO_LANDLOCK] = "1"
    place = Place(folder)
    _unpack(place, request["files"], template)
    _point_airflow_at(place)
    scenario = request["scenario"]
    limits = Limits(**scenario.get("limits", {}))
    if scenario.get("pytest"):
        return _tests(place, limits)
    with Source(Behaviour(**scenario.get("source", {}))) as source:
        return _Session(place, scenario, limits, source).report()


def _unpack(place: Place, files: dict[str, str], template: bytes) -> None:
    for name, text in files.items():
        target = place.project / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8", errors="surrogateescape")
    place.dags.mkdir(parents=True, exist_ok=True)
    place.lake.mkdir()
    place.database.write_bytes(template)


def _point_airflow_at(place: Place) -> None:
    address = f"sqlite:///{place.database}"
    if address == settings.SQL_ALCHEMY_CONN:
        return
    os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = address
    os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(place.dags)
    settings.configure_vars()
    settings.reconfigure_orm()


def _tests(place: Place, limits: Limits) -> dict[str, Any]:
    """Run the learner's tests, as pytest does, in a process of their own."""
    output = place.folder / "pytest.txt"
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            written = os.open(output, os.O_WRONLY | os.O_CREAT)
            os.dup2(written, 1)
            os.dup2(written, 2)
            os.chdir(place.project)
            _walled(place, lambda: None)()
            import pytest

            options = [
                "-q",
                "-p",
                "no:cacheprovider",
                "--color=no",
                "--rootdir=.",
                "-c",
                os.devnull,
            ]
            code = int(pytest.main([*options, "--rootdir=.", "tests"]))
            sys.stdout.flush()
            os._exit(code)
        finally:
            os._exit(3)
    with _alarm(limits.task, pid) as rang:
        _, status = os.waitpid(pid, 0)
    text = output.read_text("utf-8", "replace") if output.exists() else ""
    return {
        "code": os.waitstatus_to_exitcode(status),
        "killed": bool(rang),
        "passed": sum(map(int, re.findall(r"(\d+) passed", text))),
        "output": text[-1500:],
        "trouble": "",
    }


class _Session:
    """One scenario: the DAG file read, then step by step."""

    def __init__(
        self, place: Place, scenario: dict[str, Any], limits: Limits, source: Source
    ) -> None:
        self.place, self.scenario, self.limits, self.source = place, scenario, limits, source
        self.deadline = time.monotonic() + limits.total
        self.executor = InlineExecutor(limits.task, place)
        self.delays: dict[str, list[float]] = {}
        self.steps: list[dict[str, Any]] = []
        self.trouble = ""
        self.database = place.database.stat().st_ino

    def report(self) -> dict[str, Any]:
        """Do all of it; what cannot go on ends with its reason in ``trouble``."""
        self._enter()
        parsed = self._parse()
        if not parsed["errors"] and not parsed["killed"]:
            try:
                self._prepare()
                for step in self.scenario.get("steps", ()):
                    self.steps.append(self._step(step))
            except Exception:
                # Whatever stumbled, without its database it had to.
                if not self._database_lost():
                    raise
                self.trouble = "Airflow's metadata database was removed or overwritten"
        facts = {"parse": parsed, "steps": self.steps, "trouble": self.trouble}
        seen = [] if self.trouble else self._token_places()
        return facts | {"calls": self.source.calls(), "token_seen_in": seen}

    # --- reading the DAG file -------------------------------------------------------------

    def _parse(self) -> dict[str, Any]:
        """Read every DAG file as the DAG processor does, and enter what it finds."""
        from airflow.dag_processing.bundles.manager import DagBundlesManager

        DagBundlesManager().sync_bundles_to_db()
        seconds, killed = 0.0, []
        dags: list[Any] = []
        errors: dict[str, str] = {}
        for path in filter(_may_hold_a_dag, sorted(self.place.dags.glob("*.py"))):
            began = time.monotonic()
            result, in_time = self._process(path, [])
            seconds += time.monotonic() - began
            if not in_time:
                killed.append(path.name)
            elif result is None:
                errors[path.name] = "the process that read it ended without a result"
            else:
                dags += result.serialized_dags
                for text in (result.import_errors or {}).values():
                    errors[path.name] = "\n".join(str(text).strip().splitlines()[-6:])[:800]
        calls = len(self.source.calls())
        if dags:
            with create_session() as session:
                update_dag_parsing_results_in_db(BUNDLE, None, dags, {}, seconds, set(), session)
        return {
            "seconds": seconds,
            "calls": calls,
            "killed": killed,
            "errors": errors,
            "dags": {d.dag_id: self._described(d.dag_id) for d in dags} if not errors else {},
            "files": sorted(p.name for p in self.place.lake.iterdir()),
        }

    def _process(self, path: Path, callbacks: list[Any]) -> tuple[Any, bool]:
        """Let Airflow read a file, or run callbacks in it; return the result, and if in time."""
        with _logger(self.place.folder / "logs" / "processor.log") as (logger, file):
            process = DagFileProcessorProcess.start(
                id=uuid7(),
                path=path,
                bundle_path=self.place.dags,
                bundle_name=BUNDLE,
                dag_file_rel_path=path.name,
                callbacks=callbacks,
                logger=logger,
                logger_filehandle=file,
                client=_client(),
                target=_walled(self.place, _parse_file_entrypoint),
            )
            deadline = time.monotonic() + self.limits.parse
            while not process.is_ready and time.monotonic() < deadline:
                process._service_subprocess(_LOOK)
            in_time = process.is_ready
            if not in_time:
                process.kill(signal.SIGKILL)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)
            return process.parsing_result, in_time

    def _described(self, dag_id: str) -> dict[str, Any]:
        """Tell what Airflow knows of a DAG."""
        with create_session() as session:
            dag = SerializedDagModel.get_dag(dag_id, session=session)
        months = [
            [i.run_after.isoformat(), *(t and t.isoformat() for t in i.data_interval or ())]
            for i in _due(dag)
        ]
        return {
            "tasks": {t.task_id: _task_facts(t) for t in dag.tasks},
            "schedule": months,
            "catchup": dag.catchup,
            "timetable": type(dag.timetable).__name__,
            "params": {name: repr(value)[:200] for name, value in dag.params.items()},
        }

    # --- steps ----------------------------------------------------------------------------

    def _enter(self) -> None:
        """Enter the connection and the variable that every DAG may ask for."""
        from airflow.models import Connection, Variable

        with create_session() as session:
            session.add(
                Connection(
                    conn_id="flights_api",
                    conn_type="http",
                    host="127.0.0.1",
                    port=self.source.port,
                    password=self.source.behaviour.token,
                )
            )
            Variable.set("lake", str(self.place.lake), session=session)

    def _prepare(self) -> None:
        """Switch all DAGs on and make the scheduler."""
        with create_session() as session:
            session.execute(update(DagModel).values(is_paused=False))
        self.scheduler = SchedulerJobRunner(job=Job(), executors=[self.executor])

    def _step(self, step: dict[str, Any]) -> dict[str, Any]:
        """Do one step and return the runs there are after it, and the files."""
        self._refuse_lost_database()
        before = self._files()
        calls = len(self.source.calls())
        refused = ""
        match step["do"]:
            case "turn_on":
                self._turn_on()
            case "run":
                refused = self._start(step)
                self._drive()
            case "rerun":
                self._clear(step)
                self._drive()
            case "write":
                target = self.place.lake / step["path"]
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(step["text"])
        self._refuse_lost_database()
        after = self._files()
        return {
            "step": step,
            "refused": refused,
            "runs": self._runs(),
            "files": after,
            "changed": sorted(n for n in {*before, *after} if before.get(n) != after.get(n)),
            "calls": self.source.calls()[calls:],
        }

    def _refuse_lost_database(self) -> None:
        if self._database_lost():
            raise DatabaseLostError("Airflow's metadata database was removed or overwritten")

    def _database_lost(self) -> bool:
        """Tell whether the file is another one; SQLite makes an empty one where none is."""
        try:
            head = self.place.database.open("rb").read(16)
            return (
                head != b"SQLite format 3\0" or self.place.database.stat().st_ino != self.database
            )
        except OSError:
            return True

    def _turn_on(self) -> None:
        """Let the scheduler create what it would on its own, and start nothing of it."""
        for _ in range(3):
            with create_session() as session:
                query, _ = DagModel.dags_needing_dagruns(session)
                self.scheduler._create_dag_runs(query.all(), session)

    def _hold_clock(self) -> None:
        """No run but those that a step asks for (and those that follow from an asset)."""
        with create_session() as session:
            session.execute(update(DagModel).values(next_dagrun_create_after=None))

    def _start(self, step: dict[str, Any]) -> str:
        """Create the run that the schedule has for a month, or one by hand if there is none."""
        self._hold_clock()
        month = step["month"]
        first = timezone.datetime(int(month[:4]), int(month[5:]), 1)
        end = (first + timedelta(days=32)).replace(day=1)
        with create_session() as session:
            dag = SerializedDagModel.get_dag(self._dag_id(step), session=session)
            info = _scheduled(dag, end)
            conf = step.get("conf") or {}
            run_type = DagRunType.MANUAL if conf else DagRunType.SCHEDULED
            try:
                dag.create_dagrun(
                    run_id=f"{run_type.value}__{month}",
                    logical_date=info.logical_date if info else first,
                    data_interval=info.data_interval if info else (first, end),
                    run_after=info.run_after if info else end,
                    conf=conf,
                    run_type=run_type,
                    triggered_by=DagRunTriggeredByType.TEST,
                    state=DagRunState.QUEUED,
                    session=session,
                )
            except (ValueError, AirflowException) as error:
                session.rollback()
                return str(error)[:300]
        return ""

    def _dag_id(self, step: dict[str, Any]) -> str:
        return str(step.get("dag", "flight_delays"))

    def _clear(self, step: dict[str, Any]) -> None:
        """Clear a month's run, as the button in the web page does."""
        self._hold_clock()
        with create_session() as session:
            dag = SerializedDagModel.get_dag(self._dag_id(step), session=session)
            dag.clear(run_id=f"scheduled__{step['month']}", session=session)

    def _drive(self) -> None:
        """Go round the scheduler's loop until no run is left that could go on."""
        idle = 0
        for _ in range(_LAPS):
            if time.monotonic() > self.deadline:
                self.trouble = "the runs took too long and were stopped"
                return
            with create_session() as session:
                queued = self.scheduler._do_scheduling(session)
                session.expunge_all()
            self.executor.heartbeat()
            self._refuse_lost_database()
            with create_session() as session:
                self.scheduler._process_executor_events(executor=self.executor, session=session)
            moved = self._callbacks() + self._let_time_pass() + queued
            idle = 0 if moved else idle + 1
            if idle and not self._open_runs():
                return
            if idle > 6:
                return
            if idle:
                time.sleep(_LOOK)

    def _open_runs(self) -> int:
        with create_session() as session:
            states = (DagRunState.QUEUED, DagRunState.RUNNING)
            waiting = session.scalars(select(DagRun.id).where(DagRun.state.in_(states))).all()
            query, _ = DagModel.dags_needing_dagruns(session)
            return len(waiting) + len(query.all())

    def _callbacks(self) -> int:
        """Run the callbacks the scheduler has asked for, where the DAG processor would."""
        requests, self.executor.callback_sink.requests = self.executor.callback_sink.requests, []
        for request in requests:
            self._process(self.place.dags / Path(request.filepath).name, [request])
        return len(requests)

    def _let_time_pass(self) -> int:
        """Make every waiting retry due, and note how long it would have waited."""
        with create_session() as session:
            waiting = session.scalars(
                select(TaskInstance).where(TaskInstance.state == TaskInstanceState.UP_FOR_RETRY)
            ).all()
            # SQLite's clock has whole seconds: a run that is due now would wait for the next one.
            session.execute(
                update(DagRun)
                .where(DagRun.state == DagRunState.QUEUED)
                .values(run_after=timezone.utcnow() - timedelta(seconds=2))
            )
            moved = 0
            for ti in waiting:
                dag = SerializedDagModel.get_dag(ti.dag_id, session=session)
                ti.task = dag.get_task(ti.task_id)
                if ti.end_date is None:
                    continue
                wait = ti.next_retry_datetime() - ti.end_date
                self.delays.setdefault(_key(ti), []).append(round(wait.total_seconds(), 1))
                ti.end_date -= wait + timedelta(seconds=1)
                moved += 1
            return moved

    # --- what is there now ----------------------------------------------------------------

    def _runs(self) -> list[dict[str, Any]]:
        with create_session() as session:
            runs = session.scalars(select(DagRun).order_by(DagRun.id)).all()
            events = session.scalars(select(AssetEvent)).all()
            return [
                {
                    "dag": run.dag_id,
                    "run": run.run_id,
                    "type": str(run.run_type),
                    "state": str(run.state),
                    "start": run.data_interval_start and run.data_interval_start.isoformat(),
                    "tasks": self._tasks(run, session),
                    "xcoms": self._xcoms(run, session),
                    "events": [
                        e.uri
                        for e in events
                        if (e.source_dag_id, e.source_run_id) == (run.dag_id, run.run_id)
                    ],
                    "triggered_by": [
                        e.source_run_id for e in run.consumed_asset_events if e.source_run_id
                    ],
                }
                for run in runs
            ]

    def _tasks(self, run: DagRun, session: Any) -> list[dict[str, Any]]:
        """Return a run's tasks, those that others wait for first."""
        dag = SerializedDagModel.get_dag(run.dag_id, session=session)
        before = {t.task_id: t.upstream_task_ids for t in dag.tasks}

        def depth(task: str) -> int:
            return 1 + max(map(depth, before.get(task, ())), default=0)

        found = [self._task(ti) for ti in run.get_task_instances(session=session)]
        return sorted(found, key=lambda t: (depth(t["task"]), t["task"], t["index"]))

    def _task(self, ti: TaskInstance) -> dict[str, Any]:
        log, error = _said(self.place.folder / "logs" / f"{ti.id}.log")
        return {
            "task": ti.task_id,
            "index": ti.map_index,
            "state": str(ti.state),
            "tries": ti.try_number,
            "delays": self.delays.get(_key(ti), []),
            "killed": str(ti.id) in self.executor.killed,
            "log": log,
            "error": error,
        }

    def _xcoms(self, run: DagRun, session: Any) -> dict[str, int]:
        """Return how many bytes each task passed on through XCom."""
        found: dict[str, int] = {}
        for row in session.scalars(select(XComModel).where(XComModel.dag_run_id == run.id)):
            size = len(json.dumps(row.value, default=str))
            found[row.task_id] = max(size, found.get(row.task_id, 0))
        return found

    def _files(self) -> dict[str, Any]:
        """Return the lake's files: their content where it is short, else its hash."""
        found: dict[str, Any] = {}
        for path in sorted(self.place.lake.rglob("*"))[:300]:
            if path.is_symlink() or not path.is_file():
                continue
            data = path.read_bytes() if path.stat().st_size <= _FILE_BYTES else None
            name = str(path.relative_to(self.place.lake))
            if data is None:
                found[name] = f"{path.stat().st_size} bytes"
                continue
            found[name] = data.decode("utf-8", "replace")
        return found

    def _token_places(self) -> list[str]:
        """Tell where the token of the service can be read that is not its connection."""
        token = self.source.behaviour.token
        found = [n for n, text in self._files().items() if token in text]
        with create_session() as session:
            for row in session.scalars(select(XComModel)):
                if token in json.dumps(row.value, default=str):
                    found.append(f"the XCom of task {row.task_id}")
        return found[:3]


def _may_hold_a_dag(path: Path) -> bool:
    """Tell what Airflow asks before it reads a file: does it mention both "airflow" and "dag"?"""
    text = path.read_bytes().lower()
    return b"airflow" in text and (b"dag" in text or b"asset" in text)


def _due(dag: Any) -> list[Any]:
    """Return the runs that the schedule has between the DAG's dates, up to forty."""
    # As a backfill sees it: catchup only says what happens without being asked.
    within = dag._time_restriction._replace(catchup=True)
    found: list[Any] = []
    while len(found) < _RUNS:
        last = found[-1] if found else None
        info = dag.timetable.next_dagrun_info_v2(last_dagrun_info=last, restriction=within)
        if info is None or info.run_after > timezone.utcnow():
            break
        found.append(info)
    return found


def _scheduled(dag: Any, end: datetime) -> Any:
    """Return the schedule's run for the month that ends then; None if there is none."""
    near = timedelta(days=2)
    for info in dag.iter_dagrun_infos_between(end - timedelta(days=63), end + near):
        if abs(info.run_after - end) <= near:
            return info
    return None


def _task_facts(task: Any) -> dict[str, Any]:
    return {
        "retries": task.retries or 0,
        "delay": task.retry_delay.total_seconds(),
        "backoff": float(task.retry_exponential_backoff or 0),
        "after": sorted(task.upstream_task_ids),
        "rule": str(task.trigger_rule),
        "mapped": bool(task.is_mapped),
        "outlets": [getattr(o, "uri", str(o)) for o in task.outlets],
    }


def _key(ti: TaskInstance) -> str:
    return f"{ti.dag_id}/{ti.run_id}/{ti.task_id}/{ti.map_index}"


def _said(path: Path) -> tuple[str, str]:
    """Return the end of a task's log, as a reader wants it, and the last error in it."""
    try:
        lines = path.read_text("utf-8", "replace").splitlines()[-_LOG_LINES:]
    except OSError:
        return "", ""
    words, last = [], ""
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        # The error itself, then what it came of.
        errors = [
            f"{error.get('exc_type')}: {error.get('exc_value')}"
            for error in entry.get("error_detail") or []
        ]
        words += errors
        last = errors[0] if errors else last
        words.append(str(entry.get("event", "")))
    return "\n".join(words)[-1500:], last[:1500]
