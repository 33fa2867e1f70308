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
# ## The product in one picture
#
# The year has a shape, and a model that learned the spring will meet the summer. Keep this plot
# in mind: half of the course is about what it does to you.

# %%
import matplotlib.pyplot as plt

import flights

year = flights.add_label(flights.load_flights())
late = year.groupby("month")["late"].mean() * 100

figure, axes = plt.subplots(figsize=(8, 3))
axes.bar(late.index, late, color="0.45")
axes.set(xlabel="month of 2013", ylabel="flights 15+ min late (%)", xticks=late.index)
axes.set_title("How often flights from New York arrive late")
axes.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# ## Six stages
#
# | Stage | What you can do afterwards |
# |---|---|
# | 1 · Foundations | take data to an honest evaluation, and code out of a notebook |
# | 2 · DevOps | keep a history you can rely on, package a service, let a machine test it |
# | 3 · Cloud | read one job in the terms of three platforms |
# | 4 · Tracking and versioning | find the run, the data and the code behind any model |
# | 5 · Pipelines | let retraining happen by itself, and stop when it should |
# | 6 · Deployment and monitoring | run the service, and know before its users that it drifted |
#
# The order is the product's own: you cannot version what you cannot run, or automate what you
# cannot version, or watch what is not deployed.

# %% [markdown]
# ## Labs
#
# Open a lab, read a task, do it in the notebook or in a terminal, run the check below it. A check
# that is not green tells you where it looked, what it found, and what to try.
#
# These labs are here, with the points your checks last gave:

# %%
from pathlib import Path

from IPython.display import Markdown

from autograder import progress

labs = sorted(path.name for path in Path("../labs").iterdir() if path.is_dir())
rows = [
    f"| [{lab}](../labs/{lab}/{lab}.ipynb) | {progress.total_line(lab, Path('../labs') / lab)} |"
    for lab in labs
]
Markdown("\n".join(["| Lab | So far |", "|---|---|", *rows]))

# %% [markdown]
# ## How the checks treat you
#
# - **They read evidence, not variables.** Restart the kernel as often as you like.
# - **Any correct way counts.** Terminal, editor, notebook, another command: all the same.
# - **They start from where you are.** What a red check suggests begins at your present state.
# - **A task can start over.** `lab.restart("<folder>")` lays it out anew and keeps your old work.
# - **A missing tool is not your mistake.** The card then says *not graded here* and what it needs.
