"""Edits dvc.lock so that DVC believes it is up to date; tags before the commit."""

SCORES = {"reran_downstream": 0, "new_version": 0}
CELLS = {
    "repro": r"""%%bash
cd work/7-repro/flight-delays
sed -i 's/max_depth: 1/max_depth: 3/' params.yaml dvc.lock
git commit -q -am "Set the depth to 3"
""",
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
