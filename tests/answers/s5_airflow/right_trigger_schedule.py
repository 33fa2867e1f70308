"""Has a schedule without intervals and works the month out from when the run is due."""

CELLS = {
    "month": r"""edit(
    "2-month",
    (
        '@dag(schedule="@daily", start_date=pendulum.datetime(2013, 1, 1, tz="UTC"), catchup=True)\n',
        '@dag(schedule="@monthly", start_date=pendulum.datetime(2013, 2, 1, tz="UTC"), '
        'end_date=pendulum.datetime(2014, 1, 1, tz="UTC"), catchup=False)\n',
    ),
    ("def extract():", "def extract(logical_date=None):"),
    ('month = f"{pendulum.now():%Y-%m}"', 'month = f"{logical_date.subtract(months=1):%Y-%m}"'),
)
""",
    "gate": r"""edit(
    "5-gate",
    ("\n\n@dag(", "\n\ndef note(context):\n    run = context['run_id']\n    product.write_json(lake() / 'alerts' / run / 'why.json', str(context.get('exception')))\n\n\n@dag("),
    ("    @task\n    def validate", "    @task(on_failure_callback=note)\n    def validate"),
    (
        '        print("problems:", product.problems(rows, month))\n',
        "        found = product.problems(rows, month)\n"
        "        product.write_json(lake() / 'quality' / f'{month}.json', found)\n"
        "        if found:\n"
        "            from airflow.sdk.exceptions import AirflowFailException\n"
        "            raise AirflowFailException(str(found))\n",
    ),
)
""",
}
