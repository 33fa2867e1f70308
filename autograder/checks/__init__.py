"""What every lab's checks are made of.

A lab's checks live in the module of the lab's name beside this file.  Each is a function with
the `check` decorator; its name is the ``grade_id`` of the notebook cell that calls it, and the
decorator is the one place where its task, title and points are written::

    @check(task=5, title="Two people, one line", points=2)
    def conflict_resolved(repo: Path) -> None:
        \"\"\"`main` has a merge commit and no conflict marker is left.\"\"\"
        if ...:
            raise CheckFailed(looked=..., found=..., expected=..., hint=...)

It returns when the evidence is right and raises `CheckFailed` when it is not.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from autograder import progress
from autograder.results import Status
from autograder.sandbox import SandboxMissingError
from autograder.verdict import CheckFailed, NotGradedHere, TaskNotDone, Verdict, show

__all__ = ["Check", "CheckFailed", "NotGradedHere", "check", "checks_of"]


@dataclass(frozen=True)
class Check:
    """One check: what it is called, what it is worth, and the function that reads the evidence."""

    lab: str
    name: str
    task: int
    title: str
    points: float
    function: Callable[..., None]

    def judge(self, *args: Any, **kwargs: Any) -> Verdict:
        """Look at the evidence and return the verdict; raises only SandboxMissingError.

        A check that stumbles over its evidence says so, and gives no points: the message names
        the check so that the learner can report it.
        """
        try:
            inspect.signature(self.function).bind(*args, **kwargs)
        except TypeError:
            return self._verdict(Status.FAILED, _other_release(self.lab, f"{self.name} this way"))
        try:
            self.function(*args, **kwargs)
        except CheckFailed as failed:
            lines = (
                ("Looked at", failed.looked),
                ("Found", failed.found),
                ("Expected", failed.expected),
                ("Try", failed.hint),
            )
            return self._verdict(Status.FAILED, lines)
        except NotGradedHere as absent:
            lines = (("Why", str(absent)), ("Try", absent.hint))
            return self._verdict(Status.NOT_GRADED, lines)
        except SandboxMissingError:
            # The grader's machine is at fault, not the learner: no verdict.
            raise
        except Exception as error:
            return self._verdict(Status.FAILED, _stumbled(self, error))
        return self._verdict(Status.PASSED, ())

    def _verdict(self, status: Status, lines: tuple[tuple[str, str], ...]) -> Verdict:
        points = self.points if status is Status.PASSED else 0.0
        return Verdict(
            self.lab, self.name, self.task, self.title, points, self.points, status, lines
        )


class OtherReleaseError(AttributeError):
    """A notebook calls a check that its lab does not have (any more, or yet)."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


class _LabsChecks(ModuleType):
    """A lab's module of checks; asked for one that is not there, it says why that may be."""

    def __getattr__(self, name: str) -> Any:
        lab = self.__name__.rpartition(".")[2]
        if name.startswith("_"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        said = dict(_other_release(lab, name))
        raise OtherReleaseError(f"{said['Found']}. {said['Try']}")


def _other_release(lab: str, call: str) -> tuple[tuple[str, str], ...]:
    return (
        ("Looked at", "the notebook itself"),
        ("Found", f"it calls {call}, and lab {lab} has no such check: it is of another release"),
        ("Expected", "the notebook that came with this release"),
        (
            "Try",
            f"`autograder reset {lab} --keep-work` in a terminal brings it, leaves your evidence "
            "as it is, and keeps this notebook beside it.",
        ),
    )


def check(*, task: int, title: str, points: float) -> Callable[[Callable[..., None]], Any]:
    """Turn a function that reads evidence into a check of the lab its module is named after.

    Called in a notebook, the check shows its card and, unless the evidence is right, raises
    `TaskNotDone`, which is what makes nbgrader give no points.
    """

    def decorate(function: Callable[..., None]) -> Any:
        lab = function.__module__.rpartition(".")[2]
        this = Check(lab, function.__name__, task, title, float(points), function)

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> None:
            verdict = progress.record(this.judge(*args, **kwargs))
            show(verdict)
            if verdict.status is not Status.PASSED:
                raise TaskNotDone(verdict)

        call.check = this
        # Not for a module that is run without being imported.
        if function.__module__ == f"{__name__}.{lab}" and function.__module__ in sys.modules:
            sys.modules[function.__module__].__class__ = _LabsChecks
        return call

    return decorate


def checks_of(lab: str) -> dict[str, Check]:
    """Return the checks of a lab by name, in the order in which its module defines them.

    Raises ModuleNotFoundError if the lab has no check module.
    """
    module = importlib.import_module(f"autograder.checks.{lab}")
    found = (getattr(value, "check", None) for value in vars(module).values())
    return {c.name: c for c in found if isinstance(c, Check) and c.lab == lab}


def _stumbled(this: Check, error: Exception) -> tuple[tuple[str, str], ...]:
    where = _innermost_line(error)
    return (
        ("Looked at", f"the evidence of task {this.task}"),
        ("Found", f"something this check cannot read: {type(error).__name__}: {error}"[:300]),
        ("Expected", "evidence in the form the task describes"),
        (
            "Try",
            "lay out the task's start state again (the statement says how) and redo it. If it "
            f"stays, show your instructor this line: {this.lab}.{this.name} at {where}.",
        ),
    )


def _innermost_line(error: Exception) -> str:
    tb = error.__traceback__
    while tb is not None and tb.tb_next is not None:
        tb = tb.tb_next
    if tb is None:
        return "an unknown line"
    return f"{Path(tb.tb_frame.f_code.co_filename).name}:{tb.tb_lineno}"
