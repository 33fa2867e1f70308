"""Split the flights in time: learn from some months, judge on a later one.

Reads data/flights-2013-MM.csv.  Writes build/train.csv and build/test.csv.
"""

import csv
from pathlib import Path

import yaml


def read(months):
    """Return the flights of these months; each month is a file."""
    flights = []
    for month in months:
        with Path(f"data/flights-2013-{month:02}.csv").open(newline="") as file:
            flights += csv.DictReader(file)
    return flights


def write(path, flights):
    """Write flights with their header."""
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, list(flights[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(flights)


if __name__ == "__main__":
    months = yaml.safe_load(Path("params.yaml").read_text())["split"]
    write(Path("build/train.csv"), read(months["train"]))
    write(Path("build/test.csv"), read([months["test"]]))
