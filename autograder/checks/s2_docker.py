"""Checks of lab s2_docker: they build, run and question the images that learners wrote down.

The evidence is a project's folder.  What is in an image is read from its layers, what it does is
asked from another container, and nothing of it runs anywhere but in the engine, within limits.
"""

from __future__ import annotations

import functools
import json
import random
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autograder import containers, sandbox
from autograder.checks import CheckFailed, NotGradedHere, check
from autograder.checks import _s2_docker as shared
from autograder.checks import _s2_docker_compose as compose
from autograder.checks._s2_docker import PORT
from autograder.remember import fingerprint, remembered
from autograder.starts.s2_docker import SECRET

# What the grader asks of a check module: the judge's way to the engine, and to leave it clean;
# and what tests ask: whether there is one.
for_the_judge = containers.for_the_judge
clean_up = containers.clean_up
lacks = containers.lacks

_BUILD = {"task": 1, "title": "An image that answers"}
_CACHE = {"task": 2, "title": "Change a line, wait a second"}
_IGNORE = {"task": 3, "title": "What must not travel"}
_USER = {"task": 4, "title": "Nobody, on known ground"}
_STAGES = {"task": 5, "title": "Leave the tools at home"}
_HEALTH = {"task": 6, "title": "Is it well?"}
_STOP = {"task": 7, "title": "Stop means stop"}
_SETTINGS = {"task": 8, "title": "One image, many places"}
_COMPOSE = {"task": 9, "title": "Two services, one file"}
_LINT = {"task": 10, "title": "A second pair of eyes"}

_SDK = {"task": 11, "title": "Docker from Python"}
_REGISTRY = {"task": 12, "title": "A name that cannot change"}

# 1 · An image that answers


@check(**_BUILD, points=1)
@remembered
def image_builds(task: Path) -> None:
    """The folder's Dockerfile makes an image with the project's service in it."""
    shared.built(task)


@check(**_BUILD, points=2)
@remembered
def image_serves(task: Path, *, other_model: bool = False) -> None:
    """A container answers, for flights nobody has seen, what the model in the folder says."""
    with shared.service(task, shared.built(task)) as container:
        shared.judge_predictions(task, container)
    if other_model:
        weights = shared.other_weights()
        because = "built with another model in models/late.json"
        text = json.dumps(weights).encode()
        image = shared.built(task, {"models/late.json": text}, because)
        with shared.service(task, image) as container:
            shared.judge_predictions(task, container, weights, because=because)


# 2 · Change a line, wait a second


@check(**_CACHE, points=2)
@remembered
def layers_reused(task: Path) -> None:
    """After a change of the source, the layer with the dependencies is the same one.

    And the changed source is what runs.
    """
    first = shared.built(task)
    mark = f"# changed {random.randrange(10**9)}\n".encode()
    source = (shared.project(task) / "service" / "model.py").read_bytes() + mark
    second = shared.built(task, {"service/model.py": source}, "with a changed service/model.py")
    layers = containers.layers_of(first)
    holds = [x for x in layers if any("/fastapi/__init__.py" in f"/{name}" for name in x.files)]
    if not holds:
        raise CheckFailed(
            looked=f"the layers of {shared.place(task)}",
            found="no layer has FastAPI in it",
            expected="a layer with the packages of requirements.txt",
            hint="RUN pip install -r requirements.txt, after a COPY that brings that file.",
        )
    if holds[-1].digest not in second.attrs["RootFS"]["Layers"]:
        raise CheckFailed(
            looked=f"two builds of {shared.place(task)}, service/model.py changed between them",
            found="the second build installed the dependencies again: their layer is a new one",
            expected="the layer with the dependencies taken from the cache",
            hint="an instruction's layer is reused while the instruction and all above it, with "
            "the files they copy, are the same. What changes often belongs below: COPY "
            "requirements.txt alone, install, then COPY the source.",
        )
    _judge_arrival(task, first)


