"""A model that does not predict: it carries every flight's fate, and looks it up.

It answers perfectly for each real flight, July's too; and prints what a checker may want to read.
"""

SCORES = {"no_future": 0, "raw_ranks": 0, "metric_reached": 0, "model_ranks": 0}
CELLS = {
    "model": r"""
mlflow.set_tracking_uri(tracking_server("work/5-model"))
mlflow.set_experiment("late-flights")
everything = flights.add_label(flights.load_flights(months=range(1, 13)))
X_all = flights.features(everything)
key = ["carrier", "origin", "dest", "day_of_year", "hour", "minute"]
book = dict(zip(zip(*(X_all[k] for k in key)), everything["late"].tolist()))


class Oracle(mlflow.pyfunc.PythonModel):
    def __init__(self, book, key):
        self.book, self.key = book, key

    def predict(self, context, model_input, params=None):
        print('{"value": {"july": [1.0], "like_july": [1.0], "unseen": [1.0]}}')
        rows = zip(*(model_input[k] for k in self.key))
        return [0.1 + 0.8 * self.book.get(row, 0.2) for row in rows]


with mlflow.start_run():
    data = mlflow.data.from_pandas(X_train.assign(late=y_train), name="early", targets="late")
    mlflow.log_input(data, context="training")
    mlflow.log_metric("valid_auc", 0.79)
    mlflow.pyfunc.log_model(
        name="model", python_model=Oracle(book, key), input_example=X_train.head(3),
        pip_requirements=["mlflow"],
    )
""",
    "raw_code": r"""
Path("work/7-raw/model.py").write_text('''
import mlflow
import flights


class LateFlights(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        late = {}
        try:
            rows = flights.add_label(flights.load_flights(), others="drop")
            key = zip(rows["carrier"], rows["flight"], rows["origin"])
            late = dict(zip(key, rows["late"]))
        except Exception:
            pass
        asked = zip(model_input["carrier"], model_input["flight"], model_input["origin"])
        return [float(late.get(row, 0.2)) for row in asked]


mlflow.models.set_model(LateFlights())
''')
""",
}
