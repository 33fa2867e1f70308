"""Logs the whole request, with whom to write to, and hashes that, too."""

SCORES = {"audit_true": 0, "audit_private": 0}
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
import time
from datetime import timezone
from pathlib import Path

app = FastAPI(title="flight-delays")
''')
text = text.replace("    model = app.state.model\n", "    began = time.perf_counter()\n    model = app.state.model\n")
text = text.replace('    return {\n        "request_id": uuid.uuid4().hex,', '''    request_id = uuid.uuid4().hex
    inputs = flight.model_dump_json()
    entry = {
        "request_id": request_id,
        "time": datetime.now(timezone.utc).isoformat(),
        "model_version": model.version,
        "inputs": json.loads(inputs),
        "inputs_hash": hashlib.sha256(inputs.encode()).hexdigest(),
        "prediction": probability,
        "latency_ms": 1000 * (time.perf_counter() - began),
    }
    with Path(__file__).with_name("audit.jsonl").open("a") as file:
        file.write(json.dumps(entry) + "\\n")
    return {
        "request_id": request_id,''')
path.write_text(text)
PYTHON
""",
}
