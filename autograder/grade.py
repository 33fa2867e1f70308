"""Grade a lab's whole class: find, work in parallel, write one after another, survive anything.

Each submission is staged, executed and judged in a worker; what comes back is put in place and
written by this process alone.  Its last act for a submission is a small state file that holds
the result and a fingerprint of everything that led to it.  A batch that is run again takes from
there what is still true and does the rest.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib
import json
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nbformat
import psutil
from nbformat import NotebookNode

from autograder import gradebook, sandbox
from autograder.build import master_notebook, solution_notebook
from autograder.engine import autograde, flights_cache, zero_results
from autograder.execute import Budget
from autograder.gradebook import untouched_answers
from autograder.paths import Course, UserError
from autograder.pool import default_jobs, workers
from autograder.results import Status, SubmissionResult
from autograder.source import write_notebook
from autograder.staging import MAX_BYTES, MAX_DEPTH, defuse, remove_tree, walk

# Results of another grader are not reused.  Its code is part of the fingerprint; this is not.
ENGINE = "1"
# Modules that no score depends on: a change there makes nothing stale.
_NO_SCORES = {
    "__main__",
    "answers",
    "cli",
    "demo",
    "feedback",
    "jupyter",
    "pages",
    "plugin",
    "pool",
    "progress",
    "report",
    "scaffold",
    "scale",
    "teach",
}

Progress = Callable[[SubmissionResult, int, int], None]


@dataclass(frozen=True)
class Job:
    """What a worker needs to grade one submission; plain data, so that it can travel."""

    lab: str
    student: str
    submitted: str
    staged: str
    master: str
    lab_print: str
    budget: Budget
    confined: bool = True


@dataclass(frozen=True)
class Done:
    """What a worker sends back; the executed notebook lies among the staged files, if any.

    ``untouched`` names the answer cells that are still as they were released.
    """

    result: dict[str, Any]
    untouched: tuple[str, ...] = ()
    executed: bool = False
    fingerprint: str = ""
    error: str = ""


@dataclass(frozen=True)
class Batch:
    """The results of a class, in the students' order, and how many were taken from before."""

    lab: str
    results: tuple[SubmissionResult, ...]
    reused: int
    errors: tuple[str, ...] = ()


def grade_lab(
    course: Course,
    lab: str,
    *,
    students: Iterable[str] = (),
    force: bool = False,
    jobs: int | None = None,
    budget: Budget | None = None,
    confined: bool = True,
    progress: Progress | None = None,
    executor: Executor | None = None,
) -> Batch:
    """Grade every submission of a lab, or those of some students, into nbgrader's gradebook.

    What was graded before and has not changed (submission, lab, checks, grader) is not graded
    again unless ``force``.  Raises UserError for an unknown lab, one without submissions, a
    gradebook that cannot be written; SandboxMissingError if ``confined`` and no sandbox works.
    """
    course.require_lab(lab)
    if confined:
        sandbox.require()
    found = find_submissions(course, lab, students)
    master = master_notebook(solution_notebook(course, lab))
    with _only_one(course), gradebook.Writer(course) as writer:
        gradebook.register(course, lab, master)
        run = _Run(course, lab, master, writer, budget or Budget(), progress, confined)
        return run.over(found, force, jobs or default_jobs(), executor)


def find_submissions(course: Course, lab: str, students: Iterable[str] = ()) -> dict[str, Path]:
    """Return the submission folders of a lab by student.

    Raises UserError naming the folder that was looked in if there are none.
    """
    wanted = set(students)
    found = {
        folder.name: folder / lab
        for folder in sorted(course.submitted.glob("*"))
        if (folder / lab).is_dir() and not folder.name.startswith(".")
    }
    if missing := wanted - found.keys():
        raise UserError(
            f"no submission of {', '.join(sorted(missing))} in {course.submitted}/<student>/{lab}."
        )
    if not found:
        raise UserError(
            f"no submissions in {course.submitted}/<student>/{lab}/{lab}.ipynb. Collect them "
            "there first; `make demo` shows the form with a sample class."
        )
    return {name: path for name, path in found.items() if not wanted or name in wanted}


def grade_one(job: Job) -> Done:
    """Grade one submission and put its files aside; runs in a worker and never raises."""
    try:
        # Before anything runs: what changes meanwhile makes the result stale.
        print_ = f"{job.lab_print}-{fingerprint(Path(job.submitted))}"
        graded = autograde(
            Path(job.submitted) / f"{job.lab}.ipynb",
            job.lab,
            master=_notebook(job.master),
            student=job.student,
            budget=job.budget,
            confined=job.confined,
        )
        staged = Path(job.staged)
        remove_tree(staged)
        if graded.folder and graded.folder.exists():
            defuse(graded.folder)
            staged.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(graded.folder, staged)
        untouched: list[str] = []
        if graded.notebook:
            write_notebook(graded.notebook, staged / f"{job.lab}.ipynb")
            untouched = untouched_answers(graded.notebook)
        return Done(
            _storable(graded.result.to_json()),
            tuple(_storable(untouched)),
            executed=graded.notebook is not None,
            fingerprint=print_,
        )
    except Exception as error:
        return Done({}, error=_storable(f"{type(error).__name__}: {error}"))


