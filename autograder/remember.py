"""Judge equal evidence once: for checks that build and run, where looking again costs seconds.

The grader gives its judge a folder that nothing else can write.  It lasts as long as the grader's
process, so that no verdict of another version is ever taken.  Learners' own checks have none.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from autograder.verdict import CheckFailed

# Where the judge keeps what it has found, if a grader gave it a place.
MEMORY = "AUTOGRADER_MEMORY"


def remembered(function: Callable[..., None]) -> Callable[..., None]:
    """Let a check that gets a task's folder answer at once for a folder it has judged before.

    Only for checks whose answer depends on nothing but the folder's files and the arguments.
    """

    @functools.wraps(function)
    def call(task: Path, *args: Any, **kwargs: Any) -> None:
        place = os.environ.get(MEMORY)
        if not place or leads_out(task):
            return function(task, *args, **kwargs)
        name = f"{function.__module__}.{function.__name__}"
        path = Path(place) / f"{name}-{fingerprint(task, args, kwargs)}.json"
        if path.exists():
            if failed := json.loads(path.read_text("utf-8")):
                raise CheckFailed(**failed)
            return None
        try:
            function(task, *args, **kwargs)
        except CheckFailed as failed:
            parts = ("looked", "found", "expected", "hint")
            path.write_text(json.dumps({part: getattr(failed, part) for part in parts}), "utf-8")
            raise
        # What broke off for another reason is judged again.
        path.write_text("null", "utf-8")
        return None

    return call


def fingerprint(task: Path, *arguments: Any) -> str:
    """Return a word for all that is in a folder, and some arguments: equal if they are equal."""
    found = hashlib.sha256(repr((task.name, arguments)).encode())
    for name, kind, content in _entries(task):
        found.update(f"\0{name}\0{kind}\0{len(content)}\0".encode("utf-8", "surrogateescape"))
        found.update(content)
    return found.hexdigest()


def leads_out(task: Path) -> bool:
    """Tell whether a folder has links out of it: what they lead to is not in its fingerprint."""
    inside = task.resolve()
    for root, folders, files in os.walk(task):
        for name in (*folders, *files):
            path = Path(root) / name
            try:
                if path.is_symlink() and not path.resolve().is_relative_to(inside):
                    return True
            except (OSError, RuntimeError):
                # A link in a circle.
                return True
    return False


def _entries(folder: Path) -> Iterator[tuple[str, str, bytes]]:
    """Yield all that is in a folder: path, kind with rights, content; links are not followed."""
    for root, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted([*folders, *files]):
            path = Path(root) / name
            mode = path.lstat().st_mode
            content = b""
            if path.is_symlink():
                content = os.fsencode(path.readlink())
            elif path.is_file():
                content = hashlib.sha256(path.read_bytes()).digest()
            yield str(path.relative_to(folder)), oct(mode), content


__all__ = ["MEMORY", "fingerprint", "leads_out", "remembered"]
