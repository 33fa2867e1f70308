"""The environments beside the course's own: tools that do not get along with the labs' tools."""

from __future__ import annotations

import os
from pathlib import Path

from autograder.paths import UserError

ROOT = Path(__file__).resolve().parent.parent


def python_of(name: str) -> Path:
    """Return the interpreter of ``.venv-<name>``; raises UserError that says how to get it."""
    inside = Path("Scripts", "python.exe") if os.name == "nt" else Path("bin", "python")
    python = ROOT / f".venv-{name}" / inside
    if not python.exists():
        raise UserError(
            f"The environment .venv-{name} is missing. In {ROOT.name}/ run: "
            "make sync (or, with conda: sh .ci/bootstrap.sh extra)"
        )
    return python
