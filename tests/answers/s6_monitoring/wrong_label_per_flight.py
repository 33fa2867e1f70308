"""Counts in the handler only, with the flight's number as a label; tells no model version."""

SCORES = {"requests_counted": 0, "latency_measured": 0, "labels_bounded": 0, "model_told": 0}
CELLS = {
    "instrument": r"""%%bash
cd work/1-metrics
python - <<'PYTHON'
from pathlib import Path

path = Path("service.py")
text = path.read_text()
text = text.replace('app = FastAPI(title="flight-delays")\n', '''
import time
from prometheus_client import Counter, Histogram, make_asgi_app

REQUESTS = Counter("flights_requests", "Requests", ["outcome", "flight"])
LATENCY = Histogram("flights_latency_seconds", "Latency")
app = FastAPI(title="flight-delays")
app.mount("/metrics", make_asgi_app())
''')
text = text.replace("    model = app.state.model\n", "    began = time.perf_counter()\n    model = app.state.model\n")
text = text.replace("    return {\n        \"request_id\"", '''    REQUESTS.labels("ok", f"{flight.carrier}{flight.flight}").inc()
    LATENCY.observe(time.perf_counter() - began)
    return {
        "request_id"''')
path.write_text(text)
PYTHON
""",
}
