"""Commits the file with Git's conflict markers in it."""

SCORES = {"conflict_resolved": 0, "features_both": 0}
CELLS = {
    "conflict": r"""%%bash
cd work/4-conflict/flight-delays
git merge feature/weather
git commit -q -a --no-edit
""",
}
