"""Run a notebook in two kernels: the learner's cells in one, the lab's own cells in another.

`TrustedExecute` is nbgrader's `Execute` step with the kernel swapped cell by cell.  Checks run in
the judge's kernel, which never runs a learner's line; set-up cells run in both; everything else
runs in the learner's.  The two share nothing but the folder the evidence lies in.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import platform
import re
import stat
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zmq
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import DeadKernelError
from nbclient.util import ensure_async, run_sync
from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader.preprocessors import Execute

from autograder import sandbox
from autograder.lab import JUDGE, ROLE
from autograder.remember import MEMORY
from autograder.staging import remove_tree
from autograder.verdict import WANTED
from autograder.warm import WarmParent, WarmParentError

_READY_SECONDS = 60.0
_PAGE = os.sysconf("SC_PAGE_SIZE")
# What a kernel says at once; a larger message ends its connection before it fills our memory.
_MESSAGE_BYTES = 32 << 20
_SHOWN = ("stream", "display_data", "update_display_data", "execute_result", "error")


# Since Linux 5.14 the system's limit counts what is in the sandbox, before, all of its user's.
_COUNTED_APART = tuple(map(int, re.findall(r"\d+", platform.release())[:2])) >= (5, 14)
# What command line tools need where nobody is logged in and only /tmp can be written.
_TOOLS = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_EDITOR": "true",
    "LOGNAME": "learner",
    "DVC_SITE_CACHE_DIR": "/tmp/dvc",
}


@dataclass(frozen=True)
class Budget:
    """What one submission may use; seconds are wall time, sizes bytes."""

    cell: float = 60.0
    notebook: float = 300.0
    check: float = 120.0
    memory: int = 3 << 30
    processes: int = 250
    disk: int = 1 << 30
    files: int = 50_000
    output: int = 2 << 20

    def limits(self) -> dict[str, int]:
        """Return the limits that the kernel's own process is born with."""
        return {
            "memory": 2 * self.memory,
            "file_size": self.disk // 2,
            "open_files": 1024,
            "processes": (2 if _COUNTED_APART else 4) * self.processes,
            "core": 0,
        }


@dataclass
class Workshop:
    """Two warm parents over one room: a folder that holds one submission at a time."""

    room: Path
    modules: Sequence[str] = ()
    judge_modules: Sequence[str] = ()
    budget: Budget = field(default_factory=Budget)
    confined: bool = True
    readable: Sequence[Path] = ()
    judge_readable: Sequence[Path] = ()
    environment: dict[str, str] = field(default_factory=dict)
    judge_environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        common = {
            **self.environment,
            "NBGRADER_EXECUTION": "autograde",
            "LANG": "C.UTF-8",
            # Plugins of the course's own tests are of no use to a learner's; they cost a second.
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        }
        self.learner = WarmParent(
            "learner",
            self.room,
            self.modules,
            self.readable,
            environment={**common, **_TOOLS},
            confined=self.confined,
            limits=self.budget.limits(),
        )
        required = {sandbox.REQUIRED: "1"} if self.confined else {}
        # What the judge found about one submission, for the next with the same evidence.
        self.memory = Path(tempfile.mkdtemp(prefix="memory-")).resolve()
        self.judge = WarmParent(
            "judge",
            self.room,
            self.judge_modules,
            [*self.readable, *self.judge_readable],
            [self.memory],
            {
                **common,
                **self.judge_environment,
                **required,
                ROLE: JUDGE,
                WANTED: "1",
                MEMORY: str(self.memory),
            },
            confined=self.confined,
            trusted=True,
            arguments=["--InteractiveShellApp.ignore_cwd=True"],
        )

    def sweep(self) -> None:
        """End everything that a submission left running."""
        self.learner.sweep()
        self.judge.sweep()

    @property
    def cpu(self) -> float:
        """Seconds of CPU that the kernels of the submission swept last have used."""
        return self.learner.cpu + self.judge.cpu

    def close(self) -> None:
        """Stop both parents."""
        self.learner.close()
        self.judge.close()
        remove_tree(self.memory)


