"""Commits everything first and writes .gitignore after that."""

SCORES = {"data_stays_out": 0}
CELLS = {
    "ignore": r"""%%bash
cd work/2-ignore/flight-delays
git add .
git commit -q -m "Add features, training and their tests"
printf '%s\n' '.env' 'data/*.csv' 'models/' > .gitignore
git rm -q -r --cached .env data/flights-2013-01.csv data/flights-2013-02.csv models
git add .gitignore
git commit -q -m "Keep data, models and keys out of the repository"
""",
}
