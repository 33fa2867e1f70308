# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Roadmap
#
# You are about to build one product, from raw data to a watched service: it predicts, when a
# flight from New York is *scheduled*, whether it will arrive 15 minutes late or more.
#
# You build it with the tools that teams use. Every lab ends in something those tools keep: a
# commit, an image, a run, a lock file, a metric. That is your evidence, and it is what gets
# checked. How you got there is up to you.

# %% [markdown]
# ## Start here
#
# 1. Run this notebook from top to bottom (*Run → Run All Cells*). Its tables are made from what is on
#    this machine: your own progress, and the stages and labs that are here.
# 2. Never done any of this? Take the stages in order. Each has a notebook to read and run, then labs.
# 3. Here for a job or a single tool? Go to *Which role needs what*, below, and start where your row is
#    dark.
# 4. Something does not start? `autograder doctor` in a terminal says what is missing and the remedy.

# %% [markdown]
# ## The product in one picture
#
# The year has a shape, and a model that learned the spring will meet the summer. Keep this plot
# in mind: half of the course is about what it does to you.

# %%
import matplotlib.pyplot as plt
import pandas as pd

import flights

plt.style.use("workbook.mplstyle")
year = flights.add_label(flights.load_flights())
late = year.groupby("month")["late"].mean() * 100

figure, axes = plt.subplots(figsize=(8, 3))
axes.bar(late.index, late, color="0.45")
axes.set(xlabel="month of 2013", ylabel="flights 15+ min late (%)", xticks=late.index)
axes.set_title("How often flights from New York arrive late")
plt.show()

# %% [markdown]
# ## Six stages, in the product's own order
#
# The order is not taste. You cannot version what you cannot run, or automate what you cannot version,
# or watch what is not deployed. Write down what each stage needs, and the order follows:

# %% tags=["topic:why-this-order"]
from graphlib import TopologicalSorter

NEEDS = {
    "1 · Foundations": {},
    "2 · DevOps": {"1 · Foundations": "code worth keeping"},
    "3 · Cloud": {"2 · DevOps": "an image to send there"},
    "4 · Tracking": {"1 · Foundations": "an honest score", "2 · DevOps": "commits to tie runs to"},
    "5 · Pipelines": {"2 · DevOps": "checks that run alone", "4 · Tracking": "runs to compare"},
    "6 · Deployment": {
        "4 · Tracking": "a registered model",
        "5 · Pipelines": "retraining on demand",
    },
}
order = list(
    TopologicalSorter({stage: list(needs) for stage, needs in NEEDS.items()}).static_order()
)
print("an order that respects every need:", " → ".join(stage[0] for stage in order))

# Drawn from left to right by how many stages must come before.
depth: dict[str, int] = {}
for stage in order:
    depth[stage] = 1 + max((depth[need] for need in NEEDS[stage]), default=-1)
rows = {"3 · Cloud": -1.0}
figure, axes = plt.subplots(figsize=(9, 3.2))
place = {
    stage: (2.2 * depth[stage], rows.get(stage, 0.0 if depth[stage] % 2 == 0 else 0.9))
    for stage in NEEDS
}
for stage, needs in NEEDS.items():
    for need, why in needs.items():
        axes.annotate(
            "",
            place[stage],
            place[need],
            arrowprops={"arrowstyle": "-|>", "color": "0.6", "shrinkA": 28, "shrinkB": 28},
        )
        part = 0.3 if stage == "3 · Cloud" else 0.5  # nearer to the stage, where lines would cross
        x, y = (a + part * (b - a) for a, b in zip(place[stage], place[need], strict=True))
        axes.text(
            x,
            y,
            why,
            fontsize=7.5,
            ha="center",
            va="center",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        )
for stage, (x, y) in place.items():
    axes.text(
        x,
        y,
        stage,
        ha="center",
        va="center",
        fontweight="bold",
        fontsize=9,
        bbox={"boxstyle": "round,pad=0.4", "facecolor": "0.92", "edgecolor": "0.4"},
    )
