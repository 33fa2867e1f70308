"""Grade inside a Docker container, where the machine itself has no sandbox (macOS, Windows).

The container is Linux, so the walls inside are the usual ones: bubblewrap's, and Landlock's where
its kernel has it.  Around them the container is a further wall: no network, and of the machine
nothing but the course's folder.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path

from autograder.paths import Course, UserError

IMAGE = "mlops-workbook-grader"
# Names an image that has the same things, for machines that cannot reach Docker's registry.
BASE = "AUTOGRADER_CONTAINER_BASE"
# Bubblewrap makes namespaces and a /proc of its own, which Docker's profile forbids by default.
# What learners run stands behind bubblewrap's walls, which are stricter.
WALLS = (
    "--network=none",
    "--cap-drop=ALL",
    "--security-opt=seccomp=unconfined",
    "--security-opt=apparmor=unconfined",
    "--security-opt=systempaths=unconfined",
)
_FILES = ("pyproject.toml", "uv.lock", "README.md", "autograder", "flights")


def grade_in_container(course: Course, arguments: Sequence[str]) -> int:
    """Run ``autograder grade`` with these arguments on a course, and return its exit code.

    The first call builds the image, which takes some minutes and needs the network.  Raises
    UserError where no Docker engine answers or the image cannot be built.
    """
    docker = _docker()
    image = _image(docker)
    return subprocess.run(command(docker, image, course, arguments)).returncode


def command(docker: str, image: str, course: Course, arguments: Sequence[str]) -> list[str]:
    """Return the command line that grades a course in a container of the image."""
    root = Path(__file__).resolve().parent.parent.parent
    user = ["--user", f"{os.getuid()}:{os.getgid()}"] if hasattr(os, "getuid") else []
    return [
        *(docker, "run", "--rm", "--init", *WALLS, *user),
        # Named as on this machine: messages and the report hold paths.
        *("--volume", f"{course.root}:{course.root}", "--workdir", str(course.root)),
        # The checkout's own code grades, not the image's copy of it.
        *("--volume", f"{root}:/checkout:ro", "--env", "PYTHONPATH=/checkout"),
        *("--env", "HOME=/tmp", "--env", "LOGNAME=grader", "--env", "TERM"),
        *("--shm-size", "1g", image),
        *("python", "-m", "autograder", "grade", *arguments, "--course", str(course.root)),
    ]


def _docker() -> str:
    docker = shutil.which("docker")
    if docker is None:
        raise UserError(
            "--in-container needs Docker, and there is no `docker` on the PATH. Install it "
            "(https://docs.docker.com/get-started/get-docker/) and run the command again."
        )
    asked = subprocess.run([docker, "version"], capture_output=True, text=True)
    if asked.returncode:
        last = (asked.stderr.strip().splitlines() or ["it gave no reason"])[-1]
        raise UserError(
            f"--in-container: the Docker engine does not answer ({last[:200]}). Start Docker "
            "Desktop or the docker service and run the command again."
        )
    return docker


def _image(docker: str) -> str:
    """Return the image's name; one that is not there yet, or of another environment, is built."""
    root = Path(__file__).resolve().parent.parent.parent
    base = os.environ.get(BASE, "")
    image = f"{IMAGE}:{_version(root, base)}"
    if subprocess.run([docker, "image", "inspect", image], capture_output=True).returncode == 0:
        return image
    build = [docker, "build", "--file", "autograder/container/Dockerfile", "--tag", image]
    build += ["--build-arg", f"BASE={base}"] if base else []
    if subprocess.run([*build, "-"], input=_context(root)).returncode:
        raise UserError(
            "the grader's image could not be built; Docker says why above. It needs the network "
            "once. Then run the command again."
        )
    return image


def _version(root: Path, base: str) -> str:
    digest = hashlib.sha256(base.encode())
    for name in ("pyproject.toml", "uv.lock", "autograder/container/Dockerfile"):
        digest.update((root / name).read_bytes())
    return digest.hexdigest()[:12]


def _context(root: Path) -> bytes:
    """Return what the build needs, and nothing else, as Docker takes it on standard input."""
    packed = io.BytesIO()
    # Docker tells an archive by its first block, which in the default format is another thing.
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name in _FILES:
            tar.add(root / name, name, filter=_no_caches)
    return packed.getvalue()


def _no_caches(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if "__pycache__" in info.name else info
