"""The airline's web service that pipelines fetch a month of flights from.

Runs beside the graded DAG on the loopback.  It answers like a service on a bad day when it is
told to: the first calls for a month can fail, and a month can be broken.  It keeps a list of its
calls, which no learner's code can change.
"""

from __future__ import annotations

import csv
import io
import json
import os
import signal
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import flights

COLUMNS = ("date", "hour", "carrier", "origin", "dest", "distance", "late")
PER_AIRPORT = 80
_SEED = 2013


@dataclass
class Behaviour:
    """How the service behaves: its token, and per month (``2013-05``) what goes wrong."""

    token: str = "secret"
    fail: Mapping[str, int] = field(default_factory=dict)
    broken: Mapping[str, str] = field(default_factory=dict)
    airports: Mapping[str, list[str]] = field(default_factory=dict)


def rows_of(month: str, behaviour: Behaviour | None = None) -> list[dict[str, Any]]:
    """Return the flights that the service has for a month; every caller gets the same ones."""
    behaviour = behaviour or Behaviour()
    year, _, digits = month.partition("-")
    if year != "2013":
        raise ValueError(f"no flights in {month!r}")
    number = int(digits)
    table = flights.load_flights(months=[number])
    table = table[table["arr_delay"].notna()]
    airports = behaviour.airports.get(month) or sorted(table["origin"].unique())
    rows: list[dict[str, Any]] = []
    for airport in airports:
        sample = table[table["origin"] == airport].sample(PER_AIRPORT, random_state=_SEED + number)
        for f in sample.sort_index().itertuples():
            rows.append(
                {
                    "date": f"{f.year}-{f.month:02}-{f.day:02}",
                    "hour": int(f.hour),
                    "carrier": f.carrier,
                    "origin": f.origin,
                    "dest": f.dest,
                    "distance": int(f.distance),
                    "late": int(f.arr_delay >= flights.LATE_MINUTES),
                }
            )
    return _spoil(rows, behaviour.broken.get(month, ""))


def _spoil(rows: list[dict[str, Any]], how: str) -> list[dict[str, Any]]:
    """Break a month the way real deliveries break."""
    match how:
        case "":
            return rows
        case "distance":
            for row in rows[:40]:
                row["distance"] = -row["distance"]
        case "carrier":
            for row in rows[::3]:
                row["carrier"] = ""
        case "month":
            for row in rows[:25]:
                row["date"] = "2012" + row["date"][4:]
        case "twice":
            rows = rows + rows[:60]
        case "odd":
            # Not broken at all, only the other way round: a model learned on it is a bad one.
            for row in rows:
                row["late"] = 1 - row["late"]
        case _:
            raise ValueError(f"no way to break a month is called {how!r}")
    return rows


def as_csv(rows: list[dict[str, Any]]) -> str:
    """Return rows as the service sends them."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


class _Handler(BaseHTTPRequestHandler):
    behaviour: Behaviour
    calls: Counter[str]
    log: int

    def do_GET(self) -> None:
        month = self.path.strip("/").removeprefix("flights/").removesuffix(".csv")
        if self.headers.get("Authorization") != f"Bearer {self.behaviour.token}":
            return self._answer(month, 401, "who are you? Send the token: Authorization: Bearer …")
        self.calls[month] += 1
        if self.calls[month] <= self.behaviour.fail.get(month, 0):
            return self._answer(month, 503, "busy, try again later")
        try:
            body = as_csv(rows_of(month, self.behaviour))
        except (ValueError, KeyError):
            return self._answer(month, 404, f"no flights for {month[:40]!r}")
        self._answer(month, 200, body)

    def _answer(self, month: str, status: int, body: str) -> None:
        os.write(self.log, json.dumps([month[:40], status]).encode() + b"\n")
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: Any) -> None:
        """Say nothing: the log is elsewhere."""


def server(behaviour: Behaviour, log: int, port: int = 0) -> HTTPServer:
    """Return a server on a free port that writes a line for each call to descriptor ``log``."""
    known = {"behaviour": behaviour, "calls": Counter(), "log": log}
    return HTTPServer(("127.0.0.1", port), type("Handler", (_Handler,), known))


class Source:
    """The service in a process of its own, for as long as the ``with`` block lasts."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self._lines: list[tuple[str, int]] = []
        self._rest = b""

    def __enter__(self) -> Source:
        self._read, write = os.pipe()
        os.set_blocking(self._read, False)
        http = server(self.behaviour, write)
        self.port = http.server_address[1]
        self.pid = os.fork()
        if self.pid == 0:
            try:
                # Learners' processes must not be able to stop it with their own group.
                os.setsid()
                http.serve_forever()
            finally:
                os._exit(0)
        http.socket.close()
        os.close(write)
        return self

    def __exit__(self, *exc: object) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._read)

    def calls(self) -> list[tuple[str, int]]:
        """Return all calls so far: month asked for, and status answered."""
        try:
            while chunk := os.read(self._read, 65536):
                self._rest += chunk
        except BlockingIOError:
            pass
        *lines, self._rest = self._rest.split(b"\n")
        self._lines += [tuple(json.loads(line)) for line in lines]
        return list(self._lines)
