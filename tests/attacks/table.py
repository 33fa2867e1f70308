"""Write ``docs/attacks.md`` from a real run: ``python -m tests.attacks.table``.

Takes some minutes: every attack is graded by plain nbgrader (in a sandbox of its own) and by ours.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from autograder.engine import close
from autograder.staging import remove_tree
from tests.attacks import arena, plain
from tests.attacks.attacks import ATTACKS, Attack
from tests.conftest import ROOT

PAGE = ROOT / "docs" / "attacks.md"
_HEAD = """\
# Attacks on the grader

`python -m tests.attacks.table` wrote this page from a real run; `tests/attacks/attacks.py` has
the attacks. The lab is `s2_git`, cut down to two tasks worth {most} points, of which an attacker
has done nothing. So every point is one gained. *Plain nbgrader* is `nbgrader autograde` with this
course's configuration, *ours* is `autograder grade`; "not run" means that the attack could harm
the machine that grades without walls.

{total} attacks. Plain nbgrader: {lost} of {run} that were run gain or harm. Ours: {ours}.

| attack | class | what it tries | plain nbgrader | ours |
| --- | --- | --- | --- | --- |
"""


def main() -> int:
    """Run all attacks both ways, write the page, return how many got through ours."""
    rows = []
    for attack in ATTACKS:
        rows.append((attack, _plain(attack), _ours(attack)))
        print(f"{attack.name:34} {rows[-1][1]:50} {rows[-1][2]}", flush=True)
    close()
    run = [row for row in rows if row[1] != "not run"]
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


def listed() -> list[str]:
    """Return the names of the attacks that the committed page lists."""
    rows = [ln for ln in PAGE.read_text("utf-8").splitlines() if ln.startswith("| ")]
    return [row.split("|")[1].strip() for row in rows[2:]]


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
        if attack.in_class:
            outcome = arena.ours_in_class(attack, root, patch)
        else:
            outcome = arena.ours(attack, root)
    harm = []
    if outcome.points:
        harm.append(f"**{outcome.points:g} points**")
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
    sys.exit(main())
