"""Progress, labs and help as pages: one template, no script needed to read them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from autograder.learner.doctor import SYMBOLS, Found, System
from autograder.learner.standing import STAGES, Standing
from autograder.verdict import number

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters["number"] = number


def progress_page(now: Standing, to_root: str | None = "../") -> str:
    """Return the page of stages, labs, tasks, points and the next step.

    ``to_root`` leads from the page to the Jupyter server's base address; None is for a file, whose
    notebooks are named but not linked.
    """
    return _page("progress", now=now, stages=STAGES, to_root=to_root)


def labs_page(now: Standing, to_root: str = "../") -> str:
    """Return the page that lists the labs: what each is about, takes, needs and is worth."""
    return _page("labs", now=now, stages=STAGES, to_root=to_root)


def help_page(found: Sequence[Found], on: System, to_root: str = "../") -> str:
    """Return the page of first aid: commands, common troubles, and what the doctor found."""
    return _page("help", found=found, on=on, symbols=SYMBOLS, to_root=to_root)


def _page(name: str, **values: Any) -> str:
    return _ENVIRONMENT.get_template("pages.html.j2").render(page=name, **values)
