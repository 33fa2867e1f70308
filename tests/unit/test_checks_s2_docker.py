"""Lab s2_docker: hostile builds and services end, and the engine stays clean."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from autograder import containers
from autograder.checks import checks_of
from autograder.classicbuilder import classic
from autograder.containers import BuildFailedError, BuildLimits, RunFailedError
from autograder.dockerfile import Dockerfile
from autograder.engine import autograde
from autograder.lab import Lab
from autograder.results import Status
from autograder.source import write_notebook
from autograder.starts.s2_docker import FILES
from tests.conftest import ROOT, lacks, notebooks

needs_engine = pytest.mark.skipif(bool(lacks("s2_docker")), reason="needs a Docker engine")
BY_FILES = {"context_lean", "base_pinned", "compose_valid", "compose_wired", "lint_clean"}
TOP = f"FROM {containers.BASE}\n"


@pytest.fixture
def clean() -> Iterator[None]:
    """What a test made is gone when it ends, but for the probe and the layers."""
    yield
    left = containers.engine().containers.list(
        all=True, filters={"label": containers.PROCESS}, ignore_removed=True
    )
    probes = [c for c in left if c.attrs["Config"]["Image"] == containers.BASE]
    mine = [c for c in left if c.labels[containers.PROCESS] == containers._identity()]
    assert [c for c in mine if c not in probes] == []


def built(folder: Path, dockerfile: str, **limits: float) -> object:
    (folder / "Dockerfile").write_text(TOP + dockerfile)
    return containers.build(folder, limits=BuildLimits(**limits))  # type: ignore[arg-type]


def started_by_build() -> list[str]:
    """Containers of builds: they carry their image's label, and no process's."""
    found = containers.engine().containers.list(
        all=True, filters={"label": containers.OWNER}, ignore_removed=True
    )
    own = containers._owner()
    return [
        c.id
        for c in found
        if c.labels.get(containers.OWNER) == own and containers.PROCESS not in c.labels
    ]


@needs_engine
def test_a_build_that_never_ends_is_ended(tmp_path: Path, clean: None) -> None:
    began = time.monotonic()
    with pytest.raises(BuildFailedError, match="longer than 3 s") as caught:
        built(tmp_path, "RUN sleep 600\n", seconds=3)
    assert time.monotonic() - began < 30
    assert "sleep 600" in caught.value.step
    assert started_by_build() == []


@needs_engine
def test_a_build_that_fills_the_disk_is_ended(tmp_path: Path, clean: None) -> None:
    # No file is large; all together are.
    script = "i=0; while true; do i=$((i+1)); head -c 4000000 /dev/zero > /f$i; sleep 0.02; done"
    with pytest.raises(BuildFailedError, match="wrote more than 40 MB"):
        built(tmp_path, f"RUN {script}\n", disk=40 << 20, seconds=60)
    assert started_by_build() == []


@needs_engine
def test_a_build_that_takes_the_memory_is_ended(tmp_path: Path, clean: None) -> None:
    with pytest.raises(BuildFailedError):
        built(tmp_path, 'RUN python3 -c "x = bytearray(10 ** 9)"\n', memory=100 << 20)
    assert started_by_build() == []


@needs_engine
@pytest.mark.parametrize(
    ("dockerfile", "says"),
    [
        ("ADD http://example.org/x /x\n", "downloads nothing"),
        ("COPY --from=evil.example.org/miner:1 / /\n", "has no image"),
        ("RUN --mount=from=evil.example.org/miner:1,target=/x true\n", "has no image"),
        ("FROM someone/else\n", "has no image"),
        ("RUN --mount=type=secret,id=key true\n", "BuildKit"),
        ("COPY --parents app /x\n", "nknown flag: parents"),
        ("NONSENSE\n", "unknown instruction"),
    ],
)
def test_what_is_not_built_says_why(
    tmp_path: Path, dockerfile: str, says: str, clean: None
) -> None:
    with pytest.raises(BuildFailedError, match=says):
        built(tmp_path, dockerfile)


@needs_engine
def test_a_cache_mount_leaves_nothing_in_the_image(tmp_path: Path, clean: None) -> None:
    run = (
        "RUN --mount=type=cache,target=/root/.cache/pip \\\n"
        "    --mount=type=cache,target=/var/cache/own,sharing=locked \\\n"
        "    mkdir -p /root/.cache/pip && echo kept > /kept && echo x > /root/.cache/pip/wheel\n"
    )
    image = built(tmp_path, run + "COPY Dockerfile /own\n")
    files = {name for layer in containers.layers_of(image) for name in layer.files}
    assert "kept" in files and "own" in files
    assert not [name for name in files if name.endswith("pip/wheel")]


@needs_engine
def test_a_build_reaches_package_indexes_and_nothing_else(
    tmp_path: Path, clean: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here two servers of ours stand for an index and for the rest of the world."""
    client = containers.engine()
    labels = {containers.OWNER: containers._owner(), containers.PROCESS: containers._identity()}
    command = ["python3", "-m", "http.server", "80"]
    servers = [
        client.containers.run(containers.BASE, command, detach=True, labels=labels)
        for _ in range(2)
    ]
    try:
        for server in servers:
            server.reload()
        index, other = (s.attrs["NetworkSettings"]["IPAddress"] for s in servers)
        monkeypatch.setenv(containers.MORE_INDEXES, index)
        monkeypatch.setattr(containers, "_brings_packages", lambda client, name: False)
        containers._made_proxy.cache_clear()

        def ask(address: str, how: str = "") -> str:
            code = (
                "import time, urllib.request as r; time.sleep(1); "
                f"{how}print(r.urlopen('http://{address}/', timeout=5).status)"
            )
            return f'RUN python3 -c "{code}"\n'

        assert built(tmp_path, ask(index))
        with pytest.raises(BuildFailedError) as caught:
            built(tmp_path, ask(other))
        assert "403" in caught.value.said and "package indexes only" in caught.value.said
        around = "r.install_opener(r.build_opener(r.ProxyHandler({}))); "
        with pytest.raises(BuildFailedError) as caught:
            built(tmp_path, ask(index, around))
        assert "URLError" in caught.value.said
    finally:
        containers._made_proxy.cache_clear()
        for server in servers:
            server.remove(force=True)


