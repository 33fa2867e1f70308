"""Writes a test that is always true, and registers every model."""

SCORES = {"test_catches": 0, "worse_stays_out": 0}
CELLS = {
    "better": r"""
edit("6-better", ("    report(month, auc)\n", "    register(month, auc) >> report(month, auc)\n"))
""",
    "test": r"""with Path("work/10-test/tests/test_dag.py").open("a") as file:
    file.write("\n\ndef test_there_is_a_dag():\n    assert the_dag()\n")
""",
}
