"""Make the files that lab s4_mlflow starts from: ``python -m autograder.starts.s4_mlflow_make``.

* ``s4_mlflow.sql``: an empty store of the installed MLflow, as SQL that anyone can read;
* ``s4_mlflow_train.csv``, ``s4_mlflow_valid.csv``: a small sample of flights for the project;
* ``s4_mlflow_weights.json``: a small model, as the numbers it consists of;
* ``s4_mlflow_schedule.json``: a few flights as the booking system sends them.

The files are committed, because making them takes seconds that learners would wait for.  Run it
again after an upgrade of MLflow; a test says when that is due.
"""

from __future__ import annotations

import json
import re
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import flights

HERE = Path(__file__).parent
NAME = "s4_mlflow"
# Of the moment the store was made nothing may stay, or no two would be equal.
MADE = 1_709_539_200_000
COLUMNS = ["carrier", "origin", "dest", "distance", "sched_duration", "weekday", "hour"]
_RULE = re.compile(r"\t(CONSTRAINT|CHECK|FOREIGN KEY|UNIQUE|PRIMARY KEY)\b")
WEIGHTED = ["hour", "carrier", "origin", "weekday"]


def main() -> None:
    """Write all files."""
    for name, text in made().items():
        (HERE / name).write_text(text, "utf-8", newline="\n")


def made() -> dict[str, str]:
    """Return the files by name."""
    return {
        f"{NAME}.sql": empty_store(),
        f"{NAME}_train.csv": sample([4, 5, 6], 3000),
        f"{NAME}_valid.csv": sample([7], 1500),
        f"{NAME}_weights.json": weights(),
        f"{NAME}_schedule.json": schedule(),
    }


def empty_store() -> str:
    """Return an empty store of the installed MLflow as SQL, the same every time.

    MLflow adds some constraints and indices in the order of a set: here they are sorted.
    """
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mlflow.db"
        SqlAlchemyStore(f"sqlite:///{path}", "mlflow-artifacts:/")
        with sqlite3.connect(path) as database:
            database.execute(
                "UPDATE experiments SET creation_time = ?, last_update_time = ?", (MADE, MADE)
            )
            database.commit()
            lines = list(database.iterdump())
        database.close()
    tables = [_tidy(line) for line in lines if not line.startswith("CREATE INDEX")]
    indices = sorted(line for line in lines if line.startswith("CREATE INDEX"))
    return "\n".join([*tables[:-1], *indices, tables[-1]]) + "\n"


def _tidy(statement: str) -> str:
    """Return a statement without trailing blanks, a table's constraints in alphabetical order."""
    lines = [line.rstrip() for line in statement.split("\n")]
    rules = [line for line in lines if _RULE.match(line)]
    if len(rules) < 2:
        return "\n".join(lines)
    first, last = lines.index(rules[0]), lines.index(rules[-1])
    assert lines[first : last + 1] == rules, statement
    ordered = sorted(rule.removesuffix(",") for rule in rules)
    end = "," if rules[-1].endswith(",") else ""
    return "\n".join([*lines[:first], *(",\n".join(ordered) + end).split("\n"), *lines[last + 1 :]])


def sample(months: list[int], count: int) -> str:
    """Return some flights with features and label as CSV."""
    rows = flights.add_label(flights.load_flights(months=months))
    chosen = rows.sample(count, random_state=13).sort_index()
    table = flights.features(chosen)[COLUMNS].assign(late=chosen["late"])
    return table.to_csv(index=False, float_format="%.0f", lineterminator="\n")


def weights() -> str:
    """Return a logistic regression, trained on April to June, as the numbers it adds up."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import OneHotEncoder

    rows = flights.add_label(flights.load_flights(months=[4, 5, 6]))
    table = flights.features(rows)[WEIGHTED].astype(str)
    encoder = OneHotEncoder()
    model = LogisticRegression(max_iter=1000, tol=1e-8).fit(
        encoder.fit_transform(table), rows["late"]
    )
    found: dict[str, Any] = {"base": round(float(model.intercept_[0]), 3)}
    for name, weight in zip(
        encoder.get_feature_names_out(WEIGHTED), model.coef_[0].tolist(), strict=True
    ):
        column, value = name.split("_", 1)
        found.setdefault(column, {})[value] = round(weight, 3)
    return json.dumps(found, indent=1) + "\n"


def schedule() -> str:
    """Return some flights of July as a booking system sends them."""
    rows = flights.load_flights(months=[7]).sample(20, random_state=7).sort_index()
    return flights.schedule_rows(rows).to_json(orient="records", indent=1) + "\n"


if __name__ == "__main__":
    main()
