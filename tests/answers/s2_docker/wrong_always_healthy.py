"""Asks for the health and then says yes whatever comes back; a shell keeps the signal."""

SCORES = {
    "unhealthy_without_model": 0,
    "stops_in_time": 0,
    "sdk_runs": 0,
    "sdk_cleans_up": 0,
}
CELLS = {
    "health": r"""%%bash
cd work/6-health/flight-delays
cat >> Dockerfile <<'EOF'
HEALTHCHECK --interval=2s CMD python -c "from urllib.request import urlopen as u; u('http://127.0.0.1:8000/health')" || true
EOF
""",
    "stop": r"""%%bash
cd work/7-stop/flight-delays
cat > Dockerfile <<'EOF'
FROM python:3.11-slim-bookworm
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY models models
COPY service service
USER 10001
CMD uvicorn service.app:app --host 0.0.0.0 --port 8000; echo ended
EOF
""",
    "sdk": r"""%%bash
cd work/11-sdk/flight-delays
cat > ops.py <<'EOF'
import json, sys, time, urllib.request
import docker

client = docker.from_env()
image, _ = client.images.build(path=".", tag="flight-delays:ops")
container = client.containers.run(image, detach=True, mem_limit="200m", ports={"8000/tcp": ("127.0.0.1", None)})
time.sleep(4)
container.reload()
port = container.ports["8000/tcp"][0]["HostPort"]
ask = urllib.request.Request(f"http://127.0.0.1:{port}/predict", sys.argv[1].encode(), {"Content-Type": "application/json"})
print(urllib.request.urlopen(ask).read().decode())
open("service.log", "wb").write(container.logs())
container.remove(force=True)
EOF
""",
}
