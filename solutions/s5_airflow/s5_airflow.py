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
# # Airflow: the model retrains itself every month
#
# **You will be able to**
#
# - write a DAG whose file is read in a moment and whose runs know their own month;
# - run it twice without harm, retry what is worth a retry, stop what is broken;
# - branch, map over what is in the data, and start one DAG by another's result;
# - keep keys out of code, check settings, and test a DAG's structure;
# - have half a year made up for by a backfill, and say what production changes.
#
# About 140 minutes · 32 points · needs nothing but the course's environment. Nothing goes over a
# network.
#
# Where this lab stands among the others: [roadmap](../../course/roadmap.ipynb).

# %% [markdown]
# ## The product
#
# `flight-delays` predicts whether a flight from New York will arrive 15 minutes late or more. Last
# month's model does not know this month's weather. So it is retrained every month, and nobody wants
# to do that by hand: fetch, check, train, compare, put into production.
#
# Apache Airflow runs such chains. You describe them in Python, as a *DAG*: tasks, and which one waits
# for which. Airflow 3 is used here; what you import comes from `airflow.sdk`.
#
# ## How to work
#
# Every task has its own folder in `work/`, with its own small project:
#
# - `dags/flight_delays.py` is the DAG. Each one lacks something. **You change this file**, in
#   JupyterLab's editor (double-click it in the file browser) or in the answer cell with `edit`.
# - `dags/product.py` has the steps as plain functions: `fetch`, `problems`, `train`, `auc` …. It is
#   right as it is. Read it first.
#
# What a DAG writes goes to a folder called the *lake*; `lake()` gives its path. The airline's service
# that `fetch` asks is simulated on your own machine.
#
# A check runs your DAG with Airflow's own scheduler and supervisor: each task in a process of its own,
# states in a metadata database of its own. Only the clock is ours: a retry that is due in five
# minutes happens at once. The first run of a session takes a while, because Airflow has to be loaded.

# %% setup="lab"
from pathlib import Path

from autograder import Lab
from autograder.checks import s5_airflow as check
from autograder.flow.show import show
from autograder.flow.up import finish, start

lab = Lab("s5_airflow")
work = lab.work


def edit(task, *changes):
    """Replace text in a task's DAG file; each change is a pair (old, new)."""
    file = Path("work") / task / "dags" / "flight_delays.py"
    text = file.read_text("utf-8")
    for old, new in changes:
        if text.count(old) != 1:
            raise ValueError(f"{file} has {text.count(old)} times: {old!r}")
        text = text.replace(old, new)
    file.write_text(text, "utf-8")


# %%
lab

# %% [markdown]
# Something went wrong beyond repair? `lab.restart("4-retries")` gives you that task's start
# state again and keeps your old folder beside it.

# %% [markdown] task=1
# ### 1 · Reading is not running
#
# Airflow reads every DAG file again and again, to see what there is to run, and once more in every
# task's process. What stands at the top of the file happens each time. A file that fetches data while
# it is read asks the service thousands of times a day, and when the service is down, the DAG is gone.
#
# **Do:** in `work/1-import`, move the work into the task. Reading the file calls nobody and writes
# nothing; the task `extract` fetches the flights of 2013-01 and writes them to `raw/2013-01.json` in
# the lake.
#
# **Leaves behind:** a DAG that is read in a moment, and a run that fetches. **2 points**

# %% [markdown] hint=1
# <details><summary>Hint</summary>
#
# Which lines of the file run if nobody ever starts a run?
#
# <details><summary>The steps</summary>
#
# 1. Everything at the left margin runs when the file is read. Imports and constants may stay.
# 2. Move the two lines with `lake()` and `fetch()` into `extract`.
#
# <details><summary>Nearly all of it</summary>
#
# In `extract`: `product.write_json(lake() / "raw" / f"{MONTH}.json", fetch(MONTH))`, then `return MONTH`.
#
# </details></details></details>

# %% answer="import"
### BEGIN SOLUTION
edit(
    "1-import",
    ('TARGET = lake() / "raw" / f"{MONTH}.json"\nproduct.write_json(TARGET, fetch(MONTH))\n', ""),
    (
        "        return MONTH\n",
        '        product.write_json(lake() / "raw" / f"{MONTH}.json", fetch(MONTH))\n'
        "        return MONTH\n",
    ),
)
### END SOLUTION

