"""Items for JupyterLab's launcher: jupyter-server-proxy finds them by entry point.

One small process, started when somebody first opens one of the pages, serves all three.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

_ICONS = Path(__file__).parent / "icons"


def progress() -> dict[str, Any]:
    """Return the item that opens the learner's progress; its process serves the other pages too."""
    return _item("Progress", "progress")


def labs() -> dict[str, Any]:
    """Return the item that opens the list of labs."""
    return _item("Labs", "labs")


def help_() -> dict[str, Any]:
    """Return the item that opens help and the doctor's findings."""
    return _item("Help and doctor", "help")


def _item(title: str, page: str) -> dict[str, Any]:
    return {
        "command": [sys.executable, "-m", "autograder.learner.serve", "{unix_socket}"],
        "unix_socket": True,
        "timeout": 30,
        "new_browser_tab": False,
        "launcher_entry": {
            "title": title,
            "category": "MLOps workbook",
            "path_info": f"workbook/{page}",
            "icon_path": str(_ICONS / f"{page}.svg"),
        },
    }