@needs_engine
def test_the_network_is_out_of_reach(tmp_path: Path, clean: None) -> None:
    image = built(tmp_path, 'CMD ["python3", "-m", "http.server", "8000"]\n')
    with containers.running(image) as container:
        container.until_answers(8000, "/")
        code = "import socket; socket.create_connection(('1.1.1.1', 53), 2)"
        done = container.container.exec_run(["python3", "-c", code])
    assert done.exit_code != 0


@needs_engine
def test_services_that_hang_or_end_are_told_apart(tmp_path: Path, clean: None) -> None:
    image = built(tmp_path, 'CMD ["sleep", "600"]\n')
    with (
        pytest.raises(RunFailedError, match="nothing answers on port 8000"),
        containers.running(image) as container,
    ):
        container.until_answers(8000, "/", seconds=1)
    image = built(tmp_path, 'CMD ["sh", "-c", "echo no model; exit 3"]\n')
    with (
        pytest.raises(RunFailedError, match="exit code 3") as caught,
        containers.running(image) as container,
    ):
        container.until_answers(8000, "/", seconds=5)
    assert caught.value.said == "no model"
    hog = "x = [bytearray(10 ** 7) for _ in range(10 ** 4)]"
    image = built(tmp_path, f'CMD ["python3", "-c", "{hog}"]\n')
    with (
        pytest.raises(RunFailedError, match=r"out of memory|exit code 137"),
        containers.running(image, memory=64 << 20) as container,
    ):
        container.until_answers(8000, "/", seconds=20)


