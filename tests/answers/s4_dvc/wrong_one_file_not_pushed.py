"""Pushes two of three files, then deletes the only copy of the third."""

SCORES = {"pushed": 0, "pulled_back": 0}
CELLS = {
    "remote": r"""%%bash
cd work/3-remote/flight-delays
dvc remote add -q -d storage ../storage
git commit -q -am "Share the data"
dvc push -q data/flights-2013-01.csv data/flights-2013-03.csv
rm -rf .dvc/cache data/*.csv
dvc pull -q
true
""",
}
