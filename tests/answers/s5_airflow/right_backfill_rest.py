"""Asks the REST API, from the newest month back, two at a time, from a day on which no run begins."""

CELLS = {
    "backfill": r"""import json
from urllib.request import Request, urlopen

airflow = start(Path("work") / "11-backfill").address
token = json.load(urlopen(f"{airflow}/auth/token"))["access_token"]
headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
body = {
    "dag_id": "flight_delays",
    "from_date": "2012-12-15T00:00:00Z",
    "to_date": "2013-06-01T00:00:00Z",
    "run_backwards": True,
    "max_active_runs": 2,
    "reprocess_behavior": "completed",
}
urlopen(Request(f"{airflow}/api/v2/backfills", json.dumps(body).encode(), headers))
""",
}