CRASH = """
import os, signal, sys
from pathlib import Path
from autograder import containers
image = containers.build(Path(sys.argv[1]))
with containers.running(image) as container:
    print(container.container.id, image.id, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@needs_engine
def test_a_crash_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(TOP + 'CMD ["sleep", "600"]\n')
    done = subprocess.run(
        [sys.executable, "-c", CRASH, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, containers.OWNED_BY: ""},
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    container, image = done.stdout.split()
    containers.clean_up()
    client = containers.engine()
    assert container not in [c.id for c in client.containers.list(all=True, ignore_removed=True)]
    assert image not in [i.id for i in client.images.list(all=True)]


@needs_engine
def test_what_a_later_layer_removes_is_still_found(tmp_path: Path, clean: None) -> None:
    (tmp_path / "key").write_text("wx-secret-1")
    image = built(tmp_path, "COPY key /app/key\nRUN rm /app/key\n")
    layers = containers.layers_of(image, [b"wx-secret-1"])
    own = containers.own_layers(image, layers, containers.BASE)
    assert [layer.found for layer in own if layer.found] == [(("app/key", "wx-secret-1"),)]
    assert [x.digest for x in layers] == image.attrs["RootFS"]["Layers"]


@needs_engine
def test_a_learners_cell_does_not_reach_the_engine(tmp_path: Path) -> None:
    look = (
        "import pathlib, subprocess\n"
        "said = subprocess.run(['docker', 'ps'], capture_output=True).returncode\n"
        "found = [p for p in ('/var/run/docker.sock', '/run/docker.sock') "
        "if pathlib.Path(p).exists()]\n"
        "pathlib.Path('found.txt').write_text(f'{found} {said != 0}')"
    )
    nb = nbformat.from_dict(notebooks("s2_docker")[1])
    cell = next(c for c in nb.cells if c.metadata.get("nbgrader", {}).get("solution"))
    cell.source = look
    # One check is enough to show that the judge does reach it.
    master = nbformat.from_dict(notebooks("s2_docker")[2])
    others = checks_of("s2_docker").keys() - {"not_root"}
    master.cells = [
        c for c in master.cells if c.metadata.get("nbgrader", {}).get("grade_id") not in others
    ]
    path = tmp_path / "s2_docker" / "s2_docker.ipynb"
    write_notebook(nb, path)
    graded = autograde(path, "s2_docker", master=master)
    assert graded.folder is not None
    assert (graded.folder / "found.txt").read_text() == "[] True"
    statuses = {c.name: c.status for c in graded.result.checks}
    assert statuses["not_root"] is Status.FAILED


def test_without_an_engine_files_are_graded_and_the_rest_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    containers._client.cache_clear()
    try:
        folder = tmp_path / "s2_docker"
        folder.mkdir()
        lab = Lab("s2_docker", folder)
        _solve(folder)
        places = {int(name.partition("-")[0]): name for name in lab.folders}
        for name, check in checks_of("s2_docker").items():
            verdict = check.judge(lab.work / places[check.task])
            if name in BY_FILES:
                assert verdict.status is Status.PASSED, verdict.text()
            else:
                assert verdict.status is Status.NOT_GRADED, verdict.text()
                assert "needs a Docker engine" in verdict.text()
    finally:
        containers._client.cache_clear()


def _solve(folder: Path) -> None:
    for cell in notebooks("s2_docker")[0].cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            script = cell.source.partition("\n")[2]
            subprocess.run(["bash", "-ec", script], cwd=folder, check=True)


def test_the_wheelhouse_has_what_the_project_asks_for() -> None:
    house = (ROOT / ".ci" / "docker" / "wheelhouse.txt").read_text().split()
    for name in ("requirements.txt", "requirements-dev.txt"):
        wanted = [w for w in (FILES / name).read_text().split() if "==" in w]
        assert set(wanted) <= set(house)


def test_a_dockerfile_is_read_as_the_engine_reads_it() -> None:
    text = (
        "# syntax=docker/dockerfile:1\nARG V=3.11\nFROM python:${V} AS Build\n"
        "RUN one \\\n  # a remark\n  two\n\nFROM build AS tested\n"
        'FROM debian:12\nCOPY --from=build /a /b\nCOPY --from=busybox:1 /c /d\nCMD ["x"]\n'
    )
    found = Dockerfile.parse(text)
    assert [line.word for line in found.instructions][:3] == ["ARG", "FROM", "RUN"]
    assert found.instructions[2].value == "one two"
    assert found.bases == ["python:3.11", "debian:12", "busybox:1"]
    assert found.final_base == "debian:12"
    assert classic(found, "LABEL x=1")[0].count("LABEL x=1") == 3


def test_here_documents_are_no_instructions() -> None:
    text = (
        "FROM python\nRUN <<EOF\nUSER root\nFROM x\nEOF\nRUN python3 - <<-'A' <<B && true\n"
        "\tone\n\tA\ntwo\nB\nUSER app\nRUN cat <<never\n"
    )
    found = Dockerfile.parse(text)
    words = [(i.word, [d.body for d in i.documents]) for i in found.instructions]
    assert words == [
        ("FROM", []),
        ("RUN", ["USER root\nFROM x\n"]),
        ("RUN", ["one\n", "two\n"]),
        ("USER", []),
        ("RUN", []),
    ]
    assert classic(Dockerfile.parse("FROM a\nCOPY a b"), "L") == ("FROM a\nL\nCOPY a b\n", {})


MODERN = r"""
ENV WHO=you
RUN <<EOF
echo "hello $WHO" > /hello
echo "second line" >> /hello
EOF
RUN <<-"EOF" python3
	open("/by-python", "w").write("$WHO")
	EOF
RUN <<EOF
#!/usr/bin/env python3
open("/by-shebang", "w").write("yes")
EOF
COPY --link --chmod=750 script.sh other.txt /scripts/
COPY --chmod=0600 <<'EOF' /etc/own.conf
name = $WHO
EOF
RUN --mount=type=bind,source=other.txt,target=/tmp/other.txt --mount=type=cache,target=/c \
    cp /tmp/other.txt /bound && touch /c/left
RUN useradd app
USER app
COPY --chown=app --chmod=700 script.sh /home/mine.sh
RUN whoami > /tmp/who
SHELL ["/bin/bash", "-c"]
RUN <<EOF
[[ bash == b* ]] && echo bash > /tmp/shell
EOF
"""


@needs_engine
def test_what_only_buildkit_knows_is_built_all_the_same(tmp_path: Path, clean: None) -> None:
    (tmp_path / "script.sh").write_text("true\n")
    (tmp_path / "other.txt").write_text("other\n")
    image = built(tmp_path, MODERN + 'CMD ["sleep", "60"]\n')
    look = (
        "cat /hello /by-python /by-shebang /bound /tmp/who /tmp/shell; ls /c | wc -l; "
        "stat -c '%a %U %n' /scripts/* /etc/own.conf /home/mine.sh; cat /etc/own.conf"
    )
    with containers.running(image) as container:
        done = container.container.exec_run(["sh", "-c", look], user="root")
    assert done.output.decode().splitlines() == [
        *("hello you", "second line", "$WHOyesother", "app", "bash", "0"),
        *("750 root /scripts/other.txt", "750 root /scripts/script.sh"),
        *("600 root /etc/own.conf", "700 app /home/mine.sh", "name = $WHO"),
    ]
