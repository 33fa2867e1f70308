"""A pytest plug-in: nbval compares what an earlier execution put out, and runs nothing again.

A solution takes a minute or two to run, most of it in tools that start and stop.  papermill runs
it; with this plug-in nbval then judges the outputs of that run as if a kernel sent them now.  Give
the executed notebook's path in the environment variable that `EXECUTED` names.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import nbformat
import nbval.plugin

EXECUTED = "NBVAL_EXECUTED_NOTEBOOK"


class RecordedKernel:
    """Stands where nbval has its kernel, and sends a recorded notebook's outputs."""

    language = "python"

    def __init__(self, *_: Any, **__: Any) -> None:
        nb = nbformat.read(os.environ[EXECUTED], 4)
        self._cells = iter([cell for cell in nb.cells if cell.cell_type == "code"])
        self._messages: Iterator[dict[str, Any]] = iter(())
        self._count = 0

    def execute_cell_input(self, cell_input: str, allow_stdin: bool | None = None) -> str:
        """Go on to the cell that has this text; raises AssertionError if none follows."""
        cell = next((cell for cell in self._cells if cell.source == cell_input), None)
        assert cell is not None, f"the executed notebook has no such cell: {cell_input[:80]}"
        assert cell.execution_count is not None, f"this cell was not executed: {cell_input[:80]}"
        self._count += 1
        self._messages = _messages(str(self._count), cell.outputs)
        return str(self._count)

    def get_message(self, stream: str, timeout: float | None = None) -> dict[str, Any]:
        """Return the next message of the cell."""
        return next(self._messages)

    def await_reply(self, msg_id: str, timeout: float | None = None) -> None:
        """Return at once: the cell has ended long ago."""

    def await_idle(self, parent_id: str, timeout: float) -> None:
        """Return at once: the cell has ended long ago."""

    def is_alive(self) -> bool:
        """True: a recording does not die."""
        return True

    def interrupt(self) -> None:
        """Do nothing: nothing runs."""

    stop = restart = interrupt


def _messages(cell: str, outputs: list[Any]) -> Iterator[dict[str, Any]]:
    """Yield a cell's outputs as the messages of the Jupyter protocol that brought them."""
    for output in outputs:
        content = {name: value for name, value in output.items() if name != "output_type"}
        yield {
            "msg_type": output.output_type,
            "parent_header": {"msg_id": cell},
            "content": content,
        }
    yield {
        "msg_type": "status",
        "parent_header": {"msg_id": cell},
        "content": {"execution_state": "idle"},
    }


def pytest_configure() -> None:
    """Take nbval's kernel away; called where this file is a plug-in, not where it is imported."""
    nbval.plugin.RunningKernel = RecordedKernel
