"""Pushes from both clones, but leaves one clone behind."""

SCORES = {"clones_agree": 0}
CELLS = {
    "remote": r"""%%bash
cd work/9-remote/flight-delays
git push -q
cd ../ana
git pull -q --no-rebase --no-edit
git push -q
""",
}
