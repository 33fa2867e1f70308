"""Reverts the good commit on top, too."""

SCORES = {"reverted": 0, "revert_pushed": 0}
CELLS = {
    "revert": r"""%%bash
cd work/10-revert/flight-delays
git revert --no-edit HEAD HEAD~1
git push -q
""",
}
