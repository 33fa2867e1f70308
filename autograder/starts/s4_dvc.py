"""Start states of lab s4_dvc: the product's data, pipelines that ran, remotes that miss something.

No DVC runs here, a single command of it takes longer than all of this: the files are written as
DVC 3 writes them, and a test lets DVC itself look them over.  The flights are a sample of real
ones, 2,000 a month, drawn from `flights` and kept beside this module so that every machine has
the same bytes.
"""

from __future__ import annotations

import csv
import functools
import gzip
import hashlib
import json
import runpy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from autograder.starts import s2_git, start
from autograder.starts.s2_git import ANA, YOU, History

REPO = "flight-delays"
ANAS = "ana"
STORAGE = "storage"
INBOX = "inbox"
AUDIT = "audit"

# The version that Ben deleted from Git long ago, and that only an old cache still has.
DRAFT = b"month,day,sched_dep_time\n3,1,500\n"
RECEIPT = "6f1d0c9e5b7a4e21b3c8d94a70f2e615"

_FILES = Path(__file__).with_name("s4_dvc_files")
_SCRIPTS = ("split.py", "featurize.py", "train.py", "evaluate.py")
_BUYING = ("order.py", "compare.py")

_README = """\
# flight-delays

Predicts, when a flight from New York is scheduled, whether it will arrive
15 minutes late or more.
"""

_CONFIG = "[core]\n    analytics = false\n"
_REMOTE = (
    "[core]\n    analytics = false\n    remote = storage\n"
    "['remote \"storage\"']\n    url = ../../storage\n"
)
_DVC = {
    ".dvc/.gitignore": "/config.local\n/tmp\n/cache\n",
    ".dvc/config": _CONFIG,
    ".dvcignore": "# Files that DVC is not to look at, one pattern a line.\n",
}
_IGNORE = {".gitignore": "__pycache__/\ndvc_plots/\n"}

# The flights


@functools.cache
def month_file(month: int) -> bytes:
    """Return a month's flights as the bytes of ``flights-2013-MM.csv``."""
    header, *rows = _flights()
    return (header + "".join(r for r in rows if r.startswith(f"{month},"))).encode()


@functools.cache
def corrected_february() -> bytes:
    """Return February as the source corrected it later: ten delays are other ones."""
    lines = month_file(2).decode().splitlines(keepends=True)
    for i in range(100, 2000, 190):
        head, _, delay = lines[i].rpartition(",")
        lines[i] = f"{head},{int(delay) + 30}\n"
    return "".join(lines).encode()


@functools.cache
def _flights() -> tuple[str, ...]:
    packed = (_FILES / "flights.csv.gz").read_bytes()
    return tuple(gzip.decompress(packed).decode().splitlines(keepends=True))


def month_name(month: int) -> str:
    """Return a month's file name."""
    return f"flights-2013-{month:02}.csv"


def _months(*months: int, folder: str = "data/") -> dict[str, bytes]:
    return {f"{folder}{month_name(m)}": month_file(m) for m in months}


# The start states


@start("1-init")
def init(folder: Path) -> None:
    """The product in Git; DVC has not been here yet."""
    history = History()
    history.commit("Describe what the product predicts", {"README.md": _README, **_IGNORE})
    _repository(folder / REPO, history)


@start("2-track")
def track(folder: Path) -> None:
    """Three months of flights that neither Git nor DVC knows."""
    history = _with_dvc()
    repo = _repository(folder / REPO, history)
    _write(repo, _months(1, 2, 3))


@start("3-remote")
def remote(folder: Path) -> None:
    """Three months tracked, and a cache that is the only copy."""
    history = _with_dvc()
    history.commit("Track the flights of three months", _tracked(1, 2, 3))
    repo = _repository(folder / REPO, history)
    months = _months(1, 2, 3)
    _write(repo, months)
    store(repo / ".dvc/cache", [*months.values(), DRAFT])


@start("4-versions")
def versions(folder: Path) -> None:
    """Data at its first version, tagged and pushed; in the inbox what is new."""
    data = {month_name(m): month_file(m) for m in (1, 2, 3)}
    history = _with_dvc(_REMOTE)
    first = history.commit("Track the flights of three months", tracked_folder(data))
    history.tag("data-v1", first, "January to March 2013")
    history.commit("Say where the flights come from", {"README.md": _README + "\nData: BTS.\n"})
    repo = _repository(folder / REPO, history)
    _write(repo / "data", data)
    _write(folder / INBOX, {month_name(2): corrected_february(), month_name(4): month_file(4)})
    for where in (repo / ".dvc/cache", folder / STORAGE):
        store(where, [*data.values(), listing(data)])


