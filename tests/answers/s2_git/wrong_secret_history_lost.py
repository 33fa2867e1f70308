"""Throws the whole history away with the key."""

SCORES = {"key_gone": 0, "history_kept": 0, "key_swept": 0}
CELLS = {
    "secret": r"""%%bash
cd work/6-secret/flight-delays
rm -rf .git
git init -q -b main
git config user.name You
git config user.email you@example.org
git add .
git commit -q -m "Describe what the product predicts"
git branch experiment/forecast
git branch test/carrier
git tag -a v0.1.0 -m "First release with weather"
echo "WEATHER_API_KEY=wx-b80e2d6473fa4195" > .env
""",
}
