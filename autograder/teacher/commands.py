"""The instructor's commands around `autograder grade`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from autograder.paths import UserError, find_course
from autograder.verdict import number

if TYPE_CHECKING:
    from autograder.teacher.collect import Collection

console = Console()
_FILE = click.Path(path_type=Path)


def _say(text: str, style: str = "") -> None:
    console.print(Text(text, style), soft_wrap=True)


def _time(utc: datetime) -> str:
    """Write a time as this machine's clock shows it, and as UTC where that differs."""
    here = utc.replace(tzinfo=UTC).astimezone()
    said = f"{here:%A, %d %B %Y, %H:%M %Z}"
    return said if not here.utcoffset() else f"{said} ({utc:%Y-%m-%d %H:%M} UTC)"


@click.command("practice")
@click.argument("lab", default="s2_git")
@click.option("--into", type=_FILE, default=Path("practice"), show_default=True)
def practice_command(lab: str, into: Path) -> None:
    """Make an invented class of six, as Moodle, Canvas, Git and a folder of zips bring it."""
    from autograder.teacher.practice import make_practice

    with console.status("six students do the lab …"):
        made = make_practice(find_course(), lab, into.resolve())
    for path in made:
        _say(f"  {into / path.name}{'/' if path.is_dir() else ''}")


@click.command("roster")
@click.argument("table", type=_FILE, required=False)
def roster_command(table: Path | None) -> None:
    """Enter the class from a CSV TABLE: Canvas's, Moodle's or your own; without one, show it."""
    from autograder.teacher.roster import enrol, read_roster, students_of

    course = find_course()
    if table is None:
        shown = Table(box=None, header_style="bold", pad_edge=False)
        for heading in ("id", "Name", "E-mail", "Number there", "Repository"):
            shown.add_column(heading, overflow="fold")
        for s in students_of(course):
            shown.add_row(*map(Text, (s.id, s.name, s.email, s.lms_id, s.repository)))
        console.print(shown)
        return
    done = enrol(course, read_roster(table))
    _say(f"{len(done.students)} students, {len(done.new)} of them new, in {course.gradebook}.")
    _say(f"Your class is in {course.root / 'roster.csv'}: correct it there, and enter it again.")
    if done.not_in_file:
        _say(
            f"Only in the gradebook: {', '.join(done.not_in_file)}. Their scores stay; to remove "
            "somebody with all scores: nbgrader db student remove ID --force."
        )


@click.command("handout")
@click.option("--into", type=_FILE, default=Path("mlops-workbook.zip"), show_default=True)
def handout_command(into: Path) -> None:
    """Write the workbook for learners as a zip file: everything they need, no solutions."""
    from autograder.teacher.handout import make_handout

    count = make_handout(find_course(), into.resolve())
    _say(f"{into}: {count} files, {into.stat().st_size / 1e6:.1f} MB, no solutions.")


@click.command("due")
@click.argument("lab")
@click.argument("when")
def due_command(lab: str, when: str) -> None:
    """Set WHEN a LAB is due: "2026-12-01 18:00", this machine's time zone if you name none."""
    from autograder.teacher.late import set_due

    due = set_due(find_course(), lab, when)
    _say(f"{lab} is due {_time(due)}.")


@click.command("extend")
@click.argument("lab")
@click.argument("student")
@click.option("--days", type=float, required=True, help="After the due date; 0 takes it back.")
def extend_command(lab: str, student: str, days: float) -> None:
    """Give a STUDENT more time for a LAB; what was taken off for being late is worked out anew."""
    from autograder.teacher.late import extend

    due = extend(find_course(), lab, student, days)
    _say(f"{lab} is due for {student} {_time(due)}.")


@click.command("collect")
@click.argument("lab")
@click.argument("source", type=_FILE, required=False)
@click.option("--times", type=_FILE, default=None, help="A table of who handed in when.")
@click.option("--file-times", is_flag=True, help="Each file's own time is when it was handed in.")
@click.option("--git", is_flag=True, help="From the repositories that the roster names.")
@click.option("--repositories", default="", help="From repositories: an address with {id} in it.")
@click.option("--branch", default="", help="Of the repositories; default: each one's own.")
def collect_command(
    lab: str,
    source: Path | None,
    times: Path | None,
    file_times: bool,
    git: bool,
    repositories: str,
    branch: str,
) -> None:
    """Collect LAB from SOURCE: what Moodle or Canvas let you download, or a folder of zip files."""
    from autograder.teacher import collect
    from autograder.teacher.roster import students_of, with_repositories

    course = find_course()
    students = students_of(course)
    if bool(source) == (git or bool(repositories)):
        raise UserError("say where from: a file or folder, or --git, or --repositories PATTERN.")
    with console.status("collecting …"):
        if source:
            done = collect.collect_files(
                course, lab, source, students, file_times=file_times, times=times
            )
        else:
            students = with_repositories(students, repositories) if repositories else students
            done = collect.collect_repositories(course, lab, students, branch)
    _show(done)
    sys.exit(1 if done.left else 0)


