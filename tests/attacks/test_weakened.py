"""Take one defence away and an attack gets through: so each of those tests can fail."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from autograder import engine, sandbox
from autograder.execute import TrustedExecute
from autograder.staging import remove_tree
from tests.attacks import arena, elsewhere
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


def no_sandbox_on_the_machine(patch: pytest.MonkeyPatch) -> None:
    """There is everything but bubblewrap, and nobody insists: checks run models without walls."""
    no_walls(patch)
    tools = Path(tempfile.mkdtemp(prefix="tools-"))
    for tool in (*Path("/usr/local/bin").iterdir(), *Path("/usr/bin").iterdir()):
        if tool.name != "bwrap" and not (tools / tool.name).is_symlink():
            (tools / tool.name).symlink_to(tool)
    patch.setattr(engine, "_tools_of_the_judge", lambda lab: ([], {"PATH": str(tools)}))


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


@pytest.mark.parametrize("attack", ["mlflow_model_imports", "dvc_stage_runs"])
def test_without_a_sandbox_what_a_check_runs_reaches_out(
    attack: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """These two end no process: without walls it would be one of this machine's."""
    no_sandbox_on_the_machine(monkeypatch)
    outcome = elsewhere.ours(BY_NAME[attack], root)
    assert f"{root}/owned" in outcome.touched
