"""Grow a decision tree and write it as JSON.

JSON can be read and compared, and loading it runs nothing.  A pickle cannot say that.
The tree is grown here, by counting: a library's import would take longer than all of it.
Reads build/features/train.csv.  Writes build/model.json.
"""

import csv
import json
from collections import Counter
from pathlib import Path

import yaml


def question(flights, min_leaf):
    """The feature and limit that part late flights from punctual ones best; None if none does."""
    n, late = len(flights), sum(flight["late"] for flight in flights)
    best, most = None, late * late / n + 1e-9
    for name in list(flights[0])[1:]:
        both = Counter(flight[name] for flight in flights)
        hits = Counter(flight[name] for flight in flights if flight["late"])
        below = late_below = 0
        for value in sorted(both):
            below, late_below = below + both[value], late_below + hits[value]
            if below < min_leaf or n - below < min_leaf:
                continue
            above, late_above = n - below, late - late_below
            purity = late_below * late_below / below + late_above * late_above / above
            if purity > most:
                best, most = (name, value), purity
    return best


def grow(flights, depth, min_leaf, nodes):
    """Append a tree's nodes: a question with two ways on, or the chance at its end."""
    at = len(nodes)
    asked = question(flights, min_leaf) if depth else None
    if asked is None:
        nodes.append({"chance": round(sum(f["late"] for f in flights) / len(flights), 6)})
        return at
    name, value = asked
    nodes.append({"feature": name, "at_most": value})
    for answer, known in (("yes", True), ("no", False)):
        part = [flight for flight in flights if (flight[name] <= value) == known]
        nodes[at][answer] = grow(part, depth - 1, min_leaf, nodes)
    return at


def tree(flights, max_depth, min_leaf):
    """Return the text of the tree that these flights teach."""
    nodes = []
    grow(flights, max_depth, min_leaf, nodes)
    return "[\n" + ",\n".join(map(json.dumps, nodes)) + "\n]\n"


if __name__ == "__main__":
    params = yaml.safe_load(Path("params.yaml").read_text())["train"]
    with Path("build/features/train.csv").open(newline="") as file:
        flights = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    Path("build/model.json").write_text(tree(flights, params["max_depth"], params["min_leaf"]))
