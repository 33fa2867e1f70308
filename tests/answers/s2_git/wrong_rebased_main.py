"""Rebases main onto the branch: what others have is rewritten."""

SCORES = {"history_linear": 0, "commits_replayed": 0}
CELLS = {
    "rebase": r"""%%bash
cd work/5-rebase/flight-delays
git switch -q main
git rebase -q feature/airports
""",
}
