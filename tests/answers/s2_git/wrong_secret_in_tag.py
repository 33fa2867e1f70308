"""Rewrites main only: a tag and two other branches still lead to the key."""

SCORES = {"key_gone": 0, "key_swept": 0}
CELLS = {
    "secret": r"""%%bash
cd work/6-secret/flight-delays
export FILTER_BRANCH_SQUELCH_WARNING=1
git filter-branch -f --index-filter "git rm -q --cached --ignore-unmatch .env" main
git update-ref -d refs/original/refs/heads/main
git reflog expire --expire=now --all
git gc -q --prune=now
echo "WEATHER_API_KEY=wx-b80e2d6473fa4195" > .env
""",
}
