"""The files of jupyterhub/: JupyterHub takes them, a learner's server starts, a lab goes in.

What is left out: systemd and its limits, real users of the machine, and the proxy, which is a Node
program.  Everything else is JupyterHub's own, with the configuration as it is.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import yaml
from jupyterhub.app import JupyterHub
from systemdspawner import SystemdSpawner
from traitlets.config import Config, PyFileConfigLoader

from autograder.build import release_notebook, solution_notebook
from autograder.sandbox import free_port, kill_group
from autograder.source import write_notebook
from tests.conftest import COURSE, ROOT

FILES = ROOT / "jupyterhub"
LAB = "s2_git"
pytestmark = pytest.mark.xdist_group("jupyterhub")

# Where the configuration names systemd, PAM and the proxy, this takes what any machine has.
OVERRIDES = '''
from jupyterhub.proxy import Proxy

class InMemory(Proxy):
    """Keeps the routes; what they lead to is asked directly."""

    should_start = False
    routes = {}

    async def add_route(self, routespec, target, data):
        self.routes[routespec] = {"routespec": routespec, "target": target, "data": data}

    async def delete_route(self, routespec):
        self.routes.pop(routespec, None)

    async def get_all_routes(self):
        return self.routes

c = get_config()
load_subconfig(CONFIG)
c.JupyterHub.proxy_class = InMemory
c.JupyterHub.spawner_class = "simple"
c.JupyterHub.authenticator_class = "dummy"
c.SimpleLocalProcessSpawner.home_dir_template = HOMES + "/{username}"
c.JupyterHub.cookie_secret_file = HOMES + "/cookie_secret"
c.JupyterHub.db_url = "sqlite:///:memory:"
c.JupyterHub.bind_url = f"http://127.0.0.1:{PORTS[0]}"
c.JupyterHub.hub_port = PORTS[1]
c.JupyterHub.cleanup_servers = True
c.Spawner.cmd = [START]
c.Spawner.environment.update(ENVIRONMENT)
c.Spawner.args = ["--allow-root"]
c.JupyterHub.services = [{"name": "test", "api_token": "a-token-for-the-test"}]
c.JupyterHub.load_roles = [
    {"name": "test", "services": ["test"],
     "scopes": ["admin:users", "admin:servers", "access:servers"]}
]
'''


def _config(name: str) -> Config:
    return PyFileConfigLoader(name, str(FILES)).load_config()


def test_every_setting_is_one_that_jupyterhub_knows() -> None:
    known = {cls.__name__: cls for cls in [*JupyterHub().classes, JupyterHub, SystemdSpawner]}
    config = _config("jupyterhub_config.py")
    for name, section in config.items():
        for trait in section:
            assert known[name].class_traits(config=True).get(trait), f"c.{name}.{trait}"
    app = JupyterHub(config=config)
    assert issubclass(app.spawner_class, SystemdSpawner)
    ada = SimpleNamespace(name="ada", id=7)
    spawner = app.spawner_class(config=config, hub=None, user=ada)
    assert (spawner.mem_limit, spawner.cpu_limit) == (2 << 30, 2.0)
    assert app.authenticator_class.__name__ == "PAMAuthenticator"


def test_it_listens_on_this_machine_only() -> None:
    assert JupyterHub(config=_config("jupyterhub_config.py")).bind_url == "http://127.0.0.1:8000"


def test_the_pages_commands_name_files_that_are_there() -> None:
    page = (ROOT / "docs" / "jupyterhub.md").read_text("utf-8")
    copied = {
        word for line in page.splitlines() if line.startswith("cp ") for word in line.split()[1:-1]
    }
    assert copied == {f"jupyterhub/{path.name}" for path in FILES.iterdir() if path.is_file()}
    (values,) = [block.split("```")[0] for block in page.split("```yaml\n")[1:]]
    assert (
        yaml.safe_load(values)["singleuser"]["memory"]["limit"]
        == _config("jupyterhub_config.py").Spawner.mem_limit
    )


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A hub with our configuration and a learner, ada, whose server was asked for."""
    root = tmp_path_factory.mktemp("hub")
    workbook, homes, exchange = root / "workbook", root / "homes", root / "exchange"
    for folder in (workbook / "labs" / LAB, workbook / ".released", homes / "ada", exchange):
        folder.mkdir(parents=True)
    released = release_notebook(solution_notebook(COURSE, LAB))
    write_notebook(released, workbook / "labs" / LAB / f"{LAB}.ipynb")
    write_notebook(released, workbook / ".released" / f"{LAB}.ipynb")
    (workbook / "course").mkdir()
    shutil.copy(ROOT / "course" / "roadmap.ipynb", workbook / "course")
    (workbook / "autograder").symlink_to(ROOT / "autograder")
    (workbook / ".venv").symlink_to(sys.prefix)
    etc = root / "etc"
    etc.mkdir()
    for name in ("nbgrader_config.py", "jupyter_server_config.py"):
        shutil.copy(FILES / name, etc)
    ports = [free_port(), free_port()]
    environment = {
        "WORKBOOK": str(workbook),
        "EXCHANGE": str(exchange),
        "JUPYTER_CONFIG_PATH": str(etc),
        "HOME": str(homes / "ada"),
        "JUPYTERHUB_SINGLEUSER_EXTENSION": "1",
    }
    values = {
        "CONFIG": str(FILES / "jupyterhub_config.py"),
        "HOMES": str(homes),
        "PORTS": ports,
        "START": str(FILES / "mlops-workbook-start"),
        "ENVIRONMENT": environment,
    }
    head = "".join(f"{name} = {value!r}\n" for name, value in values.items())
    (root / "config.py").write_text(head + OVERRIDES)
    log = root / "log"
    process = subprocess.Popen(
        [sys.executable, "-m", "jupyterhub", "--config", str(root / "config.py")],
        cwd=root,
        env={**os.environ, "WORKBOOK": str(workbook)},
        stdout=log.open("w"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        api = f"http://127.0.0.1:{ports[1]}/hub/api"
        _until(lambda: _ask(f"{api}/"), process, log)
        _ask(f"{api}/users/ada", "POST")
        _ask(f"{api}/users/ada/server", "POST")
        _until(lambda: _ask(f"{api}/users/ada")["servers"][""]["ready"], process, log)
        yield api, root
    finally:
        # A learner's server is in a session of its own: killing the hub's group would leave it.
        servers = psutil.Process(process.pid).children(recursive=True)
        for server in servers:
            with contextlib.suppress(psutil.NoSuchProcess):
                server.kill()
        kill_group(process)


def _ask(url: str, method: str = "GET", token: str = "a-token-for-the-test") -> dict:
    asked = urllib.request.Request(url, method=method)
    asked.add_header("Authorization", f"token {token}")
    with urllib.request.urlopen(asked, timeout=20) as answer:
        text = answer.read()
    return json.loads(text) if text else {}


def _until(ready: Callable[[], object], process: subprocess.Popen[str], log: Path) -> None:
    for _ in range(900):
        if process.poll() is not None:
            break
        try:
            if ready():
                return
        except (OSError, KeyError, urllib.error.URLError):
            pass
        time.sleep(0.1)
    raise AssertionError(log.read_text()[-4000:])


def test_a_learner_gets_a_workbook_and_a_server(hub: tuple[str, Path]) -> None:
    api, root = hub
    mine = root / "homes" / "ada" / "mlops-workbook"
    assert (mine / "labs" / LAB / f"{LAB}.ipynb").exists()
    assert not (mine / "solutions").exists()
    server = _ask(f"{api}/users/ada?include_stopped_servers=1")["servers"][""]
    assert server["url"] == "/user/ada/"
    log = (root / "log").read_text()
    assert f"Serving notebooks from local directory: {mine}" in log
    assert "nbgrader.server_extensions.validate_assignment | extension was successfully loaded" in (
        log
    )


def test_a_lab_goes_out_and_in_through_the_exchange(hub: tuple[str, Path]) -> None:
    _, root = hub
    environment = {
        **os.environ,
        "WORKBOOK": str(root / "workbook"),
        "EXCHANGE": str(root / "exchange"),
        "JUPYTER_CONFIG_PATH": str(root / "etc"),
        "HOME": str(root),
    }

    def nbgrader(*arguments: str, cwd: Path) -> str:
        done = subprocess.run(
            ["nbgrader", *arguments], cwd=cwd, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stderr

    instructor = root / "class"
    instructor.mkdir()
    for name in ("solutions", "labs"):
        (instructor / name).symlink_to(ROOT / name)
    nbgrader("release_assignment", LAB, cwd=instructor)
    mine = root / "homes" / "ada" / "mlops-workbook"
    (mine / "labs" / LAB / "work" / "1").mkdir(parents=True)
    (mine / "labs" / LAB / "work" / "1" / "evidence").write_text("done")
    nbgrader("submit", LAB, "--student=ada", cwd=mine)
    nbgrader("collect", LAB, cwd=instructor)
    got = instructor / "submitted" / "ada" / LAB
    assert (got / "work" / "1" / "evidence").read_text() == "done"
    assert (got / "timestamp.txt").exists()
