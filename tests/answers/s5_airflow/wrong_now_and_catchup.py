"""Takes the month from the clock, and lets Airflow make up for all of the past."""

SCORES = {"no_flood": 0, "right_month": 0}
CELLS = {
    "month": r"""edit(
    "2-month",
    (
        '@dag(schedule="@daily", start_date=pendulum.datetime(2013, 1, 1, tz="UTC"), catchup=True)\n',
        "@dag(\n"
        '    schedule=CronDataIntervalTimetable("@monthly", timezone="UTC"),\n'
        '    start_date=pendulum.datetime(2013, 1, 1, tz="UTC"),\n'
        '    end_date=pendulum.datetime(2013, 12, 31, tz="UTC"),\n'
        "    catchup=True,\n"
        ")\n",
    ),
)
""",
}
