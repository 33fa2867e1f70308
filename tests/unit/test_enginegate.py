"""What a learner's script cannot do to the machine by way of the engine."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from docker.errors import APIError, BuildError, DockerException, ImageNotFound, NotFound

from autograder import containers
from autograder.enginegate import Gate, gate
from tests.conftest import lacks

pytestmark = pytest.mark.skipif(bool(lacks("s2_docker")), reason="needs a Docker engine")


@pytest.fixture(scope="module")
def way() -> Iterator[Gate]:
    with gate("localhost:1") as way:
        yield way


@pytest.fixture(scope="module")
def script(way: Gate) -> docker.DockerClient:
    return docker.DockerClient(f"unix://{way.socket}", timeout=60)


@pytest.fixture(scope="module")
def image(script: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder: Path = tmp_path_factory.mktemp("image")
    (folder / "Dockerfile").write_text(
        f'FROM {containers.BASE}\nCMD ["python3", "-m", "http.server", "8000"]\n'
    )
    script.images.build(path=str(folder), tag="probe:1")
    return "probe:1"


@pytest.mark.parametrize(
    "wish",
    [
        {"privileged": True},
        {"volumes": {"/": {"bind": "/host", "mode": "rw"}}},
        {"mounts": [docker.types.Mount("/host", "/", type="bind")]},
        {"pid_mode": "host"},
        {"ipc_mode": "host"},
        {"uts_mode": "host"},
        {"userns_mode": "host"},
        {"cap_add": ["SYS_ADMIN"]},
        {"devices": ["/dev/mem:/dev/mem"]},
        {"security_opt": ["seccomp=unconfined"]},
        {"cgroup_parent": "/"},
        {"volumes_from": ["other"]},
    ],
)
def test_rights_on_the_machine_are_refused(
    script: docker.DockerClient, image: str, wish: dict[str, object]
) -> None:
    with pytest.raises(APIError, match="not open to scripts"):
        script.containers.create(image, **wish)


def script_engine() -> docker.DockerClient:
    """The client that the gate itself uses."""
    return containers.engine()


def test_the_hosts_network_is_not_given(script: docker.DockerClient, image: str) -> None:
    container = script.containers.create(image, network_mode="host")
    real = containers.engine().containers.get(container.id)
    assert real.attrs["HostConfig"]["NetworkMode"] == containers._network(script_engine()).id
    container.remove()


def test_what_others_made_is_not_there(script: docker.DockerClient, image: str) -> None:
    mine = containers.engine().containers.create(containers.BASE, ["true"])
    try:
        with pytest.raises(NotFound):
            script.containers.get(mine.id)
        assert mine.id not in [c.id for c in script.containers.list(all=True, ignore_removed=True)]
    finally:
        mine.remove()
    with pytest.raises(ImageNotFound):
        script.containers.create(containers.BASE)
    with pytest.raises(ImageNotFound):
        script.images.remove(containers.BASE)


@pytest.mark.parametrize(
    "act",
    [
        lambda c: c.images.pull("python", tag="3.11"),
        lambda c: c.images.pull("evil.example.org/miner", tag="1"),
        lambda c: c.volumes.create("v"),
        lambda c: c.networks.create("n"),
        lambda c: c.swarm.init(),
        lambda c: c.images.prune(),
        lambda c: c.containers.prune(),
        lambda c: next(c.api.get_image("probe:1")),
        lambda c: c.df(),
        lambda c: c.images.search("python"),
    ],
)
def test_other_doors_are_shut(script: docker.DockerClient, image: str, act: object) -> None:
    with pytest.raises(DockerException, match=r"not open|not in the registry|No such"):
        act(script)  # type: ignore[operator]


def test_a_build_stays_within_the_gate(script: docker.DockerClient, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM evil.example.org/miner:1\n")
    with pytest.raises((BuildError, APIError), match="has no image"):
        script.images.build(path=str(tmp_path), tag="python:3.11-slim-bookworm")
    (tmp_path / "Dockerfile").write_text(f"FROM {containers.BASE}\nENV x=1\n")
    before = containers.engine().images.get(containers.BASE).id
    script.images.build(path=str(tmp_path), tag=containers.BASE)
    assert containers.engine().images.get(containers.BASE).id == before


def test_a_published_port_leads_in_and_goes_with_its_container(
    way: Gate, script: docker.DockerClient, image: str
) -> None:
    container = script.containers.run(
        image, detach=True, mem_limit="64m", ports={"8000/tcp": ("127.0.0.1", None)}
    )
    container.reload()
    port = container.ports["8000/tcp"][0]["HostPort"]
    address = f"http://127.0.0.1:{port}/"
    for _ in range(40):
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                assert answer.status == 200
            break
        except OSError:
            continue
    else:
        pytest.fail(container.logs().decode())
    assert "GET / HTTP/1.1" in [event.value for event in way.events]
    container.remove(force=True)
    with pytest.raises(OSError):
        urllib.request.urlopen(address, timeout=5)
