"""The environment files say what uv.lock says, and uv.lock what pyproject.toml asks for."""

from __future__ import annotations

import re
import stat
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = "mlops-workbook"
PYTHON = "3.12"
PLATFORMS = {
    "linux-x86_64": ("linux", "Linux", "posix", "x86_64"),
    "linux-aarch64": ("linux", "Linux", "posix", "aarch64"),
    "macos-x86_64": ("darwin", "Darwin", "posix", "x86_64"),
    "macos-arm64": ("darwin", "Darwin", "posix", "arm64"),
    "windows": ("win32", "Windows", "nt", "AMD64"),
}
INDEX_HOSTS = {"pypi.org", "files.pythonhosted.org"}


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@cache
def pyproject() -> dict[str, Any]:
    return tomllib.loads(read("pyproject.toml"))


@cache
def locked() -> list[dict[str, Any]]:
    return tomllib.loads(read("uv.lock"))["package"]


@cache
def own_entry() -> dict[str, Any]:
    (entry,) = [package for package in locked() if package["name"] == PROJECT]
    return entry


@cache
def environment() -> dict[str, Any]:
    return yaml.safe_load(read("environment.yml"))


@cache
def pip_section() -> list[Requirement]:
    (section,) = [
        entry["pip"] for entry in environment()["dependencies"] if isinstance(entry, dict)
    ]
    return [Requirement(line) for line in section]


def markers_on(platform: str, release: str = f"{PYTHON}.7") -> dict[str, str]:
    sys_platform, system, os_name, machine = PLATFORMS[platform]
    return {
        "extra": "",
        "implementation_name": "cpython",
        "implementation_version": release,
        "os_name": os_name,
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": system,
        "platform_version": "",
        "python_full_version": release,
        "python_version": PYTHON,
        "sys_platform": sys_platform,
    }


def holds(marker: str | None, platform: str) -> bool:
    return marker is None or Marker(marker).evaluate(markers_on(platform))


def needed(platform: str) -> dict[str, str]:
    """Walk uv.lock from the project's own entry, without development tools: name to version."""
    versions: dict[str, str] = {}
    seen: set[tuple[str, str, str | None]] = set()

    def edges(package: dict[str, Any], extra: str | None) -> Iterator[dict[str, Any]]:
        if extra is None:
            yield from package.get("dependencies", [])
        else:
            yield from package.get("optional-dependencies", {}).get(extra, [])

    def walk(package: dict[str, Any], extra: str | None) -> None:
        key = (package["name"], package["version"], extra)
        if key in seen:
            return
        seen.add(key)
        for edge in edges(package, extra):
            if not holds(edge.get("marker"), platform):
                continue
            (found,) = [
                candidate
                for candidate in locked()
                if candidate["name"] == edge["name"]
                and edge.get("version", candidate["version"]) == candidate["version"]
            ]
            assert versions.setdefault(found["name"], found["version"]) == found["version"]
            walk(found, None)
            for wanted in edge.get("extra", []):
                walk(found, wanted)

    walk(own_entry(), None)
    return versions


def specifiers(requirements: list[dict[str, Any]]) -> set[tuple[str, str, str, str]]:
    return {
        (
            each["name"],
            ",".join(sorted(each.get("extras", []))),
            str(SpecifierSet(each.get("specifier", ""))),
            each.get("marker", ""),
        )
        for each in requirements
    }


def asked(requirements: list[str]) -> set[tuple[str, str, str, str]]:
    parsed = [Requirement(each) for each in requirements]
    return {
        (
            canonicalize_name(each.name),
            ",".join(sorted(each.extras)),
            str(each.specifier),
            str(each.marker or "").replace('"', "'"),
        )
        for each in parsed
    }


def test_the_root_and_binder_have_the_same_environment() -> None:
    assert (ROOT / "environment.yml").read_bytes() == (
        ROOT / "binder" / "environment.yml"
    ).read_bytes(), "run: make export"


def test_environment_is_named_and_has_its_python() -> None:
    assert environment()["name"] == PROJECT
    assert f"python={PYTHON}" in environment()["dependencies"]
    assert f"{PYTHON}.0" in SpecifierSet(pyproject()["project"]["requires-python"])


