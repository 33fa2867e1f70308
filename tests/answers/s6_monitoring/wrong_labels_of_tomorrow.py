"""Uses labels that are not known yet; its post-mortem blames, and dates by a slow ratio."""

SCORES = {"labels_counted": 0, "performance_right": 0, "timeline_right": 0, "lessons_drawn": 0}
CELLS = {
    "labels": r"""
import pandas as pd

folder = Path("work/9-labels")
joined = pd.read_csv(folder / "predictions.csv").merge(pd.read_csv(folder / "labels.csv"), on="id", how="left")
joined["late"] = joined["late"].fillna(0)
performance = {
    month: {
        "predictions": len(rows),
        "labels": len(rows),
        "complete": True,
        "brier": float(((rows["probability"] - rows["late"]) ** 2).mean()),
        "late_share": float(rows["late"].mean()),
        "mean_prediction": float(rows["probability"].mean()),
    }
    for month, rows in joined.groupby(joined["departure"].str[:7])
}
(folder / "performance.json").write_text(json.dumps(performance))
""",
    "postmortem": r"""%%bash
cat > work/11-postmortem/postmortem.md <<'MD'
---
began: 2013-07-15 08:47
detected: 2013-07-15 08:47
ended: 2013-07-15 09:30
failed_requests: 1800
model_version: "2013.07"
---
## What happened
Requests failed for a while after somebody had put a new model into service without any test.
## Why
It was the fault of the person on duty, who should have been more careful with the new model.
## What we change
- everybody is to be more careful
MD
""",
}
