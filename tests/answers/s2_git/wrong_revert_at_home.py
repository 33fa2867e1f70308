"""Reverts the right commit and does not push."""

SCORES = {"revert_pushed": 0}
CELLS = {
    "revert": r"""%%bash
cd work/10-revert/flight-delays
git revert --no-edit HEAD~1
""",
}