# %% look=1
show(work / "1-import", "2013-01")

# %% check="imports_cheaply"
check.imports_cheaply(work / "1-import")

# %% check="task_fetches"
check.task_fetches(work / "1-import")

# %% [markdown] task=2
# ### 2 · The run of March takes March
#
# A run belongs to a stretch of time, its *data interval*. The run of March covers the 1st of March up
# to the 1st of April and happens when March is over. If a task asks the clock on the wall instead, a
# run that is repeated in June fetches June, under March's name.
#
# In Airflow 3, `schedule="@monthly"` alone makes runs whose interval has no length.
# `CronDataIntervalTimetable("@monthly", timezone="UTC")` makes those that cover a month.
#
# And: what happens when you switch on a DAG whose first month is long past? With `catchup=True`,
# Airflow starts a run for every month since. Here nobody wants that.
#
# **Do:** in `work/2-month`, schedule a run for each of the twelve months of 2013, and none after. Let
# `extract` fetch the month of the run and write `raw/<month>.json`, as in `raw/2013-03.json`.
# Switching the DAG on starts nothing.
#
# **Leaves behind:** twelve due runs, each with its own month's flights. **4 points**

# %% [markdown] hint=2
# <details><summary>Hint</summary>
#
# A task that has an argument named `data_interval_start` gets it from Airflow. What is it for the run of March?
#
# <details><summary>The steps</summary>
#
# 1. `schedule=CronDataIntervalTimetable(…)`, `start_date` and `end_date` in 2013, `catchup=False`.
# 2. `def extract(data_interval_start=None)`, and the month is `f"{data_interval_start:%Y-%m}"`.
#
# <details><summary>Nearly all of it</summary>
#
# `start_date=pendulum.datetime(2013, 1, 1, tz="UTC")`, `end_date=pendulum.datetime(2013, 12, 31, tz="UTC")`.
#
# </details></details></details>

# %% answer="month"
### BEGIN SOLUTION
edit(
    "2-month",
    (
        '@dag(schedule="@daily", start_date=pendulum.datetime(2013, 1, 1, tz="UTC"), catchup=True)\n',
        "@dag(\n"
        '    schedule=CronDataIntervalTimetable("@monthly", timezone="UTC"),\n'
        '    start_date=pendulum.datetime(2013, 1, 1, tz="UTC"),\n'
        '    end_date=pendulum.datetime(2013, 12, 31, tz="UTC"),\n'
        "    catchup=False,\n"
        ")\n",
    ),
    ("def extract():", "def extract(data_interval_start=None):"),
    ('month = f"{pendulum.now():%Y-%m}"', 'month = f"{data_interval_start:%Y-%m}"'),
)
### END SOLUTION

# %% look=2
show(work / "2-month", "2013-03")

# %% check="schedule_monthly"
check.schedule_monthly(work / "2-month")

# %% check="no_flood"
check.no_flood(work / "2-month")

# %% check="right_month"
check.right_month(work / "2-month")
### BEGIN HIDDEN TESTS
check.right_month(work / "2-month", months=("2013-11", "2013-02"))
### END HIDDEN TESTS

# %% [markdown] task=3
# ### 3 · Twice is once
#
# Runs get repeated: a bug is mended, a month is delivered again, a machine died half way. A task that
# *adds* to what is there leaves March twice. A task that *replaces* its own part leaves the same state
# however often it runs. That is called idempotent, and it is what makes a rerun harmless.
#
# **Do:** in `work/3-twice`, the task `summarise` adds a line `month,flights,share` to
# `late_share.csv`. Make it so that every month has one line, also after a rerun, and no other month's
# line is lost.
#
# **Leaves behind:** one line a month in `late_share.csv`. **2 points**

# %% [markdown] hint=3
# <details><summary>Hint</summary>
#
# What must `summarise` know before it writes?
#
# <details><summary>The steps</summary>
#
# 1. Read the lines that are there, if the file is there.
# 2. Keep those of other months, add this month's, and write the file as a whole.
#
# <details><summary>Nearly all of it</summary>
#
# `kept = [line for line in lines if not line.startswith(month)]`, then `table.write_text("".join(sorted([*kept, new])))`.
#
# </details></details></details>