axes.set(xlim=(-0.8, 2.2 * max(depth.values()) + 0.8), ylim=(-1.5, 1.5))
axes.set_title("What each stage takes from the ones before")
axes.axis("off")
plt.show()

# %% [markdown]
# ### Notebooks, labs, time
#
# Times are for reading *and* running, with breaks left to you. Everything runs offline on a laptop.
# A stage without links is not here yet.

# %% tags=["nbval-ignore-output"]
import re
from pathlib import Path

from IPython.display import Markdown

from autograder.learner.standing import standing
from autograder.paths import Course

AFTERWARDS = {
    1: (
        "Foundations",
        110,
        "Python",
        "take data to an honest evaluation, and code out of a notebook",
    ),
    2: (
        "DevOps",
        110,
        "stage 1",
        "keep a history you can rely on, package a service, let a machine test it",
    ),
    3: (
        "Cloud",
        90,
        "stages 1, 2",
        "read one job in the terms of three platforms, and say what it costs",
    ),
    4: (
        "Tracking and versioning",
        90,
        "stages 1, 2",
        "find the run, the data and the code behind any model",
    ),
    5: (
        "Pipelines",
        100,
        "stages 2, 4",
        "let retraining happen by itself, and stop when it should",
    ),
    6: (
        "Deployment and monitoring",
        120,
        "stages 4, 5",
        "run the service, and know before its users that it drifted",
    ),
}
now = standing(Course(Path("..").resolve()))

# Minutes as each notebook itself says them; for one that is not here yet, as planned.
reading = {number: minutes for number, (_, minutes, *_) in AFTERWARDS.items()}
for number, page in now.pages.items():
    if said := re.search(r"[Aa]bout (\d+) minutes", Path("..", page).read_text("utf-8")):
        reading[number] = int(said[1])

lines = ["| Stage | Reading | You need | Afterwards you can | Labs |", "|---|---|---|---|---|"]
for number, (title, _, needs, can) in AFTERWARDS.items():
    name = f"{number} · {title}"
    link = f"[{name}]({Path(now.pages[number]).name})" if number in now.pages else name
    labs = " · ".join(
        f"[{lab.name}](../{lab.notebook})" + (f" {lab.minutes} min" if lab.minutes else "")
        for lab in now.of_stage(number)
    )
    lines.append(f"| {link} | {reading[number]} min | {needs} | {can} | {labs or '–'} |")
Markdown("\n".join(lines))

# %% [markdown]
# ## Your checklist ticks itself
#
# Nobody ticks a box here. A task is ticked when its check once gave full points for what you left
# behind. The table shows points for the evidence on disk now, and the best you ever had.

# %% tags=["topic:own-checklist", "nbval-ignore-output"]
lines = ["| Lab | Now | Best | Tasks | Next |", "|---|---|---|---|---|"]
for lab in now.labs:
    ticks = "".join("✔" if task.done else "·" for task in lab.tasks)
    following = lab.next_task.title if lab.next_task else "all done"
    lines.append(
        f"| [{lab.title}](../{lab.notebook}) | {lab.now:g} of {lab.points:g} | {lab.best:g} | {ticks} | {following} |"
    )
Markdown("\n".join(lines))

# %% [markdown]
# Tasks done one by one, and what to do next, are also on the page *Progress* in the launcher, and in a
# terminal: `autograder progress`.

# %% [markdown]
# ## Which role needs what
#
# Titles differ between companies; the work does not. Dark: do every lab. Grey: read the notebook. Light: know
# that it exists.

