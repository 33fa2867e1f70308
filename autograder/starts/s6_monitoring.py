"""Start states of lab s6_monitoring: a service nobody watches, and a year that changes under it.

``s6_monitoring_flights.csv.gz`` holds 600 flights of each month of 2013, taken at even distances
from the month's flights in order of their arrival delay, so that a month's mean delay is kept:
July +16.7 minutes, September −3.9.  A test derives it anew from the package ``flights``.
"""

from __future__ import annotations

import csv
import functools
import gzip
import io
import json
import math
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from autograder.starts import start

Row = dict[str, str]

SCHEDULE = ("carrier", "flight", "origin", "dest", "distance", "sched_dep_time", "sched_arr_time")
REFERENCE = (1, 2, 3)
KILOMETRES = 1.609344


# --- Flights -----------------------------------------------------------------------------------


@functools.cache
def _all_rows() -> dict[int, list[Row]]:
    packed = Path(__file__).with_name("s6_monitoring_flights.csv.gz").read_bytes()
    months: dict[int, list[Row]] = {}
    for row in csv.DictReader(io.StringIO(gzip.decompress(packed).decode())):
        months.setdefault(int(row["sched_dep_time"][5:7]), []).append(row)
    return months


def flight_rows(month: int) -> list[Row]:
    """Return 600 flights of a month of 2013: its schedule and ``arr_delay``, empty if unknown."""
    if month not in range(1, 13):
        raise ValueError(f"month is {month!r}: give 1 to 12.")
    return _all_rows()[month]


def request_of(row: Row) -> dict[str, Any]:
    """Return a flight as the booking system sends it to ``/predict``."""
    given: dict[str, Any] = {name: row[name] for name in SCHEDULE}
    return given | {"flight": int(row["flight"]), "distance": float(row["distance"])}


def hour_of(row: Row) -> int:
    """Return the scheduled hour of departure, as the clock in New York shows it."""
    return int(row["sched_dep_time"][11:13])


# --- The model ---------------------------------------------------------------------------------

# A logistic regression on January to March; scikit-learn found the weights, once.
MODEL: dict[str, Any] = {
    "version": "2013.03",
    "trained_on": "January to March 2013",
    "intercept": -0.916,
    "hour": {
        **{"5": -0.572, "6": -0.589, "7": -0.592, "8": -0.376, "9": -0.308, "10": -0.349},
        **{"11": -0.348, "12": -0.205, "13": -0.098, "14": 0.055, "15": 0.226, "16": 0.191},
        **{"17": 0.376, "18": 0.299, "19": 0.387, "20": 0.319, "21": 0.339, "22": 0.392},
        **{"23": -0.035},
    },
    "carrier": {
        **{"9E": 0.073, "AA": -0.182, "AS": -0.111, "B6": 0.345, "DL": -0.452, "EV": 0.661},
        **{"F9": 0.435, "FL": 0.02, "HA": -0.085, "MQ": -0.019, "OO": 0.026, "UA": -0.191},
        **{"US": -0.332, "VX": -0.905, "WN": -0.169, "YV": -0.002},
    },
    "origin": {"EWR": -0.185, "JFK": -0.447, "LGA": -0.255},
}


def probability(row: Row) -> float:
    """Return what the model says of a flight, rounded as the service answers it."""
    z = MODEL["intercept"] + MODEL["hour"].get(str(hour_of(row)), 0.0)
    z += MODEL["carrier"][row["carrier"]] + MODEL["origin"][row["origin"]]
    return round(1 / (1 + math.exp(-z)), 4)


_MODEL_PY = '''\
"""The model that was trained in spring: four numbers a flight, added up."""

import json
import math
from pathlib import Path

PATH = Path(__file__).with_name("model.json")


class Model:
    """Weights and the version they carry."""

    def __init__(self, weights):
        self.weights = weights
        self.version = weights["version"]

    @classmethod
    def load(cls, path=PATH):
        """Read the weights from a file."""
        return cls(json.loads(Path(path).read_text()))

    def predict(self, flight):
        """Return the probability that a flight arrives 15 minutes late or more.

        Raises KeyError for a carrier or an airport it was never trained on.
        """
        w = self.weights
        z = w["intercept"] + w["hour"].get(str(flight["sched_dep_time"].hour), 0.0)
        z += w["carrier"][flight["carrier"]] + w["origin"][flight["origin"]]
        return round(1 / (1 + math.exp(-z)), 4)
'''