# %% answer="twice"
### BEGIN SOLUTION
edit(
    "3-twice",
    (
        '        with (lake() / "late_share.csv").open("a") as table:\n'
        '            table.write(f"{month},{len(rows)},{product.share_late(rows)}\\n")\n',
        '        table = lake() / "late_share.csv"\n'
        "        lines = table.read_text().splitlines(keepends=True) if table.exists() else []\n"
        "        kept = [line for line in lines if not line.startswith(month)]\n"
        '        new = f"{month},{len(rows)},{product.share_late(rows)}\\n"\n'
        '        table.write_text("".join(sorted([*kept, new])))\n',
    ),
)
### END SOLUTION

# %% look=3
show(work / "3-twice", "2013-03", "2013-04", "rerun 2013-03")

# %% check="rerun_same"
check.rerun_same(work / "3-twice")

# %% [markdown] task=4
# ### 4 · A service that stumbles
#
# The airline's service is busy at times, and a minute later it is not. That is worth a retry: with a
# pause, and a longer one each time (*exponential backoff*), for who asks at once makes it busier.
#
# Training on bad data fails the same way every time. A retry there only makes everybody wait.
#
# **Do:** in `work/4-retries`, let the task that asks the service try up to four times, with growing
# pauses. No other task retries.
#
# **Leaves behind:** a run that succeeds although its first calls fail. **3 points**

# %% [markdown] hint=4
# <details><summary>Hint</summary>
#
# What does `@task` take in brackets? `help(airflow.sdk.BaseOperator)` lists it.
#
# <details><summary>The steps</summary>
#
# 1. `retries` counts the tries after the first.
# 2. `retry_delay` is the first pause, a `timedelta`; `retry_exponential_backoff=True` doubles it.
#
# <details><summary>Nearly all of it</summary>
#
# `@task(retries=3, retry_delay=timedelta(seconds=30), retry_exponential_backoff=True)`, and `from datetime import timedelta`.
#
# </details></details></details>

# %% answer="retries"
### BEGIN SOLUTION
edit(
    "4-retries",
    ("from pathlib import Path\n", "from datetime import timedelta\nfrom pathlib import Path\n"),
    (
        "    @task\n    def extract",
        "    @task(retries=3, retry_delay=timedelta(seconds=30), retry_exponential_backoff=True)\n"
        "    def extract",
    ),
)
### END SOLUTION

# %% look=4
show(work / "4-retries", "2013-02", fail={"2013-02": 2})

# %% check="survives"
check.survives(work / "4-retries")
### BEGIN HIDDEN TESTS
check.survives(work / "4-retries", month="2013-06", failures=3)
### END HIDDEN TESTS

# %% check="waits_longer"
check.waits_longer(work / "4-retries")

# %% check="only_where_it_helps"
check.only_where_it_helps(work / "4-retries")

# %% [markdown] task=5
# ### 5 · Stop the broken month, and say why
#
# Deliveries break: a column is empty, a month comes twice, distances turn negative. A model does not
# complain; it just gets worse, and weeks later someone asks why. So a task stands in the way, a
# *gate*, and whoever is on duty learns of it without looking.
#
# **Do:** in `work/5-gate`, let `validate` write what `product.problems` finds to
# `quality/<month>.json` (an empty list for a good month), and *fail* if it finds anything: then
# nothing is trained. Give the DAG an `on_failure_callback` that writes one file to `alerts/` which
# holds the `run_id` of the failed run.
#
# **Leaves behind:** for a broken month a failed run, its problems, one alert, no model. **4 points**

# %% [markdown] hint=5
# <details><summary>Hint</summary>
#
# What makes a task fail, and what happens to the tasks behind it?
#
# <details><summary>The steps</summary>
#
# 1. Write the list first, then raise an error if it is not empty.
# 2. A callback is a function with one argument, the context. Set it in `@dag(…)`.
# 3. A run id has characters that not every file name may have: put it into the file.
#
# <details><summary>Nearly all of it</summary>
#
# `def alert(context): product.write_json(lake() / "alerts" / "latest.json", {"run": context["run_id"]})` and `on_failure_callback=alert`. One file per run is better: replace `:` in its name.
#
# </details></details></details>

