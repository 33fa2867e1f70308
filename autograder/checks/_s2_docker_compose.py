"""Read a compose file and judge it: by the Compose Specification's schema, and by sense."""

from __future__ import annotations

import functools
import importlib.resources
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from autograder.checks import CheckFailed
from autograder.checks import _s2_docker as shared

NAMES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
_MOST_BYTES = 50_000


def read(task: Path) -> dict[str, Any]:
    """Read a task's compose file; raises CheckFailed with what is wrong with it."""
    folder = shared.project(task)
    path = next((folder / n for n in NAMES if (folder / n).is_file()), None)
    if path is None or path.is_symlink():
        raise CheckFailed(
            looked=shared.place(task, "compose.yaml"),
            found="no compose file",
            expected="compose.yaml in the project's folder",
            hint="it begins with services: and has one entry a service below.",
        )
    if path.stat().st_size > _MOST_BYTES:
        raise _broken(task, path.name, "larger than 50 kB")
    try:
        text = path.read_text("utf-8")
        # An alias can stand for an alias, and a short file for gigabytes.
        if re.search(r"(^|[\s\[{,:-])[&*][A-Za-z]", text):
            raise _broken(task, path.name, "an anchor or alias (& or *), which is not read here")
        data = yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise _broken(task, path.name, str(error)[:300]) from error
    if not isinstance(data, dict) or not isinstance(data.get("services"), dict):
        raise _broken(task, path.name, "no services in it")
    return data


def _broken(task: Path, name: str, found: str) -> CheckFailed:
    return CheckFailed(
        looked=shared.place(task, name),
        found=found,
        expected="a compose file with services",
        hint="YAML is picky about indentation: two spaces a level, no tabs.",
    )


@functools.cache
def _validator() -> jsonschema.Draft7Validator:
    folder = importlib.resources.files("check_jsonschema") / "builtin_schemas" / "vendor"
    schema = json.loads((folder / "compose-spec.json").read_text("utf-8"))
    return jsonschema.validators.validator_for(schema)(schema)


def judge_schema(task: Path, data: Mapping[str, Any]) -> None:
    """Raise CheckFailed with the first place where the file leaves the specification."""
    errors = sorted(_validator().iter_errors(data), key=lambda e: [str(p) for p in e.path])
    if errors:
        error = jsonschema.exceptions.best_match(errors)
        where = ".".join(map(str, error.path)) or "the top level"
        raise CheckFailed(
            looked=f"{shared.place(task, 'compose.yaml')}, by the Compose Specification",
            found=f"{where}: {error.message[:200]}",
            expected="a file that keeps to the specification",
            hint="docker compose config says the same where the compose plugin is installed. "
            "https://docs.docker.com/reference/compose-file/ lists every key.",
        )


def _refuse(task: Path, found: str, expected: str, hint: str) -> None:
    raise CheckFailed(
        looked=shared.place(task, "compose.yaml"), found=found, expected=expected, hint=hint
    )


def _service(task: Path, data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    service = data["services"].get(name)
    if not isinstance(service, dict):
        _refuse(
            task,
            f"services: {', '.join(map(str, data['services'])) or 'none'}",
            f"a service called {name}",
            "the statement gives both names; in the network of a compose file they are addresses.",
        )
    return service


def judge_api(task: Path, data: Mapping[str, Any]) -> None:
    """The service `api`: built here, reached from this machine only, limited, no more rights."""
    api = _service(task, data, "api")
    build = api.get("build")
    context = build.get("context") if isinstance(build, dict) else build
    if context not in (".", "./"):
        _refuse(task, f"build: {context}", "build: .", "api is built from this folder.")
    if not any(port == ("127.0.0.1", "8000") for port in _ports(api)):
        _refuse(
            task,
            f"ports of api: {json.dumps(api.get('ports'))}",
            "port 8000 published on 127.0.0.1",
            '"127.0.0.1:8000:8000" keeps it to this machine; "8000:8000" opens it to everybody '
            "in the network.",
        )
    limits = (api.get("deploy") or {}).get("resources", {}).get("limits", {})
    if not (api.get("mem_limit") or limits.get("memory")):
        _refuse(
            task,
            "api has no limit on memory",
            "a limit, such as mem_limit: 256m",
            "deploy: resources: limits: memory: says the same.",
        )
    for name, service in data["services"].items():
        if service.get("privileged") or "docker.sock" in json.dumps(service.get("volumes", [])):
            _refuse(
                task,
                f"{name} gets the machine: privileged, or the engine's socket",
                "services with no rights on the machine",
                "neither of the two needs it.",
            )


def judge_prometheus(task: Path, data: Mapping[str, Any]) -> None:
    """The service `prometheus`: a version, its settings read-only, after api is healthy."""
    service = _service(task, data, "prometheus")
    image = str(service.get("image", ""))
    if not re.fullmatch(r"(\S+/)?prom/prometheus(:v?\d[\w.-]*)?(@sha256:[0-9a-f]{64})?", image) or (
        ":" not in image and "@" not in image
    ):
        _refuse(
            task,
            f"image: {image or 'none'}",
            "prom/prometheus with a version",
            "prom/prometheus:v3.5.0 for one. latest is whatever it is that day.",
        )
    if not any(
        Path(source).name == "prometheus.yml"
        and target == "/etc/prometheus/prometheus.yml"
        and read_only
        for source, target, read_only in _volumes(service)
    ):
        _refuse(
            task,
            f"volumes of prometheus: {json.dumps(service.get('volumes'))}",
            "./prometheus.yml at /etc/prometheus/prometheus.yml, read-only",
            "./prometheus.yml:/etc/prometheus/prometheus.yml:ro",
        )
    needs = service.get("depends_on")
    condition = (needs.get("api") or {}).get("condition") if isinstance(needs, dict) else None
    if condition != "service_healthy":
        _refuse(
            task,
            f"depends_on of prometheus: {json.dumps(needs)}",
            "it waits until api is healthy, not only until it is started",
            "depends_on: api: condition: service_healthy, each one level deeper.",
        )


def _ports(service: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return where a service's port 8000 is published: address of this machine, port."""
    found = []
    for port in service.get("ports") or []:
        if isinstance(port, dict):
            if str(port.get("target")) == "8000":
                found.append((str(port.get("host_ip", "")), str(port.get("published", ""))))
        else:
            parts = str(port).removesuffix("/tcp").split(":")
            if parts[-1] == "8000" and len(parts) > 1:
                found.append((":".join(parts[:-2]), parts[-2]))
    return found


def _volumes(service: Mapping[str, Any]) -> list[tuple[str, str, bool]]:
    """Return a service's volumes: source, target, whether it is read-only."""
    found = []
    for volume in service.get("volumes") or []:
        if isinstance(volume, dict):
            source, target = str(volume.get("source", "")), str(volume.get("target", ""))
            found.append((source, target, bool(volume.get("read_only"))))
        else:
            source, _, rest = str(volume).partition(":")
            target, _, options = rest.partition(":")
            found.append((source, target, "ro" in options.split(",")))
    return found
