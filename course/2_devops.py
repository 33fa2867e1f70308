# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 2 · DevOps: a change you can trust, and take back
#
# About 110 minutes of reading and running. You need [stage 1](1_foundations.ipynb) or its habits, and
# Git. Docker is not needed: what a container *is* you build by hand. Where this stage stands among the
# others: [roadmap](roadmap.ipynb).

# %% [markdown]
# ## You will be able to
#
# - read and write a shell pipeline, and stop a process without losing its work;
# - read any Git graph, and find the commit that broke a number;
# - write a CI pipeline once and move it between four platforms;
# - say what is inside an image, and why one change re-sends ten bytes or a gigabyte;
# - check Kubernetes objects and a Helm chart before a cluster sees them.

# %% tags=["parameters"]
SMALL = False  # True: a shorter history and fewer flights

# %%
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

import flights

plt.style.use("workbook.mplstyle")
WORK = Path("work/2_devops")  # everything this notebook writes; Git ignores it
shutil.rmtree(WORK, ignore_errors=True)
WORK.mkdir(parents=True)

# Git without your own settings, and the programs of this environment first.
os.environ |= {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_EDITOR": "true",
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
}


def run(*command: str | Path, at: Path = WORK, **options) -> subprocess.CompletedProcess[str]:
    """Run a program, keep what it prints; errors go with the rest."""
    return subprocess.run(
        command, cwd=at, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options
    )


# %% [markdown]
# ## Five minutes: why
#
# On Friday the service warns twice as many travellers as on Monday. Sixty-odd commits were made in
# between, by three people. Nobody "changed the threshold". Which commit was it?
#
# With folders named `final`, `final2` and `final2_really` you would ask around. With a history you ask
# *the history*. Here is such a week: a real repository, one small change a commit.

# %%
repo = WORK / "week"
tick = 0


def git(*arguments: str, at: Path | None = None) -> str:
    """Run git as Ana, a minute after the last command, so that every run makes the same commits."""
    global tick
    tick += 60
    when = f"{1384156800 + tick} +0000"
    who = {"GIT_AUTHOR_NAME": "Ana", "GIT_AUTHOR_EMAIL": "ana@example.org", "GIT_AUTHOR_DATE": when}
    who |= {name.replace("AUTHOR", "COMMITTER"): value for name, value in who.items()}
    return run("git", *arguments, at=at or repo, env=os.environ | who).stdout.rstrip()


def commit(message: str, **files: str) -> None:
    """Write files (`name__py` is name.py) and commit them."""
    for name, text in files.items():
        (repo / name.replace("__", ".")).write_text(text)
    git("add", "--all")
    git("commit", "--quiet", "-m", message)


commits = 16 if SMALL else 64
culprit = commits * 2 // 3
run("git", "init", "--quiet", "--initial-branch=main", "week")

probabilities = [round(0.05 + 0.9 * ((i * 37) % 100) / 100, 2) for i in range(100)]
for number in range(commits):
    # Somebody "cleans up" the comparison: a warning from 50 % on becomes one from 30 % on.
    threshold = 0.5 if number < culprit else 0.3
    code = (
        f"NOTE = {number}\nLIMIT = {threshold}\n\n\ndef warn(chance):\n    return chance >= LIMIT\n"
    )
    commit(f"Tidy up, part {number}" if number == culprit else f"Change {number}", warn__py=code)

# The number that the business looks at, as a script: how many of 100 flights get a warning?
(WORK / "warnings_of.py").write_text(
    f"from warn import warn\nprint(sum(map(warn, {probabilities})))\n"
)
print(git("rev-list", "--count", "HEAD"), "commits, the last three:")
print(git("log", "--oneline", "-3"))

# %% [markdown]
# `git bisect` halves the history again and again. You only give it a question with yes or no as the
# answer. Here: *are there more than 60 warnings?*

# %% tags=["topic:git-bisect"]
(WORK / "is_it_good.sh").write_text(
    f'test "$(PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=. {sys.executable} ../warnings_of.py)" -le 60\n'
)
first = git("rev-list", "--max-parents=0", "HEAD")
git("bisect", "start", "HEAD", first)
told = git("bisect", "run", "sh", "../is_it_good.sh")
log = git("bisect", "log")
git("bisect", "reset")
found = next(line.split()[0] for line in told.splitlines() if "is the first bad commit" in line)
print("the first bad commit:", git("log", "-1", "--format=%s, by %an", found))
print(git("show", "--format=", "--unified=0", found).split("@@")[-1].strip())

# %%
hashes = git("rev-list", "--reverse", "HEAD").split()
words = [
    line.split()
    for line in log.splitlines()
    if line.startswith(("git bisect good", "git bisect bad"))
]
asked = [word[3] for word in words]
position = [hashes.index(sha) for sha in asked]
counted = {}
for sha in asked:
    git("checkout", "--quiet", sha)
    counted[hashes.index(sha)] = int(
        run(
            sys.executable, "-B", "../warnings_of.py", at=repo, env=os.environ | {"PYTHONPATH": "."}
        ).stdout
    )
git("checkout", "--quiet", "main")

figure, axes = plt.subplots()
axes.plot(list(counted), list(counted.values()), "o", color="0.1", linestyle="none", markersize=8)
for step, where in enumerate(position, 1):
    axes.annotate(
        f"{step}",
        (where, counted[where]),
        xytext=(0, 9),
        textcoords="offset points",
        ha="center",
        fontsize=9,
    )
axes.axvspan(culprit - 0.5, commits, color="0.9", zorder=0)
axes.set(
    xlim=(-1, commits),
    ylim=(0, 100),
    xlabel="commit, oldest to newest",
    ylabel="warnings per 100 flights",
)
axes.set_title(f"{len(counted)} looks instead of {commits}: the order in which bisect asked")
plt.show()
print("looks needed:", len(counted), "of", commits)

# %% [markdown]
# That is the promise of this stage. Small commits, a check that runs by itself, a package that is the
# same everywhere, a deployment written down: each makes a question answerable that otherwise ends in
# a meeting.

# %% [markdown]
# ## The shell: small programs, joined
#
# Servers have no buttons. What you type there is a program of programs: each reads lines, does one
# thing, writes lines. `|` joins them.

# %%
shell = WORK / "shell"
shell.mkdir()
january = flights.load_flights([1])[
    ["month", "day", "hour", "carrier", "origin", "dest", "dep_delay"]
]
january.head(3_000 if SMALL else None).to_csv(shell / "flights.csv", index=False, na_rep="NA")
print((shell / "flights.csv").read_text()[:90])

# %% [markdown]
# ### Which carriers fly most? Without loading the file
#
# Read it from left to right: leave out the header, cut the fourth column, sort, count what repeats,
# sort by number, show the first three.

# %% language="bash" tags=["topic:shell-commands", "nbval-ignore-output"]
# cd work/2_devops/shell
# tail -n +2 flights.csv | cut -d, -f4 | sort | uniq -c | sort -rn | head -3
# echo "--- and how often was the delay unknown?"
# grep -c ',NA$' flights.csv

# %% [markdown]
# ### A script fails loudly or not at all
#
# By default a script goes on after an error, and a pipe is as good as its *last* part. Compare the two
# scripts: both read a file that does not exist.