# %% answer="gate"
### BEGIN SOLUTION
edit(
    "5-gate",
    (
        "\n\n@dag(",
        "\n\n"
        "def alert(context):\n"
        '    """Leave a note about a run that failed."""\n'
        '    run = context["run_id"]\n'
        '    name = "".join(c if c.isalnum() else "-" for c in run)\n'
        '    product.write_json(lake() / "alerts" / f"{name}.json", {"run": run})\n'
        "\n\n@dag(",
    ),
    ("    catchup=False,\n", "    catchup=False,\n    on_failure_callback=alert,\n"),
    (
        '        print("problems:", product.problems(rows, month))\n',
        "        found = product.problems(rows, month)\n"
        '        product.write_json(lake() / "quality" / f"{month}.json", found)\n'
        "        if found:\n"
        "            raise ValueError(f\"{month} cannot be used: {'; '.join(found)}\")\n",
    ),
)
### END SOLUTION

# %% look=5
show(work / "5-gate", "2013-04", "2013-05", broken={"2013-05": "distance"})

# %% check="bad_month_stops"
check.bad_month_stops(work / "5-gate")
### BEGIN HIDDEN TESTS
check.bad_month_stops(work / "5-gate", broken="carrier")
### END HIDDEN TESTS

# %% check="says_why"
check.says_why(work / "5-gate")

# %% check="failure_recorded"
check.failure_recorded(work / "5-gate")

# %% [markdown] task=6
# ### 6 · Only a better model
#
# A new model is not a better one. Compare it with the one in production, and take it only if it wins.
# In Airflow that is a *branch*: a task that returns the id of the task to go on with. The other way is
# *skipped*, which everybody can see later.
#
# **Do:** in `work/6-better`, `production.json` in the lake has the month and the AUC of the model in
# production. `register` is there, but nobody calls it. Let it run if the new AUC is higher, or if
# there is no such file, and be skipped otherwise. `report` runs in either case.
#
# **Leaves behind:** a worse model's run is a success, with the registering task skipped.
# **3 points**

# %% [markdown] hint=6
# <details><summary>Hint</summary>
#
# After a branch, which tasks are skipped besides the one not chosen? What does that mean for `report`?
#
# <details><summary>The steps</summary>
#
# 1. `@task.branch` on a function that returns `"register"` or another task's id.
# 2. Returning `"report"` goes there directly: `choose >> [register, report]`, `register >> report`.
# 3. `report` waits for a skipped task. Its `trigger_rule` must allow that.
#
# <details><summary>Nearly all of it</summary>
#
# `@task(trigger_rule="none_failed")` on `report`, and `return "register" if auc > old else "report"` in the branch.
#
# </details></details></details>

# %% answer="better"
### BEGIN SOLUTION
edit(
    "6-better",
    (
        "    @task\n    def report",
        "    @task.branch\n"
        "    def choose(auc):\n"
        '        now = lake() / "production.json"\n'
        '        better = not now.exists() or auc > product.read_json(now)["auc"]\n'
        '        return "register" if better else "report"\n'
        "\n"
        '    @task(trigger_rule="none_failed")\n'
        "    def report",
    ),
    (
        "    report(month, auc)\n",
        "    registered, reported = register(month, auc), report(month, auc)\n"
        "    choose(auc) >> [registered, reported]\n"
        "    registered >> reported\n",
    ),
)
### END SOLUTION

# %% look=6
old = {"do": "write", "path": "production.json"}
show(
    work / "6-better",
    {**old, "text": '{"month": "2012-12", "auc": 0.2}'},
    "2013-06",
    {**old, "text": '{"month": "2012-12", "auc": 0.99}'},
    "2013-07",
)

# %% check="better_wins"
check.better_wins(work / "6-better")

# %% check="worse_stays_out"
check.worse_stays_out(work / "6-better")

