"""Logs a model without signature that answers with 0 and 1, and a pickled one for raw rows.

That one computes a feature from the other rows of the call.
"""

SCORES = {
    "contract_given": 0,
    "model_ranks": 0,
    "metric_reached": 0,
    "from_code": 0,
    "takes_raw_rows": 0,
}
CELLS = {
    "model": r"""
mlflow.set_tracking_uri(tracking_server("work/5-model"))
mlflow.set_experiment("late-flights")
with mlflow.start_run():
    data = mlflow.data.from_pandas(X_train.assign(late=y_train), name="early", targets="late")
    mlflow.log_input(data, context="training")
    model = pipeline().fit(X_train, y_train)
    mlflow.log_metric("valid_auc", auc_on_july(model))
    mlflow.sklearn.log_model(model, name="model", pip_requirements=["scikit-learn"])
""",
    "raw_model": r"""
mlflow.set_tracking_uri(tracking_server("work/7-raw"))
mlflow.set_experiment("late-flights")
rows = pd.DataFrame(json.loads(Path("work/7-raw/schedule.json").read_text()))
model = pipeline().fit(X_train, y_train)


class Raw(mlflow.pyfunc.PythonModel):
    def __init__(self, model):
        self.model = model

    def predict(self, context, model_input, params=None):
        X = flights.features(model_input)
        X["distance"] = X["distance"] - X["distance"].mean()
        return self.model.predict_proba(X)[:, 1].tolist()


with mlflow.start_run():
    mlflow.pyfunc.log_model(
        name="model", python_model=Raw(model), input_example=rows.head(3),
        pip_requirements=["mlflow"],
    )
""",
}