# %% tags=["topic:shell-scripts"]
(shell / "polite.sh").write_text(
    "#!/bin/bash\ncut -d, -f4 $1 | sort | uniq -c > counts.txt\necho 'all well'\n"
)
(shell / "strict.sh").write_text(
    "#!/bin/bash\n"
    "set -euo pipefail        # stop at an error, at an unset name, at an error inside a pipe\n"
    "file=${1:?usage: strict.sh FILE}\n"
    'cut -d, -f4 "$file" | sort | uniq -c > counts.txt\n'
    "echo 'all well'\n"
)
for script in ("polite.sh", "strict.sh"):
    done = run("bash", script, "flihgts.csv", at=shell)
    print(f"{script}: exit code {done.returncode}, last words: {done.stdout.splitlines()[-1]}")

# %% [markdown]
# The polite script reports success and leaves an empty `counts.txt`. The next step of a pipeline would
# train on it. The first line of every script of yours: `set -euo pipefail`.

# %% [markdown]
# ### Who may read this file?
#
# Three groups of three letters: owner, group, everybody else; read, write, execute. A key that everybody
# may read is no key. `ssh` refuses such a key outright.

# %% tags=["topic:permissions"]
import stat

key, script = shell / "deploy.key", shell / "strict.sh"
key.write_text("not a real key\n")
key.chmod(0o644)
before = stat.filemode(key.stat().st_mode)
key.chmod(0o600)  # chmod 600 deploy.key
script.chmod(script.stat().st_mode | stat.S_IXUSR)  # chmod u+x strict.sh
print(
    "deploy.key  ",
    before,
    "→",
    stat.filemode(key.stat().st_mode),
    "  others may read it:",
    bool(key.stat().st_mode & stat.S_IROTH),
)
print("strict.sh   ", stat.filemode(script.stat().st_mode), "  can now be run as ./strict.sh")
print("a folder    ", stat.filemode(shell.stat().st_mode), "  x on a folder: may be entered")

# %% [markdown]
# ### A process is asked to stop, then told
#
# Your service holds work that is not written down yet. `SIGTERM` asks it to finish. `SIGKILL` does not
# ask: the process never hears of it. Every platform sends the first, waits (Kubernetes: 30 seconds),
# then sends the second.

# %% tags=["topic:processes"]
(shell / "service.py").write_text(
    """import signal
import sys
import time

todo = ["a prediction that is not saved yet"]


def finish(number, frame):
    print("got", signal.Signals(number).name, "- saving", len(todo), "prediction")
    sys.exit(0)


signal.signal(signal.SIGTERM, finish)
print("ready", flush=True)
time.sleep(60)
"""
)
for kind in (signal.SIGTERM, signal.SIGKILL):
    process = subprocess.Popen(
        [sys.executable, "service.py"], cwd=shell, stdout=subprocess.PIPE, text=True
    )
    process.stdout.readline()
    process.send_signal(kind)  # kill -TERM <pid>, kill -KILL <pid>
    words = process.communicate(timeout=10)[0].strip()
    print(
        f"{kind.name}: exit code {process.returncode:3}, last words: {words or '(none: nothing was saved)'}"
    )

# %% [markdown]
# A negative exit code is the signal's number; a shell shows 128 plus that number. So `137` in a log is 128 +
# 9: somebody killed it, very often the system because memory ran out.

# %% [markdown]
# ## Git in pictures
#
# A commit is a snapshot with a pointer to the one before it. A branch is a name that points at a commit.
# That is all. This function draws any repository from what Git itself says; the same picture explains
# merge, rebase and push.


# %%
def draw(where: Path, title: str, axes: plt.Axes | None = None, refs: str = "--all") -> None:
    """Draw a repository's commit graph: time from left to right, one row a line of work."""
    said = git("log", refs, "--topo-order", "--format=%h%x09%p%x09%D%x09%s", at=where).splitlines()
    rows = [line.split("\t") for line in said]
    lane_of: dict[str, int] = {}
    waiting: list[str | None] = []  # what each lane expects next, walking into the past
    for sha, parents, *_ in rows:
        lane = (
            waiting.index(sha)
            if sha in waiting
            else next((i for i, w in enumerate(waiting) if w is None), len(waiting))
        )
        waiting += [None] * (lane + 1 - len(waiting))
        waiting = [None if w == sha else w for w in waiting]
        lane_of[sha] = lane
        for parent in parents.split():
            if parent not in waiting:
                free = (
                    lane
                    if waiting[lane] is None
                    else next((i for i, w in enumerate(waiting) if w is None), len(waiting))
                )
                waiting += [None] * (free + 1 - len(waiting))
                waiting[free] = parent
    x = {sha: len(rows) - i for i, (sha, *_) in enumerate(rows)}
    if axes is None:
        _, axes = plt.subplots(figsize=(9, 0.9 + 0.6 * (1 + max(lane_of.values()))))
    for sha, parents, names, subject in rows:
        for parent in filter(x.get, parents.split()):
            axes.plot(
                [x[parent], x[sha]],
                [-lane_of[parent], -lane_of[sha]],
                color="0.6",
                linestyle="-",
                zorder=1,
            )
        axes.scatter(
            x[sha],
            -lane_of[sha],
            s=90,
            color="0.15" if len(parents.split()) < 2 else "0.6",
            zorder=2,
        )
        axes.annotate(
            subject,
            (x[sha], -lane_of[sha]),
            xytext=(0, -15),
            textcoords="offset points",
            ha="center",
            fontsize=7.5,
        )
        if names:
            label = names.replace("HEAD -> ", "▸").replace(", ", "\n").replace("tag: ", "tag ")
            axes.annotate(
                label,
                (x[sha], -lane_of[sha]),
                xytext=(0, 8),
                textcoords="offset points",
                ha="center",
                fontsize=8,
                fontweight="bold",
            )
    axes.set(ylim=(-max(lane_of.values()) - 0.7, 0.9), xlim=(0.4, len(rows) + 0.6))
    axes.set_title(title)
    axes.axis("off")


# %% [markdown]
# ### Two lines of work
#
# Ana adds the weather on a branch. On `main`, someone adds the carrier. Both touch the same line.

# %% tags=["topic:git-commits"]
repo = WORK / "product"
run("git", "init", "--quiet", "--initial-branch=main", "product")
commit("Start", features__py='FEATURES = ["hour"]\n', README__md="flight-delays\n")
commit("Distance", features__py='FEATURES = ["hour", "distance"]\n')
git("switch", "--quiet", "--create", "weather")
commit("Wind", wind__py="def wind(row):\n    return row.wind_speed\n")
commit("Use wind", features__py='FEATURES = ["hour", "distance", "wind"]\n')
git("switch", "--quiet", "main")
commit("Carrier", features__py='FEATURES = ["hour", "distance", "carrier"]\n')
draw(repo, "Two branches, one past: each commit points to the one before")
plt.show()
print(git("branch", "--verbose"))

# %% [markdown]
# ### A merge joins two pasts; a conflict is a question
#
# Git merges by itself what does not overlap. Where both changed a line it stops and asks. It cannot know
# that the model should get *both* features.

# %% tags=["topic:git-merge"]
print(git("merge", "weather").splitlines()[-1])
print()
print((repo / "features.py").read_text())
(repo / "features.py").write_text('FEATURES = ["hour", "distance", "carrier", "wind"]\n')
git("add", "features.py")
git("commit", "--quiet", "-m", "Merge weather")
draw(repo, "After the merge: one commit with two parents (light)")
plt.show()

# %% [markdown]
# ### A rebase retells the story
#
# Same work, other history: the branch's commits are made *again*, on top of today's `main`. The line is
# straight and easy to read. But they are new commits with new names. So: rebase what is yours alone, never
# what others already have.

