"""The environments beside .venv: locked from PyPI, as their projects ask, and found by name."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from autograder import environments
from autograder.paths import UserError

PROJECTS = sorted(path.parent for path in environments.ROOT.glob("environments/*/pyproject.toml"))


@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)
def test_the_lock_satisfies_the_project(project: Path) -> None:
    asked = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))["project"]
    packages = tomllib.loads((project / "uv.lock").read_text("utf-8"))["package"]
    locked = {package["name"]: package for package in packages}
    for requirement in map(Requirement, asked["dependencies"]):
        assert requirement.specifier.contains(locked[requirement.name]["version"]), requirement
    for package in packages:
        if package["name"] != asked["name"]:
            assert package["source"] == {"registry": "https://pypi.org/simple"}, package["name"]


@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)
def test_the_environment_has_what_the_project_asks_for(project: Path) -> None:
    asked = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))["project"]
    names = [Requirement(each).name for each in asked["dependencies"]]
    code = "import sys; from importlib.metadata import version; [version(n) for n in sys.argv[1:]]"
    subprocess.run([environments.python_of(project.name), "-c", code, *names], check=True)


def test_a_missing_environment_says_how_to_get_it() -> None:
    with pytest.raises(UserError, match="make sync"):
        environments.python_of("nowhere")
