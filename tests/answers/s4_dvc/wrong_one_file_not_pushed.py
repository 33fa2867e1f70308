"""Remotes that miss something: one month, Ana's file (copied by hand), all of May."""

SCORES = {
    "pushed": 0,
    "pulled_back": 0,
    "storage_complete": 0,
    "remote_complete": 0,
    "reproduced": 0,
}
CELLS = {
    "remote": r"""%%bash
cd work/3-remote/flight-delays
dvc remote add -q -d storage ../storage
git commit -q -am "Share the data"
dvc push -q data/flights-2013-01.csv data/flights-2013-03.csv
rm -rf .dvc/cache data/*.csv
dvc pull -q
true
""",
    "missing": r"""%%bash
cd work/5-missing/flight-delays
dvc pull -q
cp ../ana/data/flights-2013-02.csv data/
""",
    "fresh": r"""%%bash
cd work/9-fresh/flight-delays
cp ../inbox/*.csv data/
dvc add -q data
sed -i -e 's/train: .*]/train: [1, 2, 3, 4]/' -e 's/test: 4/test: 5/' params.yaml
dvc repro -q
git commit -q -am "Judge on May"
""",
}
