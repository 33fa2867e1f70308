"""A spreadsheet program changed the line ends before the data was added."""

SCORES = {"months_tracked": 0}
CELLS = {
    "track": r"""%%bash
cd work/2-track/flight-delays
sed -i 's/$/\r/' data/flights-2013-02.csv
dvc add -q data/*.csv
git add data
git commit -q -m "Track the flights"
""",
}
