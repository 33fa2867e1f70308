# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # MLflow: every number has a history
#
# **You will be able to**
#
# - log runs on a tracking server: parameters, metrics, plots, data, models;
# - search in an orderly way, and find the best run by a question instead of by eye;
# - give a model a contract, judge it on a later month, and notice when it knows the future;
# - register versions, promote them by a rule, serve them, and take one back;
# - lead a version back to its run, its data and its commit.
#
# About 2 hours · 35 points · needs nothing beyond this course. All servers run on your machine.
#
# Where this lab stands among the others: [roadmap](../../course/roadmap.ipynb).

# %% [markdown]
# ## The product
#
# You build `flight-delays`. It predicts, when a flight from New York is scheduled, whether it
# will arrive 15 minutes late or more. Models are trained on early months and judged on July.
#
# ## How to work
#
# Every task has its own folder in `work/`, with its own MLflow store: a database `mlflow.db` and a
# folder `artifacts`. Do the tasks in any order. A mistake in one does not touch the others.
#
# The checks read the stores, not your code. So log as you like: with `mlflow.…` or `MlflowClient`,
# in the notebook's cells or by a script in a terminal (*File → New → Terminal*). All count.
#
# Run the next four cells first, and again whenever you have restarted the kernel.

# %% setup="lab"
from autograder import Lab
from autograder.checks import s4_mlflow as check

lab = Lab("s4_mlflow")
work = lab.work

# %%
from autograder.servers import model_server, prepare, tracking_server

prepare()  # MLflow's server takes seconds to import: begin now, in the background
lab

# %% [markdown]
# Something went wrong beyond repair? `lab.restart("5-model")` gives you that task's start state
# again and keeps your old folder beside it.

# %%
import json
import sys
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import mlflow
import pandas as pd
import requests
from mlflow import MlflowClient
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import flights

warnings.filterwarnings("ignore", module="mlflow|sklearn")  # advice for later; here it is noise

# %% [markdown]
# The data, and a model to play with. One early flight in four is enough here: it keeps each fit
# under a second. July stays whole, so that everybody's score means the same.

# %%
early = flights.add_label(flights.load_flights(months=[4, 5, 6])).iloc[::4]
july = flights.add_label(flights.load_flights(months=[7]))
X_train, y_train = flights.features(early), early["late"]
X_valid, y_valid = flights.features(july), july["late"]


def pipeline(C=1.0, categories=("carrier", "dest", "hour", "weekday")):
    """A linear model of the categories and two numbers; C is how freely it may fit."""
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), list(categories)),
        (StandardScaler(), ["distance", "sched_duration"]),
    )
    return make_pipeline(encode, LogisticRegression(C=C, max_iter=500))


def auc_on_july(model):
    """The chance that the model ranks a late flight above one in time."""
    return roc_auc_score(y_valid, model.predict_proba(X_valid)[:, 1])


def show(*columns):
    """The runs on the current server, the newest first."""
    runs = mlflow.search_runs(search_all_experiments=True)
    return runs.reindex(columns=["tags.mlflow.runName", "status", *columns]).head(12)


X_train.head(3)

# %% [markdown] task=1
# ### 1 · One place for every run
#
# A score in a notebook is gone when the kernel is. A score in a file is on one laptop. A *tracking
# server* is one address for the whole team: runs go in, and stay. Yours keeps records in a database
# and files in a folder. `tracking_server(folder)` starts it on a free port of your machine and
# returns its address. It does what this command does:
#
#     mlflow server --backend-store-uri sqlite:///…/mlflow.db --artifacts-destination …/artifacts
#
# A *run* is one try. An *experiment* is a folder of runs with one question.
#
# **Do:** on the server of `work/1-server`, make the experiment `late-flights`. In it, log one run
# of the model above: the parameters `model` and `train_months`, the metric `valid_auc` on July, and
# the tag `owner`. Then open the address and look around: *Model training*, at the top left, shows
# runs and models; the rest of the page is for language models.
#
# **Leaves behind:** a finished run with all of that. **2 points**

# %% [markdown] hint=1
# <details><summary>Hint</summary>
#
# Which of the four is a number you compare, which is a choice you made, which is a note for people?
#
# <details><summary>The steps</summary>
#
# 1. `mlflow.set_tracking_uri` says where all that follows goes, `mlflow.set_experiment` into which
#    experiment.
# 2. `with mlflow.start_run():` opens a run and ends it with the block.
# 3. Inside: `log_params`, `log_metric`, `set_tag`.
#
# In a terminal, `export MLFLOW_TRACKING_URI=http://127.0.0.1:…` does the first step for a script.
#
# <details><summary>Nearly all of it</summary>
#
# `mlflow.set_experiment("late-flights")` · `with mlflow.start_run(run_name="first"):` ·
# `mlflow.log_params({"model": "linear", "train_months": "4-6"})` ·
# `model = pipeline().fit(X_train, y_train)` ·
# `mlflow.log_metric("valid_auc", auc_on_july(model))` · `mlflow.set_tag("owner", …)`
#
# </details></details></details>

