"""Checks of lab s6_monitoring: they run what the learner left, and watch it with real tools.

A service runs in the sandbox, gets traffic whose composition is known, and is scraped by a real
Prometheus.  Queries, rules and panels are asked of histories that only the check knows in full.
Scripts run in the sandbox on months that were not shown.  See `autograder.checks._s6_monitoring`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import yaml

from autograder.checks import CheckFailed, check
from autograder.checks import _s6_monitoring as shared
from autograder.monitoring import plain
from autograder.starts import s6_monitoring as starts
from autograder.starts.s6_monitoring import Phase, history

_METRICS = {"task": 1, "title": "Numbers a machine can read"}
_AUDIT = {"task": 2, "title": "A line for every answer"}
_HEALTH = {"task": 3, "title": "Alive is not ready"}
_SCRAPE = {"task": 4, "title": "Who asks whom, and how often"}
_PROMQL = {"task": 5, "title": "Three questions"}
_RULES = {"task": 6, "title": "Rules that wake the right person"}
_DASHBOARD = {"task": 7, "title": "A dashboard as code"}
_DRIFT = {"task": 8, "title": "Has the input changed?"}
_LABELS = {"task": 9, "title": "The truth comes late"}
_TRIGGER = {"task": 10, "title": "When to train again"}
_POSTMORTEM = {"task": 11, "title": "What happened, and when"}

# 1 · Numbers a machine can read


def _metrics(task: Path) -> dict[str, Any]:
    seen = shared.metrics_run(task)
    looked = f"{task.name}/service.py, started and asked by the check"
    shared.refuse_problem(
        seen, looked, f"start it yourself in work/{task.name}: python -m uvicorn service:app"
    )
    if "silent" in seen:
        raise CheckFailed(
            looked=f"/metrics of {task.name}/service.py",
            found=f"no metrics; the answer was {seen['silent']}",
            expected="text that Prometheus reads",
            hint='prometheus_client.make_asgi_app() is an app that answers so: app.mount("/metrics"'
            ", …) puts it into yours.",
        )
    return seen


def _scraped_at(task: Path) -> str:
    return f"{task.name}/service.py, as a Prometheus saw it that scraped it four times a second"


def _counts(counts: Mapping[str, float]) -> str:
    return ", ".join(f"{k} {v:g}" for k, v in sorted(counts.items())) or "nothing"


@check(**_METRICS, points=2)
def requests_counted(task: Path) -> None:
    """Every request is counted once, under its outcome, and no reload sets the count back."""
    seen = _metrics(task)
    for when, sent in (("first", seen["sent"]), ("third", seen["sent_in_all"])):
        got = seen[when]["outcomes"]
        if {k: v for k, v in got.items() if v} != sent:
            fell = when == "third" and sum(got.values()) < sum(sent.values())
            raise CheckFailed(
                looked=_scraped_at(task) + (", after POST /reload" if fell else ""),
                found=f"flights_requests_total: {_counts(got)}",
                expected=f"what was sent: {_counts(sent)}",
                hint="a counter lives as long as its process: make it once, at the top of the "
                "module, and never in a function that runs again."
                if fell
                else "count where every request passes, also those that FastAPI refuses before "
                "your function runs and those that end in an exception: that is a middleware. "
                "The status tells the outcome: 2xx ok, 4xx rejected, 5xx failed.",
            )


@check(**_METRICS, points=1)
def latency_measured(task: Path) -> None:
    """The latency is a histogram whose buckets can answer for a promise of 250 ms."""
    seen = _metrics(task)
    last, sent = seen["third"], sum(seen["sent_in_all"].values())
    bounds = sorted(float(b) for b in last["bounds"] if b not in ("", "+Inf"))
    problem, hint = "", ""
    if not bounds:
        problem = "no flights_latency_seconds_bucket"
        hint = (
            "an average hides the slow ones, and a Summary of this library has no percentile. "
            "A Histogram counts in buckets, and buckets can be added up over instances."
        )
    elif last["measured"] != sent:
        problem = f"{last['measured']:g} latencies of {sent} requests to /predict"
        hint = "measure around the whole request, where the outcome is counted, and in any case."
    elif len(bounds) > 25 or 0.25 not in bounds or bounds[0] > 0.01 or bounds[-1] < 1:
        problem = f"{len(bounds)} buckets: {shared.listed((f'{b:g}' for b in bounds), 12)}"
        hint = (
            "most answers take a few milliseconds, the promise is 0.25 s, a bad day has seconds. "
            "A bucket must begin below 0.01, one end at 0.25 exactly, one at 1 or above; the "
            "library's default buckets do."
        )
    elif not 0 < last["seconds"] / sent < 5:
        problem = f"a mean of {last['seconds'] / sent:.3g} for answers that took milliseconds"
        hint = "the unit is seconds: time.perf_counter() after minus before."
    if problem:
        raise CheckFailed(
            looked=_scraped_at(task),
            found=problem,
            expected="a histogram flights_latency_seconds that saw every request, in seconds, "
            "with at most 25 buckets around 0.25",
            hint=hint,
        )


@check(**_METRICS, points=1)
def labels_bounded(task: Path) -> None:
    """New flights, carriers and errors make no new series."""
    seen = _metrics(task)
    before, after = seen["first"]["series"], seen["second"]["series"]
    if not before:
        raise CheckFailed(
            looked=_scraped_at(task),
            found="no metric whose name begins with flights_",
            expected="your metrics, with labels that take a handful of values each",
            hint="the statement has the names; /metrics must show them after the first request.",
        )
    if after > before or after > 150:
        odd = sorted(set(seen["second"]["labels"]) - {"outcome", "predicted", "version", "job"})
        raise CheckFailed(
            looked=_scraped_at(task),
            found=f"{before} series after 259 requests, {after} after 92 more; labels: "
            f"{shared.listed((x for x in odd if x != 'instance'), 6) or 'outcome, …'}",
            expected="the same series, however many flights there are",
            hint="each combination of label values is a series that Prometheus keeps in memory. "
            "What has no end, a flight's number, a route, a request id, belongs in the audit log.",
        )


@check(**_METRICS, points=1)
def model_told(task: Path) -> None:
    """Predictions are counted by class, and the version in use is told, also after a reload."""
    seen = _metrics(task)
    want = {k: float(v) for k, v in seen["predictions"].items()}
    got = {k: v for k, v in seen["third"]["classes"].items() if v}
    looked = _scraped_at(task)
    if got != want:
        raise CheckFailed(
            looked=looked,
            found=f"flights_predictions_total: {_counts(got)}",
            expected=f"what was predicted: {_counts(want)}",
            hint='count under the label predicted, with what the answer says ("late", "on_time").',
        )
    total = sum(want.values())
    if seen["third"]["probabilities"] != total:
        raise CheckFailed(
            looked=looked,
            found=f"flights_probability_count is {seen['third']['probabilities']:g}",
            expected=f"{total:g}: each prediction's probability in a histogram",
            hint="Histogram('flights_probability', …, buckets=[0.1, 0.2, …]) and observe() it.",
        )
    for when, version in (("first", starts.MODEL["version"]), ("third", "2013.09")):
        if seen[when]["versions"] != [version]:
            after = " after a new model.json and POST /reload" if when == "third" else ""
            raise CheckFailed(
                looked=looked + after,
                found=f"flights_model_info says {shared.listed(seen[when]['versions']) or 'no'} "
                "version",
                expected="one series of value 1, with the version in use as its label",
                hint="set it where the model is loaded, at the start and in reload(). An Info "
                "named flights_model does it and forgets the old version by itself.",
            )


# 2 · A line for every answer

_FIELDS = ("request_id", "time", "model_version", "inputs_hash", "prediction", "latency_ms")


def _audit(task: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    seen = shared.audit_run(task)
    looked = f"{task.name}/service.py, started and asked by the check"
    shared.refuse_problem(
        seen, looked, f"start it yourself in work/{task.name}: python -m uvicorn service:app"
    )
    looked = f"{shared.AUDIT} that {task.name}/service.py wrote for the check"
    if not seen["there"]:
        raise CheckFailed(
            looked=looked,
            found="no such file beside service.py",
            expected=f"{shared.AUDIT} in the service's folder, one JSON object a line",
            hint="name it from the code's place: Path(__file__).with_name('audit.jsonl').",
        )
    lines = []
    for number, line in enumerate(seen["log"].splitlines(), 1):
        try:
            entry = json.loads(line)
        except ValueError:
            entry = None
        if not isinstance(entry, dict):
            raise CheckFailed(
                looked=f"line {number} of {looked}",
                found=f"no JSON object: {plain(line)[:100] or 'an empty line'}",
                expected="each line a JSON object of its own",
                hint="requests run in threads: write the whole line, with its end, in one call, "
                "and hold a lock while you do.",
            )
        lines.append(entry)
    return seen, lines


@check(**_AUDIT, points=2)
def audit_complete(task: Path) -> None:
    """Each prediction has one line, also of 200 at once; what was no prediction has none."""
    seen, lines = _audit(task)
    wanted = [answer["request_id"] for answer in seen["answers"]]
    ids = [str(line.get("request_id")) for line in lines]
    missing, more = set(wanted) - set(ids), [i for i in ids if i not in set(wanted)]
    twice = len(ids) - len(set(ids))
    if missing or more or twice:
        parts = [
            f"{len(lines)} lines for {len(wanted)} predictions",
            f"{len(missing)} missing" if missing else "",
            f"{len(more)} for requests that got no prediction" if more else "",
            f"{twice} twice" if twice else "",
        ]
        raise CheckFailed(
            looked=f"{shared.AUDIT} after 20 requests, 12 bad ones, 200 at once, and SIGTERM",
            found=", ".join(filter(None, parts)),
            expected="one line for each prediction that was answered, with its request_id",
            hint="write after the prediction and before the answer: what failed has no decision "
            "to log."
            if more
            else "a line that waits in memory dies with the process: flush it (or open, write, "
            "close) before you answer, and share no half-written line between threads.",
        )
    if not seen.get("ended"):
        raise CheckFailed(
            looked=f"{task.name}/service.py after SIGTERM",
            found="it still ran eight seconds later",
            expected="a service that ends when it is asked to",
            hint="a thread of yours may keep it alive: daemon=True, or end it at shutdown.",
        )


@check(**_AUDIT, points=1)
def audit_true(task: Path) -> None:
    """A line says what was answered, by which model, on which inputs, when, how fast."""
    seen, lines = _audit(task)
    by_id = {str(line.get("request_id")): line for line in lines}
    answers = [a for a in seen["answers"] if a.get("request_id") in by_id]
    if not answers:
        raise CheckFailed(
            looked=shared.AUDIT,
            found=f"no request_id of an answer among {len(lines)} lines",
            expected="the request_id that the caller got",
            hint="make it once, use it twice: in the line and in the answer.",
        )
    for answer in answers:
        line = by_id[answer["request_id"]]
        if problem := _untrue(line, answer, seen["began"], seen["over"]):
            raise CheckFailed(
                looked=f"the line of one request in {shared.AUDIT}",
                found=problem,
                expected=", ".join(_FIELDS),
                hint="prediction is the probability that was answered; time is ISO 8601 with an "
                "offset, such as datetime.now(UTC).isoformat(); latency_ms is a number.",
            )
    first, second = (by_id.get(seen["answers"][i].get("request_id"), {}) for i in seen["twins"])
    hashes = {str(line.get("inputs_hash")) for line in lines}
    same = first.get("inputs_hash") == second.get("inputs_hash")
    if not same or len(hashes) < 0.8 * len(lines):
        raise CheckFailed(
            looked=f"inputs_hash in {shared.AUDIT}",
            found="two hashes for one flight asked for by two travellers"
            if not same
            else f"{len(hashes)} different hashes in {len(lines)} lines",
            expected="the same hash for the same flight, another for another",
            hint="hash the flight, without contact, as JSON with sorted keys: "
            "hashlib.sha256(text.encode()).hexdigest(). Python's own hash() changes with each "
            "start.",
        )


def _untrue(line: Mapping[str, Any], answer: Mapping[str, Any], began: float, over: float) -> str:
    missing = [name for name in _FIELDS if name not in line]
    if missing:
        return f"no {', no '.join(missing)}"
    if line["prediction"] != answer["probability"]:
        return f"prediction {plain(str(line['prediction']))[:20]}, answered was another"
    if line["model_version"] != answer["model_version"]:
        return f"model_version {plain(str(line['model_version']))[:20]}"
    try:
        when = datetime.fromisoformat(str(line["time"]))
    except ValueError:
        return f"time {plain(str(line['time']))[:40]}, which is not ISO 8601"
    if when.tzinfo is None:
        return f"time {plain(str(line['time']))[:40]} without an offset from UTC"
    if not began - 2 <= when.timestamp() <= over + 2:
        return "a time at which the request was not there"
    latency = line["latency_ms"]
    if isinstance(latency, bool) or not isinstance(latency, int | float):
        return f"latency_ms is {plain(repr(latency))[:40]}, no number"
    if not 0 < latency < 1000 * (over - began):
        return f"latency_ms is {latency:.6g}"
    if not isinstance(line["inputs_hash"], str) or len(line["inputs_hash"]) < 16:
        return "inputs_hash is no text of 16 or more characters"
    return ""


@check(**_AUDIT, points=1)
def audit_private(task: Path) -> None:
    """No line holds the traveller's address."""
    seen, lines = _audit(task)
    text = seen["log"]
    if not lines:
        raise CheckFailed(
            looked=shared.AUDIT,
            found="no line at all",
            expected="lines without the traveller's address",
            hint="write the log first; then look what is in it.",
        )
    found = re.search(r"[\w.]+(?:@|%40|\\u0040)example\.\w+|traveller\.\d|crowd\.\d", text)
    if found:
        raise CheckFailed(
            looked=f"{shared.AUDIT} after requests that had a contact",
            found="the contact of a traveller",
            expected="nothing in it that leads to a person",
            hint="name the fields you log, one by one. Who logs the whole request logs also what "
            "is added to it next year.",
        )