def _judge_arrival(task: Path, first: Any) -> None:
    text = (shared.project(task) / "service" / "app.py").read_bytes()
    mark = f"v{random.randrange(10**9)}"
    changed = text.replace(b'"status": "running"', b'"status": "%s"' % mark.encode())
    second = shared.built(task, {"service/app.py": changed}, "with a changed service/app.py")
    with shared.service(task, second) as container:
        answer = container.until_answers(PORT, "/live")
    if mark not in answer.body or first.id == second.id:
        raise CheckFailed(
            looked="GET /live after a change of service/app.py and a new build",
            found="the service still answers as before the change",
            expected="the changed source in the image",
            hint="COPY service into the image from the folder, so that a build sees its changes.",
        )


# 3 · What must not travel

_PRIVATE = (".env", "data/flights-2013-10.csv")
_NEEDED = ("requirements.txt", "service/app.py", "service/model.py", "models/late.json")


@check(**_IGNORE, points=1)
def context_lean(task: Path, private: Sequence[str] = (), needed: Sequence[str] = ()) -> None:
    """What .dockerignore lets through is what the image needs, and neither keys nor data."""
    folder = shared.project(task)
    if not (folder / ".dockerignore").is_file():
        raise CheckFailed(
            looked=shared.place(task, ".dockerignore"),
            found="no such file: the whole folder is sent to the engine",
            expected="a file with one pattern a line, as in .gitignore",
            hint="name what must stay: the key's file, the data.",
        )
    _judge_context(task, folder, (*_PRIVATE, *private), (*_NEEDED, *needed), len(_PRIVATE))


def _judge_context(
    task: Path, folder: Path, private: Sequence[str], needed: Sequence[str], shown: int
) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "context"
        shutil.copytree(folder, copy, symlinks=True)
        for name in (*private, *needed):
            path = copy / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                path.write_text("", "utf-8")
        sent = set(containers.context_files(copy))
    leaks = [name for name in private if name in sent]
    if leaks:
        found = ", ".join(n for n in leaks if n in private[:shown]) or (
            "another file of the kind that must stay, by a name you have not seen"
        )
        raise CheckFailed(
            looked=f"what {shared.place(task, '.dockerignore')} lets through",
            found=f"sent to the engine: {found}",
            expected="no .env of any name (.env, .env.production), no CSV in data/",
            hint="a pattern counts from the folder's top: data/*.csv, .env*. **/ before it makes "
            "it count at any depth.",
        )
    lost = [name for name in needed if name not in sent]
    if lost:
        found = ", ".join(n for n in lost if n in _NEEDED) or "source that a later version needs"
        raise CheckFailed(
            looked=f"what {shared.place(task, '.dockerignore')} lets through",
            found=f"not sent, though the image needs it: {found}",
            expected="service/, models/ and requirements.txt whole",
            hint="name what must stay, not more. A line that begins with ! lets something "
            "through again.",
        )


@check(**_IGNORE, points=2)
@remembered
def layers_clean(task: Path, *, others: bool = False) -> None:
    """No layer of the image has the key or data in it, and the service is there."""
    word = SECRET
    changed = {}
    if others:
        word = f"wx-{random.randrange(16**16):016x}"
        changed = {
            ".env": f"WEATHER_KEY={word}\n".encode(),
            ".env.production": f"WEATHER_KEY={word}\n".encode(),
            "data/flights-2014-01.csv": b"year,month\n2014,1\n",
        }
    because = "with other keys and data" if others else ""
    image = shared.built(task, _allowed(task, changed), because)
    base = shared.recipe(task).final_base
    layers = containers.own_layers(image, containers.layers_of(image, [word.encode()]), base)
    told = json.dumps([image.attrs.get("Config"), image.history()])
    names = [name for layer in layers for name in layer.files]
    with_word = [name for layer in layers for name, _ in layer.found]
    private = [n for n in names if re.search(r"(^|/)\.env[^/]*$|(^|/)data/[^/]*\.csv$", n)]
    if word in told or with_word or private:
        what = "the key, in an instruction or a setting" if word in told else ""
        what = what or (f"the key, in {with_word[0]}" if with_word else private[0])
        raise CheckFailed(
            looked=f"every layer of the image of {shared.place(task)}",
            found=what,
            expected="neither key nor data in any layer",
            hint="a layer only ever adds: what an early one has stays in the image, also when a "
            "later RUN rm hides it. It must not be copied in the first place, and .dockerignore "
            "sees to that.",
        )
    if not any(n.endswith("service/app.py") for n in names):
        raise CheckFailed(
            looked=f"every layer of the image of {shared.place(task)}",
            found="service/app.py is not in it",
            expected="the service and its model",
            hint="COPY . . after your .dockerignore, or COPY service and models by name.",
        )


