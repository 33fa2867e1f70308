"""What the checks of lab s6_monitoring share: one run of a learner's thing, seen by many checks.

A run is slow: a server starts, answers, is scraped, stops.  Its observations are plain data, kept
under the hash of all that went into it, so each is made once a session however many checks ask.
"""

from __future__ import annotations

import hashlib
import json
import math
import mmap
import os
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from autograder import monitoring, sandbox
from autograder.checks import CheckFailed, NotGradedHere
from autograder.monitoring import Address, Prometheus, QueryError, Sample, plain
from autograder.starts import s6_monitoring as starts

Seen = dict[str, Any]

_LARGEST = 4 << 20
_seen: dict[str, Seen] = {}


# --- Once a session ----------------------------------------------------------------------------


class _Memory:
    """What forked judges leave for those forked after them: memory that they share.

    A warm parent imports this module before it forks.  No file could do it, for what a submission
    leaves in /tmp is swept.  No learner's process has it: a sandbox inherits nothing.
    """

    def __init__(self, size: int) -> None:
        self.block, self.read = mmap.mmap(-1, size), 0

    def look(self) -> None:
        """Take over what others have added."""
        while length := int.from_bytes(self.block[self.read : self.read + 4], "big"):
            start = self.read + 4
            key, made = json.loads(self.block[start : start + length])
            _seen[key] = made
            self.read = start + length

    def add(self, key: str, made: Seen) -> None:
        """Leave one run for others, as long as there is room."""
        self.look()
        entry = json.dumps([key, made]).encode()
        end = self.read + 4 + len(entry)
        if end + 4 < len(self.block):
            # A judge that was ended while it wrote may have left the beginning of a longer one.
            self.block[self.read + 4 : end + 4] = entry + bytes(4)
            # The length comes last: half an entry is none.
            self.block[self.read : self.read + 4] = len(entry).to_bytes(4, "big")


_memory = _Memory(32 << 20)


def observed(kind: str, folder: Path, make: Callable[[], Seen], *given: Any) -> Seen:
    """Return what a run showed; it is made only if nothing that goes into it was seen before.

    Judges that come later know only runs without a problem: what failed because a machine was
    busy must not fail for ever.
    """
    key = hashlib.sha256(f"{kind}\0{given!r}\0{fingerprint(folder)}".encode()).hexdigest()
    _memory.look()
    if key in _seen:
        return _seen[key]
    try:
        made = make()
    except monitoring.ToolMissingError as missing:
        raise NotGradedHere("Prometheus", str(missing)) from None
    # Plain data, as it would come from another judge.
    _seen[key] = json.loads(json.dumps(made))
    if not made.get("problem"):
        _memory.add(key, _seen[key])
    return _seen[key]


def fingerprint(folder: Path) -> str:
    """Return a hash of the names and contents of the files that `monitoring.copy_without` copies.

    All of each content counts, be it ever so long: what is left out of the key could be exchanged.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if "__pycache__" in inside.parts or path.is_symlink() or not path.exists():
            continue
        kind, content = b"other", b""
        if path.is_dir():
            kind = b"folder"
        elif path.is_file():
            kind = b"file"
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").digest()
        name = os.fsencode(inside)
        digest.update(b"%d %s %s %d " % (len(name), name, kind, len(content)) + content)
    return digest.hexdigest()


def seconds_of(run: Callable[[], Seen]) -> Seen:
    """Run with a second try for the one failure that is nobody's: a port that was just taken."""
    seen = run()
    if "address already in use" in str(seen.get("problem", "")).lower():
        seen = run()
    return seen


# --- Files ---------------------------------------------------------------------------------------


def text_of(path: Path, what: str, task_hint: str) -> str:
    """Return a text file that the learner was to leave; raises CheckFailed where there is none."""
    looked = f"{path.parent.name}/{path.name}"
    found = ""
    if path.is_symlink() or not path.is_file():
        found = "no such file"
    elif path.stat().st_size > _LARGEST:
        found = f"a file of {path.stat().st_size >> 20} MB"
    else:
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            found = "a file that is no text"
        else:
            if text.strip():
                return text
            found = "an empty file"
    raise CheckFailed(looked=looked, found=found, expected=what, hint=task_hint)


