"""Unpack what others packed: nothing lands outside, nothing grows without end, nothing is linked.

And find the lab in it, however deep the folder was packed and whatever a platform made of its name.
"""

from __future__ import annotations

import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from autograder.paths import UserError
from autograder.staging import MAX_BYTES, MAX_DEPTH, MAX_FILES, walk

_BLOCK = 1 << 20
# What systems add to archives, and folders in which a lab's notebook is not the learner's.
_LITTER = {"__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini"}
_NOT_THEIRS = {*_LITTER, ".git", ".ipynb_checkpoints", "solutions", "autograded", ".venv"}


class ArchiveError(UserError):
    """An archive cannot be taken; the message says why, and what its owner should do."""


def unpack(
    archive: Path, into: Path, *, max_files: int = MAX_FILES, max_bytes: int = MAX_BYTES
) -> list[str]:
    """Unpack a zip file into a new folder and return notes on what was left out.

    Entries that point out of the folder and links are left out.  Sizes are counted as they come,
    not as the archive claims.  Raises ArchiveError if it is no zip file, is damaged, asks for a
    password, or holds more than the limits.
    """
    notes: list[str] = []
    into.mkdir(parents=True)
    try:
        with zipfile.ZipFile(archive) as file:
            if len(file.infolist()) > max_files:
                raise ArchiveError(f"more than {max_files} files")
            left = max_bytes
            for info in file.infolist():
                left -= _unpack_one(file, info, into, left, notes)
    except zipfile.BadZipFile as error:
        raise ArchiveError(f"no zip file, or a damaged one ({str(error)[:80]})") from error
    except (zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise ArchiveError(f"cannot be unpacked ({str(error)[:80]})") from error
    return notes


def _unpack_one(
    file: zipfile.ZipFile, info: zipfile.ZipInfo, into: Path, left: int, notes: list[str]
) -> int:
    """Unpack one entry and return its size."""
    # Some Windows tools separate folders by backslashes.
    path = PurePosixPath(info.filename.replace("\\", "/"))
    mode = info.external_attr >> 16
    if info.flag_bits & 1:
        raise ArchiveError("asks for a password: hand in a zip file without one")
    if path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", info.filename):
        notes.append(f"{info.filename[:80]!r} points out of the archive and was left out")
        return 0
    if stat.S_ISLNK(mode):
        notes.append(f"{info.filename[:80]!r} is a link and was left out")
        return 0
    if _LITTER & set(path.parts) or not path.parts:
        return 0
    if len(path.parts) > MAX_DEPTH:
        raise ArchiveError(f"folders lie more than {MAX_DEPTH} deep")
    goal = into / path
    try:
        if info.is_dir() or info.filename.endswith("\\"):
            goal.mkdir(parents=True, exist_ok=True)
            return 0
        goal.parent.mkdir(parents=True, exist_ok=True)
        return _write(file, info, goal, left, executable=bool(mode & stat.S_IXUSR))
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        notes.append(f"{info.filename[:80]!r} is there twice; the first one counts")
    except OSError as error:
        if error.errno not in (36, 84, 22):  # a name too long, or one that is no text
            raise
        notes.append(f"{info.filename[:80]!r} was left out: {error.strerror}")
    return 0


def _write(
    file: zipfile.ZipFile, info: zipfile.ZipInfo, goal: Path, left: int, executable: bool
) -> int:
    size = 0
    with goal.open("xb") as out, file.open(info) as packed:
        while block := packed.read(_BLOCK):
            size += len(block)
            if size > left:
                raise ArchiveError("more than may be handed in: leave data and caches out")
            out.write(block)
    goal.chmod(0o755 if executable else 0o644)
    return size


def find_lab(folder: Path, lab: str) -> tuple[Path, str] | None:
    """Return the folder of a lab somewhere in ``folder``, and its notebook's name there.

    Of several, one with the evidence beside it comes first, then the one least deep.  A notebook
    that a browser or platform renamed (``s2_git-1.ipynb``, ``s2_git (2).ipynb``) is found, too.
    """
    named = re.compile(rf"(?i){re.escape(lab)}[ _-]*(?:\(?\d+\)?|copy\d*)?\.ipynb$")
    found = []
    for path, depth in _notebooks(folder):
        if named.match(path.name):
            work = (path.parent / "work").is_dir()
            found.append((not work, depth, path.name != f"{lab}.ipynb", str(path), path))
    if not found:
        return None
    best = min(found)[-1]
    return best.parent, best.name


def notebooks_in(folder: Path) -> list[str]:
    """Return the names of the notebooks in a folder, to tell what is there instead of the lab."""
    return sorted({path.name for path, _ in _notebooks(folder)})


def _notebooks(folder: Path) -> Iterator[tuple[Path, int]]:
    for entry, relative, depth in walk(folder, skip=_NOT_THEIRS):
        aside = any(".before-" in part for part in relative.split("/"))
        if entry.name.endswith(".ipynb") and entry.is_file(follow_symlinks=False) and not aside:
            yield Path(entry.path), depth


def unpack_inner(folder: Path) -> list[str]:
    """Unpack the zip files that lie in a folder, each beside itself, and return notes.

    Archives inside of these stay packed.
    """
    notes = []
    packed = [
        Path(entry.path)
        for entry, _, depth in walk(folder, skip=_NOT_THEIRS, deepest=4)
        if entry.name.lower().endswith(".zip") and entry.is_file(follow_symlinks=False)
        if "work" not in Path(entry.path).relative_to(folder).parts
    ]
    for path in packed:
        target = path.with_name(f"{path.stem}.unpacked")
        try:
            notes += [f"{path.name}: {note}" for note in unpack(path, target)]
        except ArchiveError as error:
            shutil.rmtree(target, ignore_errors=True)
            notes.append(f"{path.name}: {error}")
    return notes
