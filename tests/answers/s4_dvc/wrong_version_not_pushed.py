"""Pushes nothing: Git has a fingerprint for which nobody else has the data."""

SCORES = {"versions_pushed": 0}
CELLS = {
    "versions": r"""%%bash
cd work/4-versions/flight-delays
cp ../inbox/*.csv data/
dvc add -q data
git commit -q -am "Add April, correct February"
git tag -a data-v2 -m "With April"
dvc get -q . data --rev data-v1 -o ../audit
""",
}