# %% answer="first_run"
mlflow.set_tracking_uri(tracking_server("work/1-server"))
### BEGIN SOLUTION
mlflow.set_experiment("late-flights")
with mlflow.start_run(run_name="first"):
    mlflow.log_params({"model": "linear", "train_months": "4-6"})
    model = pipeline().fit(X_train, y_train)
    mlflow.log_metric("valid_auc", auc_on_july(model))
    mlflow.set_tag("owner", "Ada Lovelace")
### END SOLUTION

# %% look=1
show("params.model", "params.train_months", "metrics.valid_auc", "tags.owner")

# %% check="experiment_made"
check.experiment_made(work / "1-server")

# %% check="run_logged"
check.run_logged(work / "1-server")

# %% [markdown] task=2
# ### 2 · A run that tells its story
#
# "AUC 0.69" is an answer without its question. How did it get there, would more data help, and on
# which flights? Three things tell: a metric over *steps*, a picture, and the data set itself.
#
# **Do:** in one run on the server of `work/2-story`, fit the model on more and more flights of
# `X_train`: at least five sizes. Log `valid_auc` for each, with the number of flights as the step.
# Log a plot of that curve. Log the training set as an *input* of the run, under a name that tells
# which flights it holds, with the context `training`.
#
# **Leaves behind:** a finished run with a curve, a picture and a data set. **3 points**

# %% [markdown] hint=2
# <details><summary>Hint</summary>
#
# What does a metric's second number, its step, have to be so that the curve's x-axis is the number
# of flights?
#
# <details><summary>The steps</summary>
#
# 1. `log_metric` takes `step=`.
# 2. `mlflow.log_figure` takes a figure of matplotlib and a file name.
# 3. `mlflow.data.from_pandas` describes a frame; `targets=` names the column of the label.
#    `mlflow.log_input` ties it to the run.
#
# <details><summary>Nearly all of it</summary>
#
# `mlflow.log_metric("valid_auc", auc_on_july(model), step=n)` ·
# `mlflow.log_figure(figure, "learning_curve.png")` ·
# `mlflow.log_input(mlflow.data.from_pandas(frame, name="april-to-june", targets="late"),
# context="training")`
#
# </details></details></details>

# %% answer="story"
mlflow.set_tracking_uri(tracking_server("work/2-story"))
mlflow.set_experiment("late-flights")
### BEGIN SOLUTION
with mlflow.start_run(run_name="learning curve"):
    mlflow.log_params({"model": "linear", "train_months": "4-6"})
    data = mlflow.data.from_pandas(
        X_train.assign(late=y_train), name="april-to-june-every-4th", targets="late"
    )
    mlflow.log_input(data, context="training")
    sizes, scores = [500, 1000, 2000, 5000, 10000, len(X_train)], []
    for n in sizes:
        part = X_train.sample(n, random_state=1)
        model = pipeline().fit(part, y_train[part.index])
        scores.append(auc_on_july(model))
        mlflow.log_metric("valid_auc", scores[-1], step=n)
    figure, axes = plt.subplots(figsize=(5, 3))
    axes.plot(sizes, scores, marker="o")
    axes.set(xlabel="flights in training", ylabel="AUC on July")
    mlflow.log_figure(figure, "learning_curve.png")
### END SOLUTION

# %% look=2
runs = mlflow.search_runs(experiment_names=["late-flights"])
for run_id in runs.get("run_id", [])[:1]:
    for point in MlflowClient().get_metric_history(run_id, "valid_auc"):
        print(f"{point.step:>6} flights: {point.value:.4f}")
    print([d.dataset.name for d in mlflow.get_run(run_id).inputs.dataset_inputs])
    print([f.path for f in MlflowClient().list_artifacts(run_id)])

# %% check="metric_steps"
check.metric_steps(work / "2-story")

# %% check="plot_logged"
check.plot_logged(work / "2-story")

# %% check="data_logged"
check.data_logged(work / "2-story")

# %% [markdown] task=3
# ### 3 · By machine and by hand
#
# `mlflow.sklearn.autolog()` watches `fit` and writes down everything: each of the pipeline's
# settings, and scores *on the training set*. It cannot know that July is what counts. By hand you
# log less: what you chose, and the score you decide by.
#
# **Do:** on the server of `work/3-autolog`, fit the same model in two runs. In the first,
# autologging is on, and you add `valid_auc` yourself. In the second it is off: you log `valid_auc`
# and one to eight parameters that you chose. Then compare `training_roc_auc` with `valid_auc`: which
# of the two would you tell your boss?
#
# **Leaves behind:** two finished runs, with the same `valid_auc`. **2 points**

# %% [markdown] hint=3
# <details><summary>Hint</summary>
#
# If you call `fit` without opening a run, autologging opens one, and ends it with `fit`. How do you
# get July's score into the same run?
#
# <details><summary>The steps</summary>
#
# 1. `mlflow.sklearn.autolog(log_models=False)` is enough: this task needs no model, and models
#    cost time.
# 2. Open the run yourself, fit and score inside.
# 3. `mlflow.sklearn.autolog(disable=True)`, and the second run by hand.
#
# <details><summary>Nearly all of it</summary>
#
# `with mlflow.start_run(run_name="auto"):` · `model = pipeline().fit(X_train, y_train)` ·
# `mlflow.log_metric("valid_auc", auc_on_july(model))`, and the same once more with
# `mlflow.log_params({"C": 1.0})`.
#
# </details></details></details>

