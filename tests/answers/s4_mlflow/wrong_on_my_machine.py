"""Works here only: the model reads its weights from this disk; the run came before the commit.

The project is run as a script; the model of task 11 is left as it is, with a fourth version lost.
"""

SCORES = {
    "serves_elsewhere": 0,
    "champion_registered": 0,
    "project_ran": 0,
    "rerun_agrees": 0,
    "run_to_commit": 0,
    "rolled_back": 0,
    "nothing_lost": 0,
}
CELLS = {
    "project_run": r"""
url = tracking_server("work/8-project")
!cd work/8-project/project && MLFLOW_TRACKING_URI={url} {sys.executable} train.py --alpha 0.003
""",
    "register": r"""
mlflow.set_tracking_uri(tracking_server("work/9-serve"))
mlflow.set_experiment("late-flights")
rows = pd.DataFrame(json.loads(Path("work/9-serve/schedule.json").read_text()))
script, weights = Path("work/9-serve/model.py"), Path("work/9-serve/weights.json").resolve()
script.write_text(script.read_text().replace("/home/ana/flight-delays/weights.json", str(weights)))
with mlflow.start_run():
    mlflow.pyfunc.log_model(
        name="model", python_model=str(script), pip_requirements=["mlflow"],
        registered_model_name="late-flights",
    )
MlflowClient().set_registered_model_alias("late-flights", "champion", "1")
""",
    "lineage": r"""
%env MLFLOW_TRACKING_URI={tracking_server("work/10-lineage")}
script = Path("work/10-lineage/flight-delays/train.py")
train = script.read_text()
imports = "import hashlib\nfrom pathlib import Path\n\nimport mlflow\n"
train = train.replace("import mlflow\n", imports)
train = train.replace(
    '    mlflow.log_metric("valid_auc", valid_auc)\n',
    '    mlflow.log_metric("valid_auc", valid_auc)\n'
    '    digest = hashlib.sha256(Path("data/train.csv").read_bytes()).hexdigest()\n'
    '    mlflow.log_param("data_sha256", digest)\n'
    '    data = mlflow.data.from_pandas(train, name="sample", targets="late")\n'
    '    mlflow.log_input(data, context="training")\n',
)
train = train.replace('name="model", ', 'name="model", registered_model_name="late-flights", ')
script.write_text(train)
!cd work/10-lineage/flight-delays && {sys.executable} train.py
!cd work/10-lineage/flight-delays && git commit -qam "Log the data, register the model"
""",
    "rollback": r"""
mlflow.set_tracking_uri(tracking_server("work/11-rollback"))
client = MlflowClient()
client.delete_registered_model_alias("late-flights", "champion")
client.delete_model_version("late-flights", "4")
""",
}
