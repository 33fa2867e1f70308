"""Keeps the steps in a package beside the DAG, under names of their own."""

CELLS = {
    "twice": r'''steps = Path("work/3-twice/dags/steps")
steps.mkdir()
(steps / "__init__.py").write_text("")
(steps / "table.py").write_text("""
import product


def put(lake, month):
    rows = product.read_json(lake / "raw" / f"{month}.json")
    part = lake / "parts" / f"{month}.csv"
    part.parent.mkdir(exist_ok=True)
    part.write_text(f"{month},{len(rows)},{product.share_late(rows)}\\n")
    parts = sorted(part.parent.glob("*.csv"))
    (lake / "late_share.csv").write_text("month,flights,late\\n" + "".join(p.read_text() for p in parts))
""")
edit(
    "3-twice",
    ("import product\n", "import product\nfrom steps import table\n"),
    (
        '        rows = product.read_json(lake() / "raw" / f"{month}.json")\n'
        '        with (lake() / "late_share.csv").open("a") as table:\n'
        '            table.write(f"{month},{len(rows)},{product.share_late(rows)}\\n")\n',
        "        table.put(lake(), month)\n",
    ),
)
''',
    "airports": r"""edit(
    "7-airports",
    (
        "    @task\n    def share",
        "    @task\n"
        "    def jobs(month):\n"
        '        rows = product.read_json(lake() / "raw" / f"{month}.json")\n'
        '        return [{"month": month, "airport": a} for a in {row["origin"] for row in rows}]\n'
        "\n"
        "    @task(task_id='late_share_of_one')\n    def share",
    ),
    (
        '    for airport in ("EWR", "JFK", "LGA"):\n        share(month, airport)\n',
        "    share.expand_kwargs(jobs(month))\n",
    ),
)
""",
}
