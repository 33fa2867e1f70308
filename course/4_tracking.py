# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 4 · Tracking and versioning: which model is this?
#
# About 100 minutes of reading and running. You need stage 1, and of stage 2 the part on Git.
# Everything runs on this machine: no account, no network. Where this stage stands among the others:
# [roadmap](roadmap.ipynb).

# %% [markdown]
# ## You will be able to
#
# - record a training so that you can still explain it in a year;
# - find the best of many runs with a query, not with your memory;
# - name the model that is in use, replace it by a rule, and go back in one step;
# - get back the exact data behind any number;
# - let a pipeline rerun what a change touches, and nothing else;
# - choose a tracker, and leave it with your records when its maker closes.

# %% tags=["parameters"]
# True: few flights and few runs, for a quick pass through all cells
SMALL = False

# %%
import hashlib
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import flights
from autograder import quick

plt.style.use("workbook.mplstyle")
WORK = Path("work/4_tracking")  # everything this notebook writes; Git ignores it
shutil.rmtree(WORK, ignore_errors=True)
WORK.mkdir(parents=True)
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
quick.start("dvc")  # its imports are done once, in the background, and not by every command

# Who commits, also where nobody has configured Git; and no tool reports home.
os.environ |= {f"GIT_{who}_NAME": "Ana" for who in ("AUTHOR", "COMMITTER")}
os.environ |= {f"GIT_{who}_EMAIL": "ana@example.com" for who in ("AUTHOR", "COMMITTER")}
os.environ |= {"DVC_NO_ANALYTICS": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}
os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"

# %% [markdown]
# The running case again: will a flight arrive 15 minutes late or more? One function trains, one
# judges. The training month is always before the month of judgement.

# %%
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OrdinalEncoder

COLUMNS = ["carrier", "origin", "dest", "distance", "weekday", "hour"]
TEXT = COLUMNS[:3]
ROWS = 400 if SMALL else 4000  # flights a month


def month(number: int, seed: int = 0) -> tuple[pd.DataFrame, pd.Series]:
    """Return a sample of a month's flights: what is known at schedule time, and the outcome."""
    table = flights.add_label(flights.load_flights([number])).sample(ROWS, random_state=seed)
    X = flights.features(table)[COLUMNS].astype(dict.fromkeys(COLUMNS[3:], float))
    return X.astype(dict.fromkeys(TEXT, object)), table["late"].astype(int)


def train(X: pd.DataFrame, y: pd.Series, **settings: float) -> Pipeline:
    """Return fitted trees that take the columns as they come."""
    encode = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    return make_pipeline(
        make_column_transformer((encode, TEXT), remainder="passthrough"),
        HistGradientBoostingClassifier(random_state=0, early_stopping=False, **settings),
    ).fit(X, y)


def auc(model: Pipeline, X: pd.DataFrame, y: pd.Series) -> float:
    """Return the ROC AUC: 0.5 is a coin, 1 is perfect."""
    return float(roc_auc_score(y, model.predict_proba(X)[:, 1]))


X_may, y_may = month(5)
X_june, y_june = month(6)
print(f"{len(X_may)} flights of May to train on, {len(X_june)} of June to judge by")

# %% [markdown]
# ## Five minutes: why
#
# It is Thursday. Ana and you have tried settings for a week. The best result went into a text file,
# the model into `model_final.pkl`. Today the model is in the service, and a customer asks why it
# warned her. You want to know how it was made.
#
# The next cell is your week. Nothing in it is unusual.

# %% tags=["topic:without-tracking"]
import joblib

notes = WORK / "notes.txt"
week = [  # day, rate, leaves, seed of the sample: what nobody wrote down is the last column
    ("Mon", 0.1, 31, 0),
    ("Tue", 0.3, 31, 0),
    ("Wed", 0.05, 15, 1),
    ("Thu", 0.1, 15, 2),
]
for day, rate, leaves, seed in week:
    model = train(*month(5, seed), learning_rate=rate, max_leaf_nodes=leaves, max_iter=40)
    with notes.open("a") as file:
        file.write(f"{day}: rate {rate}, leaves {leaves} -> AUC {auc(model, X_june, y_june):.4f}\n")
    joblib.dump(model, WORK / "model_final.pkl")

