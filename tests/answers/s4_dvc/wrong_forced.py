"""Runs everything, needed or not: the record is ordered and paid for again."""

SCORES = {"rest_spared": 0}
CELLS = {
    "repro": r"""%%bash
cd work/7-repro/flight-delays
sed -i 's/max_depth: 1/max_depth: 3/' params.yaml
dvc repro -q -f
git commit -q -am "Set the depth to 3"
""",
}
