"""Writes the audit line before there is a prediction; calls a service ready that only lives."""

SCORES = {"audit_complete": 0, "audit_true": 0, "alive_not_ready": 0, "stays_ready": 0}
CELLS = {
    "audit": r"""%%bash
cd work/2-audit
python - <<'PYTHON'
from pathlib import Path

path = Path("service.py")
text = path.read_text()
text = text.replace('app = FastAPI(title="flight-delays")\n', '''
import hashlib
import json
from datetime import timezone
from pathlib import Path

app = FastAPI(title="flight-delays")
''')
text = text.replace("    model = app.state.model\n", '''    model = app.state.model
    request_id = uuid.uuid4().hex
    inputs = flight.model_dump_json(exclude={"contact"})
    with Path(__file__).with_name("audit.jsonl").open("a") as file:
        file.write(json.dumps({
            "request_id": request_id,
            "time": datetime.now(timezone.utc).isoformat(),
            "model_version": model.version,
            "inputs_hash": hashlib.sha256(inputs.encode()).hexdigest(),
            "prediction": None,
            "latency_ms": 0.1,
        }) + "\\n")
''')
text = text.replace("uuid.uuid4().hex,", "request_id,")
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
try:
    app.state.model = Model.load()
except OSError:
    app.state.model = None


@app.get("/health")
@app.get("/ready")
def health():
    return {"status": "ok"}
''', 1)
text = text.replace("    app.state.model = Model.load()\n    return", "    app.state.model = None\n    app.state.model = Model.load()\n    return")
path.write_text(text)
PYTHON
""",
}
