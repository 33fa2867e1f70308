"""Build, run and question what learners package, by the Docker engine, and leave nothing behind.

What a check makes carries a label with the process it belongs to: containers and networks that of
the check's own kernel, images that of the grader, so that a class shares its layers.  `reap`
removes what belongs to a process that has ended, however it ended.

The judge has no network but reaches the engine's socket.  So it asks a service through a container
of its own, the probe, on a network that leads nowhere else.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import json
import os
import re
import secrets
import subprocess
import sys
import tarfile
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import docker
import psutil
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.models.containers import Container
from docker.models.images import Image
from docker.utils.build import exclude_paths

from autograder import indexproxy
from autograder.classicbuilder import classic
from autograder.dockerfile import Dockerfile, DockerfileError
from autograder.verdict import NotGradedHere

BASE = "python:3.11-slim-bookworm"
REGISTRY = "registry:2"
# On images: the grader's process.  On containers, networks: the process that runs the check.
OWNER = "mlops-workbook.owner"
PROCESS = "mlops-workbook.process"
# An image made from packages where there is no registry: it brings what builds install.
WHEELHOUSE = "mlops-workbook.wheelhouse"
# Set by a grader for its judge.
OWNED_BY = "AUTOGRADER_OWNER"

_SECOND = 1_000_000_000
# Where a build may go on a machine with a network; more hosts by the variable, with commas between.
PACKAGE_INDEXES = (
    *("pypi.org", "files.pythonhosted.org"),
    *("deb.debian.org", "security.debian.org", "dl-cdn.alpinelinux.org"),
    *("archive.ubuntu.com", "security.ubuntu.com"),
)
MORE_INDEXES = "AUTOGRADER_PACKAGE_INDEXES"
# Other bases are not pulled for a submission: any image of any size could be named.
_PULLED = ("python", "debian", "ubuntu", "alpine")


@dataclass(frozen=True)
class BuildLimits:
    """What a build may use: seconds of wall time, and bytes."""

    seconds: float = 90.0
    memory: int = 1 << 30
    disk: int = 600 << 20
    context: int = 100 << 20


class BuildFailedError(RuntimeError):
    """A build failed; ``step`` is the instruction it was at, ``said`` what it printed last."""

    def __init__(self, reason: str, step: str = "", said: str = "") -> None:
        super().__init__(reason)
        self.reason, self.step, self.said = reason, step, said


class RunFailedError(RuntimeError):
    """A container did not do what it should; ``said`` are the last lines of its log."""

    def __init__(self, reason: str, said: str = "") -> None:
        super().__init__(reason)
        self.reason, self.said = reason, said


# --- The engine --------------------------------------------------------------------------------


def engine_socket() -> str:
    """Return the address of the engine that the docker command would use, as a URL."""
    if given := os.environ.get("DOCKER_HOST"):
        return given
    with contextlib.suppress(Exception):
        context = docker.ContextAPI.get_current_context()
        if context and context.name != "default" and context.Host:
            return str(context.Host)
    return "unix:///var/run/docker.sock"


def for_the_judge() -> tuple[list[Path], dict[str, str]]:
    """Return what the judge's sandbox needs to reach the engine: paths to see, variables."""
    address = engine_socket()
    path = address.removeprefix("unix://")
    environment = {"DOCKER_HOST": address, OWNED_BY: _identity()}
    return ([Path(path)] if path != address else []), environment


_HINT = (
    "start Docker Desktop, or on Linux: sudo systemctl start docker. Without an engine (on "
    "Binder, say) your work is graded when you hand it in. autograder doctor tells more."
)


def engine() -> docker.DockerClient:
    """Return a client of the engine; raises NotGradedHere where none answers."""
    try:
        return _client()
    except (DockerException, OSError) as error:
        raise NotGradedHere("a Docker engine", hint=_HINT) from error


def lacks() -> str:
    """Return what this machine lacks for checks that need an engine, empty if nothing."""
    try:
        engine()
    except NotGradedHere as absent:
        return absent.needs
    return ""


@functools.cache
def _client() -> docker.DockerClient:
    client = docker.DockerClient(engine_socket(), timeout=60)
    client.ping()
    # Others may be tidying up at the same time: what one of them removed is no trouble of ours.
    _quietly(functools.partial(reap, client))
    if OWNED_BY not in os.environ:
        _leave_clean()
    return client


