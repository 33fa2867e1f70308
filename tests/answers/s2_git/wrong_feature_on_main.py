"""Commits the feature on main, and makes the branch afterwards, without it."""

SCORES = {"branch_made": 0, "branch_merged": 0}
CELLS = {
    "branch": r"""%%bash
cd work/3-branch/flight-delays
cat > features.py <<'PYTHON'
'''What the model may know about a flight on the day it is scheduled.'''

FEATURES = ["hour", "distance", "evening"]


def hour(flight):
    '''Scheduled hour of departure: 1545 is 15.'''
    return flight["sched_dep_time"] // 100


def distance(flight):
    '''Miles to the destination.'''
    return flight["distance"]


def evening(flight):
    '''1 from 17:00 on, when delays have piled up, else 0.'''
    return int(hour(flight) >= 17)


def build(flight):
    '''One row for the model: the name and value of every feature.'''
    return {name: globals()[name](flight) for name in FEATURES}
PYTHON
git add features.py
git commit -q -m "Add the evening, when delays have piled up"
git branch feature/evening HEAD~1
"""
}