# %% [markdown] task=7
# ### 7 · As many tasks as airports
#
# New York has three airports, and the DAG has a loop over three names. In August a runway is closed
# and one is missing: its task fails. A loop in a DAG runs when the file is *read*, long before there
# are data. *Dynamic task mapping* makes the tasks when the run knows what they are for.
#
# **Do:** in `work/7-airports`, run `share` once for each airport in the month's flights, whichever
# they are, and let each write `shares/<month>/<airport>.json` as now.
#
# **Leaves behind:** one mapped task per airport in the data. **3 points**

# %% [markdown] hint=7
# <details><summary>Hint</summary>
#
# Which task knows the airports, and when?
#
# <details><summary>The steps</summary>
#
# 1. A task that reads the raw file and returns the list of airports.
# 2. `share.partial(month=…).expand(airport=…)` makes one task for each element.
#
# <details><summary>Nearly all of it</summary>
#
# `return sorted({row["origin"] for row in rows})` in a task `airports(month)`, then `share.partial(month=month).expand(airport=airports(month))`.
#
# </details></details></details>

# %% answer="airports"
### BEGIN SOLUTION
edit(
    "7-airports",
    (
        "    @task\n    def share",
        "    @task\n"
        "    def airports(month):\n"
        '        rows = product.read_json(lake() / "raw" / f"{month}.json")\n'
        '        return sorted({row["origin"] for row in rows})\n'
        "\n"
        "    @task\n    def share",
    ),
    (
        '    for airport in ("EWR", "JFK", "LGA"):\n        share(month, airport)\n',
        "    share.partial(month=month).expand(airport=airports(month))\n",
    ),
)
### END SOLUTION

# %% look=7
show(work / "7-airports", "2013-08", airports={"2013-08": ["EWR", "LGA"]})

# %% check="one_task_each"
check.one_task_each(work / "7-airports")
### BEGIN HIDDEN TESTS
check.one_task_each(work / "7-airports", given=("JFK",))
### END HIDDEN TESTS

# %% check="share_each"
check.share_each(work / "7-airports")

# %% [markdown] task=8
# ### 8 · New model, new scores
#
# Whoever scores flights with the model wants to know when there is a new one. They could ask every
# hour. Or the model says so itself: it is an *asset*, a task *produces* it, and another DAG runs
# because of it.
#
# **Do:** in `work/8-asset`, say that `train` produces an asset. Add a second DAG, in the same file,
# that this asset starts. It writes a file to `scores/`, named for the newest month in `models/`, with
# the model's chance of a late arrival at each hour.
#
# **Leaves behind:** an asset event, a run of the second DAG, a file in `scores/`. **2 points**

# %% [markdown] hint=8
# <details><summary>Hint</summary>
#
# Does the second DAG have a data interval?
#
# <details><summary>The steps</summary>
#
# 1. `MODEL = Asset("…")` at the top, `@task(outlets=[MODEL])` on `train`.
# 2. `@dag(schedule=[MODEL])` on a second function, which is called at the end of the file.
# 3. The newest model: `max((lake() / "models").glob("*.json"))`.
#
# <details><summary>Nearly all of it</summary>
#
# `product.write_json(lake() / "scores" / newest.name, product.read_json(newest))` in a task of the second DAG.
#
# </details></details></details>

# %% answer="asset"
### BEGIN SOLUTION
edit(
    "8-asset",
    ("import BaseHook,", "import Asset, BaseHook,"),
    ("import product\n", 'import product\n\nMODEL = Asset("flight-delays://model")\n'),
    ("    @task\n    def train", "    @task(outlets=[MODEL])\n    def train"),
    (
        "\n\nflight_delays()\n",
        "\n\n"
        "@dag(schedule=[MODEL])\n"
        "def score_flights():\n"
        '    """Score flights whenever there is a new model."""\n'
        "\n"
        "    @task\n"
        "    def score():\n"
        '        newest = max((lake() / "models").glob("*.json"))\n'
        '        product.write_json(lake() / "scores" / newest.name, product.read_json(newest))\n'
        "\n"
        "    score()\n"
        "\n\nflight_delays()\nscore_flights()\n",
    ),
)
### END SOLUTION

# %% look=8
show(work / "8-asset", "2013-09")

