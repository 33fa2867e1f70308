"""The walls around learner-made code, tried from inside."""

from __future__ import annotations

import sys
import time
import urllib.request
from pathlib import Path

import pytest

from autograder import sandbox
from autograder.sandbox import Limits

pytestmark = pytest.mark.skipif(
    not sandbox.available(), reason="needs bubblewrap: apt-get install bubblewrap"
)


def test_writes_in_its_folder_only(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    inside = tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    done = sandbox.run(["sh", "-c", f"touch here; touch {outside}/there"], folder=inside)
    assert (inside / "here").exists()
    assert list(outside.iterdir()) == []
    assert not done.ok


def test_sees_neither_home_nor_password_file_nor_the_solutions(tmp_path: Path) -> None:
    secret = Path(__file__).resolve().parent.parent.parent / "solutions"
    assert secret.is_dir()
    for path in (secret, Path.home() / ".ssh", "/etc/shadow", "/etc/passwd"):
        assert not sandbox.run(["ls", str(path)], folder=tmp_path).ok


def test_imports_the_course_but_cannot_change_it(tmp_path: Path) -> None:
    code = "import autograder, flights, pathlib; pathlib.Path(autograder.__file__).write_text('')"
    done = sandbox.python("-c", code, folder=tmp_path)
    assert "Read-only file system" in done.stderr


def test_has_no_network_and_no_inherited_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_TOKEN", "secret")
    code = (
        "import os, socket\n"
        "print(sorted(os.environ))\n"
        "print([name for _, name in socket.if_nameindex()])\n"
        "socket.create_connection(('192.0.2.1', 80), 2)"
    )
    done = sandbox.python("-c", code, folder=tmp_path)
    assert "MY_TOKEN" not in done.stdout
    assert "['lo']" in done.stdout
    assert "unreachable" in done.stderr


def test_stops_in_time_with_all_it_started(tmp_path: Path) -> None:
    began = time.monotonic()
    done = sandbox.run(
        ["sh", "-c", "(sleep 60; touch late) & echo early; sleep 60"],
        folder=tmp_path,
        limits=Limits(seconds=0.5),
    )
    assert done.timed_out
    assert done.stdout == "early\n"
    assert time.monotonic() - began < 10


def test_cuts_output(tmp_path: Path) -> None:
    done = sandbox.python("-c", "print('x' * 10**7)", folder=tmp_path, limits=Limits(output=1000))
    assert len(done.stdout) == 1000


def test_limits_memory_and_file_size(tmp_path: Path) -> None:
    small = Limits(memory=1 << 30, file_size=1 << 20)
    assert (
        "MemoryError"
        in sandbox.python("-c", "bytearray(2 << 30)", folder=tmp_path, limits=small).stderr
    )
    sandbox.python("-c", "open('f','wb').write(bytes(1 << 23))", folder=tmp_path, limits=small)
    assert (tmp_path / "f").stat().st_size <= 1 << 20


def test_a_missing_sandbox_is_an_error_where_one_is_required(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "available", lambda: False)
    assert sandbox.run(["echo", "free"], folder=tmp_path).stdout == "free\n"
    monkeypatch.setenv(sandbox.REQUIRED, "1")
    with pytest.raises(sandbox.SandboxMissingError, match="apt-get install bubblewrap"):
        sandbox.run(["echo", "free"], folder=tmp_path)
    with pytest.raises(sandbox.SandboxMissingError, match="--unsafe"):
        sandbox.require()


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=1) as reply:
            return reply.status == 200
    except OSError:
        return False


def test_serves_while_the_block_lasts(tmp_path: Path) -> None:
    port = sandbox.free_port()
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]
    with sandbox.serve(command, folder=tmp_path, answers=lambda: _answers(port)) as server:
        assert "GET / HTTP" in server.log()
    assert server.process.poll() is not None
    assert not _answers(port)


def test_a_server_that_fails_is_quoted(tmp_path: Path) -> None:
    with (
        pytest.raises(sandbox.ServerFailedError, match="no such model"),
        sandbox.serve(
            [sys.executable, "-c", "raise SystemExit('no such model')"],
            folder=tmp_path,
            answers=lambda: False,
        ),
    ):
        pass


def test_leaves_no_descriptor_open(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        sandbox.run(["true"], folder=tmp_path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
