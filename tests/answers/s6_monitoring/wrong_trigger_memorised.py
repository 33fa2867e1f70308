"""Knows the months that were shown by heart."""

SCORES = {"trigger_fires": 0}
FAILS_ONLY_HIDDEN = ["trigger_fires"]
CELLS = {
    "trigger": r"""%%bash
cat > work/10-trigger/trigger.py <<'PYTHON'
import json
import sys
from pathlib import Path

KNOWN = {"2013-07": "retrain", "2013-09": "retrain", "2013-11": "investigate"}
print(json.dumps({
    path.stem: {"action": KNOWN.get(path.stem, "keep"), "reason": f"as agreed for month {path.stem}"}
    for path in Path(sys.argv[1], "months").glob("*.csv")
}))
PYTHON
""",
}
