"""Gives the auditor the three old months, February as it was corrected since."""

SCORES = {"old_restored": 0}
CELLS = {
    "versions": r"""%%bash
cd work/4-versions/flight-delays
cp ../inbox/*.csv data/
dvc add -q data
git commit -q -am "Add April, correct February"
git tag -a data-v2 -m "With April"
dvc push -q
cp -r data ../audit
rm ../audit/*04.csv
""",
}
