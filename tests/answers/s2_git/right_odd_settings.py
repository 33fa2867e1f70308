"""Works in a terminal, with aliases, on a machine whose Git settings are all unusual."""

CELLS = {
    "identity": "",
    "ignore": "",
    "branch": "",
    "conflict": "",
    "rebase": "",
    "secret": "",
    "bisect": "",
    "release": "",
    "remote": "",
    "revert": "",
}
TERMINAL = r"""
export HOME=$(mktemp -d) GIT_CONFIG_NOSYSTEM=1 GIT_EDITOR=true
unset GIT_CONFIG_GLOBAL GIT_CONFIG_SYSTEM
cat > "$HOME/.gitconfig" <<'CONFIG'
[user]
    name = Margaret Hamilton
    email = margaret@apollo.example.org
    signingKey = nobody-has-this-key
[init]
    defaultBranch = trunk
[commit]
    gpgSign = true
[tag]
    gpgSign = true
[core]
    hooksPath = ~/hooks
    autocrlf = true
[merge]
    conflictStyle = zdiff3
    ff = only
[pull]
    rebase = true
[push]
    default = nothing
[alias]
    ci = commit
    co = switch
CONFIG
mkdir "$HOME/hooks"
printf '#!/bin/sh\nexit 1\n' > "$HOME/hooks/pre-commit"
chmod +x "$HOME/hooks/pre-commit"
lab=$PWD

cd "$lab/work/1-first-commit/flight-delays"
git init -q
git add .
git -c commit.gpgSign=false ci -q --no-verify -m "Describe the product and its first features"
git branch -m main
git pack-refs --all

cd "$lab/work/2-ignore/flight-delays"
printf '%s\n' '/.env' '/data/*' '!/data/README.md' '/models' '__pycache__/' > .gitignore
git add .gitignore data
git ci -q -m "Keep data, models and keys out"
git add -A
git ci -q -m "Add features, training and a test"
git gc -q

cd "$lab/work/3-branch/flight-delays"
git co -q -c feature/evening
cat > evening.py <<'PYTHON'
def evening(flight):
    return 1 if 1700 <= flight["sched_dep_time"] <= 2400 else 0
PYTHON
{
    echo 'from evening import evening'
    sed -e 's/^FEATURES.*/FEATURES = "hour distance evening".split()/' features.py
} > new.py
mv new.py features.py
git add .
git ci -q -m "Add the evening in a module of its own"
git co -q main
git merge -q --no-ff feature/evening

cd "$lab/work/4-conflict/flight-delays"
git merge -q feature/weather || true
git show feature/weather:features.py | sed -n '/^def weather/,/return/p' > weather.part
git show main:features.py | sed -e 's/"distance", "carrier"/&, "weather"/' > new.py
{ echo; echo; cat weather.part; } >> new.py
mv new.py features.py
rm weather.part
git add .
git ci -q

cd "$lab/work/5-rebase/flight-delays"
git rebase -q main feature/airports
git push -q . feature/airports:main
git co -q --detach main

cd "$lab/work/6-secret/flight-delays"
git filter-repo --quiet --invert-paths --path .env --force
echo "WEATHER_API_KEY=wx-b80e2d6473fa4195" > .env

cd "$lab/work/7-bisect/flight-delays"
git bisect start main v0.1.0 > /dev/null
git bisect run sh -c 'python3 evaluate.py --at-least 0.65' > /dev/null
git tag broke-the-metric refs/bisect/bad
git bisect reset -- > /dev/null 2>&1 || git bisect reset > /dev/null
git revert broke-the-metric > /dev/null

cd "$lab/work/8-release/flight-delays"
git tag -a v0.2.0 :/"Set the version" -m "Carrier added"
git pack-refs --all --prune

cd "$lab/work/9-remote/flight-delays"
git push -q
cd ../ana
git pull -q
git push -q
cd ../flight-delays
git pull -q

cd "$lab/work/10-revert/flight-delays"
git revert HEAD^ > /dev/null
git push -q
"""
