"""Makes one commit of three."""

SCORES = {"commits_replayed": 0}
CELLS = {
    "rebase": r"""%%bash
cd work/5-rebase/flight-delays
git switch -q main
git merge -q --squash feature/airports
git commit -q -m "Add the airports"
""",
}
