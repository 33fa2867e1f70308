"""Trees that know no dates, in wrappers and formats of other kinds; a conda environment."""

CELLS = {
    "autolog": r"""
from sklearn.ensemble import HistGradientBoostingClassifier

mlflow.set_tracking_uri(tracking_server("work/3-autolog"))
mlflow.set_experiment("late-flights")
numbers = ["distance", "sched_duration", "weekday", "hour"]


def trees():
    return HistGradientBoostingClassifier(max_iter=20, random_state=0)


mlflow.autolog(log_models=False)
with mlflow.start_run():
    model = trees().fit(X_train[numbers], y_train)
    score = roc_auc_score(y_valid, model.predict_proba(X_valid[numbers])[:, 1])
    mlflow.log_metric("valid_auc", score)
mlflow.autolog(disable=True)
with mlflow.start_run():
    mlflow.log_param("max_iter", 20)
    model = trees().fit(X_train[numbers], y_train)
    score = roc_auc_score(y_valid, model.predict_proba(X_valid[numbers])[:, 1])
    mlflow.log_metric("valid_auc", score)
""",
    "model": r"""
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.preprocessing import OrdinalEncoder

mlflow.set_tracking_uri(tracking_server("work/5-model"))
mlflow.set_experiment("late-flights")
whole = flights.add_label(flights.load_flights(months=[5, 6]))
X, y = flights.features(whole), whole["late"]
codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
numbers = ["distance", "sched_duration", "weekday", "hour"]
columns = make_column_transformer((codes, ["carrier", "origin", "dest"]), ("passthrough", numbers))
trees = make_pipeline(columns, HistGradientBoostingClassifier(max_iter=20, random_state=0))
trees.fit(X, y)


class Chance(mlflow.pyfunc.PythonModel):
    def __init__(self, model):
        self.model = model

    def predict(self, context, model_input, params=None):
        return pd.DataFrame({"chance": self.model.predict_proba(model_input)[:, 1]})


with mlflow.start_run():
    mlflow.log_input(mlflow.data.from_pandas(X, name="may-june"), context="training")
    mlflow.log_metric("valid_auc", auc_on_july(trees))
    example = X.head(2)
    mlflow.pyfunc.log_model(
        name="model",
        python_model=Chance(trees),
        input_example=example,
        signature=mlflow.models.infer_signature(example, Chance(trees).predict(None, example)),
        pip_requirements=["mlflow", "scikit-learn"],
    )
""",
    "raw_code": r"""
Path("work/7-raw/model.py").write_text('''
import mlflow
import pandas as pd
import flights


class LateFlights(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        self.pipeline = mlflow.pyfunc.load_model(context.artifacts["pipeline"])

    def predict(self, context, model_input):
        return self.pipeline.predict(flights.features(model_input))[:, 1]


mlflow.models.set_model(LateFlights())
''')
""",
    "raw_model": r"""
mlflow.set_tracking_uri(tracking_server("work/7-raw"))
mlflow.set_experiment("late-flights")
rows = pd.DataFrame(json.loads(Path("work/7-raw/schedule.json").read_text()))
mlflow.sklearn.save_model(
    pipeline(0.1).fit(X_train, y_train), "work/7-raw/pipeline", serialization_format="cloudpickle",
    pyfunc_predict_fn="predict_proba", pip_requirements=["scikit-learn"],
)
with mlflow.start_run():
    mlflow.pyfunc.log_model(
        name="any name", python_model="work/7-raw/model.py",
        artifacts={"pipeline": "work/7-raw/pipeline"}, input_example=rows.head(1),
        pip_requirements=["mlflow"],
    )
""",
    "project": r"""
from importlib.metadata import version as installed

project = Path("work/8-project/project")
(project / "MLproject").write_text('''
name: late
conda_env: conda.yaml
entry_points:
  main:
    parameters:
      alpha: float
      seed: {type: float, default: 3}
    command: "env A=1 python train.py {alpha} {seed}"
''')
pins = [f"    - {p}=={installed(p)}" for p in ("mlflow", "pandas", "scikit_learn")]
(project / "conda.yaml").write_text("\n".join(["dependencies:", "- python=3.12", "- pip:", *pins]))
train = (project / "train.py").read_text()
train = train.replace("/home/ana/flight-delays/", "")
train = train.replace("import pandas", "import sys\nimport mlflow\nimport pandas")
given = "alpha=float(sys.argv[1]), random_state=int(float(sys.argv[2]))"
train = train.replace("alpha=0.001", given)
train += 'mlflow.log_metric("valid_auc", valid_auc)\n'
(project / "train.py").write_text(train)
""",
    "serve": r"""
url = model_server("models:/late-flights/1")
chances = []
for row in rows.to_dict("records"):
    split = {"columns": list(row), "data": [list(row.values())]}
    answer = requests.post(url + "/invocations", json={"dataframe_split": split}).json()
    chances += answer["predictions"]
Path("work/9-serve/answers.json").write_text(json.dumps(chances))
""",
}
