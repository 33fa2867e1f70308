"""Writes a test that is always true."""

SCORES = {"test_catches": 0}
CELLS = {
    "test": r"""with Path("work/10-test/tests/test_dag.py").open("a") as file:
    file.write("\n\ndef test_there_is_a_dag():\n    assert the_dag()\n")
""",
}
