"""Cherry-picks, filters with filter-branch, merges after a rebase, reverts by hand."""

CELLS = {
    "identity": r"""%%bash
cd work/1-first-commit/flight-delays
git init -q
git symbolic-ref HEAD refs/heads/main
git add README.md
git -c user.name="Grace Hopper" -c user.email=grace@navy.example.org commit -q -m "Initial commit"
git add features.py
git -c user.name="Grace Hopper" -c user.email=grace@navy.example.org commit -q -m "Add two features"
""",
    "ignore": r"""%%bash
cd work/2-ignore/flight-delays
printf '%s\n' '.env' '/models/*' > .gitignore
printf '%s\n' '*' '!.gitignore' '!*.md' > data/.gitignore
git add .
git reset -q train.py
git commit -q -m "Add features and their test, keep data out"
git add train.py
git commit -q -m "Train the model from the command line"
""",
    "branch": r"""%%bash
cd work/3-branch/flight-delays
git branch feature/evening
git switch -q feature/evening
sed -e 's/"hour", "distance"/&, "evening"/' features.py > new.py
printf '\n\ndef evening(flight):\n    return flight["sched_dep_time"] >= 1700\n' >> new.py
mv new.py features.py
git commit -q -a -m "Add the evening"
git switch -q main
git commit -q --allow-empty -m "Give main a commit of its own"
git merge -q --no-edit feature/evening
""",
    "conflict": r'''%%bash
cd work/4-conflict/flight-delays
git switch -q feature/weather
git rebase -q main
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
git add features.py
GIT_EDITOR=true git rebase --continue
git switch -q main
git merge -q --no-ff --no-edit feature/weather
''',
    "rebase": r"""%%bash
cd work/5-rebase/flight-delays
git switch -q main
git cherry-pick main..feature/airports
git branch -q -D feature/airports
""",
    "secret": r"""%%bash
cd work/6-secret/flight-delays
export FILTER_BRANCH_SQUELCH_WARNING=1
git filter-branch -f --index-filter "git rm -q --cached --ignore-unmatch .env" \
    --tag-name-filter cat -- --all
git for-each-ref --format="delete %(refname)" refs/original | git update-ref --stdin
git reflog expire --expire=now --all
git gc -q --prune=now
printf 'WEATHER_API_KEY="wx-b80e2d6473fa4195"\n' > .env
""",
    "bisect": r"""%%bash
cd work/7-bisect/flight-delays
good=v0.1.0
for commit in $(git rev-list --reverse v0.1.0..main); do
  git checkout -q "$commit"
  python3 evaluate.py --at-least 0.65 || break
done
git tag -a broke-the-metric -m "Minutes are taken for hours from here on"
git switch -q main
sed -e 's/_, hours = divmod/hours, _ = divmod/' model.py > new.py
mv new.py model.py
git commit -q -a -m "Take the hours from divmod, not the minutes"
""",
    "release": r"""%%bash
cd work/8-release/flight-delays
git switch -q --detach "$(git log --format=%h -1 -S0.2.0 --reverse -- VERSION)"
git switch -q --detach "main~2"
git tag -a -m "Carrier as a feature" -m "Nothing else has changed." v0.2.0 HEAD
""",
    "remote": r"""%%bash
cd work/9-remote/ana
git push -q
cd ../flight-delays
git pull -q --rebase
git push -q
cd ../ana
git fetch -q
git merge -q --ff-only origin/main
""",
    "revert": r"""%%bash
cd work/10-revert/flight-delays
sed -e 's/LATE = 60/LATE = 15/' labels.py > new.py
mv new.py labels.py
git commit -q -a -m "Count flights as late from 15 minutes on again"
git push -q origin HEAD:main
""",
}
