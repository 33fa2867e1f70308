"""Set the model beside the airlines' record of last year.

Reads build/record.json, build/test.csv and build/predictions.csv.  Writes build/compare.csv.
"""

import csv
import json
from pathlib import Path


def table(record, flights, predictions):
    """Return, by airline: its share of late flights last year, promised, and come true."""
    lines = ["airline,last_year,promised,true"]
    for airline, last_year in record.items():
        mine = [p for f, p in zip(flights, predictions, strict=True) if f["carrier"] == airline]
        promised = sum(float(p["chance"]) for p in mine) / len(mine)
        true = sum(int(p["late"]) for p in mine) / len(mine)
        lines.append(f"{airline},{last_year},{promised:.3f},{true:.3f}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    record = json.loads(Path("build/record.json").read_text())["late"]
    tables = []
    for name in ("test", "predictions"):
        with Path(f"build/{name}.csv").open(newline="") as file:
            tables.append(list(csv.DictReader(file)))
    text = table(record, *tables)
    Path("build/compare.csv").write_text(text)