# %% check="asset_updated"
check.asset_updated(work / "8-asset")

# %% check="scoring_follows"
check.scoring_follows(work / "8-asset")

# %% [markdown] task=9
# ### 9 · No key in the code, no nonsense in the settings
#
# Code goes to Git, keys must not. Airflow keeps addresses and keys as *connections*, and code asks for
# them by name. The service's is called `flights_api`: host, port, and the key as its password.
#
# Settings of a run are *params*. Someone will start a run by hand and type `15` where a share belongs.
# A param with a type and bounds is checked before any task runs.
#
# **Do:** in `work/9-settings`, take host, port and key from the connection. Make the limit in `check` a
# param `max_late`, a number from 0 to 1, 0.9 if nobody says otherwise.
#
# **Leaves behind:** no key in any file, and runs that know `max_late`. **3 points**

# %% [markdown] hint=9
# <details><summary>Hint</summary>
#
# How do the other folders' DAGs get the key?
#
# <details><summary>The steps</summary>
#
# 1. `BaseHook.get_connection("flights_api")` has `host`, `port` and `password`. Ask inside of a task, or of a function that a task calls.
# 2. `@dag(params={…})` with `Param` from `airflow.sdk`; a task that names an argument `params` gets them.
#
# <details><summary>Nearly all of it</summary>
#
# `Param(0.9, type="number", minimum=0, maximum=1)` and `> params["max_late"]`.
#
# </details></details></details>

# %% answer="settings"
### BEGIN SOLUTION
edit(
    "9-settings",
    ("import CronDataIntervalTimetable,", "import BaseHook, CronDataIntervalTimetable, Param,"),
    (
        '    return product.fetch(month, "127.0.0.1", 8913, "fl-5e1c9a7742d0b836")\n',
        '    api = BaseHook.get_connection("flights_api")\n'
        "    return product.fetch(month, api.host, api.port, api.password)\n",
    ),
    (
        "    catchup=False,\n",
        "    catchup=False,\n"
        '    params={"max_late": Param(0.9, type="number", minimum=0, maximum=1)},\n',
    ),
    ("> 0.9:", '> params["max_late"]:'),
)
### END SOLUTION

# %% look=9
show(
    work / "9-settings",
    {"do": "run", "month": "2013-10", "conf": {"max_late": 1.5}},
    {"do": "run", "month": "2013-11", "conf": {"max_late": 0.01}},
    {"do": "run", "month": "2013-12", "conf": {"max_late": 0.95}},
)

# %% check="key_from_connection"
check.key_from_connection(work / "9-settings")
### BEGIN HIDDEN TESTS
check.key_from_connection(work / "9-settings", token="fl-4e2a90d1b7c6358f")
### END HIDDEN TESTS

# %% check="key_nowhere"
check.key_nowhere(work / "9-settings")

# %% check="limit_is_checked"
check.limit_is_checked(work / "9-settings")

# %% [markdown] task=10
# ### 10 · A test for the DAG itself
#
# Half a year from now someone rewires the DAG and the gate stands beside the road. No run fails, for
# nothing is wrong with any task. A unit test that reads the DAG and looks at its structure sees it at
# once, in CI, without a scheduler.
#
# **Do:** in `work/10-test`, write tests in `tests/test_dag.py`: `train` comes after `validate`, and
# `extract` retries. `the_dag()` is there already. The DAG is right: leave it as it is.
#
# **Leaves behind:** tests that pass with this DAG, and fail when either is no longer true.
# **3 points**

# %% [markdown] hint=10
# <details><summary>Hint</summary>
#
# What does `the_dag().get_task("train")` know about the tasks before it?
#
# <details><summary>The steps</summary>
#
# 1. `upstream_task_ids` is the set of tasks that a task waits for.
# 2. `retries` is a number. Assert that it is at least 1.
#
# <details><summary>Nearly all of it</summary>
#
# `assert "validate" in the_dag().get_task("train").upstream_task_ids`
#
# </details></details></details>

