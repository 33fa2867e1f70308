"""Tags the newest commit, on which main has moved on."""

SCORES = {"release_commit": 0}
CELLS = {
    "release": r"""%%bash
cd work/8-release/flight-delays
git tag -a v0.2.0 -m "The model knows the carrier"
""",
}