@functools.lru_cache(maxsize=2)
def _notebook(text: str) -> NotebookNode:
    return nbformat.reads(text, 4)


def _storable(data: Any) -> Any:
    """Return plain data without the half characters that no file and no database takes.

    A student's file name can hold them, and a note or an error message quotes it.
    """
    text = json.dumps(data, ensure_ascii=False).encode("utf-8", "replace")
    return json.loads(text)


def end_with(batch: int) -> None:
    """Let a worker end when the batch's process is gone; it would wait for work for ever."""

    def watch() -> None:
        while psutil.pid_exists(batch):
            time.sleep(1)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


class _Run:
    """One batch under way."""

    def __init__(
        self,
        course: Course,
        lab: str,
        master: NotebookNode,
        writer: gradebook.Writer,
        budget: Budget,
        progress: Progress | None,
        confined: bool,
    ) -> None:
        self.course, self.lab, self.master, self.writer = course, lab, master, writer
        self.budget, self.progress, self.confined = budget, progress, confined
        self.state = course.root / ".grading" / lab
        self.staging = course.root / ".grading" / "staging" / lab
        self.lab_print = fingerprint_of_lab(lab, master)
        self.results: dict[str, SubmissionResult] = {}
        self.errors: list[str] = []

    def over(
        self, found: dict[str, Path], force: bool, jobs: int, executor: Executor | None
    ) -> Batch:
        written = self.writer.students(self.lab)
        todo = {}
        for student, folder in found.items():
            known = student in written and not force
            before = self._before(student, folder) if known else None
            if before is None:
                todo[student] = folder
            else:
                self.results[student] = before
        reused = len(self.results)
        for student, done in self._work(todo, jobs, executor):
            self._finish(student, found[student], done, len(found))
        remove_tree(self.staging)
        ordered = tuple(self.results[s] for s in found if s in self.results)
        return Batch(self.lab, ordered, reused, tuple(self.errors))

    def _work(
        self, todo: dict[str, Path], jobs: int, executor: Executor | None
    ) -> Iterator[tuple[str, Done]]:
        """Yield each student's outcome as it is ready; a worker that dies costs one retry."""
        if not todo:
            return
        text = nbformat.writes(self.master)
        pending = {
            student: Job(
                self.lab,
                student,
                str(folder),
                str(self.staging / hashlib.sha256(student.encode()).hexdigest()[:12]),
                text,
                self.lab_print,
                self.budget,
                self.confined,
            )
            for student, folder in todo.items()
        }
        if executor is not None:
            yield from _as_done(executor, pending)
            return
        yield from self._in_pool(pending, min(jobs, len(pending)))

    def _in_pool(self, pending: dict[str, Job], jobs: int) -> Iterator[tuple[str, Done]]:
        left = dict(pending)
        # Once, before every worker finds it empty.
        flights_cache()
        try:
            with workers(jobs) as pool:
                for student, done in _as_done(pool, left):
                    del left[student]
                    yield student, done
        except BrokenProcessPool:
            # Somebody's notebook took its worker down.  One at a time tells whose it was.
            for student, job in left.items():
                try:
                    with workers(1) as pool:
                        yield student, pool.submit(grade_one, job).result()
                except BrokenProcessPool:
                    yield student, Done({}, error="its run ended the grader's worker process")

    def _before(self, student: str, folder: Path) -> SubmissionResult | None:
        """Return the result of an earlier run if all that led to it is still the same."""
        try:
            state = json.loads(self._state_file(student).read_text("utf-8"))
            result = SubmissionResult.from_json(state["result"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        placed = self.course.autograded / student / self.lab / f"{self.lab}.ipynb"
        if not placed.exists() or not str(state.get("fingerprint")).startswith(self.lab_print):
            return None
        same = state["fingerprint"] == f"{self.lab_print}-{fingerprint(folder)}"
        # What was missing then, such as a Docker engine, may be here now.
        can_do_more = bool(state.get("lacked")) and not self._lacks
        return result if same and not can_do_more else None

    @functools.cached_property
    def _lacks(self) -> str:
        """What this machine lacks to grade all of the lab, empty if nothing."""
        look = getattr(importlib.import_module(f"autograder.checks.{self.lab}"), "lacks", None)
        return look() if look else ""

    def _finish(self, student: str, folder: Path, done: Done, total: int) -> None:
        """Put one submission's outcome in place: files, gradebook, state file — in this order."""
        if done.error:
            problem = f"could not be graded: {done.error}. The instructor will look at it."
            checks = tuple(zero_results(self.master, self.lab, problem))
            result = SubmissionResult(student, self.lab, checks, problem)
        else:
            result = SubmissionResult.from_json(done.result)
        try:
            self._place(student, None if done.executed else self._stand_in(result))
            self.writer.save(result, done.untouched, gradebook.timestamp_of(folder))
            # A failure of the grader is not the submission's last word: it is tried again.
            if not done.error:
                self._remember(student, result, done.fingerprint)
        except Exception as error:
            # Whatever it is, it is about one submission: the others must not wait for it.
            self.errors.append(f"{student}: {_explain(error, self.course)}")
        self.results[student] = result
        if self.progress:
            self.progress(result, len(self.results), total)

    def _stand_in(self, result: SubmissionResult) -> NotebookNode:
        """Return a notebook that Formgrader can open where the student's cannot be."""
        nb = nbformat.from_dict(self.master)
        note = f"**This submission could not be graded.** {result.problem}"
        nb.cells.insert(0, nbformat.v4.new_markdown_cell(note, id="problem"))
        return nb

    def _place(self, student: str, instead: NotebookNode | None) -> None:
        staged = self.staging / hashlib.sha256(student.encode()).hexdigest()[:12]
        if instead:
            write_notebook(instead, staged / f"{self.lab}.ipynb")
        goal = self.course.autograded / student / self.lab
        goal.parent.mkdir(parents=True, exist_ok=True)
        if goal.exists():
            # Removed in the end with the rest: it takes longer than all else here.
            self.staging.mkdir(parents=True, exist_ok=True)
            shutil.move(goal, tempfile.mkdtemp(prefix="old-", dir=self.staging))
        shutil.move(staged, goal)

    def _remember(self, student: str, result: SubmissionResult, print_: str) -> None:
        path = self._state_file(student)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".writing")
        ungraded = any(check.status is Status.NOT_GRADED for check in result.checks)
        lacked = self._lacks if ungraded else ""
        state = {"fingerprint": print_, "result": result.to_json(), "lacked": lacked}
        temporary.write_text(json.dumps(state, ensure_ascii=False), "utf-8")
        temporary.replace(path)

    def _state_file(self, student: str) -> Path:
        return self.state / f"{student}.json"


def _as_done(executor: Executor, pending: dict[str, Job]) -> Iterator[tuple[str, Done]]:
    futures = {executor.submit(grade_one, job): student for student, job in pending.items()}
    for future in as_completed(futures):
        yield futures[future], future.result()


def fingerprint(folder: Path) -> str:
    """Return a digest of names, sizes and contents of a submission folder.

    Content counts up to what a submission may hold; beyond that, it is refused unread anyway.
    """
    digest = hashlib.sha256()
    room = MAX_BYTES
    for path, info in _files(folder):
        room -= info.st_size
        digest.update(f"{path} {info.st_size}".encode("utf-8", "surrogateescape"))
        if room >= 0:
            with contextlib.suppress(OSError), (folder / path).open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        if room < 0:
            digest.update(str(info.st_mtime_ns).encode())
    return digest.hexdigest()[:16]


def _files(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the ordinary files of a submission, in order, as far as it may be staged."""
    with contextlib.suppress(OSError):
        for entry, relative, depth in walk(folder):
            if depth > MAX_DEPTH:
                return
            if entry.is_file(follow_symlinks=False):
                yield relative, entry.stat(follow_symlinks=False)


def fingerprint_of_lab(lab: str, master: NotebookNode) -> str:
    """Return a digest of what decides a lab's scores: its cells, its checks, the grader."""
    here = Path(__file__).parent
    digest = hashlib.sha256(f"{ENGINE} {version('nbgrader')}".encode())
    digest.update(nbformat.writes(master).encode())
    own = [*here.glob(f"checks/*{lab}*"), *here.glob(f"starts/*{lab}*")]
    # Start states may be whole folders.
    own += [path for folder in own if folder.is_dir() for path in folder.rglob("*")]
    shared = [p for p in here.glob("*.py") if p.stem not in _NO_SCORES]
    shared += here.glob("flow/*.py")
    for path in sorted({*own, *shared}):
        if path.is_file() and path.suffix != ".pyc":
            digest.update(f"{path.relative_to(here)} ".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


@contextmanager
def _only_one(course: Course) -> Iterator[None]:
    """Hold the course's grading lock: two gradings at once would write over each other."""
    lock = course.root / ".grading" / "lock"
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        handle = lock.open("w")
    except OSError as error:
        raise UserError(_explain(error, course)) from error
    with handle:
        try:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:
            pass  # Windows without WSL: grading needs Linux anyway
        except BlockingIOError as error:
            raise UserError(
                f"another grading is under way in {course.root}; wait for it to end."
            ) from error
        yield


def _explain(error: Exception, course: Course) -> str:
    if isinstance(error, OSError):
        # A copy that failed for many files says so in a list, without a number.
        number = error.errno or (28 if "No space left" in str(error) else 0)
        remedies = {
            28: "the disk is full: make room and run the command again, it resumes",
            30: "the file system is read-only: grade in a folder you can write to",
            13: "no permission: make the folder writable and run the command again",
            122: "your disk quota is used up: make room and run the command again",
        }
        where = error.filename or course.root
        return f"{where}: {remedies.get(number, error.strerror or str(error)[:300])}"
    return str(error)