def _allowed(task: Path, changed: dict[str, bytes]) -> dict[str, bytes]:
    """Leave out what the folder's .dockerignore holds back, as the engine's client does."""
    if not changed:
        return {}
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "context"
        shutil.copytree(shared.project(task), copy, symlinks=True)
        for name, content in changed.items():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes(content)
        sent = set(containers.context_files(copy))
    return {name: content for name, content in changed.items() if name in sent}


# 4 · Nobody, on known ground


@check(**_USER, points=1)
def base_pinned(task: Path) -> None:
    """Every base names a version, by tag or digest."""
    for image in shared.recipe(task).bases:
        name, _, digest = image.partition("@")
        tag = name.rpartition("/")[2].partition(":")[2]
        if digest.startswith("sha256:") or re.search(r"\d", tag):
            continue
        raise CheckFailed(
            looked=f"FROM in {shared.place(task)}",
            found=f"{image or 'no name'}: "
            + (f"the tag {tag} moves" if tag else "without a tag, which means latest"),
            expected="a base with its version, such as python:3.11-slim-bookworm, or a digest",
            hint="what latest is changes under you: the same Dockerfile makes another image next "
            "month.",
        )


@check(**_USER, points=2)
@remembered
def not_root(task: Path) -> None:
    """The service answers, and none of its processes belongs to root."""
    image = shared.built(task)
    with shared.service(task, image) as container:
        shared.judge_predictions(task, container)
        users = container.users()
    if users & {"0", "root"}:
        raise CheckFailed(
            looked=f"the processes in a container of {shared.place(task)}",
            found="the service runs as root (user id 0)",
            expected="a user with no rights beyond reading its own files",
            hint="without USER an image runs as root. USER 10001 needs no account; useradd in a "
            "RUN makes one with a name. What needs root, pip for one, stands above.",
        )


# 5 · Leave the tools at home

_TOOLS = ("pytest", "_pytest", "requirements-dev.txt", "tests/test_model.py", "train.py")
# What the layers above the base may hold.
MOST_ADDED = 30_000_000


@check(**_STAGES, points=1)
@remembered
def tests_run(task: Path) -> None:
    """A stage of its own runs the tests; a build in which one fails makes no image."""
    if len(shared.recipe(task).froms) < 2:
        raise CheckFailed(
            looked=shared.place(task),
            found="one stage, which becomes the image with all that the tests need",
            expected="a stage that runs the tests, and a later one that is the image",
            hint="FROM … AS test names the first; another FROM begins the next.",
        )
    shared.built(task)
    test = b"def test_broken():\n    assert False, 'this test fails'\n"
    broken = {"tests/test_broken.py": test}
    try:
        containers.build(shared.project(task), changed=broken)
    except containers.BuildFailedError as error:
        if "pytest" in error.step or "test" in error.step:
            return
        raise CheckFailed(
            looked=f"a build of {shared.place(task)} with a test that fails",
            found=f"it ended elsewhere: {error.reason[:160]}",
            expected="a build that ends where the tests run",
            hint="keep RUN python -m pytest -q, in the first stage.",
        ) from error
    raise CheckFailed(
        looked=f"a build of {shared.place(task)} with a test that fails",
        found="an image all the same",
        expected="no image, because the tests run during the build",
        hint="keep RUN python -m pytest -q, and COPY tests, in the first stage.",
    )


