"""Uses FastAPI's own middleware, a Gauge for the version, a file opened for each line."""

CELLS = {
    "instrument": r"""%%bash
cd work/1-metrics
python - <<'PYTHON'
from pathlib import Path

path = Path("service.py")
head, tail = path.read_text().split('app = FastAPI(title="flight-delays")\n')
head += '''
import time
from fastapi import Response
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

registry = CollectorRegistry()
requests_ = Counter("flights_requests_total", "Requests", ["outcome"], registry=registry)
latency = Histogram("flights_latency_seconds", "Latency", registry=registry)
predictions = Counter("flights_predictions_total", "Predictions", ["predicted"], registry=registry)
probabilities = Histogram("flights_probability", "P", buckets=[0.1, 0.2, 0.3, 0.5], registry=registry)
info = Gauge("flights_model_info", "Model", ["version"], registry=registry)
app = FastAPI(title="flight-delays")


@app.get("/metrics")
def metrics():
    info.clear()
    info.labels(app.state.model.version).set(1)
    return Response(generate_latest(registry), media_type="text/plain; version=0.0.4")


@app.middleware("http")
async def measured(request, call_next):
    if request.url.path != "/predict":
        return await call_next(request)
    outcome = "failed"
    with latency.time():
        try:
            response = await call_next(request)
            outcome = {2: "ok", 4: "rejected"}.get(response.status_code // 100, "failed")
            return response
        finally:
            requests_.labels(outcome=outcome).inc()
'''
tail = tail.replace("    return {\n        \"request_id\"", '    probabilities.observe(probability)\n    predictions.labels(predicted="late" if probability >= 0.3 else "on_time").inc()\n    return {\n        "request_id"')
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
import logging
import time
from datetime import timezone
from pathlib import Path

app = FastAPI(title="flight-delays")
logger = logging.getLogger("audit")
logger.setLevel(logging.INFO)
logger.propagate = False
handler = logging.FileHandler(Path(__file__).with_name("audit.jsonl"))
handler.setFormatter(logging.Formatter("%(message)s"))
logger.addHandler(handler)
''')
text = text.replace("    model = app.state.model\n", "    began = time.time_ns()\n    model = app.state.model\n")
text = text.replace('    return {\n        "request_id": uuid.uuid4().hex,', '''    request_id = uuid.uuid4().hex
    values = flight.model_dump(mode="json")
    del values["contact"]
    logger.info(json.dumps({
        "level": "audit",
        "inputs_hash": hashlib.blake2b(json.dumps(values, sort_keys=True).encode()).hexdigest(),
        "latency_ms": (time.time_ns() - began) / 1e6 + 0.001,
        "model_version": model.version,
        "prediction": probability,
        "request_id": request_id,
        "time": datetime.now(timezone.utc).astimezone().isoformat(),
    }))
    return {
        "request_id": request_id,''')
path.write_text(text)
PYTHON
""",
    "health": r"""%%bash
cd work/3-health
python - <<'PYTHON'
from pathlib import Path

path = Path("service.py")
text = path.read_text()
text = text.replace("app.state.model = Model.load()\n", '''
from fastapi import Response
from fastapi.responses import JSONResponse

app.state.model = None
try:
    app.state.model = Model.load()
except Exception as error:
    print("starting without a model:", error)


@app.get("/health")
def health():
    return "alive"


@app.get("/ready")
def ready(response: Response):
    response.status_code = 200 if app.state.model else 503
    return {"ready": bool(app.state.model)}


@app.exception_handler(AttributeError)
def no_model(request, error):
    return JSONResponse({"detail": "no model"}, status_code=503)
''', 1)
path.write_text(text)
PYTHON
""",
}