@pytest.mark.parametrize("platform", PLATFORMS)
def test_environment_pins_what_the_lock_pins(platform: str) -> None:
    pinned: dict[str, str] = {}
    for requirement in pip_section():
        if requirement.marker and not requirement.marker.evaluate(markers_on(platform)):
            continue
        (specifier,) = requirement.specifier
        assert specifier.operator == "==", f"{requirement} is not a pin"
        assert requirement.name not in pinned, f"{requirement.name} is pinned twice"
        pinned[requirement.name] = specifier.version
    assert pinned == needed(platform), "run: make export"


def test_environment_has_no_pin_that_nobody_needs() -> None:
    everywhere = set().union(*(needed(platform) for platform in PLATFORMS))
    assert {requirement.name for requirement in pip_section()} == everywhere


def test_lock_is_made_from_pyproject() -> None:
    metadata = own_entry()["metadata"]
    assert specifiers(metadata["requires-dist"]) == asked(pyproject()["project"]["dependencies"]), (
        "run: make lock"
    )
    groups = pyproject()["dependency-groups"]
    assert metadata["requires-dev"].keys() == groups.keys(), "run: make lock"
    for group, requirements in groups.items():
        assert specifiers(metadata["requires-dev"][group]) == asked(requirements), "run: make lock"
    assert own_entry()["version"] == pyproject()["project"]["version"], "run: make lock"
    # The lock writes it with a space after the comma.
    in_lock = tomllib.loads(read("uv.lock"))["requires-python"]
    assert SpecifierSet(in_lock) == SpecifierSet(pyproject()["project"]["requires-python"])


def test_lock_satisfies_pyproject() -> None:
    wanted = pyproject()["project"]["dependencies"] + pyproject()["dependency-groups"]["dev"]
    for requirement in map(Requirement, wanted):
        name = canonicalize_name(requirement.name)
        versions = [package["version"] for package in locked() if package["name"] == name]
        assert versions, f"{name} is not in uv.lock; run: make lock"
        for version in versions:
            assert requirement.specifier.contains(version, prereleases=True), (name, version)


def test_packages_come_from_pypi_only() -> None:
    for package in locked():
        source = package["source"]
        if package["name"] == PROJECT:
            assert source == {"editable": "."}
        else:
            assert source == {"registry": "https://pypi.org/simple"}, package["name"]
        for file in [package.get("sdist", {}), *package.get("wheels", [])]:
            if file:
                assert file["url"].startswith("https://files.pythonhosted.org/"), file
                assert file["hash"].startswith("sha256:"), file


def test_no_other_index_is_named() -> None:
    files = [ROOT / name for name in ("uv.lock", "environment.yml", "pyproject.toml", "Makefile")]
    for folder in ("binder", ".ci", ".github/workflows"):
        files += [path for path in (ROOT / folder).iterdir() if path.is_file()]
    options = r"--extra-index-url|--index-url|--find-links|--trusted-host|--(?:default-)?index \S+"
    for path in files:
        text = path.read_text(encoding="utf-8")
        named = set(re.findall(options, text))
        assert named <= {"--default-index https://pypi.org/simple"}, path
        assert "file:" + "//" not in text, path
        if path.name in {"uv.lock", "environment.yml"} or path.parent.name == "binder":
            assert set(re.findall(r"\w+://([^/\s\"']+)", text)) <= INDEX_HOSTS, path


@pytest.mark.parametrize("name", ["binder/postBuild", "binder/start"])
def test_binder_scripts_can_be_executed(name: str) -> None:
    assert (ROOT / name).stat().st_mode & stat.S_IXUSR, f"run: chmod +x {name}"


@pytest.mark.parametrize("name", ["binder/apt.txt", ".ci/apt.txt"])
def test_package_lists_name_one_package_a_line(name: str) -> None:
    lines = [line for line in read(name).splitlines() if line and not line.startswith("#")]
    assert lines
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9+.-]+", line) for line in lines), lines
