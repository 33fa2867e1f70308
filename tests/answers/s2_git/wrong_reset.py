"""Resets main to before the bad commit, brings the good one back, and forces the push."""

SCORES = {"reverted": 0, "revert_pushed": 0}
CELLS = {
    "revert": r"""%%bash
cd work/10-revert/flight-delays
good=$(git rev-parse HEAD)
git reset -q --hard HEAD~2
git cherry-pick "$good"
git push -q --force
""",
}
