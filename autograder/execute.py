"""Run a notebook in two kernels: the learner's cells in one, the lab's own cells in another.

`TrustedExecute` is nbgrader's `Execute` step with the kernel swapped cell by cell.  Checks run in
the judge's kernel, which never runs a learner's line; set-up cells run in both; everything else
runs in the learner's.  The two share nothing but the folder the evidence lies in.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import DeadKernelError
from nbclient.util import ensure_async, run_sync
from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader.preprocessors import Execute

from autograder import sandbox
from autograder.lab import JUDGE, ROLE
from autograder.verdict import WANTED
from autograder.warm import WarmParent, WarmParentError

_READY_SECONDS = 60.0
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
    output: int = 2 << 20

    def limits(self) -> dict[str, int]:
        """Return the limits that the kernel's own process is born with."""
        return {
            "memory": 2 * self.memory,
            "file_size": self.disk // 2,
            "open_files": 1024,
            "processes": 4 * self.processes,
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

    def __post_init__(self) -> None:
        common = {**self.environment, "NBGRADER_EXECUTION": "autograde", "LANG": "C.UTF-8"}
        self.learner = WarmParent(
            "learner",
            self.room,
            self.modules,
            self.readable,
            {**common, **_TOOLS},
            confined=self.confined,
            limits=self.budget.limits(),
        )
        required = {sandbox.REQUIRED: "1"} if self.confined else {}
        self.judge = WarmParent(
            "judge",
            self.room,
            self.judge_modules,
            [*self.readable, *self.judge_readable],
            {**common, **required, ROLE: JUDGE, WANTED: "1"},
            confined=self.confined,
            trusted=True,
            arguments=["--InteractiveShellApp.ignore_cwd=True"],
        )

    def sweep(self) -> None:
        """End everything that a submission left running."""
        self.learner.sweep()
        self.judge.sweep()

    def close(self) -> None:
        """Stop both parents."""
        self.learner.close()
        self.judge.close()


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
        self.spent, self.deaths, self.stopped = 0.0, 0, ""
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
            await self._by_judge(cell, index)
        else:
            await self._by_learner(nb, cell, index)
            shown = cell.outputs
            await self._by_judge(cell, index)
            # What a set-up cell shows is for the learner; the judge's copy says the same.
            cell.outputs = shown or cell.outputs

    async def _by_judge(self, cell: NotebookNode, index: int) -> None:
        self.timeout = math.ceil(self.budget.check)
        try:
            await self._in(self.judge, cell, index)
        except (DeadKernelError, WarmParentError) as error:
            await self.judge.end()
            self._mark(cell, "CheckDiedError", f"the check's own process ended: {error}")

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
            await self._after_death(nb, cell, index)
        finally:
            self.spent += time.monotonic() - began
        if any(o.get("ename") == "CellTimeoutError" for o in cell.outputs):
            await self._after_timeout(cell)

    async def _after_timeout(self, cell: NotebookNode) -> None:
        """A loop costs its limit once: the rest of the notebook gets a quarter of it in all."""
        note = f"a cell ran longer than {self.timeout} s and was stopped"
        self._note(note)
        cell.outputs[-1].evalue = note
        left = min(self.budget.notebook - self.spent, self.budget.cell / 4)
        self.spent = self.budget.notebook - left
        if not await self._answers(self.learner):
            await self.learner.end()

    async def _answers(self, kernel: _Kernel) -> bool:
        """Tell whether a kernel that was interrupted listens again."""
        kernel.kc.kernel_info()
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            with contextlib.suppress(Exception):
                message = await ensure_async(kernel.kc.shell_channel.get_msg(timeout=0.5))
                if message["header"]["msg_type"] == "kernel_info_reply":
                    return True
        return False

    async def _after_death(self, nb: NotebookNode, cell: NotebookNode, index: int) -> None:
        """Give a notebook whose kernel died one more, so that later tasks still count."""
        await self.learner.end()
        reason = self.watch.reason or "the cell ended its kernel"
        self._mark(cell, "KernelDied", reason)
        self._note(reason)
        self.deaths += 1
        if self.watch.reason or self.deaths > 1:
            self._stop(reason)
            return
        for other in nb.cells[:index]:
            meta = other.metadata.get("nbgrader", {})
            if meta.get("locked") and not meta.get("grade") and other.cell_type == "code":
                try:
                    await self._in(self.learner, NotebookNode(other), index)
                except (DeadKernelError, WarmParentError):
                    self._stop(reason)

    async def _in(self, kernel: _Kernel, cell: NotebookNode, index: int) -> None:
        await kernel.ready()
        self.km, self.kc = kernel.km, kernel.kc
        self._output_bytes = 0
        try:
            await self.async_execute_cell(cell, index, store_history=True)
        finally:
            self.km = self.kc = None

    def process_message(
        self, msg: dict[str, Any], cell: NotebookNode, cell_index: int
    ) -> NotebookNode | None:
        """Take a message from a kernel, up to the limit on output."""
        if msg["msg_type"] in ("stream", "display_data", "execute_result", "error"):
            size = _size(msg["content"])
            before, self._output_bytes = self._output_bytes, self._output_bytes + size
            if self._output_bytes > self.budget.output:
                if before <= self.budget.output:
                    self._note(f"a cell wrote more than {self.budget.output >> 20} MB; cut there")
                return None
        if msg["msg_type"].startswith("comm_"):
            return None
        return super().process_message(msg, cell, cell_index)

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
        memory = count = 0
        try:
            processes = psutil.Process(self.parent.pid).children(recursive=True)
        except psutil.Error:
            return ""
        for process in processes:
            with contextlib.suppress(psutil.Error), process.oneshot():
                info = process.memory_info()
                memory += info.rss - getattr(info, "shared", 0)
                count += process.num_threads()
        if count > self.budget.processes:
            return f"it ran more than {self.budget.processes} processes and threads at once"
        # Forked processes share pages, which the sum counts again for each: look closely then.
        if memory > self.budget.memory and sum(map(_pss, processes)) > self.budget.memory:
            return f"it used more than {self.budget.memory / (1 << 30):.1f} GB of memory"
        return ""

    def _disk(self) -> str:
        used = 0
        for path in _files(self.room):
            with contextlib.suppress(OSError):
                used += path.lstat().st_blocks * 512
        if used > self.budget.disk:
            return f"it wrote more than {self.budget.disk >> 20} MB to disk"
        return ""


def _pss(process: psutil.Process) -> int:
    """Return a process's share of memory in bytes, shared pages divided among their users."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def _files(folder: Path) -> list[Path]:
    try:
        return list(folder.rglob("*"))
    except OSError:
        return []


def _size(content: Any) -> int:
    if isinstance(content, str):
        return len(content)
    if isinstance(content, dict):
        return sum(_size(v) for v in content.values())
    if isinstance(content, list):
        return sum(_size(v) for v in content)
    return 8


__all__ = ["Budget", "TrustedExecute", "Workshop"]