_watchers: list[subprocess.Popen[bytes]] = []


def _leave_clean() -> None:
    """See to it that what this process makes goes when it ends, also when it is killed."""
    watch = "import sys; sys.stdin.read(); from autograder import containers as c; c.clean_up()"
    # Its input ends with this process. Nobody reads what it says.
    watcher = subprocess.Popen(
        [sys.executable, "-c", watch],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, OWNED_BY: "0-0"},
        start_new_session=True,
    )
    watcher.returncode = 0  # it outlives us, and that is what it is for
    _watchers.append(watcher)


def _identity(pid: int | None = None) -> str:
    """Return a process's name that no later process will have."""
    process = psutil.Process(pid)
    return f"{process.pid}-{process.create_time():.0f}"


def _alive(identity: str) -> bool:
    pid, _, began = identity.partition("-")
    try:
        return abs(psutil.Process(int(pid)).create_time() - float(began)) < 3
    except (psutil.Error, ValueError):
        return False


def _owner() -> str:
    return os.environ.get(OWNED_BY) or _identity()


def _mine(label: str) -> dict[str, list[str]]:
    return {"label": [label]}


def reap(client: docker.DockerClient) -> None:
    """Remove what graders and checks that have ended left in the engine."""

    def over(labels: Mapping[str, str] | None, name: str) -> bool:
        identity = (labels or {}).get(name, "")
        return bool(identity) and not _alive(identity)

    for item in client.api.containers(all=True, filters=_mine(OWNER)):
        labels = item.get("Labels") or {}
        if over(labels, PROCESS if PROCESS in labels else OWNER):
            remove = client.api.remove_container
            _quietly(functools.partial(remove, item["Id"], force=True, v=True))
    for item in client.api.networks(filters=_mine(PROCESS)):
        if over(item.get("Labels"), PROCESS):
            _quietly(functools.partial(client.api.remove_network, item["Id"]))
    _remove_images(client, lambda labels: over(labels, OWNER))


def _remove_images(
    client: docker.DockerClient, unwanted: Callable[[Mapping[str, str] | None], bool]
) -> None:
    """Remove images, and again while that uncovers parents which only now have no child."""
    for _ in range(20):
        images = client.api.images(all=True, filters=_mine(OWNER))
        found = [image["Id"] for image in images if unwanted(image.get("Labels"))]
        remove = functools.partial(client.api.remove_image, force=True)
        # Every one is tried, in whatever order: a parent goes with its last child.
        if not sum(_quietly(functools.partial(remove, image)) for image in found):
            return


def _quietly(act: Callable[[], Any]) -> bool:
    try:
        act()
    except (DockerException, OSError):
        return False
    return True


def clean_up() -> None:
    """Remove what checks left in the engine when they were cut off; quick where nothing was."""
    with contextlib.suppress(DockerException, OSError):
        reap(_client())


# --- Building ----------------------------------------------------------------------------------


def build(
    context: Path,
    *,
    changed: Mapping[str, bytes] | None = None,
    limits: BuildLimits | None = None,
) -> Image:
    """Build a folder's Dockerfile as the docker command would, within limits, and return the image.

    ``changed`` are files to put in place of, or beside, the folder's own.  Raises BuildFailedError.
    """
    client, limits = engine(), limits or BuildLimits()
    recipe = read_recipe(context)
    _refuse_downloads(recipe)
    for image in recipe.bases:
        _see_to_base(client, image)
    archive = _archive(context, recipe, changed or {}, limits)
    return _Build(client, recipe, limits).run(archive)


def read_recipe(context: Path) -> Dockerfile:
    """Read a folder's Dockerfile; raises BuildFailedError if there is none that can be read."""
    try:
        return Dockerfile.read(context / "Dockerfile")
    except DockerfileError as error:
        raise BuildFailedError(str(error)) from error


def _refuse_downloads(recipe: Dockerfile) -> None:
    for line in recipe.instructions:
        if line.word == "ADD" and any("://" in word or "@" in word for word in line.value.split()):
            raise BuildFailedError(
                "the grader downloads nothing for an ADD", step=line.text, said=""
            )


