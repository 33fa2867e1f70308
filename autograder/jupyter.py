"""Start JupyterLab where a learner wants to be."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from autograder.paths import Course

CONFIG = Path(__file__).parent / "jupyter_config"


def open_jupyterlab(course: Course, arguments: list[str]) -> int:
    """Run JupyterLab in the checkout, opened on the roadmap, until it ends; return its exit code.

    It listens on this machine only, and takes the next free port if 8888 is in use.
    """
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        f"--ServerApp.root_dir={course.root}",
        "--LabApp.default_url=/lab/tree/course/roadmap.ipynb",
        "--ServerApp.ip=127.0.0.1",
        # The workbook's own pages open notebooks in the JupyterLab that they are shown in.
        "--LabApp.expose_app_in_browser=True",
        *arguments,
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    # The environment's own tools (git-filter-repo, mlflow, dvc …) come first in its terminals.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    # No news from the network, and no authoring tools in a learner's side bar.
    config = os.pathsep.join([str(CONFIG), os.environ.get("JUPYTER_CONFIG_PATH", "")]).strip(
        os.pathsep
    )
    env = {**os.environ, "PATH": path, "JUPYTER_CONFIG_PATH": config}
    try:
        return subprocess.run(command, cwd=course.root, env=env).returncode
    except KeyboardInterrupt:
        return 0