def yaml_of(path: Path, what: str, task_hint: str) -> dict[str, Any]:
    """Return the mapping in a YAML file; raises CheckFailed where there is none."""
    text = text_of(path, what, task_hint)
    looked = f"{path.parent.name}/{path.name}"
    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        where = getattr(error, "problem_mark", None)
        at = f" in line {where.line + 1}" if where else ""
        raise CheckFailed(
            looked=looked,
            found=f"no YAML{at}: {plain(str(getattr(error, 'problem', '') or error))[:120]}",
            expected=what,
            hint="YAML counts spaces: two a level, no tabs, and a space after each colon.",
        ) from None
    if not isinstance(found, dict):
        raise CheckFailed(
            looked=looked,
            found=f"YAML whose top is a {type(found).__name__}",
            expected=what,
            hint=task_hint,
        )
    return found


def close(a: float, b: float, within: float = 0.03) -> bool:
    """Tell whether a value is another one, but for a small share of it."""
    return math.isfinite(a) and abs(a - b) <= within * abs(b) + 1e-9


def listed(values: Iterable[Any], most: int = 4) -> str:
    """Write the first few of some values."""
    all_ = [str(v) for v in values]
    return ", ".join(all_[:most]) + (f" and {len(all_) - most} more" if len(all_) > most else "")


# --- The learner's service ----------------------------------------------------------------------


def service_copy(folder: Path, where: Path, *, without: Sequence[str] = ()) -> Path:
    """Copy a service to where the judge can run it; raises CheckFailed where there is none."""
    text_of(
        folder / "service.py",
        "the service",
        f'lab.restart("{folder.name}") lays it out again.',
    )
    return monitoring.copy_without(folder, where / "service", without)


def refuse_problem(seen: Seen, looked: str, hint: str) -> None:
    """Raise CheckFailed for a run that did not come to its end."""
    if seen.get("problem"):
        raise CheckFailed(
            looked=looked,
            found=plain(seen["problem"])[:400],
            expected="a service that starts with `python -m uvicorn service:app` and answers "
            "/predict as it did at the start",
            hint=hint,
        )


def _rows(month: int, start: int, count: int) -> list[dict[str, Any]]:
    rows = starts.flight_rows(month)
    return [starts.request_of(rows[(start + i) % len(rows)]) for i in range(count)]


def _malformed(count: int) -> list[Any]:
    good = _rows(2, 0, count)
    broken: list[Any] = []
    for i, row in enumerate(good):
        if i % 3 == 0:
            broken.append({k: v for k, v in row.items() if k != "origin"})
        elif i % 3 == 1:
            broken.append(row | {"sched_dep_time": "tomorrow"})
        else:
            broken.append("{not json")
    return broken


def _unknown(count: int) -> list[dict[str, Any]]:
    return [row | {"carrier": f"Z{i % 10}"} for i, row in enumerate(_rows(4, 7, count))]


def rubbish(replies: Iterable[monitoring.Reply], rows: Iterable[Mapping[str, Any]]) -> str:
    """Return what is wrong with the answers to valid requests, empty if nothing is."""
    for reply, row in zip(replies, rows, strict=True):
        if reply.status != 200:
            said = plain(reply.body)[:120]
            return f"a valid request got {reply.status or 'no answer'}: {said}"
        data = reply.data
        if not isinstance(data, dict) or not isinstance(data.get("request_id"), str):
            return f"a valid request got an answer without request_id: {plain(reply.body)[:120]}"
        wanted = starts.probability({k: str(v) for k, v in row.items()})
        if not isinstance(value := data.get("probability"), int | float) or not close(
            float(value), wanted, 0.001
        ):
            return f"a prediction that is not the model's: {plain(reply.body)[:160]}"
    return ""


def _is_up(failed: sandbox.ServerFailedError) -> Seen:
    return {"problem": f"the service did not come up: {failed}"}


