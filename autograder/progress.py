"""What a learner has reached so far: one small JSON file a lab, beside the lab's evidence.

It is a convenience for the learner.  Grading never reads it.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from autograder.verdict import Verdict, number

FILE = "progress.json"


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
    return replace(verdict, footer=total_line(verdict.lab, reached))


def read(work: Path) -> dict[str, float]:
    """Return points by check name; an absent or broken file counts as nothing reached."""
    try:
        data: dict[str, Any] = json.loads((work / FILE).read_text("utf-8"))
        return {str(name): float(points) for name, points in data.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


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
        # A read-only folder must not turn a right answer red.
        temporary.unlink(missing_ok=True)
