"""Finds the commit, then throws away everything since."""

SCORES = {"metric_restored": 0}
CELLS = {
    "bisect": r"""%%bash
cd work/7-bisect/flight-delays
git bisect start main v0.1.0
git bisect run python3 evaluate.py --at-least 0.65
git tag broke-the-metric refs/bisect/bad
git bisect reset
git reset -q --hard broke-the-metric~1
""",
}