written = dict(line.split(": ")[::1] for line in notes.read_text().splitlines())
again = {
    day: auc(
        train(X_may, y_may, learning_rate=rate, max_leaf_nodes=leaves, max_iter=40), X_june, y_june
    )
    for day, rate, leaves, _ in week
}
told = pd.DataFrame(
    {
        "the note says": {d: float(t.rsplit(" ", 1)[1]) for d, t in written.items()},
        "done again from the note": again,
    }
).round(4)
told["the same?"] = told["the note says"] == told["done again from the note"]
told

# %% [markdown]
# Half of the week cannot be had again, although every note was honest. On Wednesday somebody drew a
# new sample of the data, and the note does not know it. And the file of the model says less still:

# %%
model_file = WORK / "model_final.pkl"
print("bytes  ", model_file.stat().st_size > 10_000 and "some ten thousand, none of them readable")
print("name   ", model_file.name, "(there were four of them)")
print("answers", list(vars(joblib.load(model_file))))

# %% [markdown]
# No day, no data, no score. Four questions have no answer, and each has cost teams weeks:
#
# | Question | Who answers it in this stage |
# |---|---|
# | Which settings and which code made this number? | a **tracker**: MLflow, Weights & Biases |
# | Which model is in use, and who decided that? | a **registry**: MLflow |
# | Which data was that? | **data versioning**: DVC |
# | What must run again when something changes? | a **pipeline with a lock file**: DVC |

# %% [markdown]
# ## A run is a row that you can query
#
# A tracker keeps one record a training. MLflow calls it a *run*. What you put in:
#
# - **parameters**: what you chose. Once a run, never changed.
# - **metrics**: what came out. Numbers, also one a step, so that you see the way and not only the end.
# - **tags**: what you will search for. The commit, who, why.
# - **artifacts**: files. The model, a plot.
# - **datasets**: which data, by a digest of its content.
#
# Records go to a *tracking server*, or, on one machine, straight into a database file.

# %%
import logging
import warnings

import mlflow
from mlflow import MlflowClient
from mlflow.models import infer_signature

warnings.filterwarnings("ignore")  # advice that is right in a project and noise on a page
logging.getLogger("mlflow").setLevel(logging.ERROR)
logging.getLogger("alembic").setLevel(logging.ERROR)

STORE = f"sqlite:///{(WORK / 'mlflow.db').resolve()}"
mlflow.set_tracking_uri(STORE)
experiment = mlflow.create_experiment(
    "flight-delays", artifact_location=(WORK / "artifacts").resolve().as_uri()
)
mlflow.set_experiment(experiment_id=experiment)
print("a database file:", (WORK / "mlflow.db").exists())

# %% [markdown]
# Now the same week, tracked. The loop is as before. What is new is what it says about itself.

# %% tags=["topic:mlflow-tracking"]
commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()

for day, rate, leaves, seed in week:
    X, y = month(5, seed)
    with mlflow.start_run(run_name=day):
        mlflow.log_params({"learning_rate": rate, "max_leaf_nodes": leaves, "max_iter": 40})
        mlflow.set_tags(
            {"git.commit": commit or "no repository", "why": "which rate, how many leaves"}
        )
        data = mlflow.data.from_pandas(X.assign(late=y), name="may", targets="late")
        mlflow.log_input(data, context="training")
        model = train(X, y, learning_rate=rate, max_leaf_nodes=leaves, max_iter=40)
        encoded = model[0].transform(X_june)
        for step, probabilities in enumerate(model[-1].staged_predict_proba(encoded)):
            if step % 5 == 4:
                value = roc_auc_score(y_june, probabilities[:, 1])
                mlflow.log_metric("auc_by_step", value, step=step + 1)
        mlflow.log_metric("auc", auc(model, X_june, y_june))

runs = mlflow.search_runs(order_by=["start_time"])
digests = {
    run.data.tags["mlflow.runName"]: run.inputs.dataset_inputs[0].dataset.digest
    for run in MlflowClient().search_runs([experiment])
}
shown = runs[
    ["tags.mlflow.runName", "params.learning_rate", "params.max_leaf_nodes", "metrics.auc"]
]
shown = shown.set_axis(["run", "rate", "leaves", "AUC"], axis=1).round(4)
shown.assign(data=shown["run"].map(digests))

# %% [markdown]
# Look at the last column. Three digests: Wednesday and Thursday ran on other data. Nobody had to
# think of writing it down.
#
# And the question of the week is now a query, in the language of the store. It works the same on
# four runs and on forty thousand.