def _see_to_base(client: docker.DockerClient, name: str) -> None:
    try:
        client.images.get(name)
        return
    except ImageNotFound:
        pass
    except APIError as error:
        raise BuildFailedError(f"{name!r} is no name of an image", said=_reason(error)) from error
    repository = name.partition("@")[0].rpartition("/")[2].partition(":")[0]
    if "/" in name.removeprefix("docker.io/library/") or repository not in _PULLED:
        raise BuildFailedError(
            f"the grader has no image {name}, and pulls {', '.join(_PULLED)} only",
            step=f"FROM {name}",
        )
    try:
        client.images.pull(name if ":" in name or "@" in name else f"{name}:latest")
    except (DockerException, OSError) as error:
        raise BuildFailedError(
            f"the grader cannot get the image {name}", step=f"FROM {name}", said=_reason(error)
        ) from error


def context_files(context: Path) -> list[str]:
    """Return what of a folder travels to the engine, by the rules of its .dockerignore."""
    rules = []
    ignore = context / ".dockerignore"
    if ignore.is_file() and not ignore.is_symlink():
        lines = ignore.read_text("utf-8", "replace").splitlines()
        rules = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return sorted(p for p in exclude_paths(str(context), rules) if p)


def _archive(
    context: Path, recipe: Dockerfile, changed: Mapping[str, bytes], limits: BuildLimits
) -> bytes:
    """Pack a build's context, the Dockerfile with our label in each of its stages."""
    packed = io.BytesIO()
    total = 0
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name in context_files(context):
            path = context / name
            if name == "Dockerfile" or name in changed or not (path.is_file() or path.is_dir()):
                continue
            total += path.lstat().st_size
            if total > limits.context:
                raise BuildFailedError(
                    f"the build's context is larger than {limits.context >> 20} MB",
                    step="sending the folder to the engine",
                )
            info = archive.gettarinfo(path, name)
            info.mtime = int(info.mtime)
            if info.isreg():
                with path.open("rb") as stream:
                    archive.addfile(info, stream)
            else:
                archive.addfile(info)
        text, more = classic(recipe, f'LABEL {OWNER}="{_owner()}"')
        for name, content in {**changed, **more, "Dockerfile": text.encode()}.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.mtime = len(content), 0o644, int(time.time())
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class _Build:
    """One build by the engine's classic builder, which can be limited and watched."""

    def __init__(
        self, client: docker.DockerClient, recipe: Dockerfile, limits: BuildLimits
    ) -> None:
        self.client, self.limits = client, limits
        self.offline = all(_brings_packages(client, name) for name in recipe.bases)
        self.step, self.said, self.image, self.container, self.stopped = "", "", "", "", ""
        self._ended = threading.Event()

    def run(self, archive: bytes) -> Image:
        api, bound = self.client.api, self.limits
        ulimits = [{"Name": "fsize", "Soft": bound.disk, "Hard": bound.disk}]
        params = {
            "rm": True,
            "forcerm": True,
            "memory": bound.memory,
            "memswap": bound.memory,
            "ulimits": json.dumps(ulimits),
            "networkmode": "none" if self.offline else _index_network(self.client).id,
        }
        if not self.offline:
            # These few need no ARG, and stay out of the image and its history.
            address = _made_proxy(self.client)
            names = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
            params["buildargs"] = json.dumps(dict.fromkeys(names, address))
        answer = api.post(
            f"{api.base_url}/v{api.api_version}/build",
            params=params,
            data=archive,
            headers={"Content-Type": "application/x-tar"},
            stream=True,
            timeout=bound.seconds + 10,
        )
        watch = threading.Thread(target=self._watch, args=(answer,), daemon=True)
        watch.start()
        try:
            failure = self._follow(answer)
        finally:
            self._ended.set()
            watch.join()
            answer.close()
        if failure or not self.image:
            raise BuildFailedError(
                self.stopped or failure or "the engine ended the build", self.step, self.said
            )
        return self.client.images.get(self.image)

    def _follow(self, answer: Any) -> str:
        """Read what the builder says up to its end; return why it failed, if it did."""
        try:
            for line in answer.iter_lines(chunk_size=1024):
                news = json.loads(line) if line.strip() else {}
                if "error" in news or "message" in news:
                    return str(news.get("error") or news["message"]).strip()[:400]
                # The builder prints what came on stderr in red.
                self._note(_COLOUR.sub("", str(news.get("stream", ""))).strip())
                self.image = news.get("aux", {}).get("ID", self.image)
        except Exception as error:
            return self.stopped or f"the engine ended the build ({type(error).__name__})"
        return ""

    def _note(self, text: str) -> None:
        if text.startswith("Step "):
            self.step, self.container = text.partition(" : ")[2], ""
        elif text.startswith("---> Running in "):
            self.container = text.removeprefix("---> Running in ")
        elif text and not text.startswith(("--->", "Removing intermediate", "Successfully")):
            self.said = text.splitlines()[-1].strip()[:300]

    def _watch(self, answer: Any) -> None:
        deadline = time.monotonic() + self.limits.seconds
        while not self._ended.wait(0.5):
            if time.monotonic() > deadline:
                self.stopped = f"it ran longer than {self.limits.seconds:.0f} s"
            elif self.container and self._written(self.container) > self.limits.disk:
                self.stopped = f"a step wrote more than {self.limits.disk >> 20} MB"
            if self.stopped:
                if self.container:
                    with contextlib.suppress(DockerException, OSError):
                        self.client.api.remove_container(self.container, force=True, v=True)
                # The engine cancels a build whose client has gone.
                with contextlib.suppress(Exception):
                    answer.raw._fp.fp.raw._sock.shutdown(2)
                return

    def _written(self, container: str) -> int:
        try:
            found = self.client.api.get(
                f"{self.client.api.base_url}/v{self.client.api.api_version}"
                f"/containers/{container}/json",
                params={"size": 1},
                timeout=20,
            ).json()
        except Exception:
            return 0
        return int(found.get("SizeRw") or 0)


