"""Plain ``nbgrader autograde`` against ours: same submissions, same machine, same run.

    .venv/bin/python -m benchmarks.grading                  40 submissions of every lab
    .venv/bin/python -m benchmarks.grading --growth 10 100 1000

Rounds alternate between the two, so that a busy machine slows both.  Trust the ratio.  Scores
must be equal, or the run fails.  ``notebook`` submissions bring only the notebook, and their cells
do the work; ``evidence`` ones bring the work/ folder as well, as an honest class hands in.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from nbgrader.api import Gradebook
from rich.console import Console
from rich.table import Table

from autograder import gradebook
from autograder.answers import Answer, hand_in
from autograder.build import master_notebook, release_notebook, solution_notebook
from autograder.engine import autograde, close
from autograder.paths import Course, find_course

ENVIRONMENT_BIN = Path(sys.executable).parent


@dataclass
class Usage:
    """What a command and all below it used: peak bytes, and seconds of wall time."""

    peak: int = 0
    wall: float = 0.0

    def look(self, root: psutil.Process) -> None:
        """Add up the tree below a process once."""
        memory = 0
        for process in [root, *root.children(recursive=True)]:
            memory += share_of_memory(process.pid)
        self.peak = max(self.peak, memory)


def share_of_memory(pid: int) -> int:
    """Return a process's memory in bytes, pages that it shares divided among their users."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


@contextmanager
def measured(process: subprocess.Popen[bytes]) -> Iterator[Usage]:
    """Watch a running command until the block ends."""
    usage, ended, began = Usage(), threading.Event(), time.perf_counter()
    root = psutil.Process(process.pid)

    def watch() -> None:
        pause = 1.0
        while not ended.wait(pause):
            looked = time.thread_time()
            try:
                usage.look(root)
            except psutil.Error:
                return
            # Adding up pages costs milliseconds a process; watching must not slow what it watches.
            pause = max(1.0, 100 * (time.thread_time() - looked))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield usage
    finally:
        ended.set()
        thread.join()
        usage.wall = time.perf_counter() - began


def make_class(course: Course, lab: str, into: Path, size: int, evidence: bool) -> Course:
    """Fill a course with ``size`` copies of the solution."""
    target = Course(into)
    into.mkdir(parents=True)
    for name in ("solutions", "labs", "autograder"):
        (into / name).symlink_to(course.root / name, target_is_directory=True)
    shutil.copy(course.root / "nbgrader_config.py", into)
    solution = solution_notebook(course, lab)
    first = target.submitted / "student-0000" / lab
    path = hand_in(Answer(lab, "right_solution", ""), solution, release_notebook(solution), first)
    if evidence:
        graded = autograde(path, lab, master=master_notebook(solution))
        assert graded.folder is not None
        shutil.copytree(graded.folder / "work", first / "work")
        close()
    for n in range(1, size):
        own = shutil.copytree(first, target.submitted / f"student-{n:04}" / lab, symlinks=True)
        # No two students hand in the same: what the judge found for one is no answer for another.
        for task in (own / "work").glob("*/"):
            (task / "notes.txt").write_text(f"student {n}\n", "utf-8")
    return target


def cells_cpu(course: Course, lab: str) -> float:
    """Return the seconds of CPU that the kernels of a class used, cells and checks."""
    states = (course.root / ".grading" / lab).glob("*.json")
    return sum(json.loads(path.read_text())["result"]["cpu"] for path in states)


def scores(course: Course, lab: str) -> list[float]:
    """Return all scores in a course's gradebook."""
    with Gradebook(gradebook.url(course)) as book:
        return sorted(s.score for s in book.assignment_submissions(lab))


def run(course: Course, command: list[str]) -> Usage:
    """Run a command in a course and measure it; raises if it fails."""
    with (course.root / "log").open("ab") as log:
        path = f"{ENVIRONMENT_BIN}{os.pathsep}{os.environ['PATH']}"
        env = {**os.environ, "PATH": path}
        process = subprocess.Popen(command, cwd=course.root, stdout=log, stderr=log, env=env)
        with measured(process) as usage:
            code = process.wait()
    if code:
        raise RuntimeError(f"{' '.join(command)}:\n{(course.root / 'log').read_text()[-3000:]}")
    return usage


