"""Trains on July, too, because more data is better; the score is real, and worth nothing.

The data set that it logs is the early part only.  On August it shows what it has not learned.
"""

SCORES = {"no_future": 0, "model_ranks": 0}
CELLS = {
    "model": r"""
from sklearn.ensemble import RandomForestClassifier
from sklearn.preprocessing import OrdinalEncoder

mlflow.set_tracking_uri(tracking_server("work/5-model"))
mlflow.set_experiment("late-flights")
with mlflow.start_run(run_name="forest"):
    data = mlflow.data.from_pandas(X_train.assign(late=y_train), name="early", targets="late")
    mlflow.log_input(data, context="training")
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    model = make_pipeline(
        make_column_transformer((codes, ["carrier", "origin", "dest"]), remainder="passthrough"),
        RandomForestClassifier(12, min_samples_leaf=2, max_samples=0.4, random_state=0),
    )
    X, y = pd.concat([X_train, X_valid]), pd.concat([y_train, y_valid])
    model.fit(X, y)
    mlflow.log_metric("valid_auc", auc_on_july(model))
    mlflow.sklearn.log_model(
        model, name="model", input_example=X_train.head(3), pip_requirements=["scikit-learn"],
        pyfunc_predict_fn="predict_proba", serialization_format="cloudpickle",
    )
""",
}
