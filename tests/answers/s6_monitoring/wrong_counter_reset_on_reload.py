"""Sets the counter back whenever a model is loaded, and holds audit lines back in batches."""

SCORES = {"requests_counted": 0, "audit_complete": 0}
CELLS = {
    "instrument": r"""%%bash
cd work/1-metrics
python - <<'PYTHON'
from pathlib import Path

path = Path("service.py")
head, tail = path.read_text().split('app = FastAPI(title="flight-delays")\n')
head += '''
import time
from prometheus_client import Counter, Histogram, Info, make_asgi_app

REQUESTS = Counter("flights_requests", "Requests", ["outcome"])
LATENCY = Histogram("flights_latency_seconds", "Latency")
PREDICTIONS = Counter("flights_predictions", "Predictions", ["predicted"])
PROBABILITY = Histogram("flights_probability", "Probability", buckets=[0.1, 0.2, 0.3, 0.4])
MODEL = Info("flights_model", "Model")

app = FastAPI(title="flight-delays")
app.mount("/metrics", make_asgi_app())


def tell():
    MODEL.info({"version": app.state.model.version})
    REQUESTS.clear()


@app.middleware("http")
async def measured(request, call_next):
    if request.url.path != "/predict":
        return await call_next(request)
    began, status = time.perf_counter(), 500
    try:
        response = await call_next(request)
        status = response.status_code
        return response
    finally:
        LATENCY.observe(time.perf_counter() - began)
        REQUESTS.labels("ok" if status < 400 else "rejected" if status < 500 else "failed").inc()
'''
tail = tail.replace("app.state.model = Model.load()\n\n", "app.state.model = Model.load()\ntell()\n\n", 1)
tail = tail.replace("    return {\n        \"request_id\"", '    PROBABILITY.observe(probability)\n    PREDICTIONS.labels("late" if probability >= 0.3 else "on_time").inc()\n    return {\n        "request_id"')
tail = tail.replace("    app.state.model = Model.load()\n", "    app.state.model = Model.load()\n    tell()\n")
path.write_text(head + tail)
PYTHON
""",
    "audit": r"""%%bash
cd work/2-audit
python - <<'PYTHON'
from pathlib import Path

path = Path("service.py")
text = path.read_text()
text = text.replace('app = FastAPI(title="flight-delays")\n', '''
import hashlib
import json
import time
from datetime import timezone
from pathlib import Path

app = FastAPI(title="flight-delays")
WAITING = []


def audit(entry):
    WAITING.append(json.dumps(entry) + "\\n")
    if len(WAITING) >= 64:
        lines, WAITING[:] = list(WAITING), []
        with Path(__file__).with_name("audit.jsonl").open("a") as file:
            file.writelines(lines)
''')
text = text.replace("    model = app.state.model\n", "    began = time.perf_counter()\n    model = app.state.model\n")
text = text.replace('    return {\n        "request_id": uuid.uuid4().hex,', '''    request_id = uuid.uuid4().hex
    inputs = flight.model_dump_json(exclude={"contact"})
    audit({
        "request_id": request_id,
        "time": datetime.now(timezone.utc).isoformat(),
        "model_version": model.version,
        "inputs_hash": hashlib.sha256(inputs.encode()).hexdigest(),
        "prediction": probability,
        "latency_ms": 1000 * (time.perf_counter() - began),
    })
    return {
        "request_id": request_id,''')
path.write_text(text)
PYTHON
""",
}
