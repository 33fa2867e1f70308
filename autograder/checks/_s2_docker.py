"""What the checks of lab s2_docker share: the project, building it, running it, asking it."""

from __future__ import annotations

import contextlib
import json
import math
import random
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docker.models.images import Image

from autograder import containers, sandbox
from autograder.checks import CheckFailed
from autograder.containers import BuildFailedError, RunFailedError, Running
from autograder.dockerfile import Dockerfile
from autograder.enginegate import Gate, gate
from autograder.starts.s2_docker import FILES, PROJECT

PORT = 8000
_CARRIERS = ("AA", "B6", "DL", "EV", "MQ", "UA", "US", "WN", "9E")
_ORIGINS = ("EWR", "JFK", "LGA")
WEIGHTS = json.loads((FILES / "models" / "late.json").read_text("utf-8"))


def project(task: Path) -> Path:
    """Return a task's project folder; raises CheckFailed if it is not there."""
    folder = task / PROJECT
    if folder.is_symlink() or not folder.is_dir():
        raise CheckFailed(
            looked=f"work/{task.name}",
            found=f"no folder {PROJECT}",
            expected="the project, with your Dockerfile in it",
            hint=f'lab.restart("{task.name}") lays it out again.',
        )
    return folder


def place(task: Path, name: str = "Dockerfile") -> str:
    """Return the path of a project's file as learners know it."""
    return f"work/{task.name}/{PROJECT}/{name}"


def recipe(task: Path) -> Dockerfile:
    """Read a task's Dockerfile; raises CheckFailed if there is none."""
    try:
        return containers.read_recipe(project(task))
    except BuildFailedError as error:
        raise CheckFailed(
            looked=place(task),
            found=error.reason,
            expected="a Dockerfile that the engine can build from",
            hint="a Dockerfile is a text file of that name in the project's folder; its first "
            "instruction is FROM.",
        ) from error


def built(task: Path, changed: Mapping[str, bytes] | None = None, because: str = "") -> Image:
    """Build a task's image; ``because`` says what was changed before, if anything."""
    recipe(task)
    try:
        return containers.build(project(task), changed=changed)
    except BuildFailedError as error:
        found = error.reason
        if error.step:
            found += f"\nat: {error.step[:160]}"
        if error.said and error.said not in found:
            found += f"\nit said: {error.said[:200]}"
        raise CheckFailed(
            looked=f"the build of {place(task)}" + (f", {because}" if because else ""),
            found=found,
            expected="an image",
            hint=_how_to_build(task, error),
        ) from error


def _how_to_build(task: Path, error: BuildFailedError) -> str:
    if "longer" in error.reason or "wrote more" in error.reason or "larger" in error.reason:
        return (
            "look at the instruction above: it does not end, or writes far more than this service "
            "needs. A build here has 90 s and 600 MB."
        )
    if "requires BuildKit" in error.reason or "unknown flag" in error.reason.lower():
        return (
            "the grader does not know this option of BuildKit's. Leave it out: no task needs it. "
            "It does know here-documents, --link, --chmod with a number, and mounts of the types "
            "cache, bind and tmpfs."
        )
    if "unknown instruction" in error.reason.lower():
        return (
            "is a word misspelt? If it is the text of a here-document for COPY, quote its name: "
            "COPY <<'EOF' takes the text as it is, a $ included."
        )
    return (
        f"docker build work/{task.name}/{PROJECT} shows the same in your terminal. Only files of "
        "that folder can be copied, and only those that .dockerignore lets through."
    )


@contextlib.contextmanager
def service(
    task: Path, image: Image, environment: Mapping[str, str] | None = None
) -> Iterator[Running]:
    """Run a task's image; what goes wrong while it runs becomes a CheckFailed."""
    with_what = "".join(f" -e {name}={value}" for name, value in (environment or {}).items())
    try:
        with containers.running(image, environment=environment) as container:
            yield container
    except RunFailedError as error:
        said = f"\nits log ends: {error.said}" if error.said else "\nits log is empty"
        raise CheckFailed(
            looked=f"a container of {place(task)}"
            + (f", run with{with_what}" if with_what else ""),
            found=error.reason + said,
            expected="a service that runs and answers",
            hint=_how_to_run(error),
        ) from error


def _how_to_run(error: RunFailedError) -> str:
    if "nothing answers" in error.reason and "127.0.0.1" in error.said:
        return (
            "127.0.0.1 in a container is the container alone: nobody outside can reach it. "
            "--host 0.0.0.0 listens on all of its addresses."
        )
    if "No module named" in error.said:
        return "something the service imports is not in the image: is it copied, or installed?"
    return (
        "docker run --rm IMAGE in your terminal shows the whole log. The service listens on all "
        "addresses (--host 0.0.0.0), and CMD starts it in the folder it was copied to."
    )