# %% answer="autolog"
mlflow.set_tracking_uri(tracking_server("work/3-autolog"))
mlflow.set_experiment("late-flights")
### BEGIN SOLUTION
mlflow.sklearn.autolog(log_models=False, log_datasets=False, silent=True)
with mlflow.start_run(run_name="auto"):
    model = pipeline().fit(X_train, y_train)
    mlflow.log_metric("valid_auc", auc_on_july(model))
mlflow.sklearn.autolog(disable=True)

with mlflow.start_run(run_name="by hand"):
    mlflow.log_params({"model": "linear", "C": 1.0})
    model = pipeline(C=1.0).fit(X_train, y_train)
    mlflow.log_metric("valid_auc", auc_on_july(model))
### END SOLUTION

# %% look=3
runs = mlflow.search_runs(experiment_names=["late-flights"])
settings = runs.filter(like="params.").notna().sum(axis=1)
show("metrics.training_roc_auc", "metrics.valid_auc").assign(parameters=settings)

# %% check="autologged"
check.autologged(work / "3-autolog")

# %% check="compared"
check.compared(work / "3-autolog")

# %% [markdown] task=4
# ### 4 · Many runs, one question
#
# A search makes many runs. Give them a *parent* and the list stays readable: one line that unfolds.
#
# Then, which is best? By eye you pick the largest number. Look at Ana's runs in `work/4-search`:
# some of the largest numbers come from runs that failed, or that she marked with the tag
# `leak = yes`. A question in code is asked the same way every time, also next month.
#
# **Do:** two things.
#
# 1. Log a search of your own: one parent run, and at least six child runs, each with its own
#    parameters and `valid_auc`.
# 2. Write `work/4-search/best.py` with a function `best_run(tracking_uri)`. It returns the id of the
#    run in `late-flights` with the highest `valid_auc`, of all that are finished and whose tag
#    `leak` is not `yes`. Most runs have no such tag: they count. The check asks it about other
#    stores, too.
#
# **Leaves behind:** the family of runs, and the file. **4 points**

# %% [markdown] hint=4
# <details><summary>Hint</summary>
#
# `mlflow.search_runs(filter_string="tags.leak != 'yes'")`: how many of Ana's runs does it find? Why
# so few?
#
# <details><summary>The steps</summary>
#
# 1. `mlflow.start_run(nested=True)` inside an open run makes a child.
# 2. `filter_string="attributes.status = 'FINISHED'"` and `order_by=["metrics.valid_auc DESC"]` let
#    the server do most of it.
# 3. A comparison with a tag is never true for a run without the tag. So leave the leaks out in the
#    frame that comes back.
# 4. `best_run` is called in a fresh process: it must import what it uses, and set the tracking URI.
#
# <details><summary>Nearly all of it</summary>
#
# `for C in …:` · `with mlflow.start_run(nested=True):`. In `best.py`:
# `runs = mlflow.search_runs(experiment_names=["late-flights"], filter_string=…, order_by=…)`, then
# `if "tags.leak" in runs: runs = runs[runs["tags.leak"] != "yes"]` and
# `return runs["run_id"].iloc[0]`. Where does a run without the metric stand?
#
# </details></details></details>

# %% answer="search"
mlflow.set_tracking_uri(tracking_server("work/4-search"))
mlflow.set_experiment("late-flights")
### BEGIN SOLUTION
with mlflow.start_run(run_name="search"):
    for C in (0.01, 0.1, 1.0):
        for categories in (("carrier", "hour"), ("carrier", "dest", "hour", "weekday")):
            with mlflow.start_run(nested=True):
                mlflow.log_params({"C": C, "categories": " ".join(categories)})
                model = pipeline(C, categories).fit(X_train, y_train)
                mlflow.log_metric("valid_auc", auc_on_july(model))
### END SOLUTION

# %% answer="best"
### BEGIN SOLUTION
Path("work/4-search/best.py").write_text('''\
"""Find the best run that can be trusted."""

import mlflow


def best_run(tracking_uri):
    """Return the id of the finished run without a leak that has the highest valid_auc."""
    mlflow.set_tracking_uri(tracking_uri)
    runs = mlflow.search_runs(
        experiment_names=["late-flights"],
        filter_string="attributes.status = 'FINISHED'",
        order_by=["metrics.valid_auc DESC"],
    )
    runs = runs.dropna(subset="metrics.valid_auc")
    if "tags.leak" in runs:
        runs = runs[runs["tags.leak"] != "yes"]
    return runs["run_id"].iloc[0]
''')
### END SOLUTION

# %% look=4
mlflow.search_runs(
    experiment_names=["late-flights"],
    order_by=["metrics.valid_auc DESC"],
).reindex(columns=["run_id", "status", "metrics.valid_auc", "tags.leak", "params.C"])

# %% check="search_nested"
check.search_nested(work / "4-search")

