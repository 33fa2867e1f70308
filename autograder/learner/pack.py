"""Put a lab's notebook and its evidence into one file to hand in."""

from __future__ import annotations

import contextlib
import os
import stat
import zipfile
from pathlib import Path

from autograder.paths import Course, UserError
from autograder.staging import MAX_BYTES, MAX_FILES, walk

_NOT_HANDED_IN = ("progress.json",)


def pack_lab(course: Course, lab: str, into: Path | None = None) -> tuple[Path, list[str]]:
    """Write ``<lab>.zip`` with the notebook and ``work/`` and return it, with notes.

    Empty folders come along (a Git repository needs its empty ones), symbolic links do not: they
    are not graded.  What was set aside by a reset stays at home.  Raises UserError if the notebook
    is missing, the folder is larger than a submission may be, or the file cannot be written.
    """
    course.require_lab(lab)
    folder = course.labs / lab
    notebook = folder / f"{lab}.ipynb"
    if not notebook.is_file():
        raise UserError(f"{notebook} is missing: there is nothing to hand in.")
    goal = (into or course.root) / f"{lab}.zip"
    temporary = goal.with_suffix(".zip.writing")
    try:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as file:
            file.write(notebook, f"{lab}/{lab}.ipynb")
            notes = _add(file, folder / "work", f"{lab}/work") if (folder / "work").is_dir() else []
        temporary.replace(goal)
    except OSError as error:
        raise UserError(
            f"{error.filename or goal}: {error.strerror}. Say where it may be written: "
            f"autograder pack {lab} --into FOLDER."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return goal, notes


def _add(file: zipfile.ZipFile, folder: Path, name: str) -> list[str]:
    notes: list[str] = []
    files = size = 0
    for entry, relative, _ in walk(folder):
        top = relative.partition("/")[0]
        if ".before-" in top or top in _NOT_HANDED_IN:
            continue
        mode = entry.stat(follow_symlinks=False)
        if stat.S_ISDIR(mode.st_mode):
            file.writestr(zipfile.ZipInfo(f"{name}/{relative}/"), b"")
        elif stat.S_ISREG(mode.st_mode):
            files, size = files + 1, size + mode.st_size
            if files > MAX_FILES or size > MAX_BYTES:
                raise UserError(
                    f"{folder} has more than {MAX_FILES} files or {MAX_BYTES >> 20} MB, more than "
                    f"can be handed in. The largest folder in it: {_largest(folder)}."
                )
            file.write(entry.path, f"{name}/{relative}")
        else:
            notes.append(f"work/{relative}: links are not graded and stay here.")
    return notes


def _largest(folder: Path) -> str:
    sizes = {
        path.name: sum(
            (Path(at) / name).lstat().st_size for at, _, names in os.walk(path) for name in names
        )
        for path in folder.iterdir()
        if path.is_dir()
    }
    return max(sizes, key=lambda name: sizes[name], default="none")