@start("5-missing")
def missing(folder: Path) -> None:
    """Two clones and a remote that lacks one of the files."""
    months = _months(1, 2, 3)
    history = _with_dvc(_REMOTE)
    history.commit("Track the flights of three months", _tracked(1, 2, 3), by=ANA)
    _repository(folder / REPO, history)
    anas = _repository(folder / ANAS, history, who=ANA)
    _write(anas, months)
    store(anas / ".dvc/cache", months.values())
    store(folder / STORAGE, [month_file(1), month_file(3)])


@start("6-pipeline")
def pipeline(folder: Path) -> None:
    """Four scripts, their parameters, the data, and nobody who says what belongs to what."""
    data = {month_name(m): month_file(m) for m in (1, 2, 3, 4)}
    history = _with_dvc()
    history.commit("Track the flights of four months", tracked_folder(data))
    history.commit("Split, featurize, train, evaluate", _sources())
    repo = _repository(folder / REPO, history)
    _write(repo / "data", data)
    store(repo / ".dvc/cache", [*data.values(), listing(data)])


@start("7-repro")
def repro(folder: Path) -> None:
    """A pipeline that ran, with a stage that costs money each time."""
    _finished(folder, bought=True)


@start("8-experiments")
def experiments(folder: Path) -> None:
    """A pipeline that ran, with a model that asks one question only."""
    _finished(folder)


@start("9-fresh")
def fresh(folder: Path) -> None:
    """A pipeline that ran and was pushed; in the inbox the flights of May."""
    made = _finished(folder, config=_REMOTE)
    store(folder / STORAGE, made)
    _write(folder / INBOX, {month_name(5): month_file(5)})


# Pipelines


@dataclass(frozen=True)
class Stage:
    """A stage as dvc.yaml has it: what it runs, reads and writes."""

    name: str
    cmd: str
    deps: tuple[str, ...]
    outs: tuple[str, ...]
    params: tuple[str, ...] = ()


@dataclass
class Ran:
    """A repository after its pipeline ran: all files by path, and what is recorded about them."""

    files: dict[str, bytes]
    params: dict[str, Any]
    stages: list[Stage] = field(default_factory=list)

    def md5(self, path: str) -> str:
        """Return what DVC calls the hash of a path: of a file, or of a folder's listing."""
        if path in self.files:
            return md5(self.files[path])
        return md5(listing(self.below(path))) + ".dir"

    def below(self, folder: str) -> dict[str, bytes]:
        """Return a folder's files by their path inside it."""
        start = f"{folder}/"
        return {p.removeprefix(start): b for p, b in self.files.items() if p.startswith(start)}

    def entry(self, stage: Stage) -> dict[str, Any]:
        """Return what dvc.lock says of a stage."""
        entry: dict[str, Any] = {"cmd": stage.cmd}
        if stage.deps:
            entry["deps"] = [self._path(p) for p in sorted(stage.deps)]
        if stage.params:
            entry["params"] = {"params.yaml": {p: self.params[p] for p in stage.params}}
        entry["outs"] = [self._path(p) for p in sorted(stage.outs)]
        return entry

    def _path(self, path: str) -> dict[str, Any]:
        said: dict[str, Any] = {"path": path, "hash": "md5", "md5": self.md5(path)}
        inside = self.below(path)
        if path in self.files:
            return said | {"size": len(self.files[path])}
        return said | {"size": sum(map(len, inside.values())), "nfiles": len(inside)}

    @property
    def lock(self) -> str:
        """The text of dvc.lock."""
        stages = {stage.name: self.entry(stage) for stage in self.stages}
        return yaml.safe_dump({"schema": "2.0", "stages": stages}, sort_keys=False)


def run_keys(entry: Mapping[str, Any]) -> tuple[str, str]:
    """Return where the run cache files a stage's run: by what went in, by all there was."""
    going_in = {**entry, "outs": [out["path"] for out in entry["outs"]]}
    return _sha256(going_in), _sha256(entry)


