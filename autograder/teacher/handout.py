"""The workbook for learners: all they need to work and to check themselves, and no solutions."""

from __future__ import annotations

import contextlib
import os
import subprocess
import zipfile
from pathlib import Path, PurePosixPath

from autograder.build import release_notebook, solution_notebook
from autograder.paths import RELEASED, Course, UserError
from autograder.source import dumps

TOP = "mlops-workbook"
_LEFT_OUT = ("solutions", "tests", "benchmarks", ".github", "jupyterhub")


def make_handout(course: Course, into: Path) -> int:
    """Write a zip file of the workbook without its solutions and return how many files are in it.

    What Git tracks is taken, as it is on disk; labs as they are released, whatever somebody did in
    them.  Raises UserError if this is no Git checkout, or the file cannot be written.
    """
    labs = course.lab_names()
    fresh = {lab: dumps(release_notebook(solution_notebook(course, lab))) for lab in labs}
    notebooks = {f"labs/{lab}/{lab}.ipynb" for lab in labs}
    temporary = into.with_name(f".{into.name}.{os.getpid()}")
    count = 0
    try:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as file:
            for name in _tracked(course.root):
                if PurePosixPath(name).parts[0] in _LEFT_OUT or name in notebooks:
                    continue
                file.write(course.root / name, f"{TOP}/{name}")
                count += 1
            for lab, text in fresh.items():
                for goal in (f"labs/{lab}/{lab}.ipynb", f"{RELEASED}/{lab}.ipynb"):
                    file.writestr(f"{TOP}/{goal}", text)
                    count += 1
        temporary.replace(into)
    except OSError as error:
        raise UserError(f"{error.filename or into}: {error.strerror}.") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return count


def _tracked(root: Path) -> list[str]:
    done = subprocess.run(
        ["git", "-c", "core.quotePath=off", "ls-files", "-z"],
        cwd=root,
        capture_output=True,
        text=True,
    )
    names = [name for name in done.stdout.split("\0") if name and (root / name).is_file()]
    if done.returncode or not names:
        raise UserError(
            f"{root} is no Git checkout of the workbook, so nobody can tell its files from yours: "
            f"{done.stderr.strip()[:200]}"
        )
    return names
