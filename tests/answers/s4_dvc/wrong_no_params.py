"""No parameter in dvc.yaml; tidies a script after the run; pushes the data and no output."""

SCORES = {"stages_declared": 0, "inputs_declared": 0, "lock_true": 0, "remote_complete": 0}
CELLS = {
    "pipeline": r"""%%bash
cd work/6-pipeline/flight-delays
cat > dvc.yaml <<'YAML'
stages:
  split:
    cmd: python src/split.py
    deps: [data, src/split.py]
    outs: [build/train.csv, build/test.csv]
  featurize:
    cmd: python src/featurize.py
    deps: [build/train.csv, build/test.csv, src/featurize.py]
    outs: [build/features]
  train:
    cmd: python src/train.py
    deps: [build/features/train.csv, src/train.py]
    outs: [build/model.json]
  evaluate:
    cmd: python src/evaluate.py
    deps: [build/features/test.csv, build/model.json, src/evaluate.py]
    outs: [build/predictions.csv]
    metrics:
      - metrics.json:
          cache: false
    plots: [build/promise.svg, build/roc.csv]
YAML
dvc repro -q
echo "# Reviewed." >> src/train.py
git add .
git commit -q -m "Describe the pipeline and run it"
""",
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