def _show(done: Collection) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("Student", "", "Received (UTC)", "From"):
        table.add_column(heading)
    for p in done.placed:
        when = f"{p.received:%Y-%m-%d %H:%M}" if p.received else "–"
        table.add_row(*map(Text, (p.student.id, p.outcome, when, p.source[-60:])))
    if done.placed:
        console.print(table)
    for p in done.placed:
        for note in p.notes:
            _say(f"  {p.student.id}: {note}", "dim")
    if bare := [p.student.id for p in done.placed if not p.evidence]:
        _say(f"Without a work/ folder, so their cells will be run: {', '.join(bare)}.", "dim")
    _say(f"Collected {len(done.placed)} of {len(done.placed) + len(done.nothing_from)}.", "bold")
    if done.nothing_from:
        _say("Nothing from: " + ", ".join(s.id for s in done.nothing_from) + ".")
    for left in done.left:
        _say(f"✘ {left.source}: {left.why}.", "red")
    if any("roster goes by" in left.why or " fits " in left.why for left in done.left):
        _say("Put such a name into the roster's column also (several: a;b), and collect again.")


@click.command("feedback")
@click.argument("lab")
@click.option("--student", "only", multiple=True, help="Only this student; may be repeated.")
def feedback_command(lab: str, only: tuple[str, ...]) -> None:
    """Write LAB's feedback anew, after scores or comments by hand in Formgrader."""
    from autograder.teach import feedback_again

    course = find_course()
    with console.status("writing feedback …"):
        written = feedback_again(course, course.require_lab(lab), only)
    _say(f"{len(written)} pages of feedback: {course.feedback / '<student>' / lab}")


@click.command("export")
@click.argument("labs", nargs=-1)
@click.option("--for", "form", type=click.Choice(["csv", "canvas", "moodle"]), default="csv")
@click.option("--fill", type=_FILE, default=None, help="A table the platform exported, to fill in.")
@click.option("--scale", is_flag=True, help="Convert where the platform's maximum is another.")
@click.option("--into", type=_FILE, default=None, help="Default: exports/FORM.csv")
@click.option("--zero", is_flag=True, help="A zero where nothing was handed in; else empty.")
def export_command(
    labs: tuple[str, ...],
    form: str,
    fill: Path | None,
    into: Path | None,
    zero: bool,
    scale: bool,
) -> None:
    """Write scores of LABS (default: all graded) as a table: plain, for Canvas or for Moodle."""
    from autograder.teacher.export import Form, export

    course = find_course()
    into = into or course.root / "exports" / f"{form}.csv"
    done = export(course, labs, Form(form), into, fill=fill, zero=zero, scale=scale)
    for note in done.notes:
        _say(note)
    _say(f"Scores: {done.path}")


@click.command("formgrader", context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def formgrader_command(arguments: tuple[str, ...]) -> None:
    """Open nbgrader's Formgrader on the class; ARGUMENTS go on to `jupyter lab`."""
    from autograder.jupyter import open_jupyterlab

    sys.exit(open_jupyterlab(find_course(), ["--LabApp.default_url=/formgrader", *arguments]))


@click.command("late")
@click.argument("lab")
def late_command(lab: str) -> None:
    """Work out what being late costs in LAB, after a change of the policy, and show it."""
    from autograder.teacher.late import apply

    course = find_course()
    found = apply(course, course.require_lab(lab))
    for student, points in sorted(found.items()):
        _say(f"{student}: {number(-round(points, 2))} points")
    _say(f"{len(found)} students lose points for being late with {lab}.")


COMMANDS = (
    practice_command,
    roster_command,
    handout_command,
    due_command,
    extend_command,
    collect_command,
    late_command,
    feedback_command,
    formgrader_command,
    export_command,
)
