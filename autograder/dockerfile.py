"""Read a Dockerfile: its instructions, its stages and what they start from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_MOST_BYTES = 100_000


class DockerfileError(ValueError):
    """There is no Dockerfile, or none that can be read."""


@dataclass(frozen=True)
class Instruction:
    """One instruction: its word in capitals, the rest of it, and the lines it stands in."""

    word: str
    value: str
    first: int
    last: int

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
        for number, line in enumerate(lines):
            if line.lstrip().startswith("#") or (parts and not line.strip()):
                continue
            if not parts:
                first = number
            continued = re.search(r"\\\s*$", line)
            parts.append(line[: continued.start()] if continued else line)
            if not continued or number == len(lines) - 1:
                word, _, value = " ".join(parts).strip().partition(" ")
                if word:
                    found.append(
                        Instruction(word.upper(), re.sub(r"\s+", " ", value).strip(), first, number)
                    )
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
            source = re.search(r"--from=(\S+)", line.value) if line.word == "COPY" else None
            if source and source[1].lower() not in stages and not source[1].isdigit():
                found[source[1]] = None
        return list(found)

    @property
    def final_base(self) -> str:
        """The image that the last stage stands on, through stages it continues."""
        stages = {name: image for image, name in self.froms if name}
        image = self.froms[-1][0]
        for _ in stages:
            image = stages.get(image.lower(), image)
        return image

    def labelled(self, label: str) -> str:
        """Return the text for the classic builder, with one more line after each FROM.

        Cache mounts, which only BuildKit knows, become ordinary folders that are emptied again.
        """
        after = {line.last for line in self.instructions if line.word == "FROM"}
        lines = list(self.lines)
        for instruction in self.instructions:
            if instruction.word == "RUN":
                _empty_caches(lines, instruction)
        out = []
        for number, line in enumerate(lines):
            out.append(line)
            if number in after:
                out.append(label)
        return "\n".join(out) + "\n"


_MOUNT = re.compile(r"--mount=(\S+)\s?")


def _empty_caches(lines: list[str], instruction: Instruction) -> None:
    """Rewrite a RUN whose mounts are all caches; others are the builder's to refuse."""
    flags = instruction.value
    targets = []
    while found := _MOUNT.match(flags):
        options = dict(part.partition("=")[::2] for part in found[1].split(","))
        target = next((options[n] for n in ("target", "dst", "destination") if n in options), "")
        if options.get("type") != "cache" or not re.fullmatch(r"/[\w./-]*\w", target):
            return
        targets.append(target)
        flags = flags[found.end() :]
    # A text that goes on over lines is BuildKit's as well: the builder then says so.
    if not targets or "<<" in flags:
        return
    for number in range(instruction.first, instruction.last + 1):
        lines[number] = _MOUNT.sub("", lines[number])
    # Without a shell there is nothing to empty them with; they then count as what is in the image.
    if not flags.startswith("["):
        emptied = " ".join(f"{target}/*" for target in targets)
        lines[instruction.last] = f"{lines[instruction.last].rstrip()} && rm -rf {emptied}"


__all__ = ["Dockerfile", "DockerfileError", "Instruction"]
