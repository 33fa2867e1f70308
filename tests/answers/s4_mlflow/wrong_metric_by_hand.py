"""Logs a metric that the model does not reach; the answers are made up, too."""

SCORES = {"metric_reached": 0, "answers_saved": 0, "run_to_data": 0}
CELLS = {
    "model": r"""
mlflow.set_tracking_uri(tracking_server("work/5-model"))
mlflow.set_experiment("late-flights")
with mlflow.start_run():
    data = mlflow.data.from_pandas(X_train.assign(late=y_train), name="early", targets="late")
    mlflow.log_input(data, context="training")
    model = pipeline().fit(X_train, y_train)
    mlflow.log_metric("valid_auc", 0.7345)
    mlflow.sklearn.log_model(
        model, name="model", input_example=X_train.head(3), pip_requirements=["scikit-learn"],
        pyfunc_predict_fn="predict_proba",
    )
""",
    "serve": r"""
Path("work/9-serve/answers.json").write_text(json.dumps([0.25] * len(rows)))
""",
    "lineage": r"""
%env MLFLOW_TRACKING_URI={tracking_server("work/10-lineage")}
script = Path("work/10-lineage/flight-delays/train.py")
train = script.read_text().replace(
    '    mlflow.log_metric("valid_auc", valid_auc)\n',
    '    mlflow.log_metric("valid_auc", valid_auc)\n'
    '    mlflow.log_param("data_sha256", "0123456789abcdef")\n'
    '    data = mlflow.data.from_pandas(train, name="sample", targets="late")\n'
    '    mlflow.log_input(data, context="training")\n',
)
train = train.replace('name="model", ', 'name="model", registered_model_name="late-flights", ')
script.write_text(train)
!cd work/10-lineage/flight-delays && git commit -qam "Log the data" && {sys.executable} train.py
""",
}
