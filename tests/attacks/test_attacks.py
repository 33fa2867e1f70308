"""Every attack, against the real engine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from autograder import engine, sandbox
from autograder.forkserver import NO_LANDLOCK
from autograder.staging import remove_tree
from tests.attacks import arena, elsewhere, table
from tests.attacks.attacks import ATTACKS, Attack
from tests.conftest import lacks

pytestmark = pytest.mark.skipif(
    not sandbox.available(), reason="needs bubblewrap: apt-get install bubblewrap"
)

ALONE = [a for a in ATTACKS if not a.in_class and a.lab == arena.LAB]
IN_CLASS = [a for a in ATTACKS if a.in_class]
ELSEWHERE = [a for a in ATTACKS if a.lab != arena.LAB]


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """The course's folder; removed at once, as pytest cannot remove all that attacks make."""
    yield tmp_path / "course"
    remove_tree(tmp_path / "course")


def _name(attack: Attack) -> str:
    return attack.name


@pytest.mark.parametrize("attack", ALONE, ids=_name)
def test_alone(attack: Attack, root: Path) -> None:
    outcome = arena.ours(attack, root)
    _gained_nothing(attack, outcome)


@pytest.mark.parametrize("attack", IN_CLASS, ids=_name)
def test_in_class(attack: Attack, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = arena.ours_in_class(attack, root, monkeypatch)
    _gained_nothing(attack, outcome)
    assert outcome.errors == ()
    assert outcome.victims == {"ada": 2.0, "zoe": 2.0}
    for page in outcome.pages.values():
        assert _inert(page)


@pytest.mark.parametrize("attack", ELSEWHERE, ids=lambda a: f"{a.lab}-{a.name}")
def test_other_labs(attack: Attack, root: Path) -> None:
    if missing := lacks(attack.lab):
        pytest.skip(f"needs {missing}")
    outcome = elsewhere.ours(attack, root)
    _gained_nothing(attack, outcome)
    assert outcome.victims == ({"zoe": 2.0} if attack.zoe else {})


ESCAPES = ("kill_everything", "stop_the_parent", "memory_of_the_parent", "leftovers_for_the_next")


@pytest.mark.parametrize("attack", [a for a in ATTACKS if a.name in ESCAPES], ids=_name)
def test_without_landlock(attack: Attack, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Older kernels have one wall only; the next submission must not notice."""
    monkeypatch.setenv(NO_LANDLOCK, "1")
    engine.close()
    try:
        test_in_class(attack, root, monkeypatch)
    finally:
        engine.close()


def _gained_nothing(attack: Attack, outcome: arena.Outcome) -> None:
    assert outcome.points == attack.worth
    assert outcome.touched == ()
    assert outcome.leaked == ()
    assert re.search(attack.says, outcome.said), outcome.said[:3000]
    assert outcome.seconds < 3 * attack.budget.notebook + 60


def _inert(page: str) -> bool:
    """True if the page tells the browser to run no script but those of its head, by their hash."""
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    if policy is None or page.index(policy[0]) > page.index("<script"):
        return False
    return "script-src 'sha256-" in policy[1] and "unsafe" not in policy[1].split("style-src")[0]


def test_the_page_lists_these_attacks_and_nothing_got_through() -> None:
    assert table.listed() == [a.name for a in ATTACKS], "run python -m tests.attacks.table"
    assert "Ours: none." in table.PAGE.read_text("utf-8")


def test_there_are_enough_and_each_has_its_own_name() -> None:
    names = [a.name for a in ATTACKS]
    assert len(names) >= 30
    assert len(set(names)) == len(names)
