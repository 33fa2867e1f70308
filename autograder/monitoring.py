"""Run a prediction service, a Prometheus and traffic between them, for the length of a block.

Lab s6_monitoring and its checks both stand on this module.  Everything listens on free ports of
the loopback, is confined by `autograder.sandbox` where that works, and ends with its ``with``::

    with serving(folder) as service, prometheus(config_for(service)) as prom:
        replay(service, month=7)
        prom.query("sum(flights_requests_total)")
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import http.client
import json
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from autograder import lab, sandbox
from autograder.starts.s6_monitoring import BOUNDS, MODEL, flight_rows, probability, request_of

# Bounds of a replay: nobody's laptop is to be kept busy by mistake.
MOST_REQUESTS = 5000
MOST_SECONDS = 60.0
# No test server, no query and no tool here needs longer on a busy machine.
PATIENCE = 20.0
# A Prometheus asks its targets for the first time five seconds after its start.
FIRST_SCRAPE = 9.0


class ToolMissingError(RuntimeError):
    """Prometheus is not on this machine; the message says how to get it."""

    def _render_traceback_(self) -> list[str]:
        return [f"ToolMissingError: {self}"]


@dataclass(frozen=True)
class Reply:
    """What a server said: status (0 if it said nothing readable), headers and body."""

    status: int
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    @functools.cached_property
    def data(self) -> Any:
        """The body as JSON, or None if it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


@dataclass
class Address:
    """A server on this machine's loopback."""

    port: int
    server: sandbox.Server | None = None

    @property
    def target(self) -> str:
        """Return host and port as Prometheus writes them."""
        return f"127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, body: Any = None, seconds: float = 10.0) -> Reply:
        """Send one request; an answer that is none has status 0."""
        text = body if isinstance(body, str | None) else json.dumps(body)
        headers = {"Content-Type": "application/json"} if body is not None else {}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        try:
            connection.request(method, path, text, headers)
            answer = connection.getresponse()
            # One megabyte is more than any of these servers has to say.
            content = answer.read(1 << 20).decode("utf-8", "replace")
            return Reply(answer.status, content, dict(answer.getheaders()))
        except (OSError, http.client.HTTPException) as error:
            return Reply(0, f"{type(error).__name__}: {error}")
        finally:
            connection.close()

    def get(self, path: str) -> Reply:
        """Ask for a path."""
        return self.ask("GET", path)

    def predict(self, flight: Any) -> Reply:
        """Ask for one prediction."""
        return self.ask("POST", "/predict", flight)

    def predict_all(self, flights: Sequence[Any], at_once: int = 20) -> list[Reply]:
        """Ask for many predictions, ``at_once`` of them concurrently; replies in their order."""
        if not flights:
            return []
        with concurrent.futures.ThreadPoolExecutor(min(at_once, len(flights))) as pool:
            return list(pool.map(self.predict, flights))

    def metrics(self, start: str = "") -> str:
        """Return the lines of /metrics that begin with ``start``, without comments."""
        reply = self.get("/metrics")
        if reply.status in (301, 302, 307, 308):
            reply = self.get(urllib.parse.urlsplit(reply.headers.get("location", "")).path or "/")
        lines = reply.body.splitlines() if reply.status == 200 else []
        return "\n".join(ln for ln in lines if ln.startswith(start) and not ln.startswith("#"))


@contextlib.contextmanager
def serving(
    folder: str | Path, *, port: int = 0, answers: str = "/", seconds: float = PATIENCE
) -> Iterator[Address]:
    """Run the service of a folder with uvicorn until the block ends; then it gets a SIGTERM.

    The block begins when the path ``answers`` gives any answer.
    Raises `sandbox.ServerFailedError` if it does not start.
    """
    address = Address(port or sandbox.free_port())
    argv = [sys.executable, "-m", "uvicorn", "service:app", "--host", "127.0.0.1"]
    argv += ["--port", str(address.port), "--log-level", "warning", "--no-access-log"]
    # Without it, a request that never ends would keep the service from ending.
    argv += ["--timeout-graceful-shutdown", "5"]
    with sandbox.serve(
        argv,
        folder=Path(folder).resolve(),
        answers=lambda: address.get(answers).status > 0,
        seconds=seconds,
        # `python service.py` has its folder on the path; uvicorn adds it by itself, too.
        limits=_limits(8 << 30, open_files=1024),
    ) as server:
        address.server = server
        yield address
        stop(address)


