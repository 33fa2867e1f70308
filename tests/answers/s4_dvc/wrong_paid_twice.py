"""Runs everything, then puts the old delivery back from Git: it was paid for twice all the same."""

SCORES = {"rest_spared": 0}
CELLS = {
    "repro": r"""%%bash
cd work/7-repro/flight-delays
dvc repro -q -f order
git checkout -q dvc.lock
dvc checkout -q
sed -i 's/max_depth: 1/max_depth: 3/' params.yaml
dvc repro -q
git commit -q -am "Set the depth to 3"
""",
}
