"""A tool that answers at once says, writes and returns what the tool as installed does."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from autograder import quick
from autograder.lab import JUDGE, ROLE, Lab

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's pidfd")

SLEEPS = """\
stages:
  nap:
    cmd: echo $$ > pid; exec sleep 120
"""


@pytest.fixture(scope="module")
def installed() -> str:
    """Return where dvc is installed."""
    return str(shutil.which("dvc"))


@pytest.fixture(scope="module")
def helper(installed: str) -> Iterator[Path]:
    """Start the helper and return its folder."""
    quick.start("dvc")
    yield Path(str(shutil.which("dvc"))).parent
    quick.stop("dvc")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, helper: Path) -> Path:
    """A Git repository with DVC."""
    made = tmp_path_factory.mktemp("template") / "repo"
    subprocess.run(["git", "init", "-q", made], check=True)
    subprocess.run([helper / "dvc", "init", "-q"], cwd=made, check=True)
    return made


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, template: Path) -> Path:
    """A copy of it, and a folder of its own for what DVC keeps elsewhere."""
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    return shutil.copytree(template, tmp_path / "repo")


def _run(command: str, folder: Path, tool: str, **environment: str) -> tuple[int, str, str]:
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**os.environ, "DVC": tool, **environment},
        input="one\ntwo\n",
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout, done.stderr


def _gone(pid: int) -> bool:
    """Wait until a process has ended, for ten seconds at most."""
    for _ in range(200):
        stat = Path(f"/proc/{pid}/stat")
        if not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize(
    "command",
    [
        "$DVC --version",
        "$DVC status",
        "$DVC nonsense",
        "mkdir -p 'a b' && cd 'a b' && echo 1 > 'ä x' && $DVC add -q 'ä x' 2>/dev/null; cat *.dvc",
        "$DVC pull; echo ended with $?",
        "COLUMNS=60 $DVC params diff --help | head -3",
    ],
)
def test_a_command_does_what_the_installed_one_does(
    command: str, repo: Path, helper: Path, installed: str, tmp_path: Path
) -> None:
    other = shutil.copytree(repo, tmp_path / "other")
    assert _run(command, repo, str(helper / "dvc")) == _run(command, other, installed)


def test_a_stage_reads_what_comes_in(repo: Path, helper: Path) -> None:
    (repo / "dvc.yaml").write_text("stages:\n  copy:\n    cmd: cat > copied\n    outs: [copied]\n")
    assert _run("umask 077; $DVC repro -q", repo, str(helper / "dvc"))[0] == 0
    assert (repo / "copied").read_text() == "one\ntwo\n"
    assert (repo / "dvc.lock").stat().st_mode & 0o077 == 0


def test_other_settings_for_imports_start_the_tool_anew(repo: Path, helper: Path) -> None:
    code, _, said = _run("$DVC status", repo, str(helper / "dvc"), PYTHONVERBOSE="1")
    assert code == 0
    assert "import 'dvc" in said


def test_a_command_ends_with_its_client(repo: Path, helper: Path) -> None:
    (repo / "dvc.yaml").write_text(SLEEPS)
    client = subprocess.Popen([str(helper / "dvc"), "repro", "-q"], cwd=repo, text=True)
    while not (pid := repo / "pid").exists() or not pid.read_text().strip():
        assert client.poll() is None
        time.sleep(0.05)
    client.kill()
    client.wait()
    assert _gone(int(pid.read_text()))


def test_the_helper_ends_with_its_kernel(tmp_path: Path) -> None:
    program = (
        "import time; from autograder import quick; quick.start('dvc');"
        "helper, folder = quick._running['dvc']; print(helper.pid, folder, flush=True);"
        "time.sleep(60)"
    )
    kernel = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert kernel.stdout is not None
    pid, folder = kernel.stdout.readline().split()
    kernel.send_signal(signal.SIGKILL)
    kernel.wait()
    kernel.stdout.close()
    assert _gone(int(pid))
    assert not Path(folder).exists()


def test_without_its_helper_the_tool_runs_as_installed(repo: Path, tmp_path: Path) -> None:
    lost = tmp_path / "dvc"
    quick._write_command(lost, tmp_path / "socket", str(shutil.which("dvc")))
    assert _run("$DVC status", repo, str(lost))[0] == 0


def test_a_judge_has_no_helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ROLE, JUDGE)
    monkeypatch.setattr(quick, "_running", {})
    Lab("s4_dvc", tmp_path / "s4_dvc", quick="dvc")
    assert quick._running == {}
