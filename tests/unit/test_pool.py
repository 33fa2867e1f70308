"""How many submissions are graded at a time."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from autograder import pool


@pytest.mark.parametrize(
    ("cores", "gigabytes", "jobs"), [(2, 24, 4), (8, 64, 10), (8, 5, 5), (2, 0.5, 1), (None, 9, 3)]
)
def test_two_more_than_cores_where_there_is_memory(
    cores: int | None, gigabytes: float, jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = SimpleNamespace(available=int(gigabytes * (1 << 30)))
    monkeypatch.setattr(pool.psutil, "virtual_memory", lambda: memory)
    monkeypatch.setattr(pool.os, "cpu_count", lambda: cores)
    assert pool.default_jobs() == jobs