class _Kernel:
    """One kernel and its client, made when first needed."""

    def __init__(self, parent: WarmParent, folder: Path) -> None:
        self.parent, self.folder = parent, folder
        self.km: AsyncKernelManager | None = None
        self.kc: Any = None

    async def ready(self) -> None:
        """Fork the kernel and wait for its first reply."""
        if self.km is not None:
            return
        self.km = self.parent.manager()
        self.km.context.setsockopt(zmq.MAXMSGSIZE, _MESSAGE_BYTES)
        # The client knocks before the kernel listens; by default it knocks again after 100 ms.
        self.km.context.setsockopt(zmq.RECONNECT_IVL, 5)
        await ensure_async(self.km.start_kernel(cwd=str(self.folder)))
        self.kc = self.km.client()
        self.kc.start_channels()
        self.kc.allow_stdin = False
        deadline = time.monotonic() + _READY_SECONDS
        # A plain wait_for_ready also waits for silence, which costs a fifth of a second.
        while True:
            self.kc.kernel_info()
            with contextlib.suppress(Exception):
                await ensure_async(self.kc.shell_channel.get_msg(timeout=1))
                # The channel for outputs connects by itself; before it has, they get lost.
                await ensure_async(self.kc.iopub_channel.get_msg(timeout=1))
                return
            if time.monotonic() > deadline or not await ensure_async(self.km.is_alive()):
                raise DeadKernelError(f"the {self.parent.name}'s kernel did not start")

    async def end(self) -> None:
        """End the kernel and forget it."""
        km, kc, self.km, self.kc = self.km, self.kc, None, None
        if kc is not None:
            kc.stop_channels()
        if km is not None:
            with contextlib.suppress(Exception):
                await ensure_async(km.shutdown_kernel(now=True))


class GraderError(RuntimeError):
    """The grader itself failed; no score follows from it."""