# %%
best = mlflow.search_runs(
    filter_string="params.max_leaf_nodes = '31' and metrics.auc > 0.5",
    order_by=["metrics.auc DESC"],
    max_results=1,
).iloc[0]
print("best with 31 leaves:", best["tags.mlflow.runName"], "- rate", best["params.learning_rate"])

# %% [markdown]
# The steps tell what the last number hides. Tuesday's rate is too high: it is best early and gets
# worse from there.

# %%
figure, axes = plt.subplots(figsize=(8, 3))
for run in MlflowClient().search_runs([experiment], order_by=["attributes.start_time ASC"]):
    history = MlflowClient().get_metric_history(run.info.run_id, "auc_by_step")
    rate = float(run.data.params["learning_rate"])
    axes.plot(
        [m.step for m in history],
        [m.value for m in history],
        color=str(0.75 - 2.2 * rate),
        linestyle="-" if rate > 0.05 else "--",
        marker={"31": "o", "15": "s"}[run.data.params["max_leaf_nodes"]],
        label=f"{run.info.run_name}: rate {rate}, {run.data.params['max_leaf_nodes']} leaves",
    )
axes.set(xlabel="trees in the model", ylabel="ROC AUC on June")
axes.set_title("A metric with steps shows the way, not only the end")
axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()

# %% [markdown]
# `mlflow server --backend-store-uri sqlite:///…/mlflow.db` shows all this as a web page. In lab
# [s4_mlflow](../labs/s4_mlflow/s4_mlflow.ipynb) you open it, compare runs there, and let *autologging* do some of the writing.

# %% [markdown]
# ## A registry gives a decision a name
#
# A run says what happened. It does not say what is *in use*. For that, MLflow has a registry: a
# model has a name, each trained model under it is a *version*, and an *alias* such as `champion`
# points to one of them. Services ask for the alias, never for a file.
#
# First two candidates, each logged with its **signature**, the columns and types that it takes.

# %% tags=["topic:mlflow-registry"]
NAME = "flight-delay"
client = MlflowClient()
REQUIREMENTS = [f"{p}=={__import__(m).__version__}" for p, m in
                {"mlflow": "mlflow", "scikit-learn": "sklearn", "pandas": "pandas"}.items()]  # fmt: skip


def register(rate: float, trees: int) -> str:
    """Train on May, judge on June, register, and return the version's number."""
    with mlflow.start_run(run_name=f"candidate {rate}"):
        mlflow.log_params({"learning_rate": rate, "max_iter": trees})
        model = train(X_may, y_may, learning_rate=rate, max_iter=trees)
        mlflow.log_metric("auc", auc(model, X_june, y_june))
        logged = mlflow.sklearn.log_model(
            model,
            name="model",
            signature=infer_signature(X_june, model.predict_proba(X_june)),
            input_example=X_june.head(2),
            pip_requirements=REQUIREMENTS,
            pyfunc_predict_fn="predict_proba",
            serialization_format="cloudpickle",
        )
    return str(mlflow.register_model(logged.model_uri, NAME).version)


first, second = register(rate=0.5, trees=100), register(rate=0.05, trees=40)
client.set_registered_model_alias(NAME, "champion", first)
print("versions:", [v.version for v in client.search_model_versions(f"name='{NAME}'")][::-1])
print("champion:", client.get_model_version_by_alias(NAME, "champion").version)

# %% [markdown]
# Who may move the alias? A rule, written as code, with reasons that can be read later. This one
# refuses what has no signature and what is not better by a margin.


# %%
def promote(challenger: str, margin: float = 0.002) -> str:
    """Make a version the champion if it deserves it; return the decision with its reason."""
    old = client.get_model_version_by_alias(NAME, "champion")
    new = client.get_model_version(NAME, challenger)
    before, after = (client.get_run(v.run_id).data.metrics["auc"] for v in (old, new))
    if not mlflow.models.get_model_info(f"models:/{NAME}/{challenger}").signature:
        return f"refused: version {challenger} has no signature"
    if after < before + margin:
        return f"refused: version {challenger} is not better than {old.version} by {margin}"
    client.set_registered_model_alias(NAME, "champion", challenger)
    client.set_model_version_tag(NAME, challenger, "replaced", old.version)
    return f"champion is now version {challenger}, it was {old.version}"


print(promote(second))
print(promote(first))  # the other way round

# %% [markdown]
# Going back is one line, because the old version is still there and the service asks for the name:
#
#     client.set_registered_model_alias("flight-delay", "champion", old)
#
# And from the alias you get all the way down. This is the customer's question of the first cells:

