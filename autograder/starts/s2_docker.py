"""Start states of lab s2_docker: the prediction service, each time with another thing to do.

The project's files lie in ``_s2_docker/`` beside this module.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from autograder.starts import start

PROJECT = "flight-delays"
FILES = Path(__file__).parent / "_s2_docker" / PROJECT

SECRET = "wx-5f1c9a7be0d84426"
BASE = "python:3.11-slim-bookworm"

_GOOD = f"""\
FROM {BASE}
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY models models
COPY service service
USER 10001
EXPOSE 8000
"""
_CMD = 'CMD ["uvicorn", "service.app:app", "--host", "0.0.0.0", "--port", "8000"]\n'
_HEALTH = """\
HEALTHCHECK --interval=2s --timeout=3s --start-period=10s --retries=3 \\
  CMD ["python", "-c", "from urllib.request import urlopen as u; u('http://127.0.0.1:8000/health')"]
"""


def _project(folder: Path, **files: str) -> Path:
    """Lay out the project; ``files`` are further ones, ``__`` in a name standing for a dot."""
    project = folder / PROJECT
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc")
    shutil.copytree(FILES, project, ignore=ignore, copy_function=shutil.copyfile)
    for name, text in files.items():
        (project / name.replace("__", ".")).write_text(text, "utf-8")
    return project


@start("1-dockerfile")
def dockerfile(folder: Path) -> None:
    """The service, and no Dockerfile yet."""
    _project(folder)


@start("2-cache")
def cache(folder: Path) -> None:
    """A Dockerfile that installs everything anew after each change."""
    _project(
        folder,
        Dockerfile=f"""\
FROM {BASE}
WORKDIR /app
COPY . .
RUN pip install --no-cache-dir -r requirements.txt
USER 10001
{_CMD}""",
    )


@start("3-ignore")
def ignore(folder: Path) -> None:
    """A project folder with a key and data, and a Dockerfile that copies everything."""
    project = _project(
        folder,
        __env=f"WEATHER_KEY={SECRET}\n",
        Dockerfile=f"""\
FROM {BASE}
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY . .
USER 10001
{_CMD}""",
    )
    (project / "data").mkdir()
    rows = "".join(f"2013,10,{day},{500 + 7 * day},UA,EWR,{200 * day}\n" for day in range(1, 29))
    header = "year,month,day,sched_dep_time,carrier,origin,distance\n"
    (project / "data" / "flights-2013-10.csv").write_text(header + rows, "utf-8")
    (project / "data" / "README.md").write_text("One CSV a month. They stay here.\n", "utf-8")


@start("4-user")
def user(folder: Path) -> None:
    """A Dockerfile on whatever Python is newest, run by root."""
    _project(
        folder,
        Dockerfile=f"""\
FROM python
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY models models
COPY service service
{_CMD}""",
    )


@start("5-stages")
def stages(folder: Path) -> None:
    """One stage that installs the tests' tools, runs the tests, and takes all of it along."""
    _project(
        folder,
        Dockerfile=f"""\
FROM {BASE}
WORKDIR /app
COPY requirements.txt requirements-dev.txt ./
RUN pip install -r requirements-dev.txt
COPY models models
COPY service service
COPY tests tests
RUN python -m pytest -q
USER 10001
{_CMD}""",
    )


@start("6-health")
def health(folder: Path) -> None:
    """A service that can tell how it is, and an image that never asks."""
    _project(folder, Dockerfile=_GOOD + _CMD)


@start("7-stop")
def stop(folder: Path) -> None:
    """A service that is started by a script and does not hear that it should stop."""
    _project(
        folder,
        Dockerfile=_GOOD.replace("USER", "COPY start.sh .\nUSER") + "CMD sh start.sh\n",
        start__sh="""\
echo "starting on $(hostname)"
uvicorn service.app:app --host 0.0.0.0 --port 8000
echo "the server has ended"
""",
    )


@start("8-settings")
def settings(folder: Path) -> None:
    """An image whose port is fixed in its command."""
    _project(folder, Dockerfile=_GOOD + _CMD)


@start("9-compose")
def compose(folder: Path) -> None:
    """A finished image's folder, and no compose file."""
    _project(folder, Dockerfile=_GOOD + _HEALTH + _CMD, prometheus__yml=_PROMETHEUS)


@start("10-lint")
def lint(folder: Path) -> None:
    """A Dockerfile that builds, and that a colleague would send back."""
    _project(
        folder,
        Dockerfile="""\
FROM python:latest
MAINTAINER ana@example.org
WORKDIR app
COPY requirements.txt requirements.txt
RUN cd /tmp && pip install fastapi uvicorn
ADD models models
ADD service service
RUN sudo chown -R 10001 /app
USER root
CMD uvicorn service.app:app --host 0.0.0.0 --port 8000
""",
    )


@start("11-sdk")
def sdk(folder: Path) -> None:
    """A finished image's folder, and a script that has its steps as comments."""
    _project(folder, Dockerfile=_GOOD + _HEALTH + _CMD, ops__py=_OPS)


@start("12-registry")
def registry(folder: Path) -> None:
    """A finished image's folder, and a script that is to release it."""
    _project(folder, Dockerfile=_GOOD + _HEALTH + _CMD, release__py=_RELEASE)


_OPS = """\
\"\"\"Build the service, run it, ask it once, and leave nothing behind.

    python ops.py '{"month": 7, "sched_dep_time": 1745, ...}'
\"\"\"

import json
import sys

import docker


def main(flight):
    \"\"\"Print what the service answers for a flight; raise an error if it is not well.\"\"\"
    client = docker.from_env()
    # build this folder's image
    # run it: at most 256 MB of memory, port 8000 published on 127.0.0.1
    # wait until it is healthy, 30 seconds at most
    # POST /predict, print the answer
    # write the container's log to service.log
    # remove the container, whatever happened


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
"""

_RELEASE = """\
\"\"\"Push the image under its version, and note by which name it can be trusted.

    python release.py localhost:5000 1.4.0
\"\"\"

import sys

import docker


def main(registry, version):
    \"\"\"Write the image's name with its digest to deploy.txt.\"\"\"
    client = docker.from_env()
    # build this folder's image as REGISTRY/flight-delays:VERSION
    # push it
    # pull it back by its digest, and write that name to deploy.txt


if __name__ == "__main__":
    main(*sys.argv[1:])
"""

_PROMETHEUS = """\
global:
  scrape_interval: 15s
scrape_configs:
  - job_name: flight-delays
    static_configs:
      - targets: ["api:8000"]
"""
