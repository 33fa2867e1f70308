"""Logs the data, and never registers; the raw model's code raises for a place it does not know."""

SCORES = {"version_to_run": 0, "run_to_data": 0, "run_to_commit": 0, "takes_raw_rows": 0}
FAILS_ONLY_HIDDEN = ("takes_raw_rows",)
CELLS = {
    "raw_code": r"""
Path("work/7-raw/model.py").write_text('''
import mlflow
import flights

KNOWN = {
    "9E", "AA", "AS", "B6", "DL", "EV", "F9", "FL", "HA", "MQ", "OO", "UA", "US", "VX", "WN", "YV"
}


class LateFlights(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        self.pipeline = mlflow.sklearn.load_model(context.artifacts["pipeline"])

    def predict(self, context, model_input, params=None):
        if not set(model_input["carrier"]) <= KNOWN:
            raise KeyError("an airline that is not in the table")
        return self.pipeline.predict_proba(flights.features(model_input))[:, 1].tolist()


mlflow.models.set_model(LateFlights())
''')
""",
    "lineage": r"""
%env MLFLOW_TRACKING_URI={tracking_server("work/10-lineage")}
script = Path("work/10-lineage/flight-delays/train.py")
train = script.read_text().replace(
    '    mlflow.log_metric("valid_auc", valid_auc)\n',
    '    mlflow.log_metric("valid_auc", valid_auc)\n'
    '    mlflow.log_param("data_sha256", "unknown")\n',
)
script.write_text(train)
!cd work/10-lineage/flight-delays && git commit -qam "Log the data" && {sys.executable} train.py
""",
}
