"""The ``autograder`` command."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import click
from rich.console import Console

from autograder.paths import UserError, find_course
from autograder.sandbox import SandboxMissingError

console = Console()
# jsonschema would use this package for addresses in other alphabets.  Notebooks hold none, and its
# import takes longer than most commands.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]


class _Friendly(click.Group):
    """Show what went wrong as one message with a remedy, not as a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        # nbgrader, git and others are called by name: this environment's come first.
        os.environ["PATH"] = (
            f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        )
        try:
            return super().invoke(ctx)
        except (UserError, SandboxMissingError) as error:
            console.print(f"[bold red]✘[/] {_plain(str(error))}", highlight=False, soft_wrap=True)
            sys.exit(1)


def _plain(text: str) -> str:
    return text.replace("[", r"\[")


@click.group(cls=_Friendly, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Build the labs, grade them, and look after the course."""


@main.command("build")
@click.argument("labs", nargs=-1)
@click.option("--check", is_flag=True, help="Write nothing; fail if a generated file is stale.")
def build_command(labs: tuple[str, ...], check: bool) -> None:
    """Make the notebooks of LABS (default: all) and of the course from their sources."""
    from autograder import build, pages

    course = find_course()
    names = [course.require_lab(lab) for lab in labs] or course.lab_names()
    stages = [] if labs else pages.page_names(course)
    if check:
        stale = [line for name in names for line in build.stale(course, name)]
        stale += [line for name in stages for line in pages.stale(course, name)]
        for line in stale:
            console.print(f"[red]✘[/] {_plain(line)}", highlight=False, soft_wrap=True)
        if stale:
            sys.exit(1)
        console.print(f"✔ {len(names)} labs and {len(stages)} pages are what their sources make.")
        return
    for name in names:
        _timed(name, lambda say, name=name: build.build(course, name, say=say))
    for name in stages:
        _timed(f"course/{name}", lambda say, name=name: pages.build(course, name))


def _timed(name: str, work) -> None:  # type: ignore[no-untyped-def]
    began = time.perf_counter()
    with console.status(f"{name} …") as status:
        work(lambda text: status.update(f"{name}: {text} …"))
    console.print(f"✔ {name}  [dim]{time.perf_counter() - began:.0f} s[/]")


@main.command("grade")
@click.argument("lab")
@click.option("--student", "students", multiple=True, help="Only this student; may be repeated.")
@click.option("--force", is_flag=True, help="Grade again what has not changed.")
@click.option("--jobs", type=int, default=None, help="Submissions at a time; default: cores + 2.")
@click.option("--cell-seconds", type=float, default=60.0, show_default=True)
@click.option("--no-feedback", is_flag=True, help="Scores only, no HTML for students.")
@click.option("--unsafe", is_flag=True, help="Grade without a sandbox, if you trust them all.")
@click.option(
    "--in-container", is_flag=True, help="Grade in Docker, where no sandbox works (macOS, Windows)."
)
@click.option("--scheduler", default=None, help="A Dask cluster: tcp://host:port.")
@click.option("--course", "root", type=click.Path(path_type=Path), default=None)
def grade_command(
    lab: str,
    students: tuple[str, ...],
    force: bool,
    jobs: int | None,
    cell_seconds: float,
    no_feedback: bool,
    unsafe: bool,
    in_container: bool,
    scheduler: str | None,
    root: Path | None,
) -> None:
    """Grade the submissions of LAB in submitted/<student>/<lab>/."""
    if in_container:
        if scheduler or unsafe:
            raise UserError("--in-container goes with neither --scheduler nor --unsafe.")
        from autograder.container import grade_in_container

        given = [lab, *(f"--student={name}" for name in students), f"--cell-seconds={cell_seconds}"]
        given += ["--force"] * force + ["--no-feedback"] * no_feedback
        given += [f"--jobs={jobs}"] if jobs else []
        sys.exit(grade_in_container(find_course(root), given))
    from autograder import pool

    pool.start_early()
    from autograder.execute import Budget
    from autograder.scale import cluster
    from autograder.teach import grade_and_report

    course = find_course(root)
    with cluster(scheduler) as executor:
        ok = grade_and_report(
            course,
            lab,
            console,
            students=students,
            force=force,
            jobs=jobs,
            budget=Budget(cell=cell_seconds, notebook=5 * cell_seconds),
            feedback=not no_feedback,
            confined=not unsafe,
            executor=executor,
        )
    sys.exit(0 if ok else 1)


@main.command("demo")
@click.argument("lab", default="s2_git")
@click.option("--into", type=click.Path(path_type=Path), default=None, help="Folder of the class.")
def demo_command(lab: str, into: Path | None) -> None:
    """Make a sample class of 12 submissions and grade it."""
    from autograder import pool

    pool.start_early()
    from autograder.demo import make_class
    from autograder.execute import Budget
    from autograder.teach import grade_and_report

    course = find_course()
    into = (into or course.root / ".cache" / "demo").resolve()
    with console.status("making a class of 12 …"):
        target = make_class(course, lab, into)
    # One submission never ends: a short limit keeps the demo short.
    ok = grade_and_report(target, lab, console, budget=Budget(cell=10, notebook=60))
    console.print(f"Formgrader: cd {target.root} && autograder formgrader", soft_wrap=True)
    sys.exit(0 if ok else 1)


@main.command("new-lab")
@click.argument("name")
@click.option("--title", default=None, help="The lab's heading.")
def new_lab_command(name: str, title: str | None) -> None:
    """Write a new lab NAME (stage, underscore, tool: s4_feast) with one working task."""
    from autograder import build
    from autograder.scaffold import new_lab

    course = find_course()
    written = new_lab(course, name, title)
    _timed(name, lambda say: build.build(course, name, say=say))
    written += [course.solutions / name / f"{name}.ipynb", course.labs / name / f"{name}.ipynb"]
    for path in written:
        console.print(f"  {path.relative_to(course.root)}", highlight=False)
    console.print(f"Next: edit solutions/{name}/{name}.py, then `make build` and `make test`.")


@main.command("lab", context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def lab_command(arguments: tuple[str, ...]) -> None:
    """Open JupyterLab on the roadmap; ARGUMENTS go on to `jupyter lab`."""
    from autograder.jupyter import open_jupyterlab

    sys.exit(open_jupyterlab(find_course(), list(arguments)))


def _add_commands() -> None:
    from autograder.learner import commands as learner
    from autograder.teacher import commands as teacher

    for command in (*learner.COMMANDS, *teacher.COMMANDS):
        main.add_command(command)


_add_commands()
