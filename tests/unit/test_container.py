"""Grading in a container: what is mounted, what is forbidden, what a person is told."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from autograder import container
from autograder.paths import Course, UserError
from tests.conftest import COURSE, ROOT


def _engine() -> str:
    """Name what is missing for a real container, or nothing."""
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "version"], capture_output=True).returncode:
        return "needs a Docker engine"
    return "" if shutil.which("bwrap") else "needs bubblewrap: apt-get install bubblewrap"


def test_mounts_the_course_and_nothing_else_that_can_be_written(tmp_path: Path) -> None:
    line = container.command("docker", "image", Course(tmp_path), ["s2_git", "--force"])
    mounts = [line[i + 1] for i, word in enumerate(line) if word == "--volume"]
    assert mounts == [f"{tmp_path}:{tmp_path}", f"{ROOT}:/checkout:ro"]
    assert set(container.WALLS) <= set(line)
    assert "docker.sock" not in " ".join(line)
    assert line[line.index("image") + 1 :] == [
        *("python", "-m", "autograder", "grade", "s2_git", "--force", "--course", str(tmp_path))
    ]


def test_the_build_gets_what_it_needs_and_no_secret() -> None:
    with tarfile.open(fileobj=io.BytesIO(container._context(ROOT))) as tar:
        names = tar.getnames()
    assert {"pyproject.toml", "uv.lock", "autograder/container/Dockerfile"} <= set(names)
    tops = {name.partition("/")[0] for name in names}
    assert tops == {"pyproject.toml", "uv.lock", "README.md", "autograder", "flights"}
    assert not [name for name in names if "__pycache__" in name]


def test_another_environment_is_another_image(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "uv.lock", "autograder/container/Dockerfile"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    before = container._version(tmp_path, "")
    assert container._version(tmp_path, "") == before
    with (tmp_path / "uv.lock").open("a") as lock:
        lock.write("\n")
    assert container._version(tmp_path, "") != before


def test_no_docker_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UserError, match="no `docker` on the PATH"):
        container.grade_in_container(COURSE, ["s2_git"])


@pytest.mark.skipif(shutil.which("docker") is None, reason="needs the docker command")
def test_an_engine_that_does_not_answer_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    with pytest.raises(UserError, match="does not answer"):
        container.grade_in_container(COURSE, ["s2_git"])


@pytest.mark.skipif(bool(_engine()), reason=_engine() or "all there")
def test_bubblewrap_can_build_its_walls_inside(tmp_path: Path) -> None:
    """The image is an empty one with this machine's programs in it: nothing is downloaded."""
    image = "mlops-workbook-test:walls"
    with tarfile.open(tmp_path / "empty.tar", "w") as tar:
        temporary = tarfile.TarInfo("tmp")
        temporary.type, temporary.mode = tarfile.DIRTYPE, 0o1777
        tar.addfile(temporary)
    subprocess.run(["docker", "import", tmp_path / "empty.tar", image], check=True)
    mounts = [
        f"--volume={p}:{p}:ro" for p in ("/usr", "/bin", "/lib", "/lib64") if Path(p).exists()
    ]
    walls = ["bwrap", "--unshare-all", "--ro-bind", "/usr", "/usr", "--symlink", "usr/lib", "/lib"]
    walls += ["--symlink", "usr/lib64", "/lib64", "--symlink", "usr/bin", "/bin"]
    walls += ["--proc", "/proc", "--dev", "/dev", "echo", "inside"]
    try:
        done = subprocess.run(
            ["docker", "run", "--rm", "--user=1500:1500", *container.WALLS, *mounts, image, *walls],
            capture_output=True,
            text=True,
        )
    finally:
        subprocess.run(["docker", "image", "rm", image], capture_output=True)
    assert done.stdout == "inside\n", done.stderr
