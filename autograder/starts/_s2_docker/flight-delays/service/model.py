"""The model: a logistic regression by scikit-learn, as the numbers that train.py wrote.

Serving it needs arithmetic and no scikit-learn, which alone would make an image 150 MB larger.
"""

import json
import math
from pathlib import Path


class Model:
    """Weights of the features, and the sum of those that a flight has."""

    def __init__(self, weights):
        self.weights = weights

    @classmethod
    def load(cls, path):
        """Read the file that train.py wrote; raises OSError if it is not there."""
        return cls(json.loads(Path(path).read_text()))

    def probability(self, flight):
        """How likely the flight arrives 15 minutes late or more, from 0 to 1."""
        w = self.weights
        score = w["intercept"]
        score += w["hour"] * (flight["sched_dep_time"] // 100)
        score += w["distance"] * flight["distance"] / 1000
        for name in ("month", "carrier", "origin"):
            score += w[name].get(str(flight[name]), 0.0)
        return 1 / (1 + math.exp(-score))
