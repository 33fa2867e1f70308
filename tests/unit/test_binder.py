"""Binder's image is built by repo2docker's rules, opens on the roadmap, and fits into 2 GB."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil
import pytest

from autograder.lab import too_little_memory
from autograder.learner import doctor
from autograder.sandbox import free_port, kill_group
from autograder.source import dumps
from tests.conftest import COURSE, ROOT, notebooks

GB = 1 << 30


@pytest.fixture(scope="module")
def dockerfile(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What repo2docker would build from the files that Git tracks; it needs no Docker for that."""
    clone = tmp_path_factory.mktemp("repository")
    for name in ("binder", "environment.yml", "pyproject.toml", "README.md"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, clone / name)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "repo2docker", "--no-build", "--debug"),
            *("--user-id=1000", "--user-name=jovyan", str(clone)),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout + done.stderr


def test_repo2docker_takes_the_environment_and_its_python(dockerfile: str) -> None:
    assert "Building conda environment for python=3.12" in dockerfile
    assert "env update" in dockerfile and '--file "binder/environment.yml"' in dockerfile


def test_repo2docker_installs_the_packages_of_apt_txt(dockerfile: str) -> None:
    wanted = sorted((ROOT / "binder" / "apt.txt").read_text().split())
    (line,) = re.findall(
        r"^apt-get install --yes --no-install-recommends (\S.*) && \\$", dockerfile, re.M
    )
    assert sorted(line.split()) == wanted


def test_repo2docker_runs_our_scripts(dockerfile: str) -> None:
    assert "RUN ./binder/postBuild" in dockerfile
    assert 'R2D_ENTRYPOINT="${REPO_DIR}/binder/start"' in dockerfile


@pytest.mark.parametrize("server", [["jupyter", "lab"], ["jupyter", "notebook"]])
def test_it_opens_on_the_roadmap_whichever_server_starts(server: list[str], tmp_path: Path) -> None:
    for name in ("binder", "course", "labs", "autograder", "solutions"):
        (tmp_path / name).symlink_to(ROOT / name)
    port = free_port()
    options = ["--no-browser", f"--ServerApp.port={port}", "--IdentityProvider.token="]
    options += ["--allow-root", "--ServerApp.ip=127.0.0.1"]
    log = tmp_path / "log"
    process = subprocess.Popen(
        [str(tmp_path / "binder" / "start"), *server, *options],
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path), "BINDER_SERVICE_HOST": "test"},
        stdout=log.open("w"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        for _ in range(600):
            try:
                page = urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5)
                break
            except OSError:
                time.sleep(0.1)
        else:
            raise AssertionError(log.read_text()[-2000:])
        with page:
            assert page.url.endswith("/lab/tree/course/roadmap.ipynb")
            text = page.read().decode()
        assert "announcements" in text  # among the disabled extensions
        used = psutil.Process(process.pid).memory_info().rss
        print(f"{' '.join(server)}: {used / GB:.2f} GB before the first kernel")
        assert used < 0.5 * GB
    finally:
        kill_group(process)


def test_the_doctor_knows_binder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BINDER_SERVICE_HOST", "10.0.0.1")
    assert doctor.system() is doctor.System.BINDER
    for found in doctor.examine(COURSE):
        assert found.good or not found.remedy.startswith(("sudo", "brew", "make")), found


def test_a_lab_that_needs_more_memory_says_so_before_it_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nb = notebooks("s2_git")[1].copy()
    path = tmp_path / "s2_git.ipynb"
    path.write_text(dumps(nb), "utf-8")
    assert too_little_memory(path) == ""
    nb.cells[0].source += "\n\nThis lab needs 4 GB of memory."
    path.write_text(dumps(nb), "utf-8")
    monkeypatch.setenv("MEM_LIMIT", str(2 * GB))
    assert "needs 4 GB of memory, and this session has 2.0 GB" in too_little_memory(path)
    monkeypatch.delenv("MEM_LIMIT")
    monkeypatch.setattr(doctor, "memory", lambda: 8 * GB)
    assert too_little_memory(path) == ""


def test_the_badge_names_this_repository_or_nobodys() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    named = set(re.findall(r"mybinder\.org/v2/gh/([^/\s)]+/[^/\s)]+)/HEAD", readme))
    assert len(named) == 1
    remote = subprocess.run(
        ["git", "remote", "get-url", "origin"], cwd=ROOT, capture_output=True, text=True
    ).stdout
    here = re.search(r"github\.com[:/]([^/\s]+/[^/\s]+?)(?:\.git)?$", remote.strip())
    # Not yet set, or somebody's fork: then the badge may lead to the original.
    if here and named == {"OWNER/REPOSITORY"}:
        print(f"set the Binder badge: sed -i 's#OWNER/REPOSITORY#{here[1]}#' README.md")
    assert all(re.fullmatch(r"[\w.-]+/[\w.-]+", name) for name in named)