# %% check="best_by_query"
check.best_by_query(work / "4-search")
### BEGIN HIDDEN TESTS
check.best_by_query(work / "4-search", elsewhere=True)
### END HIDDEN TESTS

# %% [markdown] task=5
# ### 5 · A model with a contract
#
# A model file alone is a riddle. Which columns, of which type, and what comes out? A *signature*
# says so, and MLflow holds callers to it. An *input example* shows it.
#
# And a score alone is a claim. It must be the score of *this* model, on flights from *after* its
# training. The check tries your model on July as it was, and on flights that never flew: the same
# kind of flights on other days. An honest model ranks both equally well. A model that has seen July
# knows July's bad days, and nobody else's.
#
# **Do:** on the server of `work/5-model`, train on flights from before July. In one run, log the
# training set (as in task 2), `valid_auc` on all of July, and the model under the name `model`, with
# signature and input example. Its answer is the chance that a flight is late, not 0 or 1.
#
# **Leaves behind:** a run with data set, score and model. The newest model counts. **4 points**

# %% [markdown] hint=5
# <details><summary>Hint</summary>
#
# What does `predict` of a classifier return, and what does the AUC want to rank by?
#
# <details><summary>The steps</summary>
#
# 1. `mlflow.sklearn.log_model(model, name="model", …)` takes `signature=` and `input_example=`.
# 2. `pyfunc_predict_fn="predict_proba"` lets the logged model answer with chances. Then
#    `mlflow.models.infer_signature(X, model.predict_proba(X))` tells what goes in and comes out.
# 3. Say what it needs, `pip_requirements=["scikit-learn"]`: else MLflow finds out by itself, which
#    takes ten seconds.
#
# <details><summary>Nearly all of it</summary>
#
# `mlflow.sklearn.log_model(model, name="model", signature=…, input_example=X_train.head(3),
# pyfunc_predict_fn="predict_proba", pip_requirements=["scikit-learn"])`
#
# </details></details></details>

# %% answer="model"
mlflow.set_tracking_uri(tracking_server("work/5-model"))
mlflow.set_experiment("late-flights")
### BEGIN SOLUTION
with mlflow.start_run(run_name="linear"):
    data = mlflow.data.from_pandas(
        X_train.assign(late=y_train), name="april-to-june-every-4th", targets="late"
    )
    mlflow.log_input(data, context="training")
    model = pipeline().fit(X_train, y_train)
    mlflow.log_metric("valid_auc", auc_on_july(model))
    mlflow.sklearn.log_model(
        model,
        name="model",
        signature=mlflow.models.infer_signature(X_train, model.predict_proba(X_train)),
        input_example=X_train.head(3),
        pyfunc_predict_fn="predict_proba",
        pip_requirements=["scikit-learn"],
    )
### END SOLUTION

# %% look=5
for found in mlflow.search_logged_models(output_format="list")[:1]:
    print(found.name, found.model_id, {m.key: round(m.value, 4) for m in found.metrics or []})
    print(mlflow.models.get_model_info(found.model_uri).signature)

# %% check="contract_given"
check.contract_given(work / "5-model")

# %% check="model_ranks"
check.model_ranks(work / "5-model")
### BEGIN HIDDEN TESTS
check.model_ranks(work / "5-model", unseen=True)
### END HIDDEN TESTS

# %% check="no_future"
check.no_future(work / "5-model")

# %% check="metric_reached"
check.metric_reached(work / "5-model")

# %% [markdown] task=6
# ### 6 · Champion and challenger
#
# The *registry* numbers the versions of a model. Numbers say nothing about which one to use: that is
# what *aliases* are for. Services ask for `models:/late-flights@champion`. The `challenger` is the
# one that wants to take its place. Who decides? A rule, written down as code: then it is the same
# for everybody, also on a Friday evening.
#
# `work/6-promote` has four versions. Version 1 is the champion. Each version's run has `valid_auc`.
# One version has no signature.
#
# **Do:** write `work/6-promote/promote.py` with `promote(client, name)`. `client` is an
# `MlflowClient`, `name` the registered model. If the challenger has a signature, and its run a
# `valid_auc` really higher than the champion's, it becomes `champion`, and nobody is `challenger`
# any more. Else `promote` raises an exception and moves nothing. Then use it: make the best version
# that may win the challenger, and promote it.
#
# **Leaves behind:** the file; `champion` on the best version that has a signature. **4 points**

# %% [markdown] hint=6
# <details><summary>Hint</summary>
#
# Which comparison is false for a score that is missing, and which for one that is not a number?
# What must come first, checking or moving?
#
# <details><summary>The steps</summary>
#
# 1. `client.get_model_version_by_alias(name, alias)` finds a version, `client.get_run(v.run_id)` its
#    run; `.data.metrics` is a dictionary.
# 2. `mlflow.models.get_model_info("models:/late-flights/3").signature` is None without one. It
#    needs to know the server: `mlflow.set_tracking_uri`, or the environment.
# 3. Raise for everything that is not right. Move the aliases last.
#
# <details><summary>Nearly all of it</summary>
#
# `if not new > old: raise ValueError("refused: …")`, where a missing score is `float("nan")`. Then
# `client.set_registered_model_alias(name, "champion", challenger.version)` and
# `client.delete_registered_model_alias(name, "challenger")`.
#
# </details></details></details>

