"""Progress and the doctor's findings as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from autograder.learner.doctor import SYMBOLS, Found
from autograder.learner.standing import STAGES, LabStanding, Standing, TaskStanding
from autograder.verdict import number


def progress_tables(now: Standing, lab: str | None = None) -> Iterator[RenderableType]:
    """Yield what `autograder progress` prints: the course, or the tasks of one lab."""
    if lab:
        yield from (_lab_table(found) for found in now.labs if found.name == lab)
    else:
        yield _course_table(now)
    yield next_line(now)


def _course_table(now: Standing) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading, justify in (
        ("", "left"),
        ("Lab", "left"),
        ("Tasks", "right"),
        ("Points", "right"),
        ("Now on disk", "right"),
    ):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for stage, title in STAGES.items():
        labs = now.of_stage(stage)
        table.add_row("", Text(f"{stage} · {title}", "bold" if labs else "dim"), "", "", "")
        for lab in labs:
            done = sum(task.done for task in lab.tasks)
            table.add_row(
                _sign(done == len(lab.tasks), lab.started),
                f"  {lab.name}",
                f"{done} of {len(lab.tasks)}",
                f"{number(lab.best)} of {number(lab.points)}",
                number(lab.now),
            )
    table.add_row("", Text("All", "bold"), "", f"{number(now.best)} of {number(now.points)}", "")
    return table


def _lab_table(lab: LabStanding) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", title=lab.title)
    for heading in ("", "Task", "Points", "Now on disk"):
        right = heading in ("Points", "Now on disk")
        table.add_column(heading, justify="right" if right else "left")
    for task in lab.tasks:
        table.add_row(
            _sign(task.done, task.tried),
            Text(f"{task.number} · {task.title}"),
            f"{number(task.best)} of {number(task.points)}",
            number(task.now),
        )
    return table


def _sign(done: bool, begun: bool) -> Text:
    return Text("✔", "green") if done else Text("◐" if begun else "·", "yellow" if begun else "dim")


def next_line(now: Standing) -> Text:
    """Say what to do next, and where."""
    if now.next_step is None:
        return Text("\nEverything here is done." if now.labs else "\nNo labs are here yet.")
    lab, task = now.next_step
    return Text(f"\nNext: {step_text(lab, task)}\n      {lab.notebook}")


def step_text(lab: LabStanding, task: TaskStanding) -> str:
    """Name a task of a lab: ``s2_git, task 4 · Two people, one line``."""
    return f"{lab.name}, task {task.number} · {task.title}"


def doctor_lines(found: Iterable[Found]) -> Iterator[Text]:
    """Yield a line a tool; where something is not in order also its effect and what helps.

    Lines are not wrapped: what helps is there to be copied.
    """
    found = list(found)
    width = max((len(one.tool.name) for one in found), default=0)
    for one in found:
        style = "green" if one.good else ("bold red" if one.tool.required else "yellow")
        said = one.version if one.good else f"{one.state}: {one.version}".rstrip(": ")
        yield Text.assemble(
            (f"{SYMBOLS[one.state]} {one.tool.name:<{width}}  ", style),
            f"{said}  ",
            (f"· {one.tool.purpose}", "dim"),
        )
        if not one.good:
            pad = " " * (width + 4)
            yield Text(f"{pad}Works without it: {one.tool.without}.")
            yield Text.assemble(f"{pad}What helps: ", (one.remedy, "bold"))
