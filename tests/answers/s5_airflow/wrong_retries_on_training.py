"""Gives the retries to the wrong task, and the number of airports is always two."""

SCORES = {
    "survives": 0,
    "waits_longer": 0,
    "only_where_it_helps": 0,
    "one_task_each": 0,
    "share_each": 0,
}
CELLS = {
    "retries": r"""edit("4-retries", ("    @task\n    def train", "    @task(retries=5)\n    def train"))
""",
    "airports": r"""edit(
    "7-airports",
    (
        '    for airport in ("EWR", "JFK", "LGA"):\n        share(month, airport)\n',
        '    share.partial(month=month).expand(airport=["EWR", "JFK"])\n',
    ),
)
""",
}