def _brings_packages(client: docker.DockerClient, name: str) -> bool:
    try:
        return WHEELHOUSE in (client.images.get(name).labels or {})
    except (DockerException, OSError):
        return False


def _reason(error: Exception) -> str:
    return str(getattr(error, "explanation", None) or error)[:300]


# --- Running -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """What came back for one request; status 0: nothing did, and ``body`` says why."""

    status: int
    body: str

    def json(self) -> Any:
        """Return the body as data, None if it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


@dataclass
class Running:
    """A container of a learner's image while it runs."""

    container: Container
    client: docker.DockerClient
    asked: int = field(default=0)

    def ask(self, port: int, *requests: tuple[str, str, Any]) -> list[Answer]:
        """Send requests (method, path, JSON or None) to a port from another container."""
        return _probe(self.client).ask(f"http://{self.address()}:{port}", requests)

    def address(self) -> str:
        """Return the container's address in the checks' own network."""
        networks = self.container.attrs["NetworkSettings"]["Networks"]
        if not any(network["IPAddress"] for network in networks.values()):
            self.container.reload()
            networks = self.container.attrs["NetworkSettings"]["Networks"]
        return next(iter(networks.values()))["IPAddress"]

    def until_answers(
        self, port: int, path: str, seconds: float = 15.0, instead: int = 0
    ) -> Answer:
        """Ask again until the service says anything; raises RunFailedError if it never does.

        ``instead`` is a port on which it may have come up by mistake: waiting then ends.
        """
        deadline = time.monotonic() + seconds
        while True:
            self.refuse_ended()
            (answer,) = self.ask(port, ("GET", path, None))
            if answer.status:
                return answer
            if instead and self.ask(instead, ("GET", path, None))[0].status:
                # It may listen on both, and this one came a moment later.
                (answer,) = self.ask(port, ("GET", path, None))
                if answer.status:
                    return answer
                reason = f"nothing answers on port {port}, and the service does on port {instead}"
                raise RunFailedError(reason, self.log())
            if time.monotonic() > deadline:
                # To ask takes seconds where nobody listens, and it may have ended meanwhile.
                self.refuse_ended()
                reason = f"nothing answers on port {port} after {seconds:.0f} s ({answer.body})"
                raise RunFailedError(reason, self.log())
            time.sleep(0.1)

    def refuse_ended(self) -> None:
        """Raise RunFailedError if the container has ended by itself."""
        self.container.reload()
        state = self.container.attrs["State"]
        if not state["Running"]:
            reason = f"the container ended by itself with exit code {state['ExitCode']}"
            if state.get("OOMKilled"):
                reason = "the container ran out of memory"
            raise RunFailedError(reason, self.log())

    def health(self, wanted: str, seconds: float = 15.0) -> str:
        """Wait until the health is what is wanted or the time is over, and return what it is."""
        deadline = time.monotonic() + seconds
        while True:
            self.container.reload()
            state = self.container.attrs["State"]
            found = (state.get("Health") or {}).get("Status", "none")
            ended = not state["Running"] or found == "none" or time.monotonic() > deadline
            if found == wanted or ended:
                return "ended" if not state["Running"] else found
            time.sleep(0.1)

    def turns_unhealthy(self, seconds: float = 20.0) -> bool:
        """Tell whether the engine finds it unhealthy again and again, and not only at its start."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.container.reload()
            health = self.container.attrs["State"].get("Health") or {}
            if health.get("Status") == "unhealthy" and health.get("FailingStreak", 0) >= 5:
                return True
            if health.get("Status") == "healthy" or not self.container.attrs["State"]["Running"]:
                return False
            time.sleep(0.1)
        return False

    def health_said(self) -> str:
        """Return what the newest health check printed."""
        entries = (self.container.attrs["State"].get("Health") or {}).get("Log") or []
        return str(entries[-1].get("Output", "")).strip()[-300:] if entries else ""

    def stop(self, seconds: float) -> tuple[float, int]:
        """Stop as `docker stop` does; return how long it took, and the exit code (137: killed)."""
        began = time.monotonic()
        self.container.stop(timeout=int(seconds))
        took = time.monotonic() - began
        self.container.reload()
        return took, int(self.container.attrs["State"]["ExitCode"])

    def log(self, lines: int = 5) -> str:
        """Return the last lines that the container wrote."""
        try:
            return self.container.logs(tail=lines).decode("utf-8", "replace").strip()[-600:]
        except (DockerException, OSError):
            return ""

    def users(self) -> set[str]:
        """Return the user ids of all processes in the container, as the machine sees them."""
        found = self.container.top(ps_args="-eo uid,pid")
        column = found["Titles"].index("UID")
        return {row[column] for row in found["Processes"]}


@contextlib.contextmanager
def running(
    image: Image,
    *,
    environment: Mapping[str, str] | None = None,
    memory: int = 512 << 20,
    health_seconds: float = 0.5,
) -> Iterator[Running]:
    """Run a learner's image as it is, within limits, for as long as the ``with`` block lasts.

    Nothing leads out of its network.  Its health is asked for often; how is the image's affair.
    Raises RunFailedError if it cannot be started.
    """
    client = engine()
    health = {
        "interval": int(health_seconds * _SECOND),
        "timeout": 3 * _SECOND,
        "retries": 2,
        # Nothing would mean what the image says, which may be minutes.
        "start_period": _SECOND // 1000,
    }
    if not image.attrs.get("Config", {}).get("Healthcheck"):
        health = None
    container = None
    try:
        container = client.containers.create(
            image.id,
            environment=dict(environment or {}),
            labels={OWNER: _owner(), PROCESS: _identity()},
            network=_network(client).id,
            mem_limit=memory,
            memswap_limit=memory,
            nano_cpus=_SECOND,
            pids_limit=128,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            ulimits=[docker.types.Ulimit(name="fsize", soft=64 << 20, hard=64 << 20)],
            log_config=docker.types.LogConfig(
                type="json-file", config={"max-size": "1m", "max-file": "1"}
            ),
            healthcheck=health,
        )
        container.start()
        yield Running(container, client)
    except APIError as error:
        raise RunFailedError("the engine cannot run it", _reason(error)) from error
    finally:
        if container is not None:
            with contextlib.suppress(DockerException, OSError):
                container.remove(force=True, v=True)


def _network(client: docker.DockerClient) -> Any:
    # Several of a gate's threads may ask at once, and the engine allows a name twice.
    with _making:
        return _made_network(client)


_making = threading.Lock()


@functools.cache
def _made_network(client: docker.DockerClient) -> Any:
    return client.networks.create(
        # Another client of this process has another: two of one name are ambiguous to the engine.
        f"mlops-workbook-{_identity()}-{secrets.token_hex(4)}",
        internal=True,
        labels={OWNER: _owner(), PROCESS: _identity()},
    )


def _index_network(client: docker.DockerClient) -> Any:
    with _making:
        return _made_index_network(client)


@functools.cache
def _made_index_network(client: docker.DockerClient) -> Any:
    return client.networks.create(
        f"mlops-workbook-index-{_identity()}-{secrets.token_hex(4)}",
        internal=True,
        labels={OWNER: _owner(), PROCESS: _identity()},
    )


@functools.cache
def _made_proxy(client: docker.DockerClient) -> str:
    """Start the container that leads to the package indexes, and return its address."""
    _see_to_base(client, BASE)
    network = _index_network(client)
    more = filter(None, os.environ.get(MORE_INDEXES, "").replace(" ", "").split(","))
    container = client.containers.run(
        BASE,
        [*("python3", "-c", Path(indexproxy.__file__).read_text("utf-8")), *PACKAGE_INDEXES, *more],
        detach=True,
        init=True,
        labels={OWNER: _owner(), PROCESS: _identity()},
        mem_limit=256 << 20,
        pids_limit=256,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
    )
    network.connect(container)
    container.reload()
    inside = container.attrs["NetworkSettings"]["Networks"][network.name]["IPAddress"]
    return f"http://{inside}:{indexproxy.PORT}"


_ASK = """\
import json, sys, urllib.error, urllib.request
base, requests = json.load(sys.stdin)
for method, path, body in requests:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(base + path, data, {"Content-Type": "application/json"})
    request.method = method
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            found = [answer.status, answer.read(100_000).decode("utf-8", "replace")]
    except urllib.error.HTTPError as error:
        found = [error.code, error.read(100_000).decode("utf-8", "replace")]
    except Exception as error:
        found = [0, str(getattr(error, "reason", error))[:200]]
    print(json.dumps(found), flush=True)