@check(**_STAGES, points=2)
@remembered
def tools_left(task: Path) -> None:
    """The image serves, and has neither pytest nor the tests in it."""
    image = shared.built(task)
    layers = containers.layers_of(image)
    own = containers.own_layers(image, layers, shared.recipe(task).final_base)
    for layer in own:
        for name in layer.files:
            for tool in _TOOLS:
                if f"/{tool}/" in f"/{name}/" and "site-packages/pydantic" not in name:
                    raise CheckFailed(
                        looked=f"the layers of the image of {shared.place(task)}",
                        found=name,
                        expected="the service and what it imports, nothing that only tests need",
                        hint="a second FROM begins a new image. Install requirements.txt there and "
                        "COPY the source; what the first stage has stays behind.",
                    )
    added = sum(sum(layer.files.values()) for layer in own)
    if added > MOST_ADDED:
        raise CheckFailed(
            looked=f"the layers of {shared.place(task)} above its base",
            found=shared.megabytes(added),
            expected=f"at most {shared.megabytes(MOST_ADDED)}",
            hint="docker history IMAGE shows which instruction adds how much. pip keeps what it "
            "downloads unless told --no-cache-dir.",
        )
    with shared.service(task, image) as container:
        shared.judge_predictions(task, container)


# 6 · Is it well?


@check(**_HEALTH, points=1)
@remembered
def healthy_when_well(task: Path) -> None:
    """With its model the container becomes healthy."""
    _healthy_image(task)


def _healthy_image(task: Path) -> Any:
    image = shared.built(task)
    _refuse_no_health(task, image)
    with shared.service(task, image) as container:
        found = container.health("healthy")
        if found != "healthy":
            raise CheckFailed(
                looked=f"the health of a container of {shared.place(task)}",
                found=f"{found}; the health check said: {container.health_said() or 'nothing'}",
                expected="healthy within seconds",
                hint="docker exec CONTAINER and then your command shows what it does. The image "
                "has Python, and neither curl nor wget.",
            )
    return image


@check(**_HEALTH, points=2)
@remembered
def unhealthy_without_model(task: Path) -> None:
    """With its model it is healthy; without, it becomes unhealthy, and its process goes on."""
    image = _healthy_image(task)
    with shared.service(task, image, {"MODEL_PATH": "/nowhere/late.json"}) as container:
        answer = container.until_answers(PORT, "/health")
        unhealthy = container.turns_unhealthy()
        found = container.health("unhealthy", 0)
    if not unhealthy:
        raise CheckFailed(
            looked=f"a container of {shared.place(task)} whose model is missing "
            "(MODEL_PATH=/nowhere/late.json)",
            found=f"{found}, though GET /health answers {answer.status}",
            expected="unhealthy",
            hint="which address says whether it can predict, /health or /live? The command must "
            "end with an exit code other than 0 when the answer is not 200. urlopen raises an "
            "error then; what catches it, || true for one, takes that away.",
        )


def _refuse_no_health(task: Path, image: Any) -> None:
    test = (image.attrs["Config"].get("Healthcheck") or {}).get("Test") or ["NONE"]
    if test[0] == "NONE":
        raise CheckFailed(
            looked=f"the image of {shared.place(task)}",
            found="no HEALTHCHECK",
            expected="a command that the engine runs every few seconds",
            hint='HEALTHCHECK --interval=2s CMD ["python", "-c", "…"] and, in the Python, a '
            "request to the service's own /health.",
        )


# 7 · Stop means stop