# %%
version = client.get_model_version_by_alias(NAME, "champion")
run = client.get_run(version.run_id)
pd.Series(
    {
        "in use": f"{NAME}, version {version.version}",
        "it replaced": f"version {version.tags['replaced']}",
        "made by run": run.info.run_name,
        "with": f"rate {run.data.params['learning_rate']}, {run.data.params['max_iter']} trees",
        "score on June": f"AUC {run.data.metrics['auc']:.2f}",
    },
    name="",
).to_frame()

# %% [markdown]
# ## A package runs where you are not
#
# A pickled model needs the right Python, the right libraries, the right columns. MLflow writes them
# down beside it. What lies in the folder:

# %% tags=["topic:mlflow-packaging"]
package = Path(
    mlflow.artifacts.download_artifacts(f"models:/{NAME}@champion", dst_path=WORK / "package")
)
print(sorted(p.name for p in package.iterdir() if p.name != "registered_model_meta"))
described = json.loads(json.dumps(mlflow.models.Model.load(package).to_dict()))
print(
    "columns:", [f"{c['name']}: {c['type']}" for c in json.loads(described["signature"]["inputs"])]
)
print((package / "requirements.txt").read_text().splitlines()[0].split("==")[0], "is pinned, too")

# %% [markdown]
# `conda.yaml`, `python_env.yaml` and `requirements.txt` let MLflow build that environment anywhere,
# also into a container image (`mlflow models build-docker`). `MLmodel` is what every other tool reads.
#
# The file `model.pkl` still is a pickle. **Loading a pickle runs code.** Load models that you or your
# colleagues registered, never one that somebody sent. MLflow can also write *skops* files, which it
# refuses to load if they hold types you did not allow; the lab uses that.

# %% [markdown]
# ## A registered model answers HTTP
#
# `mlflow models serve` starts a service on a version or an alias. It checks each request against
# the signature. So a caller who forgets a column hears of it, and does not get a wrong answer.