def _finished(folder: Path, *, config: str = _CONFIG, bought: bool = False) -> list[bytes]:
    """Lay out a repository whose pipeline ran; return what its cache holds."""
    sources, ran = _sources(max_depth=1) | (_bought() if bought else {}), _run(bought)
    months = {month_name(m): month_file(m) for m in (1, 2, 3, 4)}
    results = {
        "dvc.yaml": _dvc_yaml(bought),
        "dvc.lock": ran.lock,
        "metrics.json": ran.files["metrics.json"].decode(),
        "build/.gitignore": _ignoring(ran, "build/"),
        "build/features/.gitignore": _ignoring(ran, "build/features/"),
    }
    history = _with_dvc(config)
    history.commit("Track the flights of four months", tracked_folder(months))
    history.commit("Split, featurize, train, evaluate", sources)
    history.commit("Run the pipeline", results)
    repo = _repository(folder / REPO, history)
    outs = {path for stage in ran.stages for path in stage.outs}
    _write(repo, {p: b for p, b in ran.files.items() if p in outs or p.startswith("data/")})
    kept = [*months.values(), listing(months), *(ran.files[p] for p in sorted(outs))]
    store(repo / ".dvc/cache", kept)
    for stage in ran.stages:
        _remember(repo / ".dvc/cache/runs", ran.entry(stage))
    return kept


def _remember(runs: Path, entry: dict[str, Any]) -> None:
    if "deps" not in entry:
        return  # DVC keeps no record of a stage that reads nothing
    key, value = run_keys(entry)
    text = yaml.safe_dump(entry, sort_keys=False)
    _write(runs / key[:2] / key, {value: text.encode()})


@functools.cache
def _run(bought: bool) -> Ran:
    """Run the pipeline on January to April, with a stump for a model."""
    sources = _sources(max_depth=1) | (_bought() if bought else {})
    ran = Ran({p: t.encode() for p, t in sources.items()}, yaml.safe_load(sources["params.yaml"]))
    ran.files |= _months(1, 2, 3, 4)
    months = [month_file(m).decode().splitlines(keepends=True) for m in (1, 2, 3)]
    train = months[0][0] + "".join("".join(rows[1:]) for rows in months)
    ran.files |= {"build/train.csv": train.encode(), "build/test.csv": month_file(4)}
    for part in ("train.csv", "test.csv"):
        text = _module("featurize.py")["table"](_rows(ran.files[f"build/{part}"]))
        ran.files[f"build/features/{part}"] = text.encode()
    params = ran.params["train"]
    seen, judged = (_rows(ran.files[f"build/features/{part}.csv"]) for part in ("train", "test"))
    numbers = [{name: float(value) for name, value in row.items()} for row in seen]
    model = _module("train.py")["tree"](numbers, params["max_depth"], params["min_leaf"])
    report = _module("evaluate.py")["report"](json.loads(model), judged)
    ran.files |= {p: t.encode() for p, t in {"build/model.json": model, **report}.items()}
    ran.stages = _stages(bought)
    if bought:
        ran.files["build/record.json"] = _delivery()
        parts = [_rows(ran.files[f"build/{name}.csv"]) for name in ("test", "predictions")]
        text = _module("compare.py")["table"](_module("order.py")["LATE"], *parts)
        ran.files["build/compare.csv"] = text.encode()
    return ran


def _rows(table: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(table.decode().splitlines()))


def _stages(bought: bool) -> list[Stage]:
    said = yaml.safe_load(_dvc_yaml(bought))["stages"]
    return [
        Stage(
            name,
            stage["cmd"],
            tuple(stage["deps"]),
            tuple(
                path if isinstance(path, str) else next(iter(path))
                for kind in ("outs", "metrics", "plots")
                for path in stage.get(kind, ())
            ),
            tuple(stage.get("params", ())),
        )
        for name, stage in said.items()
    ]


def _sources(**train: int) -> dict[str, str]:
    """Return the product's scripts and parameters, with other values for training if wanted."""
    texts = {f"src/{name}": (_FILES / name).read_text("utf-8") for name in _SCRIPTS}
    params = (_FILES / "params.yaml").read_text("utf-8")
    for name, value in train.items():
        params = params.replace("max_depth: 3", f"{name}: {value}")
    return {**texts, "params.yaml": params}


def _bought() -> dict[str, str]:
    """Return what the pipeline that buys has beside the other one's sources."""
    scripts = {f"src/{name}": (_FILES / name).read_text("utf-8") for name in _BUYING}
    return {**scripts, "airlines.txt": "".join(f"{a}\n" for a in _module("order.py")["LATE"])}


