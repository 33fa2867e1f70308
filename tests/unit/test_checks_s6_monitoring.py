"""Lab s6_monitoring: its data are what they are said to be; its checks survive bad input."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import shutil
import socket
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from autograder import monitoring
from autograder.checks import Check, checks_of
from autograder.checks import _s6_monitoring as shared
from autograder.checks import s6_monitoring as lab_checks
from autograder.lab import Lab
from autograder.results import Status
from autograder.starts import s6_monitoring as starts
from autograder.starts import starts_of
from autograder.verdict import Verdict
from tests.conftest import ROOT

LAB = "s6_monitoring"
CHECKS = checks_of(LAB)
FOLDERS = {int(folder.partition("-")[0]): folder for folder in starts_of(LAB)}
HIDDEN = {
    "error_ratio": {"numbers": (0.1, 0.1, 0.4, 50)},
    "psi_computed": {"month": 8, "factor": 0.5},
    "trigger_fires": {"year": 2031},
}
FILES = {
    "scraped": "prometheus.yml",
    "error_ratio": "error_ratio.promql",
    "rules_recorded": "rules.yml",
    "rules_tested": "rules_test.yml",
    "dashboard_valid": "dashboard.json",
    "drift_reported": "september.json",
    "psi_computed": "psi.py",
    "labels_counted": "performance.json",
    "trigger_fires": "trigger.py",
    "timeline_right": "postmortem.md",
}
NEEDS_PROMETHEUS = (1, 4, 5, 6, 7)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lab") / LAB
    folder.mkdir()
    return Lab(LAB, folder).work


@pytest.fixture
def work(pristine: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pristine, tmp_path / "work"))


def judge(check: Check, work: Path) -> Verdict:
    return check.judge(work / FOLDERS[check.task], **HIDDEN.get(check.name, {}))


def says_what_to_do(verdict: Verdict) -> dict[str, str]:
    lines = dict(verdict.lines)
    assert verdict.status is Status.FAILED, verdict.text()
    assert all(lines[part].strip() for part in ("Looked at", "Found", "Expected", "Try"))
    assert "something this check cannot read" not in lines["Found"], verdict.text()
    assert max(map(len, verdict.text().splitlines())) <= 84
    return lines


# The data


def test_flights_are_derived_from_the_package() -> None:
    """Of each month in order of delay every so-manyth flight: the mean is the month's."""
    import pandas as pd

    import flights

    table = flights.load_flights()
    parts = []
    for _, month in table.groupby("month"):
        keys = ["arr_delay", "sched_dep_time", "carrier", "flight", "origin"]
        ranked = month.sort_values(keys, na_position="last", kind="stable")
        chosen = ranked.iloc[((np.arange(600) + 0.5) * len(ranked) / 600).astype(int)]
        parts.append(chosen.sort_values(["sched_dep_time", "carrier", "flight", "origin"]))
    sample = pd.concat(parts)
    wanted = flights.schedule_rows(sample).assign(arr_delay=sample["arr_delay"])
    text = wanted.to_csv(index=False, lineterminator="\n")
    kept = ROOT / "autograder" / "starts" / "s6_monitoring_flights.csv.gz"
    assert gzip.decompress(kept.read_bytes()).decode() == text
    means = table.groupby("month")["arr_delay"].mean()
    for month in (7, 9):
        delays = [int(r["arr_delay"]) for r in starts.flight_rows(month) if r["arr_delay"]]
        assert abs(sum(delays) / len(delays) - means[month]) < 0.2


def test_the_service_predicts_as_the_checks_expect(pristine: Path) -> None:
    sys.path.insert(0, str(pristine / "1-metrics"))
    try:
        from datetime import datetime

        from model import Model
    finally:
        sys.path.pop(0)
        sys.modules.pop("model", None)
    model = Model.load(pristine / "1-metrics" / "model.json")
    for row in starts.flight_rows(7)[:50]:
        given = row | {"sched_dep_time": datetime.fromisoformat(row["sched_dep_time"])}
        assert model.predict(given) == starts.probability(row)


def test_start_states_are_the_same_every_time(pristine: Path, tmp_path: Path) -> None:
    again = Lab(LAB, _named(tmp_path)).work
    for folder in FOLDERS.values():
        assert shared.fingerprint(pristine / folder) == shared.fingerprint(again / folder)


