"""The state each task of a lab starts from.

A lab's start states live in the module of the lab's name beside this file.  Each is a function
with the `start` decorator that fills an empty folder::

    @start("5-conflict")
    def conflict(folder: Path) -> None:
        \"\"\"Two branches that changed the same line.\"\"\"

Starts are laid out in the order in which the module defines them.  They must be quick (the
learner waits), need no network, and give the same result every time.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TypeVar

Layout = Callable[[Path], None]
_L = TypeVar("_L", bound=Layout)


def start(folder: str) -> Callable[[_L], _L]:
    """Mark a function as what fills ``work/<folder>`` before the learner begins."""

    def mark(function: _L) -> _L:
        function.start_folder = folder  # type: ignore[attr-defined]
        return function

    return mark


def starts_of(lab: str) -> dict[str, Layout]:
    """Return the lab's layouts by folder name; a lab without a module has none."""
    layouts = (v for v in vars(_module(lab)).values() if hasattr(v, "start_folder"))
    return {layout.start_folder: layout for layout in layouts}


def warm_of(lab: str) -> tuple[str, ...]:
    """Return what else learners' kernels find imported: the module's ``WARM``, if it has one."""
    return tuple(getattr(_module(lab), "WARM", ()))


def _module(lab: str) -> object:
    name = f"autograder.starts.{lab}"
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as missing:
        if missing.name != name:
            raise
        return SimpleNamespace()
