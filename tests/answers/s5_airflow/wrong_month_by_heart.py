"""Looks right for March, which is all that was tried."""

SCORES = {"right_month": 0}
FAILS_ONLY_HIDDEN = ["right_month"]
CELLS = {
    "month": r"""edit(
    "2-month",
    (
        '@dag(schedule="@daily", start_date=pendulum.datetime(2013, 1, 1, tz="UTC"), catchup=True)\n',
        "@dag(\n"
        '    schedule=CronDataIntervalTimetable("@monthly", timezone="UTC"),\n'
        '    start_date=pendulum.datetime(2013, 1, 1, tz="UTC"),\n'
        '    end_date=pendulum.datetime(2013, 12, 31, tz="UTC"),\n'
        "    catchup=False,\n"
        ")\n",
    ),
    ('month = f"{pendulum.now():%Y-%m}"', 'month = "2013-03"'),
)
""",
}
