"""Cleans the history, then stashes the old key twice: the second stash has no ref."""

SCORES = {"key_gone": 0, "key_swept": 0}
CELLS = {
    "secret": r"""%%bash
cd work/6-secret/flight-delays
git show HEAD~4:.env > /tmp/old-env-$$
git filter-repo --quiet --path .env --invert-paths --force
cat /tmp/old-env-$$ >> README.md
git stash -q
echo "Nothing to see here." >> README.md
git stash -q
rm /tmp/old-env-$$
echo "WEATHER_API_KEY=wx-b80e2d6473fa4195" > .env
""",
}