def stop(address: Address, seconds: float = 8.0) -> bool:
    """Send a service SIGTERM, as a deployment does; return True if it ended by itself in time."""
    if address.server is None:
        return True
    process = address.server.process
    if process.poll() is not None:
        return True
    with contextlib.suppress(psutil.Error):
        outer = psutil.Process(process.pid)
        # Outermost are the walls: to signal those would end the service without a word to it.
        inside = [p for p in (outer, *outer.children(recursive=True)) if p.name() != "bwrap"]
        if inside:
            inside[0].send_signal(signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            return True
        time.sleep(0.02)
    return False


# --- Traffic ---------------------------------------------------------------------------------


def replay(
    service: Address,
    month: int,
    count: int = 100,
    *,
    broken: int = 0,
    seconds: float = 30.0,
    at_once: int = 10,
) -> list[Reply]:
    """Send real schedule rows of a month of 2013, fast-forwarded, and return the replies.

    ``count`` rows of that month, of which the first ``broken`` lack their origin.  It ends after
    ``seconds`` whatever happened, and never sends more than 5,000 requests.
    """
    rows = [request_of(row) for row in flight_rows(month)]
    wanted = [dict(rows[i % len(rows)]) for i in range(min(count, MOST_REQUESTS))]
    for row in wanted[:broken]:
        del row["origin"]
    ends = time.monotonic() + min(seconds, MOST_SECONDS)
    replies: list[Reply] = []
    for i in range(0, len(wanted), 50):
        if time.monotonic() > ends:
            break
        replies += service.predict_all(wanted[i : i + 50], at_once)
    return replies


# --- Prometheus ------------------------------------------------------------------------------

INSTALL = (
    "Debian, Ubuntu, WSL: sudo apt-get install prometheus; macOS: brew install prometheus. "
    "`autograder doctor` tells more."
)


def require_prometheus() -> tuple[Path, Path]:
    """Return where Prometheus and promtool are; raises ToolMissingError where one is absent."""
    found = {tool: shutil.which(tool) for tool in ("prometheus", "promtool")}
    missing = [tool for tool, path in found.items() if path is None]
    if missing:
        raise ToolMissingError(f"no {' and no '.join(missing)} on this machine. {INSTALL}")
    # In the sandbox there is a shorter PATH.
    server, tool = (Path(path).resolve() for path in found.values() if path)
    return server, tool


@dataclass(frozen=True)
class Sample:
    """One element of a query's answer: its labels and its value."""

    labels: dict[str, str]
    value: float

    def __repr__(self) -> str:
        name = self.labels.get("__name__", "")
        inner = ", ".join(f'{k}="{v}"' for k, v in self.labels.items() if k != "__name__")
        return f"{name}{{{inner}}} {self.value:.4g}"


class QueryError(RuntimeError):
    """Prometheus refuses a query; the message is its own."""

    def _render_traceback_(self) -> list[str]:
        return [f"QueryError: {self}"]


@dataclass
class Prometheus(Address):
    """A running Prometheus."""

    def query(self, expression: str, at: float | None = None) -> list[Sample]:
        """Return what an expression is worth, now or at a Unix time; raises QueryError."""
        moment = {} if at is None else {"time": at}
        data = self._api("query", {"query": expression, **moment})
        if data["resultType"] in ("scalar", "string"):
            return [Sample({}, float(data["result"][1]))]
        found = [Sample(r["metric"], float(r["value"][1])) for r in data["result"]]
        # Prometheus promises no order.
        return sorted(found, key=lambda sample: sorted(sample.labels.items()))

    def range(
        self, expression: str, start: float, end: float, step: float
    ) -> list[tuple[dict[str, str], list[tuple[float, float]]]]:
        """Return an expression's course between two Unix times; raises QueryError."""
        given = {"query": expression, "start": start, "end": end, "step": step}
        result = self._api("query_range", given)["result"]
        return [(r["metric"], [(float(t), float(v)) for t, v in r["values"]]) for r in result]

    def _api(self, what: str, values: Mapping[str, Any]) -> dict[str, Any]:
        reply = self.get(f"/api/v1/{what}?{urllib.parse.urlencode(values)}")
        answer = reply.data
        if not isinstance(answer, dict) or answer.get("status") != "success":
            said = (answer or {}).get("error") if isinstance(answer, dict) else reply.body
            raise QueryError(str(said)[:300])
        return answer["data"]

    def wait_for(self, expression: str, seconds: float = FIRST_SCRAPE) -> list[Sample]:
        """Ask again and again until an expression has a value, at most ``seconds``."""
        deadline = time.monotonic() + seconds
        while True:
            with contextlib.suppress(QueryError):
                if found := self.query(expression):
                    return found
            if time.monotonic() > deadline:
                return []
            time.sleep(0.1)


def config_for(service: Address, job: str = "flights", every: str = "250ms") -> str:
    """Return the configuration of a Prometheus that scrapes one service, very often."""
    return (
        f"global: {{scrape_interval: {every}, evaluation_interval: {every}}}\n"
        f"scrape_configs:\n"
        f"  - job_name: {job}\n"
        f"    scrape_timeout: {every}\n"
        f'    static_configs: [{{targets: ["{service.target}"]}}]\n'
    )


@contextlib.contextmanager
def prometheus(
    config: str | Path = "global: {}\n", *, history: Path | str | None = None
) -> Iterator[Prometheus]:
    """Run a Prometheus until the block ends.

    ``config`` is its configuration, or a folder with ``prometheus.yml`` and all it refers to.
    ``history`` is a file in OpenMetrics form with times, or its text, that it knows from the start.
    Raises ToolMissingError, or `sandbox.ServerFailedError` with Prometheus' own words.
    """
    binary, _ = require_prometheus()
    with tempfile.TemporaryDirectory(prefix=".prom-", dir=_roomy(history)) as name:
        folder = Path(name).resolve() / "prometheus"
        if isinstance(config, Path):
            shutil.copytree(config, folder)
        else:
            folder.mkdir()
            (folder / "prometheus.yml").write_text(config)
        data = Path(name).resolve() / "prometheus" / ".data"
        if history is not None:
            text = history.read_text() if isinstance(history, Path) else history
            _backfill(text, folder, data)
        prom = Prometheus(sandbox.free_port())
        argv = [str(binary), "--config.file=prometheus.yml", f"--storage.tsdb.path={data}"]
        argv += [f"--web.listen-address={prom.target}", "--log.level=warn"]
        # What is told of the year 2013 would else be thrown away for its age.
        argv += ["--storage.tsdb.retention.time=100y"]
        with sandbox.serve(
            argv,
            folder=folder,
            answers=lambda: prom.get("/-/ready").status == 200,
            seconds=PATIENCE,
            limits=_limits(16 << 30, file_size=512 << 20),
            readable=[binary],
        ) as server:
            prom.server = server
            yield prom


def _roomy(history: Path | str | None) -> Path | None:
    """Return a folder on a disk for a history, None for the usual one.

    While it writes a block, promtool reserves 512 MB, which in a /tmp that is memory are not there.
    """
    own = lab.current("s6_monitoring")
    return own.folder if own and history is not None else None


def _backfill(text: str, folder: Path, data: Path) -> None:
    """Turn a history into Prometheus' own blocks."""
    (folder / "history.om").write_text(text)
    made = promtool("tsdb", "create-blocks-from", "openmetrics", "history.om", str(data), at=folder)
    if not made.ok:
        raise ValueError(f"promtool cannot read this history: {made.last_line}")


def promtool(*arguments: str, at: Path) -> sandbox.Completed:
    """Run promtool, confined to a folder; raises ToolMissingError."""
    _, binary = require_prometheus()
    limits = _limits(16 << 30, seconds=PATIENCE, file_size=512 << 20)
    return sandbox.run([str(binary), *arguments], folder=at, limits=limits, readable=[binary])


# --- Pieces of text ---------------------------------------------------------------------------


def copy_without(folder: Path, target: Path, names: Iterable[str] = ()) -> Path:
    """Copy a learner's folder to where it can be worked on; links out of it do not come along."""
    skip = {"__pycache__", ".data", *names}

    def ignore(where: str, entries: list[str]) -> set[str]:
        bad = {e for e in entries if e in skip or (Path(where) / e).is_symlink()}
        odd = {e for e in entries if not ((p := Path(where) / e).is_file() or p.is_dir())}
        return bad | odd

    shutil.copytree(folder, target, ignore=ignore)
    return target


def plain(text: str) -> str:
    """Return a learner's text on one line, without what a terminal would obey."""
    return re.sub(r"[^\x20-\x7e…·]+", " ", text).strip()


def _limits(memory: int, **others: Any) -> sandbox.Limits:
    """Return limits that can be set also where the grader has set some already.

    Go reserves far more address space than it uses.
    """
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    most = memory if hard == resource.RLIM_INFINITY else min(memory, hard)
    return sandbox.Limits(memory=most, **others)


# --- The team's service ------------------------------------------------------------------------


@contextlib.contextmanager
def team_service(requests: int = 300) -> Iterator[Address]:
    """Serve the metrics that Ana's finished service has after ``requests`` real flights of July.

    It speaks to Prometheus only; it is what tasks 4 to 7 are about.
    """
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

    registry = CollectorRegistry()
    outcomes = Counter("flights_requests", "Requests", ["outcome"], registry=registry)
    classes = Counter("flights_predictions", "Predictions", ["predicted"], registry=registry)
    seconds = Histogram("flights_latency_seconds", "Latency", buckets=BOUNDS, registry=registry)
    version = Gauge("flights_model_info", "Model", ["version"], registry=registry)
    for outcome in ("ok", "rejected", "failed"):
        outcomes.labels(outcome)
    version.labels(MODEL["version"]).set(1)
    for row in flight_rows(7)[:requests]:
        began = time.perf_counter()
        late = probability(row) >= 0.3
        classes.labels("late" if late else "on_time").inc()
        outcomes.labels("ok").inc()
        seconds.observe(time.perf_counter() - began)
    server, thread = start_http_server(0, addr="127.0.0.1", registry=registry)
    try:
        yield Address(server.server_port)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