"""


class _Probe:
    """A container of the grader's own, from which services are asked."""

    def __init__(self, client: docker.DockerClient, network: str) -> None:
        self.client = client
        _see_to_base(client, BASE)
        self.container = client.containers.run(
            BASE,
            ["python3", "-c", "import time; time.sleep(3600)"],
            detach=True,
            init=True,
            labels={OWNER: _owner(), PROCESS: _identity()},
            network=network,
            mem_limit=256 << 20,
            pids_limit=64,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
        )

    def ask(self, base: str, requests: Sequence[tuple[str, str, Any]]) -> list[Answer]:
        script = f"import io, sys; sys.stdin = io.StringIO({json.dumps([base, requests])!r})\n"
        done = self.container.exec_run(["python3", "-c", script + _ASK], demux=True)
        lines = (done.output[0] or b"").decode("utf-8", "replace").splitlines()
        return [Answer(*json.loads(line)) for line in lines]


def _probe(client: docker.DockerClient) -> _Probe:
    network = _network(client)
    with _making:
        return _made_probe(client, network.id)


@functools.cache
def _made_probe(client: docker.DockerClient, network: str) -> _Probe:
    return _Probe(client, network)


@contextlib.contextmanager
def registry() -> Iterator[str]:
    """Run a registry of the grader's own, and yield its address as the engine reaches it.

    Raises NotGradedHere where its image is not here and cannot be had.
    """
    client = engine()
    try:
        client.images.get(REGISTRY)
    except ImageNotFound:
        try:
            client.images.pull(REGISTRY)
        except (DockerException, OSError) as error:
            hint = f"docker pull {REGISTRY}, where Docker's registry can be reached."
            raise NotGradedHere(f"the image {REGISTRY}", hint=hint) from error
    container = client.containers.run(
        REGISTRY,
        detach=True,
        labels={OWNER: _owner(), PROCESS: _identity()},
        ports={"5000/tcp": ("127.0.0.1", None)},
        mem_limit=256 << 20,
    )
    try:
        container.reload()
        (place,) = container.attrs["NetworkSettings"]["Ports"]["5000/tcp"]
        yield f"localhost:{place['HostPort']}"
    finally:
        container.remove(force=True, v=True)