SERVICE_PY = '''\
"""Answers one question: will this flight arrive 15 minutes late or more?

Start it:  python -m uvicorn service:app --port 8000
"""

import uuid
from datetime import datetime

from fastapi import FastAPI
from pydantic import BaseModel

from model import Model


class Flight(BaseModel):
    """What the booking system sends. `contact` is the traveller's address for news."""

    carrier: str
    flight: int
    origin: str
    dest: str
    distance: float
    sched_dep_time: datetime
    sched_arr_time: datetime
    contact: str | None = None


app = FastAPI(title="flight-delays")
app.state.model = Model.load()


@app.post("/predict")
def predict(flight: Flight):
    """Return the probability of a late arrival, and the verdict at 0.3."""
    model = app.state.model
    probability = model.predict(flight.model_dump())
    return {
        "request_id": uuid.uuid4().hex,
        "model_version": model.version,
        "probability": probability,
        "predicted": "late" if probability >= 0.3 else "on_time",
    }


@app.post("/reload")
def reload():
    """Take the weights that lie on disk now."""
    app.state.model = Model.load()
    return {"model_version": app.state.model.version}
'''


def _service(folder: Path) -> None:
    _write(folder, "service.py", SERVICE_PY)
    _write(folder, "model.py", _MODEL_PY)
    _write(folder, "model.json", json.dumps(MODEL, indent=1) + "\n")


# --- A history of metrics ----------------------------------------------------------------------

METRICS_MD = """\
# What the service tells Prometheus

| metric | type | labels |
|---|---|---|
| `flights_requests_total` | counter | `outcome`: `ok`, `rejected` (the request was wrong, 4xx), `failed` (we were wrong, 5xx) |
| `flights_latency_seconds` | histogram | buckets up to 2.5 s |
| `flights_predictions_total` | counter | `predicted`: `late`, `on_time` |
| `flights_model_info` | gauge, always 1 | `version` |

Prometheus adds `job="flights"` and `instance`. There are two instances.
"""  # noqa: E501

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
# Of a hundred fast and a hundred slow answers, how many end in each bucket.
_FAST = (0, 20, 60, 17, 3, 0, 0, 0, 0)
_SLOW = (0, 0, 0, 0, 0, 0, 30, 60, 10)
_INSTANCES = (("10.0.0.1:8000", 0.6), ("10.0.0.2:8000", 0.4))


@dataclass(frozen=True)
class Phase:
    """Minutes in which the service behaves alike: requests a minute, and shares of them."""

    minutes: int
    requests: int = 300
    failed: float = 0.004
    rejected: float = 0.03
    slow: float = 0.01
    late: float = 0.24
    version: str = "2013.03"


Key = tuple[str, tuple[tuple[str, str], ...]]


@dataclass
class History:
    """Series with one value a minute from ``start`` (Unix time), and the truth about them."""

    start: int
    series: dict[Key, list[float | None]] = field(default_factory=dict)
    minutes: int = 0

    def at(self, minute: int) -> int:
        """Return the Unix time of a minute."""
        return self.start + 60 * minute

    def increase(self, name: str, minute: int, window: int = 5, **labels: str) -> float:
        """Return how much the counters of that name rose in the minutes before ``minute``."""
        total = 0.0
        for (own, given), values in self.series.items():
            if own != name or not labels.items() <= dict(given).items():
                continue
            for m in range(max(1, minute - window + 1), minute + 1):
                before, now = values[m - 1] or 0.0, values[m] or 0.0
                # A counter that fell was started anew, from zero.
                total += now - before if now >= before else now
        return total

    def error_ratio(self, minute: int) -> float:
        """Return the share of requests in the last five minutes that failed by our fault."""
        all_ = self.increase("flights_requests_total", minute)
        return self.increase("flights_requests_total", minute, outcome="failed") / all_

    def late_share(self, minute: int) -> float:
        """Return the share of predictions in the last five minutes that said late."""
        all_ = self.increase("flights_predictions_total", minute)
        return self.increase("flights_predictions_total", minute, predicted="late") / all_

    def quantile(self, minute: int, q: float = 0.95) -> float:
        """Return a percentile of the latency, interpolated in its bucket as Prometheus does."""
        name = "flights_latency_seconds_bucket"
        below = [self.increase(name, minute, le=_le(b)) for b in BOUNDS]
        rank = q * self.increase(name, minute, le="+Inf")
        lower, before = 0.0, 0.0
        for bound, count in zip(BOUNDS, below, strict=True):
            if count >= rank:
                return lower + (bound - lower) * (rank - before) / (count - before)
            lower, before = bound, count
        return BOUNDS[-1]

    def text(self) -> str:
        """Return the history in OpenMetrics form, with times."""
        kinds = {
            "flights_requests": "counter",
            "flights_latency_seconds": "histogram",
            "flights_predictions": "counter",
            "flights_model_info": "gauge",
            "up": "gauge",
        }
        lines = []
        for family, kind in kinds.items():
            lines.append(f"# TYPE {family} {kind}")
            for (name, labels), values in self.series.items():
                if _family(name) == family:
                    inner = ",".join(f'{k}="{v}"' for k, v in labels)
                    lines += [
                        f"{name}{{{inner}}} {value:g} {self.at(m)}"
                        for m, value in enumerate(values)
                        if value is not None
                    ]
        return "\n".join([*lines, "# EOF", ""])


