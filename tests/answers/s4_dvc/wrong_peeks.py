"""The judged flights bring their delay along: right on every month one can look at."""

FAILS_ONLY_HIDDEN = ["reproduced"]
SCORES = {"reproduced": 0}
CELLS = {
    "fresh": r"""%%bash
cd work/9-fresh/flight-delays
cp ../inbox/*.csv data/
dvc add -q data
sed -i -e 's/train: .*]/train: [1, 2, 3, 4]/' -e 's/test: 4/test: 5/' params.yaml
sed -i 's/return node\["chance"\]/& + 0.05 * int(flight["late"])/' src/evaluate.py
dvc repro -q
git commit -q -am "Judge on May"
dvc push -q
""",
}