# --- Layers ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Layer:
    """One layer of an image: its digest, its files with their sizes, and where words were found."""

    digest: str
    files: dict[str, int]
    found: tuple[tuple[str, str], ...] = ()


def layers_of(image: Image, words: Sequence[bytes] = ()) -> list[Layer]:
    """Return an image's layers, the lowest first, looked through for some words.

    Reads the engine's own export of it; nothing of the image runs.
    """
    order = image.attrs["RootFS"]["Layers"]
    wanted = set(order)
    found: dict[str, Layer] = {}
    stream = _Stream(image.save(chunk_size=1 << 20))
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            # Older engines write <id>/layer.tar, newer ones blobs/sha256/<digest>.
            if member.isfile() and member.size > 0 and not member.name.endswith(".json"):
                content = archive.extractfile(member)
                layer = _read_layer(content, words) if content else None
                if layer and layer.digest in wanted:
                    found[layer.digest] = layer
    return [found[digest] for digest in order if digest in found]


def own_layers(image: Image, layers: Sequence[Layer], base: str) -> list[Layer]:
    """Return the layers that lie above those of a base image; all, if it is not below."""
    try:
        below = engine().images.get(base).attrs["RootFS"]["Layers"]
    except (DockerException, OSError):
        return list(layers)
    order = image.attrs["RootFS"]["Layers"]
    return list(layers[len(below) :]) if order[: len(below)] == below else list(layers)


