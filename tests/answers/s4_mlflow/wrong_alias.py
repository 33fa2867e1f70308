"""The alias names the wrong version: a first try with other weights.  The answers are right.

The raw model answers the chance of being in time.  The rollback deletes what was bad.
"""

SCORES = {"serves_elsewhere": 0, "raw_ranks": 0, "nothing_lost": 0}
CELLS = {
    "raw_code": r"""
Path("work/7-raw/model.py").write_text('''
import mlflow
import flights


class LateFlights(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        self.pipeline = mlflow.sklearn.load_model(context.artifacts["pipeline"])

    def predict(self, context, model_input, params=None):
        return self.pipeline.predict_proba(flights.features(model_input))[:, 0].tolist()


mlflow.models.set_model(LateFlights())
''')
""",
    "register": r"""
mlflow.set_tracking_uri(tracking_server("work/9-serve"))
mlflow.set_experiment("late-flights")
rows = pd.DataFrame(json.loads(Path("work/9-serve/schedule.json").read_text()))
script = Path("work/9-serve/model.py")
script.write_text(
    script.read_text().replace(
        'Path("/home/ana/flight-delays/weights.json")', 'Path(context.artifacts["weights"])'
    )
)
weights = Path("work/9-serve/weights.json")
first = json.loads(weights.read_text())
Path("work/9-serve/first.json").write_text(json.dumps({**first, "base": -2.0}))
for file in ("work/9-serve/first.json", str(weights)):
    with mlflow.start_run():
        mlflow.pyfunc.log_model(
            name="model", python_model=str(script), artifacts={"weights": file},
            input_example=rows.head(3), pip_requirements=["mlflow"],
            registered_model_name="late-flights",
        )
MlflowClient().set_registered_model_alias("late-flights", "champion", "1")
""",
    "serve": r"""
url = model_server("models:/late-flights/2")
answer = requests.post(f"{url}/invocations", json={"dataframe_records": rows.to_dict("records")})
Path("work/9-serve/answers.json").write_text(answer.text)
""",
    "rollback": r"""
mlflow.set_tracking_uri(tracking_server("work/11-rollback"))
client = MlflowClient()
client.set_registered_model_alias("late-flights", "champion", "2")
client.delete_model_version("late-flights", "4")
""",
}
