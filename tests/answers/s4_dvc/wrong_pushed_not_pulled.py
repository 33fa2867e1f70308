"""Repairs the remote and forgets the own clone."""

SCORES = {"clone_complete": 0}
CELLS = {
    "missing": r"""%%bash
cd work/5-missing/flight-delays
cd ../ana
dvc push -q
""",
}
