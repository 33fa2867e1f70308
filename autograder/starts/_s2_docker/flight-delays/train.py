"""Train the model: a logistic regression on the flights of January to September 2013.

Run where the course is installed:  python train.py
"""

import json
from pathlib import Path

import flights
import pandas as pd
from sklearn.linear_model import LogisticRegression

WORDS = ["month", "carrier", "origin"]


def columns(rows):
    """One column a number, one a word that occurs: what the model multiplies with weights."""
    numbers = pd.DataFrame({"hour": rows["hour"], "distance": rows["distance"] / 1000})
    words = pd.get_dummies(rows[WORDS].astype(str), prefix_sep="=")
    return pd.concat([numbers, words], axis=1).astype(float)


def train(rows):
    """Return the weights as `service.model.Model` reads them."""
    known = rows[rows["late"].notna()].sample(60_000, random_state=0)
    x = columns(known)
    fitted = LogisticRegression(max_iter=2000).fit(x, known["late"].astype(int))
    weights = {"intercept": round(float(fitted.intercept_[0]), 4)}
    for name, weight in zip(x.columns, fitted.coef_[0], strict=True):
        word, _, value = name.partition("=")
        if value:
            weights.setdefault(word, {})[value] = round(float(weight), 4)
        else:
            weights[word] = round(float(weight), 4)
    return weights


if __name__ == "__main__":
    rows = flights.add_label(flights.load_flights(months=range(1, 10)))
    Path("models/late.json").write_text(json.dumps(train(rows), indent=1) + "\n")
