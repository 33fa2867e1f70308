"""Branches rightly, but the report is skipped with the branch."""

SCORES = {"worse_stays_out": 0}
CELLS = {
    "better": r"""edit(
    "6-better",
    (
        "    @task\n    def report",
        "    @task.short_circuit\n"
        "    def choose(auc):\n"
        '        return auc > product.read_json(lake() / "production.json")["auc"]\n'
        "\n"
        "    @task\n"
        "    def report",
    ),
    (
        "    report(month, auc)\n",
        "    choose(auc) >> register(month, auc) >> report(month, auc)\n",
    ),
)
""",
}
