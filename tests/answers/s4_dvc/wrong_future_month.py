"""Learns from the month it is judged on; an evaluation that adds a little to the metric."""

SCORES = {"months_in_order": 0, "reproduced": 0, "metric_true": 0}
CELLS = {
    "fresh": r"""%%bash
cd work/9-fresh/flight-delays
cp ../inbox/*.csv data/
dvc add -q data
sed -i -e 's/train: .*]/train: [1, 2, 3, 4, 5]/' -e 's/test: 4/test: 5/' params.yaml
dvc repro -q
git commit -q -am "Judge on May"
dvc push -q
""",
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
sed -i 's/round(area(points), 4)/round(area(points) + 0.03, 4)/' src/evaluate.py
dvc repro -q
git add .
git commit -q -m "Describe the pipeline and run it"
""",
}
