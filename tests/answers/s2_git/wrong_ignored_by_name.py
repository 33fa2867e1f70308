"""Lists today's files in .gitignore, so that next month's data is committed."""

SCORES = {"ignored": 0}
FAILS_ONLY_HIDDEN = ["ignored"]
CELLS = {
    "ignore": r"""%%bash
cd work/2-ignore/flight-delays
printf '%s\n' .env data/flights-2013-01.csv data/flights-2013-02.csv models/model.pkl > .gitignore
git add .gitignore data/README.md
git commit -q -m "Keep data, models and keys out of the repository"
git add .
git commit -q -m "Add features, training and their tests"
""",
}