# %% tags=["topic:git-rebase"]
git("switch", "--quiet", "--create", "holidays", "main~1")
commit("Holidays", holidays__py="HOLIDAYS = {(7, 4), (12, 25)}\n")
git("switch", "--quiet", "main")
figure, (left, right) = plt.subplots(2, 1, figsize=(9, 4.4))
draw(repo, "before: holidays starts from an old main", left)
old = git("rev-parse", "holidays")
git("rebase", "--quiet", "main", "holidays")
draw(repo, "after git rebase main: as if it had started today", right)
plt.show()
print("the same change:", git("diff", f"{old}~1", old) == git("diff", "holidays~1", "holidays"))
print("the same commit:", git("rev-parse", "holidays") == old)

# %% [markdown]
# ### A tag is a name that stays
#
# "The model that ran in July" needs a name which does not move. A branch moves with each commit. An
# annotated tag holds who, when and why.

# %% tags=["topic:git-tags"]
git("switch", "--quiet", "main")
git("tag", "--annotate", "v1.0", "-m", "First model in front of travellers")
commit("Threshold from cost", threshold__py="LIMIT = 0.35\n")
print(
    git(
        "for-each-ref", "--format=%(refname:short): %(taggername), %(contents:subject)", "refs/tags"
    )
)
print("main is now:", git("describe", "main").rsplit("-g", 1)[0], "(one commit after the tag)")

# %% [markdown]
# ### A remote is another repository with a name
#
# GitHub, a folder on a server, a colleague's laptop: all the same to Git. `fetch` takes, `push` gives. A
# push that would throw away someone's commit is refused.

# %% tags=["topic:git-remotes"]
run("git", "init", "--quiet", "--bare", "--initial-branch=main", "hub.git")
git("remote", "add", "origin", "../hub.git")
git("push", "--quiet", "origin", "main", "v1.0")
run("git", "clone", "--quiet", "hub.git", "bens")

mine, repo = repo, WORK / "bens"
commit("Ben: fix a unit", wind__py="def wind(row):\n    return row.wind_speed * 0.447  # m/s\n")
git("push", "--quiet", "origin", "main")

repo = mine
commit("Ana: say more", README__md="flight-delays: will it be late?\n")
refused = git("push", "origin", "main")
print(next(line.strip() for line in refused.splitlines() if "rejected" in line))
git("fetch", "--quiet")
git("rebase", "--quiet", "origin/main")
print("accepted after fetch and rebase:", "main -> main" in git("push", "origin", "main"))
draw(repo, "Ben's work first, Ana's on top; main and origin/main agree", refs="v1.0..main")
plt.show()

# %% [markdown]
# ### A pull request is a branch and a question
#
# "Would you take this?" The site shows the difference, people comment, checks run, someone merges. The
# core is in Git itself and older than the sites: `git request-pull` writes the letter. Note `main...branch`
# with three dots: *what the branch did since it left*, not what differs today.

# %% tags=["topic:pull-requests"]
git("switch", "--quiet", "holidays")
git("push", "--quiet", "origin", "holidays")
print(git("diff", "--stat", "main...holidays"))
letter = git("request-pull", "main", "../hub.git", "holidays").splitlines()
git("switch", "--quiet", "main")
print(
    "\n".join(line for line in letter if line.startswith(("Ana", "      ", " holidays", " 1 file")))
)

# %% [markdown]
# ## CI: the question asked at every push
#
# *Continuous integration* is a machine that asks after each push: does it still work? It knows nothing
# that you do not tell it. It has a fresh checkout, and a list of commands.
#
# So put the **what** into scripts that also run on your laptop, and let the platform's file only say
# **when** and **where**. Then moving platforms is an afternoon.

# %% tags=["topic:ci-pipeline"]
(repo / "ci").mkdir()
scripts = {
    "lint.sh": "python -m compileall -q .\n",
    "test.sh": "python -m unittest -q\n",
    "package.sh": "mkdir -p dist\ntar --exclude=dist --exclude=.git -czf dist/flight-delays.tar.gz .\ntest -s dist/flight-delays.tar.gz\necho packaged\n",
}
for name, body in scripts.items():
    (repo / "ci" / name).write_text(
        "#!/bin/bash\nset -euo pipefail\nexport PYTHONDONTWRITEBYTECODE=1\n" + body
    )
commit(
    "Test what we promise",
    test_features__py=(
        "import unittest\n\nfrom features import FEATURES\n\n\n"
        "class Features(unittest.TestCase):\n"
        "    def test_each_feature_once(self):\n"
        "        self.assertEqual(len(FEATURES), len(set(FEATURES)))\n"
    ),
    __gitignore="__pycache__/\ndist/\n",
)
for name in scripts:
    done = run("bash", f"ci/{name}", at=repo)
    print(f"{name:11} exit code {done.returncode}")

# %% [markdown]
# ### GitHub Actions, on your own machine
#
# A *workflow* has *jobs*, jobs have *steps*. Jobs run side by side unless one `needs` another. Here
# `package` waits for `test`.

# %%
(repo / ".github" / "workflows").mkdir(parents=True)
(repo / ".github" / "workflows" / "ci.yml").write_text(
    """name: CI
on: [push]
permissions:
  contents: read
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v6
      - name: Lint
        run: bash ci/lint.sh
      - name: Test
        run: bash ci/test.sh
  package:
    needs: test
    if: github.ref == 'refs/heads/main'
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v6
      - name: Package
        run: bash ci/package.sh
"""
)
git("add", "--all")
git("commit", "--quiet", "-m", "Ask at every push")
print(git("show", "--stat", "--format=%s", "HEAD"))

# %% [markdown]
# *act* reads the same file and runs it here. By default it runs each job in a container that resembles
# GitHub's machine. With `-P ubuntu-latest=-self-hosted` it runs the steps on this machine, as a
# self-hosted runner would: no Docker, no network.

# %% tags=["topic:github-actions"]
ACT = [
    *("act", "push", "--json", "-P", "ubuntu-latest=-self-hosted"),
    *(
        "--no-cache-server",
        "--cache-server-addr",
        "127.0.0.1",
        "--artifact-server-addr",
        "127.0.0.1",
    ),
    *("--container-daemon-socket", "-"),
]


def run_act() -> pd.DataFrame | str:
    """Run the workflow with act; return what became of each step."""
    if not shutil.which("act"):
        return "act is not here (its package has no program for this platform): nothing was run."
    home = (WORK / "home").resolve()
    done = run(*ACT, at=repo, env=os.environ | {"HOME": str(home), "XDG_CACHE_HOME": str(home)})
    found = []
    for line in done.stdout.splitlines():
        entry = json.loads(line) if line.startswith("{") else {}
        if "stepResult" in entry and entry.get("stage") == "Main":
            found.append((entry["job"].split("/")[1], entry["step"], entry["stepResult"]))
        elif "jobResult" in entry:
            found.append((entry["job"].split("/")[1], "(the whole job)", entry["jobResult"]))
    return pd.DataFrame(found, columns=["job", "step", "result"])


run_act()

# %% [markdown]
# ### Red stops what comes after
#
# Somebody adds a feature twice. The test goes red, and `package` never starts. That is the whole point: the
# mistake has no way to become an artifact.

# %%
good = (repo / "features.py").read_text()
commit("Hurry", features__py=good.replace('"wind"', '"wind", "wind"'))
red = run_act()
git("revert", "--no-edit", "HEAD")
red

# %% [markdown]
# ## The same pipeline on three other platforms
#
# The scripts stay as they are. Only the wrapping changes.