# %% answer="rule"
### BEGIN SOLUTION
Path("work/6-promote/promote.py").write_text('''\
"""The rule by which a challenger becomes the champion."""

import mlflow

METRIC = "valid_auc"


def promote(client, name):
    """Make the challenger the champion if it is signed and better; raise ValueError if not."""
    champion = client.get_model_version_by_alias(name, "champion")
    challenger = client.get_model_version_by_alias(name, "challenger")
    uri = f"models:/{name}/{challenger.version}"
    if mlflow.models.get_model_info(uri).signature is None:
        raise ValueError(f"refused: version {challenger.version} has no signature")
    old, new = score(client, champion), score(client, challenger)
    if not new > old:
        raise ValueError(f"refused: {METRIC} {new} is not better than {old}")
    client.set_registered_model_alias(name, "champion", challenger.version)
    client.delete_registered_model_alias(name, "challenger")


def score(client, version):
    """Return the score of the run that made a version; a missing one is better than nothing."""
    return client.get_run(version.run_id).data.metrics.get(METRIC, float("nan"))
''')
### END SOLUTION

# %% answer="promote"
mlflow.set_tracking_uri(tracking_server("work/6-promote"))
client = MlflowClient()
### BEGIN SOLUTION
sys.path.insert(0, "work/6-promote")
from promote import promote

for version in ("4", "3", "2"):
    client.set_registered_model_alias("late-flights", "challenger", version)
    try:
        promote(client, "late-flights")
        print(f"version {version} is the champion")
    except ValueError as refusal:
        print(refusal)
### END SOLUTION

# %% look=6
print(client.get_registered_model("late-flights").aliases)
pd.DataFrame(
    {
        "version": v.version,
        "description": v.description,
        "valid_auc": client.get_run(v.run_id).data.metrics["valid_auc"],
        "signed": mlflow.models.get_model_info(f"models:/{v.name}/{v.version}").signature
        is not None,
    }
    for v in client.search_model_versions("name = 'late-flights'")
)

# %% check="champion_right"
check.champion_right(work / "6-promote")

# %% check="rule_promotes"
check.rule_promotes(work / "6-promote")

# %% check="rule_refuses"
check.rule_refuses(work / "6-promote")
### BEGIN HIDDEN TESTS
check.rule_refuses(work / "6-promote", more=True)
### END HIDDEN TESTS

# %% [markdown] task=7
# ### 7 · Raw rows in, a chance out
#
# Your model of task 5 wants *features*. A booking system has a schedule: carrier, route, two times.
# If every caller makes the features, somebody makes them differently. So the model should take the
# raw row, and make its features itself.
#
# A pickle of such a model is a box of bytes. *Models from code* are logged as what they are: a
# Python file, with what it learned as a file beside it.
#
# **Do:** `work/7-raw/schedule.json` shows what comes in. Write `work/7-raw/model.py`: a
# `PythonModel` whose `predict` takes such rows as a frame and returns a list, one chance a row. At
# its end it calls `mlflow.models.set_model`. Train a pipeline, save it to a file, and log `model.py`
# with that file as an artifact and with raw rows as the input example.
#
# **Leaves behind:** a logged model from code that takes raw rows: one or many, known places or
# new ones. **3 points**

# %% [markdown] hint=7
# <details><summary>Hint</summary>
#
# Which function makes features of raw rows, for training and for predicting alike? The course has
# it: `flights.features`.
#
# <details><summary>The steps</summary>
#
# 1. `mlflow.sklearn.save_model(pipeline, folder)` saves a pipeline; `mlflow.sklearn.load_model` loads
#    it.
# 2. `load_context(self, context)` is called once: `context.artifacts["pipeline"]` is where the file
#    lies on the machine it runs on.
# 3. `predict(self, context, model_input: pd.DataFrame, params=None)` makes features and returns a
#    list.
# 4. `mlflow.pyfunc.log_model(name="model", python_model="work/7-raw/model.py", artifacts={…}, …)`.
#
# <details><summary>Nearly all of it</summary>
#
# `X = flights.features(model_input)` · `return self.pipeline.predict_proba(X)[:, 1].tolist()` ·
# `artifacts={"pipeline": "work/7-raw/pipeline"}` · `input_example=rows.head(3)`
#
# </details></details></details>

# %% answer="raw_code"
### BEGIN SOLUTION
Path("work/7-raw/model.py").write_text('''\
"""The chance that a flight arrives late, from a raw row of the schedule."""

import mlflow
import pandas as pd
from mlflow.pyfunc import PythonModel

import flights


class LateFlights(PythonModel):
    """Features and a pipeline, in one."""

    def load_context(self, context):
        self.pipeline = mlflow.sklearn.load_model(context.artifacts["pipeline"])

    def predict(self, context, model_input: pd.DataFrame, params=None):
        X = flights.features(model_input)
        return self.pipeline.predict_proba(X)[:, 1].tolist()


mlflow.models.set_model(LateFlights())
''')
### END SOLUTION