def metrics_run(folder: Path) -> Seen:
    """Start the service, send traffic of known composition, and look at it through Prometheus."""
    return observed("metrics", folder, lambda: seconds_of(lambda: _metrics_run(folder)))


def _metrics_run(folder: Path) -> Seen:
    monitoring.require_prometheus()
    with tempfile.TemporaryDirectory(prefix="run-") as name:
        copy = service_copy(folder, Path(name).resolve())
        address = Address(sandbox.free_port())
        try:
            # Prometheus first: it takes its time before it asks its targets.
            with (
                monitoring.prometheus(monitoring.config_for(address)) as prom,
                monitoring.serving(copy, port=address.port) as service,
            ):
                if service.metrics() == "":
                    return {"silent": _told(service)}
                return _watch(copy, service, prom)
        except sandbox.ServerFailedError as failed:
            return _is_up(failed)


def _told(service: Address) -> str:
    reply = service.get("/metrics")
    return f"{reply.status or 'no answer'}: {plain(reply.body)[:80]}"


def _watch(copy: Path, service: Address, prom: Prometheus) -> Seen:
    sent: Counter[str] = Counter()

    def send(ok: Sequence[Any] = (), bad: Sequence[Any] = (), wrong: Sequence[Any] = ()) -> str:
        replies = service.predict_all(ok, 200)
        service.predict_all(bad)
        service.predict_all(wrong)
        sent.update(ok=len(ok), rejected=len(bad), failed=len(wrong))
        for reply in replies:
            if isinstance(reply.data, dict):
                predictions[str(reply.data.get("predicted"))] += 1
        return rubbish(replies, ok)

    predictions: Counter[str] = Counter()
    problem = send(_rows(7, 0, 40), _malformed(12), _unknown(7)) or send(_rows(1, 0, 200))
    if problem:
        return {"problem": problem}
    first = _snapshot(prom, sum(sent.values()), monitoring.FIRST_SCRAPE)
    told = dict(sent)
    problem = send(_rows(9, 40, 80), _malformed(3), _unknown(9))
    second = _snapshot(prom, sum(sent.values()))
    if problem:
        return {"problem": problem}
    weights = json.loads(json.dumps(starts.MODEL)) | {"version": "2013.09"}
    (copy / "model.json").write_text(json.dumps(weights))
    reloaded = service.ask("POST", "/reload").status
    problem = send(_rows(10, 0, 10))
    third = _snapshot(prom, sum(sent.values()))
    return {
        "problem": problem,
        "sent": told,
        "sent_in_all": dict(sent),
        "predictions": dict(predictions),
        "first": first,
        "second": second,
        "third": third,
        "reloaded": reloaded,
        "exposed": service.metrics("flights_")[:4000],
    }


def _snapshot(prom: Prometheus, total: int, seconds: float = 2.0) -> Seen:
    """Return what Prometheus knows once it has seen all requests, or after some seconds."""
    prom.wait_for("up == 1", seconds)
    prom.wait_for(f"sum(flights_requests_total) == {total}", 2.0)
    # The last scrape may lie before the last request of what is not counted there.
    time.sleep(0.3)
    samples = _asked(prom, '{__name__=~"flights_.*"}')
    return {
        "outcomes": _by(samples, "flights_requests_total", "outcome"),
        "classes": _by(samples, "flights_predictions_total", "predicted"),
        "bounds": sorted(
            {s.labels.get("le", "") for s in _named(samples, "flights_latency_seconds_bucket")}
        ),
        "measured": sum(s.value for s in _named(samples, "flights_latency_seconds_count")),
        "seconds": sum(s.value for s in _named(samples, "flights_latency_seconds_sum")),
        "probabilities": sum(s.value for s in _named(samples, "flights_probability_count")),
        "versions": [
            s.labels.get("version", "?")
            for s in _named(samples, "flights_model_info")
            if s.value == 1
        ],
        "series": len(samples),
        "labels": sorted({name for s in samples for name in s.labels} - {"__name__", "le"}),
    }


