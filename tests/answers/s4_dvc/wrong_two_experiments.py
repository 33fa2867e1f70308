"""Runs two experiments, of which one is what main had."""

SCORES = {"experiments_ran": 0}
CELLS = {
    "experiments": r"""%%bash
cd work/8-experiments/flight-delays
dvc exp run -q -n one -S train.max_depth=1 -f
dvc exp run -q -n three -S train.max_depth=3
git add .
git commit -q -m "Use the better tree"
""",
}
