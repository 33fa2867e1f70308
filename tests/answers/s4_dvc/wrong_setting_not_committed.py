"""Commits what dvc init staged; the setting came later and stayed on disk."""

SCORES = {"analytics_off": 0}
CELLS = {
    "init": r"""%%bash
cd work/1-init/flight-delays
dvc init -q
dvc config core.analytics false
git commit -q -m "Set up DVC"
""",
}