# %% answer="test"
### BEGIN SOLUTION
with Path("work/10-test/tests/test_dag.py").open("a") as file:
    file.write("""

def test_the_gate_stands_before_training():
    assert "validate" in the_dag().get_task("train").upstream_task_ids


def test_the_service_gets_a_second_chance():
    assert the_dag().get_task("extract").retries >= 1
""")
### END SOLUTION

# %% look=10
print(Path("work/10-test/tests/test_dag.py").read_text("utf-8"))

# %% check="test_passes"
check.test_passes(work / "10-test")

# %% check="test_catches"
check.test_catches(work / "10-test")

# %% [markdown] task=11
# ### 11 · Half a year, after the fact
#
# You take the product over in July. To compare models you need one for each month from January to
# June, and those months are over. With `catchup=False` Airflow looks forward only. `catchup=True` is
# no answer: it makes up for *every* month since `start_date`, because somebody switched the DAG on,
# and once more when the database is new. A *backfill* makes up for the stretch that you name, when
# you say so, and keeps a record of who asked for what.
#
# So far a check ran your DAG and was gone. Here the real thing runs on your machine: Airflow's API
# server, its scheduler and its DAG processor. The DAG in `work/11-backfill` is right, and switched on.
# It has nothing to do.
#
# **Do:** `start("work/11-backfill")` starts Airflow and tells the address of its page. Then ask for a
# backfill of January to June 2013: these six months, no other. Any way counts: the command
# `airflow backfill create` in the second answer cell or in a terminal, the page, its REST API. In a
# shell, `. work/11-backfill/airflow/env` makes the `airflow` command talk to *this* Airflow.
#
# **Leaves behind:** in Airflow's database six successful runs that a backfill asked for; in the lake
# six months in `raw/` and in `models/`. **3 points**

# %% [markdown] hint=11
# <details><summary>Hint</summary>
#
# Which runs would it make? `--dry-run` lists them and makes none.
#
# <details><summary>The steps</summary>
#
# 1. `airflow backfill create --help`: three options are required.
# 2. A run is dated by the *beginning* of its month. Both dates of a backfill count.
# 3. So June is in it if the last date is 2013-06-01 or any later day of June. With 2013-05-31 there
#    are five months, with 2013-07-01 seven.
#
# Too many months? `lab.restart("11-backfill")` begins anew. Too few? Ask for another backfill: months
# that have their run stay as they are, unless `--reprocess-behavior` says otherwise.
#
# <details><summary>Nearly all of it</summary>
#
# `airflow backfill create --dag-id flight_delays --from-date 2013-01-01 --to-date …`, after
# `. work/11-backfill/airflow/env` in the same cell.
#
# </details></details></details>

# %% answer="airflow_up" tags=["nbval-ignore-output"]
### BEGIN SOLUTION
print(start("work/11-backfill"))
### END SOLUTION

# %% answer="backfill" language="bash" tags=["nbval-ignore-output"]
# ### BEGIN SOLUTION
# . work/11-backfill/airflow/env
# airflow backfill create --dag-id flight_delays --from-date 2013-01-01 --to-date 2013-06-30
# ### END SOLUTION

# %% [markdown]
# The page shows the runs as they go. `finish` waits for them, prints what there is, and ends Airflow.

# %% look=11
finish("work/11-backfill")

# %% check="backfill_asked"
check.backfill_asked(work / "11-backfill")

# %% check="only_the_half_year"
check.only_the_half_year(work / "11-backfill")

# %% check="half_year_made"
check.half_year_made(work / "11-backfill")

# %% [markdown]
# ## How far you are
#
# A dot is a check that you have not run yet.

# %%
lab.summary()

# %% [markdown]
# ## What next
#
# You can now let a model retrain itself and trust what happens when you do not look. In a terminal,
# `python -m autograder.flow.up work/5-gate` starts the real Airflow for any folder of this lab, prints
# the page's address and ends with Ctrl-C.
#
# **In production** the DAGs stay as they are, every one of this lab. What changes is around them: a
# real database in place of SQLite, an executor that spreads tasks over machines, keys from a secrets
# backend, logs that outlive a worker, DAGs from a Git commit.
# [Airflow in production](../../labs/s5_airflow/production/README.md) says what and why, and brings
# two configurations whose every option is tested against Airflow's own list: Celery workers, and
# Kubernetes.
