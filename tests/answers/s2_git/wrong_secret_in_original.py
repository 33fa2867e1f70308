"""Rewrites everything, but keeps the backup that filter-branch makes."""

SCORES = {"key_gone": 0, "key_swept": 0}
CELLS = {
    "secret": r"""%%bash
cd work/6-secret/flight-delays
export FILTER_BRANCH_SQUELCH_WARNING=1
git filter-branch -f --index-filter "git rm -q --cached --ignore-unmatch .env" \
    --tag-name-filter cat -- --all
echo "WEATHER_API_KEY=wx-b80e2d6473fa4195" > .env
""",
}
