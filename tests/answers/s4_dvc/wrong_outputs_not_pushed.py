"""Pushes the data and not what the pipeline made of it."""

SCORES = {"remote_complete": 0}
CELLS = {
    "fresh": r"""%%bash
cd work/9-fresh/flight-delays
cp ../inbox/*.csv data/
dvc add -q data
sed -i -e 's/train: .*]/train: [1, 2, 3, 4]/' -e 's/test: 4/test: 5/' params.yaml
dvc repro -q
git commit -q -am "Judge on May"
dvc push -q data
""",
}
