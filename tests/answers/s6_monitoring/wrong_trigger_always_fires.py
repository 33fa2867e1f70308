"""Asks for a new model every month."""

SCORES = {"trigger_quiet": 0, "trigger_fires": 0}
CELLS = {
    "trigger": r"""%%bash
cat > work/10-trigger/trigger.py <<'PYTHON'
import json
import sys
from pathlib import Path

print(json.dumps({
    path.stem: {"action": "retrain", "reason": "30 days have passed"}
    for path in Path(sys.argv[1], "months").glob("*.csv")
}))
PYTHON
""",
}
