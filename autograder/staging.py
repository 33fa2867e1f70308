"""Copy what a student handed in: nothing that points out of the folder, nothing without end."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from autograder.submission import SubmissionError

MAX_FILES = 50_000
MAX_BYTES = 1 << 30
MAX_DEPTH = 60
# Made by running notebooks; never evidence.
_SKIP = {".ipynb_checkpoints", "__pycache__", ".pytest_cache", ".virtual_documents"}


def stage(source: Path, target: Path) -> list[str]:
    """Copy a submission folder and return notes on what was left out.

    Ordinary files and folders come along, empty folders too (a Git repository needs its empty
    ones).  Symbolic links and special files do not: a link could point at somebody else's work.
    Raises SubmissionError for a folder too large or too deep, OSError if the copy fails.
    """
    notes: list[str] = []
    files = size = 0
    target.mkdir(parents=True)
    for entry, relative, depth in _walk(source):
        mode = entry.stat(follow_symlinks=False).st_mode
        goal = target / relative
        if depth > MAX_DEPTH:
            raise SubmissionError(f"folders lie more than {MAX_DEPTH} deep at {relative[:80]}…")
        if stat.S_ISDIR(mode):
            goal.mkdir()
        elif stat.S_ISREG(mode):
            files, size = files + 1, size + entry.stat(follow_symlinks=False).st_size
            if files > MAX_FILES or size > MAX_BYTES:
                raise SubmissionError(
                    f"the submission has more than {MAX_FILES} files or {MAX_BYTES >> 20} MB; "
                    "hand in the lab's folder only, without data and caches."
                )
            shutil.copyfile(entry.path, goal, follow_symlinks=False)
            goal.chmod(0o755 if mode & stat.S_IXUSR else 0o644)
        else:
            kind = "symbolic link" if stat.S_ISLNK(mode) else "special file"
            notes.append(f"{relative}: a {kind} is not graded and was left out.")
    return notes


def _walk(folder: Path) -> Iterator[tuple[os.DirEntry[str], str, int]]:
    """Yield entries, their path below ``folder``, and depth: parents first, links not followed."""
    stack = [(str(folder), "", 1)]
    while stack:
        path, prefix, depth = stack.pop()
        with os.scandir(path) as entries:
            for entry in sorted(entries, key=lambda e: e.name):
                if entry.name in _SKIP:
                    continue
                relative = f"{prefix}/{entry.name}" if prefix else entry.name
                yield entry, relative, depth
                if entry.is_dir(follow_symlinks=False):
                    stack.append((entry.path, relative, depth + 1))


def defuse(folder: Path) -> None:
    """Remove links and special files that a run left behind, so that no later step follows them."""
    for entry, _, _ in list(_walk(folder)):
        if not (entry.is_dir(follow_symlinks=False) or entry.is_file(follow_symlinks=False)):
            Path(entry.path).unlink(missing_ok=True)


def remove_tree(folder: Path) -> None:
    """Delete a folder, also where a run took the rights away; an absent one is fine."""

    def force(function, name, _):  # type: ignore[no-untyped-def]
        path = Path(name)
        path.parent.chmod(0o700)
        if not path.is_symlink():
            path.chmod(0o700)
        function(name)

    if folder.exists():
        shutil.rmtree(folder, onerror=force)
