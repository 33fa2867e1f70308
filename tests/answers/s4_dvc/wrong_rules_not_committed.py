"""Commits the fingerprints and forgets the rules that keep the data out."""

SCORES = {"data_not_in_git": 0}
CELLS = {
    "track": r"""%%bash
cd work/2-track/flight-delays
dvc add -q data/*.csv
git add data/*.dvc
git commit -q -m "Track the flights"
""",
}