# %% tags=["topic:mlflow-serving"]
def free_port() -> int:
    """Return a port of this machine that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


PORT = free_port()
server = subprocess.Popen(
    [
        *("mlflow", "models", "serve", "--env-manager", "local"),
        *("-h", "127.0.0.1", "-p", str(PORT), "-m", f"models:/{NAME}@champion"),
    ],
    env=os.environ | {"MLFLOW_TRACKING_URI": STORE},
    stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL,
    start_new_session=True,
)


def ask(rows: pd.DataFrame) -> tuple[int, dict]:
    """Send rows to the service and return status and answer."""
    body = json.dumps({"dataframe_split": rows.to_dict("split")}).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{PORT}/invocations", body, {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


try:
    for _ in range(600):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{PORT}/ping", timeout=1)
            break
        except OSError:
            time.sleep(0.1)
    status, answer = ask(X_june.head(3))
    served = np.array(answer["predictions"])[:, 1]
    missing_status, missing = ask(X_june.head(3).drop(columns="hour"))
finally:
    os.killpg(server.pid, 15)
    server.wait()

champion = mlflow.sklearn.load_model(f"models:/{NAME}@champion")
print(
    status,
    "- as the model itself answers:",
    np.allclose(served, champion.predict_proba(X_june.head(3))[:, 1]),
)
print(
    missing_status, "-", missing["error_code"], "- names the column:", "hour" in missing["message"]
)

# %% [markdown]
# ## Data has versions, and Git is not the place for it
#
# MLflow noted a digest of the data. It cannot give the data *back*. That is DVC's part: the data
# lies in a cache and in a *remote*, and Git keeps a small file with its fingerprint. So a commit
# names code **and** data.

# %% tags=["topic:dvc-data"]
REPO = WORK / "flight-delays"
REPO.mkdir()


def sh(line: str) -> str:
    """Run a line of shell in the repository and return what it printed."""
    done = subprocess.run(["bash", "-c", line], cwd=REPO, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{line}\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


def write_months(*numbers: int) -> None:
    """Write the sample of these months into one file, as the data team delivers it."""
    parts = [month(n)[0].assign(month=n, late=month(n)[1]) for n in numbers]
    (REPO / "data").mkdir(exist_ok=True)
    pd.concat(parts).to_csv(REPO / "data" / "flights.csv", index=False, lineterminator="\n")


sh("git init -q -b main && dvc init -q && git commit -q -m 'Set up DVC'")
write_months(1, 2)
sh("dvc add -q data/flights.csv && git add data && git commit -q -m 'January and February'")
sh("git tag january-february")
print(sh("cat data/flights.csv.dvc"))
print("in Git:", sh("git ls-files data").split())

# %% [markdown]
# `md5` is the fingerprint: one byte of the data more, and it is another one. The data itself is not
# in Git; the `.gitignore` that DVC wrote sees to that.
#
# March comes in. Then somebody asks for the number of *last* month. Two commands bring it back: Git
# takes the old fingerprint out, DVC takes the data that belongs to it.

# %% tags=["topic:dvc-git"]
before = hashlib.md5((REPO / "data/flights.csv").read_bytes()).hexdigest()
write_months(1, 2, 3)
sh("dvc add -q data/flights.csv && git commit -q -am 'March came in'")
with_march = pd.read_csv(REPO / "data/flights.csv")["month"].unique().tolist()

sh("git checkout -q january-february && dvc checkout -q")
back = hashlib.md5((REPO / "data/flights.csv").read_bytes()).hexdigest()
print("months now:", pd.read_csv(REPO / "data/flights.csv")["month"].unique().tolist())
print("byte for byte as it was:", back == before)

sh("git checkout -q main && dvc checkout -q")
print("months on main:", with_march)

# %% [markdown]
# ## A pipeline runs what a change touches, and nothing else
#
# `dvc.yaml` says which command makes which file from which. DVC writes the fingerprints of all of
# them into `dvc.lock`. A stage runs again if something it depends on has another fingerprint.

# %% tags=["topic:dvc-pipelines"]
(REPO / "features.py").write_text('''"""Keep what the model uses; the last month is for judging."""
import pandas as pd

table = pd.read_csv("data/flights.csv")
last = table["month"] == table["month"].max()
for name, part in {"train": table[~last], "test": table[last]}.items():
    part[["distance", "weekday", "hour", "late"]].to_csv(f"{name}.csv", index=False)
''')
(REPO / "train.py").write_text('''"""Train on the earlier months, judge on the last one."""
import json

import pandas as pd
import yaml
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

settings = yaml.safe_load(open("params.yaml"))["train"]
train, test = pd.read_csv("train.csv"), pd.read_csv("test.csv")
model = HistGradientBoostingClassifier(random_state=0, early_stopping=False, **settings)
model.fit(train.drop(columns="late"), train["late"])
score = roc_auc_score(test["late"], model.predict_proba(test.drop(columns="late"))[:, 1])
json.dump({"auc": round(score, 4)}, open("metrics.json", "w"))
''')
(REPO / "params.yaml").write_text("train:\n  learning_rate: 0.3\n  max_iter: 30\n")
(REPO / "dvc.yaml").write_text("""stages:
  features:
    cmd: python features.py
    deps: [features.py, data/flights.csv]
    outs: [train.csv, test.csv]
  train:
    cmd: python train.py
    deps: [train.py, train.csv, test.csv]
    params: [train]
    metrics:
      - metrics.json: {cache: false}
