"""Thinks that the last date is the end of the stretch: June, which begins a day later, is missing."""

SCORES = {"backfill_asked": 0, "half_year_made": 0}
CELLS = {
    "backfill": r"""%%bash
. work/11-backfill/airflow/env
airflow backfill create --dag-id flight_delays --from-date 2013-01-01 --to-date 2013-05-31
""",
}