class TrustedExecute(Execute):
    """nbgrader's `Execute` with two kernels and a budget for the whole notebook."""

    def __init__(self, workshop: Workshop, *, learner_runs: bool = True, **kwargs: Any) -> None:
        # What a hostile kernel never sends is not waited for.
        super().__init__(raise_on_iopub_timeout=False, iopub_timeout=1, **kwargs)
        self.workshop = workshop
        self.budget = workshop.budget
        self.learner_runs = learner_runs
        self.trouble: list[str] = []

    def preprocess(
        self, nb: NotebookNode, resources: dict[str, Any], km: Any = None
    ) -> tuple[NotebookNode, dict[str, Any]]:
        """Execute the notebook and return it; what went wrong is in ``trouble``."""
        self._check_assign_resources(resources)
        return run_sync(self._run)(nb, resources)

    async def _run(
        self, nb: NotebookNode, resources: dict[str, Any]
    ) -> tuple[NotebookNode, dict[str, Any]]:
        folder = Path(resources["metadata"]["path"])
        self.nb = nb
        self.reset_execution_trackers()
        self.learner = _Kernel(self.workshop.learner, folder)
        self.judge = _Kernel(self.workshop.judge, folder)
        self.spent, self.judged, self.deaths, self.stopped = 0.0, 0.0, 0, ""
        watch = _Watch(self.workshop.learner, self.workshop.room, self.budget)
        try:
            with watch:
                self.watch = watch
                for index, cell in enumerate(nb.cells):
                    if cell.cell_type == "code" and cell.source.strip():
                        await self._cell(nb, cell, index)
        finally:
            await self.learner.end()
            await self.judge.end()
        return nb, resources

    async def _cell(self, nb: NotebookNode, cell: NotebookNode, index: int) -> None:
        meta = cell.metadata.get("nbgrader", {})
        locked = (
            bool(meta.get("grade_id"))
            and not meta.get("solution")
            and (meta.get("grade") or meta.get("locked"))
        )
        if not locked:
            if self.learner_runs:
                await self._by_learner(nb, cell, index)
        elif meta.get("grade") or not self.learner_runs:
            await self._by_judge(nb, cell, index)
        else:
            await self._by_learner(nb, cell, index)
            shown = cell.outputs
            await self._by_judge(nb, cell, index)
            # What a set-up cell shows is for the learner; the judge's copy says the same.
            cell.outputs = shown or cell.outputs

    async def _by_judge(self, nb: NotebookNode, cell: NotebookNode, index: int) -> None:
        # All checks together have an end, too: evidence can be made so that each one takes long.
        left = self.budget.notebook + self.budget.check - self.judged
        if left <= 0:
            self._mark(cell, "CellTimeoutError", "not judged: the evidence takes too long to read")
            return
        self.timeout = max(1, math.ceil(min(self.budget.check, left)))
        began = time.monotonic()
        try:
            with self._still():
                await self._in(self.judge, cell, index)
        except (DeadKernelError, WarmParentError) as error:
            self._mark(cell, "CheckDiedError", f"the check's own process ended: {error}")
            await self._anew(self.judge, nb, index)
        finally:
            self.judged += time.monotonic() - began
        self._refuse_failed_setup(cell)
        if _timed_out(cell):
            note = f"a check could not read its evidence within {self.timeout} s"
            self._note(note)
            cell.outputs[-1].evalue = note
            if not await self._answers(self.judge):
                await self._anew(self.judge, nb, index)

    def _refuse_failed_setup(self, cell: NotebookNode) -> None:
        """Raise GraderError if the grader's own set-up failed, or its sandbox inside a check.

        No learner's line runs there.  Without it no check could be right, so this must end as a
        failure of the grader, never as zero points of a student.
        """
        check = cell.metadata.nbgrader.get("grade")
        for output in cell.outputs:
            if output.output_type == "error" and (
                not check or output.ename == "SandboxMissingError"
            ):
                raise GraderError(
                    f"cell {cell.metadata.nbgrader.grade_id} fails in the grader's own kernel: "
                    f"{output.ename}: {output.evalue}"
                )

    @contextlib.contextmanager
    def _still(self) -> Iterator[None]:
        """Hold every process of the learner while the judge looks.

        What a check reads then stays what it is until the check has ended, and a hundred busy
        processes cannot make it late.
        """
        parent = self.workshop.learner
        parent.hold(True)
        try:
            yield
        finally:
            parent.hold(False)

    async def _by_learner(self, nb: NotebookNode, cell: NotebookNode, index: int) -> None:
        if not self.stopped and self.spent >= self.budget.notebook:
            self._stop(f"the notebook ran longer than {self.budget.notebook:.0f} s in all")
        if self.stopped:
            self._mark(cell, "NotRun", f"not run: {self.stopped}")
            return
        left = min(self.budget.cell, self.budget.notebook - self.spent)
        self.timeout = max(1, math.ceil(left))
        began = time.monotonic()
        try:
            await self._in(self.learner, cell, index)
        except (DeadKernelError, WarmParentError):
            await self._after_death(nb, cell, index, "the cell ended its kernel")
        except Exception:
            # A learner's kernel can say anything on its channels, also what no client can read.
            await self._after_death(nb, cell, index, "the cell made its kernel send nonsense")
        finally:
            self.spent += time.monotonic() - began
        if _timed_out(cell):
            await self._after_timeout(nb, cell, index)

    async def _after_timeout(self, nb: NotebookNode, cell: NotebookNode, index: int) -> None:
        """A loop costs its limit once: the rest of the notebook gets a quarter of it in all."""
        note = f"a cell ran longer than {self.timeout} s and was stopped"
        self._note(note)
        cell.outputs[-1].evalue = note
        left = min(self.budget.notebook - self.spent, self.budget.cell / 4)
        self.spent = self.budget.notebook - left
        if not await self._answers(self.learner):
            await self._anew(self.learner, nb, index)

    async def _answers(self, kernel: _Kernel) -> bool:
        """Tell whether a kernel that was interrupted listens again."""
        if kernel.kc is None:
            return False
        kernel.kc.kernel_info()
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            with contextlib.suppress(Exception):
                message = await ensure_async(kernel.kc.shell_channel.get_msg(timeout=0.5))
                if message["header"]["msg_type"] == "kernel_info_reply":
                    return True
        return False

    async def _after_death(
        self, nb: NotebookNode, cell: NotebookNode, index: int, reason: str
    ) -> None:
        """Give a notebook whose kernel died one more, so that later tasks still count."""
        reason = self.watch.reason or reason
        self._mark(cell, "KernelDied", reason)
        self._note(reason)
        self.deaths += 1
        if self.watch.reason or self.deaths > 1:
            await self.learner.end()
            self._stop(reason)
            return
        await self._anew(self.learner, nb, index)

    async def _anew(self, kernel: _Kernel, nb: NotebookNode, index: int) -> None:
        """Replace a kernel, and run the set-up cells that its successor needs."""
        await kernel.end()
        cell = nb.cells[index]
        self.timeout = math.ceil(self.budget.cell)
        for other in nb.cells[:index]:
            meta = other.metadata.get("nbgrader", {})
            if meta.get("locked") and not meta.get("grade") and other.cell_type == "code":
                try:
                    await self._in(kernel, NotebookNode(other), index)
                except Exception:
                    await kernel.end()
                    if kernel is self.learner:
                        self._stop("its kernel could not be started again")
                finally:
                    # nbclient puts the cell it has run at the index it was given.
                    nb.cells[index] = cell

    async def _in(self, kernel: _Kernel, cell: NotebookNode, index: int) -> None:
        await kernel.ready()
        self.km, self.kc = kernel.km, kernel.kc
        self._output_bytes, self._idle = 0, False
        try:
            await self.async_execute_cell(cell, index, store_history=True)
        finally:
            self.km = self.kc = None
        if not self._idle and not _timed_out(cell):
            self._note("a cell's output broke off: too much in one piece, or its channel was cut")

    def process_message(
        self, msg: dict[str, Any], cell: NotebookNode, cell_index: int
    ) -> NotebookNode | None:
        """Take a message from a kernel, up to the limit on output."""
        if msg["msg_type"].startswith("comm_"):
            return None
        content, size = _plain(msg["content"])
        if msg["msg_type"] in _SHOWN:
            before, self._output_bytes = self._output_bytes, self._output_bytes + size
            if self._output_bytes > self.budget.output:
                if before <= self.budget.output:
                    self._note(f"a cell wrote more than {self.budget.output >> 20} MB; cut there")
                return None
        self._idle = self._idle or content.get("execution_state") == "idle"
        return super().process_message({**msg, "content": content}, cell, cell_index)

    def _mark(self, cell: NotebookNode, ename: str, evalue: str) -> None:
        cell.outputs = [new_output("error", ename=ename, evalue=evalue, traceback=[evalue])]

    def _stop(self, reason: str) -> None:
        self.stopped = reason
        self._note(reason)

    def _note(self, text: str) -> None:
        if text not in self.trouble:
            self.trouble.append(text)


