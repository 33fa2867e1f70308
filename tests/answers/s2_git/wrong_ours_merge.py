"""Resolves the conflict by throwing Ana's side away."""

SCORES = {"features_both": 0}
CELLS = {
    "conflict": r"""%%bash
cd work/4-conflict/flight-delays
git merge -q -s ours --no-edit feature/weather
""",
}
