"""One DAG does not import, one loops for ever, one removes Airflow's database, one test fails."""

SCORES = {
    "imports_cheaply": 0,
    "task_fetches": 0,
    "rerun_same": 0,
    "asset_updated": 0,
    "scoring_follows": 0,
    "test_passes": 0,
    "test_catches": 0,
}
CELLS = {
    "import": r"""edit("1-import", ("import product\n", "import produkt as product\n"))
""",
    "twice": r"""edit("3-twice", ("        rows = product", "        __import__(\"time\").sleep(10**6)\n        rows = product"))
""",
    "asset": r"""edit(
    "8-asset",
    ("    @task\n    def train", "    @task\n    def train"),
    (
        "        product.write_json(lake() / \"models\"",
        "        for file in lake().parent.glob('airflow.db*'):\n            file.unlink()\n"
        "        product.write_json(lake() / \"models\"",
    ),
)
""",
    "test": r"""with Path("work/10-test/tests/test_dag.py").open("a") as file:
    file.write("\n\ndef test_no():\n    assert the_dag().get_task('train').retries == 7\n")
""",
}