# 3 · Alive is not ready


def _health(task: Path) -> dict[str, Any]:
    seen = shared.health_run(task)
    shared.refuse_problem(
        seen,
        f"{task.name}/service.py, started without model.json",
        "a missing model is no reason to crash: start without one (None), say so in /ready, and "
        "answer 503 to /predict.",
    )
    return seen


def _told(said: Mapping[str, Any]) -> str:
    return f"/health {said['health']}, /ready {said['ready']}, /predict {said['predict']}"


@check(**_HEALTH, points=1)
def alive_not_ready(task: Path) -> None:
    """Without its model the service lives and is not ready; with it, it is both."""
    seen = _health(task)
    wanted = {"without": (200, 503, 503), "with": (200, 200, 200)}
    for when, codes in wanted.items():
        said = seen[when]
        if (said["health"], said["ready"], said["predict"]) != codes:
            raise CheckFailed(
                looked=f"{task.name}/service.py "
                + ("without model.json" if when == "without" else "after it came and POST /reload"),
                found=_told(said),
                expected="/health {}, /ready {}, /predict {}".format(*codes),
                hint="/health asks: does the process answer? /ready asks: could it predict now? "
                "A load balancer sends no traffic where the answer is 503. "
                "raise HTTPException(503, …) makes one.",
            )