# %% answer="raw_model"
mlflow.set_tracking_uri(tracking_server("work/7-raw"))
mlflow.set_experiment("late-flights")
rows = pd.DataFrame(json.loads(Path("work/7-raw/schedule.json").read_text()))
### BEGIN SOLUTION
model = pipeline().fit(X_train, y_train)
mlflow.sklearn.save_model(model, "work/7-raw/pipeline", pip_requirements=["scikit-learn"])
with mlflow.start_run(run_name="raw rows"):
    mlflow.log_metric("valid_auc", auc_on_july(model))
    mlflow.pyfunc.log_model(
        name="model",
        python_model="work/7-raw/model.py",
        artifacts={"pipeline": "work/7-raw/pipeline"},
        input_example=rows.head(3),
        pip_requirements=["mlflow", "scikit-learn"],
    )
### END SOLUTION

# %% look=7
for found in mlflow.search_logged_models(output_format="list")[:1]:
    loaded = mlflow.pyfunc.load_model(found.model_uri)
    print([round(chance, 3) for chance in loaded.predict(rows.head(5))])
rows.head()

# %% check="from_code"
check.from_code(work / "7-raw")

# %% check="takes_raw_rows"
check.takes_raw_rows(work / "7-raw")
### BEGIN HIDDEN TESTS
check.takes_raw_rows(work / "7-raw", strange=True)
### END HIDDEN TESTS

# %% check="raw_ranks"
check.raw_ranks(work / "7-raw")

# %% [markdown] task=8
# ### 8 · It runs elsewhere
#
# "It works on my machine" is where science ends. Ana's `work/8-project/project/train.py` works on
# hers: it reads from her home folder, its result differs from run to run, and which versions it
# needs only she knows. An *MLflow project* is a folder with one more file, `MLproject`: it names the
# environment, the parameters and the command. Then `mlflow run` does the rest, anywhere.
#
# **Do:** make it a project. `MLproject` has an entry point `main` with the parameter `alpha`, and
# names an environment that pins `mlflow`, `scikit-learn` and `pandas` with `==`. `train.py` reads
# `data/train.csv` and `data/valid.csv` beside it, uses `alpha`, gives the same result every time,
# and logs `valid_auc`. Run it as a project on the server of `work/8-project`, with the environment
# you have (`env_manager="local"`).
#
# **Leaves behind:** the project, and a run that it made. The check copies it elsewhere and runs it
# again. **4 points**

# %% [markdown] hint=8
# <details><summary>Hint</summary>
#
# Run `train.py` twice, with the paths repaired. What in `SGDClassifier` is left to chance?
#
# <details><summary>The steps</summary>
#
# 1. In `train.py`: relative paths, `random_state=`, `argparse` or `sys.argv` for `alpha`, and
#    `with mlflow.start_run():` around `mlflow.log_metric`. No tracking URI: that is for the machine
#    to say.
# 2. `python_env.yaml` has `dependencies:`, a list. `importlib.metadata.version("pandas")` tells your
#    version.
# 3. `mlflow.projects.run(folder, parameters={"alpha": 0.001}, env_manager="local",
#    experiment_name="late-flights")`. In a terminal: `mlflow run … -P alpha=0.001`.
#
# <details><summary>Nearly all of it</summary>
#
# MLproject:
#
#     name: flight-delays
#     python_env: python_env.yaml
#     entry_points:
#       main:
#         parameters:
#           alpha: {type: float, default: 0.001}
#         command: "python train.py --alpha {alpha}"
#
# </details></details></details>

# %% answer="project"
### BEGIN SOLUTION
from importlib.metadata import version as installed

project = Path("work/8-project/project")
(project / "MLproject").write_text("""\
name: flight-delays
python_env: python_env.yaml
entry_points:
  main:
    parameters:
      alpha: {type: float, default: 0.001}
    command: "python train.py --alpha {alpha}"
""")
pins = [f"  - {p}=={installed(p)}" for p in ("mlflow", "pandas", "scikit-learn")]
python = ".".join(map(str, sys.version_info[:3]))
(project / "python_env.yaml").write_text("\n".join([f"python: {python}", "dependencies:", *pins]))

train = (project / "train.py").read_text()
train = train.replace("/home/ana/flight-delays/", "")
train = train.replace("import pandas", "import argparse\n\nimport mlflow\nimport pandas")
train = train.replace("alpha=0.001", "alpha=arguments.alpha, random_state=1")
train = train.replace(
    "train = pd",
    "parser = argparse.ArgumentParser()\n"
    'parser.add_argument("--alpha", type=float, default=0.001)\n'
    "arguments = parser.parse_args()\n\n"
    "train = pd",
)
train = train.replace(
    'print(f"valid_auc {valid_auc:.4f}")',
    'with mlflow.start_run():\n    mlflow.log_metric("valid_auc", valid_auc)',
)
(project / "train.py").write_text(train)
### END SOLUTION