def plain(course: Course, lab: str) -> Usage:
    """Grade with nbgrader's own command, over the whole class in one call."""
    nbgrader = str(ENVIRONMENT_BIN / "nbgrader")
    run(course, [nbgrader, "generate_assignment", lab, "--CourseDirectory.release_directory=made"])
    return run(course, [nbgrader, "autograde", lab])


def ours(course: Course, lab: str) -> Usage:
    """Grade with our command, isolation on."""
    grade = [sys.executable, "-m", "autograder", "grade", lab, "--no-feedback"]
    return run(course, [*grade, "--course", str(course.root)])


def compare(course: Course, lab: str, size: int, rounds: int, evidence: bool) -> list[str]:
    """Return a row of the table for one lab; raises if the scores differ."""
    total = {"plain": Usage(), "ours": Usage()}
    found: dict[str, list[float]] = {}
    cells = 0.0
    for _ in range(rounds):
        for name, way in (("plain", plain), ("ours", ours)):
            with tempfile.TemporaryDirectory(prefix="bench-") as folder:
                klass = make_class(course, lab, Path(folder) / "c", size, evidence)
                usage = way(klass, lab)
                found[name] = scores(klass, lab)
                cells += cells_cpu(klass, lab)
            total[name].wall += usage.wall
            total[name].peak = max(total[name].peak, usage.peak)
    if found["plain"] != found["ours"]:
        raise RuntimeError(f"{lab}: scores differ: {found}")
    minutes = {name: usage.wall / 60 / rounds for name, usage in total.items()}
    share = cells / (total["ours"].wall * (psutil.cpu_count() or 1))
    return [
        lab,
        "evidence" if evidence else "notebook",
        _short(size / minutes["plain"]),
        _short(size / minutes["ours"]),
        f"{total['plain'].wall / total['ours'].wall:.1f}×",
        f"{total['plain'].peak / 1e6:.0f}",
        f"{total['ours'].peak / 1e6:.0f}",
        f"{share:.2f}",
    ]


def _short(number: float) -> str:
    return f"{number:.0f}" if number >= 10 else f"{number:.1f}"


def growth(course: Course, lab: str, sizes: list[int]) -> list[list[str]]:
    """Return our speed and memory at growing class sizes."""
    rows = []
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            klass = make_class(course, lab, Path(folder) / "c", size, evidence=True)
            usage = ours(klass, lab)
        rows.append(
            [
                str(size),
                f"{usage.wall:.0f}",
                f"{60 * size / usage.wall:.0f}",
                f"{usage.peak / 1e6:.0f}",
            ]
        )
    return rows


def main() -> None:
    """Measure, and print tables that the README can hold."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("labs", nargs="*", help="default: all")
    parser.add_argument("--size", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--handed-in", choices=("notebook", "evidence"), help="default: both")
    parser.add_argument("--growth", type=int, nargs="*", default=[])
    options = parser.parse_args()
    course, console = find_course(), Console(width=110)
    labs = options.labs or course.lab_names()
    if options.growth:
        table = Table("submissions", "seconds", "a minute", "peak MB", title=labs[0])
        for row in growth(course, labs[0], options.growth):
            table.add_row(*row)
        console.print(table)
        return
    table = Table(
        "lab",
        "handed in",
        "nbgrader a minute",
        "ours a minute",
        "ratio",
        "nbgrader MB",
        "ours MB",
        "CPU in cells",
    )
    for lab in labs:
        for evidence in (False, True):
            if options.handed_in == ("notebook" if evidence else "evidence"):
                continue
            table.add_row(*compare(course, lab, options.size, options.rounds, evidence))
            console.print(table)
    console.print("Scores were equal.")


if __name__ == "__main__":
    main()
