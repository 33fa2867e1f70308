"""The learner's commands: check, watch, reset, progress, doctor, pack."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.text import Text

from autograder.paths import Course, UserError, find_course
from autograder.results import Status
from autograder.verdict import Verdict, number

if TYPE_CHECKING:
    from autograder.learner.doctor import Found

console = Console()
_STYLE = {Status.PASSED: "green", Status.FAILED: "red", Status.NOT_GRADED: "dim"}


@click.command("check")
@click.argument("lab")
@click.argument("task", type=int, required=False)
def check_command(lab: str, task: int | None) -> None:
    """Check your work on LAB (all of it, or one TASK) as the notebook would."""
    from autograder.learner.selfcheck import check_lab, of_another_release

    course = find_course()
    verdicts = check_lab(course, course.require_lab(lab), task)
    _show(verdicts)
    if note := of_another_release(course, lab):
        _say(note)
    sys.exit(0 if all(v.status is Status.PASSED for v in verdicts) else 1)


@click.command("watch")
@click.argument("lab")
@click.argument("task", type=int, required=False)
def watch_command(lab: str, task: int | None) -> None:
    """Check LAB (or one TASK) again whenever its files change; Ctrl+C ends it."""
    from autograder.learner.watch import watch_lab

    course = find_course()
    course.require_lab(lab)
    before: dict[str, Status] = {}
    for verdicts in watch_lab(course, lab, task):
        if console.is_terminal:
            console.clear()
        _show(verdicts, cards=1, before=before)
        before = {v.name: v.status for v in verdicts}
        where = f"labs/{lab}/work"
        console.print(Text(f"Watching {where}. Save a file or commit; Ctrl+C ends.", "dim"))


def _show(
    verdicts: list[Verdict], cards: int | None = None, before: dict[str, Status] | None = None
) -> None:
    """Print a line for each check that is green and the card of each that is not."""
    left = cards if cards is not None else len(verdicts)
    for verdict in verdicts:
        open_ = verdict.status is not Status.PASSED
        # The running total comes once, at the end.
        verdict = replace(verdict, footer="")
        text = verdict.text() if open_ and left > 0 else verdict.head()
        left -= open_
        new = before and before.get(verdict.name) is Status.FAILED and not open_
        text += "  ← now green" if new else ""
        console.print(Text(text, _STYLE[verdict.status]), soft_wrap=True)
    got, most = sum(v.points for v in verdicts), sum(v.max_points for v in verdicts)
    console.print(Text(f"\n{number(got)} of {number(most)} points", "bold"))


@click.command("reset")
@click.argument("lab")
@click.argument("task", required=False)
@click.option("--keep-notebook", is_flag=True, help="Fresh evidence only; the notebook stays.")
@click.option("--keep-work", is_flag=True, help="A fresh notebook only; the evidence stays.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset_command(
    lab: str, task: str | None, keep_notebook: bool, keep_work: bool, yes: bool
) -> None:
    """Begin LAB again (or one TASK of it); your old work is kept beside the new."""
    from autograder.lab import LabError
    from autograder.learner.reset import reset_lab, reset_task

    course = find_course()
    course.require_lab(lab)
    what = f"task {task} of {lab}" if task else f"all of {lab}"
    what = f"the notebook of {lab}" if keep_work else what
    if not yes and sys.stdin.isatty():
        click.confirm(f"Begin {what} again? Your old work is kept aside.", abort=True)
    if task:
        try:
            reset_task(course, lab, task)
        except LabError as error:
            raise UserError(str(error)) from error
        return
    kept = reset_lab(course, lab, keep_notebook=keep_notebook, keep_work=keep_work)
    for path in kept:
        _say(f"Your earlier work is in {path.relative_to(course.root)}.")
    if keep_work:
        _say(f"The notebook of {lab} is as it was at the start; your evidence was not touched.")
    else:
        _say(f"labs/{lab} is as it was at the start. What you had reached stays in your progress.")
    if any(path.suffix == ".ipynb" for path in kept):
        _say("If the notebook is open in JupyterLab: File → Reload Notebook from Disk.")


@click.command("progress")
@click.argument("lab", required=False)
@click.option("--html", type=click.Path(path_type=Path), default=None, help="Write the page here.")
def progress_command(lab: str | None, html: Path | None) -> None:
    """Show stages, labs and points, and what comes next."""
    from autograder.learner.standing import standing

    course = find_course()
    now = standing(course)
    if html:
        from autograder.learner.page import progress_page

        try:
            html.write_text(progress_page(now, to_root=None), "utf-8")
        except OSError as error:
            raise UserError(
                f"{html}: {error.strerror}. Name a file in a folder of yours."
            ) from error
        _say(f"Your progress is in {html}.")
        return
    if lab:
        course.require_lab(lab)
    from autograder.learner.terminal import progress_tables

    for table in progress_tables(now, lab):
        console.print(table)


@click.command("doctor")
@click.option("--fix", is_flag=True, help="Install what is missing, where that is safe.")
def doctor_command(fix: bool) -> None:
    """Look at every tool: is it there, what is it for, how do you get it?"""
    from autograder.learner import doctor

    course = _course_or_none()
    found = doctor.examine(course)
    _print_found(found)
    commands = doctor.repairs(found, course) if course else []
    if fix:
        _run(commands)
        found = doctor.examine(course)
        _print_found([f for f in found if not f.good])
    elif commands:
        _say("`autograder doctor --fix` would run: " + "; ".join(" ".join(c) for c in commands))
    sys.exit(1 if any(f.tool.required and not f.good for f in found) else 0)


def _course_or_none() -> Course | None:
    try:
        return find_course()
    except UserError as error:
        _say(str(error))
        return None


def _print_found(found: Iterable[Found]) -> None:
    from autograder.learner.terminal import doctor_lines

    for line in doctor_lines(found):
        console.print(line, soft_wrap=True)


def _run(commands: list[list[str]]) -> None:
    if not commands:
        _say("Nothing here can be put right safely without you; the lines are above.")
    for command in commands:
        _say("$ " + " ".join(command))
        if code := subprocess.run(command).returncode:
            _say(f"That ended with exit code {code}; its message is above.")


@click.command("pack")
@click.argument("lab")
@click.option("--into", type=click.Path(path_type=Path, file_okay=False, exists=True), default=None)
def pack_command(lab: str, into: Path | None) -> None:
    """Put LAB's notebook and evidence into LAB.zip, to hand in."""
    from autograder.learner.pack import pack_lab

    course = find_course()
    path, notes = pack_lab(course, lab, into)
    for note in notes:
        _say(note)
    _say(f"{path} ({path.stat().st_size / 1e6:.1f} MB). Save your notebook before you pack it.")


def _say(text: str) -> None:
    console.print(Text(text), soft_wrap=True)


COMMANDS = (
    check_command,
    watch_command,
    reset_command,
    progress_command,
    doctor_command,
    pack_command,
)
