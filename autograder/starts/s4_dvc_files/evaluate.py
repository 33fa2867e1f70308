"""Judge the model on flights it has not seen.

Reads build/model.json and build/features/test.csv.  Writes build/predictions.csv,
metrics.json, and two pictures: build/roc.csv (numbers to draw) and build/promise.svg.
"""

import csv
import json
from itertools import pairwise
from pathlib import Path


def chance(nodes, flight):
    """Chance that a flight is late: walk down the tree."""
    node = nodes[0]
    while "chance" not in node:
        yes = float(flight[node["feature"]]) <= node["at_most"]
        node = nodes[node["yes" if yes else "no"]]
    return node["chance"]


def roc(chances, late):
    """For each limit: the shares of punctual and of late flights that it calls late."""
    points = []
    for limit in [2, *sorted(set(chances), reverse=True)]:
        called = [y for c, y in zip(chances, late, strict=True) if c >= limit]
        points.append((called.count(0) / late.count(0), called.count(1) / late.count(1)))
    return points


def area(points):
    """AUC: the area under the ROC curve. 0.5 is chance, 1 is perfect."""
    return sum((x2 - x1) * (y1 + y2) / 2 for (x1, y1), (x2, y2) in pairwise(points))


def picture(chances, late):
    """Ten groups of flights: what was promised (line) and what came true (bar)."""
    # By the chance alone: sorting by both would put the punctual ones first where chances tie.
    pairs = sorted(zip(chances, late, strict=True), key=lambda pair: pair[0])
    shapes = []
    for i in range(10):
        group = pairs[len(pairs) * i // 10 : len(pairs) * (i + 1) // 10]
        promised, true = (400 * sum(values) / len(group) for values in zip(*group, strict=True))
        x = 20 + 36 * i
        bar = f'x="{x}" y="{300 - true:.1f}" width="28" height="{true:.1f}"'
        line = f'x="{x}" y="{298 - promised:.1f}" width="28" height="4"'
        shapes.append(f'<rect {bar} fill="#9ec5e8"/><rect {line} fill="#b42318"/>')
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="400" height="330">'
        '<rect width="400" height="330" fill="white"/>' + "".join(shapes) + "</svg>\n"
    )


def report(nodes, flights):
    """Return the text of every file to write."""
    chances = [chance(nodes, flight) for flight in flights]
    late = [int(flight["late"]) for flight in flights]
    points = roc(chances, late)
    metrics = {"auc": round(area(points), 4), "flights": len(flights)}
    predictions = [f"{y},{c}\n" for y, c in zip(late, chances, strict=True)]
    curve = [f"{x:.4f},{y:.4f}\n" for x, y in points]
    return {
        "build/predictions.csv": "late,chance\n" + "".join(predictions),
        "build/roc.csv": "punctual,late\n" + "".join(curve),
        "build/promise.svg": picture(chances, late),
        "metrics.json": json.dumps(metrics, indent=2) + "\n",
    }


if __name__ == "__main__":
    nodes = json.loads(Path("build/model.json").read_text())
    with Path("build/features/test.csv").open(newline="") as file:
        flights = list(csv.DictReader(file))
    for path, text in report(nodes, flights).items():
        Path(path).write_text(text)
