"""The best run by eye: its id is written into best.py.  That is right in this store only."""

SCORES = {"best_by_query": 0, "search_nested": 0}
FAILS_ONLY_HIDDEN = ("best_by_query",)
CELLS = {
    "search": r"""
mlflow.set_tracking_uri(tracking_server("work/4-search"))
mlflow.set_experiment("late-flights")
for C in (0.01, 0.03, 0.1, 0.3, 1.0, 3.0):
    with mlflow.start_run():
        mlflow.log_params({"C": C})
        mlflow.log_metric("valid_auc", auc_on_july(pipeline(C).fit(X_train, y_train)))
""",
    "best": r"""
runs = mlflow.search_runs(experiment_names=["late-flights"])
best = runs[runs["tags.mlflow.runName"] == "trees-300"]["run_id"].iloc[0]
Path("work/4-search/best.py").write_text(f"def best_run(tracking_uri):\n    return '{best}'\n")
""",
}