def _dvc_yaml(bought: bool) -> str:
    text = (_FILES / "dvc.yaml").read_text("utf-8")
    if bought:
        text = text.replace("stages:\n", _ORDER, 1).replace("  evaluate:", _COMPARE, 1)
    return text


_ORDER = """\
stages:
  order:
    cmd: python src/order.py
    deps:
    - airlines.txt
    - src/order.py
    outs:
    - build/record.json
"""

_COMPARE = """\
  compare:
    cmd: python src/compare.py
    deps:
    - build/predictions.csv
    - build/record.json
    - build/test.csv
    - src/compare.py
    outs:
    - build/compare.csv
  evaluate:"""


def _delivery() -> bytes:
    """Return what the provider delivered when the pipeline ran."""
    late = _module("order.py")["LATE"]
    return (json.dumps({"receipt": RECEIPT, "late": late}, indent=2) + "\n").encode()


@functools.cache
def _module(name: str) -> dict[str, Any]:
    return runpy.run_path(str(_FILES / name), run_name="layout")


def _ignoring(ran: Ran, folder: str) -> str:
    """Return the .gitignore that DVC keeps beside a stage's outputs."""
    outs = sorted(path for stage in ran.stages for path in stage.outs)
    names = [p.removeprefix(folder) for p in outs if p.startswith(folder)]
    return "".join(f"/{name}\n" for name in names if "/" not in name)


# What DVC writes


def md5(body: bytes) -> str:
    """Return the hash DVC names contents by."""
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def listing(files: Mapping[str, bytes]) -> bytes:
    """Return the object that stands for a folder: its files' hashes and names."""
    rows = [{"md5": md5(body), "relpath": path} for path, body in sorted(files.items())]
    return json.dumps(rows, sort_keys=True).encode()


def store(folder: Path, bodies: Iterable[bytes]) -> None:
    """Put objects into a cache or a remote, each under its hash."""
    for body in bodies:
        suffix = ".dir" if body.startswith(b'[{"md5"') else ""
        name = md5(body) + suffix
        _write(folder / "files/md5" / name[:2], {name[2:]: body})


def tracked_folder(files: Mapping[str, bytes], name: str = "data") -> dict[str, str]:
    """Return what Git gets of a folder tracked as a whole."""
    out = {
        "md5": md5(listing(files)) + ".dir",
        "size": sum(map(len, files.values())),
        "nfiles": len(files),
        "hash": "md5",
        "path": name,
    }
    ignored = _IGNORE[".gitignore"] + f"/{name}\n"
    return {f"{name}.dvc": yaml.safe_dump({"outs": [out]}, sort_keys=False), ".gitignore": ignored}


def _tracked(*months: int) -> dict[str, str]:
    """Return what Git gets of months tracked one by one."""
    said = {"data/.gitignore": "".join(f"/{month_name(m)}\n" for m in months)}
    for month in months:
        body, name = month_file(month), month_name(month)
        out = {"md5": md5(body), "size": len(body), "hash": "md5", "path": name}
        said[f"data/{name}.dvc"] = yaml.safe_dump({"outs": [out]}, sort_keys=False)
    return said


def _with_dvc(config: str = _CONFIG) -> History:
    """Two commits on `main`: what it is for, and DVC set up."""
    history = History()
    history.commit("Describe what the product predicts", {"README.md": _README, **_IGNORE})
    history.commit("Set up DVC", {**_DVC, ".dvc/config": config}, by=YOU)
    return history


def _repository(folder: Path, history: History, who: tuple[str, str] = YOU) -> Path:
    """Make a Git repository whose settings DVC can read: its queue wants each section once."""
    repo = s2_git._repository(folder, history, who=who)
    path = repo / ".git" / "config"
    text = path.read_text("utf-8")
    head, _, second = text.rpartition("[core]\n")
    own, _, rest = second.partition("[")
    path.write_text(head.replace("[core]\n", f"[core]\n{own}", 1) + "[" + rest, "utf-8")
    return repo


def _sha256(entry: Mapping[str, Any]) -> str:
    def plain(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {k: plain(v) for k, v in value.items() if k not in ("size", "nfiles")}
        return [plain(v) for v in value] if isinstance(value, list) else value

    return hashlib.sha256(json.dumps(plain(entry), sort_keys=True).encode()).hexdigest()


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for path, body in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(body)
