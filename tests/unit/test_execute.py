"""Two kernels, one notebook: what each sees, and what a cell may cost."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from autograder import forkserver, sandbox
from autograder.engine import check_results
from autograder.execute import Budget, TrustedExecute, Workshop

pytestmark = pytest.mark.skipif(
    not sandbox.available(), reason="needs bubblewrap: apt-get install bubblewrap"
)
BUDGET = Budget(cell=6, notebook=24, check=20)


@pytest.fixture(scope="module")
def shop() -> Iterator[Workshop]:
    with tempfile.TemporaryDirectory(prefix="room-") as room:
        shop = Workshop(Path(room).resolve(), budget=BUDGET)
        yield shop
        shop.close()


@pytest.fixture
def run(shop: Workshop) -> Iterator[Run]:
    yield Run(shop)
    shop.sweep()


class Run:
    """Runs cells in a folder of their own: ``learner``, ``setup`` or ``check``, then the source."""

    def __init__(self, shop: Workshop) -> None:
        self.shop = shop
        self.folder = Path(tempfile.mkdtemp(dir=shop.room))
        self.trouble: list[str] = []
        self.nb = new_notebook()

    def __call__(
        self, *cells: tuple[str, str], learner_runs: bool = True, budget: Budget = BUDGET
    ) -> list[float]:
        """Return the points of the checks."""
        self.nb = new_notebook(cells=[_cell(kind, text, i) for i, (kind, text) in enumerate(cells)])
        step = TrustedExecute(self.shop, learner_runs=learner_runs)
        step.budget = budget
        self.nb, _ = step.preprocess(self.nb, {"metadata": {"path": str(self.folder)}})
        self.trouble = step.trouble
        return [result.points for result in check_results(self.nb, "s2_git")]

    def said(self, index: int) -> str:
        """All that a cell put out."""
        return str(self.nb.cells[index].outputs)


def _cell(kind: str, source: str, index: int) -> NotebookNode:
    cell = new_code_cell(source)
    if kind != "learner":
        graded = kind == "check"
        cell.metadata.nbgrader = {
            "grade_id": f"{kind}-{index}",
            "grade": graded,
            "locked": True,
            "solution": False,
            "points": 1,
        }
    return cell


def test_checks_run_apart_and_set_up_runs_in_both(run: Run) -> None:
    points = run(
        ("setup", "shared = 5"),
        ("learner", "mine = shared + 1\nshared = 0\nmine"),
        ("check", "assert shared == 5"),
        ("check", "mine"),
    )
    assert points == [1.0, 0.0]
    assert "'6'" in run.said(1)
    assert "NameError" in run.said(3)


def test_evidence_is_what_both_see(run: Run) -> None:
    points = run(
        ("learner", "%%bash\necho done > evidence.txt"),
        ("check", "assert open('evidence.txt').read() == 'done\\n'"),
    )
    assert points == [1.0]
    assert run.trouble == []


def test_warnings_cost_nothing(run: Run) -> None:
    text = "import sys, warnings\nwarnings.warn('old')\nprint('beware', file=sys.stderr)"
    assert run(("check", text)) == [1.0]


def test_a_check_imports_nothing_of_the_learners(run: Run) -> None:
    (run.folder / "colorsys.py").write_text("raise SystemExit('mine')")
    (run.folder / "sitecustomize.py").write_text("raise SystemExit('mine')")
    assert run(("check", "import colorsys; assert colorsys.rgb_to_hsv")) == [1.0]


def test_a_loop_costs_its_limit_once(run: Run) -> None:
    began = time.monotonic()
    points = run(
        ("setup", "goal = 'later.txt'"),
        ("learner", "while True: pass"),
        ("learner", "open(goal, 'w').close()"),
        *[("learner", "while True: pass")] * 3,
        ("check", "import os; assert os.path.exists(goal)"),
    )
    assert points == [1.0]
    assert run.trouble[0] == "a cell ran longer than 6 s and was stopped"
    assert time.monotonic() - began < BUDGET.notebook


def test_a_loop_that_ignores_interrupts_gets_a_new_kernel_with_the_set_up(run: Run) -> None:
    points = run(
        ("setup", "goal = 'later.txt'"),
        ("learner", "while True:\n    try:\n        while True: pass\n    except BaseException: 0"),
        ("learner", "open(goal, 'w').close()"),
        ("check", "import os; assert os.path.exists(goal)"),
    )
    assert points == [1.0]
    assert "ran longer" in run.said(1)


def test_tasks_after_a_dead_kernel_still_count(run: Run) -> None:
    points = run(
        ("setup", "goal = 'later.txt'"),
        ("learner", "import os; os._exit(1)"),
        ("learner", "open(goal, 'w').close()"),
        ("check", "import os; assert os.path.exists(goal)"),
    )
    assert points == [1.0]
    assert run.trouble == ["the cell ended its kernel"]
    assert run.nb.cells[1].source == "import os; os._exit(1)"
    assert "KernelDied" in run.said(1)


def test_a_second_death_ends_the_learners_part(run: Run) -> None:
    dies = ("learner", "import os; os._exit(1)")
    assert run(dies, dies, ("learner", "1"), ("check", "None")) == [1.0]
    assert "not run: the cell ended its kernel" in run.said(2)


def test_a_check_that_ends_its_process_gets_nothing_and_the_next_is_judged(run: Run) -> None:
    points = run(
        ("setup", "five = 5"),
        ("check", "import os; os._exit(0)"),
        ("check", "assert five == 5"),
    )
    assert points == [0.0, 1.0]


def test_the_notebook_has_a_budget(run: Run) -> None:
    sleeps = [("learner", "import time; time.sleep(2)")] * 5
    assert run(*sleeps, ("check", "None"), budget=Budget(cell=5, notebook=4)) == [1.0]
    assert "the notebook ran longer than 4 s in all" in run.trouble
    assert "not run" in run.said(4)


def test_output_is_cut(run: Run) -> None:
    run(("learner", "for _ in range(30): print('x' * 200_000)"), ("learner", "'after'"))
    assert len(run.said(0)) < 2 * BUDGET.output
    assert run.trouble == ["a cell wrote more than 2 MB; cut there"]
    assert "after" in run.said(1)


def test_evidence_that_came_along_is_not_made_again(run: Run) -> None:
    cells = (("setup", "five = 5"), ("learner", "open('again', 'w')"), ("check", "assert five"))
    assert run(*cells, learner_runs=False) == [1.0]
    assert not (run.folder / "again").exists()


def test_nothing_of_the_learners_moves_while_a_check_looks(run: Run) -> None:
    writes = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    n = 0\n    while True:\n"
    writes += "        n += 1; open('n', 'w').write(str(n)); time.sleep(0.01)"
    looks = "import time\ntime.sleep(0.3)\nbefore = open('n').read()\ntime.sleep(0.5)\n"
    points = run(
        ("learner", writes),
        ("learner", looks),
        ("check", looks + "assert before == open('n').read()"),
        ("learner", looks + "assert before != open('n').read()"),
    )
    assert points == [1.0]
    assert "Error" not in run.said(3)


# IPython's own `!` refuses what ends in &.
BACKGROUND = "import os; os.system('setsid {} >/dev/null 2>&1 &')"


def test_no_process_outlives_a_run(run: Run) -> None:
    (run.folder / "live.sh").write_text("while sleep 0.1; do date > alive; done")
    wait = "import os, time\nwhile not os.path.exists('alive'): time.sleep(0.05)"
    run(("learner", BACKGROUND.format("sh live.sh")), ("learner", wait))
    assert run.trouble == []
    run.shop.sweep()
    (run.folder / "alive").unlink(missing_ok=True)
    time.sleep(0.5)
    assert not (run.folder / "alive").exists()


def test_what_a_check_runs_in_a_sandbox_is_counted(run: Run) -> None:
    """Bubblewrap's outer process ends before the one that knows what all below it used."""
    run.shop.sweep()
    burn = "import time\nwhile time.process_time() < 1: pass"
    look = (
        "import sys; from pathlib import Path; from autograder import sandbox\n"
        f"assert sandbox.run([sys.executable, '-c', {burn!r}], folder=Path.cwd()).ok"
    )
    assert run(("check", look)) == [1.0]
    run.shop.sweep()
    assert run.shop.cpu >= 1


