"""Gets most tasks wrong at first and puts them right, with amended commits and later ones."""

CELLS = {
    "identity": r"""%%bash
cd work/1-first-commit/flight-delays
git init -q -b master
git config user.name "Your Name"
git config user.email "you@example.com"
git add .
git commit -q -m "wip"
git branch -m main
git config user.name "Ada Lovelace"
git config user.email "ada@example.org"
git commit -q --amend --reset-author -m "Describe the product and its first features"
""",
    "ignore": r"""%%bash
cd work/2-ignore/flight-delays
git add .
git commit -q -m "stuff"
git reset -q --soft HEAD~1
git restore --staged .
printf '%s\n' '*.env' '**/*.csv' 'models/' '*.pkl' > .gitignore
git add data .gitignore
git commit -q -m "Keep data and keys out"
git add .
git commit -q --amend -m "Add features and training, keep data and keys out"
git commit -q --allow-empty -m "x"
git reset -q --hard HEAD~1
echo "Run it: python train.py" >> README.md
git commit -q -a -m "Say how to train"
""",
    "branch": r"""%%bash
cd work/3-branch/flight-delays
cat >> features.py <<'PYTHON'


FEATURES.append("evening")


def evening(flight):
    return int(hour(flight) >= 17)
PYTHON
git switch -q -c feature/evening
git commit -q -a -m "Add the evening"
git switch -q main
git merge -q feature/evening
git reset -q --hard HEAD~1
git merge -q --no-ff --no-edit feature/evening
""",
    "conflict": r'''%%bash
cd work/4-conflict/flight-delays
git merge feature/weather
git commit -q -a --no-edit
cat > features.py <<'PYTHON'
"""What the model may know about a flight on the day it is scheduled."""

FEATURES = ["hour", "distance", "carrier", "weather"]


def hour(flight):
    """Scheduled hour of departure: 1545 is 15."""
    return flight["sched_dep_time"] // 100


def distance(flight):
    """Miles to the destination."""
    return flight["distance"]


def carrier(flight):
    """Two letters of the airline, as on the ticket."""
    return flight["carrier"].strip().upper()


def weather(flight):
    """1 if the forecast has fog or a storm at the hour of departure."""
    return int(flight["visibility"] < 3 or flight["wind"] > 30)


def build(flight):
    """One row for the model: the name and value of every feature."""
    return {name: globals()[name](flight) for name in FEATURES}
PYTHON
git commit -q -a -m "Resolve what the merge left open"
''',
    "rebase": r"""%%bash
cd work/5-rebase/flight-delays
git switch -q main
git merge -q --no-edit feature/airports
git reset -q --hard HEAD~1
git switch -q feature/airports
git rebase -q main
git switch -q main
git merge -q feature/airports
""",
    "secret": r"""%%bash
cd work/6-secret/flight-delays
git rm -q --cached .env 2>/dev/null
echo "wx-5f1c9a7be0d84426==>REMOVED" > ../replace.txt
git filter-repo --quiet --replace-text ../replace.txt --force
echo "WEATHER_API_KEY=wx-b80e2d6473fa4195" > .env
""",
    "bisect": r"""%%bash
cd work/7-bisect/flight-delays
git tag broke-the-metric main
git bisect start main v0.1.0
git bisect run python3 evaluate.py --at-least 0.65
git tag -f broke-the-metric refs/bisect/bad
git bisect reset
git revert --no-edit broke-the-metric
""",
    "release": r"""%%bash
cd work/8-release/flight-delays
git tag v0.2.0
git tag -d v0.2.0
git tag -a v0.2.0 -m "The model knows the carrier" main~2
""",
    "remote": r"""%%bash
cd work/9-remote/flight-delays
git push -q
cd ../ana
git push -q --force
cd ../flight-delays
git push -q --force
cd ../ana
git pull -q --no-rebase --no-edit
git push -q
cd ../flight-delays
git pull -q
""",
    "revert": r"""%%bash
cd work/10-revert/flight-delays
git revert --no-edit HEAD
git revert --no-edit HEAD
git revert --no-edit HEAD~3
git push -q
""",
}
