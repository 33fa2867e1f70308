"""The warm parent: a process that has done the imports, and forks a ready kernel on request.

Runs as ``python -m autograder.forkserver`` inside a sandbox.  Commands come as JSON lines on
standard input, answers go out as JSON lines on standard output; a kernel inherits neither.  It
holds nothing a learner may not see: no hidden test, no gradebook, no other submission.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import re
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_PR_SET_DUMPABLE = 4
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
# Set by who tests what holds without the second wall, as on older kernels.
NO_LANDLOCK = "AUTOGRADER_NO_LANDLOCK"
# Set where /tmp and /dev/shm are the sandbox's own.  TMPDIR does not tell: anybody may have set it.
OWN_MEMORY = "AUTOGRADER_OWN_MEMORY"
# Set where what runs is trusted: processes that outlive their parent become this one's, and their
# CPU is counted.  A sandbox's command always does, as bubblewrap's outer process ends first.
COUNT_ORPHANS = "AUTOGRADER_COUNT_ORPHANS"
# Libraries must not start threads before the fork; they read these at import.
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_MAX_THREADS"), "1"
)
# What a kernel imports while it starts, beyond what ipykernel's own import brings.
_KERNEL_MODULES = (
    "ipykernel.kernelapp",
    "ipykernel.zmqshell",
    "ipykernel.debugger",
    "IPython.core.completerlib",
    "IPython.core.debugger",
    "IPython.core.logger",
    "IPython.core.oinspect",
    "IPython.extensions.storemagic",
    "tornado.platform.asyncio",
    "traitlets.config.argcomplete_config",
    "pydoc",
    "sandlock",
)


def main() -> None:
    """Warm up, then serve commands until standard input ends."""
    request = os.fdopen(os.dup(0), "r", encoding="utf-8")
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    _silence()
    # Nobody of the same user may look into this process or take its descriptors.
    _prctl(_PR_SET_DUMPABLE, 0)
    if os.environ.get(COUNT_ORPHANS):
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    warm_up(sys.argv[1:])
    tell_modules("parent_ready")
    parent = _Parent((request, answer))
    _reply(answer, {"ready": os.getpid()})
    for line in request:
        try:
            _reply(answer, parent.handle(json.loads(line)))
        except Exception as error:
            _reply(answer, {"error": f"{type(error).__name__}: {error}"})
    parent.sweep()


def warm_up(modules: list[str]) -> None:
    """Import what kernels will need; a module that is absent is the notebook's problem, later."""
    os.environ.update(ONE_THREAD)
    # A kernel sets this when it starts; matplotlib reads it when it is imported.
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    # No debugger will attach, and its import costs as much as the rest of a kernel's start.
    sys.modules["debugpy"] = None  # type: ignore[assignment]
    for name in (*_KERNEL_MODULES, *modules):
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    del sys.modules["debugpy"]
    if pandas := sys.modules.get("pandas"):
        # It was imported outside a notebook and would fit its tables to a terminal.
        pandas.set_option("display.max_columns", 20)
    # What is imported stays: a kernel that collects garbage need not look at it, nor copy it.
    gc.collect()
    gc.freeze()


def tell_modules(event: str) -> float:
    """Call the function of that name in each of this package's modules that has one; add up.

    ``parent_ready`` is called when the imports are done, ``kernel_begins`` in a forked child,
    ``swept`` when a submission has ended; the last returns seconds of CPU.  So a module can keep
    a process of its own warm, whose folders in ``/tmp`` it names in ``KEPT``.
    """
    total = 0.0
    for name in _own_modules():
        if call := getattr(sys.modules[name], event, None):
            with contextlib.suppress(Exception):
                total += call() or 0.0
    return total


def _own_modules() -> list[str]:
    return [name for name in sys.modules if name.startswith("autograder.")]


class _Parent:
    """The children of the warm parent, by process id."""

    def __init__(self, private: tuple[Any, Any]) -> None:
        self.private = private
        self.ended: dict[int, int] = {}
        self.alive: set[int] = set()
        self.cpu = 0.0
        self.orphans = _cpu_of_orphans()

    def handle(self, command: dict[str, Any]) -> dict[str, Any]:
        self.reap()
        match command["do"]:
            case "fork":
                return {"pid": self.fork(command)}
            case "poll":
                pid = command["pid"]
                return {"code": self.ended.get(pid) if pid not in self.alive else None}
            case "signal":
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(command["pid"], command["signal"])
                return {}
            case "hold" | "go_on" as wish:
                self.hold(wish == "hold")
                return {}
            case "sweep":
                left = self.sweep()
                if command.get("more"):
                    return {"left": left, "cpu": 0.0}
                before, self.orphans = self.orphans, _cpu_of_orphans()
                cpu = self.cpu + self.orphans - before + tell_modules("swept")
                self.cpu = 0.0
                return {"left": left, "cpu": cpu}
            case "ping":
                return {"pong": True}
        return {"error": f"unknown command {command['do']!r}"}

    def fork(self, command: dict[str, Any]) -> int:
        pid = os.fork()
        if pid == 0:
            try:
                for stream in self.private:
                    os.close(stream.fileno())
                become_kernel(command)
            finally:
                os._exit(1)
        self.alive.add(pid)
        return pid

    def reap(self) -> None:
        """Collect children that ended, kernels and what they left behind."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
                if pid == 0:
                    break
                self.cpu += usage.ru_utime + usage.ru_stime
                if pid in self.alive:
                    self.alive.discard(pid)
                    self.ended[pid] = os.waitstatus_to_exitcode(status)

    def hold(self, still: bool) -> None:
        """Stop or continue every other process of this sandbox, all at one instant."""
        if os.environ.get("AUTOGRADER_CONFINED"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(-1, signal.SIGSTOP if still else signal.SIGCONT)

    def sweep(self) -> int:
        """End every process of this sandbox but this one, and remove what they left.

        Returns how much is left all the same; the caller then does without this sandbox.
        """
        if not os.environ.get("AUTOGRADER_CONFINED"):
            for pid in self.alive:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)
            _empty_memory()
            return 0
        for _ in range(50):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(-1, signal.SIGKILL)
            self.reap()
            left = [
                int(entry.name)
                for entry in Path("/proc").iterdir()
                if entry.name.isdigit() and int(entry.name) not in (1, os.getpid())
            ]
            if not left:
                break
            time.sleep(0.02)
        self.ended.clear()
        return len(left) + _empty_memory() + _segments()


def _cpu_of_orphans() -> float:
    """Return the seconds of CPU that processes used which outlived their parent, since the start.

    In a sandbox with processes of its own their end comes to the first one, which is bubblewrap's.
    """
    if not os.environ.get("AUTOGRADER_CONFINED"):
        return 0.0
    with contextlib.suppress(OSError):
        times = Path("/proc/1/stat").read_text().rpartition(")")[2].split()[13:15]
        return sum(map(int, times)) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _empty_memory() -> int:
    """Empty ``/tmp`` and ``/dev/shm`` where they are the sandbox's own; return what stays."""
    if not os.environ.get(OWN_MEMORY):
        return 0
    kept = {path for name in _own_modules() for path in getattr(sys.modules[name], "KEPT", ())}
    return empty_memory(kept)


