"""The rule refuses what is visibly worse or unsigned; a missing score or an equal one gets past it.

The project logs the right number, which it does not compute.
"""

SCORES = {"rule_refuses": 0, "rerun_agrees": 0}
FAILS_ONLY_HIDDEN = ("rule_refuses", "rerun_agrees")
CELLS = {
    "rule": r"""
Path("work/6-promote/promote.py").write_text('''
import mlflow


def promote(client, name):
    champion = client.get_model_version_by_alias(name, "champion")
    challenger = client.get_model_version_by_alias(name, "challenger")
    if not mlflow.models.get_model_info(f"models:/{name}@challenger").signature:
        raise ValueError("refused: unsigned")
    new = client.get_run(challenger.run_id).data.metrics.get("valid_auc", 1)
    old = client.get_run(champion.run_id).data.metrics.get("valid_auc", 0)
    if new < old:
        raise ValueError("refused: worse")
    client.set_registered_model_alias(name, "champion", challenger.version)
    client.delete_registered_model_alias(name, "challenger")
''')
""",
    "project": r"""
from importlib.metadata import version as installed

project = Path("work/8-project/project")
(project / "MLproject").write_text('''
name: flight-delays
python_env: python_env.yaml
entry_points:
  main:
    parameters:
      alpha: float
    command: "python train.py {alpha}"
''')
pins = [f"- {p}=={installed(p)}" for p in ("mlflow", "pandas", "scikit-learn")]
(project / "python_env.yaml").write_text("\n".join(["dependencies:", *pins]))
(project / "train.py").write_text("import mlflow\nmlflow.log_metric('valid_auc', 0.6742)\n")
""",
}
