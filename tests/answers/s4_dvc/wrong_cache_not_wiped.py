"""Deletes the data and checks it out again, from the old cache."""

SCORES = {"pulled_back": 0}
CELLS = {
    "remote": r"""%%bash
cd work/3-remote/flight-delays
dvc remote add -q -d storage ../storage
git commit -q -am "Share the data"
dvc push -q
rm data/*.csv
dvc pull -q
""",
}
