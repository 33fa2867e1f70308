"""The doctor: what is there, what is not, and a line for every system."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from autograder.learner import doctor
from autograder.learner.doctor import State, System
from autograder.learner.page import help_page
from autograder.paths import Course
from tests.conftest import COURSE, ROOT


def _program(folder: Path, name: str, says: str, code: int = 0) -> None:
    """Put a small real program on the path."""
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}'\nexit {code}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def _look(name: str) -> tuple[State, str]:
    return next(tool for tool in doctor.TOOLS if tool.name == name).look()


def test_every_tool_says_what_it_is_for_and_what_works_without_it() -> None:
    for tool in doctor.TOOLS:
        assert tool.purpose and tool.without, tool.name


@pytest.mark.parametrize("on", System)
def test_every_tool_has_a_line_on_every_system(on: System, monkeypatch: pytest.MonkeyPatch) -> None:
    for tool in doctor.TOOLS:
        for state in (State.MISSING, State.BROKEN, State.OLD):
            assert doctor._remedy(tool, state, on), (tool.name, state)


def test_this_machine_is_told_as_it_is() -> None:
    found = {f.tool.name: f for f in doctor.examine(COURSE)}
    git = subprocess.run(["git", "--version"], capture_output=True, text=True).stdout
    assert found["Git"].good and found["Git"].version in git
    assert found["Python"].version.startswith(sys.version.split()[0])
    assert str(ROOT) in found["Folder"].version


def test_a_missing_an_old_and_a_broken_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert _look("Git") == (State.MISSING, "")
    _program(tmp_path, "git", "git version 2.20.1")
    assert _look("Git") == (State.OLD, "2.20.1, needs 2.28")
    _program(tmp_path, "git", "fatal: no such library", 1)
    assert _look("Git") == (State.BROKEN, "fatal: no such library")
    _program(tmp_path, "git", "git version 2.39.5 (Apple Git-154)")
    assert _look("Git") == (State.GOOD, "2.39.5")


def test_a_docker_client_without_an_engine_is_not_ok(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    _program(tmp_path, "docker", "Cannot connect to the Docker daemon", 1)
    state, said = _look("Docker engine")
    assert (state, "no engine answers" in said) == (State.BROKEN, True)
    tool = next(t for t in doctor.TOOLS if t.name == "Docker engine")
    assert "start docker" in doctor._remedy(tool, state, System.DEBIAN)
    assert "install" in doctor._remedy(tool, State.MISSING, System.DEBIAN)


def test_systems_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BINDER_SERVICE_HOST", raising=False)
    monkeypatch.delenv("BINDER_REPO_URL", raising=False)
    monkeypatch.setattr("platform.release", lambda: "5.15.167.4-microsoft-standard-WSL2")
    assert doctor.system() is System.WSL
    monkeypatch.setattr("sys.platform", "darwin")
    assert doctor.system() is System.MACOS
    monkeypatch.setenv("BINDER_REPO_URL", "https://example.org")
    assert doctor.system() is System.BINDER


def test_a_limit_on_memory_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEM_LIMIT", str(1 << 30))
    assert doctor.memory() <= 1 << 30
    assert _look("Memory")[0] is State.OLD


def _found(tool: str, state: State) -> doctor.Found:
    one = next(t for t in doctor.TOOLS if t.name == tool)
    return doctor.Found(one, state, "", doctor._remedy(one, state, System.DEBIAN))


def test_fix_installs_packages_only_where_it_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    course = Course(tmp_path)
    bad = [_found(n, State.MISSING) for n in ("Git", "bubblewrap", "Docker engine", "Chromium")]
    _program(tmp_path, "apt-get", "")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    (command,) = doctor.repairs(bad, course)
    assert command[:2] == ["apt-get", "install"]
    assert "--no-remove" in command and command[-2:] == ["git", "bubblewrap"]
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert doctor.repairs(bad, course) == []
    _program(tmp_path, "sudo", "a password is required", 1)
    assert doctor.repairs(bad, course) == []
    _program(tmp_path, "sudo", "")
    assert doctor.repairs(bad, course)[0][:3] == ["sudo", "-n", "apt-get"]


def test_fix_leaves_a_good_machine_alone() -> None:
    good = [_found(tool.name, State.GOOD) for tool in doctor.TOOLS]
    assert doctor.repairs(good, COURSE) == []


def test_the_command_says_it_all_and_its_exit_code_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [sys.executable, "-m", "autograder", "doctor"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    for tool in doctor.TOOLS:
        assert tool.name in done.stdout
    elsewhere = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert "is not inside the workbook" in elsewhere.stdout


def test_the_help_page_holds_what_the_doctor_found() -> None:
    found = [_found("Docker engine", State.MISSING), _found("Git", State.GOOD)]
    page = help_page(found, System.DEBIAN)
    assert "sudo apt-get install docker.io" in page
    assert "autograder reset s2_git" in page


def test_the_images_are_those_that_the_checks_use() -> None:
    from autograder import containers

    assert doctor._IMAGES == (containers.BASE, containers.REGISTRY)
