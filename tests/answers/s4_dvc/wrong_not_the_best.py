"""Applies the deepest tree, as if deeper were better."""

SCORES = {"best_applied": 0}
CELLS = {
    "experiments": r"""%%bash
cd work/8-experiments/flight-delays
for depth in 2 3 8; do dvc exp run -q -n depth-$depth -S train.max_depth=$depth; done
git add .
git commit -q -m "Use the deepest tree"
""",
}