# %% tags=["topic:roles", "nbval-ignore-output"]
ROLES = {  # stages 1 to 6; 2 = labs, 1 = reading, 0 = know that it exists
    "MLOps engineer": (1, 2, 1, 2, 2, 2),
    "ML engineer": (2, 2, 1, 2, 2, 2),
    "AI DevOps engineer": (0, 2, 2, 1, 2, 2),
    "ML platform engineer": (1, 2, 2, 2, 2, 2),
    "Data engineer, data scientist": (2, 2, 1, 2, 1, 1),
    "Cloud ML engineer": (1, 2, 2, 1, 2, 2),
    "AI infrastructure engineer": (0, 2, 2, 1, 1, 2),
    "LLMOps engineer": (1, 2, 1, 2, 2, 2),
}
matrix = pd.DataFrame(ROLES, index=[f"{n} · {AFTERWARDS[n][0].split()[0]}" for n in AFTERWARDS]).T

figure, axes = plt.subplots(figsize=(8, 3.2))
axes.imshow(matrix, cmap="Greys", vmin=-0.4, vmax=2.6, aspect="auto")
axes.set_xticks(range(6), matrix.columns, fontsize=8.5)
axes.set_yticks(range(len(matrix)), matrix.index)
for row, values in enumerate(matrix.to_numpy()):
    for column, value in enumerate(values):
        axes.text(
            column,
            row,
            ("know", "read", "do")[value],
            ha="center",
            va="center",
            fontsize=8,
            color="white" if value == 2 else "0.15",
        )
axes.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
axes.spines[:].set_visible(False)
plt.show()

minutes = pd.Series(reading)
hours = (matrix.ge(1).to_numpy() * minutes.to_numpy()).sum(axis=1) / 60
pd.DataFrame({"hours of reading": hours.round(1)}, index=matrix.index)

# %% [markdown]
# - An **MLOps engineer** keeps models running that others train.
# - An **ML engineer** trains them and puts them behind an interface.
# - An **AI DevOps engineer** comes from operations: pipelines, clusters, on-call.
# - An **ML platform engineer** builds what all of these use, for many teams.
# - A **data engineer** answers for the tables, a **data scientist** for the question and the score.
# - A **cloud ML engineer** does it with one provider's services, and answers for the bill.
# - An **AI infrastructure engineer** answers for accelerators, storage and scheduling.
# - An **LLMOps engineer** does all this for language models: prompts and evaluations take the place of
#   features and labels. The tools of stages 4 to 6 stay.

# %% [markdown]
# ## What no tool does for you
#
# Three habits decide more careers than any framework. Each can be practised in this course.
#
# - **Write decisions down.** Ten lines in the repository: the question, what you chose, what you did not, and
#   what would change your mind. In every lab's commits you can.
# - **Review without blame.** After an outage ask what made the mistake easy. A person who fears the answer will
#   hide the next one.
# - **Say no with a number.** "That is risky" invites an argument. A number invites a choice. For instance: how
#   long may a service be down in 30 days, for the promise somebody wants to print on the website?

# %% tags=["topic:soft-skills"]
promises = pd.Series([99.0, 99.5, 99.9, 99.99], name="promised (%)")
budget = (1 - promises / 100) * 30 * 24 * 60
pd.DataFrame(
    {
        "promised (%)": promises,
        "may be down in 30 days (minutes)": budget.round(1),
        "outages of 20 minutes that fit": (budget // 20).astype(int),
    }
).set_index("promised (%)")

# %% [markdown]
# An outage in which somebody must wake up, log in and roll back takes about 20 minutes. So from 99.9 % on, at
# most two fit; at 99.99 % none does, and rolling back must happen by itself. Now the talk is about money, not
# about courage.

# %% [markdown]
# ## How the checks treat you
#
# Open a lab, read a task, do it in the notebook or in a terminal, run the check below it. A check
# that is not green tells you where it looked, what it found, and what to try.
#
# - **They read evidence, not variables.** Restart the kernel as often as you like.
# - **Any correct way counts.** Terminal, editor, notebook, another command: all the same.
# - **They start from where you are.** What a red check suggests begins at your present state.
# - **A task can start over.** `lab.restart("<folder>")` lays it out anew and keeps your old work.
# - **A missing tool is not your mistake.** The card then says *not graded here* and what it needs.