""")


def ran(output: str) -> list[str]:
    """Return the stages that a `dvc repro` really ran."""
    return [line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")]


print("first time: ", ran(sh("dvc repro")))
sh("git add . && git commit -q -m 'A pipeline'")
sh("sed -i 's/max_iter: 30/max_iter: 20/' params.yaml")
print("fewer trees:", ran(sh("dvc repro")))
print("nothing new:", ran(sh("dvc repro")))
sh("git commit -q -am 'Fewer trees'")
print(sh("dvc dag"))

# %% [markdown]
# ## An experiment is a commit that you have not decided on
#
# You want to try three rates. You do not want three branches. `dvc exp run` runs the pipeline with
# another parameter and keeps the result out of your branches, with code, data and parameters. You
# look, apply the best, and only then commit.

# %% tags=["topic:dvc-experiments"]
for name, rate in {"slow": 0.03, "middle": 0.1}.items():
    sh(f"dvc exp run -q -n {name} -S train.learning_rate={rate}")

table = pd.read_csv(io.StringIO(sh("dvc exp show --csv"))).query("rev != 'workspace'")
named = table["Experiment"].fillna(table["rev"])
ranking = table.assign(experiment=named).set_index("experiment")[["train.learning_rate", "auc"]]
ranking = ranking.sort_values("auc", ascending=False)
winner = ranking.index.drop("main")[0]
sh(f"dvc exp apply -q {winner} && git commit -q -am 'Take the best rate'")
print("applied:", winner, "-", sh("cat params.yaml").splitlines()[1].strip())
ranking

# %% [markdown]
# ## The same run in Weights & Biases, offline
#
# Weights & Biases (W&B) is a hosted tracker with the same ideas: a run with a config, metrics over
# steps, files. `mode="offline"` writes everything to a folder. With an account, `wandb sync`
# uploads it later. That is also how you train where no network is.

# %% tags=["topic:wandb-tracking"]
os.environ |= {"WANDB_SILENT": "true", "WANDB_DIR": str(WORK.resolve()), "WANDB_CONSOLE": "off"}
os.environ |= {"WANDB_ERROR_REPORTING": "false", "WANDB_CACHE_DIR": str((WORK / "cache").resolve())}
import wandb


def tracked(config: dict[str, float], by: str) -> float:
    """Train on May, judge on June, and leave an offline run behind."""
    notes = config | {"by": by}
    with wandb.init(project="flight-delays", mode="offline", config=notes) as run:
        model = train(X_may, y_may, **config)
        encoded = model[0].transform(X_june)
        for step, probabilities in enumerate(model[-1].staged_predict_proba(encoded), start=1):
            run.log({"auc": roc_auc_score(y_june, probabilities[:, 1])}, step=step)
        run.summary["auc"] = auc(model, X_june, y_june)
        return run.summary["auc"]


tracked({"learning_rate": 0.1, "max_leaf_nodes": 15, "max_iter": 20}, by="hand")


def summaries() -> pd.DataFrame:
    """Read all offline runs back with W&B's own reader, one row a run."""
    rows = []
    for folder in sorted((WORK / "wandb").glob("offline-run-*")):
        text = subprocess.run(
            ["wandb", "leet", "inspect", "--summary", "--json", folder],
            capture_output=True,
            text=True,
        ).stdout
        kept = json.loads(text)
        rows.append(kept["config"] | {"auc": float(kept["summary"]["auc"])})
    return pd.DataFrame(rows)


summaries().round(3)

# %% [markdown]
# ## A sweep: say the space, not the loop
#
# A *sweep* is a search over settings that you describe in a file. W&B's server draws the next
# settings, *agents* on any number of machines ask for them and train. The file is yours either way:

# %%
import yaml

SWEEP = yaml.safe_load("""
method: random
metric: {name: auc, goal: maximize}
parameters:
  learning_rate: {distribution: log_uniform_values, min: 0.01, max: 0.5}
  max_leaf_nodes: {values: [7, 15, 31, 63]}
  max_iter: {value: 20}
""")
SWEEP["parameters"]["learning_rate"]

# %% [markdown]
# Without an account there is no server that draws. For `method: random`, drawing is three lines. So
# here the loop is ours, and the runs are W&B's. With an account you would say
# `wandb.agent(wandb.sweep(SWEEP), function=…)` and keep the rest.

# %% tags=["topic:wandb-sweeps"]
rng = np.random.default_rng(0)


def draw(space: dict[str, dict]) -> dict[str, float]:
    """Draw one setting of each parameter, as the method `random` does."""
    drawn = {}
    for name, how in space.items():
        if how.get("distribution") == "log_uniform_values":
            drawn[name] = float(np.exp(rng.uniform(np.log(how["min"]), np.log(how["max"]))))
        else:
            drawn[name] = int(rng.choice(how.get("values", [how.get("value")])))
    return drawn


TRIALS = 3 if SMALL else 8
scores = [tracked(draw(SWEEP["parameters"]), by="sweep") for _ in range(TRIALS)]
swept = summaries().query("by == 'sweep'")
print(len(swept), "offline runs; best AUC as the runs remember it:", round(max(scores), 2))

# %% [markdown]
# ## A dashboard answers one question
#
# The picture that W&B draws of a sweep has an axis for each setting, and every run is a line through
# all of them. The dark lines are the good runs. Where they come together, you have found something.
# Where they cross every axis everywhere, that setting does not matter.