class _Watch:
    """Looks after what a whole process tree uses, which no limit on one process covers."""

    def __init__(self, parent: WarmParent, room: Path, budget: Budget) -> None:
        self.parent, self.room, self.budget = parent, room, budget
        self.reason = ""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        turn = 0
        while not self._ended.wait(0.2):
            if not self.parent.alive:
                continue
            self.reason = self.reason or self._tree() or (self._disk() if turn % 3 == 0 else "")
            turn += 1
            if self.reason:
                self.parent.stop()
                return

    def _tree(self) -> str:
        processes, count = _descendants(self.parent.pid, self.budget.processes)
        if count > self.budget.processes:
            return f"it ran more than {self.budget.processes} processes and threads at once"
        memory = 0
        for pid in processes:
            with contextlib.suppress(OSError, ValueError, IndexError):
                memory += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
        # Forked processes share pages, which the sum counts again for each: look closely then.
        if memory > self.budget.memory and sum(map(_pss, processes)) > self.budget.memory:
            return f"it used more than {self.budget.memory / (1 << 30):.1f} GB of memory"
        return ""

    def _disk(self) -> str:
        used = files = 0
        try:
            for info in (*_below(self.room), *_below(self.parent.ipc), *self._unnamed()):
                used, files = used + info.st_blocks * 512, files + 1
                if used > self.budget.disk:
                    return f"it wrote more than {self.budget.disk >> 20} MB into files"
                if files > self.budget.files:
                    return f"it made more than {self.budget.files} files"
        except OSError as error:
            # A folder that cannot be listed could hide any amount.
            return f"it made a folder that cannot be read ({error.strerror})"
        return ""

    def _unnamed(self) -> Iterator[os.stat_result]:
        return _held(_descendants(self.parent.pid, self.budget.processes)[0])


