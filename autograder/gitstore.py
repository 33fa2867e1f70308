"""Git's objects as they lie on disk, read without running Git.

A learner's repository is hostile ground: its hooks and settings can run programs, its alternates
and symbolic links can point at other people's files, a few bytes of it can inflate to gigabytes.
So this reader knows exactly three things, loose objects, pack files and their indexes, follows
nothing, and stops at a limit.  It needs no library: importing one costs more than a whole check
may take, and a library that maps pack files into memory dies with the file when someone cuts it
short.  Every object is hashed again before it is believed.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import struct
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MAX_OBJECT = 8 << 20
MAX_INFLATED = 256 << 20
MAX_STORED = 64 << 20
MAX_OBJECTS = 50_000
MAX_CHAIN = 100
MAX_DELTAS = 8 << 20
MAX_SECONDS = 5.0

KINDS = {1: "commit", 2: "tree", 3: "blob", 4: "tag"}
_OFFSET_DELTA, _REF_DELTA = 6, 7
_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


class StoreError(Exception):
    """The repository's files are not what Git writes; the message says which, in plain words."""


class MissingObjectError(StoreError):
    """An object that something else names is not in the repository."""


def read_file(path: Path, limit: int = 1 << 20) -> bytes | None:
    """Return a regular file's bytes, or None if there is no such file.

    Raises StoreError for a symbolic link, a pipe, or a file beyond the limit.
    """
    try:
        descriptor = os.open(path, _FLAGS)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StoreError(f"{path.name} cannot be opened ({error.strerror})") from error
    with os.fdopen(descriptor, "rb") as file:
        info = os.fstat(file.fileno())
        if not stat.S_ISREG(info.st_mode):
            raise StoreError(f"{path.name} is not an ordinary file")
        if info.st_size > limit:
            raise StoreError(f"{path.name} is larger than {limit:,} bytes")
        # Never trust the size: the file may grow while it is read.
        return file.read(limit)


