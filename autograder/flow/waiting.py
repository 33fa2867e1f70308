"""How the parts of an Airflow on SQLite wait for one another instead of giving up.

Airflow opens a SAVEPOINT, reads, and then writes.  To SQLite that is a reader who becomes a writer,
and it refuses one at once, whatever the timeout, if another process has written in between:
"database is locked", seen in one of five backfills on a busy machine.  Asking for the right to
write before the first look makes it wait.
"""

from __future__ import annotations

import sqlite3
from typing import Any


class _Cursor(sqlite3.Cursor):
    def execute(self, statement: str, *parameters: Any) -> sqlite3.Cursor:
        if statement.startswith("SAVEPOINT") and not self.connection.in_transaction:
            super().execute("BEGIN IMMEDIATE")
        return super().execute(statement, *parameters)


class _Connection(sqlite3.Connection):
    def cursor(self, *_: Any) -> sqlite3.Cursor:
        return super().cursor(_Cursor)


# What Airflow's option [database] sql_alchemy_connect_args names; the seconds to wait for a lock.
CONNECT_ARGS = {"timeout": 60, "factory": _Connection}
