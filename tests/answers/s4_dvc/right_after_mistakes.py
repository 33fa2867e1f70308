"""Gets it wrong first, and puts it right without starting over."""

CELLS = {
    "track": r"""%%bash
cd work/2-track/flight-delays
git add -A
git commit -q -m "Add data"
git reset -q --soft HEAD~1
git reset -q
dvc add -q data/*.csv
git add data
git commit -q -m "Track the flights"
""",
    "versions": r"""%%bash
cd work/4-versions/flight-delays
cp ../inbox/*.csv data/
dvc add -q data
git tag data-v2
git commit -q -am "Add April, correct February"
git tag -f -a data-v2 -m "With April"
dvc push -q
dvc get -q . data --rev data-v1 -o ../audit
""",
    "repro": r"""%%bash
cd work/7-repro/flight-delays
sed -i 's/max_depth: 1/max_depth: 3/' params.yaml dvc.lock
git commit -q -am "Set the depth to 3"
git checkout -q HEAD~1 -- dvc.lock
dvc repro -q
git commit -q -am "And run it"
""",
    "fresh": r"""%%bash
cd work/9-fresh/flight-delays
cp ../inbox/*.csv data/
dvc add -q data
sed -i -e 's/train: .*]/train: [1, 2, 3, 4, 5]/' -e 's/test: 4/test: 5/' params.yaml
dvc repro -q
git commit -q -am "Judge on May"
sed -i 's/4, 5]/4]/' params.yaml
sed -i 's/^  - 5$//' params.yaml
dvc repro -q
git commit -q -am "Do not learn from what is judged"
dvc push -q
""",
}
