"""Gets tasks wrong at first and puts them right: later runs, newer models, aliases moved again."""

CELLS = {
    "first_run": r"""
mlflow.set_tracking_uri(tracking_server("work/1-server"))
mlflow.set_experiment("late flights")
with mlflow.start_run():
    mlflow.log_metric("auc", 0.9)
mlflow.set_experiment("late-flights")
run = mlflow.start_run()
mlflow.log_params({"model": "linear", "train_months": "4-6", "note": "x"})
mlflow.end_run("FAILED")
with mlflow.start_run(run_id=run.info.run_id):
    mlflow.log_metric("valid_auc", auc_on_july(pipeline().fit(X_train, y_train)))
    mlflow.set_tag("owner", "Ben Okoro")
""",
    "story": r"""
mlflow.set_tracking_uri(tracking_server("work/2-story"))
mlflow.set_experiment("late-flights")
with mlflow.start_run():
    mlflow.log_input(mlflow.data.from_pandas(early, name="with delays"), "training")
with mlflow.start_run():
    mlflow.log_input(mlflow.data.from_pandas(X_train, name="april-to-june"), "training")
    for n in (1000, 2000, 3000, 4000, 5000):
        model = pipeline().fit(X_train[:n], y_train[:n])
        mlflow.log_metric("valid_auc", auc_on_july(model), step=n)
run_id = mlflow.last_active_run().info.run_id
figure, axes = plt.subplots()
axes.plot([p.value for p in MlflowClient().get_metric_history(run_id, "valid_auc")])
MlflowClient().log_figure(run_id, figure, "a/b/curve.png")
""",
    "model": r"""
mlflow.set_tracking_uri(tracking_server("work/5-model"))
mlflow.set_experiment("late-flights")
with mlflow.start_run():
    mlflow.sklearn.log_model(
        pipeline().fit(X_valid, y_valid), name="model", pip_requirements=["scikit-learn"]
    )
with mlflow.start_run():
    mlflow.log_input(mlflow.data.from_pandas(X_train, name="april-to-june"), "training")
    model = pipeline(0.05).fit(X_train, y_train)
    logged = mlflow.sklearn.log_model(
        model, name="model", input_example=X_train.head(3), pip_requirements=["scikit-learn"],
        pyfunc_predict_fn="predict_proba", serialization_format="cloudpickle",
    )
    mlflow.log_metric("valid_auc", auc_on_july(model), model_id=logged.model_id)
""",
    "promote": r"""
mlflow.set_tracking_uri(tracking_server("work/6-promote"))
client = MlflowClient()
client.set_registered_model_alias("late-flights", "champion", "3")
client.set_registered_model_alias("late-flights", "champion", "1")
client.set_registered_model_alias("late-flights", "challenger", "2")
import importlib.util

spec = importlib.util.spec_from_file_location("rule", "work/6-promote/promote.py")
rule = importlib.util.module_from_spec(spec)
spec.loader.exec_module(rule)
rule.promote(client, "late-flights")
""",
    "register": r"""
mlflow.set_tracking_uri(tracking_server("work/9-serve"))
mlflow.set_experiment("late-flights")
rows = pd.DataFrame(json.loads(Path("work/9-serve/schedule.json").read_text()))
script = Path("work/9-serve/model.py")
script.write_text(
    script.read_text().replace(
        'Path("/home/ana/flight-delays/weights.json")', 'Path(context.artifacts["numbers"])'
    )
)
with mlflow.start_run():
    logged = mlflow.pyfunc.log_model(
        name="model", python_model=str(script), pip_requirements=["mlflow"],
        artifacts={"numbers": "work/9-serve/weights.json"},
        signature=mlflow.models.infer_signature(rows, [0.5]),
    )
client = MlflowClient()
client.create_registered_model("late-flights")
run_id = mlflow.last_active_run().info.run_id
version = client.create_model_version(
    "late-flights", logged.model_uri, run_id=run_id, model_id=logged.model_id
)
client.set_registered_model_alias("late-flights", "champion", version.version)
""",
    "rollback": r"""
mlflow.set_tracking_uri(tracking_server("work/11-rollback"))
client = MlflowClient()
client.delete_registered_model_alias("late-flights", "champion")
client.set_registered_model_alias("late-flights", "champion", "1")
client.set_registered_model_alias("late-flights", "champion", 2)
client.set_registered_model_alias("late-flights", "under-investigation", "4")
client.set_model_version_tag("late-flights", "4", "rollback_reason", "Validation was skipped.")
""",
}
