"""Filters on the tag, which drops every run without it; moves the alias before it checks.

The project fixes nothing, the rollback takes the version before the bad one.
"""

SCORES = {
    "best_by_query": 0,
    "champion_right": 0,
    "rule_promotes": 0,
    "rule_refuses": 0,
    "project_pinned": 0,
    "rerun_agrees": 0,
    "rolled_back": 0,
}
CELLS = {
    "best": r"""
Path("work/4-search/best.py").write_text('''
import mlflow


def best_run(tracking_uri):
    mlflow.set_tracking_uri(tracking_uri)
    runs = mlflow.search_runs(
        experiment_names=["late-flights"],
        filter_string="attributes.status = 'FINISHED' and tags.leak != 'yes'",
        order_by=["metrics.valid_auc DESC"],
    )
    return runs["run_id"].iloc[0]
''')
""",
    "rule": r"""
Path("work/6-promote/promote.py").write_text('''
def promote(client, name):
    champion = client.get_model_version_by_alias(name, "champion")
    challenger = client.get_model_version_by_alias(name, "challenger")
    client.set_registered_model_alias(name, "champion", challenger.version)
    new, old = (
        client.get_run(v.run_id).data.metrics["valid_auc"] for v in (challenger, champion)
    )
    if new < old:
        raise ValueError("refused")
''')
""",
    "promote": r"""
mlflow.set_tracking_uri(tracking_server("work/6-promote"))
client = MlflowClient()
sys.path.insert(0, "work/6-promote")
from promote import promote

client.set_registered_model_alias("late-flights", "challenger", "3")
promote(client, "late-flights")
""",
    "project": r"""
project = Path("work/8-project/project")
(project / "MLproject").write_text('''
name: flight-delays
python_env: python_env.yaml
entry_points:
  main:
    parameters:
      alpha: {type: float, default: 0.001}
    command: "python train.py {alpha}"
''')
(project / "python_env.yaml").write_text("dependencies: [mlflow, 'pandas>=2', scikit-learn]")
train = (project / "train.py").read_text()
train = train.replace("/home/ana/flight-delays/", "")
train = train.replace("import pandas", "import sys\nimport mlflow\nimport pandas")
train = train.replace("alpha=0.001, max_iter=20", "alpha=1e-4, max_iter=20")
train += 'mlflow.log_metric("valid_auc", valid_auc)\n'
(project / "train.py").write_text(train)
""",
    "rollback": r"""
mlflow.set_tracking_uri(tracking_server("work/11-rollback"))
client = MlflowClient()
client.set_registered_model_alias("late-flights", "champion", "3")
client.set_model_version_tag("late-flights", "4", "rollback_reason", "Bad on live flights")
""",
}
