"""What grading one submission yields: plain data that travels as JSON between processes."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """How one check of one submission ended."""

    PASSED = "passed"
    FAILED = "failed"
    PARTIAL = "partial"
    TIMEOUT = "timeout"
    NOT_GRADED = "not graded"
    NEEDS_REVIEW = "needs review"


@dataclass(frozen=True)
class CheckResult:
    """One check of one submission.

    ``found`` is the check's "Found" line (empty when it passed): reports count these lines
    to show which wrong findings are the most common.
    """

    name: str
    task: int
    title: str
    points: float
    max_points: float
    status: Status
    message: str = ""
    found: str = ""


@dataclass(frozen=True)
class SubmissionResult:
    """One graded submission.

    ``problem`` says in a student's words why the submission as a whole could not be graded, or
    what was odd about it; it is empty for an ordinary one.  ``seconds`` is wall time, ``cpu`` what
    its kernels used.
    """

    student: str
    lab: str
    checks: tuple[CheckResult, ...] = ()
    problem: str = ""
    seconds: float = 0.0
    cpu: float = 0.0
    notes: tuple[str, ...] = field(default=())

    @property
    def points(self) -> float:
        """Points earned."""
        return sum(check.points for check in self.checks)

    @property
    def max_points(self) -> float:
        """Points that could be earned."""
        return sum(check.max_points for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        """Return plain data that `from_json` reads back."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> SubmissionResult:
        """Build a result from what `to_json` returned."""
        checks = tuple(CheckResult(**{**c, "status": Status(c["status"])}) for c in data["checks"])
        return cls(**{**data, "checks": checks, "notes": tuple(data.get("notes", ()))})