# %% tags=["topic:wandb-dashboards"]
axes_of = {
    "learning_rate": "learning rate (log)",
    "max_leaf_nodes": "leaves a tree (log)",
    "auc": "ROC AUC on June",
}
scaled = swept[list(axes_of)].astype(float)
scaled[["learning_rate", "max_leaf_nodes"]] = np.log(scaled[["learning_rate", "max_leaf_nodes"]])
scaled = (scaled - scaled.min()) / (scaled.max() - scaled.min()).replace(0, 1)
figure, axes = plt.subplots(figsize=(8, 3))
for row in scaled.sort_values("auc").itertuples(index=False):
    axes.plot(
        range(3), row, color=str(0.85 - 0.85 * row.auc), linestyle="-", linewidth=1 + 2 * row.auc
    )
axes.set_xticks(range(3), axes_of.values())
axes.set(ylabel="lowest to highest (no unit)")
axes.set_title("Runs of the sweep: the darker, the better")
plt.show()

# %% [markdown]
# ## The day your tracker closes
#
# Neptune was a tracker with a hosted service. On 3 December 2025 it announced that OpenAI was buying it and
# that the service would end; so its competitor W&B wrote, which offered to take over the runs. Neptune's own
# page on the move set the date: what was still there after 5 March 2026 would be deleted, with no way
# to get it back. The client is still on PyPI. A client without its service records nothing.
#
# You cannot know whose turn it is next. You can know what leaving would cost you: try it. Neptune's
# way out was an export to Parquet files. Here is that drill with our own records. It passes if the
# question of the week can be answered **without** the tracker.

# %% tags=["topic:neptune"]
export = mlflow.search_runs(experiment_ids=[experiment])
export = export[
    [c for c in export if c.startswith(("run_id", "params.", "metrics.", "tags.mlflow.runName"))]
]
export.to_parquet(WORK / "runs.parquet")
models = [str(p.relative_to(package)) for p in package.rglob("*") if p.is_file()]

import duckdb  # knows nothing of MLflow

duckdb.sql(f"""
    SELECT "tags.mlflow.runName" AS run, round("metrics.auc", 3) AS auc
    FROM '{WORK}/runs.parquet' WHERE "params.max_leaf_nodes" = '31' ORDER BY auc DESC, run
""").df()

# %%
print(
    "runs in the export:", len(export), "of", len(mlflow.search_runs(experiment_ids=[experiment]))
)
print("the champion as files:", "MLmodel" in models and "requirements.txt" in models)

# %% [markdown]
# ## Which one, when
#
# | You have | Take | Because |
# |---|---|---|
# | one person, one machine | MLflow on a database file | nothing to run, and it grows |
# | a team, own servers | an MLflow server with a real database and object storage | registry and lineage in one place |
# | many long trainings, many eyes on them | W&B | its pages are its strength; the records lie with a vendor |
# | data that changes, results that must come back | DVC, with any tracker | a tracker names data, it does not keep it |
# | everything on one cloud | that cloud's tracker; two of the three speak MLflow | [stage 3](3_cloud.ipynb) compares them |
#
# DVC and MLflow are not rivals. The commit in the run's tags is where they meet.

# %% [markdown]
# ## Traps
#
# **A metric logged twice under one name.** The tracker keeps the last. It looks like the best:

# %%
with mlflow.start_run(run_name="trap") as trap:
    for fold in (0.9, 0.7, 0.6):
        mlflow.log_metric("auc_of_fold", fold)
print(
    "three folds, mean 0.73; the run says",
    client.get_run(trap.info.run_id).data.metrics["auc_of_fold"],
)

# %% [markdown]
# Give each a step, or log the mean and say so.
#
# **A parameter is text.** `params.max_leaf_nodes > 9` compares letters, so 15 would be below 9. That is
# why the store refuses it:

# %%
try:
    mlflow.search_runs(experiment_ids=[experiment], filter_string="params.max_leaf_nodes > '9'")
except mlflow.exceptions.MlflowException as refused:
    print(str(refused).partition(" not one")[0])

# %% [markdown]
# - **The commit in the tags is not what ran**, if you had not committed. Check `git status` before a
#   long training, or log the diff as an artifact.
# - **`dvc add` without `git commit`.** The data is in the cache, and no commit knows it.
# - **`dvc push` forgotten.** Your colleague gets your commit and not your data. CI should pull.
# - **An alias moved by hand.** It works, and in a year nobody knows why. Let only the rule move it.
# - **Secrets in parameters.** Everyone who reads the tracker reads them, for ever.

# %% [markdown]
# ## In a company
#
# A platform team runs the tracking server, with a login, backups and object storage for artifacts.
# Teams get an experiment each and agree on tag names, because what is not named the same cannot be
# queried. The alias `champion` moves in CI only, and a second person approves. For regulated models,
# an auditor asks for exactly the table you printed above: in use, replaced, made by, with which data.

