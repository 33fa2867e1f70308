"""Starts six ordinary runs through the REST API: the data are there, a backfill is not."""

SCORES = {"backfill_asked": 0}
CELLS = {
    "backfill": r"""import json
from urllib.request import Request, urlopen

airflow = start("work/11-backfill").address
token = json.load(urlopen(f"{airflow}/auth/token"))["access_token"]
headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
for due in range(2, 8):
    body = json.dumps({"logical_date": f"2013-{due:02}-01T00:00:00Z"}).encode()
    urlopen(Request(f"{airflow}/api/v2/dags/flight_delays/dagRuns", body, headers))
""",
}