def entries(folder: Path) -> list[os.DirEntry[str]]:
    """Return a folder's entries in order of name; an absent folder has none.

    Raises StoreError if the folder, or anything in it, is a symbolic link.
    """
    if folder.is_symlink():
        raise StoreError(f"{folder.name} is a symbolic link")
    try:
        with os.scandir(folder) as found:
            listed = sorted(found, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise StoreError(f"{folder.name} cannot be listed ({error.strerror})") from error
    for entry in listed:
        if entry.is_symlink():
            raise StoreError(f"{folder.name}/{entry.name} is a symbolic link")
    return listed


@dataclass(frozen=True)
class _Pack:
    data: bytes
    offsets: dict[bytes, int]


class Store:
    """All objects of one repository (hash SHA-1), by id as 40 hexadecimal digits."""

    def __init__(self, folder: Path) -> None:
        self._room = MAX_STORED
        self._budget = MAX_INFLATED
        self._seconds = 0.0
        self._known: dict[str, tuple[str, bytes]] = {}
        if read_file(folder / "info" / "alternates"):
            raise StoreError("it borrows objects from another folder (objects/info/alternates)")
        self._loose = dict(self._find_loose(folder))
        self._packs = list(self._open_packs(folder / "pack"))
        if len(self) > MAX_OBJECTS:
            raise StoreError(f"it holds more than {MAX_OBJECTS:,} objects")

    def __len__(self) -> int:
        return len(self._loose) + sum(len(pack.offsets) for pack in self._packs)

    def __contains__(self, object_id: str) -> bool:
        if not re.fullmatch("[0-9a-f]{40}", object_id):
            return False
        raw = bytes.fromhex(object_id)
        return object_id in self._loose or any(raw in pack.offsets for pack in self._packs)

    def __iter__(self) -> Iterator[str]:
        """Yield the id of every object, also of those that nothing names any more."""
        yield from {**self._loose, **{i.hex(): None for p in self._packs for i in p.offsets}}

    def __getitem__(self, object_id: str) -> tuple[str, bytes]:
        """Return an object's kind and content, after checking that its hash is its id."""
        if object_id not in self._known:
            began = time.perf_counter()
            kind, body = self._load(object_id)
            self._seconds += time.perf_counter() - began
            if self._seconds > MAX_SECONDS:
                raise StoreError(f"its objects take longer than {MAX_SECONDS:g} s to unpack")
            actual = hashlib.sha1(b"%s %d\0" % (kind.encode(), len(body)) + body).hexdigest()
            if actual != object_id:
                raise StoreError(f"object {object_id[:7]} has been tampered with or is damaged")
            self._known[object_id] = (kind, body)
        return self._known[object_id]

    def _load(self, object_id: str) -> tuple[str, bytes]:
        if object_id in self._loose:
            return self._read_loose(object_id)
        raw = bytes.fromhex(object_id)
        for pack in self._packs:
            if raw in pack.offsets:
                return self._read_packed(pack, pack.offsets[raw])
        raise MissingObjectError(f"object {object_id[:7]} is missing")

    # Loose objects: one zlib stream a file, "kind size NUL content".

    def _find_loose(self, folder: Path) -> Iterator[tuple[str, Path]]:
        seen = 0
        for fan in entries(folder):
            if not re.fullmatch("[0-9a-f]{2}", fan.name):
                continue
            for entry in entries(Path(fan.path)):
                seen += 1
                if seen > MAX_OBJECTS:
                    raise StoreError(f"it holds more than {MAX_OBJECTS:,} objects")
                if re.fullmatch("[0-9a-f]{38}", entry.name):
                    yield fan.name + entry.name, Path(entry.path)

    def _read_loose(self, object_id: str) -> tuple[str, bytes]:
        compressed = read_file(self._loose[object_id], MAX_OBJECT)
        if compressed is None:
            raise MissingObjectError(f"object {object_id[:7]} is missing")
        head, _, body = self._inflate(compressed, MAX_OBJECT + 64).partition(b"\0")
        kind, _, size = head.partition(b" ")
        if kind.decode("ascii", "replace") not in KINDS.values() or size != b"%d" % len(body):
            raise StoreError(f"object {object_id[:7]} is damaged")
        return kind.decode(), body

    # Packs: an index of sorted ids with offsets, and a file of compressed entries, some of which
    # only say how they differ from another one.

    def _open_packs(self, folder: Path) -> Iterator[_Pack]:
        for entry in entries(folder):
            if not entry.name.endswith(".idx"):
                continue
            index = self._read_stored(Path(entry.path))
            data = self._read_stored(Path(entry.path).with_suffix(".pack"))
            if index is not None and data is not None:
                yield _Pack(data, _offsets(index))

    def _read_stored(self, path: Path) -> bytes | None:
        data = read_file(path, MAX_STORED)
        self._room -= len(data or b"")
        if self._room < 0:
            raise StoreError(f"its packs are larger than {MAX_STORED >> 20} MB together")
        return data

    def _read_packed(self, pack: _Pack, offset: int) -> tuple[str, bytes]:
        """Walk down to the object that is stored whole, then apply the differences upwards."""
        deltas: list[bytes] = []
        pending = 0
        while True:
            kind, size, at = _entry_head(pack.data, offset)
            if kind in KINDS:
                name, body = KINDS[kind], self._inflate_at(pack.data, at, size)
                break
            if kind == _OFFSET_DELTA:
                back, at = _back_reference(pack.data, at)
                base: int | None = offset - back
            elif kind == _REF_DELTA:
                base, at = pack.offsets.get(pack.data[at : at + 20]), at + 20
            else:
                raise StoreError("a pack has an entry of unknown kind")
            deltas.append(self._inflate_at(pack.data, at, size))
            pending += size
            if base is None or base < 0 or len(deltas) > MAX_CHAIN or pending > MAX_DELTAS:
                raise StoreError("a pack has a chain of differences without an end")
            offset = base
        for delta in reversed(deltas):
            body = self._spend(_apply(delta, body))
        return name, body

    def _inflate_at(self, data: bytes, at: int, size: int) -> bytes:
        if size > MAX_OBJECT:
            raise StoreError(f"it holds an object larger than {MAX_OBJECT >> 20} MB")
        # A compressed stream is at most a little longer than what it holds.
        body = self._inflate(data[at : at + size + size // 1000 + 256], size + 1)
        if len(body) != size:
            raise StoreError("a pack has an entry whose size is wrong")
        return body

    def _inflate(self, compressed: bytes, limit: int) -> bytes:
        try:
            body = zlib.decompressobj().decompress(compressed, limit)
        except zlib.error as error:
            raise StoreError(f"an object cannot be unpacked ({error})") from error
        if len(body) >= limit > MAX_OBJECT:
            raise StoreError(f"it holds an object larger than {MAX_OBJECT >> 20} MB")
        return self._spend(body)

    def _spend(self, body: bytes) -> bytes:
        self._budget -= len(body)
        if self._budget < 0:
            raise StoreError(f"its objects unpack to more than {MAX_INFLATED >> 20} MB")
        return body


def _offsets(index: bytes) -> dict[bytes, int]:
    """Read a pack index, version 2: where in the pack each object begins."""
    if index[:8] != b"\377tOc\0\0\0\2" or len(index) < 8 + 1024:
        raise StoreError("a pack index has a format this check does not know")
    (count,) = struct.unpack_from(">I", index, 8 + 255 * 4)
    names, small = 8 + 1024, 8 + 1024 + count * 24
    if count > MAX_OBJECTS or len(index) < small + count * 4:
        raise StoreError(f"a pack index is damaged or lists more than {MAX_OBJECTS:,} objects")
    found = struct.unpack_from(f">{count}I", index, small)
    # The highest bit sends to a table for packs beyond 2 GB, which are refused anyway.
    if any(offset >> 31 for offset in found):
        raise StoreError("a pack is larger than 2 GB")
    ids = (index[names + i * 20 : names + i * 20 + 20] for i in range(count))
    return dict(zip(ids, found, strict=True))


def _entry_head(data: bytes, at: int) -> tuple[int, int, int]:
    """Return an entry's kind, its unpacked size, and where what follows begins."""
    byte = _byte(data, at)
    kind, size, shift = byte >> 4 & 7, byte & 15, 4
    while byte & 128:
        at += 1
        byte = _byte(data, at)
        size |= (byte & 127) << shift
        shift += 7
        if shift > 60:
            raise StoreError("a pack is damaged")
    return kind, size, at + 1


def _back_reference(data: bytes, at: int) -> tuple[int, int]:
    """Return how far before an entry its base lies, and where the compressed data begins."""
    byte = _byte(data, at)
    back = byte & 127
    while byte & 128:
        at += 1
        byte = _byte(data, at)
        back = (back + 1) << 7 | byte & 127
        if back > MAX_STORED:
            raise StoreError("a pack is damaged")
    return back, at + 1


def _apply(delta: bytes, base: bytes) -> bytes:
    """Build an object from its base and a list of "copy from there" and "insert this"."""
    source, at = _size(delta, 0)
    target, at = _size(delta, at)
    if source != len(base) or target > MAX_OBJECT:
        raise StoreError("a pack has a difference that does not fit")
    parts: list[bytes] = []
    length = 0
    while at < len(delta):
        command, at = delta[at], at + 1
        if command & 128:
            start, at = _sparse(delta, at, command & 15, 4)
            count, at = _sparse(delta, at, command >> 4 & 7, 3)
            part = base[start : start + (count or 0x10000)]
        else:
            part, at = delta[at : at + command], at + command
        parts.append(part)
        length += len(part)
        if not part or length > target:
            raise StoreError("a pack has a difference that does not fit")
    if length != target:
        raise StoreError("a pack has a difference that does not fit")
    return b"".join(parts)


def _sparse(delta: bytes, at: int, present: int, width: int) -> tuple[int, int]:
    """Read a number of which only the bytes marked present are written."""
    number = 0
    for i in range(width):
        if present >> i & 1:
            number |= _byte(delta, at) << 8 * i
            at += 1
    return number, at


def _size(data: bytes, at: int) -> tuple[int, int]:
    size = shift = 0
    while True:
        byte = _byte(data, at)
        at += 1
        size |= (byte & 127) << shift
        shift += 7
        if not byte & 128:
            return size, at
        if shift > 60:
            raise StoreError("a pack is damaged")


def _byte(data: bytes, at: int) -> int:
    if not 0 <= at < len(data):
        raise StoreError("a pack ends too early")
    return data[at]