def test_what_outlives_its_parent_is_counted(run: Run) -> None:
    run.shop.sweep()
    (run.folder / "burn.py").write_text(
        "import time\nwhile time.process_time() < 1: pass\nopen('done', 'w')"
    )
    wait = "import os, time\nwhile not os.path.exists('done'): time.sleep(0.05)"
    cells = [("learner", BACKGROUND.format("python burn.py")), ("learner", wait)]
    run(*cells, budget=Budget(cell=60, notebook=120))
    assert run.trouble == []
    run.shop.sweep()
    assert run.shop.learner.cpu >= 1


def test_what_a_run_left_in_memory_is_gone_for_the_next(run: Run) -> None:
    run(
        (
            "learner",
            "open('/tmp/x', 'w'); open('/dev/shm/x', 'w')\n"
            "import ctypes; ctypes.CDLL(None).shmget(4711, 4096, 0o1666)",
        )
    )
    run.shop.sweep()
    run(
        ("learner", "import os; os.listdir('/tmp'), os.listdir('/dev/shm')"),
        ("learner", "len(open('/proc/sysvipc/shm').readlines())"),
    )
    assert "'x'" not in run.said(0)
    assert "'1'" in run.said(1)


def test_the_machines_own_tmp_is_never_emptied(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where somebody has set TMPDIR to what a sandbox has."""
    emptied: list[set[Path]] = []
    monkeypatch.setattr(forkserver, "empty_memory", lambda kept: emptied.append(kept) or 0)
    monkeypatch.setenv("TMPDIR", "/tmp")
    assert forkserver._empty_memory() == 0
    assert emptied == []
    monkeypatch.setenv(forkserver.OWN_MEMORY, "1")
    forkserver._empty_memory()
    assert len(emptied) == 1


def test_a_workbook_in_tmp_costs_no_new_start(tmp_path: Path) -> None:
    """What is brought in below /tmp stays there; what lies beside it goes."""
    course, room = tmp_path / "my course", tmp_path / "room"
    course.mkdir()
    room.mkdir()
    (course / "data").write_text("kept")
    shop = Workshop(room.resolve(), budget=BUDGET, readable=[course.resolve()])
    try:
        run = Run(shop)
        run(("learner", f"open('{tmp_path}/x', 'w'); open('/tmp/x', 'w')"))
        before = shop.learner.pid
        shop.sweep()
        run(("learner", f"import os; os.listdir('{tmp_path}'), os.listdir('/tmp')"))
        assert "'x'" not in run.said(0)
        assert "'my course'" in run.said(0)
        assert shop.learner.pid == before
    finally:
        shop.close()


def test_a_warm_kernel_prints_tables_as_any_kernel_does() -> None:
    """Outside a kernel pandas takes itself to be in a terminal, and would leave columns out."""
    code = (
        "from autograder.forkserver import warm_up; warm_up(['pandas']); import pandas; "
        "print(pandas.get_option('display.max_columns'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "20"
