"""Write ``docs/attacks.md`` from a real run: ``python -m tests.attacks.table [NAME…]``.

Takes half an hour: every attack is graded by plain nbgrader (in a sandbox of its own) and by ours.
With names, only these are, and the page keeps what it says of the others.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from autograder.engine import close
from autograder.staging import remove_tree
from tests.attacks import arena, elsewhere, plain
from tests.attacks.attacks import ATTACKS, Attack
from tests.conftest import ROOT

PAGE = ROOT / "docs" / "attacks.md"
# What the page says of a row until it is written again.
NOT_MEASURED = "not measured"
_HEAD = """\
# Attacks on the grader

`python -m tests.attacks.table` wrote this page from real runs; `tests/attacks/attacks.py` has
the attacks. The lab is `s2_git`, cut down to two tasks worth {most} points, of which an attacker
has done nothing. So every point is one gained. The attacks on MLflow, DVC, Airflow and Prometheus
are on their labs, cut down to one task; a gain is what goes beyond the evidence's own worth. There
plain nbgrader runs this course's checks as well, and they work behind walls of their own.
*Plain nbgrader* is `nbgrader autograde` with this course's configuration, *ours* is
`autograder grade`; "not run" means that the attack could harm the machine that grades without
walls, "not measured" that nobody tried.

{total} attacks. Plain nbgrader: {lost} of {run} that were run gain or harm. Ours: {ours}.

| attack | class | what it tries | plain nbgrader | ours |
| --- | --- | --- | --- | --- |
"""


def main(names: list[str]) -> int:
    """Run attacks both ways, write the page, return how many of all got through ours."""
    if unknown := set(names) - {a.name for a in ATTACKS}:
        raise SystemExit(f"no such attack: {', '.join(sorted(unknown))}")
    known = {row[0]: (row[3], row[4]) for row in _rows()} if names else {}
    rows = []
    for attack in ATTACKS:
        if attack.name in known and attack.name not in names:
            rows.append((attack, *known[attack.name]))
            continue
        rows.append((attack, _plain(attack), _ours(attack)))
        print(f"{attack.name:34} {rows[-1][1]:50} {rows[-1][2]}", flush=True)
    close()
    run = [row for row in rows if row[1] not in ("not run", NOT_MEASURED)]
    through = sum("**" in row[2] for row in rows)
    head = _HEAD.format(
        most=plain._most(),
        total=len(rows),
        lost=sum(row[1] != "no gain" for row in run),
        run=len(run),
        ours=through or "none",
    )
    lines = [f"| {a.name} | {a.kind} | {_cell(a.tries)} | {p} | {o} |" for a, p, o in rows]
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(head + "\n".join(lines) + "\n", "utf-8")
    return through


def _rows() -> list[list[str]]:
    lines = [ln for ln in PAGE.read_text("utf-8").splitlines() if ln.startswith("| ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", ln)[1:-1]] for ln in lines[2:]]


def listed() -> list[str]:
    """Return the names of the attacks that the committed page lists."""
    return [row[0] for row in _rows()]


@contextmanager
def _scratch() -> Iterator[Path]:
    """Give a folder for a course; `tempfile` alone cannot remove all that attacks make."""
    folder = Path(tempfile.mkdtemp(prefix="attacks-"))
    try:
        yield folder / "course"
    finally:
        remove_tree(folder)


def _plain(attack: Attack) -> str:
    with _scratch() as root:
        return plain.run(attack, root)


def _ours(attack: Attack) -> str:
    with _scratch() as root, pytest.MonkeyPatch.context() as patch:
        if attack.lab != arena.LAB:
            outcome = elsewhere.ours(attack, root)
        elif attack.in_class:
            outcome = arena.ours_in_class(attack, root, patch)
        else:
            outcome = arena.ours(attack, root)
    harm = []
    if outcome.points > attack.worth:
        harm.append(f"**{outcome.points - attack.worth:g} points**")
    if outcome.touched or any(points != 2 for points in outcome.victims.values()):
        harm.append("**others touched**")
    if outcome.leaked:
        harm.append("**secrets read**")
    if outcome.errors:
        harm.append("**batch with errors**")
    return ", ".join(harm) or "no gain"


def _cell(text: str) -> str:
    return text.replace("|", r"\|").replace("<", "&lt;")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
