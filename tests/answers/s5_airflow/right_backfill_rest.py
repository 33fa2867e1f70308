"""Asks the REST API, from the newest month back, in two parts that overlap, for all to be done anew."""

CELLS = {
    "backfill": r"""import json, time
from urllib.request import Request, urlopen

airflow = start(Path("work") / "11-backfill").address
token = json.load(urlopen(f"{airflow}/auth/token"))["access_token"]
headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}


def ask(first, last):
    body = {
        "dag_id": "flight_delays",
        "from_date": f"{first}T00:00:00Z",
        "to_date": f"{last}T00:00:00Z",
        "run_backwards": True,
        "max_active_runs": 3,
        "reprocess_behavior": "completed",
    }
    answer = urlopen(Request(f"{airflow}/api/v2/backfills", json.dumps(body).encode(), headers))
    return json.load(answer)["id"]


def done(number):
    answer = urlopen(Request(f"{airflow}/api/v2/backfills/{number}", headers=headers))
    return json.load(answer)["completed_at"]


first = ask("2013-04-01", "2013-06-01")
while not done(first):
    time.sleep(1)
ask("2012-12-15", "2013-04-15")
""",
}