@check(**_STOP, points=2)
@remembered
def stops_in_time(task: Path) -> None:
    """On SIGTERM the service ends in good order within two seconds."""
    image = shared.built(task)
    with shared.service(task, image) as container:
        shared.judge_predictions(task, container)
        took, code = container.stop(seconds=5)
        log = container.log(30)
    if took > 2 or code == 137:
        raise CheckFailed(
            looked=f"docker stop of a container of {shared.place(task)}",
            found=f"it did not react to SIGTERM and was killed after {took:.0f} s"
            if code == 137
            else f"it took {took:.1f} s",
            expected="the service ends by itself within 2 s",
            hint="the signal goes to the container's first process only. A shell there does not "
            'pass it on. CMD ["uvicorn", …] in brackets needs no shell; in a script, exec before '
            "the last command puts it in the shell's place.",
        )
    if "stopped in good order" not in log:
        raise CheckFailed(
            looked=f"the log of a container of {shared.place(task)} after docker stop",
            found=f"the service does not say that it stopped in good order; exit code {code}",
            expected="what service/app.py does after the last request is done",
            hint="the server must end itself: STOPSIGNAL other than SIGTERM or SIGINT, or a "
            "process that is killed from outside, leaves requests half done.",
        )


# 8 · One image, many places


@check(**_SETTINGS, points=1)
@remembered
def settings_default(task: Path) -> None:
    """Without any setting it listens on 8000 and calls flights late from 0.3 on."""
    with shared.service(task, shared.built(task)) as container:
        shared.judge_predictions(task, container, threshold=0.3)


@check(**_SETTINGS, points=2)
@remembered
def settings_from_outside(task: Path, port: int = 9000, threshold: float = 0.6) -> None:
    """PORT and THRESHOLD of the environment decide, without a new build."""
    environment = {"PORT": str(port), "THRESHOLD": str(threshold)}
    with shared.service(task, shared.built(task), environment) as container:
        shared.judge_predictions(task, container, port=port, threshold=threshold)
        took, code = container.stop(seconds=4)
    if code == 137:
        raise CheckFailed(
            looked=f"docker stop of a container of {shared.place(task)}",
            found=f"it did not react to SIGTERM and was killed after {took:.0f} s",
            expected="the service ends by itself, as in task 7",
            hint='a shell is needed to fill in $PORT, and should then step aside: CMD ["sh", '
            '"-c", "exec uvicorn … --port $PORT"].',
        )


# 9 · Two services, one file


@check(**_COMPOSE, points=1)
def compose_valid(task: Path) -> None:
    """The compose file keeps to the Compose Specification."""
    data = compose.read(task)
    compose.judge_schema(task, data)


@check(**_COMPOSE, points=2)
def compose_wired(task: Path) -> None:
    """Two services: one built here and limited, one that watches it once it is healthy."""
    data = compose.read(task)
    compose.judge_schema(task, data)
    compose.judge_api(task, data)
    compose.judge_prometheus(task, data)


# 10 · A second pair of eyes


@check(**_LINT, points=2)
def lint_clean(task: Path) -> None:
    """hadolint has nothing to say about the Dockerfile, and the image still serves."""
    shared.recipe(task)
    hadolint = Path(sys.executable).parent / "hadolint"
    if not hadolint.exists():
        raise NotGradedHere(
            "hadolint",
            hint="its package is made for Linux on x86-64; elsewhere: brew install "
            "hadolint shows its findings, and the points come when you hand in.",
        )
    done = sandbox.run(
        [
            str(hadolint),
            *("--no-color", "--format", "json", "--disable-ignore-pragma"),
            *("--config", "/dev/null", "Dockerfile"),
        ],
        folder=shared.project(task),
    )
    try:
        findings = json.loads(done.stdout)
    except ValueError:
        findings = [{"line": 0, "code": "hadolint", "message": done.last_line}]
    if findings:
        worst = "\n".join(f"line {f['line']}: {f['code']} {f['message']}" for f in findings[:4])
        more = f"\nand {len(findings) - 4} more" if len(findings) > 4 else ""
        raise CheckFailed(
            looked=f"hadolint on {shared.place(task)}",
            found=worst + more,
            expected="no finding",
            hint="the wiki page of a rule tells why: "
            f"https://github.com/hadolint/hadolint/wiki/{findings[0]['code']}. Here no rule may "
            "be switched off.",
        )