@check(**_HEALTH, points=1)
def stays_ready(task: Path) -> None:
    """A reload that fails leaves the model that works."""
    seen = _health(task)
    said = seen["broken"]
    good = said["ready"] == 200 and said["predict"] == 200 and said["right"]
    refused = seen["reload_broken"] >= 400
    if seen["with"]["predict"] != 200 or not good or not refused:
        raise CheckFailed(
            looked=f"{task.name}/service.py after POST /reload with half a model.json",
            found=f"/reload {seen['reload_broken']}, {_told(said)}",
            expected="/reload with an error, and the old model still at work",
            hint="load into a variable of its own first; only what was read to the end becomes "
            "app.state.model. Then answer 500 or 503, so that whoever reloads knows.",
        )


# 4 · Who asks whom, and how often


@check(**_SCRAPE, points=2)
def scraped(task: Path) -> None:
    """A Prometheus with this configuration gets the service's metrics."""
    looked = f"{task.name}/prometheus.yml"
    what = "a configuration with scrape_configs"
    hint = "the smallest one has global and one entry in scrape_configs: job_name, static_configs."
    config = shared.yaml_of(task / "prometheus.yml", what, hint)
    seen = shared.scrape_run(task)
    if seen.get("problem"):
        raise CheckFailed(
            looked=looked,
            found=plain(seen["problem"])[:300],
            expected="a configuration that Prometheus takes",
            hint="promtool check config prometheus.yml says the same, with the line.",
        )
    if not seen["up"]:
        known = [f"job {k.get('job')} at {k.get('instance')}" for k in seen["known"]]
        raise CheckFailed(
            looked=f"a Prometheus with {looked}, and the team's service on {shared.TARGET}",
            found=f"no target of job flights that is up; it knows: "
            f"{plain(shared.listed(known)).replace(seen['target'], shared.TARGET) or 'none'}",
            expected=f"job flights with {shared.TARGET}, up",
            hint="targets are host:port without http://, and the path is /metrics unless you say "
            "otherwise.",
        )
    if not any(labels.get("env") == "production" for labels in seen["series"]):
        raise CheckFailed(
            looked=f"flights_requests_total in a Prometheus with {looked}",
            found=f"labels {shared.listed(sorted(dict(*seen['series'][:1])), 8) or '-'}",
            expected='each series of the job with env="production"',
            hint="labels, beside targets in static_configs. (external_labels go only to other "
            "systems, not onto what you query here.)",
        )
    every = _interval(config)
    if every is None or not 1 <= every <= 15:
        raise CheckFailed(
            looked=looked,
            found="a scrape_interval of "
            + (f"{every:g} s" if every else "its default, one minute"),
            expected="1 to 15 seconds for the job flights",
            hint="an alert can be no quicker than its data: scrape_interval, in global or in the "
            "job.",
        )


def _interval(config: Mapping[str, Any]) -> float | None:
    default = (config.get("global") or {}).get("scrape_interval")
    for job in config.get("scrape_configs") or []:
        if isinstance(job, dict) and job.get("job_name") == "flights":
            return shared.duration(job.get("scrape_interval", default))
    return None


# 5 · Three questions

_MINUTES = (30, 55, 80, 110)
_HISTORY = "two hours of metrics"


def _hidden_history(numbers: Sequence[float]) -> starts.History:
    """Return another day: failed, slow and late shares, and the minute the second one restarts."""
    failed, slow, late, restart = numbers
    phases = [
        Phase(40, requests=500, failed=failed, rejected=0.2),
        Phase(20, requests=280, failed=failed / 3, slow=slow, late=late),
        Phase(30, requests=700, failed=0.3, slow=0.2, late=1 - late),
        Phase(30, requests=90, late=0.5, slow=slow / 2),
    ]
    return history(1_376_000_400, phases, int(restart))


def _asked(
    task: Path, name: str, numbers: Sequence[float] | None
) -> tuple[starts.History, dict[int, list[Any]], str]:
    """Return a history, and the samples of a query by minute; raises CheckFailed for errors."""
    told = _hidden_history(numbers) if numbers else starts.shown_history()
    looked = f"{task.name}/{name}.promql, asked of " + (
        f"{_HISTORY} you have not seen" if numbers else "history.om"
    )
    query = shared.query_of(task / f"{name}.promql")
    queries = {name: query}
    for other in ("error_ratio", "p95", "late_share"):
        path = task / f"{other}.promql"
        if path.is_file() and not path.is_symlink() and path.stat().st_size < 20_000:
            queries[other] = shared.query_of(path) if path.read_bytes().strip() else "vector(0)"
    answers = shared.ask_history(task, told, queries, _MINUTES)[name]
    found: dict[int, list[Any]] = {}
    for minute in _MINUTES:
        answer = answers[str(minute)]
        if "error" in answer:
            raise CheckFailed(
                looked=looked,
                found=f"Prometheus refuses it: {plain(answer['error'])[:200]}",
                expected="one PromQL expression",
                hint="the number in the message is the place of the mistake, line:column.",
            )
        found[minute] = answer["samples"]
    return told, found, looked


def _one_value(samples: Sequence[Any], looked: str, hint: str) -> float:
    if len(samples) != 1:
        raise CheckFailed(
            looked=looked,
            found=f"{len(samples)} results" if samples else "no result",
            expected="one, for both instances and all outcomes together",
            hint=hint,
        )
    return float("nan") if samples[0][1] is None else float(samples[0][1])


@check(**_PROMQL, points=1)
def error_ratio(task: Path, numbers: Sequence[float] | None = None) -> None:
    """The share of requests that failed by our fault, over the last minutes."""
    told, found, looked = _asked(task, "error_ratio", numbers)
    hint = (
        "rate(…[5m]) first, then sum, then divide. Without rate you divide what was counted since "
        "the start; a client's mistake (rejected) is not ours."
    )
    for minute, samples in found.items():
        value, truth = _one_value(samples, looked, hint), told.error_ratio(minute)
        if not shared.close(value, truth):
            secret = numbers is not None
            raise CheckFailed(
                looked=looked + ("" if secret else f" at minute {minute}"),
                found="another ratio than that of the requests"
                if secret
                else f"{value:.4g} where {truth:.4g} of the last five minutes' requests failed",
                expected="failed requests divided by all requests, between 0 and 1",
                hint=hint,
            )


@check(**_PROMQL, points=1)
def p95(task: Path, numbers: Sequence[float] | None = None) -> None:
    """The 95th percentile of the latency, over both instances."""
    told, found, looked = _asked(task, "p95", numbers)
    hint = (
        "histogram_quantile(0.95, …) wants buckets: sum by (le) of their rate. Percentiles "
        "themselves cannot be added or averaged; and _sum divided by _count is a mean, which "
        "hides the slow ones."
    )
    for minute, samples in found.items():
        value, truth = _one_value(samples, looked, hint), told.quantile(minute)
        if not shared.close(value, truth):
            raise CheckFailed(
                looked=looked + ("" if numbers else f" at minute {minute}"),
                found="another value than the 95th percentile"
                if numbers
                else f"{value:.4g} s where 95 % of the answers took up to {truth:.4g} s",
                expected="seconds within which 95 of 100 answers came",
                hint=hint,
            )


