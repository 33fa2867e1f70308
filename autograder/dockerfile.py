"""Read a Dockerfile: its instructions, its stages and what they start from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_MOST_BYTES = 100_000


class DockerfileError(ValueError):
    """There is no Dockerfile, or none that can be read."""


@dataclass(frozen=True)
class Document:
    """A here-document: text that follows an instruction, up to a line that is its name."""

    name: str
    body: str
    quoted: bool


@dataclass(frozen=True)
class Instruction:
    """One instruction: its word in capitals, the rest of it, and the lines it stands in.

    ``raw`` is the rest with its blanks as they are, ``documents`` what follows it.
    """

    word: str
    value: str
    first: int
    last: int
    raw: str = ""
    documents: tuple[Document, ...] = ()

    @property
    def text(self) -> str:
        """The instruction on one line."""
        return f"{self.word} {self.value}"


@dataclass(frozen=True)
class Dockerfile:
    """A Dockerfile's lines and instructions."""

    lines: tuple[str, ...]
    instructions: tuple[Instruction, ...]

    @classmethod
    def read(cls, path: Path) -> Dockerfile:
        """Read a file; raises DockerfileError with what is wrong with it."""
        if path.is_symlink() or not path.is_file():
            raise DockerfileError("there is no Dockerfile")
        if path.stat().st_size > _MOST_BYTES:
            raise DockerfileError("the Dockerfile is larger than 100 kB")
        found = cls.parse(path.read_text("utf-8", "replace"))
        if not any(line.word == "FROM" for line in found.instructions):
            raise DockerfileError("the Dockerfile has no FROM")
        return found

    @classmethod
    def parse(cls, text: str) -> Dockerfile:
        """Split a text into instructions, continued lines joined and comments left out."""
        lines = tuple(text.splitlines())
        found: list[Instruction] = []
        parts: list[str] = []
        first = 0
        end = 0
        for number, line in enumerate(lines):
            if number < end:
                continue
            if line.lstrip().startswith("#") or (parts and not line.strip()):
                continue
            if not parts:
                first = number
            continued = re.search(r"\\\s*$", line)
            parts.append(line[: continued.start()] if continued else line)
            if not continued or number == len(lines) - 1:
                word, _, raw = " ".join(parts).strip().partition(" ")
                word, value = word.upper(), re.sub(r"\s+", " ", raw).strip()
                documents, end = (), number + 1
                if word in ("RUN", "COPY", "ADD"):
                    documents, end = _documents(raw, lines, number + 1)
                if word:
                    found.append(Instruction(word, value, first, end - 1, raw, documents))
                parts = []
        return cls(lines, tuple(found))

    @property
    def froms(self) -> list[tuple[str, str]]:
        """Image and name of every stage, build arguments of the first lines filled in."""
        given: dict[str, str] = {}
        found = []
        for line in self.instructions:
            if line.word == "ARG" and not found:
                name, _, default = line.value.partition("=")
                given[name] = default.strip("\"'")
            if line.word == "FROM":
                words = [w for w in line.value.split() if not w.startswith("--")]
                image = re.sub(
                    r"\$\{?(\w+)\}?", lambda m: given.get(m[1], ""), words[0] if words else ""
                )
                name = words[2] if len(words) > 2 and words[1].lower() == "as" else ""
                found.append((image, name.lower()))
        return found

    @property
    def bases(self) -> list[str]:
        """Every image that a stage starts from or copies from and that is no stage of this file."""
        stages: set[str] = {"scratch"}
        found: dict[str, None] = {}
        for image, name in self.froms:
            if image.lower() not in stages:
                found[image] = None
            stages.add(name)
        for line in self.instructions:
            sources: list[str] = []
            if line.word == "COPY":
                sources = re.findall(r"--from=(\S+)", line.value)
            elif line.word == "RUN":
                sources = re.findall(r"--mount=\S*?\bfrom=([^,\s]+)", line.value)
            for source in sources:
                if source.lower() not in stages and not source.isdigit():
                    found[source] = None
        return list(found)

    @property
    def final_base(self) -> str:
        """The image that the last stage stands on, through stages it continues."""
        stages = {name: image for image, name in self.froms if name}
        image = self.froms[-1][0]
        for _ in stages:
            image = stages.get(image.lower(), image)
        return image


# How an instruction says that a document follows.
HERE = r"<<(-?)([\"']?)([A-Za-z_]\w*)\2"


def _documents(raw: str, lines: tuple[str, ...], at: int) -> tuple[tuple[Document, ...], int]:
    """Return the documents that follow an instruction, and the line after the last of them."""
    found = []
    for tabs, quote, name in re.findall(rf"(?<!\S)\d*{HERE}(?=[\s;&|>)]|$)", raw):
        body = [line.lstrip("\t") if tabs else line for line in lines[at:]]
        if name not in body:
            # Not ended: the builder has its own words for that.
            return (), at
        length = body.index(name)
        text = "".join(f"{line}\n" for line in body[:length])
        found.append(Document(name, text, bool(quote)))
        at += length + 1
    return tuple(found), at


__all__ = ["HERE", "Dockerfile", "DockerfileError", "Document", "Instruction"]
