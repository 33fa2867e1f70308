"""Removes the key in new commits only; every old commit still has it."""

SCORES = {"key_gone": 0, "history_kept": 0, "key_swept": 0}
CELLS = {
    "secret": r"""%%bash
cd work/6-secret/flight-delays
git switch -q experiment/forecast
git rm -q .env
git commit -q -m "Remove the key"
git switch -q main
echo "WEATHER_API_KEY=wx-b80e2d6473fa4195" > .env
""",
}
