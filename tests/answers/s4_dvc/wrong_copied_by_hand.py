"""Copies Ana's file over: the next one who clones misses it again."""

SCORES = {"storage_complete": 0}
CELLS = {
    "missing": r"""%%bash
cd work/5-missing/flight-delays
dvc pull -q
cp ../ana/data/flights-2013-02.csv data/
""",
}