@check(**_PROMQL, points=1)
def late_share(task: Path, numbers: Sequence[float] | None = None) -> None:
    """The share of each class among the predictions."""
    told, found, looked = _asked(task, "late_share", numbers)
    for minute, samples in found.items():
        got = {labels.get("predicted"): value for labels, value in samples}
        truth = told.late_share(minute)
        wanted = {"late": truth, "on_time": 1 - truth}
        right = len(samples) == 2 and got.keys() == wanted.keys()
        if not right or not all(shared.close(got[k] or math.nan, v) for k, v in wanted.items()):
            shown = ", ".join(f"{k} {v:.3g}" for k, v in got.items() if v is not None)
            raise CheckFailed(
                looked=looked + ("" if numbers else f" at minute {minute}"),
                found="other shares than those of the predictions"
                if numbers and right
                else f"{len(samples)} results: {plain(shown)[:80]}",
                expected="two results, predicted late and on_time, that add up to 1",
                hint="sum by (predicted) (rate(…)) has a label, the sum of all has none: "
                "scalar(…) around it, or / ignoring (predicted) group_left, lets them divide.",
            )


# 6 · Rules that wake the right person

_ERRORS, _SLOW, _DOWN = "FlightsFailing", "FlightsSlow", "FlightsDown"
_RATIO, _P95 = "flights:error_ratio:rate5m", "flights:latency_seconds:p95_5m"


def _firing(alert: str) -> str:
    return f'count(count(ALERTS{{alertname="{alert}",alertstate="firing"}}))'


def _near(series: str, value: float) -> str:
    return f"count(abs(max({series}) - {value:.6f}) < {0.03 * value + 1e-6:.6f})"


def _day(*phases: Phase, restart: int | None = None) -> starts.History:
    return history(0, phases, restart)


def _outage(minutes: int, back: bool) -> starts.History:
    """Return a history in which the second instance is down from minute 20 on."""
    told = _day(Phase(60))
    for (name, labels), values in told.series.items():
        if name == "up" and dict(labels)["instance"] == "10.0.0.2:8000":
            end = 20 + minutes if back else 60
            values[20:end] = [0.0] * (end - 20)
    return told


def _scenarios(numbers: Sequence[float] | None) -> dict[str, Any]:
    """Return what the rules are tried on, by a name that a message may say."""
    if not numbers:
        bad = _day(Phase(20), Phase(40, failed=0.12))
        slow = _day(Phase(20), Phase(40, slow=0.12))
        return {
            "12 % errors from minute 20 on": (
                bad,
                [
                    *((_firing(_ERRORS), minute, minute == 45) for minute in (18, 27, 45)),
                    *((_firing(alert), 45, False) for alert in (_SLOW, _DOWN)),
                    (_near(_RATIO, bad.error_ratio(45)), 45, True),
                ],
            ),
            "12 % of the answers slow from minute 20 on": (
                slow,
                [
                    *((_firing(_SLOW), minute, minute == 45) for minute in (18, 27, 45)),
                    (_firing(_ERRORS), 45, False),
                    (_near(_P95, slow.quantile(45)), 45, True),
                ],
            ),
            "one instance down from minute 20 on": (
                _outage(40, back=False),
                [(_firing(_DOWN), 15, False), (_firing(_DOWN), 30, True)],
            ),
            "four bad minutes": (
                _day(Phase(20), Phase(4, failed=0.6, slow=0.5), Phase(36)),
                [(_firing(a), m, False) for a in (_ERRORS, _SLOW) for m in (22, 24, 26, 30, 45)],
            ),
        }
    failed, slow, restart = numbers
    odd = _day(Phase(30, failed=failed), Phase(30, failed=failed, slow=slow), restart=int(restart))
    return {
        "errors that come from the callers": (
            _day(Phase(60, rejected=0.4)),
            [(_firing(_ERRORS), m, False) for m in (20, 50)],
        ),
        "a few errors, below the threshold": (
            _day(Phase(60, failed=0.04)),
            [(_firing(_ERRORS), m, False) for m in (20, 50)],
        ),
        "one instance that is started anew": (
            _day(Phase(60, requests=400), restart=int(restart)),
            [(_firing(a), m, False) for a in (_ERRORS, _SLOW) for m in (restart + 1, 50)],
        ),
        "one instance away for a minute": (
            _outage(1, back=True),
            [(_firing(_DOWN), m, False) for m in (20, 21, 25)],
        ),
        "a day with more errors": (
            odd,
            [(_near(_RATIO, odd.error_ratio(m)), m, True) for m in (15, 50)]
            + [(_near(_P95, odd.quantile(m)), m, True) for m in (15, 50)]
            + [(_firing(_ERRORS), 25, True)],
        ),
    }


def _rules(task: Path, numbers: Sequence[float] | None, of: str) -> None:
    """Raise CheckFailed for the first statement about recorded series or alerts that fails."""
    what = "groups of recording and alerting rules"
    rules = shared.yaml_of(task / "rules.yml", what, "it begins with groups:, a list.")
    looked = f"{task.name}/rules.yml"
    scenarios = _scenarios(numbers)
    seen = shared.rules_run(task, scenarios)
    if seen.get("problem"):
        raise CheckFailed(
            looked=looked,
            found=plain(seen["problem"])[:300],
            expected="rules that promtool accepts",
            hint="promtool check rules rules.yml says the same, with the place.",
        )
    if seen["ok"]:
        return
    mine = [f for f in seen["failed"] if ("ALERTS" in f[1]) == (of == "alerts")]
    if not mine and seen["failed"]:
        return
    if not mine:
        raise CheckFailed(
            looked=looked,
            found=f"promtool could not try them: {plain(seen['said'])[:200]}",
            expected="rules that can be evaluated",
            hint="run promtool test rules on tests of your own to see the same.",
        )
    scenario, expression, minute, there = mine[0]
    name = re.search(r'alertname="(\w+)"', expression) or re.search(r"max\(([\w:]+)\)", expression)
    told = name[1] if name else "a rule"
    if of == "alerts":
        defined = told in _named_rules(rules, "alert")
        found = f"{told} {'does not fire' if there else 'fires'}" + (
            "" if numbers else f" at minute {minute}"
        )
        raise CheckFailed(
            looked=f"{looked}, evaluated on: {scenario}",
            found=found if defined else f"no alert {told}",
            expected=f"{told} "
            + ("firing once it has lasted" if there else "silent: that is nothing to wake up for"),
            hint=_HINTS[told],
        )
    raise CheckFailed(
        looked=f"{looked}, evaluated on: {scenario}",
        found=f"{told} has no value, or not that of the metrics",
        expected=f"{_RATIO} and {_P95}: the queries of task 5, one series each",
        hint="record: takes the name, expr: the query. One value for the whole service, so sum "
        "before you divide, and sum by (le) before histogram_quantile.",
    )


_HINTS = {
    _ERRORS: "more than 5 % failed for 10 minutes: an expr that compares, and for: 10m. Without "
    "for, one bad minute wakes somebody; with rejected ones in it, so does a careless caller.",
    _SLOW: "the p95 above 0.5 s for 10 minutes. A mean stays low while one in ten waits.",
    _DOWN: 'up{job="flights"} == 0 for 2 minutes: Prometheus makes up itself, for each target.',
}