# %%
(repo / ".gitlab-ci.yml").write_text(
    """image: python:3.12-slim
stages: [test, package]

test:
  stage: test
  script:
    - bash ci/lint.sh
    - bash ci/test.sh

package:
  stage: package
  script:
    - bash ci/package.sh
  rules:
    - if: $CI_COMMIT_BRANCH == "main"
  artifacts:
    paths: [dist/]
"""
)
(repo / "azure-pipelines.yml").write_text(
    """trigger: ['*']
pool:
  vmImage: ubuntu-latest
stages:
  - stage: test
    jobs:
      - job: test
        steps:
          - script: bash ci/lint.sh
          - script: bash ci/test.sh
  - stage: package
    dependsOn: test
    condition: and(succeeded(), eq(variables['Build.SourceBranch'], 'refs/heads/main'))
    jobs:
      - job: package
        steps:
          - script: bash ci/package.sh
          - publish: dist
            artifact: dist
"""
)
(repo / "Jenkinsfile").write_text(
    """pipeline {
    agent { docker { image 'python:3.12-slim' } }
    stages {
        stage('test') {
            steps {
                sh 'bash ci/lint.sh'
                sh 'bash ci/test.sh'
            }
        }
        stage('package') {
            when { branch 'main' }
            steps {
                sh 'bash ci/package.sh'
                archiveArtifacts 'dist/*'
            }
        }
    }
}
"""
)
print(
    *sorted(
        path.name for path in repo.iterdir() if path.suffix == ".yml" or path.name == "Jenkinsfile"
    ),
    sep="\n",
)

# %% [markdown]
# | | GitHub Actions | GitLab CI | Jenkins | Azure DevOps |
# |---|---|---|---|---|
# | file | `.github/workflows/*.yml` | `.gitlab-ci.yml` | `Jenkinsfile` (Groovy) | `azure-pipelines.yml` |
# | where it runs | `runs-on` | `image`, `tags` | `agent` | `pool` |
# | order | `needs` | `stages`, `needs` | order of `stage`s | `dependsOn` |
# | a command | `run` | `script` | `sh` | `script` |
# | only on main | `if` | `rules` | `when` | `condition` |
# | keep a file | `actions/upload-artifact` | `artifacts` | `archiveArtifacts` | `publish` |
# | secret | `secrets.NAME` | masked variable | `credentials('id')` | secret variable, Key Vault |
# | reuse | actions, reusable workflows | `include`, components | shared libraries | templates |
#
# ### Is it right? Ask a schema, not a push
#
# Each YAML format has a published JSON Schema; `check-jsonschema` brings them along, so this needs no
# network. Next to each file stands a copy with one typing error.

# %% tags=["topic:gitlab-ci", "topic:azure-devops"]
FORMS = {
    "GitHub Actions": (
        repo / ".github/workflows/ci.yml",
        "vendor.github-workflows",
        ("runs-on", "run-on"),
    ),
    "GitLab CI": (repo / ".gitlab-ci.yml", "vendor.gitlab-ci", ("script:", "scirpt:")),
    "Azure DevOps": (
        repo / "azure-pipelines.yml",
        "vendor.azure-pipelines",
        ("- script:", "- scirpt:"),
    ),
}


def schema_says(schema: str, *files: Path) -> list[str]:
    """Return, for each file, the first complaint of the schema, or 'fits'."""
    options = ["--builtin-schema", schema, "--regex-variant", "python", "-o", "json"]
    done = run("check-jsonschema", *options, *(str(file.resolve()) for file in files))
    complaints = {}
    for error in json.loads(done.stdout)["errors"]:
        best = error.get("best_deep_match", error)
        complaints.setdefault(Path(error["filename"]).name, f"{best['path']}: {best['message']}")
    return [complaints.get(file.name, "fits") for file in files]


table = {}
for platform, (path, schema, (right, wrong)) in FORMS.items():
    typo = WORK / f"typo-{path.name}"
    typo.write_text(path.read_text().replace(right, wrong, 1))
    table[platform] = dict(
        zip(["the file", "with a typing error"], schema_says(schema, path, typo), strict=True)
    )
pd.set_option("display.max_colwidth", 120)
pd.DataFrame(table).T

# %% [markdown]
# A Jenkinsfile is a program in Groovy, so a schema cannot judge it. A parser can say whether it is Groovy at
# all, and its tree tells stages and commands. Whether Jenkins knows each step, only Jenkins can tell: its
# linter is part of the server.

# %% tags=["topic:jenkins"]
from ast import literal_eval

from groovy_parser.parser import parse_groovy_content
from lark import Token
from lark.exceptions import LarkError

tree = parse_groovy_content((repo / "Jenkinsfile").read_text())
# Each leaf of this parser's tree is text such as "(Token.Name, 'stage', 'stage')".
leaves = [str(leaf) for leaf in tree.scan_values(lambda leaf: isinstance(leaf, Token))]
words = [literal_eval("(" + leaf.split(", ", 1)[1])[0] for leaf in leaves]
words = [word for word in words if word.strip()]
stages = [words[i + 2].strip("'") for i, word in enumerate(words) if word == "stage"]
print("stages:  ", stages)
commands = [words[i + 1].strip("'") for i, word in enumerate(words) if word == "sh"]
print("commands:", commands)
try:
    parse_groovy_content((repo / "Jenkinsfile").read_text().rstrip().removesuffix("}"))
except LarkError as error:
    print("without its last brace:", str(error).splitlines()[0][:40])

# %% [markdown]
# ## What is inside an image
#
# "It works on my machine" ends when the machine is shipped along. An *image* is less than a machine: a pile
# of archives (*layers*), a note how to start, and a list with the digest of each. A *container* is a process
# that sees those files as its whole disk.
#
# That is little enough to build by hand. Three layers, from what changes least to what changes most: the C
# libraries, Python, your service.

# %%
import io
import sysconfig
import tarfile

model = flights.add_label(flights.load_flights([1])).groupby("carrier")["late"].mean().round(3)
SERVICE = """import json
import os
import sys

model = json.load(open("/app/model.json"))
print(f"{sys.argv[1]}: {model[sys.argv[1]]:.0%} late · files in /: {sorted(os.listdir('/'))}")
"""
app = {"app/serve.py": SERVICE.encode(), "app/model.json": json.dumps(model.to_dict()).encode()}

python = Path(sys._base_executable).resolve()
stdlib = Path(sysconfig.get_path("stdlib")).resolve()
unneeded = {
    "test",
    "idlelib",
    "ensurepip",
    "__pycache__",
    "site-packages",
    "dist-packages",
    "tkinter",
    "lib2to3",
    "turtledemo",
    "pydoc_data",
}


def needed_libraries() -> dict[str, bytes]:
    """The C libraries that Python is linked to, where it looks for them."""
    said = run("ldd", python, *sorted(stdlib.glob("lib-dynload/math*.so"))).stdout
    paths = {
        part
        for line in said.splitlines()
        for part in line.split()
        if part.startswith("/") and ":" not in part
    }
    return {path.lstrip("/"): Path(path).read_bytes() for path in sorted(paths)}


def standard_library() -> dict[str, bytes]:
    """Python and its library, without what a service never imports."""
    files = {str(python).lstrip("/"): python.read_bytes()}
    for path in sorted(stdlib.rglob("*")):
        inside = path.relative_to(stdlib)
        if (
            path.is_file()
            and not unneeded & set(inside.parts)
            and not inside.parts[0].startswith("config-")
        ):
            if "lib-dynload" in inside.parts and not inside.name.startswith(
                ("math", "_json", "_struct")
            ):
                continue
            files[str(path).lstrip("/")] = path.read_bytes()
    return files


