"""Say in Markdown which packages an upgrade changed and what then failed.

    python3 .ci/weekly_report.py BEFORE.lock AFTER.lock

What failed is read from `tests/artifacts/`, where `make test` leaves it.
"""

from __future__ import annotations

import json
import sys
import tomllib
import xml.etree.ElementTree as ET
from collections import defaultdict
from pathlib import Path

ARTIFACTS = Path(__file__).resolve().parent.parent / "tests" / "artifacts"
MOST = 100  # names listed; an issue holds 65,536 characters


def versions(lock: Path) -> dict[str, list[str]]:
    """Read the locked versions of every package; a few have more than one."""
    found: dict[str, list[str]] = defaultdict(list)
    for package in tomllib.loads(lock.read_text(encoding="utf-8"))["package"]:
        found[package["name"]].append(package.get("version", "?"))
    return found


def changes(before: Path, after: Path) -> list[str]:
    """List the packages whose locked versions differ, as rows of a table."""
    old, new = versions(before), versions(after)
    return [
        f"| {name} | {', '.join(old.get(name, ['–']))} | {', '.join(new.get(name, ['–']))} |"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def failed_steps() -> list[str]:
    """Name the steps of `make test` that failed, or say that it did not get that far."""
    path = ARTIFACTS / "steps.json"
    if not path.exists():
        return ["solving or installing: `make test` did not get to its steps", *last_words()]
    steps = json.loads(path.read_text(encoding="utf-8"))
    return [step["step"] for step in steps if not step["passed"]]


def last_words() -> list[str]:
    """Quote the end of what `make lock` printed."""
    path = ARTIFACTS / "lock.log"
    lines = path.read_text(errors="replace").splitlines()[-30:] if path.exists() else []
    return ["\n".join(["what `make lock` said:", "", "```text", *lines, "```"])] if lines else []


def failed_tests() -> list[str]:
    """Name the tests that failed, with the first line of their message."""
    path = ARTIFACTS / "pytest.xml"
    if not path.exists():
        return []
    rows = []
    for case in ET.parse(path).iter("testcase"):
        for outcome in [*case.findall("failure"), *case.findall("error")]:
            message = (outcome.get("message") or "").strip().splitlines()
            first = message[0][:150].replace("`", "'") if message else ""
            name = "::".join(filter(None, [case.get("classname"), case.get("name")]))
            rows.append(f"`{name}`" + (f": `{first}`" if first else ""))
            break
    return rows


def section(title: str, lines: list[str], nothing: str) -> list[str]:
    """Put lines under a heading, the first hundred of them."""
    shown = lines[:MOST] or [nothing]
    more = [f"… and {len(lines) - MOST} more"] if len(lines) > MOST else []
    return [f"### {title}", "", *shown, *more, ""]


def main(before: str, after: str) -> None:
    """Print the report."""
    table = changes(Path(before), Path(after))
    if table:
        table[0] = f"| package | before | after |\n|---|---|---|\n{table[0]}"
    report = [
        *section("Failed steps", [f"- {step}" for step in failed_steps()], "None."),
        *section("Failed tests", [f"- {test}" for test in failed_tests()], "None."),
        *section("Changed packages", table, "None."),
    ]
    print("\n".join(report))


if __name__ == "__main__":
    main(*sys.argv[1:3])