def _named_rules(rules: Mapping[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    found = {}
    for group in rules.get("groups") or []:
        for rule in (group.get("rules") or []) if isinstance(group, dict) else []:
            if isinstance(rule, dict) and isinstance(rule.get(kind), str):
                found[rule[kind]] = rule
    return found


@check(**_RULES, points=1)
def rules_recorded(task: Path, numbers: Sequence[float] | None = None) -> None:
    """Two recording rules keep the error ratio and the p95 of the whole service."""
    _rules(task, numbers, "records")


@check(**_RULES, points=2)
def alerts_right(task: Path, numbers: Sequence[float] | None = None) -> None:
    """Three alerts fire when something has lasted, stay silent when not, and name a severity."""
    _rules(task, numbers, "alerts")
    rules = shared.yaml_of(task / "rules.yml", "rules", "groups:")
    for name in (_ERRORS, _SLOW, _DOWN):
        rule = _named_rules(rules, "alert").get(name) or {}
        severity = (rule.get("labels") or {}).get("severity")
        summary = str((rule.get("annotations") or {}).get("summary") or "")
        if severity not in ("page", "ticket") or len(summary.split()) < 3:
            raise CheckFailed(
                looked=f"{name} in {task.name}/rules.yml",
                found=f"severity {plain(str(severity))[:20]}, summary {plain(summary)[:40]!r}",
                expected="severity page or ticket, and a summary that says what is wrong",
                hint="labels decide who is told, annotations what they read at three at night.",
            )


@check(**_RULES, points=1)
def rules_tested(task: Path) -> None:
    """The learner's unit tests pass on the rules and fail on broken ones."""
    rules = shared.yaml_of(task / "rules.yml", "groups of rules", "it begins with groups:.")
    looked = f"{task.name}/rules_test.yml"
    what = "unit tests for promtool test rules"
    shared.yaml_of(task / "rules_test.yml", what, "rule_files, evaluation_interval, tests.")
    if _ERRORS not in _named_rules(rules, "alert"):
        raise CheckFailed(
            looked=f"{task.name}/rules.yml",
            found=f"no alert {_ERRORS} that could be tested",
            expected=f"the alert {_ERRORS}, and tests of it",
            hint="write the rule first; then break it and see your tests fail.",
        )
    seen = shared.own_tests(task, _mutants(rules))
    if seen.get("problem"):
        raise CheckFailed(
            looked=looked,
            found=f"promtool test rules fails: {seen['problem']}",
            expected="tests that pass on your rules",
            hint="exp_alerts must name all labels and annotations of the alert, as written in the "
            "rule. The output shows exp: and got:.",
        )
    if seen["missed"]:
        raise CheckFailed(
            looked=f"{looked}, run on a broken copy of your rules",
            found=f"they still pass when {_ERRORS} {seen['missed'][0]}",
            expected="tests that fail when the alert is broken",
            hint="two moments tell it all: five minutes after the errors began nothing fires yet "
            "(exp_alerts: []), twenty minutes after it does.",
        )


def _mutants(rules: Mapping[str, Any]) -> dict[str, Any]:
    def changed(**values: Any) -> Any:
        copy = json.loads(json.dumps(rules, default=str))
        rule = _named_rules(copy, "alert")[_ERRORS]
        rule.update(values)
        return copy

    return {
        "never fires": changed(expr="vector(1) > 2"),
        "has no for": changed(**{"for": "0s"}),
    }


# 7 · A dashboard as code

_SCHEMA = {
    "type": "object",
    "required": ["title", "uid", "schemaVersion", "panels", "time", "refresh"],
    "properties": {
        "title": {"type": "string", "minLength": 3},
        "uid": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,40}$"},
        "schemaVersion": {"type": "integer", "minimum": 30},
        "refresh": {"type": ["string", "boolean"]},
        "time": {
            "type": "object",
            "required": ["from", "to"],
            "properties": {"from": {"type": "string"}, "to": {"type": "string"}},
        },
        "panels": {"type": "array", "minItems": 5, "items": {"$ref": "#/$defs/panel"}},
    },
    "$defs": {
        "panel": {
            "type": "object",
            "required": ["type", "title", "gridPos"],
            "properties": {
                "type": {"type": "string"},
                "title": {"type": "string", "minLength": 1},
                "gridPos": {
                    "type": "object",
                    "required": ["h", "w", "x", "y"],
                    "properties": {
                        "h": {"type": "integer", "minimum": 1},
                        "w": {"type": "integer", "minimum": 1, "maximum": 24},
                        "x": {"type": "integer", "minimum": 0, "maximum": 23},
                        "y": {"type": "integer", "minimum": 0},
                    },
                },
                "targets": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "required": ["expr", "refId"],
                        "properties": {
                            "expr": {"type": "string", "minLength": 2},
                            "refId": {"type": "string", "minLength": 1},
                        },
                    },
                },
            },
            "if": {"properties": {"type": {"enum": ["row", "text"]}}},
            "then": {},
            "else": {"required": ["targets", "fieldConfig"]},
        }
    },
}


def _dashboard(task: Path) -> dict[str, Any]:
    hint = "Grafana's own export is such a file: Dashboard settings, JSON model."
    text = shared.text_of(task / "dashboard.json", "a Grafana dashboard", hint)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CheckFailed(
            looked=f"{task.name}/dashboard.json",
            found=f"no JSON: {plain(str(error))[:100]}",
            expected="a Grafana dashboard",
            hint="Python writes it without a comma too many: json.dumps(dashboard, indent=2).",
        ) from None
    problems = jsonschema.Draft202012Validator(_SCHEMA).iter_errors(found)
    for problem in sorted(problems, key=lambda e: [str(p) for p in e.absolute_path]):
        where = "/".join(map(str, problem.absolute_path)) or "the top"
        raise CheckFailed(
            looked=f"{task.name}/dashboard.json, at {plain(where)[:60]}",
            found=plain(problem.message)[:200],
            expected="the form that Grafana imports: title, uid, schemaVersion, time, refresh and "
            "five or more panels with type, title, gridPos, fieldConfig, targets",
            hint="each target has an expr and a refId (A, B, …); the grid is 24 columns wide.",
        )
    return found


def _panels(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [p for p in found["panels"] if p.get("targets")]


@check(**_DASHBOARD, points=1)
def dashboard_valid(task: Path) -> None:
    """It has Grafana's form, its panels lie side by side, and units and source are named."""
    found = _dashboard(task)
    looked = f"{task.name}/dashboard.json"
    taken: dict[tuple[int, int], str] = {}
    for panel in found["panels"]:
        at, title = panel["gridPos"], plain(panel["title"])[:40]
        cells = [
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + min(at["h"], 100))
        ]
        over = [taken[c] for c in cells if c in taken]
        if over or at["x"] + at["w"] > 24:
            raise CheckFailed(
                looked=f"gridPos of the panel “{title}” in {looked}",
                found=f"it lies over “{over[0]}”" if over else "it reaches beyond column 24",
                expected="panels side by side on a grid of 24 columns",
                hint="two panels of w 12 fill a row, at x 0 and x 12; the next row begins at "
                "y plus h.",
            )
        taken |= dict.fromkeys(cells, title)
    units = [((p["fieldConfig"] or {}).get("defaults") or {}).get("unit") for p in _panels(found)]
    if not {"s", "ms"} & set(units) or not {"percentunit", "percent"} & set(units):
        raise CheckFailed(
            looked=f"fieldConfig.defaults.unit of the panels in {looked}",
            found=f"units: {plain(shared.listed(map(str, units), 8))}",
            expected="seconds (s) for a latency and percentunit for a ratio, at least",
            hint='"fieldConfig": {"defaults": {"unit": "percentunit"}} shows 0.05 as 5 %.',
        )


_VARIABLE = re.compile(r"\$\{?(\w+)(?::\w+)?\}?")
_BUILT_IN = {"__rate_interval": "5m", "__interval": "1m", "__range": "1h", "interval": "5m"}


def _expanded(expression: str) -> str:
    """Fill in Grafana's variables: its own by a value, a dashboard's by one that matches all."""
    return _VARIABLE.sub(lambda m: _BUILT_IN.get(m[1], ".*"), expression)


