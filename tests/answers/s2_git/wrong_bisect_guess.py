"""Blames a commit that looks suspicious, and repairs the model by hand."""

SCORES = {"culprit_found": 0}
FAILS_ONLY_HIDDEN = ["culprit_found"]
CELLS = {
    "bisect": r"""%%bash
cd work/7-bisect/flight-delays
git tag broke-the-metric "$(git log --format=%h --grep='Raise the prior to 8')"
sed -e '/_, hours = divmod/d' -e 's|return hours|return scheduled // 100|' model.py > new.py
mv new.py model.py
git commit -q -a -m "Read the hour from the front of the time"
""",
}
