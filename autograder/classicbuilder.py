"""Say a Dockerfile in the words of the engine's classic builder.

The grader builds with that one, because it can be limited, watched and kept off the network.  Most
learners build with BuildKit, which knows more.  What it knows is said otherwise here:

- cache mounts become ordinary folders that are emptied again, ``tmpfs`` mounts likewise;
- bind mounts become a COPY before the RUN;
- ``--link`` is left out: it changes what is rebuilt, not what is built;
- ``--chmod`` becomes a ``chmod`` after the COPY;
- a here-document becomes a script in the instruction, or a file of the context.

Secrets, SSH agents and the rest stay as they are: the builder says that it does not know them.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from autograder.dockerfile import HERE, Dockerfile, Instruction

_SH = ["/bin/sh", "-c"]
_PLACE = re.compile(r"[\w./-]*\w/?|\.")
_DOCUMENTS = ".here-documents"


@dataclass
class _Stage:
    """What holds at a place in a stage: who runs commands, in which shell."""

    user: str = ""
    shell: list[str] = field(default_factory=lambda: _SH)


def classic(recipe: Dockerfile, label: str) -> tuple[str, dict[str, bytes]]:
    """Return the text, with one more line after each FROM, and files that its context needs."""
    lines: list[str] = []
    files: dict[str, bytes] = {}
    stages: dict[str, _Stage] = {}
    stage, at, number = _Stage(), 0, 0
    for instruction in recipe.instructions:
        lines += recipe.lines[at : instruction.first]
        at = instruction.last + 1
        said = None
        match instruction.word:
            case "FROM":
                image, name = recipe.froms[number]
                number += 1
                before = stages.get(image.lower(), _Stage())
                stage = _Stage(before.user, before.shell)
                stages |= {name: stage} if name else {}
            case "USER":
                stage.user = instruction.value
            case "SHELL":
                stage.shell = _words(instruction.value) or stage.shell
            case "RUN":
                said = _run(instruction, stage)
            case "COPY" | "ADD":
                said = _copy(instruction, stage, files)
        lines += recipe.lines[instruction.first : at] if said is None else said
        lines += [label] if instruction.word == "FROM" else []
    return "\n".join([*lines, *recipe.lines[at:]]) + "\n", files


def _words(value: str) -> list[str]:
    try:
        found = json.loads(value)
    except ValueError:
        return []
    return found if isinstance(found, list) and all(isinstance(w, str) for w in found) else []


def _flags(raw: str) -> tuple[list[tuple[str, str]], str]:
    """Split an instruction's flags from the rest of it."""
    found = []
    while flag := re.match(r"\s*--([a-z-]+)(?:=(\S*))?(?:\s+|$)", raw):
        found.append((flag[1], flag[2] or ""))
        raw = raw[flag.end() :]
    return found, raw


# --- RUN ---------------------------------------------------------------------------------------


def _run(instruction: Instruction, stage: _Stage) -> list[str] | None:
    """Return the lines for a RUN; None if it stays as it is."""
    flags, command = _flags(instruction.raw)
    mounts = [_mount(value) for name, value in flags if name == "mount"]
    others = [name for name, _ in flags if name != "mount"]
    if others or not all(mounts) or not (mounts or instruction.documents):
        return None
    before: list[str] = []
    emptied: list[str] = []
    for mount in filter(None, mounts):
        target = mount["target"]
        if mount["type"] == "bind":
            source = f"--from={mount['from']} " if mount["from"] else ""
            before.append(f"COPY {source}{json.dumps([mount['source'], target])}")
        else:
            emptied.append(target.rstrip("/"))
    begin = end = ""
    # Without a shell there is nothing to empty them with; they then count as what is in the image.
    if emptied and not _words(command):
        begin = f"mkdir -p {' '.join(emptied)} 2>/dev/null; "
        end = f" && rm -rf {' '.join(f'{target}/*' for target in emptied)}"
    if instruction.documents:
        script = begin + _script(instruction, command, end)
        return [*before, f"RUN {json.dumps([*stage.shell, script])}"]
    return [*before, f"RUN {begin}{command}{end}"]


def _mount(options: str) -> Mapping[str, str] | None:
    """Return a mount that can be said otherwise; None for another."""
    given = dict(part.partition("=")[::2] for part in options.split(","))
    target = next((given[n] for n in ("target", "dst", "destination") if n in given), "")
    kind = given.get("type", "bind")
    if kind not in ("bind", "cache", "tmpfs") or not _PLACE.fullmatch(target):
        return None
    if kind != "bind" and not target.startswith("/"):
        return None
    source = given.get("source", given.get("src", "."))
    if given.get("from") and not source.startswith("/"):
        source = f"/{source.removeprefix('.')}"
    return {"type": kind, "target": target, "from": given.get("from", ""), "source": source}


def _script(instruction: Instruction, command: str, end: str) -> str:
    """Return what the shell is to do for a RUN with here-documents."""
    first = instruction.documents[0]
    if re.fullmatch(HERE, command.strip()):
        # Nothing but the document: it is itself the script, and may name what is to read it.
        if not first.body.startswith("#!"):
            return first.body if not end else f"( {first.body}\n){end}"
        reader = first.body.partition("\n")[0].removeprefix("#!").strip()
        command = f"{reader.removeprefix('/usr/bin/env ')} {_file_argument(reader)}<<'{first.name}'"
    bodies = "".join(f"{d.body}{d.name}\n" for d in instruction.documents)
    return f"( {command}\n{bodies}){end}" if end else f"{command}\n{bodies}"


def _file_argument(reader: str) -> str:
    return "- " if "python" in reader else "-s " if reader.endswith("sh") else ""


# --- COPY and ADD ------------------------------------------------------------------------------


def _copy(instruction: Instruction, stage: _Stage, files: dict[str, bytes]) -> list[str] | None:
    """Return the lines for a COPY or ADD; None if it stays as it is."""
    flags, rest = _flags(instruction.raw)
    mode = dict(flags).get("chmod", "")
    kept = [(n, v) for n, v in flags if n not in ("link", "chmod")]
    if len(kept) == len(flags) and not instruction.documents:
        return None
    names = _words(rest) or rest.split()
    if len(names) < 2 or (mode and not re.fullmatch(r"[0-7]{3,4}", mode)):
        return None
    for document in instruction.documents:
        # BuildKit fills in build arguments; the classic builder would not.
        if "$" in document.body and not document.quoted:
            return None
        place = f"{_DOCUMENTS}/{len(files)}/{document.name}"
        files[place] = document.body.encode()
        names[next(i for i, n in enumerate(names) if re.fullmatch(HERE, n))] = place
    said = "".join(f"--{name}={value} " for name, value in kept)
    lines = [f"{instruction.word} {said}{json.dumps(names)}"]
    return lines + (_chmod(names, mode, stage) if mode else [])


def _chmod(names: list[str], mode: str, stage: _Stage) -> list[str]:
    """Return the lines that give what was copied its mode, as root if another user is at work."""
    *sources, target = names
    inside = [posixpath.join(target, posixpath.basename(s.rstrip("/"))) for s in sources]
    script = "".join(
        # A file has come into the folder, or under its name; of a folder, what is in it has.
        f"if [ -d {target} ] && [ -e {path} ]; then chmod -R {mode} {path}; "
        f"else chmod -R {mode} {target}; fi; "
        for path in inside
    )
    change = [f"RUN {json.dumps([*_SH, script.strip()])}"]
    return ["USER root", *change, f"USER {stage.user}"] if stage.user else change


__all__ = ["classic"]
