"""Tracks the data with DVC, and forces it into Git as well."""

SCORES = {"data_not_in_git": 0}
CELLS = {
    "track": r"""%%bash
cd work/2-track/flight-delays
dvc add -q data/*.csv
git add -f data
git commit -q -m "Track the flights, to be on the safe side twice"
""",
}