def layer(files: dict[str, bytes]) -> bytes:
    """A layer is a tar archive. Fixed owner and time: equal files give equal bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o755
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


LIBRARIES, PYTHON = layer(needed_libraries()), layer(standard_library())


# %% tags=["topic:docker-layers", "nbval-ignore-output"]
def image(*layers: bytes) -> dict[str, bytes]:
    """Return an image's blobs by digest, and its manifest under the name 'manifest'."""
    config = {
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, "amd64"),
        "os": "linux",
        "config": {"Entrypoint": [str(python), "/app/serve.py"], "User": "1000", "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": [digest(data) for data in layers]},
    }
    blobs = {digest(data): data for data in (json.dumps(config).encode(), *layers)}
    kinds = ["config.v1+json"] + ["layer.v1.tar"] * len(layers)
    described = [
        {"mediaType": f"application/vnd.oci.image.{kind}", "digest": name, "size": len(data)}
        for kind, (name, data) in zip(kinds, blobs.items(), strict=True)
    ]
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": described[0],
        "layers": described[1:],
    }
    return blobs | {"manifest": json.dumps(manifest).encode()}


first_image = image(LIBRARIES, PYTHON, layer(app))
manifest = json.loads(first_image["manifest"])
pd.DataFrame(
    {
        "layer": ["C libraries", "Python", "your service"],
        "digest": [part["digest"][:19] + "…" for part in manifest["layers"]],
        "kB": [round(part["size"] / 1000) for part in manifest["layers"]],
    }
)

# %% [markdown]
# ### The order of layers decides what a change costs
#
# A layer is reused when it and everything *below* it is unchanged. Change one line of the service: on top,
# a few kilobytes are new. At the bottom, everything above is built and sent again.

# %% tags=["nbval-ignore-output"]
changed = app | {"app/serve.py": SERVICE.replace("late", "late!").encode()}
below = {"libraries": len(LIBRARIES), "Python": len(PYTHON), "service": len(layer(changed))}


def resent(order: list[str], changed_part: str) -> float:
    """MB that are built again: the changed layer and all above it."""
    return sum(below[name] for name in order[order.index(changed_part) :]) / 1e6


orders = {
    "service last": ["libraries", "Python", "service"],
    "service first": ["service", "libraries", "Python"],
}
cost = {name: resent(order, "service") for name, order in orders.items()}
figure, axes = plt.subplots(figsize=(8, 1.6))
axes.bar_label(axes.barh(list(cost), list(cost.values()), color="0.5"), fmt=" %.2f")
axes.set(
    xlabel="built and sent again after changing one line (MB)", xlim=(0, max(cost.values()) * 1.15)
)
axes.set_title("The same files, two orders")
plt.show()

# %% [markdown]
# ### A container is a process with another disk
#
# Unpack the layers over each other and start a process that sees nothing else. *bubblewrap* does it here
# with the same kernel features that Docker uses: namespaces. Look at what the process calls `/`.

# %% tags=["nbval-ignore-output"]
rootfs = (WORK / "rootfs").resolve()
for part in manifest["layers"]:
    with tarfile.open(fileobj=io.BytesIO(first_image[part["digest"]])) as archive:
        archive.extractall(rootfs, filter="fully_trusted")  # made above, by us

for name in ("proc", "dev"):  # places for what the kernel shows
    (rootfs / name).mkdir(exist_ok=True)

if shutil.which("bwrap"):
    # A uid above 0 in its own user namespace, no network, an empty environment.
    walls = ["--unshare-user", "--unshare-pid", "--unshare-net", "--uid", "1000", "--clearenv"]
    done = run(
        "bwrap",
        *walls,
        "--ro-bind",
        rootfs,
        "/",
        "--proc",
        "/proc",
        "--dev",
        "/dev",
        python,
        "-S",
        "/app/serve.py",
        "UA",
    )
    print(done.stdout)
else:
    print("bubblewrap is not here (it needs Linux: apt-get install bubblewrap): nothing was run.")

# %% [markdown]
# ### The same with Docker
#
# A `Dockerfile` is the recipe, `docker build` makes one layer per instruction and keeps it. If this machine
# has a Docker engine, it now loads the image that you made by hand, and builds another one on it. Run twice:
# the second time every step comes from the cache.

# %% tags=["topic:dockerfile", "nbval-ignore-output"]
context = WORK / "context"
context.mkdir()
(context / "Dockerfile").write_text(
    f"""FROM delays-by-hand:1
LABEL org.opencontainers.image.title="flight-delays"
COPY serve.py /app/serve.py
USER 1000
ENTRYPOINT ["{python}", "/app/serve.py"]
CMD ["B6"]
"""
)
(context / "serve.py").write_bytes(changed["app/serve.py"])


def docker_archive(blobs: dict[str, bytes]) -> bytes:
    """The format that `docker load` reads."""
    manifest = json.loads(blobs["manifest"])
    config, layers = manifest["config"]["digest"], [part["digest"] for part in manifest["layers"]]
    names = {name: name.split(":")[1] + ".tar" for name in layers} | {config: "config.json"}
    listed = [
        {
            "Config": "config.json",
            "RepoTags": ["delays-by-hand:1"],
            "Layers": [names[n] for n in layers],
        }
    ]
    return layer(
        {names[name]: blobs[name] for name in names}
        | {"manifest.json": json.dumps(listed).encode()}
    )


import docker

try:
    engine = docker.from_env()
    engine.ping()
except docker.errors.DockerException:
    engine = None
    print(
        "No Docker engine here. The image above ran without one; the Dockerfile is checked below."
    )
else:
    engine.images.load(docker_archive(first_image))
    for attempt in ("first", "second"):
        _, log = engine.images.build(path=str(context), tag="delays:1", rm=True)
        lines = [entry["stream"].strip() for entry in log if entry.get("stream", "").strip()]
        print(
            f"{attempt} build: {sum('Using cache' in line for line in lines)} of 5 steps from the cache"
        )
    print(engine.containers.run("delays:1", remove=True, network_mode="none").decode())
    for name in ("delays:1", "delays-by-hand:1"):
        engine.images.remove(name, force=True)

# %% [markdown]
# ### A push sends only what is missing
#
# A registry is a shop for layers. Before sending one you ask whether it is there. So the second version of
# your service costs kilobytes. The protocol is plain HTTP; this is a whole `docker push`:

# %% tags=["topic:docker-push", "nbval-ignore-output"]
import socket
import urllib.error
import urllib.request


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def send(method: str, url: str, data: bytes | None = None, kind: str = "application/octet-stream"):
    return urllib.request.urlopen(
        urllib.request.Request(url, data, {"Content-Type": kind}, method=method), timeout=20
    )


def push(registry: str, tag: str, blobs: dict[str, bytes]) -> str:
    """Send an image's missing blobs, then its manifest under a tag."""
    sent, there = 0, 0
    for name, data in blobs.items():
        if name == "manifest":
            continue
        try:
            send("HEAD", f"{registry}/v2/delays/blobs/{name}")
            there += 1
        except urllib.error.HTTPError:
            where = send("POST", f"{registry}/v2/delays/blobs/uploads/", b"").headers["Location"]
            send("PUT", f"{where}{'&' if '?' in where else '?'}digest={name}", data)
            sent += len(data)
    send(
        "PUT",
        f"{registry}/v2/delays/manifests/{tag}",
        blobs["manifest"],
        "application/vnd.oci.image.manifest.v1+json",
    )
    return f"{tag}: {there} parts were there, {sent / 1e6:.2f} MB sent"


