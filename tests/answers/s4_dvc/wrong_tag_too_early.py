"""Tags before the commit: the name is on the old version."""

SCORES = {"new_version": 0}
CELLS = {
    "versions": r"""%%bash
cd work/4-versions/flight-delays
cp ../inbox/*.csv data/
dvc add -q data
git tag -a data-v2 -m "With April"
git commit -q -am "Add April, correct February"
dvc push -q
dvc get -q . data --rev data-v1 -o ../audit
""",
}