# %% answer="project_run"
mlflow.set_tracking_uri(tracking_server("work/8-project"))
### BEGIN SOLUTION
done = mlflow.projects.run(
    "work/8-project/project",
    parameters={"alpha": 0.003},
    env_manager="local",
    experiment_name="late-flights",
    run_name="as a project",
)
### END SOLUTION

# %% look=8
show("params.alpha", "metrics.valid_auc", "tags.mlflow.project.entryPoint")

# %% check="project_pinned"
check.project_pinned(work / "8-project")

# %% check="project_ran"
check.project_ran(work / "8-project")

# %% check="rerun_agrees"
check.rerun_agrees(work / "8-project")
### BEGIN HIDDEN TESTS
check.rerun_agrees(work / "8-project", other_data=True)
### END HIDDEN TESTS

# %% [markdown] task=9
# ### 9 · Answers over HTTP
#
# A model in a registry answers nobody. Served, it has an address: rows go in as JSON at
# `/invocations`, answers come out. `model_server(uri)` does here what this command does in a
# terminal, and stops with the kernel:
#
#     mlflow models serve -m models:/late-flights@champion --env-manager local -p 5001
#
# Ana left you `model.py` and `weights.json` in `work/9-serve`. It is a model from code that works in
# her folder, and nowhere else: look where it reads its weights.
#
# **Do:** repair `model.py`, and log it together with its weights and an input example of raw rows.
# Register it as `late-flights` with the alias `champion`. Serve the champion. Ask it for all flights
# in `schedule.json`, and save the answer as `work/9-serve/answers.json`.
#
# **Leaves behind:** the registered version, and the answers. The check serves your champion in
# another place and asks for flights of its own. **4 points**

# %% [markdown] hint=9
# <details><summary>Hint</summary>
#
# When the model is served elsewhere, which files come along? Those in your folder, or those that
# were logged with it?
#
# <details><summary>The steps</summary>
#
# 1. `artifacts={"weights": "work/9-serve/weights.json"}` logs the file with the model, and
#    `context.artifacts["weights"]` is its path wherever the model runs.
# 2. `log_model(…, registered_model_name="late-flights")` also registers.
#    `MlflowClient().set_registered_model_alias` sets the alias.
# 3. `url = model_server("models:/late-flights@champion")`, then `requests.post`.
#
# <details><summary>Nearly all of it</summary>
#
# `answer = requests.post(url + "/invocations", json={"dataframe_records":
# rows.to_dict("records")})` · `Path("work/9-serve/answers.json").write_text(answer.text)`
#
# </details></details></details>

# %% answer="register"
mlflow.set_tracking_uri(tracking_server("work/9-serve"))
mlflow.set_experiment("late-flights")
rows = pd.DataFrame(json.loads(Path("work/9-serve/schedule.json").read_text()))
### BEGIN SOLUTION
script = Path("work/9-serve/model.py")
script.write_text(
    script.read_text().replace(
        'Path("/home/ana/flight-delays/weights.json")', 'Path(context.artifacts["weights"])'
    )
)
with mlflow.start_run(run_name="Ana's weights"):
    logged = mlflow.pyfunc.log_model(
        name="model",
        python_model="work/9-serve/model.py",
        artifacts={"weights": "work/9-serve/weights.json"},
        input_example=rows.head(3),
        pip_requirements=["mlflow"],
        registered_model_name="late-flights",
    )
MlflowClient().set_registered_model_alias(
    "late-flights", "champion", logged.registered_model_version
)
### END SOLUTION

# %% answer="serve"
### BEGIN SOLUTION
url = model_server("models:/late-flights@champion")
answer = requests.post(
    f"{url}/invocations", json={"dataframe_records": rows.to_dict("records")}, timeout=30
)
Path("work/9-serve/answers.json").write_text(answer.text)
### END SOLUTION

# %% look=9
answers = Path("work/9-serve/answers.json")
print(answers.read_text()[:80] if answers.exists() else "no answers yet")

# %% check="champion_registered"
check.champion_registered(work / "9-serve")

# %% check="answers_saved"
check.answers_saved(work / "9-serve")

# %% check="serves_elsewhere"
check.serves_elsewhere(work / "9-serve")

# %% [markdown] task=10
# ### 10 · From a version to its commit
#
# A customer was told something wrong in March. Which model said it, what had it learned from, which
# code made it? Each answer is one step: from the version to its run, from the run to its data, from
# the run to its commit. A step that was not logged then cannot be taken now.
#
# `work/10-lineage/flight-delays` is a Git repository with a `train.py` that logs a score and a
# model. It registers nothing and says nothing about its data.
#
# **Do:** let `train.py` also log its training set as an input (as in task 2), and the SHA-256 of
# `data/train.csv` as the parameter or tag `data_sha256`. Commit. Then run it from that folder, as a
# script: MLflow notes the commit by itself. Register its model as `late-flights`.
#
# **Leaves behind:** a version whose run names the data and the commit. **3 points**