@check(**_DASHBOARD, points=2)
def panels_answer(task: Path, numbers: Sequence[float] | None = None) -> None:
    """Every panel's query has an answer, and the five things are among them."""
    panels = _panels(_dashboard(task))[:40]
    told = _hidden_history(numbers) if numbers else starts.shown_history()
    queries = {
        f"{i}.{j}": _expanded(target["expr"])
        for i, panel in enumerate(panels)
        for j, target in enumerate(panel["targets"][:10])
    }
    minutes = (55, 80)
    answers = shared.ask_history(task, told, queries, minutes)
    source = f"{_HISTORY} you have not seen" if numbers else "history.om"
    for key, by_minute in answers.items():
        title = plain(panels[int(key.partition(".")[0])]["title"])[:40]
        error = next((a["error"] for a in by_minute.values() if "error" in a), "")
        known = re.search(r"\bflights_\w+|\bup\b", queries[key])
        empty = not error and not all(_values(a) for a in by_minute.values())
        if error or empty or not known:
            raise CheckFailed(
                looked=f"the panel “{title}”, asked of {source}",
                found=f"Prometheus refuses it: {plain(error)[:160]}"
                if error
                else "no data"
                if empty
                else "a query without any metric of the service",
                expected="a query that Prometheus answers from the service's metrics",
                hint="try the expr by itself: prom.query(expr, at=…). A name or a label that is "
                "not in METRICS.md gives no data, and no error.",
            )
    missing = [name for name, there in _shown(told, answers, minutes).items() if not there]
    if missing:
        raise CheckFailed(
            looked=f"{len(panels)} panels of {task.name}/dashboard.json, asked of {source}",
            found=f"none that shows {missing[0]}"
            + (f" (nor {shared.listed(missing[1:])})" if missing[1:] else ""),
            expected="requests a second, error ratio, p95 latency, share of each class, version",
            hint="the queries of task 5 do for three of them; traffic is a sum of rates, the "
            "version a label of flights_model_info.",
        )


def _values(answer: Mapping[str, Any]) -> list[float]:
    return [value for _, value in answer.get("samples", ()) if value is not None]


def _shown(
    told: starts.History, answers: Mapping[str, Any], minutes: Sequence[int]
) -> dict[str, bool]:
    """Tell which of the five things some panel's query is worth, at every minute."""

    def some(truth: Any, *scales: float, total: bool = False) -> bool:
        return any(
            all(
                any(shared.close(v / scale, truth(m)) for v in _seen_values(by[str(m)], total))
                for m in minutes
            )
            for by in answers.values()
            for scale in scales
        )

    def rate(minute: int) -> float:
        return told.increase("flights_requests_total", minute) / 300

    versions = [
        {labels.get("version") for labels, _ in by[str(m)]["samples"]}
        for by in answers.values()
        for m in minutes
    ]
    return {
        "requests a second": some(rate, 1, 60, total=True),
        "the error ratio": some(told.error_ratio, 1, 100),
        "the p95 latency": some(told.quantile, 1, 1000),
        "the share of late predictions": some(told.late_share, 1, 100),
        "the model's version": any(starts.MODEL["version"] in found for found in versions),
    }


def _seen_values(answer: Mapping[str, Any], total: bool) -> list[float]:
    values = _values(answer)
    return [*values, sum(values)] if total else values


# 8 · Has the input changed?

_TRUTH = {"september": (9, 1.0), "november": (11, starts.KILOMETRES)}


def _column(rows: Iterable[Mapping[str, Any]], name: str) -> list[Any]:
    return [row[name] for row in rows]


def _reference() -> list[dict[str, Any]]:
    return [row for month in starts.REFERENCE for row in starts.drift_rows(month)]


@check(**_DRIFT, points=2)
def drift_reported(task: Path) -> None:
    """Evidently's reports of two months against the reference say what really changed."""
    for name, (month, factor) in _TRUTH.items():
        looked = f"{task.name}/{name}.json"
        values = _drift_values(task / f"{name}.json")
        missing = [c for c in starts.DRIFT_COLUMNS if c not in values]
        if missing:
            raise CheckFailed(
                looked=looked,
                found=f"drift of {shared.listed(sorted(values)) or 'no column'}",
                expected=f"drift of each of {', '.join(starts.DRIFT_COLUMNS)}",
                hint="DataDriftPreset() looks at every column that the data definition names.",
            )
        current = starts.drift_rows(month, factor)
        for column in starts.DRIFT_COLUMNS:
            method, value, _ = values[column]
            truth = _drift_truth(method, _column(_reference(), column), _column(current, column))
            if truth is not None and not abs(value - truth) <= 0.02 + 0.05 * abs(truth):
                same = _nothing_changed(values)
                raise CheckFailed(
                    looked=f"{column} in {looked}",
                    found="no difference at all, in any column"
                    if same
                    else f"{method} {value:.3g}, which is not that of these two months",
                    expected=f"the {name} file against reference.csv",
                    hint="a month compared with itself never drifts: run(current, reference), "
                    "two different frames, the current one first.",
                )
        drifted = {c for c, (m, v, t) in values.items() if _is_drift(m, v, t)}
        wanted = {"distance"} if name == "november" else set()
        if drifted & set(starts.DRIFT_COLUMNS) != wanted:
            raise CheckFailed(
                looked=looked,
                found=f"drift in {shared.listed(sorted(drifted)) or 'no column'}",
                expected=f"drift in {', '.join(wanted) or 'no column'} of {name}",
                hint="the default thresholds are fine here. Which file did you give as current, "
                "which as reference?",
            )
        html = task / f"{name}.html"
        if html.is_symlink() or not html.is_file() or html.stat().st_size < 100_000:
            raise CheckFailed(
                looked=f"{task.name}/{name}.html",
                found="no report for people" if not html.is_file() else "a file too small for one",
                expected="the same report as a page",
                hint=f'save_html("{name}.html") writes it.',
            )


def _drift_values(path: Path) -> dict[str, tuple[str, float, float]]:
    """Return method, value and threshold by column, as an Evidently report states them."""
    hint = "what run() returns has save_json(path); evidently 0.7 calls it a snapshot."
    text = shared.text_of(path, "an Evidently report as JSON", hint)
    looked = f"{path.parent.name}/{path.name}"
    found: dict[str, tuple[str, float, float]] = {}
    try:
        for metric in json.loads(text)["metrics"]:
            config = metric["config"]
            if config.get("type") == "evidently:metric_v2:ValueDrift":
                value = float(metric["value"])
                threshold = config.get("threshold")
                found[str(config["column"])] = (
                    str(config.get("method")),
                    value,
                    float(threshold) if threshold is not None else 0.1,
                )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckFailed(
            looked=looked,
            found=f"no report of evidently 0.7: {type(error).__name__} {plain(str(error))[:60]}",
            expected="what save_json or json() of a finished run gives",
            hint=hint,
        ) from None
    return found


def _is_drift(method: str, value: float, threshold: float) -> bool:
    return value < threshold if "p_value" in method else value >= threshold


def _nothing_changed(values: Mapping[str, tuple[str, float, float]]) -> bool:
    return all(v == (1.0 if "p_value" in m else 0.0) for m, v, _ in values.values())


def _drift_truth(method: str, reference: Sequence[Any], current: Sequence[Any]) -> float | None:
    """Return a drift score as Evidently's usual methods define it, None for any other method."""
    if method.startswith("Wasserstein"):
        a, b = np.sort(np.asarray(reference, float)), np.sort(np.asarray(current, float))
        grid = np.sort(np.concatenate([a, b]))
        cdf_a, cdf_b = (np.searchsorted(x, grid[:-1], "right") / len(x) for x in (a, b))
        distance = float(np.sum(np.abs(cdf_a - cdf_b) * np.diff(grid)))
        return distance / max(float(np.std(a)), 0.001)
    if method.startswith("Jensen-Shannon") and isinstance(reference[0], str):
        names = sorted({*reference, *current})
        p, q = (np.array([list(x).count(n) / len(x) for n in names]) for x in (reference, current))
        m = (p + q) / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            parts = [np.nansum(np.where(x > 0, x * np.log(x / m), 0)) for x in (p, q)]
        return math.sqrt(max(0.0, float(sum(parts)) / 2))
    return None