def _named(tmp_path: Path) -> Path:
    folder = tmp_path / LAB
    folder.mkdir()
    return folder


def test_decisions_stand_clear_of_their_thresholds() -> None:
    """No trigger that computes a little differently may be told that it is wrong."""
    months, expected = lab_checks._hidden_months(2014)
    for shown, plan in ((months, expected), (starts.shown_months(), starts.SHOWN_EXPECTED)):
        actions = {name: lab_checks._decide(name, rows, plan) for name, rows in shown.items()}
        assert {"keep", "retrain", "investigate"} == set(actions.values())
        for rows in shown.values():
            for column in ("hour", "distance"):
                reference = [r for m in starts.REFERENCE for r in starts.trigger_rows(m)]
                score = lab_checks._psi([r[column] for r in reference], [r[column] for r in rows])
                assert not 0.15 < score < 0.35


def test_drift_scores_are_evidentlys() -> None:
    """Against values that evidently 0.7.23 computed of these months."""
    reference, november = lab_checks._reference(), starts.drift_rows(11, starts.KILOMETRES)
    known = {
        "hour": ("Wasserstein distance (normed)", 0.0585),
        "distance": ("Wasserstein distance (normed)", 0.9863),
        "carrier": ("Jensen-Shannon distance", 0.0609),
        "origin": ("Jensen-Shannon distance", 0.0278),
    }
    for column, (method, value) in known.items():
        old, new = ([row[column] for row in rows] for rows in (reference, november))
        assert lab_checks._drift_truth(method, old, new) == pytest.approx(value, abs=0.0002)


# Bad input


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"{[", b"- a\n- b\n", b"x" * 100_000])
@pytest.mark.parametrize("name", FILES)
def test_odd_files_get_an_answer(name: str, content: bytes, work: Path) -> None:
    check = CHECKS[name]
    (work / FOLDERS[check.task] / FILES[name]).write_bytes(content)
    says_what_to_do(judge(check, work))


def test_a_link_out_of_the_folder_is_not_followed(work: Path) -> None:
    secret = work.parent / "secret.yml"
    secret.write_text("groups: []")
    (work / "6-rules" / "rules.yml").symlink_to(secret)
    assert "no such file" in says_what_to_do(judge(CHECKS["rules_recorded"], work))["Found"]


def test_a_configuration_that_is_refused_is_told_why(work: Path) -> None:
    (work / "4-scrape" / "prometheus.yml").write_text("global: {}\nscrape_confgs: []\n")
    if not shutil.which("promtool"):
        pytest.skip("needs promtool")
    found = says_what_to_do(judge(CHECKS["scraped"], work))["Found"]
    assert "scrape_confgs not found" in found


def test_a_service_that_crashes_says_its_last_words(work: Path) -> None:
    (work / "2-audit" / "service.py").write_text("raise RuntimeError('no licence')\n")
    found = says_what_to_do(judge(CHECKS["audit_complete"], work))["Found"]
    assert "no licence" in found


def test_a_service_that_answers_rubbish_is_told_so(work: Path) -> None:
    path = work / "2-audit" / "service.py"
    text = path.read_text().replace('"probability": probability,', '"probability": 0.5,')
    path.write_text(text)
    assert "not the model's" in says_what_to_do(judge(CHECKS["audit_true"], work))["Found"]


