"""What a learner has reached so far.  Grading never reads it: it is a convenience.

Two places: beside a lab's evidence, one small JSON file with what its checks last said; and in
the learner's own data folder, a log to which every new best is appended.  The first goes away
with the evidence when a lab is reset, the second stays.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from platformdirs import user_data_path

from autograder.verdict import Verdict, number

FILE = "progress.json"
# Where the log lies, if not in the learner's data folder.
LOG = "AUTOGRADER_PROGRESS"


def record(verdict: Verdict) -> Verdict:
    """Remember a verdict and return it with the lab's running total as its last line.

    While a grader runs the notebook nothing is written and the verdict comes back as it was.
    """
    if os.environ.get("NBGRADER_EXECUTION"):
        return verdict
    from autograder.lab import current

    lab = current(verdict.lab)
    if lab is None:
        return verdict
    reached = read(lab.work)
    reached[verdict.name] = verdict.points
    _write(lab.work, reached)
    _remember(verdict)
    return replace(verdict, footer=total_line(verdict.lab, reached))


def read(work: Path) -> dict[str, float]:
    """Return points by check name; an absent or broken file counts as nothing reached."""
    try:
        data: dict[str, Any] = json.loads((work / FILE).read_text("utf-8"))
        return {str(name): float(points) for name, points in data.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def log_path() -> Path:
    """Return the file that keeps the learner's best results, through every reset."""
    if given := os.environ.get(LOG):
        return Path(given)
    return user_data_path("mlops-workbook", appauthor=False) / "progress.jsonl"


def best(lab: str, work: Path | None = None) -> dict[str, float]:
    """Return the best points a learner ever had, by check name.

    ``work`` is the lab's folder of evidence: what its checks last said counts as well.  A log that
    is absent, or lines of it that cannot be read, count as nothing reached.
    """
    found = read(work) if work else {}
    try:
        lines = log_path().read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return found
    for line in lines:
        try:
            entry = json.loads(line)
            if entry["lab"] == lab:
                name, points = str(entry["check"]), float(entry["points"])
                found[name] = max(points, found.get(name, 0.0))
        except (ValueError, TypeError, KeyError):
            continue
    return found


def _remember(verdict: Verdict) -> None:
    """Append a new best to the log; two notebooks at once cannot overwrite each other's lines."""
    if not verdict.points or best(verdict.lab).get(verdict.name, 0.0) >= verdict.points:
        return
    entry = {
        "lab": verdict.lab,
        "check": verdict.name,
        "points": verdict.points,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    try:
        log_path().parent.mkdir(parents=True, exist_ok=True)
        with log_path().open("a", encoding="utf-8") as log:
            log.write(json.dumps(entry) + "\n")
    except OSError:
        # A full disk or a home that cannot be written must not turn a right answer red.
        pass


def total_line(lab: str, reached: dict[str, float] | Path) -> str:
    """Say how much of the lab is done: ``s2_git: 14 of 26 points``.

    ``reached`` is points by check name, or the lab's folder.
    """
    from autograder.checks import checks_of

    if isinstance(reached, Path):
        reached = read(reached / "work")

    checks = checks_of(lab)
    got = sum(
        min(points, checks[name].points) for name, points in reached.items() if name in checks
    )
    return f"{lab}: {number(got)} of {number(sum(c.points for c in checks.values()))} points"


def summary(lab: str, work: Path) -> str:
    """Return one line a task and the total, from what the checks last said."""
    from autograder.checks import checks_of

    reached = read(work)
    tasks: dict[int, list[Any]] = {}
    for c in checks_of(lab).values():
        tasks.setdefault(c.task, []).append(c)
    rows = []
    for number_, checks in sorted(tasks.items()):
        best = sum(c.points for c in checks)
        got = sum(min(reached.get(c.name, 0.0), c.points) for c in checks)
        tried = any(c.name in reached for c in checks)
        symbol = "✔" if got >= best else "✘" if tried else "·"
        label = f"{symbol} {number_:>2} · {checks[0].title}"
        rows.append(f"{label:<60} {number(got)} of {number(best)}")
    return "\n".join([*rows, "", total_line(lab, reached)])


def _write(work: Path, reached: dict[str, float]) -> None:
    temporary = work / f".{FILE}.{os.getpid()}"
    try:
        temporary.write_text(json.dumps(reached, indent=1), "utf-8")
        temporary.replace(work / FILE)
    except OSError:
        # A read-only folder must not turn a right answer red; nor can it be tidied up.
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
