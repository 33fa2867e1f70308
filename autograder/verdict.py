"""How a check answers: a verdict, and the card that shows it."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from html import escape
from typing import Any
from urllib.parse import quote

from autograder.results import Status

# The trusted half of the grader reads verdicts from this part of a cell's output.
MIME = "application/vnd.autograder.verdict+json"
# Set where somebody reads them; a learner's own notebook stays free of them.
WANTED = "AUTOGRADER_VERDICTS"

# nbgrader's Validate cuts lines at 87 characters.
WIDTH = 84
_LABEL = 12

SYMBOL = {Status.PASSED: "✔", Status.FAILED: "✘", Status.NOT_GRADED: "–"}
_COLOUR = {
    Status.PASSED: ("#1a7f37", "#eefbf1"),
    Status.FAILED: ("#b42318", "#fff4f2"),
    Status.NOT_GRADED: ("#57606a", "#f6f8fa"),
}


class CheckFailed(Exception):
    """The evidence is not (yet) what the task asks for.

    Raise it inside a check.  Each part is a sentence or a few lines: where the check looked,
    what it found there, what it expected, what to try from *this* state.  A hidden value must
    not appear in any of them.
    """

    def __init__(self, *, looked: str, found: str, expected: str, hint: str) -> None:
        super().__init__(found)
        self.looked, self.found, self.expected, self.hint = looked, found, expected, hint


class NotGradedHere(Exception):
    """A tool the check needs is absent on this machine: no points, and no blame."""

    def __init__(self, needs: str, hint: str) -> None:
        super().__init__(f"not graded here: needs {needs}")
        self.needs, self.hint = needs, hint


@dataclass(frozen=True)
class Verdict:
    """What one check says about one piece of evidence."""

    lab: str
    name: str
    task: int
    title: str
    points: float
    max_points: float
    status: Status
    lines: tuple[tuple[str, str], ...] = ()
    footer: str = ""

    @property
    def found(self) -> str:
        """The "Found" line, empty where there is none."""
        return dict(self.lines).get("Found", "")

    @property
    def score(self) -> str:
        """Points as a learner reads them: ``1 of 2``, or that they are not graded here."""
        if self.status is Status.NOT_GRADED:
            return f"not graded here ({number(self.max_points)})"
        return f"{number(self.points)} of {number(self.max_points)}"

    def head(self) -> str:
        """Return the card's first line as plain text: outcome, task, points."""
        head = f"{SYMBOL[self.status]} {self.task} · {self.title}"
        return head + " " * max(2, WIDTH - len(head) - len(self.score)) + self.score

    def text(self) -> str:
        """Return the card as plain text, at most 84 characters wide."""
        rows = [self.head()]
        for label, body in self.lines:
            rows += _indent(label, body)
        if self.footer:
            rows.append(f"  {self.footer}")
        return "\n".join(rows)

    def html(self) -> str:
        """Return the card as HTML that needs no style sheet, and not colour alone, to be read."""
        ink, paper = _COLOUR[self.status]
        rows = "".join(
            f'<tr style="background:none">'
            f'<th scope="row" style="text-align:left;vertical-align:top;'
            f'padding:1px 14px 1px 0;font-weight:600;color:#424a53">{escape(label)}</th>'
            f'<td style="text-align:left;white-space:pre-wrap;padding:1px 0;color:#1f2328">'
            f"{escape(body)}</td></tr>"
            for label, body in self.lines
        )
        table = (
            f'<table style="border:0;margin:6px 0 0;font-size:13px">{rows}</table>' if rows else ""
        )
        parts = [escape(self.footer)] if self.footer else []
        if self.status is not Status.PASSED:
            # JupyterLab makes an anchor of every heading; the hint is folded below the task's.
            anchor = quote(f"{self.task} · {self.title}".replace(" ", "-"))
            parts.append(f'<a href="#{anchor}" style="color:#0550ae">Task and hint</a>')
        foot = (
            f'<div style="margin-top:4px;color:#57606a;font-size:12px">{" · ".join(parts)}</div>'
            if parts
            else ""
        )
        return (
            f'<div class="autograder-card" data-check="{escape(self.name)}" '
            f'data-status="{self.status}" role="status" style="border-left:5px solid {ink};'
            f'background:{paper};color:#1f2328;padding:8px 14px;max-width:52em;line-height:1.4">'
            f'<div style="display:flex;justify-content:space-between;gap:2em;font-weight:600">'
            f'<span style="color:{ink}">{SYMBOL[self.status]} {self.task} · {escape(self.title)}'
            f'</span><span style="white-space:nowrap">{self.score}</span></div>{table}{foot}</div>'
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain data: what the grader stores."""
        return asdict(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        bundle = {"text/plain": self.text(), "text/html": self.html()}
        if os.environ.get(WANTED):
            bundle[MIME] = self.to_json()
        return bundle


class TaskNotDone(AssertionError):
    """Raised in the notebook after a card that is not green, so that nbgrader gives no points."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(f"{verdict.task} · {verdict.title}: {verdict.score}")
        self.verdict = verdict

    def _render_traceback_(self) -> list[str]:
        """Show learners the message, never the inside of the check."""
        # nbgrader's Validate shows the error and nothing else: give it the whole card.
        if os.environ.get("NBGRADER_EXECUTION") == "validate" or not _in_notebook():
            return [self.verdict.text()]
        return [f"{self.verdict.score} points: the card above says what to try."]


def show(verdict: Verdict) -> None:
    """Display a verdict in a notebook; print it anywhere else."""
    if _in_notebook():
        from IPython.display import display

        display(verdict)
    else:
        print(verdict.text())


def _in_notebook() -> bool:
    from IPython.core.getipython import get_ipython

    return get_ipython() is not None


def number(points: float) -> str:
    """Write points without a needless ``.0``."""
    return f"{points:g}"


def _indent(label: str, body: str) -> Iterable[str]:
    pad = " " * (_LABEL + 2)
    for i, line in enumerate(body.splitlines() or [""]):
        first = f"  {label:<{_LABEL}}" if i == 0 else pad
        yield from textwrap.wrap(
            line,
            WIDTH,
            initial_indent=first,
            subsequent_indent=pad,
            break_long_words=True,
            break_on_hyphens=False,
        ) or [first.rstrip()]
