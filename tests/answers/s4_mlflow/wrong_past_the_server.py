"""Task 1 goes straight into the database, past the server; the run never ends.

Task 2 logs all steps as step 0, an empty figure, and the raw frame with the delays in it.
Task 3 has one run only, by hand, and logs every setting there is.
"""

SCORES = {
    "experiment_made": 0,
    "run_logged": 0,
    "metric_steps": 0,
    "plot_logged": 0,
    "data_logged": 0,
    "autologged": 0,
    "compared": 0,
}
CELLS = {
    "first_run": r"""
store = Path("work/1-server").resolve()
mlflow.set_tracking_uri(f"sqlite:///{store}/mlflow.db")
mlflow.create_experiment("late-flights", artifact_location=str(store / "artifacts"))
mlflow.set_experiment("late-flights")
mlflow.start_run(run_name="first")
mlflow.log_params({"model": "linear", "train_months": "4-6"})
mlflow.log_metric("valid_auc", 0.69)
mlflow.set_tag("owner", "Ada Lovelace")
mlflow.tracking.fluent._active_run_stack.get().clear()
""",
    "story": r"""
mlflow.set_tracking_uri(tracking_server("work/2-story"))
mlflow.set_experiment("late-flights")
with mlflow.start_run():
    mlflow.log_input(mlflow.data.from_pandas(early, name="early", targets="late"), "training")
    for n in (500, 1000, 2000, 5000, 10000):
        model = pipeline().fit(X_train.iloc[:n], y_train.iloc[:n])
        mlflow.log_metric("valid_auc", auc_on_july(model))
    figure = plt.figure(figsize=(5, 3))
    mlflow.log_figure(figure, "curve.png")
""",
    "autolog": r"""
mlflow.set_tracking_uri(tracking_server("work/3-autolog"))
mlflow.set_experiment("late-flights")
with mlflow.start_run():
    model = pipeline().fit(X_train, y_train)
    mlflow.log_params({k: str(v)[:200] for k, v in model.get_params().items()})
    mlflow.log_metric("valid_auc", auc_on_july(model))
""",
}
