"""Data in Git as well; a setting on disk only; a remote that is true on one machine only."""

SCORES = {"data_not_in_git": 0, "analytics_off": 0, "remote_set": 0}
CELLS = {
    "track": r"""%%bash
cd work/2-track/flight-delays
dvc add -q data/*.csv
git add -f data
git commit -q -m "Track the flights, to be on the safe side twice"
""",
    "init": r"""%%bash
cd work/1-init/flight-delays
dvc init -q
dvc config core.analytics false
git commit -q -m "Set up DVC"
""",
    "remote": r"""%%bash
cd work/3-remote/flight-delays
dvc remote add -q -d storage "$(dirname "$PWD")/storage"
git commit -q -am "Share the data"
dvc push -q
rm -rf .dvc/cache data/*.csv
dvc pull -q
""",
}
