"""A narrow gate to the Docker engine, for learners' scripts that drive it.

A script gets a socket that speaks the engine's API, and behind it the grader decides.  The script
sees what it made itself and nothing else.  It may build (offline, within limits), and run what it
built: with no more rights, no folder of the machine, no way out of the grader's own network.  A
port that it publishes is opened on the caller's loopback and led into the container.  Names and
tags stay inside the gate, so that nothing of the same name in the engine is touched.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import socket
import socketserver
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from docker.errors import DockerException

from autograder import containers
from autograder.classicbuilder import classic
from autograder.dockerfile import Dockerfile

_SECOND = 1_000_000_000
_MOST_BODY = 50 << 20
# Asked often, so that a script need not wait; a service has some seconds to come up.
_HEALTH = {"Interval": _SECOND // 2, "Retries": 3, "StartPeriod": 6 * _SECOND}
# The first looks at a container find it starting: a script that looks once has not waited.
_LOOKS = 2
# What a script may say about its container; the rest is ours, or refused.
_CONFIG = ("Cmd", "Entrypoint", "Env", "ExposedPorts", "WorkingDir", "StopSignal", "StopTimeout")
_HOST_OURS = ("NetworkMode", "LogConfig", "RestartPolicy", "AutoRemove", "Init", "ShmSize")
_HOST_FREE = ("Memory", "MemorySwap", "MemoryReservation", "NanoCpus", "CpuShares", "PidsLimit")
_READS = ("json", "logs", "top", "stats", "changes")
_ACTS = ("start", "stop", "kill", "wait", "restart")


@dataclass(frozen=True)
class Event:
    """Something that a script did by way of the gate, or that it was told."""

    what: str
    at: float
    value: Any = None


@dataclass
class Gate:
    """One script's gate: where its socket lies, and what happened."""

    folder: Path
    # Where the script may push to and pull from, such as localhost:5000; nowhere if empty.
    registry: str = ""
    events: list[Event] = field(default_factory=list)
    images: dict[str, str] = field(default_factory=dict)
    running: dict[str, str] = field(default_factory=dict)
    ports: dict[str, dict[str, tuple[str, int]]] = field(default_factory=dict)
    tagged: list[str] = field(default_factory=list)
    looks: dict[str, int] = field(default_factory=dict)
    tunnels: dict[str, list[socketserver.BaseServer]] = field(default_factory=dict)

    @property
    def socket(self) -> Path:
        """The socket, for DOCKER_HOST."""
        return self.folder / "docker.sock"

    def note(self, what: str, value: Any = None) -> None:
        """Remember that something happened."""
        self.events.append(Event(what, time.monotonic(), value))

    def first(self, what: str) -> Event | None:
        """Return the first event of a kind."""
        return next((event for event in self.events if event.what == what), None)

    def container(self, name: str) -> str:
        """Return the id of a container by what the script calls it; raises _Refused."""
        name = name.lstrip("/")
        for known, identity in self.running.items():
            if name in (known, identity) or (len(name) >= 12 and identity.startswith(name)):
                return identity
        raise _Refused(404, f"No such container: {name}")

    def image(self, name: str) -> str:
        """Return the id of an image by what the script calls it; raises _Refused."""
        if name in self.images:
            known = [self.images[name]]
        elif name in self.images.values() or name.startswith("sha256:"):
            known = [i for i in self.images.values() if i.startswith(name)]
        else:
            tagged = name if ":" in name.rpartition("/")[2] else f"{name}:latest"
            known = [self.images[tagged]] if tagged in self.images else []
            known += [i for i in self.images.values() if i[7:].startswith(name) and len(name) > 11]
        if not known:
            raise _Refused(404, f"No such image: {name}: the script may use what it has built")
        return known[0]

    def forget(self, identity: str) -> None:
        """Close the ports of a container that is gone."""
        for server in self.tunnels.pop(identity, []):
            server.shutdown()
            server.server_close()