def _family(name: str) -> str:
    for end in ("_total", "_bucket", "_count", "_sum"):
        name = name.removesuffix(end)
    return name


def _le(bound: float) -> str:
    return f"{bound:g}" if bound != 1 else "1.0"


def history(start: int, phases: Sequence[Phase], restart: int | None = None) -> History:
    """Return the metrics of two instances through the phases; the second restarts at a minute."""
    made = History(start)
    steps = [phase for phase in phases for _ in range(phase.minutes)]
    made.minutes = len(steps)
    for instance, share in _INSTANCES:
        sums: dict[Key, float] = {}
        for minute, phase in enumerate(steps):
            if minute == restart and instance == _INSTANCES[-1][0]:
                sums = dict.fromkeys(sums, 0.0)
            for key, value in _minute(phase, phase.requests * share, instance):
                sums[key] = sums.get(key, 0.0) + value
            _append(made, minute, {k: float(round(v)) for k, v in sums.items()})
            info = _key("flights_model_info", instance, version=phase.version)
            _append(made, minute, {info: 1.0, _key("up", instance): 1.0})
    for values in made.series.values():
        values += [None] * (made.minutes - len(values))
    return made


def _append(made: History, minute: int, values: Mapping[Key, float]) -> None:
    for key, value in values.items():
        own = made.series.setdefault(key, [])
        own += [None] * (minute - len(own))
        own.append(value)


def _minute(phase: Phase, requests: float, instance: str) -> Iterable[tuple[Key, float]]:
    """Yield what one minute adds to each counter of an instance."""
    shares = {"failed": phase.failed, "rejected": phase.rejected}
    good = requests * (1 - sum(shares.values()))
    for outcome, count in {"ok": good, **{k: requests * v for k, v in shares.items()}}.items():
        yield _key("flights_requests_total", instance, outcome=outcome), count
    for predicted, share in {"late": phase.late, "on_time": 1 - phase.late}.items():
        yield _key("flights_predictions_total", instance, predicted=predicted), good * share
    below = 0.0
    for bound, fast, slow in zip(BOUNDS, _FAST, _SLOW, strict=True):
        below += requests * ((1 - phase.slow) * fast + phase.slow * slow) / 100
        yield _key("flights_latency_seconds_bucket", instance, le=_le(bound)), below
    yield _key("flights_latency_seconds_bucket", instance, le="+Inf"), requests
    yield _key("flights_latency_seconds_count", instance), requests
    seconds = requests * ((1 - phase.slow) * 0.021 + phase.slow * 0.7)
    yield _key("flights_latency_seconds_sum", instance), seconds


def _key(name: str, instance: str, **labels: str) -> Key:
    own = {"instance": instance, "job": "flights", **labels}
    return name, tuple(sorted(own.items()))


def shown_history() -> History:
    """Return the two hours that tasks 5 and 7 come with: 8 July 2013, 12:00 to 14:00 UTC."""
    phases = [
        Phase(40),
        Phase(20, requests=420, failed=0.09, slow=0.02),
        Phase(30, requests=360, slow=0.12, late=0.31),
        Phase(30, requests=240, rejected=0.08, late=0.2),
    ]
    return history(1_373_284_800, phases)


def incident_history() -> History:
    """Return the two hours of task 11: a new model comes at minute 41 and goes at minute 83."""
    new = {"version": "2013.07", "late": 0.55}
    phases = [
        Phase(41, requests=320),
        Phase(42, requests=320, failed=0.22, **new),
        Phase(37, requests=320),
    ]
    return history(1_373_875_200, phases)


# --- Months for drift, labels, trigger --------------------------------------------------------

DRIFT_COLUMNS = ("carrier", "origin", "hour", "distance")


def drift_rows(month: int, factor: float = 1.0) -> list[dict[str, Any]]:
    """Return a month as the model saw it; ``factor`` is what its distances are multiplied by."""
    return [
        {
            "carrier": row["carrier"],
            "origin": row["origin"],
            "hour": hour_of(row),
            "distance": round(float(row["distance"]) * factor, 1),
        }
        for row in flight_rows(month)
    ]


AS_OF = datetime(2013, 10, 1, tzinfo=UTC)


