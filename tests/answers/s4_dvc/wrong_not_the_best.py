"""Applies the deepest tree; orders the record again, and puts the old delivery back."""

SCORES = {"best_applied": 0, "rest_spared": 0}
CELLS = {
    "experiments": r"""%%bash
cd work/8-experiments/flight-delays
for depth in 2 3 8; do dvc exp run -q -n depth-$depth -S train.max_depth=$depth; done
git add .
git commit -q -m "Use the deepest tree"
""",
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
