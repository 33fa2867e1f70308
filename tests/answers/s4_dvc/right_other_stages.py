"""Five stages with other names, variables, a working folder, metrics and plots at the top."""

CELLS = {
    "pipeline": r"""%%bash
cd work/6-pipeline/flight-delays
cat > dvc.yaml <<'YAML'
vars:
  - folder: build
stages:
  cut:
    cmd: python src/split.py
    deps: [data, src/split.py]
    params: [split.train, split.test]
    outs: ["${folder}/train.csv", "${folder}/test.csv"]
  number:
    cmd:
      - mkdir -p build/features
      - python src/featurize.py
    deps: [build/train.csv, build/test.csv, src/featurize.py]
    outs: [build/features/]
  learn:
    cmd: python src/train.py
    deps: [build/features, src/train.py]
    params:
      - params.yaml:
          - train.max_depth
          - train.min_leaf
    outs: [build/model.json]
  judge:
    wdir: src
    cmd: cd .. && python src/evaluate.py
    deps: [../build/features, ../build/model.json, evaluate.py]
    outs:
      - ../build/predictions.csv
      - ../build/roc.csv
      - ../build/promise.svg
      - ../metrics.json:
          cache: false
  copy:
    cmd: cp build/promise.svg build/picture.svg
    deps: [build/promise.svg]
    outs: [build/picture.svg]
metrics: [metrics.json]
plots:
  - curve:
      x: punctual
      y:
        build/roc.csv: late
  - build/promise.svg
YAML
dvc repro -q
git add .
git commit -q -m "Describe the pipeline and run it"
""",
}
