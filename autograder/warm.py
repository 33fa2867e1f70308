"""Warm parents and the kernels forked from them, by jupyter_client's own extension point."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import KernelProvisionerBase
from traitlets import Unicode

from autograder import sandbox
from autograder.forkserver import COUNT_ORPHANS, NO_LANDLOCK, OWN_MEMORY
from autograder.staging import remove_tree

_START_SECONDS = 120.0
_ANSWER_SECONDS = 10.0
_parents: weakref.WeakValueDictionary[str, WarmParent] = weakref.WeakValueDictionary()


class WarmParentError(RuntimeError):
    """A warm parent did not start or no longer answers."""


@dataclass
class WarmParent:
    """A running fork server and the sandbox around it.

    ``folder`` is the one place its kernels can write, apart from a private ``/tmp`` and ``ipc``,
    where the sockets to their clients lie.  ``modules`` are imported before the first fork.
    ``hidden`` are folders of the environment that they find empty.
    """

    name: str
    folder: Path
    modules: Sequence[str] = ()
    readable: Sequence[Path] = ()
    writable: Sequence[Path] = ()
    environment: dict[str, str] = field(default_factory=dict)
    confined: bool = True
    trusted: bool = False
    limits: dict[str, int] = field(default_factory=dict)
    arguments: Sequence[str] = ()
    hidden: Sequence[Path] = ()

    def __post_init__(self) -> None:
        # Socket paths may have 107 characters: a short folder of our own.
        self.ipc = Path(tempfile.mkdtemp(prefix="ag-", dir="/tmp"))
        self.process: subprocess.Popen[bytes] | None = None
        self._buffer, self._ready = b"", False
        self.cpu = 0.0
        self.id = f"{self.name}-{id(self)}"
        _parents[self.id] = self

    def start(self) -> WarmParent:
        """Start the server and wait until its imports are done; does nothing if it runs."""
        self.begin()
        self._wait()
        return self

    def begin(self) -> None:
        """Start the server and return at once; does nothing if it runs."""
        if self.alive:
            return
        env = sandbox.clean_environment(self.environment)
        command = [sys.executable, "-P", "-m", "autograder.forkserver", *self.modules]
        if self.confined:
            env |= {"HOME": "/tmp/home", "TMPDIR": "/tmp", OWN_MEMORY: "1"}
            env |= {NO_LANDLOCK: "1"} if os.environ.get(NO_LANDLOCK) else {}
            env["AUTOGRADER_CONFINED" if not self.trusted else COUNT_ORPHANS] = "1"
            walls = sandbox.bwrap(
                [self.folder, self.ipc, *self.writable],
                self.readable,
                chdir=self.folder,
                env=env,
                trusted=self.trusted,
                hidden=self.hidden,
            )
            command = walls + command
        self._buffer, self._ready = b"", False
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
            env=env,
            start_new_session=True,
        )

    def _wait(self) -> None:
        if not self._ready:
            self._read(_START_SECONDS)
            self._ready = True

    @property
    def alive(self) -> bool:
        """True while the server process runs."""
        process = self.process
        return process is not None and process.poll() is None

    @property
    def pid(self) -> int:
        """Process id of the outermost process: all of the sandbox is below it."""
        return self.process.pid if self.process else 0

    def ask(self, **command: Any) -> dict[str, Any]:
        """Send one command and return the answer; raises WarmParentError if none comes."""
        # Whoever watches over the limits may end the parent at any moment, in another thread.
        process = self.process
        if process is None or process.poll() is not None or process.stdin is None:
            raise WarmParentError(f"{self.name}: the warm parent has ended")
        self._wait()
        try:
            process.stdin.write(json.dumps(command).encode() + b"\n")
            process.stdin.flush()
            answer = self._read(_ANSWER_SECONDS)
        except (OSError, ValueError, AttributeError) as error:
            raise WarmParentError(f"{self.name}: the warm parent has ended") from error
        if "error" in answer:
            raise WarmParentError(f"{self.name}: {answer['error']}")
        return answer

    def _read(self, seconds: float) -> dict[str, Any]:
        process = self.process
        if process is None or process.stdout is None:
            raise WarmParentError(f"{self.name}: the warm parent has ended")
        deadline = time.monotonic() + seconds
        descriptor = process.stdout.fileno()
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([descriptor], [], [], left)[0]:
                self.stop()
                raise WarmParentError(f"{self.name}: no answer within {seconds:.0f} s")
            chunk = os.read(descriptor, 65536)
            if not chunk:
                self.stop()
                raise WarmParentError(f"{self.name}: the warm parent has ended")
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        return json.loads(line)

    def hold(self, still: bool) -> None:
        """Stop every process that kernels started, or let them go on; no parent, no process."""
        if self.confined and self.alive:
            with contextlib.suppress(WarmParentError):
                self.ask(do="hold" if still else "go_on")

    def sweep(self) -> None:
        """End all that kernels left running; a parent that cannot is stopped with all of it.

        ``cpu`` then says how many seconds of CPU they used, as far as they came to an end.
        """
        self.cpu = 0.0
        if not self.alive:
            self._empty_ipc()
            return
        try:
            answer = self.ask(do="sweep")
            clean, self.cpu = answer["left"] == 0, answer["cpu"]
        except WarmParentError:
            clean = False
        if not clean:
            self.stop()
        self._empty_ipc()

    def _empty_ipc(self) -> None:
        for entry in self.ipc.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                remove_tree(entry)
            else:
                entry.unlink(missing_ok=True)

    def stop(self) -> None:
        """End the server and, with its sandbox, every process below it."""
        process, self.process = self.process, None
        if process:
            sandbox.kill_group(process)
            for stream in (process.stdin, process.stdout):
                if stream:
                    with contextlib.suppress(OSError, ValueError):
                        stream.close()

    def close(self) -> None:
        """Stop, and remove the socket folder."""
        self.stop()
        remove_tree(self.ipc)

    def manager(self) -> AsyncKernelManager:
        """Return a kernel manager whose kernel will be forked from this parent."""
        manager = AsyncKernelManager(transport="ipc", ip=str(self.ipc / "k"))
        manager.connection_file = str(self.ipc / f"kernel-{os.urandom(4).hex()}.json")
        manager.ip = str(self.ipc / f"k{os.urandom(3).hex()}")
        provisioner = {"provisioner_name": "autograder-fork", "config": {"parent_id": self.id}}
        manager._kernel_spec = KernelSpec(
            argv=["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            display_name="Python 3",
            language="python",
            interrupt_mode="message",
            metadata={"kernel_provisioner": provisioner},
        )
        return manager


class ForkProvisioner(KernelProvisionerBase):
    """Starts a kernel by asking a warm parent to fork."""

    parent_id = Unicode(help="which warm parent of this process").tag(config=True)

    child: int | None = None
    code: int | None = None

    @property
    def warm(self) -> WarmParent:
        """The warm parent this kernel comes from."""
        return _parents[self.parent_id]

    @property
    def has_process(self) -> bool:
        """True while the kernel is thought to run."""
        return self.child is not None

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Write the connection file and return what `launch_kernel` needs."""
        manager = self.parent
        manager.write_connection_file()
        self.connection_info = manager.get_connection_info()
        command = manager.format_kernel_cmd(extra_arguments=kwargs.pop("extra_arguments", []))
        return await super().pre_launch(cmd=command, **kwargs)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> dict[str, Any]:
        """Fork the kernel and return its connection info."""
        warm = self.warm.start()
        arguments = cmd[cmd.index("-f") :]
        wanted = dict(warm.environment)
        answer = warm.ask(
            do="fork",
            cwd=str(kwargs.get("cwd") or warm.folder),
            env={"HOME": "/tmp/home" if warm.confined else tempfile.gettempdir(), **wanted},
            limits=warm.limits,
            arguments=[*arguments, "--HistoryManager.enabled=False", *warm.arguments],
            writable=[str(warm.folder), str(warm.ipc), "/tmp"]
            if warm.confined and not warm.trusted
            else None,
        )
        self.child, self.code = int(answer["pid"]), None
        return self.connection_info

    async def poll(self) -> int | None:
        """Return None while the kernel runs, else its exit code."""
        if self.child is None:
            return self.code if self.code is not None else 0
        try:
            code = self.warm.ask(do="poll", pid=self.child)["code"]
        except WarmParentError:
            code = -signal.SIGKILL
        if code is not None:
            self.child, self.code = None, int(code)
        return code

    async def wait(self) -> int | None:
        """Wait for the kernel to end."""
        import asyncio

        while await self.poll() is None:
            await asyncio.sleep(0.01)
        return self.code

    async def send_signal(self, signum: int) -> None:
        """Send a signal to the kernel's process group."""
        if self.child is not None:
            with contextlib.suppress(WarmParentError):
                self.warm.ask(do="signal", pid=self.child, signal=int(signum))

    async def kill(self, restart: bool = False) -> None:
        """End the kernel at once."""
        await self.send_signal(signal.SIGKILL)

    async def terminate(self, restart: bool = False) -> None:
        """Ask the kernel to end."""
        await self.send_signal(signal.SIGTERM)

    async def cleanup(self, restart: bool = False) -> None:
        """Nothing to give back: sockets lie in the parent's folder."""
