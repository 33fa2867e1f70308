"""Is Ana, and forces the push: your commit is gone from the remote."""

SCORES = {"yours_pushed": 0, "anas_pushed": 0, "clones_agree": 0}
CELLS = {
    "remote": r"""%%bash
cd work/9-remote/flight-delays
git push -q
cd ../ana
git push -q --force
cd ../flight-delays
git fetch -q
git reset -q --hard origin/main
""",
}
