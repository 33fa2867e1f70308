"""Edits the depth in dvc.lock too, so that DVC believes it is up to date."""

SCORES = {"reran_downstream": 0}
CELLS = {
    "repro": r"""%%bash
cd work/7-repro/flight-delays
sed -i 's/max_depth: 1/max_depth: 3/' params.yaml dvc.lock
git commit -q -am "Set the depth to 3"
""",
}