def _descendants(pid: int, most: int) -> tuple[list[int], int]:
    """Return the processes below one, and how many threads they are; stops beyond ``most``.

    Amid a fork bomb, a look at every process of the machine would take longer than the bomb.
    """
    found: list[int] = []
    threads = 0
    todo = [pid]
    while todo and threads <= most:
        current = todo.pop()
        try:
            tasks = [task.name for task in Path(f"/proc/{current}/task").iterdir()]
        except OSError:
            continue
        found.append(current)
        threads += len(tasks)
        for task in tasks:
            with contextlib.suppress(OSError):
                text = Path(f"/proc/{current}/task/{task}/children").read_text()
                todo += map(int, text.split())
    return found, threads


def _below(folder: Path) -> Iterator[os.stat_result]:
    """Yield what is in a folder; one that vanishes meanwhile counts as empty."""
    todo = [str(folder)]
    while todo:
        try:
            with os.scandir(todo.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(entry.path)
                    with contextlib.suppress(FileNotFoundError):
                        yield entry.stat(follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            continue


def _held(processes: list[int]) -> Iterator[os.stat_result]:
    """Yield files that have no name any more, on disk or in memory, but are open: they count."""
    seen = set()
    for process in processes:
        with contextlib.suppress(OSError):
            for entry in os.scandir(f"/proc/{process}/fd"):
                with contextlib.suppress(OSError):
                    info = Path(entry.path).stat()
                    unnamed = stat.S_ISREG(info.st_mode) and not info.st_nlink
                    if unnamed and (info.st_dev, info.st_ino) not in seen:
                        seen.add((info.st_dev, info.st_ino))
                        yield info


def _pss(pid: int) -> int:
    """Return a process's share of memory in bytes, shared pages divided among their users."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def _timed_out(cell: NotebookNode) -> bool:
    return any(o.get("ename") == "CellTimeoutError" for o in cell.outputs)


def _plain(content: Any) -> tuple[dict[str, Any], int]:
    """Return a message's content in a form that every later reader can take, and its size.

    A kernel's honest messages come through as they are.  Raises ValueError or RecursionError
    for what is no data at all.
    """
    text = json.dumps(content, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")
    plain = json.loads(text)
    if not isinstance(plain, dict):
        raise ValueError("a message without content")
    if "data" in plain:
        data = plain["data"] if isinstance(plain["data"], dict) else {}
        kept = {k: v for k, v in data.items() if isinstance(v, str) or k.endswith("json")}
        plain |= {"data": kept, "metadata": _measures(plain.get("metadata"))}
    for name in ("text", "ename", "evalue"):
        if name in plain:
            plain[name] = str(plain[name])
    if "traceback" in plain:
        plain["traceback"] = [str(line) for line in plain["traceback"] or ()]
    if not isinstance(plain.get("execution_count", 0), int):
        plain["execution_count"] = None
    # Every message costs something, an empty one as well.
    return plain, len(text) + 200


def _measures(metadata: Any) -> dict[str, Any]:
    """Keep the width and height of pictures: numbers, which no page can mistake for markup."""
    if not isinstance(metadata, dict):
        return {}
    return {
        kind: {k: v for k, v in values.items() if isinstance(v, int | float)}
        for kind, values in metadata.items()
        if isinstance(values, dict)
    }


__all__ = ["Budget", "TrustedExecute", "Workshop"]