def _psi(reference: Sequence[float], current: Sequence[float]) -> float:
    """Return the population stability index over the deciles of the reference."""
    edges = np.unique(np.quantile(np.asarray(reference, float), np.arange(0.1, 1, 0.1)))
    shares = []
    for values in (reference, current):
        counts = np.bincount(np.searchsorted(edges, values, "right"), minlength=len(edges) + 1)
        shares.append(np.maximum(counts / len(values), 0.0001))
    before, after = shares
    return float(np.sum((after - before) * np.log(after / before)))


@check(**_DRIFT, points=1)
def psi_computed(task: Path, month: int = 11, factor: float = starts.KILOMETRES) -> None:
    """The learner's own PSI of one column is that of the two files it is given."""
    secret = (month, factor) != (11, starts.KILOMETRES)
    looked = f"{task.name}/psi.py, run on " + (
        "a month you have not seen" if secret else "2013-11.csv"
    )
    shared.text_of(task / "psi.py", "a script", "it takes two files and a column's name.")
    current = starts.drift_rows(month, factor)

    def lay_out(folder: Path) -> None:
        starts.write_csv(folder / "reference.csv", _reference())
        starts.write_csv(folder / "current.csv", current)

    for column in ("distance", "hour"):
        seen = shared.script_run(
            task,
            "psi.py",
            *("reference.csv", "current.csv", column),
            lay_out=lay_out,
            given=(month, factor),
        )
        said = seen.get("problem") or seen["printed"].strip()
        truth = _psi(_column(_reference(), column), _column(current, column))
        value = re.fullmatch(r"(?:.*\s)?(-?\d+(?:\.\d+)?(?:e-?\d+)?)", said, re.DOTALL)
        if seen.get("problem") or not value or not _about(float(value[1]), truth):
            raise CheckFailed(
                looked=f"{looked}, for the column {column}",
                found=plain(said)[:160] or "nothing printed",
                expected="a number for the column"
                if secret
                else f"about {truth:.3f}, and nothing after it",
                hint="ten bins at the reference's deciles, open at both ends; the share of each "
                "bin, at least 0.0001; the sum of (new - old) * ln(new / old).",
            )


def _about(value: float, truth: float) -> bool:
    return abs(value - truth) <= 0.02 + 0.15 * truth


# 9 · The truth comes late


def _performance(task: Path) -> dict[str, dict[str, Any]]:
    text = shared.text_of(
        task / "performance.json", "one object a month", "json.dump writes a dictionary."
    )
    looked = f"{task.name}/performance.json"
    try:
        found = json.loads(text)
        months = {name: dict(found[name]) for name in ("2013-07", "2013-08", "2013-09")}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckFailed(
            looked=looked,
            found=f"{type(error).__name__}: {plain(str(error))[:80]}",
            expected="an object with the keys 2013-07, 2013-08 and 2013-09",
            hint='{"2013-07": {"predictions": …, "labels": …}, …}',
        ) from None
    return months


def _performance_truth() -> dict[str, dict[str, Any]]:
    predictions, labels = starts.label_rows()
    known = {r["id"]: r for r in labels if datetime.fromisoformat(r["known_at"]) <= starts.AS_OF}
    truth = {}
    for month in ("07", "08", "09"):
        mine = [p for p in predictions if p["id"].startswith(month)]
        pairs = [
            (float(p["probability"]), int(known[p["id"]]["late"])) for p in mine if p["id"] in known
        ]
        complete = len(pairs) >= 0.95 * len(mine)
        truth[f"2013-{month}"] = {
            "predictions": len(mine),
            "labels": len(pairs),
            "complete": complete,
            "brier": sum((p - y) ** 2 for p, y in pairs) / len(pairs) if complete else None,
            "late_share": sum(y for _, y in pairs) / len(pairs) if complete else None,
            "mean_prediction": sum(p for p, _ in pairs) / len(pairs) if complete else None,
        }
    return truth


@check(**_LABELS, points=1)
def labels_counted(task: Path) -> None:
    """Only labels known on the day count, and a month without enough of them is not complete."""
    found = _performance(task)
    for month, truth in _performance_truth().items():
        for name in ("predictions", "labels", "complete"):
            if found[month].get(name) != truth[name]:
                raise CheckFailed(
                    looked=f"{name} of {month} in {task.name}/performance.json",
                    found=plain(json.dumps(found[month].get(name)))[:40],
                    expected="the flights predicted"
                    if name == "predictions"
                    else "the labels known by 1 October 2013, 00:00 UTC"
                    if name == "labels"
                    else "true where at least 95 % of the predictions have a label by then",
                    hint="parse known_at as a time with its offset and compare with 1 October, UTC."
                    " What becomes known on 5 October you cannot know on 1 October.",
                )


@check(**_LABELS, points=1)
def performance_right(task: Path) -> None:
    """Complete months have their scores, over the labelled flights; the others have none."""
    found = _performance(task)
    for month, truth in _performance_truth().items():
        for name in ("brier", "late_share", "mean_prediction"):
            value, want = found[month].get(name, "nothing"), truth[name]
            number = isinstance(value, int | float) and not isinstance(value, bool)
            good = value is None if want is None else number and abs(value - want) < 0.0006
            if not good:
                raise CheckFailed(
                    looked=f"{name} of {month} in {task.name}/performance.json",
                    found=plain(json.dumps(value))[:40],
                    expected="null: the month is not complete, and its late flights are missing"
                    if want is None
                    else "the mean over those flights whose label is known, to three digits",
                    hint="join predictions and labels by id, keep pairs only. A flight without a "
                    "label is not on time: it is unknown. The Brier score is the mean of "
                    "(probability - late) squared.",
                )


# 10 · When to train again

_ACTIONS = ("keep", "retrain", "investigate")


def _decisions(task: Path, year: int | None) -> tuple[dict[str, Any], dict[str, str], str]:
    """Run the trigger on the months shown, or on a year that was not."""
    shared.text_of(task / "trigger.py", "the trigger", "a script that reads a folder.")
    months, expected = (starts.shown_months(), starts.SHOWN_EXPECTED)
    if year:
        months, expected = _hidden_months(year)
    looked = f"{task.name}/trigger.py, run on " + (
        "months you have not seen" if year else "the months shown"
    )
    seen = shared.script_run(
        task,
        "trigger.py",
        ".",
        lay_out=lambda folder: starts.write_trigger(folder, months, expected),
        given=year,
    )
    try:
        if seen.get("problem"):
            raise ValueError(seen["problem"])
        said = json.loads(seen["printed"])
        actions = {name: str(said[name]["action"]) for name in months}
        reasons = {name: str(said[name]["reason"]) for name in months}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        raise CheckFailed(
            looked=looked,
            found=f"{kind}{plain(str(error))[:160]}; it printed "
            f"{plain(seen.get('printed', ''))[:60] or 'nothing'}",
            expected='one JSON object: a month\'s file name → {"action": …, "reason": …}',
            hint="print(json.dumps(decisions)) and nothing else; read every file in months/.",
        ) from None
    truth = {name: _decide(name, rows, expected) for name, rows in months.items()}
    return {"actions": actions, "reasons": reasons}, truth, looked