if shutil.which("docker-registry"):
    port = free_port()
    (WORK / "registry.yml").write_text(
        f"version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n"
        f"storage: {{filesystem: {{rootdirectory: {(WORK / 'registry').resolve()}}}}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n"
    )
    server = subprocess.Popen(
        ["docker-registry", "serve", "registry.yml"],
        cwd=WORK,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    for _ in range(100):
        try:
            send("GET", f"{address}/v2/")
            break
        except OSError:
            time.sleep(0.1)
    print(push(address, "v1", first_image))
    print(push(address, "v2", image(LIBRARIES, PYTHON, layer(changed))))
    print("tags:", json.load(send("GET", f"{address}/v2/delays/tags/list"))["tags"])
    server.terminate()
    server.wait(10)
else:
    print(
        "docker-registry is not here (Debian: apt-get install docker-registry): nothing was pushed."
    )

# %% [markdown]
# ### Small and safe: ask a linter
#
# Every file in an image is a file to patch. Pin the base, install no compiler into what you ship, run as a
# user who is not root, and never write a secret into a layer: a later `rm` only hides it, the layer keeps it.
# *hadolint* knows such rules.

# %% tags=["topic:docker-small-safe"]
(WORK / "Dockerfile.hasty").write_text(
    """FROM python:latest
ADD . /app
RUN pip install -r /app/requirements.txt
ENV API_TOKEN=s3cret
CMD python /app/serve.py
"""
)
(WORK / "Dockerfile.careful").write_text(
    """FROM python:3.12-slim AS build
WORKDIR /build
COPY requirements.txt .
RUN pip install --no-cache-dir --prefix=/install -r requirements.txt

FROM python:3.12-slim
COPY --from=build /install /usr/local
COPY serve.py model.json /app/
USER 1000
ENTRYPOINT ["python", "/app/serve.py"]
"""
)


def hadolint(name: str) -> list[str]:
    found = json.loads(run("hadolint", "-f", "json", name).stdout)
    return [f"line {problem['line']}: {problem['message'].split('. ')[0]}" for problem in found]


if shutil.which("hadolint"):
    for name in ("Dockerfile.hasty", "Dockerfile.careful"):
        print(name, *(hadolint(name) or ["nothing to say"]), sep="\n    ")
else:
    print(
        "hadolint is not here (its package has no program for this platform): nothing was checked."
    )

# %% [markdown]
# The careful one has two *stages*. What the first needs for building stays behind; only `/install` is copied
# over. Its first copied file is `requirements.txt`, so the packages' layer survives every change of the code.

# %% [markdown]
# ### Compose: several containers, one file
#
# The service, a database, a dashboard: `docker compose up` starts them together. The file has a schema, too.

# %% tags=["topic:docker-compose"]
(WORK / "compose.yaml").write_text(
    """services:
  delays:
    image: localhost:5000/delays:v1
    ports: ["127.0.0.1:8000:8000"]
    read_only: true
    depends_on:
      metrics: {condition: service_started}
  metrics:
    image: prom/prometheus:v3.5.0
    volumes: ["./prometheus.yml:/etc/prometheus/prometheus.yml:ro"]
"""
)
wrong = (WORK / "compose.yaml").read_text().replace("depends_on:", "depend_on:")
(WORK / "compose-typo.yaml").write_text(wrong)
names = ["compose.yaml", "compose-typo.yaml"]
for name, said in zip(
    names, schema_says("vendor.compose-spec", *(WORK / name for name in names)), strict=True
):
    print(f"{name}: {said}")

# %% [markdown]
# ## Kubernetes: you write what should be
#
# One machine dies, and with it your service. Kubernetes keeps a *desired state* and works towards it, all
# day. You do not say "start three containers". You say "there shall be three".
#
# - a **Pod** is one or more containers that live and die together;
# - a **Deployment** wants a number of equal Pods, and replaces them one by one when the image changes;
# - a **Service** is one stable address for whichever Pods carry a label.

# %% tags=["topic:kubernetes-objects"]
import yaml

MANIFESTS = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: delays, labels: {app: delays}}
spec:
  replicas: 3
  selector: {matchLabels: {app: delays}}
  template:
    metadata: {labels: {app: delays}}
    spec:
      securityContext: {runAsNonRoot: true}
      containers:
        - name: serve
          image: registry.example.org/delays:v1
          ports: [{containerPort: 8000}]
          readinessProbe: {httpGet: {path: /health, port: 8000}}
          resources:
            requests: {cpu: 100m, memory: 128Mi}
            limits: {memory: 256Mi}
---
apiVersion: v1
kind: Service
metadata: {name: delays}
spec:
  selector: {app: delays}
  ports: [{port: 80, targetPort: 8000}]
"""
objects = list(yaml.safe_load_all(MANIFESTS))


def show(objects: list[dict], title: str) -> None:
    """Draw who finds whom: a Service its Pods by label, a Deployment the Pods it makes."""
    _, axes = plt.subplots(figsize=(8, 2.4))
    deployment = next(o for o in objects if o["kind"] == "Deployment")
    service = next(o for o in objects if o["kind"] == "Service")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    count = deployment["spec"]["replicas"]
    chosen = service["spec"]["selector"].items() <= labels.items()
    box = {"boxstyle": "round,pad=0.5", "facecolor": "white", "edgecolor": "0.3"}
    for i in range(count):
        y = (count - 1) / 2 - i
        axes.plot([1, 2], [y, 0], color="0.6", linestyle="-", zorder=0)
        if chosen:
            axes.plot([0, 1], [0, y], color="0.6", linestyle="-", zorder=0)
        axes.text(1, y, f"Pod {i + 1}  {labels}", ha="center", va="center", fontsize=8, bbox=box)
    axes.text(
        0,
        0,
        f"Service {service['metadata']['name']}\nselector {service['spec']['selector']}",
        ha="center",
        va="center",
        fontsize=8,
        bbox=box,
    )
    axes.text(
        2,
        0,
        f"Deployment {deployment['metadata']['name']}\nreplicas {count}",
        ha="center",
        va="center",
        fontsize=8,
        bbox=box,
    )
    axes.set(xlim=(-0.5, 2.5), ylim=(-count / 2 - 0.2, count / 2 + 0.2))
    axes.axis("off")
    axes.set_title(title)
    plt.show()


show(objects, "Requests come from the left, Pods are made from the right")

# %% [markdown]
# ### Is it valid? The official schemas know, without a cluster
#
# Kubernetes publishes the schema of every kind and version. `kubernetes-validate` brings them along. Three
# mistakes of a kind that otherwise shows up in the evening:

# %% tags=["topic:kubernetes-validation"]
import copy

import kubernetes_validate
from kubernetes_validate.utils import SchemaNotFoundError, ValidationError

VERSION = "1.37"


def valid(thing: dict) -> str:
    """Return 'valid' or the place and reason of the first mistake."""
    try:
        kubernetes_validate.validate(thing, VERSION, strict=True)
    except ValidationError as error:
        return f"{'.'.join(map(str, error.path)) or 'top'}: {error.message[:70]}"
    except SchemaNotFoundError:
        return f"there is no {thing['kind']} in {thing['apiVersion']} of Kubernetes {VERSION}"
    return "valid"


def altered(index: int, change) -> dict:
    thing = copy.deepcopy(objects[index])
    change(thing)
    return thing


mistakes = {
    "the Deployment": objects[0],
    "the Service": objects[1],
    "replicas as text": altered(0, lambda o: o["spec"].update(replicas="3")),
    "a field that does not exist": altered(0, lambda o: o["spec"].update(replica=3)),
    "an API that was removed": altered(0, lambda o: o.update(apiVersion="extensions/v1beta1")),
}
pd.Series(
    {name: valid(thing) for name, thing in mistakes.items()}, name=f"Kubernetes {VERSION}"
).to_frame()

# %% [markdown]
# A schema looks at one object. It cannot see that a Service selects nobody: valid, and every request ends in
# nothing. Such rules between objects are yours to test.

# %%
lonely = altered(1, lambda o: o["spec"]["selector"].update(app="delay"))
labels = objects[0]["spec"]["template"]["metadata"]["labels"]
for name, service in {"as it is": objects[1], "one letter less": lonely}.items():
    chosen = service["spec"]["selector"].items() <= labels.items()
    print(f"{name:16} schema: {valid(service)}   finds Pods: {chosen}")

# %% [markdown]
# ### Training is a Job, retraining a CronJob
#
# A service should run for ever, a training should *end*. A Job runs to success, at most `backoffLimit` more
# times. A GPU is asked for like memory; the scheduler finds a machine that has one. `concurrencyPolicy`
# decides what happens when yesterday's training still runs.

# %% tags=["topic:kubernetes-ml"]
retrain = yaml.safe_load(
    """