def label_rows(months: Sequence[int] = (7, 8, 9)) -> tuple[list[Row], list[Row]]:
    """Return predictions, and the labels of all of them whenever they became known.

    That a flight was on time is known after two days; a late one is argued about for 10 to 24.
    """
    predictions, labels = [], []
    for month in months:
        for number, row in enumerate(flight_rows(month)):
            name = f"{month:02d}-{number:04d}"
            predictions.append(
                {
                    "id": name,
                    "departure": row["sched_dep_time"],
                    "probability": f"{probability(row):.4f}",
                }
            )
            if not row["arr_delay"]:
                continue
            late = int(row["arr_delay"]) >= 15
            days = 10 + zlib.crc32(name.encode()) % 15 if late else 2
            known = datetime.fromisoformat(row["sched_arr_time"]) + timedelta(days=days)
            labels.append({"id": name, "known_at": known.isoformat(), "late": str(int(late))})
    return predictions, labels


def trigger_rows(
    month: int, *, factor: float = 1.0, hours: int = 0, labels: int | None = None, more: float = 0
) -> list[dict[str, Any]]:
    """Return a month for the trigger: changed inputs, fewer labels, or more delay, if asked for."""
    rows: list[dict[str, Any]] = []
    for row in flight_rows(month):
        known = row["arr_delay"] != "" and (labels is None or labels > 0)
        labels = labels - 1 if labels is not None and known else labels
        rows.append(
            {
                "hour": max(0, hour_of(row) - hours),
                "distance": round(float(row["distance"]) * factor, 1),
                "arr_delay": round(int(row["arr_delay"]) + more, 1) if known else "",
            }
        )
    return rows


def write_trigger(
    folder: Path, months: Mapping[str, list[dict[str, Any]]], expected: Mapping[str, Any]
) -> None:
    """Write the folder that a trigger reads: reference, months, and what is expected of them."""
    reference = [row for month in REFERENCE for row in trigger_rows(month)]
    write_csv(folder / "reference.csv", reference)
    (folder / "months").mkdir()
    for name, rows in months.items():
        write_csv(folder / "months" / f"{name}.csv", rows)
    _write(folder, "expected.json", json.dumps(expected, indent=2) + "\n")


SHOWN_EXPECTED = {
    "2013-12": {"mean_delay": 14.0, "why": "winter storms and holidays, as every year"},
    "2013-10": {"drift": ["distance"], "why": "the schedule gets more long flights"},
}


def shown_months() -> dict[str, list[dict[str, Any]]]:
    """Return the months that task 10 comes with."""
    return {
        "2013-04": trigger_rows(4),
        "2013-07": trigger_rows(7),
        "2013-09": trigger_rows(9),
        "2013-10": trigger_rows(10, factor=1.5),
        "2013-11": trigger_rows(11, factor=KILOMETRES),
        "2013-12": trigger_rows(12),
    }


# --- The folders ------------------------------------------------------------------------------


@start("1-metrics")
def metrics(folder: Path) -> None:
    """The service, and nothing that tells how it is doing."""
    _service(folder)


@start("2-audit")
def audit(folder: Path) -> None:
    """The same service: what it answered is forgotten at once."""
    _service(folder)


@start("3-health")
def health(folder: Path) -> None:
    """The same service: without its model it does not even start."""
    _service(folder)


@start("4-scrape")
def scrape(folder: Path) -> None:
    """A folder for Prometheus' configuration."""
    _write(folder, "METRICS.md", METRICS_MD)


@start("5-promql")
def promql(folder: Path) -> None:
    """Two hours of metrics, to ask questions of."""
    _write(folder, "METRICS.md", METRICS_MD)
    _write(folder, "history.om", shown_history().text())


@start("6-rules")
def rules(folder: Path) -> None:
    """A folder for rules and for their tests."""
    _write(folder, "METRICS.md", METRICS_MD)


@start("7-dashboard")
def dashboard(folder: Path) -> None:
    """The same two hours, to be drawn."""
    _write(folder, "METRICS.md", METRICS_MD)
    _write(folder, "history.om", shown_history().text())


@start("8-drift")
def drift(folder: Path) -> None:
    """The months the model was trained on, and two it was not."""
    write_csv(folder / "reference.csv", [row for m in REFERENCE for row in drift_rows(m)])
    write_csv(folder / "2013-09.csv", drift_rows(9))
    write_csv(folder / "2013-11.csv", drift_rows(11, KILOMETRES))


@start("9-labels")
def labels(folder: Path) -> None:
    """A summer of predictions, and labels that come late."""
    predictions, known = label_rows()
    write_csv(folder / "predictions.csv", predictions)
    write_csv(folder / "labels.csv", known)


@start("10-trigger")
def trigger(folder: Path) -> None:
    """Six months, and what was expected of two."""
    write_trigger(folder, shown_months(), SHOWN_EXPECTED)


@start("11-postmortem")
def postmortem(folder: Path) -> None:
    """Two hours of 15 July 2013 that somebody has to explain."""
    _write(folder, "METRICS.md", METRICS_MD)
    _write(folder, "history.om", incident_history().text())


def _write(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text, encoding="utf-8")


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows with a head line."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