def _hidden_months(year: int) -> tuple[dict[str, Any], dict[str, Any]]:
    of = starts.trigger_rows
    months = {
        f"{year}-05": of(5),
        f"{year}-06": of(6),
        f"{year}-08": of(8),
        f"{year}-10": of(10),
        f"{year}-07": of(7),
        f"{year}-09": of(9),
        f"{year}-01": of(1, labels=300, more=40),
        f"{year}-12": of(12),
        f"{year}-02": of(2, more=25),
        f"{year}-03": of(3, hours=5, more=30),
        f"{year}-04": of(4, factor=1.6, more=12),
    }
    expected = {
        f"{year}-07": {"mean_delay": 16.0, "why": "summer storms"},
        f"{year}-09": {"mean_delay": -3.0, "why": "calm weeks"},
        f"{year}-12": {"mean_delay": 25.0, "why": "holidays"},
        f"{year}-04": {"drift": ["distance"], "why": "new routes"},
        f"{year}-03": {"drift": ["distance"], "why": "new routes"},
    }
    return months, expected


def _decide(name: str, rows: Sequence[Mapping[str, Any]], expected: Mapping[str, Any]) -> str:
    """Return what the statement's three rules say."""
    plan = expected.get(name, {})
    reference = [row for month in starts.REFERENCE for row in starts.trigger_rows(month)]
    for column in ("hour", "distance"):
        score = _psi(_column(reference, column), _column(rows, column))
        if score > 0.25 and column not in plan.get("drift", ()):
            return "investigate"
    known = [float(r["arr_delay"]) for r in rows if r["arr_delay"] != ""]
    before = [float(r["arr_delay"]) for r in reference if r["arr_delay"] != ""]
    usual = plan.get("mean_delay", sum(before) / len(before))
    off = abs(sum(known) / len(known) - usual)
    return "retrain" if len(known) >= 500 and off > 8 else "keep"


def _judge(task: Path, year: int | None, quiet: bool) -> None:
    said, truth, looked = _decisions(task, year)
    for name, want in truth.items():
        got = said["actions"][name]
        if (want == "keep") != quiet:
            continue
        if got != want:
            raise CheckFailed(
                looked=looked,
                found=f"{plain(got)[:20]} where the rules say {want}"
                if year
                else f"{name}: {plain(got)[:20]}",
                expected="the three rules of the statement, in their order, for any month"
                if year
                else f"{want} for {name}",
                hint="a month's own line in expected.json takes the reference's place. Inputs "
                "first: no model learns from a broken feed. Fewer than 500 labels say nothing."
                if got in _ACTIONS
                else f"the actions are {', '.join(_ACTIONS)}.",
            )
        if len(said["reasons"][name].split()) < 3 or not re.search(r"\d", said["reasons"][name]):
            raise CheckFailed(
                looked=looked,
                found=f"a reason that says little: {plain(said['reasons'][name])[:60] or 'empty'}",
                expected="a reason with the number that decided",
                hint='f"mean delay {mean:+.1f}, expected {usual:+.1f}" is one.',
            )


@check(**_TRIGGER, points=2)
def trigger_quiet(task: Path, year: int | None = None) -> None:
    """The trigger keeps the model where nothing happened that was not expected."""
    _judge(task, year, quiet=True)


@check(**_TRIGGER, points=1)
def trigger_fires(task: Path, year: int | None = None) -> None:
    """The trigger asks for a new model, or for a look at the feed, where the rules say so."""
    _judge(task, year, quiet=False)


# 11 · What happened, and when


def _postmortem(task: Path) -> tuple[dict[str, Any], str]:
    hint = "the file begins with ---, then the fields as YAML, then --- and the text."
    text = shared.text_of(task / "postmortem.md", "a post-mortem", hint)
    parts = re.fullmatch(r"\s*---[ \t]*\n(.*?)\n---[ \t]*\n(.*)", text, re.DOTALL)
    looked = f"{task.name}/postmortem.md"
    try:
        fields = yaml.safe_load(parts[1]) if parts else None
    except (yaml.YAMLError, RecursionError, ValueError):
        fields = None
    if not parts or not isinstance(fields, dict):
        raise CheckFailed(
            looked=looked,
            found="no fields between two lines of ---",
            expected="began, detected, ended, failed_requests, model_version, then the text",
            hint=hint,
        )
    return fields, parts[2]


def _moment(value: Any) -> float | None:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip().replace("Z", "+00:00"))
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()


@check(**_POSTMORTEM, points=1)
def timeline_right(task: Path) -> None:
    """Times, damage and cause are those that the metrics tell."""
    fields, _ = _postmortem(task)
    told = starts.incident_history()
    looked = f"{task.name}/postmortem.md"
    # The alert waits for ten minutes above 5 %, a value the ratio passes a minute or two late.
    moments = {"began": (41, 2), "detected": (52, 2), "ended": (83, 2)}
    for name, (minute, slack) in moments.items():
        value = _moment(fields.get(name))
        if value is None or abs(value - told.at(minute)) > 60 * slack + 1:
            raise CheckFailed(
                looked=f"{name} in {looked}",
                found=plain(str(fields.get(name)))[:40]
                + ("" if value else ", which is no time such as 2013-07-15 08:30"),
                expected={
                    "began": "the first minute whose requests failed more than usual",
                    "detected": f"when {_ERRORS}, over 5 % for 10 minutes, would have fired",
                    "ended": "the first minute in which they no longer did",
                }[name]
                + ", UTC",
                hint="prom.range(query, start, end, 60) gives the course minute by minute; "
                "a rate over [2m] shows an edge sharper than one over [5m].",
            )
    failed = told.increase("flights_requests_total", 84, 45, outcome="failed")
    value = fields.get("failed_requests")
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or abs(value / failed - 1) > 0.08
    ):
        raise CheckFailed(
            looked=f"failed_requests in {looked}",
            found=plain(str(value))[:40],
            expected="how many requests failed in that time, both instances together",
            hint="increase(…[43m]) at the end of the incident, summed.",
        )
    if str(fields.get("model_version")) != "2013.07":
        raise CheckFailed(
            looked=f"model_version in {looked}",
            found=plain(str(fields.get("model_version")))[:40],
            expected="the version that was in use while requests failed",
            hint="flights_model_info at that time. YAML reads 2013.10 as a number: quote it.",
        )


_SECTIONS = ("What happened", "Why", "What we change")


@check(**_POSTMORTEM, points=1)
def lessons_drawn(task: Path) -> None:
    """The text says what happened and why, and what will be different, by whom and when."""
    _, text = _postmortem(task)
    looked = f"{task.name}/postmortem.md"
    bodies = dict(re.findall(r"^## +(.+?)\s*\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    for name in _SECTIONS:
        if len(re.findall(r"\w+", bodies.get(name, ""))) < 12:
            raise CheckFailed(
                looked=f"the section “{name}” in {looked}",
                found="no such section" if name not in bodies else "hardly a sentence",
                expected="## What happened, ## Why and ## What we change, a sentence or more each",
                hint="write for somebody who was asleep: what users saw, why it could happen, what "
                "will be different.",
            )
    actions = re.findall(r"^\s*[-*] +(.+)", bodies["What we change"], re.MULTILINE)
    if len([a for a in actions if re.search(r"@\w+", a) and re.search(r"20\d\d-\d\d-\d\d", a)]) < 2:
        raise CheckFailed(
            looked=f"“What we change” in {looked}",
            found=f"{len(actions)} list items; fewer than two have an owner and a date",
            expected="two actions or more: - what, @who, by 2013-07-22",
            hint="what nobody owns by no date will not be done. Change the system: “be more "
            "careful” is no action.",
        )
    blame = re.search(r"\b(?:fault of|should have been more careful|was careless)\b", text, re.I)
    if blame:
        raise CheckFailed(
            looked=looked,
            found=f"blame: “{blame[0]}”",
            expected="causes in the system, not in people",
            hint="ask what made the mistake possible, and what would have caught it.",
        )