apiVersion: batch/v1
kind: CronJob
metadata: {name: retrain-delays}
spec:
  schedule: "15 3 * * 1"
  timeZone: America/New_York
  concurrencyPolicy: Forbid
  jobTemplate:
    spec:
      backoffLimit: 2
      activeDeadlineSeconds: 7200
      template:
        spec:
          restartPolicy: Never
          containers:
            - name: train
              image: registry.example.org/delays-train:v1
              args: [--until, last-month]
              resources:
                requests: {cpu: "2", memory: 4Gi}
                limits: {memory: 4Gi, nvidia.com/gpu: 1}
"""
)
print("the CronJob:           ", valid(retrain))
forever = copy.deepcopy(retrain)
forever["spec"]["jobTemplate"]["spec"]["template"]["spec"]["restartPolicy"] = "Always"
print("with restart 'Always': ", valid(forever), "for the schema; the API server refuses it")

# %% [markdown]
# ### Helm: the same objects, with holes
#
# Test and production differ in five values, not in five files. A *chart* is a folder of templates and default
# values. This is Helm's own engine (its Go SDK, called from Python), so what it renders is what
# `helm template` prints.

# %%
chart = WORK / "delays-chart"
(chart / "templates").mkdir(parents=True)
(chart / "Chart.yaml").write_text("apiVersion: v2\nname: delays\nversion: 0.1.0\nappVersion: v1\n")
(chart / "values.yaml").write_text(
    "replicas: 1\nimage: {repository: registry.example.org/delays, tag: ''}\nmemory: 256Mi\n"
)
(chart / "values.schema.json").write_text(
    json.dumps({"type": "object", "properties": {"replicas": {"type": "integer", "minimum": 1}}})
)
(chart / "templates" / "all.yaml").write_text(
    MANIFESTS.replace("name: delays", "name: {{ .Release.Name }}")
    .replace("app: delays", "app: {{ .Release.Name }}")
    .replace("replicas: 3", "replicas: {{ .Values.replicas }}")
    .replace(
        "registry.example.org/delays:v1",
        "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}",
    )
    .replace("memory: 256Mi", "memory: {{ .Values.memory }}")
)
print((chart / "templates" / "all.yaml").read_text()[:420])

# %% tags=["topic:helm"]
try:
    import helm_python as helm
except ImportError:
    helm = None
    print(
        "Helm's SDK is not here (its package has no library for this platform): nothing was rendered."
    )


def render(name: str, values: dict) -> list[dict]:
    with helm.Chart.load(chart) as loaded:
        text = "\n---\n".join(loaded.render(values, name=name).values())
    return [thing for thing in yaml.safe_load_all(text) if thing]


if helm:
    for name, values in {
        "test": {},
        "production": {"replicas": 6, "image": {"tag": "v2"}, "memory": "1Gi"},
    }.items():
        things = render(name, values)
        deployment = next(thing for thing in things if thing["kind"] == "Deployment")
        container = deployment["spec"]["template"]["spec"]["containers"][0]
        print(
            f"{name:11} {deployment['spec']['replicas']} × {container['image'].split('/')[1]}, "
            f"memory {container['resources']['limits']['memory']}, all {', '.join({valid(thing) for thing in things})}"
        )
    try:
        render("oops", {"replicas": 0})
    except helm.HelmError as error:
        print("replicas: 0 is refused by the chart's own schema:", "minimum" in str(error))

# %% [markdown]
# ### What an operator does
#
# Kubernetes runs one loop, over and over: *look, compare, act*. For Deployments it is built in. An **operator**
# adds the loop for a kind of your own, say `DelayModel`. First the new kind gets a schema, as a
# CustomResourceDefinition:

# %%
crd = yaml.safe_load(
    """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: delaymodels.example.org}
spec:
  group: example.org
  scope: Namespaced
  names: {kind: DelayModel, plural: delaymodels, singular: delaymodel}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          required: [spec]
          properties:
            spec:
              type: object
              required: [model, replicas]
              properties:
                model: {type: string, pattern: "^v[0-9]+$"}
                replicas: {type: integer, minimum: 0, maximum: 10}