class _Refused(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@contextlib.contextmanager
def gate(registry: str = "") -> Iterator[Gate]:
    """Open a gate for as long as the ``with`` block lasts; what is left behind it then goes."""
    client = containers.engine()
    with tempfile.TemporaryDirectory(prefix="gate-") as folder:
        this = Gate(Path(folder), registry)
        handler = type("Handler", (_Handler,), {"gate": this, "client": client})
        server = _Server(str(this.socket), handler)
        this.socket.chmod(0o666)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield this
        finally:
            server.shutdown()
            server.server_close()
            for identity in dict.fromkeys(this.running.values()):
                this.forget(identity)
                with contextlib.suppress(DockerException, OSError):
                    client.api.remove_container(identity, force=True, v=True)
            for name in this.tagged:
                with contextlib.suppress(DockerException, OSError):
                    client.api.remove_image(name)


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A script that goes away in the middle is no news."""


class _Handler(BaseHTTPRequestHandler):
    """Answers one connection of a script."""

    protocol_version = "HTTP/1.1"
    gate: Gate
    client: Any

    def address_string(self) -> str:
        return "script"

    def log_message(self, *arguments: Any) -> None:
        """Say nothing on the grader's stderr."""

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_DELETE = do_HEAD = do_PUT = do_GET

    def _serve(self) -> None:
        try:
            body = self._body()
            parts = urlsplit(self.path)
            path = re.sub(r"^/v\d+(\.\d+)*", "", unquote(parts.path))
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            self._route(path, query, body)
        except _Refused as refused:
            self._say(refused.status, {"message": str(refused)})
        except (BrokenPipeError, ConnectionError):
            self.close_connection = True
        except containers.BuildFailedError as failed:
            self._say(200, {"error": failed.reason, "errorDetail": {"message": failed.reason}})
        except Exception as error:
            self._say(500, {"message": f"the gate stumbled: {type(error).__name__}: {error}"[:300]})

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            parts, total = [], 0
            while size := int(self.rfile.readline().split(b";")[0], 16):
                total += size
                if total > _MOST_BODY:
                    raise _Refused(413, "more than 50 MB in one request")
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        size = int(self.headers.get("Content-Length") or 0)
        if size > _MOST_BODY:
            raise _Refused(413, "more than 50 MB in one request")
        return self.rfile.read(size)

    def _say(self, status: int, data: Any) -> None:
        text = b"" if status in (204, 304) else json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def _route(self, path: str, query: dict[str, str], body: bytes) -> None:
        method = self.command
        if path in ("/_ping", "/version", "/info") and method in ("GET", "HEAD"):
            self._pass(method, path, {})
        elif (method, path) == ("POST", "/build"):
            self._build(query, body)
        elif found := re.fullmatch(r"/images/(.+)/json", path):
            self._inspect_image(self.gate.image(found[1]))
        elif (found := re.fullmatch(r"/images/(.+)/tag", path)) and method == "POST":
            self.gate.images[f"{query['repo']}:{query.get('tag') or 'latest'}"] = self.gate.image(
                found[1]
            )
            self._say(201, {})
        elif (found := re.fullmatch(r"/images/(.+)/push", path)) and method == "POST":
            self._push(found[1], query.get("tag") or "latest")
        elif (method, path) == ("POST", "/images/create"):
            self._pull(query.get("fromImage", ""), query.get("tag") or "latest")
        elif (found := re.fullmatch(r"/images/(.+)", path)) and method == "DELETE":
            identity = self.gate.image(found[1])
            names = [n for n, i in self.gate.images.items() if i == identity]
            for name in names:
                del self.gate.images[name]
            self._say(200, [{"Untagged": name} for name in names])
        elif (method, path) == ("POST", "/containers/create"):
            self._create(query, json.loads(body or b"{}"))
        elif (method, path) == ("GET", "/containers/json"):
            filters = {"label": [f"{containers.PROCESS}={containers._identity()}", "gate=1"]}
            self._pass(method, path, {**query, "filters": json.dumps(filters)})
        elif found := re.fullmatch(r"/containers/([^/]+)(?:/(\w+))?", path):
            self._container(found[1], found[2] or "", query)
        else:
            raise _Refused(403, f"{method} {path} is not open to scripts while they are graded")

    def _container(self, name: str, act: str, query: dict[str, str]) -> None:
        identity, method = self.gate.container(name), self.command
        path = f"/containers/{identity}" + (f"/{act}" if act else "")
        if method == "GET" and act == "json":
            self._inspect(identity)
        elif method == "GET" and act in _READS:
            self.gate.note(act)
            self._pass(method, path, query)
        elif method == "POST" and act == "start":
            self.gate.note(act)
            answer = self._ask(method, path)
            if answer.ok:
                self._open_ports(identity)
            self._repeat(answer)
        elif method == "POST" and act in _ACTS:
            self.gate.note(act)
            self._pass(method, path, query)
        elif method == "DELETE" and not act:
            answer = self._ask(method, path, {**query, "v": "1"})
            if answer.ok:
                self.gate.note("removed", identity)
                self.gate.forget(identity)
                self.gate.running = {n: i for n, i in self.gate.running.items() if i != identity}
            self._repeat(answer)
        else:
            raise _Refused(403, f"{method} {path} is not open to scripts while they are graded")

    def _repeat(self, answer: Any) -> None:
        """Say what the engine said, once the gate's own books are in order.

        A script may end as soon as it has its answer, and the books are read then.
        """
        self._say(answer.status_code, answer.json() if answer.content else None)

    def _pass(self, method: str, path: str, query: Mapping[str, str]) -> None:
        """Ask the engine and hand on what it answers as it comes."""
        answer = self._ask(method, path, query, stream=True)
        self.send_response(answer.status_code)
        for name in ("Content-Type", "Api-Version", "Docker-Experimental", "OSType"):
            if name in answer.headers:
                self.send_header(name, answer.headers[name])
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if method != "HEAD":
            for piece in answer.iter_content(None):
                if piece:
                    self._chunk(piece)
            self._chunk(b"")

    def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        stream: bool = False,
    ) -> Any:
        api = self.client.api
        url = f"{api.base_url}/v{api.api_version}{path}"
        url += f"?{urlencode(query)}" if query else ""
        headers = {"Content-Type": "application/json"}
        return api.request(method, url, data=body, headers=headers, stream=stream, timeout=120)

    def _build(self, query: dict[str, str], body: bytes) -> None:
        archive, recipe = _relabelled(body, query.get("dockerfile") or "Dockerfile")
        containers._refuse_downloads(recipe)
        for name in recipe.bases:
            containers._see_to_base(self.client, name)
        image = containers._Build(self.client, recipe, containers.BuildLimits()).run(archive)
        tag = query.get("t", "")
        if tag:
            self.gate.images[tag if ":" in tag.rpartition("/")[2] else f"{tag}:latest"] = image.id
        self.gate.images.setdefault(image.id, image.id)
        self.gate.note("built", image.id)
        short = image.id[7:19]
        self._lines({"aux": {"ID": image.id}}, {"stream": f"Successfully built {short}\n"})

    def _push(self, repository: str, tag: str) -> None:
        """Push by the name that the script gave; it goes with the gate."""
        self._refuse_elsewhere(repository)
        identity = self.gate.image(f"{repository}:{tag}")
        self.client.api.tag(identity, repository, tag)
        self.gate.tagged.append(f"{repository}:{tag}")
        news = list(self.client.api.push(repository, tag, stream=True, decode=True))
        for line in news:
            if digest := (line.get("aux") or {}).get("Digest"):
                self.gate.note("pushed", {"name": f"{repository}:{tag}", "digest": digest})
        self._lines(*news)

    def _pull(self, repository: str, tag: str) -> None:
        self._refuse_elsewhere(repository)
        digest = tag.startswith("sha256:")
        name = f"{repository}@{tag}" if digest else f"{repository}:{tag}"
        news = list(self.client.api.pull(repository, tag, stream=True, decode=True))
        if not any("error" in line for line in news):
            self.gate.images[name] = self.client.api.inspect_image(name)["Id"]
            self.gate.note("pulled", name)
        self._lines(*news)

    def _refuse_elsewhere(self, repository: str) -> None:
        if not self.gate.registry or not repository.startswith(f"{self.gate.registry}/"):
            raise _Refused(403, f"{repository} is not in the registry of this run")

    def _lines(self, *news: Any) -> None:
        """Answer as the engine tells how something goes on: in chunks, which its client expects."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for line in news:
            self._chunk(json.dumps(line).encode() + b"\r\n")
        self._chunk(b"")

    def _chunk(self, piece: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.flush()

    def _create(self, query: dict[str, str], wish: dict[str, Any]) -> None:
        host = wish.get("HostConfig") or {}
        for name, value in host.items():
            if value and name not in (*_HOST_OURS, *_HOST_FREE, "PortBindings", "CapDrop"):
                raise _Refused(403, f"{name} is not open to scripts while they are graded")
        memory = int(host.get("Memory") or 0)
        bound = min(memory, 512 << 20) or 512 << 20
        config = {name: wish[name] for name in _CONFIG if wish.get(name)}
        config |= {
            "Image": self.gate.image(str(wish.get("Image"))),
            "Labels": {
                **(wish.get("Labels") or {}),
                containers.OWNER: containers._owner(),
                containers.PROCESS: containers._identity(),
                "gate": "1",
            },
            "Healthcheck": {**_HEALTH, "Test": (wish.get("Healthcheck") or {}).get("Test") or []},
            "HostConfig": {
                "NetworkMode": containers._network(self.client).id,
                "Memory": bound,
                "MemorySwap": bound,
                "NanoCpus": _SECOND,
                "PidsLimit": 128,
                "CapDrop": ["ALL"],
                "SecurityOpt": ["no-new-privileges"],
                "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "1"}},
            },
        }
        answer = self._ask("POST", "/containers/create", None, json.dumps(config).encode())
        if answer.status_code == 201:
            identity = answer.json()["Id"]
            self.gate.running[query.get("name") or identity] = identity
            self.gate.ports[identity] = _wanted_ports(host.get("PortBindings") or {})
            self.gate.note("created", {"memory": memory, "ports": self.gate.ports[identity]})
        self._say(answer.status_code, answer.json())

    def _inspect_image(self, identity: str) -> None:
        """Tell of an image, by the names and digests that it has inside the gate."""
        answer = self._ask("GET", f"/images/{identity}/json")
        data = answer.json()
        if answer.ok:
            names = [n for n, i in self.gate.images.items() if i == identity and n != identity]
            pushed = [e.value for e in self.gate.events if e.what == "pushed"]
            data["RepoTags"] = [name for name in names if "@" not in name]
            data["RepoDigests"] = [
                f"{push['name'].rpartition(':')[0]}@{push['digest']}"
                for push in pushed
                if push["name"] in names
            ]
        self._say(answer.status_code, data)

    def _inspect(self, identity: str) -> None:
        answer = self._ask("GET", f"/containers/{identity}/json")
        data = answer.json()
        if answer.ok:
            health = (data["State"].get("Health") or {}).get("Status")
            self.gate.looks[identity] = self.gate.looks.get(identity, 0) + 1
            if health and self.gate.looks[identity] <= _LOOKS:
                health = data["State"]["Health"]["Status"] = "starting"
            if health in ("healthy", "unhealthy") and not self.gate.first(health):
                self.gate.note(health)
            data["NetworkSettings"]["Ports"] = {
                inside: [{"HostIp": address, "HostPort": str(port)}]
                for inside, (address, port) in self.gate.ports.get(identity, {}).items()
            }
            names = [n for n, i in self.gate.running.items() if i == identity and n != identity]
            data["Name"] = f"/{names[0]}" if names else data["Name"]
        self._say(answer.status_code, data)

    def _open_ports(self, identity: str) -> None:
        data = self._ask("GET", f"/containers/{identity}/json").json()
        address = next(iter(data["NetworkSettings"]["Networks"].values()))["IPAddress"]
        for inside, (_, port) in self.gate.ports.get(identity, {}).items():
            target = (address, int(inside.partition("/")[0]))
            server = _tunnel(self.gate, self.client, port, target)
            self.gate.tunnels.setdefault(identity, []).append(server)


def _relabelled(body: bytes, name: str) -> tuple[bytes, Dockerfile]:
    """Return a build's context with our label in each stage, and the recipe."""
    packed = io.BytesIO()
    recipe = None
    more: dict[str, bytes] = {}
    with (
        tarfile.open(fileobj=io.BytesIO(body), mode="r:*") as given,
        tarfile.open(fileobj=packed, mode="w") as archive,
    ):
        for member in given:
            content = given.extractfile(member) if member.isfile() else None
            if member.name.removeprefix("./") == name and content:
                recipe = Dockerfile.parse(content.read(100_000).decode("utf-8", "replace"))
                text, more = classic(recipe, f'LABEL {containers.OWNER}="{containers._owner()}"')
                member.name, member.size = "Dockerfile", len(text.encode())
                content = io.BytesIO(text.encode())
            archive.addfile(member, content)
        for place, data in more.items():
            member = tarfile.TarInfo(place)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    if recipe is None or not recipe.froms:
        raise _Refused(400, f"Cannot locate specified Dockerfile: {name}")
    return packed.getvalue(), recipe