# %% [markdown]
# ## In the cloud
#
# Azure ML's workspace and Databricks speak MLflow's own protocol: `mlflow.set_tracking_uri` and your
# code stays. SageMaker offers a managed MLflow server. Vertex AI has its own *Experiments* and a
# registry with aliases as well. DVC's remote becomes a bucket: `dvc remote add -d store s3://…`, or
# `azure://`, or `gs://`. What stays the same is what you record. What changes is who may read it:
# IAM instead of a file's owner.

# %% [markdown]
# ## Check yourself
#
# Say the answer first. Then run the cell.

# %% [markdown]
# ### Question 1
#
# You train with the same settings and the same rows, but shuffled. Does MLflow's digest of the data
# stay the same?

# %%
same = mlflow.data.from_pandas(X_may, name="may").digest
shuffled = mlflow.data.from_pandas(X_may.sample(frac=1, random_state=1), name="may").digest
print("the same digest:", same == shuffled)

# %% [markdown]
# <details><summary>Why</summary>
#
# The digest is over the rows in their order. It answers "is it this table?", not "are these the same
# flights?". Sort before you log if order means nothing to you.
#
# </details>

# %% [markdown]
# ### Question 2
#
# You change a *comment* in `train.py`. Which stages does `dvc repro` run?

# %%
sh("echo '# a comment' >> train.py")
print(ran(sh("dvc repro")))
sh("git checkout -q . && dvc checkout -q")

# %% [markdown]
# <details><summary>Why</summary>
#
# A fingerprint knows bytes, not meaning. DVC runs `train` once too often rather than once too rarely.
#
# </details>

# %% [markdown]
# ### Question 3
#
# The champion is deleted: `client.delete_model_version(NAME, …)`. What does a service get that loads
# `models:/flight-delay@champion`?

# %%
client.delete_model_version(NAME, second)
try:
    mlflow.sklearn.load_model(f"models:/{NAME}@champion")
except mlflow.exceptions.MlflowException as error:
    print(error.error_code, "-", "alias" in str(error))

# %% [markdown]
# <details><summary>Why</summary>
#
# An alias points to a version and goes with it. Nothing steps in by itself. Move the alias first,
# delete later, and let the service keep the model it has loaded.
#
# </details>

# %% [markdown]
# ### Question 4
#
# How many bytes does Git store for a data file of half a megabyte that DVC tracks?

# %%
pointer, data_file = (REPO / "data/flights.csv.dvc").stat().st_size, (REPO / "data/flights.csv")
print(
    "pointer below 150 bytes:",
    pointer < 150,
    "- data more than 100 times that:",
    data_file.stat().st_size > 100 * pointer,
)

# %% [markdown]
# <details><summary>Why</summary>
#
# Git has the fingerprint, the size and the name. That is all it needs to tell versions apart.
#
# </details>

# %% [markdown]
# ## Labs
#
# - [s4_dvc](../labs/s4_dvc/s4_dvc.ipynb): data, a remote, a pipeline, experiments; 90 minutes.
# - [s4_mlflow](../labs/s4_mlflow/s4_mlflow.ipynb): tracking, registry, serving, rollback; two hours.

# %% [markdown] tags=["claims"]
# ## Products, checked
#
# | Product | Owner | Licence | Status | Version | Checked |
# |---|---|---|---|---|---|
# | MLflow | a series of LF Projects (Linux Foundation); Databricks began it | Apache-2.0 | active | 3.18 on PyPI, 3.17 here | 2026-11 |
# | DVC | Treeverse, the company of lakeFS, since 2025-11; before, Iterative | Apache-2.0 | active, release of 2026-03 | 3.67 | 2026-11 |
# | Weights & Biases, client | CoreWeave documents it among its own products | MIT; the service is commercial | active | 0.31 | 2026-11 |
# | Neptune | to OpenAI, as W&B wrote in December 2025 | client Apache-2.0 | end of service announced; data to be deleted after 5 March 2026 | client 1.14 | 2026-11 |

# %% [markdown]
# ## Further reading
#
# - MLflow: [documentation](https://mlflow.org/docs/latest/)
# - DVC: [user guide](https://dvc.org/doc/user-guide)
# - Weights & Biases: [documentation](https://docs.wandb.ai/)
# - Neptune: [moving your data out](https://docs.neptune.ai/transition_hub/neptune_exporter)
