"""A Parquet cache of the two large tables, safe for parallel processes and read-only machines."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import uuid4

import platformdirs
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from flights._source import package_version

# Raise this number whenever the code that builds a cached table changes what it holds.
SCHEMA_VERSION = 1


def cache_dir() -> Path:
    """Return the folder of the cache: ``$FLIGHTS_CACHE``, else the user's cache folder.

    The default is the one of the operating system, e.g. ``~/.cache/mlops-workbook`` on Linux.
    The folder need not exist.
    """
    chosen = os.environ.get("FLIGHTS_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    return Path(platformdirs.user_cache_dir("mlops-workbook", appauthor=False))


def cache_path(name: str) -> Path:
    """Return the cache file of table ``name``, keyed by data and schema version."""
    return cache_dir() / f"{name}-data{package_version()}-schema{SCHEMA_VERSION}.parquet"


def cached_table(
    name: str, build: Callable[[], pa.Table], months: Sequence[int] | None = None
) -> pa.Table:
    """Return table ``name``, restricted to ``months``: from the cache, else from ``build``.

    A missing or damaged cache file is rebuilt.  A folder that cannot be written costs time and
    nothing else: the table then comes from ``build`` on every call.
    """
    path = cache_path(name)
    wanted = None if months is None else [("month", "in", months)]
    try:
        # partitioning=None: older releases of pyarrow make a column of a folder "user=anna".
        return pq.read_table(path, filters=wanted, partitioning=None)
    except (OSError, pa.ArrowException):
        table = build()
    write_atomically(table, path)
    return table if months is None else table.filter(_in_months(table, months))


def write_atomically(table: pa.Table, path: Path) -> bool:
    """Write ``table`` to ``path``, one row group per month; return whether that succeeded.

    Readers see the whole file or none: a temporary neighbour is written first and then renamed,
    so of several processes that write at the same time the last one wins with a complete file.
    """
    temporary = path.with_name(f"{path.name}.{uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with pq.ParquetWriter(temporary, table.schema, compression="zstd") as writer:
            # Row groups that hold one month each let a reader skip the other eleven.
            for month in pc.unique(table["month"]).to_pylist():
                writer.write_table(table.filter(_in_months(table, [month])))
        temporary.replace(path)  # os.replace: one step, also over an existing file
    except OSError:
        return False
    finally:
        _remove(temporary)
    return True


def _in_months(table: pa.Table, months: Sequence[int]) -> pa.ChunkedArray:
    return pc.is_in(table["month"], value_set=pa.array(months, pa.int64()))


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:  # e.g. the cache folder is below a file: there is nothing to remove
        return
