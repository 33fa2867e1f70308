"""Uses classic operators and a with block in place of TaskFlow, and other names."""

CELLS = {
    "retries": r'''Path("work/4-retries/dags/flight_delays.py").write_text("""
from datetime import timedelta
from pathlib import Path

import pendulum
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, BaseHook, CronDataIntervalTimetable, Variable

import product


def get(data_interval_start):
    month = data_interval_start.format("YYYY-MM")
    api = BaseHook.get_connection("flights_api")
    rows = product.fetch(month, api.host, api.port, api.password)
    product.write_json(Path(Variable.get("lake")) / "raw" / f"{month}.json", rows)


with DAG(
    "flight_delays",
    schedule=CronDataIntervalTimetable("0 0 1 * *", timezone="America/New_York"),
    start_date=pendulum.datetime(2013, 1, 1, tz="America/New_York"),
    end_date=pendulum.datetime(2013, 12, 31, tz="America/New_York"),
    catchup=False,
):
    PythonOperator(
        task_id="get_flights",
        python_callable=get,
        retries=4,
        retry_delay=timedelta(minutes=1),
        retry_exponential_backoff=True,
        max_retry_delay=timedelta(minutes=30),
    )
""")
''',
}
