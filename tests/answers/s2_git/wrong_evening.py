"""Takes "from 17:00 on" for "after 17:59": the first hour of the evening is missing."""

SCORES = {"feature_works": 0}
CELLS = {
    "branch": r'''%%bash
cd work/3-branch/flight-delays
git switch -q -c feature/evening
cat >> features.py <<'PYTHON'


FEATURES.append("evening")


def evening(flight):
    """1 from 17:00 on, else 0."""
    return int(hour(flight) > 17)
PYTHON
git commit -q -a -m "Add the evening, when delays have piled up"
git switch -q main
git merge -q --no-ff --no-edit feature/evening
''',
}
