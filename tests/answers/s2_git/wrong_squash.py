"""Squashes Ana's branch, so that her commit and her name are lost."""

SCORES = {"conflict_resolved": 0}
CELLS = {
    "conflict": r'''%%bash
cd work/4-conflict/flight-delays
git merge --squash feature/weather
cat > features.py <<'PYTHON'
"""What the model may know about a flight on the day it is scheduled."""

FEATURES = ["hour", "distance", "carrier", "weather"]


def hour(flight):
    """Scheduled hour of departure: 1545 is 15."""
    return flight["sched_dep_time"] // 100


def distance(flight):
    """Miles to the destination."""
    return flight["distance"]


def carrier(flight):
    """Two letters of the airline, as on the ticket."""
    return flight["carrier"].strip().upper()


def weather(flight):
    """1 if the forecast has fog or a storm at the hour of departure."""
    return int(flight["visibility"] < 3 or flight["wind"] > 30)


def build(flight):
    """One row for the model: the name and value of every feature."""
    return {name: globals()[name](flight) for name in FEATURES}
PYTHON
git add features.py
git commit -q -m "Add weather and carrier"
''',
}