def test_a_service_that_takes_a_port_that_is_taken(work: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        path = work / "3-health" / "service.py"
        text = path.read_text()
        path.write_text(
            "from prometheus_client import start_http_server\n"
            f"start_http_server({port}, '127.0.0.1')\n{text}"
        )
        found = says_what_to_do(judge(CHECKS["alive_not_ready"], work))["Found"]
    assert "Address already in use" in found


def test_without_prometheus_the_rest_is_graded(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in FILES:
        (work / FOLDERS[CHECKS[name].task] / FILES[name]).write_text('{"groups": 1}\n')
    found = monitoring.shutil.which
    absent = {"prometheus", "promtool"}
    monkeypatch.setattr(
        monitoring.shutil, "which", lambda tool, **kw: None if tool in absent else found(tool, **kw)
    )
    for name in ("requests_counted", "scraped", "error_ratio", "rules_recorded"):
        verdict = judge(CHECKS[name], work)
        assert verdict.status is Status.NOT_GRADED
        assert "needs Prometheus" in verdict.text()
        assert "apt-get install prometheus" in verdict.text()
        assert CHECKS[name].task in NEEDS_PROMETHEUS
    for name in ("psi_computed", "labels_counted", "trigger_fires", "timeline_right"):
        says_what_to_do(judge(CHECKS[name], work))
        assert CHECKS[name].task not in NEEDS_PROMETHEUS


def test_a_dashboard_of_nonsense_queries_stops_nothing(work: Path) -> None:
    panel = {"type": "stat", "title": "abc", "gridPos": {"h": 1, "w": 1, "x": 0, "y": 0}}
    panels = [
        panel
        | {
            "gridPos": {"h": 1, "w": 1, "x": n, "y": 0},
            "fieldConfig": {},
            "targets": [{"expr": expression, "refId": "A"}],
        }
        for n, expression in enumerate(["sum(", "vector(1)", "flights_", "up", "rate(up[5m])"])
    ]
    dashboard = {"title": "abc", "uid": "a", "schemaVersion": 39, "refresh": "", "panels": panels}
    dashboard["time"] = {"from": "now-1h", "to": "now"}
    (work / "7-dashboard" / "dashboard.json").write_text(json.dumps(dashboard))
    assert "refuses" in says_what_to_do(judge(CHECKS["panels_answer"], work))["Found"]


def test_a_hidden_history_is_not_told(work: Path) -> None:
    (work / "5-promql" / "error_ratio.promql").write_text("vector(0.125)")
    text = judge(CHECKS["error_ratio"], work).text()
    truth = lab_checks._hidden_history(HIDDEN["error_ratio"]["numbers"])
    assert f"{truth.error_ratio(30):.4g}" not in text


# What the lab's helpers promise


def test_a_replay_ends(work: Path) -> None:
    with monitoring.serving(work / "1-metrics") as service:
        assert len(monitoring.replay(service, 7, count=10_000, seconds=0.5)) < 5000
        statuses = [r.status for r in monitoring.replay(service, 7, count=5, broken=2)]
    assert sorted(statuses) == [200, 200, 200, 422, 422]
    assert service.get("/").status == 0


def test_history_and_prometheus_agree_across_a_restart() -> None:
    told = lab_checks._hidden_history((0.1, 0.1, 0.4, 50))
    with monitoring.prometheus(history=told.text()) as prom:
        for minute in (30, 52, 80):
            value = prom.query("sum(rate(flights_requests_total[5m])) * 300", told.at(minute))
            assert value[0].value == pytest.approx(
                told.increase("flights_requests_total", minute), rel=0.01
            )
    assert prom.get("/-/ready").status == 0


def test_a_judge_knows_what_judges_before_it_saw(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run without a problem is made once, also by processes forked one after the other."""
    monkeypatch.setattr(shared, "_seen", {})
    nowhere, runs = Path("/nonexistent"), []

    def run(problem: str) -> dict[str, str]:
        runs.append(problem)
        return {"problem": problem, "number": os.urandom(8).hex()}

    for problem in ("", "busy"):
        child = os.fork()
        if not child:
            shared.observed("fork" + problem, nowhere, lambda p=problem: run(p), "x" * 100_000)
            os._exit(0)
        os.waitpid(child, 0)
        shared.observed("fork" + problem, nowhere, lambda p=problem: run(p), "x" * 100_000)
    assert runs == ["busy"]


@pytest.mark.parametrize("size", [10, (4 << 20) + 10])
def test_what_a_run_is_kept_under_has_all_of_a_file(tmp_path: Path, size: int) -> None:
    """Else a large file that is right would lend its result to any other of that name."""
    prints = set()
    for end in ("right", "wrong"):
        (tmp_path / "service.py").write_text("#" * size + end)
        prints.add(shared.fingerprint(tmp_path))
    assert len(prints) == 2


def test_start_tables_are_tables(pristine: Path) -> None:
    for path in pristine.rglob("*.csv"):
        rows = list(csv.DictReader(io.StringIO(path.read_text())))
        assert len(rows) >= 500 and None not in rows[0]
    assert yaml.safe_load((pristine / "10-trigger" / "expected.json").read_text())
    assert list((pristine / "11-postmortem").iterdir())