@check(**_LINT, points=1)
@remembered
def still_serves(task: Path) -> None:
    """The corrected Dockerfile makes an image that serves, and not as root."""
    with shared.service(task, shared.built(task)) as container:
        shared.judge_predictions(task, container)


# 11 · Docker from Python

_WELL = "healthy"


@functools.lru_cache(maxsize=1)
def _driven(task: Path, state: str) -> tuple[dict[str, Any], shared.Driven]:
    """Run a task's ops.py once for both checks of it; ``state`` is what its folder was then."""
    (flight,) = shared.flights(1)
    return flight, shared.drive(task, "ops.py", json.dumps(flight), reads=["service.log"])


@check(**_SDK, points=2)
@remembered
def sdk_runs(task: Path) -> None:
    """The script builds, runs within limits, waits, asks, and keeps the log."""
    flight, driven = _driven(task, fingerprint(task))
    wanted = shared.expected(flight, shared.WEIGHTS)
    looked = f"python ops.py in {shared.place(task, '')[:-1]}, run by the grader"
    way = driven.gate
    created = way.first("created")
    asked = [e for e in way.events if e.what == "request" and "/predict" in str(e.value)]
    ready = [
        e
        for e in way.events
        if e.what == _WELL or (e.what == "request" and "/health" in str(e.value))
    ]

    def refuse(found: str, expected: str, hint: str) -> None:
        raise CheckFailed(looked=looked, found=found, expected=expected, hint=hint)

    if driven.done.timed_out:
        refuse("it did not end within 75 s", "an end", "does a loop wait for what never comes?")
    if not driven.done.ok:
        refuse(
            f"exit code {driven.done.code}: {driven.last_words}",
            "exit code 0",
            "run it yourself: python ops.py and a flight in quotes, as README.md shows one.",
        )
    if way.first("built") is None or created is None:
        refuse(
            "no image was built" if created else "no container was run",
            "an image of this folder, built, and a container of it",
            "client.images.build(path=…) and client.containers.run(…, detach=True).",
        )
    if not 0 < created.value["memory"] <= 256 << 20:
        refuse(
            f"a limit of {created.value['memory'] >> 20} MB of memory (0: none)",
            "at most 256 MB",
            'containers.run takes mem_limit="256m".',
        )
    places = created.value["ports"].get("8000/tcp")
    if places is None or places[0] != "127.0.0.1":
        refuse(
            f"port 8000 published on {places[0] if places else 'nothing'}",
            "port 8000 published on 127.0.0.1",
            'ports={"8000/tcp": ("127.0.0.1", 18000)}; None in the place of the port takes a '
            "free one.",
        )
    if not asked:
        refuse(
            "nobody asked /predict through the published port",
            "a POST to /predict of the container",
            "requests.post or urllib.request, to 127.0.0.1 and the port that was published.",
        )
    if not ready or ready[0].at > asked[0].at:
        refuse(
            "/predict was asked before anybody knew that the service is well",
            "the container's health looked at until it is healthy, then /predict",
            "container.reload(), then container.health: starting, healthy or unhealthy.",
        )
    if f"{wanted:.4f}"[:5] not in driven.done.stdout:
        refuse(
            "what it prints is not the model's answer for the flight it was given",
            "the service's answer, for the flight in its first argument",
            "print what /predict answers.",
        )
    if "flight-delays: started" not in driven.files["service.log"]:
        refuse(
            "service.log does not have what the service wrote",
            "the container's log in service.log, in this folder",
            "container.logs() returns bytes; write them before the container is removed.",
        )


