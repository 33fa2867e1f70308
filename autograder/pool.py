"""The worker processes that grade: forked from a server that has done the imports once."""

from __future__ import annotations

import multiprocessing
import os
import sys
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import forkserver

import psutil

_PRELOAD = ["autograder.pool", "autograder.grade", "flights"]


def skip_slow_imports() -> None:
    """Spare this process a grammar of web addresses that reading a notebook never asks for.

    jsonschema parses it at import, for more than a second; it does without where it is absent.
    """
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]


def start_early() -> None:
    """Let the server import beside this process, on another core; it is needed soon."""
    if os.name == "posix":
        forkserver.set_forkserver_preload(_PRELOAD)
        forkserver.ensure_running()


def workers(jobs: int) -> Executor:
    """Return a pool of so many processes, which end when this one does."""
    from autograder.grade import end_with

    context = multiprocessing.get_context("forkserver" if os.name == "posix" else "spawn")
    start_early()
    return ProcessPoolExecutor(
        jobs, mp_context=context, initializer=end_with, initargs=(os.getpid(),)
    )


def default_jobs() -> int:
    """Return how many submissions to grade at a time.

    Cores wait now and then, and at a batch's end, so two more than there are; fewer where each
    would not find a gigabyte of memory.
    """
    room = psutil.virtual_memory().available // (1 << 30)
    return max(1, min((os.cpu_count() or 1) + 2, room))


# Here the server begins, and here a command that is about to grade.
skip_slow_imports()