def _wanted_ports(bindings: Mapping[str, Any]) -> dict[str, tuple[str, int]]:
    """Return, by the port inside, address and port outside; a port of ours where none is named."""
    found = {}
    for inside, places in bindings.items():
        place = (places or [{}])[0]
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            free = probe.getsockname()[1]
        found[inside] = (place.get("HostIp") or "0.0.0.0", int(place.get("HostPort") or 0) or free)
    return found


# --- Ports -------------------------------------------------------------------------------------

_RELAY = """\
import os, socket, sys, threading
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)
s.settimeout(None)
def up():
    while data := os.read(0, 65536):
        s.sendall(data)
    s.shutdown(socket.SHUT_WR)
threading.Thread(target=up, daemon=True).start()
while data := s.recv(65536):
    os.write(1, data)
"""


def _tunnel(gate: Gate, client: Any, port: int, target: tuple[str, int]) -> socketserver.BaseServer:
    """Listen on the caller's loopback and lead each connection to a container, by the probe."""

    class Relay(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            head = self.request.recv(65536)
            if not head:
                return
            gate.note("request", head.split(b"\r\n", 1)[0].decode("latin-1")[:200])
            _relay(client, self.request, target, head)

    class Listener(socketserver.ThreadingMixIn, socketserver.TCPServer):
        daemon_threads = True
        allow_reuse_address = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A connection that breaks is no news."""

    server = Listener(("127.0.0.1", port), Relay)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server


def _relay(client: Any, near: socket.socket, target: tuple[str, int], head: bytes) -> None:
    probe = containers._probe(client).container.id
    command = ["python3", "-c", _RELAY, target[0], str(target[1])]
    made = client.api.exec_create(probe, command, stdin=True)
    far = client.api.exec_start(made["Id"], socket=True)
    raw = getattr(far, "_sock", far)
    raw.sendall(head)

    def up() -> None:
        with contextlib.suppress(OSError):
            while data := near.recv(65536):
                raw.sendall(data)

    threading.Thread(target=up, daemon=True).start()
    with contextlib.suppress(OSError), far:
        while len(frame := _exactly(raw, 8)) == 8:
            data = _exactly(raw, int.from_bytes(frame[4:], "big"))
            if frame[0] == 1:
                near.sendall(data)


def _exactly(raw: socket.socket, count: int) -> bytes:
    parts = b""
    while len(parts) < count and (piece := raw.recv(count - len(parts))):
        parts += piece
    return parts


__all__ = ["Event", "Gate", "gate"]
