"""The remote has an address that is true on one machine only."""

SCORES = {"remote_set": 0}
CELLS = {
    "remote": r"""%%bash
cd work/3-remote/flight-delays
dvc remote add -q -d storage "$(dirname "$PWD")/storage"
git commit -q -am "Share the data"
dvc push -q
rm -rf .dvc/cache data/*.csv
dvc pull -q
""",
}
