"""Switches catchup on and lets Airflow make up for all of 2013."""

SCORES = {"backfill_asked": 0, "only_the_half_year": 0, "half_year_made": 0}
CELLS = {
    "airflow_up": r"""edit("11-backfill", ("catchup=False", "catchup=True"))
start("work/11-backfill")
""",
    "backfill": r"""%%bash
sleep 5
""",
}
