"""Run nbgrader's own tests here: as they are, and with our engine plugged into its autograder.

    .venv/bin/python -m tests.compat            both, about ten minutes
    .venv/bin/python -m tests.compat plugged    only with our engine

Ends with code 1 if a test fails that is not listed in `REASONS`, or passes though it is.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path

from tests.conftest import ROOT

AUTOGRADE = "nbgrader.tests.apps.test_nbgrader_autograde"
PLAIN = (
    AUTOGRADE,
    "nbgrader.tests.apps.test_nbgrader_generate_feedback",
    "nbgrader.tests.apps.test_nbgrader_validate",
    "nbgrader.tests.test_validator",
    "nbgrader.tests.api",
)
CONFIG = """\
from autograder.plugin import AUTOGRADE_STEPS

c = get_config()
c.Autograde.autograde_preprocessors = AUTOGRADE_STEPS
"""
# Tests of nbgrader's that our engine does not pass, and why that is right.
_VARIABLE = (
    "the notebook's check asks for a variable of the learner's kernel; here checks run in a kernel "
    "that never held it, and ask for evidence on disk"
)
REASONS: Mapping[str, str] = {
    f"TestNbGraderAutograde::test_{name}": _VARIABLE
    for name in (
        "autograde_timeout",
        "grade",
        "grade_autotest",
        "grade_complex_autotest",
        "grade_hashed_autotest",
        "hidden_tests_autotest",
        "hidden_tests_single_notebook",
        "late_submission_penalty_none",
        "late_submission_penalty_plugin",
        "late_submission_penalty_zero",
        "showtraceback_exploit",
    )
}


def main() -> int:
    """Run what was asked for and say how it went; returns 0 if all is as expected."""
    wanted = sys.argv[1:] or ["plain", "plugged"]
    good = True
    if "plain" in wanted:
        good &= _report("nbgrader as it is", _run(PLAIN, ""), {})
    if "plugged" in wanted:
        good &= _report("nbgrader with our engine", _run((AUTOGRADE,), CONFIG), REASONS)
    return 0 if good else 1


def _run(modules: tuple[str, ...], config: str) -> dict[str, str]:
    """Return the outcome of each test by name: passed, skipped or failed."""
    with tempfile.TemporaryDirectory(prefix="compat-") as folder:
        here = Path(folder)
        (here / "config").mkdir()
        (here / "config" / "nbgrader_config.py").write_text(config)
        (here / "cwd").mkdir()
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        env = {**os.environ, "PATH": path, "JUPYTER_CONFIG_PATH": str(here / "config")}
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "2"]
        subprocess.run(
            [*command, f"--junitxml={here / 'report.xml'}", "--pyargs", *modules],
            cwd=here / "cwd",
            env={**env, "PYTHONPATH": str(ROOT)},
        )
        return dict(map(_outcome, ET.parse(here / "report.xml").iter("testcase")))


def _outcome(case: ET.Element) -> tuple[str, str]:
    name = f"{case.attrib['classname'].rpartition('.')[2]}::{case.attrib['name']}"
    kinds = {child.tag for child in case}
    if kinds & {"failure", "error"}:
        return name, "failed"
    return name, "skipped" if "skipped" in kinds else "passed"


def _report(title: str, outcomes: dict[str, str], reasons: Mapping[str, str]) -> bool:
    count = {kind: list(outcomes.values()).count(kind) for kind in ("passed", "skipped", "failed")}
    print(f"\n{title}: " + ", ".join(f"{n} {kind}" for kind, n in count.items()))
    failed = {name for name, kind in outcomes.items() if kind == "failed"}
    for name in sorted(failed | reasons.keys()):
        if name not in failed:
            print(f"  {name} passes now: take it off the list")
        else:
            print(f"  {name}: {reasons.get(name, 'NOT EXPECTED')}")
    return bool(outcomes) and failed == set(reasons)


if __name__ == "__main__":
    sys.exit(main())
