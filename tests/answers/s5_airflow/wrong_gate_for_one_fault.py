"""Stops what was seen once, negative distances, and nothing else."""

SCORES = {"bad_month_stops": 0}
FAILS_ONLY_HIDDEN = ["bad_month_stops"]
CELLS = {
    "gate": r"""edit(
    "5-gate",
    ("\n\n@dag(", "\n\ndef alert(context):\n    product.write_json(lake() / 'alerts' / 'x.json', context['run_id'])\n\n\n@dag("),
    ("    catchup=False,\n", "    catchup=False,\n    on_failure_callback=alert,\n"),
    (
        '        print("problems:", product.problems(rows, month))\n',
        "        found = [p for p in product.problems(rows, month) if 'distance' in p]\n"
        "        product.write_json(lake() / 'quality' / f'{month}.json', found)\n"
        "        assert not found\n",
    ),
)
""",
}
