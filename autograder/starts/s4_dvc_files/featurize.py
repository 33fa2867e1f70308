"""Turn flights into numbers: only what is known when a flight is scheduled.

Reads build/train.csv and build/test.csv.  Writes build/features/train.csv and
build/features/test.csv: one row a flight, in the same order.
"""

import csv
import datetime
from pathlib import Path

AIRLINES = ["9E", "AA", "AS", "B6", "DL", "EV", "F9", "FL", "HA", "MQ", "UA", "US", "VX", "WN"]
AIRPORTS = ["EWR", "JFK", "LGA"]


def number(names, name):
    """Place of a name in a list; -1 for a name that is not there."""
    return names.index(name) if name in names else -1


def features(flight):
    """One row for the model; "late" is what it has to learn."""
    day = datetime.date(2013, int(flight["month"]), int(flight["day"]))
    hours, minutes = divmod(int(flight["sched_dep_time"]), 100)
    return {
        "late": int(int(flight["arr_delay"]) >= 15),
        "hour": round(hours + minutes / 60, 2),
        "weekday": day.weekday(),
        "distance": int(flight["distance"]),
        "carrier": number(AIRLINES, flight["carrier"]),
        "origin": number(AIRPORTS, flight["origin"]),
    }


def table(flights):
    """Return the rows as the text of a CSV file."""
    rows = [features(flight) for flight in flights]
    lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path("build/features").mkdir(parents=True, exist_ok=True)
    for part in ("train.csv", "test.csv"):
        with Path(f"build/{part}").open(newline="") as file:
            text = table(list(csv.DictReader(file)))
        Path(f"build/features/{part}").write_text(text)
