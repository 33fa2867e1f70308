"""Writes a nicer metric and lets DVC take it for a result; runs everything; tries only two."""

SCORES = {"metric_true": 0, "rest_spared": 0, "experiments_ran": 0}
CELLS = {
    "pipeline": r"""%%bash
cd work/6-pipeline/flight-delays
cat > dvc.yaml <<'YAML'
stages:
  split:
    cmd: python src/split.py
    deps: [data, src/split.py]
    params: [split]
    outs: [build/train.csv, build/test.csv]
  featurize:
    cmd: python src/featurize.py
    deps: [build/train.csv, build/test.csv, src/featurize.py]
    outs: [build/features]
  train:
    cmd: python src/train.py
    deps: [build/features/train.csv, src/train.py]
    params: [train]
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
printf '{\n  "auc": 0.7123,\n  "flights": 2000\n}\n' > metrics.json
dvc commit -q -f evaluate
git add .
git commit -q -m "Describe the pipeline and run it"
""",
    "repro": r"""%%bash
cd work/7-repro/flight-delays
sed -i 's/max_depth: 1/max_depth: 3/' params.yaml
dvc repro -q -f
git commit -q -am "Set the depth to 3"
""",
    "experiments": r"""%%bash
cd work/8-experiments/flight-delays
dvc exp run -q -n one -S train.max_depth=1 -f
dvc exp run -q -n three -S train.max_depth=3
git add .
git commit -q -m "Use the better tree"
""",
}
