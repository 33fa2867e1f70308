"""Merges where a straight line was asked for."""

SCORES = {"history_linear": 0, "commits_replayed": 0}
CELLS = {
    "rebase": r"""%%bash
cd work/5-rebase/flight-delays
git switch -q main
git merge -q --no-edit feature/airports
""",
}