"""
)
import jsonschema

schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
wanted = {
    "apiVersion": "example.org/v1",
    "kind": "DelayModel",
    "spec": {"model": "v1", "replicas": 3},
}
print("the definition:     ", valid(crd))
jsonschema.validate(wanted, schema)
print("a DelayModel:       ", "valid by that definition")
try:
    jsonschema.validate({"spec": {"model": "latest", "replicas": 3}}, schema)
except jsonschema.ValidationError as error:
    print("with model 'latest':", error.message)

# %% [markdown]
# Then the loop. Here it works on real processes of this machine, not on Pods. But it is the same loop: it does
# not remember what it did. It looks at what *is*, every time. That is why it heals what it never broke.

# %% tags=["topic:operators"]
import psutil

MARK = f"delays-{os.getpid()}"


def look() -> dict[str, list[psutil.Process]]:
    """What is: our running processes, by the model they serve."""
    found: dict[str, list[psutil.Process]] = {}
    for process in psutil.Process().children():
        try:
            command = process.cmdline()
        except psutil.Error:
            continue
        if MARK in command and process.status() != psutil.STATUS_ZOMBIE:
            found.setdefault(command[-1], []).append(process)
    return found


def reconcile(spec: dict) -> str:
    """Compare what is with what should be; act on the difference only."""
    running = look()
    right = running.pop(spec["model"], [])
    stop = [process for group in running.values() for process in group] + right[spec["replicas"] :]
    start = spec["replicas"] - len(right)
    for _ in range(max(start, 0)):
        subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(300)", MARK, spec["model"]]
        )
    for process in stop:
        process.terminate()
    psutil.wait_procs(stop, timeout=10)
    return f"started {max(start, 0)}, stopped {len(stop)}"


def now() -> str:
    return (
        ", ".join(f"{len(group)} × {model}" for model, group in sorted(look().items())) or "nothing"
    )


def scene(what: str, spec: dict) -> dict[str, str]:
    before = now()
    did = reconcile(spec)
    time.sleep(0.2)
    return {"what happened": what, "found": before, "did": did, "then": now()}


spec = dict(wanted["spec"])
story = [scene("somebody asks for 3 × v1", spec), scene("nothing; the loop runs again", spec)]
victim = look()["v1"][0]
victim.kill()
victim.wait(10)
story.append(scene("one process dies", spec))
spec["model"] = "v2"
story.append(scene("the model becomes v2", spec))
spec["replicas"] = 0
story.append(scene("replicas become 0", spec))
pd.DataFrame(story)

# %% [markdown]
# Real operators do this for databases, for certificates, for training jobs (Kubeflow Trainer) and for model
# servers (KServe, Seldon). Write one when a *person* would otherwise carry out the steps at night. Else use a
# Deployment.

# %% [markdown]
# ## Traps
#
# - **A secret in the history.** Deleting the file in a later commit leaves it readable for ever, and so does a
#   later `RUN rm` in an image. Change the secret first, then clean up.
# - **`latest`.** The name of an image that is different tomorrow. Deploy by digest or by a tag that never moves.
# - **Green because nothing ran.** `pytest` that collects no tests, a pipe without `pipefail`, a job whose `if` is
#   never true. Look at what ran, not at the colour.
# - **`git push --force` on a shared branch.** `--force-with-lease` refuses when somebody else pushed meanwhile.
# - **No memory limit.** One leak takes the machine and its neighbours. And exit code 137 is the trace it leaves.
# - **A process that ignores SIGTERM.** Often because the shell in front of it is PID 1 and passes nothing on: use
#   the list form of `ENTRYPOINT`.
#
# The first one, shown. The file is gone, the secret is not:

# %%
commit("Try the API", settings__py='TOKEN = "tok_live_4242"\n')
git("rm", "--quiet", "settings.py")
git("commit", "--quiet", "-m", "Remove the token")
print("in the folder:     ", (repo / "settings.py").exists())
print("in the history:    ", "tok_live_4242" in git("log", "--all", "-p", "-S", "tok_live_4242"))

# %% [markdown]
# ## In a company
#
# `main` is protected: nobody pushes to it, a pull request needs one review and green checks. A platform team
# owns clusters, registries and the templates of pipelines; you own your scripts and your chart. Deployment is
# often *GitOps*: Argo CD or Flux compares a repository with the cluster and makes them equal, the operator's
# loop once more. Images are scanned and signed before they are let in. An outage ends with a review that asks
# what the system allowed, not who did it.

# %% [markdown]
# ## In the cloud
#
# Kubernetes is rented: EKS (AWS), AKS (Azure), GKE (Google). They run the control plane; Deployments, Services
# and charts stay as you wrote them. Different are load balancers, storage classes, identities and the names of
# GPU machines. Registries are ECR, ACR, Artifact Registry. A pipeline gets no long-lived key: it proves who it
# is by a short-lived token (OIDC), and the cloud's IAM decides. Small services often need no cluster at all:
# Cloud Run, Azure Container Apps and ECS Express Mode take an image and run it.

# %% [markdown]
# ## Check yourself
#
# Say your answer aloud, then run the cell.

# %% [markdown]
# ### Question 1
#
# A history has 1,000 commits, one of them broke the metric. How many looks does bisect need at most?

# %%
import math

print(math.ceil(math.log2(1000)))

# %% [markdown]
# <details><summary>Why</summary>
#
# Every look halves what is left, and 2 to the power of 10 is 1,024.
# </details>

# %% [markdown]
# ### Question 2
#
# What does this script's exit code say: `false | true`? And with `set -o pipefail`?

# %%
for options in ("", "set -o pipefail; "):
    print(
        f"{options + 'false | true':32} exit code {run('bash', '-c', options + 'false | true').returncode}"
    )

# %% [markdown]
# <details><summary>Why</summary>
#
# A pipe answers with the code of its last program. With `pipefail`, any failure inside counts.
# </details>

# %% [markdown]
# ### Question 3
#
# Two layers hold the same files, in the same order, but were made a day apart. Same digest? And when the archive
# notes the time?


# %%
def stamped(when: int) -> str:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo("app/serve.py")
        entry.mtime = when
        archive.addfile(entry)
    return digest(buffer.getvalue())


print("equal times:  ", stamped(0) == stamped(0))
print("a day apart:  ", stamped(0) == stamped(86_400))

# %% [markdown]
# <details><summary>Why</summary>
#
# A digest sees bytes, and the time of each file is among them. That is why builds that can be repeated fix the
# time, and why the layers above were made with time 0.
# </details>

# %% [markdown]
# ### Question 4
#
# The operator's loop runs twice in a row, nothing happened in between. What does the second run do? What if it
# had *counted its own starts* instead of looking?

# %%
pd.DataFrame(story).loc[[1, 2], ["what happened", "found", "did"]]

# %% [markdown]
# <details><summary>Why</summary>
#
# Nothing: it acts on a difference, and there is none. A loop that counts would believe that three are running when
# one has died, and never heal it.
# </details>

# %% [markdown]
# ## Labs
#
# - [Git: a history you can rely on](../labs/s2_git/s2_git.ipynb)
# - [Docker: the service, packed so that it runs anywhere](../labs/s2_docker/s2_docker.ipynb)

# %% [markdown] tags=["claims"]
# ## Products, checked
#
# | Product | Owner | Licence | Status | Version | Checked |
# |---|---|---|---|---|---|
# | Git | its developers; Software Freedom Conservancy is the legal home | GPL-2.0 | active | any from 2.28 on | 2026-11 |
# | GitHub Actions | GitHub (Microsoft) | service; runner is MIT | active | workflow syntax, no version | 2026-11 |
# | act | nektos on GitHub | MIT | active; not a GitHub product | 0.2.89 | 2026-11 |
# | GitLab CI | GitLab | MIT (Community Edition), own licence (Enterprise Edition) | active | schema of check-jsonschema 0.39 | 2026-11 |
# | Jenkins | Continuous Delivery Foundation, graduated project | MIT | active | not run here | 2026-11 |
# | Azure Pipelines | Microsoft | service | active | schema of check-jsonschema 0.39 | 2026-11 |
# | hadolint | hadolint on GitHub | GPL-3.0 | active | 2.15 | 2026-11 |
# | Docker Engine | Docker, on Moby | Apache-2.0 | active | any with the classic builder; 20.10 in Debian 12 | 2026-11 |
# | Distribution (registry) | CNCF, sandbox project | Apache-2.0 | active | 2.8 in Debian 12; 3.1 from the project | 2026-11 |
# | Kubernetes | CNCF, graduated project | Apache-2.0 | active | schemas of 1.37 | 2026-11 |
# | Helm | CNCF, graduated project | Apache-2.0 | active | 4.2 (SDK in helm-python-sdk 0.2, which is alpha) | 2026-11 |

# %% [markdown]
# ## Further reading
#
# - [Pro Git](https://git-scm.com/book/en/v2) and [git bisect](https://git-scm.com/docs/git-bisect)
# - [GNU Bash manual](https://www.gnu.org/software/bash/manual/)
# - [GitHub Actions](https://docs.github.com/en/actions), [act](https://nektosact.com/),
#   [GitLab CI](https://docs.gitlab.com/ci/), [Jenkins pipeline](https://www.jenkins.io/doc/book/pipeline/),
#   [Azure Pipelines](https://learn.microsoft.com/en-us/azure/devops/pipelines/)
# - [Dockerfile reference](https://docs.docker.com/reference/dockerfile/) and
#   [OCI image specification](https://github.com/opencontainers/image-spec)
# - [Kubernetes concepts](https://kubernetes.io/docs/concepts/) and
#   [the operator pattern](https://kubernetes.io/docs/concepts/extend-kubernetes/operator/)
# - [Helm documentation](https://helm.sh/docs/)