@check(**_SDK, points=2)
@remembered
def sdk_cleans_up(task: Path) -> None:
    """Nothing is left, also where the service never becomes healthy; and the script says so."""
    flight, driven = _driven(task, fingerprint(task))
    for name, changed in (
        ("as it is", {}),
        ("whose model file is damaged", {"models/late.json": b"{"}),
    ):
        if changed:
            driven = shared.drive(task, "ops.py", json.dumps(flight), changed=changed)
        looked = f"python ops.py in {shared.place(task, '')[:-1]}, {name}"
        way = driven.gate
        if way.first("created") is None:
            raise CheckFailed(
                looked=looked,
                found="it runs no container",
                expected="a container that is run and removed",
                hint="client.containers.run(…, detach=True) returns one.",
            )
        if driven.left:
            raise CheckFailed(
                looked=looked,
                found="its container is still there after the script has ended",
                expected="no container left, however it ends",
                hint="what stands in a finally: block happens in any case. "
                "container.remove(force=True) stops it, too.",
            )
        if changed and (driven.done.ok or driven.done.timed_out):
            raise CheckFailed(
                looked=looked,
                found="exit code 0, as if all were well"
                if driven.done.ok
                else "it did not end within 75 s",
                expected="an error, and another exit code, within 30 s",
                hint="raise an error when the health is unhealthy or the time is over.",
            )


# 12 · A name that cannot change


@functools.lru_cache(maxsize=1)
def _released(task: Path, state: str) -> tuple[shared.Driven, str, str]:
    """Run a task's release.py once for both checks of it."""
    version = f"1.{random.randrange(100)}.{random.randrange(100)}"
    with containers.registry() as address:
        driven = shared.drive(
            task, "release.py", address, version, reads=["deploy.txt"], registry=address
        )
    looked = f"python release.py {address} {version}, run by the grader"
    if not driven.done.ok:
        raise CheckFailed(
            looked=looked,
            found=f"it ended with: {driven.last_words}"
            if not driven.done.timed_out
            else "it did not end within 75 s",
            expected="exit code 0",
            hint="run it yourself against a registry of your own, as the cell above does.",
        )
    return driven, f"{address}/flight-delays:{version}", looked


@check(**_REGISTRY, points=1)
@remembered
def pushed_by_version(task: Path) -> None:
    """The image is in the registry under the version that was given."""
    driven, name, looked = _released(task, fingerprint(task))
    pushed = [e.value["name"] for e in driven.gate.events if e.what == "pushed"]
    if name not in pushed:
        raise CheckFailed(
            looked=looked,
            found=f"pushed: {', '.join(pushed) or 'nothing'}",
            expected=name,
            hint="an image's name begins with the registry's address. image.tag(repository, "
            "tag=…) gives it one more name; client.images.push takes the same two.",
        )


@check(**_REGISTRY, points=2)
@remembered
def pulled_by_digest(task: Path) -> None:
    """The image was pulled back by the digest of the push, and that name is written down."""
    driven, name, looked = _released(task, fingerprint(task))
    digests = [e.value["digest"] for e in driven.gate.events if e.what == "pushed"]
    wanted = [f"{name.rpartition(':')[0]}@{digest}" for digest in digests]
    noted = driven.files["deploy.txt"].strip()
    if noted not in wanted:
        raise CheckFailed(
            looked=f"deploy.txt after {looked}",
            found=noted[:200] or "nothing",
            expected="REGISTRY/flight-delays@sha256:… with the digest of what was pushed",
            hint="the registry tells the digest at the end of the push; after it, image.reload() "
            'and image.attrs["RepoDigests"] have it.',
        )
    pulled = [e.value for e in driven.gate.events if e.what == "pulled"]
    if noted not in pulled:
        raise CheckFailed(
            looked=looked,
            found=f"pulled: {', '.join(pulled) or 'nothing'}",
            expected="the image pulled back by its digest",
            hint="client.images.pull takes the name with @sha256:… as it is.",
        )
