"""Cleans up well, then commits the new key."""

SCORES = {"key_rotated": 0}
CELLS = {
    "secret": r"""%%bash
cd work/6-secret/flight-delays
git filter-repo --quiet --path .env --invert-paths --force
echo "WEATHER_API_KEY=wx-b80e2d6473fa4195" > .env
git add -f .env
git commit -q -m "Add the new key"
""",
}
