"""Tracks the folder, edits settings by hand, checks out the tag, adds stages by command."""

CELLS = {
    "init": r"""%%bash
cd work/1-init/flight-delays
git config user.name "Grace Hopper"
dvc init -q
printf "[core]\n    analytics = False\n" > .dvc/config
git add -A
git commit -q -m "Set up DVC"
""",
    "track": r"""%%bash
cd work/2-track/flight-delays
dvc add -q data
git add .gitignore data.dvc
git commit -q -m "Track the folder with the flights"
""",
    "remote": r"""%%bash
cd work/3-remote/flight-delays
cat >> .dvc/config <<'INI'
    remote = elsewhere
['remote "elsewhere"']
    url = ../../storage/
INI
git add .dvc/config
git commit -q -m "Share the data"
dvc push -q -r elsewhere
rm -rf .dvc/cache data/*.csv
dvc fetch -q
dvc checkout -q
""",
    "versions": r"""%%bash
cd work/4-versions/flight-delays
cp ../inbox/*.csv data/
dvc add -q data
git add data.dvc
git commit -q -m "New data"
git tag data-v2
dvc push -q --all-tags
git switch -q --detach data-v1
dvc checkout -q
cp -r data ../audit
git switch -q main
dvc checkout -q
""",
    "missing": r"""%%bash
cd work/5-missing/flight-delays
cd ../ana
dvc push -q data/flights-2013-02.csv
cd ../flight-delays
dvc pull -q
""",
    "pipeline": r"""%%bash
cd work/6-pipeline/flight-delays
dvc stage add -q -n split -d data -d src/split.py -p split.train,split.test \
   -o build/train.csv -o build/test.csv python src/split.py
dvc stage add -q -n featurize -d src -d build/train.csv -d build/test.csv \
   -o build/features/train.csv -o build/features/test.csv python3 \
   src/featurize.py
dvc stage add -q -n train -d build/features/train.csv -d src/train.py -p train \
   -o build/model.json "python src/train.py"
dvc stage add -q -n evaluate -d build/features/test.csv -d build/model.json \
   -d src/evaluate.py -o build/predictions.csv -M metrics.json \
   --plots build/roc.csv --plots build/promise.svg python src/evaluate.py
dvc repro -q
git add -A
git commit -q -m "Add the pipeline"
""",
    "repro": r"""%%bash
cd work/7-repro/flight-delays
dvc exp run -q -S train.max_depth=3
git add -A
git commit -q -m "Let the tree ask three questions"
""",
    "experiments": r"""%%bash
cd work/8-experiments/flight-delays
for depth in 8 4 3; do dvc exp run -q -S train.max_depth=$depth -S train.min_leaf=50; done
git add params.yaml dvc.lock metrics.json
git commit -q -m "Use the best of three"
""",
    "fresh": r"""%%bash
cd work/9-fresh/flight-delays
mv ../inbox/flights-2013-05.csv data/
sed -i -e 's/\[1, 2, 3\]/[1, 2, 3, 4]/' -e 's/test: 4/test: 5/' params.yaml
dvc commit -q -f data.dvc
dvc repro -q
git commit -q -a -m "Judge on May"
dvc push -q
""",
}
