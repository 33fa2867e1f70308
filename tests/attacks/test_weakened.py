"""Take one defence away and an attack gets through: so each of those tests can fail."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from autograder import engine, sandbox
from autograder.execute import TrustedExecute
from autograder.staging import remove_tree
from tests.attacks import arena
from tests.attacks.attacks import ATTACKS

pytestmark = pytest.mark.skipif(
    not sandbox.available(), reason="needs bubblewrap: apt-get install bubblewrap"
)

BY_NAME = {attack.name: attack for attack in ATTACKS}


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """The course's folder; the engine's parents begin anew before and after."""
    engine.close()
    yield tmp_path / "course"
    engine.close()
    remove_tree(tmp_path / "course")


def one_process(patch: pytest.MonkeyPatch) -> None:
    """Checks run in the learner's kernel, as they do with plain nbgrader."""
    patch.setattr(TrustedExecute, "_by_judge", TrustedExecute._by_learner)


def no_walls(patch: pytest.MonkeyPatch) -> None:
    """The learner's kernel runs with the grader's rights and sees the whole machine."""
    arguments = engine.Workshop.__init__

    def unconfined(self: Any, *args: Any, **kwargs: Any) -> None:
        arguments(self, *args, **{**kwargs, "confined": False})

    patch.setattr(engine.Workshop, "__init__", unconfined)


def links_followed(patch: pytest.MonkeyPatch) -> None:
    """A submission is copied with what its links point at."""

    def copy(source: Path, target: Path) -> list[str]:
        shutil.copytree(source, target, ignore_dangling_symlinks=True)
        return []

    patch.setattr(engine, "stage", copy)


@pytest.mark.parametrize(
    ("attack", "weaken"),
    [
        ("ast_transformer_drops_checks", one_process),
        ("run_code_hijacked", one_process),
        ("verdict_patched", one_process),
        ("sys_modules_replaced", one_process),
        ("number_as_result", one_process),
        ("links_handed_in", links_followed),
        ("whole_folder_is_a_link", links_followed),
        ("solution_run", no_walls),
        ("hidden_tests_on_disk", no_walls),
        ("gradebook_written", no_walls),
        ("others_deleted", no_walls),
        ("neighbour_copied", no_walls),
    ],
)
def test_without_its_defence_the_attack_succeeds(
    attack: str,
    weaken: Callable[[pytest.MonkeyPatch], None],
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    weaken(monkeypatch)
    outcome = arena.ours(BY_NAME[attack], root)
    assert outcome.points > 0 or outcome.touched or outcome.leaked
