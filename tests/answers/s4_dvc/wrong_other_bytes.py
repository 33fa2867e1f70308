"""A spreadsheet changed the line ends; the cache is the old one; the audit gets today's data."""

SCORES = {"months_tracked": 0, "pulled_back": 0, "old_restored": 0}
CELLS = {
    "track": r"""%%bash
cd work/2-track/flight-delays
sed -i 's/$/\r/' data/flights-2013-02.csv
dvc add -q data/*.csv
git add data
git commit -q -m "Track the flights"
""",
    "remote": r"""%%bash
cd work/3-remote/flight-delays
dvc remote add -q -d storage ../storage
git commit -q -am "Share the data"
dvc push -q
rm data/*.csv
dvc pull -q
""",
    "versions": r"""%%bash
cd work/4-versions/flight-delays
cp ../inbox/*.csv data/
dvc add -q data
git commit -q -am "Add April, correct February"
git tag -a data-v2 -m "With April"
dvc push -q
cp -r data ../audit
rm ../audit/*04.csv
""",
}
