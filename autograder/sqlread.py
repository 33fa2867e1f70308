"""Read a learner's SQLite database as evidence: a copy of it, with limits on time and sizes."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

MAX_DATABASE = 200 << 20
MAX_ROWS = 20_000
MAX_VALUE = 1 << 20
_SECONDS = 1.0


def snapshot(path: Path) -> sqlite3.Connection:
    """Read a database into memory from a copy, so that nobody's lock or writing is in the way.

    Raises sqlite3.Error if it is none, or a damaged one.
    """
    memory = sqlite3.connect(":memory:")
    with tempfile.TemporaryDirectory(prefix="store-") as scratch:
        copy = Path(scratch) / "copy.db"
        # What a server has not yet written into the database lies beside it.
        for suffix in ("", "-wal", "-journal"):
            beside = path.with_name(path.name + suffix)
            if beside.is_file() and not beside.is_symlink():
                with contextlib.suppress(OSError):
                    shutil.copyfile(beside, copy.with_name(copy.name + suffix))
        with contextlib.closing(sqlite3.connect(copy)) as source:
            source.backup(memory)
    memory.text_factory = lambda raw: raw[:MAX_VALUE].decode("utf-8", "replace")
    memory.execute("PRAGMA trusted_schema = OFF")
    memory.execute("PRAGMA query_only = ON")
    memory.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 4 * MAX_VALUE)
    return memory


def rows(database: sqlite3.Connection, query: str, *values: str) -> list[tuple[Any, ...]]:
    """Return a query's rows; raises sqlite3.Error or OverflowError for what is too much."""
    deadline = time.monotonic() + _SECONDS
    database.set_progress_handler(lambda: time.monotonic() > deadline, 10_000)
    return list(_bounded(database.execute(query, values)))


def _bounded(found: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """Yield rows as far as they go into memory; what a schema computes can be without end."""
    size = 0
    for row in itertools.islice(found, MAX_ROWS):
        size += sum(len(value) for value in row if isinstance(value, str | bytes))
        if size > MAX_DATABASE:
            raise sqlite3.DataError("its values are too large")
        yield row