# %% [markdown] hint=10
# <details><summary>Hint</summary>
#
# Which commit will the run name if you run first and commit then?
#
# <details><summary>The steps</summary>
#
# 1. `hashlib.sha256(Path("data/train.csv").read_bytes()).hexdigest()` is the digest.
# 2. `mlflow.log_input(mlflow.data.from_pandas(train, name=…, targets="late"), context="training")`.
# 3. `registered_model_name="late-flights"` in `log_model`.
# 4. `git commit -am "…"`, and only then `python train.py`. The script asks the environment variable
#    `MLFLOW_TRACKING_URI` for the server; the first line of the cell sets it.
#
# <details><summary>Nearly all of it</summary>
#
# After `with mlflow.start_run(…):` add `mlflow.log_param("data_sha256", …)` and `log_input`. Then
# `!cd work/10-lineage/flight-delays && git commit -qam "Log the data" && {sys.executable} train.py`
#
# </details></details></details>

# %% answer="lineage"
# %env MLFLOW_TRACKING_URI={tracking_server("work/10-lineage")}
### BEGIN SOLUTION
script = Path("work/10-lineage/flight-delays/train.py")
train = script.read_text()
train = train.replace(
    "import mlflow\n", "import hashlib\nfrom pathlib import Path\n\nimport mlflow\n"
)
train = train.replace(
    '    mlflow.log_metric("valid_auc", valid_auc)\n',
    '    mlflow.log_metric("valid_auc", valid_auc)\n'
    '    digest = hashlib.sha256(Path("data/train.csv").read_bytes()).hexdigest()\n'
    '    mlflow.log_param("data_sha256", digest)\n'
    '    data = mlflow.data.from_pandas(train, name="april-to-june-sample", targets="late")\n'
    '    mlflow.log_input(data, context="training")\n',
)
train = train.replace('name="model", ', 'name="model", registered_model_name="late-flights", ')
script.write_text(train)
# !cd work/10-lineage/flight-delays && git commit -qam "Log the data, register the model"
# !cd work/10-lineage/flight-delays && {sys.executable} -W ignore train.py
### END SOLUTION

# %% look=10
mlflow.set_tracking_uri(tracking_server("work/10-lineage"))
for found in MlflowClient().search_model_versions("name = 'late-flights'")[:1]:
    run = mlflow.get_run(found.run_id)
    print("version", found.version, "← run", run.info.run_id)
    print("  commit", run.data.tags.get("mlflow.source.git.commit"))
    print("  data  ", run.data.params.get("data_sha256"))
# !git -C work/10-lineage/flight-delays --no-pager log --oneline --no-color

# %% check="version_to_run"
check.version_to_run(work / "10-lineage")

# %% check="run_to_data"
check.run_to_data(work / "10-lineage")

# %% check="run_to_commit"
check.run_to_commit(work / "10-lineage")

# %% [markdown] task=11
# ### 11 · The way back
#
# It is Friday evening. Version 4 has been the champion since noon. Its score on live flights is
# 0.553, the phone rings, and you find that its validation was skipped. Now it pays that services ask
# for `@champion` and not for a number: moving the alias is the whole repair. What was is not
# deleted. On Monday you will want to know what went wrong.
#
# **Do:** in `work/11-rollback`, each version has a tag `validation`. Give `champion` back to the
# newest version that passed. Set the tag `rollback_reason` on version 4: one sentence. Delete
# nothing, register nothing.
#
# **Leaves behind:** the alias on the right version; four versions; the reason. **2 points**

# %% [markdown] hint=11
# <details><summary>Hint</summary>
#
# Is the version before the bad one the right one? What does its tag say?
#
# <details><summary>The steps</summary>
#
# 1. `client.search_model_versions("name = 'late-flights'")` lists them; each has `.tags`.
# 2. `client.set_registered_model_alias` moves an alias that exists.
# 3. `client.set_model_version_tag` writes a tag.
#
# <details><summary>Nearly all of it</summary>
#
# `client.set_registered_model_alias("late-flights", "champion", …)` ·
# `client.set_model_version_tag("late-flights", "4", "rollback_reason", "…")`
#
# </details></details></details>

# %% answer="rollback"
mlflow.set_tracking_uri(tracking_server("work/11-rollback"))
client = MlflowClient()
### BEGIN SOLUTION
versions = client.search_model_versions("name = 'late-flights'")
good = max(int(v.version) for v in versions if v.tags.get("validation") == "passed")
client.set_registered_model_alias("late-flights", "champion", str(good))
client.set_model_version_tag(
    "late-flights", "4", "rollback_reason", "Live AUC of 0.553; its validation was skipped"
)
### END SOLUTION

# %% look=11
print(client.get_registered_model("late-flights").aliases)
for found in client.search_model_versions("name = 'late-flights'"):
    print(found.version, found.tags)

# %% check="rolled_back"
check.rolled_back(work / "11-rollback")

# %% check="nothing_lost"
check.nothing_lost(work / "11-rollback")

# %% [markdown]
# ## How far you are
#
# A dot is a check that you have not run yet.

# %%
lab.summary()

# %% [markdown]
# ## What next
#
# Every model now has a history. Its data has one only as a digest: [the lab on
# DVC](../s4_dvc/s4_dvc.ipynb) keeps the data itself. Who trains the next version, and when, is the
# question of an orchestrator such as Airflow. The [roadmap](../../course/roadmap.ipynb) leads on.
