"""Trains a linear model on January to July: its score gains little, but its data set tells."""

SCORES = {"no_future": 0}
CELLS = {
    "model": r"""
mlflow.set_tracking_uri(tracking_server("work/5-model"))
mlflow.set_experiment("late-flights")
rows = flights.add_label(flights.load_flights(months=range(1, 8)))
X, y = flights.features(rows), rows["late"]
with mlflow.start_run():
    data = mlflow.data.from_pandas(X.assign(late=y), name="january-to-july", targets="late")
    mlflow.log_input(data, context="training")
    model = pipeline().fit(X, y)
    mlflow.log_metric("valid_auc", auc_on_july(model))
    mlflow.sklearn.log_model(
        model, name="model", input_example=X.head(3), pip_requirements=["scikit-learn"],
        pyfunc_predict_fn="predict_proba",
    )
""",
}
