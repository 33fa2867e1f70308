"""evaluate reads the test features and does not say so; its pictures are plain outputs."""

SCORES = {"stages_declared": 0, "inputs_declared": 0}
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
    deps: [build/model.json, src/evaluate.py]
    outs: [build/predictions.csv, build/promise.svg, build/roc.csv]
    metrics:
      - metrics.json:
          cache: false
YAML
dvc repro -q
git add .
git commit -q -m "Describe the pipeline and run it"
""",
}