def _read_layer(content: BinaryIO, words: Sequence[bytes]) -> Layer | None:
    stream = _Hashed(content)
    files: dict[str, int] = {}
    found: list[tuple[str, str]] = []
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                name = member.name.removeprefix("./")
                files[name] = member.size if member.isfile() else 0
                if words and member.isfile() and member.size:
                    found += [(name, w) for w in _words_in(archive.extractfile(member), words)]
        stream.rest()
    except (tarfile.TarError, zlib.error, EOFError):
        return None
    return Layer(stream.digest, files, tuple(found))


def _words_in(content: Any, words: Sequence[bytes]) -> Iterator[str]:
    longest, tail, left = max(map(len, words)), b"", set(words)
    while left and (piece := content.read(1 << 20)):
        text = tail + piece
        for word in [w for w in left if w in text]:
            left.discard(word)
            yield word.decode()
        tail = text[-longest:]


class _Stream(io.RawIOBase):
    """Chunks as a file to read from."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._left = iter(chunks), b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            piece = next(self._chunks, None)
            if piece is None:
                return 0
            self._left = piece
        count = min(len(buffer), len(self._left))
        buffer[:count], self._left = self._left[:count], self._left[count:]
        return count


class _Hashed:
    """A layer as it is read: unpacked if it is packed, and its digest."""

    def __init__(self, content: BinaryIO) -> None:
        self._content = content
        self._sum = hashlib.sha256()
        first = content.read(2)
        self._packed = zlib.decompressobj(31) if first == b"\x1f\x8b" else None
        self._left = b"" if self._packed else first
        self._raw = first if self._packed else b""

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes, fewer only at the end."""
        parts, count = [self._left[:size]], len(self._left[:size])
        self._left = self._left[size:]
        while count < size:
            piece = self._raw or self._content.read(1 << 18)
            self._raw = b""
            if not piece:
                break
            piece = self._packed.decompress(piece) if self._packed else piece
            parts.append(piece[: size - count])
            self._left = piece[size - count :]
            count += len(parts[-1])
        data = b"".join(parts)
        self._sum.update(data)
        return data

    def rest(self) -> None:
        """Read to the end: padding belongs to the digest, too."""
        while self.read(1 << 20):
            pass

    @property
    def digest(self) -> str:
        """The digest of what was read, as image configurations write it."""
        return f"sha256:{self._sum.hexdigest()}"


__all__ = [
    "BASE",
    "Answer",
    "BuildFailedError",
    "BuildLimits",
    "Layer",
    "NotFound",
    "RunFailedError",
    "Running",
    "build",
    "clean_up",
    "context_files",
    "engine",
    "for_the_judge",
    "lacks",
    "layers_of",
    "own_layers",
    "read_recipe",
    "reap",
    "registry",
    "running",
]
