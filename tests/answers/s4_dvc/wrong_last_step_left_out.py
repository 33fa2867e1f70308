"""Leaves the last step out: the commit, the rules, the push, the own pull."""

SCORES = {
    "dvc_set_up": 0,
    "analytics_off": 0,
    "data_not_in_git": 0,
    "versions_pushed": 0,
    "clone_complete": 0,
}
CELLS = {
    "init": r"""%%bash
cd work/1-init/flight-delays
dvc init -q
dvc config core.analytics false
""",
    "track": r"""%%bash
cd work/2-track/flight-delays
dvc add -q data/*.csv
git add data/*.dvc
git commit -q -m "Track the flights"
""",
    "versions": r"""%%bash
cd work/4-versions/flight-delays
cp ../inbox/*.csv data/
dvc add -q data
git commit -q -am "Add April, correct February"
git tag -a data-v2 -m "With April"
dvc get -q . data --rev data-v1 -o ../audit
""",
    "missing": r"""%%bash
cd work/5-missing/flight-delays
cd ../ana
dvc push -q
""",
}
