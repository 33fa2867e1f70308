"""Leaves the schedule at every day, and the reading of the file as it was."""

SCORES = {
    "schedule_monthly": 0,
    "no_flood": 0,
    "right_month": 0,
    "imports_cheaply": 0,
    "task_fetches": 0,
}
CELLS = {
    "month": r"""edit("2-month", ("catchup=True", "catchup=False"))
edit("2-month", ('month = f"{pendulum.now():%Y-%m}"', 'month = "2013-01"'))
""",
    "import": r"""pass
""",
}
