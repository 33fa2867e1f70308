"""Every task retries, at once; the loop over airports stays."""

SCORES = {"waits_longer": 0, "only_where_it_helps": 0, "one_task_each": 0}
CELLS = {
    "retries": r"""edit(
    "4-retries",
    ("from pathlib import Path\n", "from datetime import timedelta\nfrom pathlib import Path\n"),
    ("    catchup=False,\n", "    catchup=False,\n    default_args={'retries': 3, 'retry_delay': timedelta(seconds=10)},\n"),
)
""",
    "airports": r"""edit("7-airports", ('"EWR", "JFK", "LGA"', '"EWR", "LGA"'))
""",
}
