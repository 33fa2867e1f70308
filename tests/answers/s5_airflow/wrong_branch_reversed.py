"""Registers the worse model and keeps the better one out."""

SCORES = {"better_wins": 0, "worse_stays_out": 0}
CELLS = {
    "better": r"""edit(
    "6-better",
    (
        "    @task\n    def report",
        "    @task.branch\n"
        "    def choose(auc):\n"
        '        return "register" if auc < product.read_json(lake() / "production.json")["auc"] else "report"\n'
        "\n"
        '    @task(trigger_rule="none_failed")\n'
        "    def report",
    ),
    (
        "    report(month, auc)\n",
        "    registered, reported = register(month, auc), report(month, auc)\n"
        "    choose(auc) >> [registered, reported]\n"
        "    registered >> reported\n",
    ),
)
""",
}
