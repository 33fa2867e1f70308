"""Write `environment.yml` and `binder/environment.yml` from `uv.lock`: run `make export`.

Both are for Python 3.12, on every platform that JupyterLab has: a pin that only one platform
needs keeps its marker, which pip understands; one that Python 3.12 never needs is left out.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
TARGETS = (ROOT / "environment.yml", ROOT / "binder" / "environment.yml")
PYTHON = "3.12"

HEADER = f"""\
# Made from uv.lock by `make export`, do not edit; binder/environment.yml is the same file.
# conda env create -f environment.yml && conda activate mlops-workbook && pip install --no-deps -e .
name: mlops-workbook
channels:
  - conda-forge
dependencies:
  - python={PYTHON}
  - git
  - pip
  - pip:
"""

# What a marker may ask about a platform.
_PLATFORMS = [
    ("linux", "Linux", "posix", "x86_64"),
    ("linux", "Linux", "posix", "aarch64"),
    ("darwin", "Darwin", "posix", "x86_64"),
    ("darwin", "Darwin", "posix", "arm64"),
    ("win32", "Windows", "nt", "AMD64"),
]


def environments() -> Iterator[dict[str, str]]:
    """Yield what markers see: Python 3.12, first release and last, on each platform."""
    for sys_platform, system, os_name, machine in _PLATFORMS:
        for release in (f"{PYTHON}.0", f"{PYTHON}.99"):
            yield {
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


def pins(exported: Iterable[str]) -> Iterator[str]:
    """Yield the exported requirements that Python 3.12 needs, without markers always true."""
    for line in exported:
        if not line.strip() or line.startswith("#"):
            continue
        requirement = Requirement(line)
        if requirement.marker:
            answers = {_holds(requirement.marker, each) for each in environments()}
            if answers == {False}:
                continue
            if answers == {True}:
                requirement.marker = None
        yield str(requirement)


def _holds(marker: Marker, environment: dict[str, str]) -> bool:
    """Whether a marker is true there; packaging's parameter type is wider than ours."""
    return marker.evaluate({**environment, "extra": ""})


def main() -> None:
    """Ask uv for the locked requirements and write both files."""
    options = ["--frozen", "--no-dev", "--no-hashes", "--no-emit-project"]
    exported = subprocess.run(
        ["sh", ".ci/bootstrap.sh", "uv", "export", *options, "--no-annotate", "--no-header"],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    lines = [f"      - {pin}\n" for pin in pins(exported.splitlines())]
    for target in TARGETS:
        target.parent.mkdir(exist_ok=True)
        target.write_text(HEADER + "".join(lines), encoding="utf-8", newline="\n")
        print(f"{target.relative_to(ROOT)}: {len(lines)} pins")


if __name__ == "__main__":
    main()
