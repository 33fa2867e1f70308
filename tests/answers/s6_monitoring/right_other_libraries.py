"""Names its drift tests itself, counts labels without pandas, decides with it, writes Zulu time."""

CELLS = {
    "drift": r"""
import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset

from evidently.metrics import ValueDrift

folder = Path("work/8-drift")
definition = DataDefinition(numerical_columns=["hour", "distance"], categorical_columns=["carrier", "origin"])
reference = Dataset.from_pandas(pd.read_csv(folder / "reference.csv"), data_definition=definition)
for name, month in (("september", "2013-09"), ("november", "2013-11")):
    current = Dataset.from_pandas(pd.read_csv(folder / f"{month}.csv"), data_definition=definition)
    tests = [ValueDrift(column=c) for c in ("carrier", "origin", "hour", "distance")]
    run = Report(tests).run(reference_data=reference, current_data=current)
    (folder / f"{name}.json").write_text(run.json())
    run.save_html(str(folder / f"{name}.html"))

(folder / "psi.py").write_text('''
import math
import statistics
import sys

import pandas as pd

old, new = (list(pd.read_csv(path)[sys.argv[3]]) for path in sys.argv[1:3])
edges = sorted(set(statistics.quantiles(old, n=10, method="inclusive")))


def shares(values):
    counts = [0] * (len(edges) + 1)
    for value in values:
        counts[sum(edge <= value for edge in edges)] += 1
    return [max(count / len(values), 0.0001) for count in counts]


print("PSI", sum((b - a) * math.log(b / a) for a, b in zip(shares(old), shares(new))))
''')
""",
    "labels": r"""
import csv
from datetime import datetime, timezone

folder = Path("work/9-labels")
today = datetime(2013, 10, 1, tzinfo=timezone.utc)
with open(folder / "labels.csv", newline="") as file:
    known = {r["id"]: int(r["late"]) for r in csv.DictReader(file) if datetime.fromisoformat(r["known_at"]) <= today}
result = {}
with open(folder / "predictions.csv", newline="") as file:
    for row in csv.DictReader(file):
        result.setdefault(row["departure"][:7], []).append((row["id"], float(row["probability"])))
for month, rows in result.items():
    pairs = [(p, known[i]) for i, p in rows if i in known]
    full = len(pairs) / len(rows) >= 0.95
    mean = lambda values: round(sum(values) / len(pairs), 4) if full else None
    result[month] = {
        "complete": full, "predictions": len(rows), "labels": len(pairs),
        "brier": mean([(p - y) ** 2 for p, y in pairs]),
        "late_share": mean([y for _, y in pairs]), "mean_prediction": mean([p for p, _ in pairs]),
        "note": "as of 1 October",
    }
(folder / "performance.json").write_text(json.dumps(result))
""",
    "trigger": r"""%%bash
cat > work/10-trigger/trigger.py <<'PYTHON'
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

folder = Path(sys.argv[1])
reference = pd.read_csv(folder / "reference.csv")
expected = json.loads((folder / "expected.json").read_text())


def psi(name, month):
    edges = [-np.inf, *sorted(set(reference[name].quantile(np.arange(1, 10) / 10))), np.inf]
    a, b = (
        pd.cut(x[name], edges, right=False).value_counts(normalize=True, sort=False).clip(lower=1e-4)
        for x in (reference, month)
    )
    return float(((b - a) * np.log(b / a)).sum())


out = {}
for path in (folder / "months").iterdir():
    month, plan = pd.read_csv(path), expected.get(path.stem, {})
    broken = {n: psi(n, month) for n in ("hour", "distance") if n not in plan.get("drift", [])}
    known = month["arr_delay"].dropna()
    off = known.mean() - plan.get("mean_delay", reference["arr_delay"].mean())
    if broken and max(broken.values()) > 0.25:
        out[path.stem] = {"action": "investigate", "reason": f"PSI too high: {broken}"}
    elif len(known) >= 500 and abs(off) > 8:
        out[path.stem] = {"action": "retrain", "reason": f"{off:+.1f} minutes off"}
    else:
        out[path.stem] = {"action": "keep", "reason": f"{off:+.1f} minutes off, {len(known)} labels"}
print(json.dumps(out))
PYTHON
""",
    "postmortem": r"""%%bash
cat > work/11-postmortem/postmortem.md <<'MD'
---
model_version: "2013.07"
began: 2013-07-15T08:40:00Z
detected: "2013-07-15 08:51:30"
ended: 2013-07-15T05:24:00-04:00
failed_requests: 2950
---
# 15 July

## What happened

Between 08:40 and 09:24 UTC every fifth request was answered with an error, nearly 3,000 in all.

## Why

A model that cannot answer for all carriers was taken into service; no step before asked it for one.

## What we change

* Ask the candidate for each carrier in the pipeline (@lin, 2013-07-20)
* Send a tenth of the traffic to a new model first (@omar, 2013-08-01)
MD
""",
}