def flights(count: int, seed: int | None = None) -> list[dict[str, Any]]:
    """Return flights that nobody has seen before."""
    dice = random.Random(seed)
    return [
        {
            "month": dice.randint(1, 9),
            "sched_dep_time": dice.randint(5, 22) * 100 + dice.randint(0, 59),
            "carrier": dice.choice(_CARRIERS),
            "origin": dice.choice(_ORIGINS),
            "distance": dice.randint(94, 4983),
        }
        for _ in range(count)
    ]


def expected(flight: Mapping[str, Any], weights: Mapping[str, Any]) -> float:
    """Return what a model says about a flight."""
    score = weights["intercept"] + weights["hour"] * (flight["sched_dep_time"] // 100)
    score += weights["distance"] * flight["distance"] / 1000
    for name in ("month", "carrier", "origin"):
        score += weights[name].get(str(flight[name]), 0.0)
    return 1 / (1 + math.exp(-score))


def other_weights() -> dict[str, Any]:
    """Return a model of the same form that nobody has seen before."""
    dice = random.Random()
    other = json.loads(json.dumps(WEIGHTS))
    other["intercept"] = round(dice.uniform(-4, 2), 3)
    other["hour"] = round(dice.uniform(-0.2, 0.2), 3)
    other["origin"] = {name: round(dice.uniform(-2, 2), 3) for name in _ORIGINS}
    return other


def judge_predictions(
    task: Path,
    container: Running,
    weights: Mapping[str, Any] = WEIGHTS,
    *,
    port: int = PORT,
    threshold: float | None = None,
    because: str = "",
) -> None:
    """Raise CheckFailed unless the service says of new flights what the model says."""
    container.until_answers(port, "/health", instead=PORT if port != PORT else 0)
    asked = flights(6)
    answers = container.ask(port, *(("POST", "/predict", flight) for flight in asked))
    for flight, answer in zip(asked, answers, strict=True):
        data = answer.json()
        wanted = expected(flight, weights)
        got = data.get("probability") if isinstance(data, dict) else None
        looked = f"POST /predict of a container of {place(task)}" + (
            f", {because}" if because else ""
        )
        if answer.status != 200 or not isinstance(got, int | float):
            raise CheckFailed(
                looked=looked,
                found=f"status {answer.status}: {answer.body[:200]}",
                expected='status 200 and {"probability": …, "late": …}',
                hint="is models/late.json in the image, in the folder the service starts in? Does "
                "the service run as the project's files say?",
            )
        if abs(got - wanted) > 0.002:
            raise CheckFailed(
                looked=looked,
                found="for flights it has not seen, the probabilities are not the model's",
                expected="what the model in models/late.json says"
                + (", as it was at the build" if because else ""),
                hint="the image must hold the project's own service and models/late.json, and use "
                "them: COPY both, and compute nothing in advance.",
            )
        if threshold is not None and data.get("late") is not (wanted >= threshold):
            raise CheckFailed(
                looked=looked,
                found='"late" does not follow the threshold that was set',
                expected="late is true from the THRESHOLD in the environment on",
                hint="service/settings.py reads THRESHOLD when the service starts; ENV in the "
                "Dockerfile gives it a default, docker run -e another value.",
            )


@dataclass(frozen=True)
class Driven:
    """How a learner's script drove the engine: what it said, what it wrote, what it did."""

    done: sandbox.Completed
    gate: Gate
    files: dict[str, str]
    left: int

    @property
    def last_words(self) -> str:
        """The last thing it said, on stderr if anything."""
        lines = [line for line in self.done.stderr.splitlines() if line.strip()]
        return lines[-1].strip()[:200] if lines else self.done.last_line


def drive(
    task: Path,
    script: str,
    *arguments: str,
    changed: Mapping[str, bytes] | None = None,
    reads: Sequence[str] = (),
    registry: str = "",
) -> Driven:
    """Run a project's script on a copy of the folder, with a gate to the engine."""
    recipe(task)
    folder = project(task)
    if not (folder / script).is_file() or (folder / script).is_symlink():
        raise CheckFailed(
            looked=place(task, script),
            found="no such file",
            expected="the script that the statement describes",
            hint=f'lab.restart("{task.name}") lays out its beginning again.',
        )
    with tempfile.TemporaryDirectory(prefix="drive-") as scratch, gate(registry) as way:
        copy = Path(scratch) / PROJECT
        shutil.copytree(folder, copy, symlinks=True)
        for name, content in (changed or {}).items():
            (copy / name).write_bytes(content)
        done = sandbox.python(
            script,
            *arguments,
            folder=copy,
            limits=sandbox.Limits(seconds=75),
            environment={"DOCKER_HOST": f"unix://{way.socket}"},
            readable=[way.folder],
            network=True,
        )
        files = {name: _text(copy / name) for name in reads}
        return Driven(done, way, files, len(set(way.running.values())))


def _text(path: Path) -> str:
    if path.is_symlink() or not path.is_file() or path.stat().st_size > 1_000_000:
        return ""
    return path.read_text("utf-8", "replace")


def megabytes(size: float) -> str:
    """Return a size as people write it."""
    return f"{size / 1e6:.1f} MB"
