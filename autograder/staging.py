"""Copy what a student handed in: nothing that points out of the folder, nothing without end."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from autograder.submission import SubmissionError

MAX_FILES = 50_000
MAX_BYTES = 1 << 30
MAX_DEPTH = 60
_LONGEST_PATH = 3000
# Made by running notebooks; never evidence.
_SKIP = {".ipynb_checkpoints", "__pycache__", ".pytest_cache", ".virtual_documents"}


def stage(source: Path, target: Path) -> list[str]:
    """Copy a submission folder and return notes on what was left out.

    Ordinary files and folders come along, empty folders too (a Git repository needs its empty
    ones).  Symbolic links and special files do not: a link could point at somebody else's work.
    Raises SubmissionError for a folder too large or too deep, OSError if the copy fails.
    """
    if source.is_symlink():
        raise SubmissionError(
            "the folder that was handed in is a symbolic link to another place. Hand in the "
            "lab's folder itself."
        )
    target.mkdir(parents=True)
    try:
        return _copy(source, target)
    except OSError as error:
        # Only what the submission itself is to blame for; a full disk is the grader's matter.
        if error.errno not in (errno.ENAMETOOLONG, errno.EACCES, errno.EPERM):
            raise
        raise SubmissionError(
            f"{os.fsdecode(error.filename or '')[-80:]} cannot be copied ({error.strerror}). "
            "Hand in the lab's folder with short names and ordinary rights."
        ) from error


def _copy(source: Path, target: Path) -> list[str]:
    notes: list[str] = []
    files = size = 0
    for entry, relative, depth in walk(source):
        mode = entry.stat(follow_symlinks=False).st_mode
        goal = f"{target}/{relative}"
        if depth > MAX_DEPTH:
            raise SubmissionError(f"folders lie more than {MAX_DEPTH} deep at {relative[:80]}…")
        if stat.S_ISDIR(mode):
            Path(goal).mkdir()
        elif stat.S_ISREG(mode):
            files, size = files + 1, size + entry.stat(follow_symlinks=False).st_size
            if files > MAX_FILES or size > MAX_BYTES:
                raise SubmissionError(
                    f"the submission has more than {MAX_FILES} files or {MAX_BYTES >> 20} MB; "
                    "hand in the lab's folder only, without data and caches."
                )
            _copy_file(entry.path, goal, 0o755 if mode & stat.S_IXUSR else 0o644)
        else:
            kind = "symbolic link" if stat.S_ISLNK(mode) else "special file"
            notes.append(f"{relative}: a {kind} is not graded and was left out.")
    return notes


def _copy_file(source: str, target: str, mode: int) -> None:
    """Copy one ordinary file; with a repository's hundreds of small ones, each call counts."""
    given = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        made = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            while block := os.read(given, 1 << 20):
                while block:
                    block = block[os.write(made, block) :]
            # The mode at creation has lost what the umask forbids.
            if mode == 0o755:
                os.fchmod(made, mode)
        finally:
            os.close(made)
    finally:
        os.close(given)


def walk(
    folder: Path, skip: Collection[str] = _SKIP, deepest: int = MAX_DEPTH
) -> Iterator[tuple[os.DirEntry[str], str, int]]:
    """Yield entries, their path below ``folder``, and depth: parents first, links not followed.

    Entries one level below ``deepest`` are still yielded, so that the caller can tell.
    """
    stack = [(str(folder), "", 1)]
    while stack:
        path, prefix, depth = stack.pop()
        with os.scandir(path) as entries:
            found = sorted(entries, key=lambda e: e.name)
        for entry in found:
            if entry.name in skip:
                continue
            relative = f"{prefix}/{entry.name}" if prefix else entry.name
            yield entry, relative, depth
            if depth <= deepest and entry.is_dir(follow_symlinks=False) and _exists(entry):
                stack.append((entry.path, relative, depth + 1))


def _exists(entry: os.DirEntry[str]) -> bool:
    return os.path.lexists(entry.path)


def defuse(folder: Path) -> None:
    """Make what a run left behind harmless for whoever handles it later.

    Links and special files go, so that no later step follows them; so do folders too deep to be
    copied and files beyond the limit on size, be they ever so sparse.  Rights are made ordinary: a
    file that runs as its owner would run as the grader.
    """
    folder.chmod(0o755)
    size = 0
    for entry, _, depth in walk(folder, skip=()):
        path, info = Path(entry.path), entry.stat(follow_symlinks=False)
        size += info.st_size if stat.S_ISREG(info.st_mode) else 0
        if stat.S_ISDIR(info.st_mode):
            if depth > MAX_DEPTH or len(entry.path) > _LONGEST_PATH:
                remove_tree(path)
            else:
                path.chmod(0o755)
        elif stat.S_ISREG(info.st_mode) and size <= MAX_BYTES:
            path.chmod(0o755 if info.st_mode & stat.S_IXUSR else 0o644)
        else:
            path.unlink(missing_ok=True)


def remove_tree(folder: Path) -> None:
    """Delete a folder, however deep, also where a run took the rights away; absent is fine."""
    if not folder.is_symlink() and not folder.exists():
        return
    try:
        shutil.rmtree(folder, onerror=_force)
    except (OSError, RecursionError, TypeError):
        # Paths too long for one call, or deeper than Python's stack.
        subprocess.run(["chmod", "-R", "u+rwX", "--", str(folder)], capture_output=True)
        subprocess.run(["rm", "-rf", "--", str(folder)], check=True, capture_output=True)


def _force(function: Callable[[str], Any], name: str, _: Any) -> None:
    path = Path(name)
    path.parent.chmod(0o700)
    if not path.is_symlink():
        path.chmod(0o700)
    function(name)