def empty_memory(kept: set[Path], remove: Callable[[Path], object] = shutil.rmtree) -> int:
    """Empty a sandbox's ``/tmp`` and ``/dev/shm`` around what is kept or mounted there.

    ``remove`` removes a folder.  Returns how many entries could not be removed.
    """
    mounts = _mounts()
    return sum(_clear(Path(place), kept, mounts, remove) for place in ("/tmp", "/dev/shm"))


def _clear(
    folder: Path, kept: set[Path], mounts: set[Path], remove: Callable[[Path], object]
) -> int:
    left = 0
    for entry in folder.iterdir():
        if entry in kept or entry in mounts:
            continue
        try:
            if not entry.is_dir() or entry.is_symlink():
                entry.unlink()
            elif any(entry in mount.parents for mount in mounts):
                # A workbook that lies in /tmp: its folders are brought in at their own place.
                left += _clear(entry, kept, mounts, remove)
            else:
                remove(entry)
        except (OSError, RecursionError):
            left += 1
    return left


def _mounts() -> set[Path]:
    """Return where something is mounted in this sandbox; the file writes blanks as ``\\040``.

    Raises OSError where it cannot be known: nothing must then be removed.
    """
    lines = Path("/proc/self/mountinfo").read_text("utf-8").splitlines()
    places = (line.split()[4] for line in lines)
    return {Path(re.sub(r"\\(\d{3})", lambda m: chr(int(m[1], 8)), p)) for p in places}


def _segments() -> int:
    """Count shared memory, semaphores and queues of System V, which outlive their processes."""
    count = 0
    for kind in ("shm", "sem", "msg"):
        with contextlib.suppress(OSError):
            count += len(Path(f"/proc/sysvipc/{kind}").read_text().splitlines()) - 1
    return count


def become_kernel(command: dict[str, Any]) -> None:
    """Turn this forked child into a kernel, or let it do one ``call``; returns when it ends."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.update(command["env"])
    Path(os.environ["HOME"]).mkdir(parents=True, exist_ok=True)
    os.chdir(command["cwd"])
    _prctl(_PR_SET_DUMPABLE, 1)
    # Where no namespace of its own ends with the parent, the kernel itself does.
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    _limit(command["limits"])
    if writable := command.get("writable"):
        # Whoever watches over the limits must get a turn, also amid a thousand busy processes.
        os.nice(10)
        confine(writable)
    if call := command.get("call"):
        module, _, function = call.partition(":")
        getattr(importlib.import_module(module), function)(*command["arguments"])
        return
    tell_modules("kernel_begins")
    sys.argv = ["ipykernel", *command["arguments"]]
    from ipykernel.kernelapp import IPKernelApp

    app = IPKernelApp.instance()
    app.initialize(command["arguments"])
    if "matplotlib.pyplot" in sys.modules:
        # Plots find their kernel when pyplot is imported; here it was before there was one.
        app.shell.enable_matplotlib("inline")
    app.start()


def _limit(limits: dict[str, int]) -> None:
    kinds = {
        "memory": resource.RLIMIT_AS,
        "file_size": resource.RLIMIT_FSIZE,
        "open_files": resource.RLIMIT_NOFILE,
        "processes": resource.RLIMIT_NPROC,
        "core": resource.RLIMIT_CORE,
    }
    for name, value in limits.items():
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kinds[name], (value, value))
    # A file beyond its limit is an error in the learner's cell, not the end of their kernel.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def confine(writable: list[str]) -> None:
    """Add Landlock where the kernel has it: no signal and no socket leaves the kernel's domain."""
    if os.environ.get(NO_LANDLOCK):
        return
    try:
        import sandlock
    except Exception:
        return
    if sandlock.landlock_abi_version() < sandlock.min_landlock_abi():
        return
    sandlock.confine(sandlock.Sandbox(fs_readable=["/"], fs_writable=[*writable, "/dev"]))


def _prctl(option: int, value: int) -> None:
    """Set a process attribute on Linux; elsewhere there is none to set."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _silence() -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)


def _reply(answer: Any, message: dict[str, Any]) -> None:
    answer.write(json.dumps(message) + "\n")
    answer.flush()


if __name__ == "__main__":
    main()
