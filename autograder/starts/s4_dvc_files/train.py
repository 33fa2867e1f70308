"""Learn a decision tree and write it as JSON.

JSON can be read and compared, and loading it runs nothing.  A pickle cannot say that.
Reads build/features/train.csv.  Writes build/model.json.
"""

import csv
import json
from pathlib import Path

import yaml
from sklearn.tree import DecisionTreeClassifier


def nodes(tree, names):
    """Yield a tree's nodes: a question with two ways on, or the chance at its end."""
    for i in range(tree.node_count):
        if tree.children_left[i] < 0:
            yield {"chance": round(float(tree.value[i][0][1]), 6)}
        else:
            yield {
                "feature": names[tree.feature[i]],
                "at_most": round(float(tree.threshold[i]), 6),
                "yes": int(tree.children_left[i]),
                "no": int(tree.children_right[i]),
            }


if __name__ == "__main__":
    params = yaml.safe_load(Path("params.yaml").read_text())["train"]
    with Path("build/features/train.csv").open(newline="") as file:
        (_, *names), *rows = csv.reader(file)
    late, *columns = zip(*[map(float, row) for row in rows], strict=True)
    model = DecisionTreeClassifier(
        max_depth=params["max_depth"], min_samples_leaf=params["min_leaf"], random_state=0
    )
    model.fit(list(zip(*columns, strict=True)), late)
    text = ",\n".join(json.dumps(node) for node in nodes(model.tree_, names))
    Path("build/model.json").write_text(f"[\n{text}\n]\n")
