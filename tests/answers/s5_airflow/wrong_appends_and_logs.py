"""Appends when run again; the gate only logs; the alert comes for every run."""

SCORES = {"rerun_same": 0, "bad_month_stops": 0, "says_why": 0, "failure_recorded": 0}
CELLS = {
    "twice": r"""edit("3-twice", ("        with (lake()", "        print('again')\n        with (lake()"))
""",
    "gate": r"""edit(
    "5-gate",
    ("\n\n@dag(", "\n\ndef alert(context):\n    product.write_json(lake() / 'alerts' / 'x.json', 'hello')\n\n\n@dag("),
    ("    catchup=False,\n", "    catchup=False,\n    on_success_callback=alert,\n"),
    ("        print(\"problems:\"", "        print(\"problems found:\""),
)
""",
}
