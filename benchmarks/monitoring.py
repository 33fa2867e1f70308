"""What watching costs: lab s6_monitoring's service with and without metrics, audit log and both.

    .venv/bin/python -m benchmarks.monitoring
    .venv/bin/python -m benchmarks.monitoring --requests 6000

The service as task 1 starts and the solutions of tasks 1 and 2 run side by side.  Each request is
asked of all three, in random order, so that a busy machine slows all of them.  What else runs
there can only add to a request: trust the ratio of the fastest tenths, and on a quiet machine that
of the medians, too.  Exits with 1 if metrics cost more than five percent.  Then the service with
an audit log is asked 200 times at once, and its log is compared with what was answered.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from autograder.build import solution_notebook
from autograder.monitoring import Address, serving, stop
from autograder.paths import find_course
from autograder.starts.s6_monitoring import audit, flight_rows, metrics, request_of

MOST = 1.05


def lay_out(place: Path) -> dict[str, Path]:
    """Write the bare service, and the ones that the solution's cells make of it."""
    nb = solution_notebook(find_course(), "s6_monitoring")
    cells = {c.metadata.get("nbgrader", {}).get("grade_id"): c.source for c in nb.cells}
    for name, start in (("0-bare", metrics), ("1-metrics", metrics), ("2-audit", audit)):
        (place / "work" / name).mkdir(parents=True)
        start(place / "work" / name)
    for name in ("instrument", "audit"):
        script = cells[name].partition("\n")[2]
        subprocess.run(["bash", "-euc", script], cwd=place, check=True, env=_environment())
    return {
        "bare": place / "work" / "0-bare",
        "metrics": place / "work" / "1-metrics",
        "audit log": place / "work" / "2-audit",
    }


def _environment() -> dict[str, str]:
    return {"PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"}


def ask(connection: http.client.HTTPConnection, body: str) -> float:
    """Return the seconds of one request over a connection that stays open."""
    began = time.perf_counter()
    connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    if answer.status != 200:
        raise SystemExit(f"a valid request got {answer.status}")
    return time.perf_counter() - began


def main() -> int:
    """Run the rounds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--requests", type=int, default=3000)
    given = parser.parse_args()
    bodies = [json.dumps(request_of(row)) for row in flight_rows(7)]
    with tempfile.TemporaryDirectory(prefix="bench-") as name, contextlib.ExitStack() as stack:
        folders = lay_out(Path(name).resolve())
        services = {k: stack.enter_context(serving(path)) for k, path in folders.items()}
        connections = {
            k: http.client.HTTPConnection("127.0.0.1", service.port)
            for k, service in services.items()
        }
        times: dict[str, list[float]] = {k: [] for k in services}
        order = list(services)
        for number in range(-200, given.requests):
            random.shuffle(order)
            for k in order:
                seconds = ask(connections[k], bodies[number % len(bodies)])
                # The first ones warm up.
                if number >= 0:
                    times[k].append(seconds)
        medians = {k: statistics.median(v) for k, v in times.items()}
        fast = {k: statistics.quantiles(v, n=10)[0] for k, v in times.items()}
        print(f"{given.requests} requests to each, one after the other")
        print(f"  {'':10} {'fastest tenth':>20} {'median':>18}")
        for k in times:
            told = "".join(
                f"{1e3 * of[k]:12.3f} ms {of[k] / of['bare']:5.3f}" for of in (fast, medians)
            )
            print(f"  {k:10}{told}")
        lines = burst(services["audit log"], folders["audit log"])
    print(f"200 at once: {lines[0]} answered, {lines[1]} of them with a line after SIGTERM")
    return int(fast["metrics"] / fast["bare"] > MOST or lines[0] != lines[1])


def burst(service: Address, folder: Path) -> tuple[int, int]:
    """Ask 200 times at once, end the service, and count the answers that have a line."""
    replies = service.predict_all([request_of(row) for row in flight_rows(8)[:200]], 200)
    stop(service)
    log = (folder / "audit.jsonl").read_text().splitlines()
    known = {json.loads(line)["request_id"] for line in log}
    answered = [r.data["request_id"] for r in replies if r.status == 200]
    return len(answered), len(known.intersection(answered))


if __name__ == "__main__":
    raise SystemExit(main())
