"""Ask the service for runs: what checks, and learners who want to look, call."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autograder import sandbox
from autograder.flow.service import WORK
from autograder.lab import JUDGE, ROLE
from autograder.staging import remove_tree

# Not below /tmp, where a task may write; see `autograder.flow.run`.
INSIDE = Path("/flow")
_SUFFIXES = {".py", ".json", ".yaml", ".yml", ".toml", ".txt", ".sql", ".cfg"}
_FILES = 200
_BYTES = 400_000
_service: _Service | None = None
# Requests that ended the service, so that no other check tries them again.
_fatal: set[str] = set()


class ServiceError(RuntimeError):
    """Airflow did not start here."""


class TooMuchError(RuntimeError):
    """A folder holds more than a DAG and its helpers."""


class _Service:
    """The running service; forks of this process share it, one at a time."""

    def __init__(self) -> None:
        # SQLite waits for the disk at every commit, Airflow commits all the time: use memory.
        memory = Path("/dev/shm")
        self.folder = Path(
            tempfile.mkdtemp(prefix="flow-", dir=memory if os.access(memory, os.W_OK) else None)
        ).resolve()
        self.number = int.from_bytes(os.urandom(5))
        self.ready = False
        env = sandbox.clean_environment({WORK: str(self.folder / "f"), "TMPDIR": "/tmp"})
        if cache := os.environ.get("FLIGHTS_CACHE") or _cache():
            env["FLIGHTS_CACHE"] = cache
        command = [sys.executable, "-P", "-m", "autograder.flow.service"]
        if sandbox.available():
            env["AUTOGRADER_CONFINED"] = "1"
            readable = [Path(cache)] if cache else []
            env[WORK] = str(INSIDE / "f")
            walls = sandbox.bwrap([], readable, chdir=Path("/tmp"), env=env, memory=[INSIDE])
            command = walls + command
        elif os.environ.get(sandbox.REQUIRED):
            raise sandbox.SandboxMissingError(sandbox.MISSING)
        self.words = tempfile.TemporaryFile()  # noqa: SIM115
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.words,
            cwd=self.folder,
            env=env,
            start_new_session=True,
        )
        self.owner = os.getpid()
        atexit.register(self.close)

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request and wait for its answer."""
        self.number += 1
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None and stdout is not None
        try:
            _write_all(stdin.fileno(), json.dumps({**request, "number": self.number}).encode())
            _write_all(stdin.fileno(), b"\n")
        except OSError as error:
            raise ServiceError("the process with Airflow in it has ended") from error
        while line := _read_line(stdout.fileno()):
            # A check that was stopped half way leaves its answer, or half of it, behind: not ours.
            try:
                reply = json.loads(line)
            except ValueError:
                continue
            self.ready = self.ready or reply["number"] == 0
            if reply["number"] == self.number:
                return reply["answer"]
        self.words.seek(0)
        last = self.words.read().decode("utf-8", "replace").strip().splitlines()[-1:]
        raise ServiceError(f"the process with Airflow in it has ended: {' '.join(last)[:200]}")

    def close(self) -> None:
        """End it; only who started it does."""
        if os.getpid() == self.owner:
            sandbox.kill_group(self.process)
            remove_tree(self.folder)


def _cache() -> str:
    from flights import cache_dir

    return str(cache_dir())


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


_rest = b""


def _read_line(descriptor: int) -> bytes:
    global _rest
    while b"\n" not in _rest:
        chunk = os.read(descriptor, 1 << 16)
        if not chunk:
            return b""
        _rest += chunk
    line, _, _rest = _rest.partition(b"\n")
    return line


def start() -> None:
    """Start the service, if it is not there yet, without waiting for it."""
    global _service
    if _service is None:
        _service = _Service()


def ask(files: Mapping[str, str], scenario: Mapping[str, Any]) -> dict[str, Any]:
    """Run a scenario over files and return the report; raises ServiceError if Airflow is absent."""
    start()
    request = {"files": dict(files), "scenario": dict(scenario)}
    key = json.dumps(request, sort_keys=True)
    if key not in _fatal:
        assert _service is not None
        try:
            return _service.ask(request)
        except ServiceError:
            # It may have been ended from outside; a new one costs seconds, a lost check costs
            # points.
            _anew()
        try:
            return _service.ask(request)
        except ServiceError:
            was_ready = _service.ready
            _anew()
            if not was_ready:
                raise
            _fatal.add(key)
    return {"trouble": "what ran here ended the process with Airflow in it, twice"}


def _anew() -> None:
    global _service, _rest
    if _service is not None:
        _service.close()
    _service, _rest = None, b""
    start()


def swept() -> None:
    """Open the service again in the grader's warm parent, should a submission have ended it."""
    if _service is not None and _service.process.poll() is not None:
        _anew()


def files_of(task: Path) -> dict[str, str]:
    """Return the text of a task's DAGs, helpers and tests; raises TooMuchError if that is much."""
    found: dict[str, str] = {}
    for part in ("dags", "tests"):
        for path in sorted((task / part).rglob("*")):
            if path.is_symlink() or not path.is_file() or path.suffix not in _SUFFIXES:
                continue
            if "__pycache__" in path.parts:
                continue
            if len(found) >= _FILES or path.stat().st_size > _BYTES:
                raise TooMuchError(f"{path.relative_to(task)} is too much for a DAG folder")
            found[str(path.relative_to(task))] = path.read_bytes().decode(
                "utf-8", "surrogateescape"
            )
    return found


if os.environ.get(ROLE) == JUDGE:
    # In the grader's warm parent: it is ready by the time the first check asks.
    start()