def _asked(prom: Prometheus, expression: str, at: float | None = None) -> list[Sample]:
    try:
        return prom.query(expression, at)
    except QueryError:
        return []


def _named(samples: Iterable[Sample], name: str) -> list[Sample]:
    return [s for s in samples if s.labels.get("__name__") == name]


def _by(samples: Iterable[Sample], name: str, label: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for s in _named(samples, name):
        key = s.labels.get(label, "(no label)")
        found[key] = found.get(key, 0.0) + s.value
    return found


AUDIT = "audit.jsonl"


def audit_run(folder: Path) -> Seen:
    """Start the service, send a mixture and a burst of 200, end it at once, and read its log."""
    return observed("audit", folder, lambda: seconds_of(lambda: _audit_run(folder)))


def _audit_run(folder: Path) -> Seen:
    with tempfile.TemporaryDirectory(prefix="run-") as name:
        copy = service_copy(folder, Path(name).resolve(), without=[AUDIT])
        began = time.time()
        try:
            with monitoring.serving(copy) as service:
                seen = _audited_traffic(service)
                seen["ended"] = monitoring.stop(service)
        except sandbox.ServerFailedError as failed:
            return _is_up(failed)
        path = copy / AUDIT
        there = path.is_file() and not path.is_symlink()
        text = path.read_text("utf-8", "replace")[:_LARGEST] if there else ""
        return seen | {"began": began, "over": time.time(), "there": there, "log": text}


def _audited_traffic(service: Address) -> Seen:
    # The same flight for two people: what is logged of it must be the same.
    twins = [_rows(5, 3, 1)[0] | {"contact": f"{who}@example.org"} for who in ("ada", "grace")]
    single = [
        row | {"contact": f"traveller.{i}@example.net"} for i, row in enumerate(_rows(6, 0, 18))
    ]
    burst = [row | {"contact": f"crowd.{i}@example.com"} for i, row in enumerate(_rows(8, 0, 200))]
    replies = service.predict_all(twins + single, 1)
    service.predict_all(_malformed(6), 3)
    service.predict_all(_unknown(6), 3)
    replies += service.predict_all(burst, 200)
    problem = rubbish(replies, twins + single + burst)
    answers = [r.data if isinstance(r.data, dict) else {} for r in replies]
    return {"problem": problem, "answers": answers, "twins": [0, 1]}


def health_run(folder: Path) -> Seen:
    """Start the service without its model, give it one, then a broken one; note what it says."""
    return observed("health", folder, lambda: seconds_of(lambda: _health_run(folder)))


def _health_run(folder: Path) -> Seen:
    row = _rows(3, 5, 1)[0]
    seen: Seen = {}

    def note(when: str) -> None:
        answer = service.predict(row)
        seen[when] = {
            "health": service.get("/health").status,
            "ready": service.get("/ready").status,
            "predict": answer.status,
            "right": not rubbish([answer], [row]),
        }

    with tempfile.TemporaryDirectory(prefix="run-") as name:
        copy = service_copy(folder, Path(name).resolve(), without=["model.json"])
        try:
            with monitoring.serving(copy) as service:
                note("without")
                (copy / "model.json").write_text(json.dumps(starts.MODEL))
                seen["reload"] = service.ask("POST", "/reload").status
                note("with")
                (copy / "model.json").write_text('{"version": "2013.')
                seen["reload_broken"] = service.ask("POST", "/reload").status
                note("broken")
        except sandbox.ServerFailedError as failed:
            return _is_up(failed)
    return seen


# --- Scrape configuration ---------------------------------------------------------------------

TARGET = "127.0.0.1:8000"
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?")


def duration(text: Any) -> float | None:
    """Return the seconds of a duration as Prometheus writes it, None if it is none."""
    match = _DURATION.fullmatch(str(text))
    if not match or not any(match.groups()):
        return None
    hours, minutes, seconds, milliseconds = (int(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds + milliseconds / 1000


def scrape_run(folder: Path) -> Seen:
    """Check a configuration with promtool and let a real Prometheus work by it."""
    return observed("scrape", folder, lambda: _scrape_run(folder))


def _scrape_run(folder: Path) -> Seen:
    with tempfile.TemporaryDirectory(prefix="run-") as name:
        copy = monitoring.copy_without(folder, Path(name).resolve() / "scrape")
        checked = monitoring.promtool("check", "config", "prometheus.yml", at=copy)
        if not checked.ok:
            # The reason is on stderr, what it looked at on stdout.
            said = " ".join((checked.stderr.strip() or checked.last_line).split())
            return {"problem": f"promtool check config: {said}"}
        with monitoring.team_service() as service:
            for path in copy.rglob("*"):
                if path.suffix in (".yml", ".yaml", ".json") and path.is_file():
                    text = path.read_text(errors="replace")
                    for host in ("127.0.0.1", "localhost"):
                        text = text.replace(f"{host}:8000", service.target)
                    path.write_text(text)
            _quicken(copy / "prometheus.yml")
            try:
                with monitoring.prometheus(copy) as prom:
                    return _scraped(prom, service.target)
            except sandbox.ServerFailedError as failed:
                return {"problem": f"Prometheus with this configuration: {failed}"}


def _quicken(path: Path) -> None:
    """Let every interval be a quarter of a second: nobody is to wait for the learner's."""
    config = yaml.safe_load(path.read_text())
    short = {"scrape_interval": "250ms", "scrape_timeout": "250ms"}
    config["global"] = {**(config.get("global") or {}), **short, "evaluation_interval": "250ms"}
    for job in config.get("scrape_configs") or []:
        job.update({k: v for k, v in short.items() if k in job})
    path.write_text(yaml.safe_dump(config, sort_keys=False))


def _scraped(prom: Prometheus, target: str) -> Seen:
    up = prom.wait_for('up{job="flights"} == 1')
    series = prom.wait_for('flights_requests_total{job="flights"}', 1.0) if up else []
    known = _asked(prom, "up")
    return {
        "up": [s.labels for s in up],
        "known": [{**s.labels, "value": s.value} for s in known],
        "series": [s.labels for s in series],
        "target": target,
    }


# --- Queries ------------------------------------------------------------------------------------


def ask_history(
    folder: Path, told: starts.History, queries: Mapping[str, str], minutes: Sequence[int]
) -> Seen:
    """Return, by name and minute, what each query is worth in a history that Prometheus knows."""

    def make() -> Seen:
        with monitoring.prometheus(history=told.text()) as prom:
            return {
                name: {str(m): _answer(prom, text, told.at(m)) for m in minutes}
                for name, text in queries.items()
            }

    digest = hashlib.sha256(told.text().encode()).hexdigest()
    return observed("ask", folder, make, digest, sorted(queries.items()), tuple(minutes))


def _answer(prom: Prometheus, expression: str, at: float) -> Seen:
    try:
        samples = prom.query(expression, at)
    except QueryError as error:
        return {"error": str(error)}
    return {"samples": [[s.labels, s.value if math.isfinite(s.value) else None] for s in samples]}


def query_of(path: Path) -> str:
    """Return the expression in a file, without comments."""
    text = text_of(
        path,
        "one PromQL expression",
        f"write your query into {path.name}; any number of lines, # begins a comment.",
    )
    lines = [line for line in text[:20_000].splitlines() if not line.lstrip().startswith("#")]
    return "\n".join(lines).strip()


# --- Rules ----------------------------------------------------------------------------------------


def rules_run(
    folder: Path, scenarios: Mapping[str, tuple[starts.History, Sequence[tuple[str, int, bool]]]]
) -> Seen:
    """Evaluate the rules on series; say for each scenario which statement does not hold.

    A statement is an expression, a minute, and whether it is to have a value then.
    """

    def make() -> Seen:
        with tempfile.TemporaryDirectory(prefix="run-") as name:
            copy = monitoring.copy_without(folder, Path(name).resolve() / "rules")
            checked = monitoring.promtool("check", "rules", "rules.yml", at=copy)
            if not checked.ok:
                return {"problem": f"promtool check rules: {checked.last_line}"}
            test = {
                "rule_files": ["rules.yml"],
                "evaluation_interval": "1m",
                "tests": [_test_of(name, *one) for name, one in scenarios.items()],
            }
            (copy / "judge_test.yml").write_text(yaml.safe_dump(test))
            done = monitoring.promtool("test", "rules", "judge_test.yml", at=copy)
            return {"ok": done.ok, "said": (done.stderr + done.stdout)[:200_000]}

    told = hashlib.sha256(
        repr([(k, h.text(), list(s)) for k, (h, s) in scenarios.items()]).encode()
    ).hexdigest()
    seen = observed("rules", folder, make, told)
    if "said" not in seen or seen["ok"]:
        return seen
    broken = set(_FAILED.findall(seen["said"]))
    failed = [
        (name, expression, minute, there)
        for name, (_, statements) in scenarios.items()
        for expression, minute, there in statements
        if (json.dumps(_signed(expression, name)), f"{minute}m") in broken
    ]
    return seen | {"failed": failed}


_FAILED = re.compile(r'expr: ("(?:[^"\\]|\\.)*"), time: (\w+),')


def _signed(expression: str, name: str) -> str:
    """Sign an expression with its scenario: promtool's list of what failed tells no more."""
    return f"{expression} # {name}"


def _test_of(
    scenario: str, told: starts.History, statements: Sequence[tuple[str, int, bool]]
) -> Seen:
    series = []
    for (name, labels), values in told.series.items():
        inner = ",".join(f'{k}="{v}"' for k, v in labels)
        shown = " ".join("_" if v is None else f"{v:g}" for v in values)
        series.append({"series": f"{name}{{{inner}}}", "values": shown})
    return {
        "interval": "1m",
        "input_series": series,
        "promql_expr_test": [
            {
                "expr": _signed(expression, scenario),
                "eval_time": f"{minute}m",
                "exp_samples": [{"labels": "{}", "value": 1}] if there else [],
            }
            for expression, minute, there in statements
        ],
    }


def own_tests(folder: Path, mutants: Mapping[str, Mapping[str, Any]]) -> Seen:
    """Run the learner's tests on the learner's rules and on each broken copy of them."""

    def make() -> Seen:
        with tempfile.TemporaryDirectory(prefix="run-") as name:
            copy = monitoring.copy_without(folder, Path(name).resolve() / "rules")
            done = monitoring.promtool("test", "rules", "rules_test.yml", at=copy)
            if not done.ok:
                lines = [ln.strip() for ln in (done.stderr + done.stdout).splitlines()]
                return {"problem": plain(" ".join(filter(None, lines)))[:300]}
            missed = []
            for what, rules in mutants.items():
                (copy / "rules.yml").write_text(yaml.safe_dump(rules))
                if monitoring.promtool("test", "rules", "rules_test.yml", at=copy).ok:
                    missed.append(what)
            return {"missed": missed}

    return observed("own tests", folder, make)


# --- Scripts --------------------------------------------------------------------------------------


def script_run(
    folder: Path, script: str, *arguments: str, lay_out: Callable[[Path], None], given: Any
) -> Seen:
    """Run a learner's script in the sandbox on a folder of its own with data laid out anew."""

    def make() -> Seen:
        with tempfile.TemporaryDirectory(prefix="run-") as name:
            place = Path(name).resolve() / "run"
            skip = [p.name for p in folder.iterdir() if p.suffix in (".csv", ".html")]
            copy = monitoring.copy_without(folder, place, [*skip, "months", "expected.json"])
            lay_out(copy)
            limits = sandbox.Limits(seconds=20)
            done = sandbox.python(script, *arguments, folder=copy, limits=limits)
            if not done.ok:
                why = "took longer than 20 s" if done.timed_out else f"ended: {done.last_line}"
                return {"problem": f"{script} {why}"}
            return {"printed": done.stdout[:100_000]}

    return observed(script, folder, make, arguments, given)
