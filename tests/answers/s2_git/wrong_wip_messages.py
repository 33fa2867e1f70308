"""Writes messages that tell nobody anything."""

SCORES = {"commits_tell_why": 0}
CELLS = {
    "ignore": r"""%%bash
cd work/2-ignore/flight-delays
printf '%s\n' '.env' 'data/*.csv' 'models/' > .gitignore
git add .gitignore data/README.md
git commit -q -m "wip"
git add .
git commit -q -m "more changes"
""",
}
