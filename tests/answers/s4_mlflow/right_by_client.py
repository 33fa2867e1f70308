"""Uses MlflowClient, batches, registering by hand, and a frame's own maximum instead of a query."""

CELLS = {
    "first_run": r"""
url = tracking_server("work/1-server")
client = MlflowClient(url)
experiment = client.create_experiment("late-flights")
run = client.create_run(experiment, tags={"owner": "Ada"}, run_name="by client")
client.log_param(run.info.run_id, "model", "linear")
client.log_param(run.info.run_id, "train_months", "4, 5, 6")
client.log_metric(run.info.run_id, "valid_auc", auc_on_july(pipeline().fit(X_train, y_train)))
client.set_terminated(run.info.run_id)
""",
    "story": r"""
mlflow.set_tracking_uri(tracking_server("work/2-story"))
mlflow.set_experiment("late-flights")
run = mlflow.start_run()
data = mlflow.data.from_pandas(X_train, name="quarter 2")
mlflow.log_input(data, context="training")
curve = {n: auc_on_july(pipeline().fit(X_train[:n], y_train[:n])) for n in range(1000, 9000, 1500)}
for n, value in curve.items():
    mlflow.log_metrics({"valid_auc": value}, step=n)
pd.Series(curve).plot(style="o-")
plt.savefig("curve.svg")
mlflow.log_artifact("curve.svg", "plots")
mlflow.end_run()
Path("curve.svg").unlink()
""",
    "search": r"""
mlflow.set_tracking_uri(tracking_server("work/4-search"))
experiment = mlflow.set_experiment("late-flights").experiment_id
client = MlflowClient()
parent = client.create_run(experiment, run_name="search")
for C in (0.003, 0.01, 0.03, 0.1, 0.3, 1):
    child = client.create_run(experiment, tags={"mlflow.parentRunId": parent.info.run_id})
    client.log_param(child.info.run_id, "C", C)
    client.log_metric(
        child.info.run_id, "valid_auc", auc_on_july(pipeline(C).fit(X_train[:6000], y_train[:6000]))
    )
    client.set_terminated(child.info.run_id)
client.set_terminated(parent.info.run_id)
""",
    "best": r"""
Path("work/4-search/best.py").write_text('''
import math

from mlflow import MlflowClient


def best_run(tracking_uri):
    client = MlflowClient(tracking_uri)
    number = client.get_experiment_by_name("late-flights").experiment_id
    best, score = None, -math.inf
    for run in client.search_runs([number]):
        auc = run.data.metrics.get("valid_auc", math.nan)
        if run.info.status == "FINISHED" and run.data.tags.get("leak") != "yes" and auc > score:
            best, score = run.info.run_id, auc
    return best
''')
""",
    "rule": r"""
Path("work/6-promote/promote.py").write_text('''
import math

import mlflow


class Refused(Exception):
    pass


def auc(client, version):
    value = client.get_run(version.run_id).data.metrics.get("valid_auc")
    if value is None or math.isnan(value):
        raise Refused("no score")
    return value


def promote(client, name):
    old, new = (client.get_model_version_by_alias(name, a) for a in ("champion", "challenger"))
    model = mlflow.pyfunc.load_model(f"models:/{name}@challenger")
    if model.metadata.signature is None:
        raise Refused("no signature")
    if auc(client, new) <= auc(client, old):
        raise Refused("not better")
    client.delete_registered_model_alias(name, "challenger")
    client.set_registered_model_alias(name, "champion", new.version)
''')
""",
    "promote": r"""
client = MlflowClient(tracking_server("work/6-promote"))
mlflow.set_tracking_uri(client.tracking_uri)
client.set_registered_model_alias("late-flights", "challenger", 2)
sys.path.insert(0, "work/6-promote")
from promote import promote

promote(client, "late-flights")
""",
    "lineage": r"""
%env MLFLOW_TRACKING_URI={tracking_server("work/10-lineage")}
script = Path("work/10-lineage/flight-delays/train.py")
train = script.read_text()
train += '''
    import hashlib
    mlflow.set_tag("data_sha256", hashlib.sha256(open("data/train.csv", "rb").read()).hexdigest())
    mlflow.log_input(mlflow.data.from_pandas(train, "data/train.csv", name="sample"), "training")
'''
script.write_text(train)
!cd work/10-lineage/flight-delays && git switch -qc feature/lineage && git commit -qam "Log data"
!cd work/10-lineage/flight-delays && git switch -q main && git merge -q feature/lineage
!cd work/10-lineage/flight-delays && {sys.executable} train.py
mlflow.set_tracking_uri(tracking_server("work/10-lineage"))
model = mlflow.search_logged_models(output_format="list")[0]
mlflow.register_model(model.model_uri, "late-flights")
""",
}
