"""Makes a lightweight tag."""

SCORES = {"release_annotated": 0}
CELLS = {
    "release": r"""%%bash
cd work/8-release/flight-delays
git tag v0.2.0 "$(git log --format=%h --grep='Set the version to 0.2.0')"
""",
}
