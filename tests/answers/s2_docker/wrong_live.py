"""Asks whether the process runs; sets defaults that nothing reads; opens the port to everybody; silences the linter."""

SCORES = {
    "unhealthy_without_model": 0,
    "settings_from_outside": 0,
    "compose_wired": 0,
    "lint_clean": 0,
}
CELLS = {
    "health": r"""%%bash
cd work/6-health/flight-delays
cat >> Dockerfile <<'EOF'
HEALTHCHECK --interval=2s CMD ["python", "-c", "from urllib.request import urlopen as u; u('http://127.0.0.1:8000/live')"]
EOF
""",
    "settings": r"""%%bash
cd work/8-settings/flight-delays
echo 'ENV PORT=8000 THRESHOLD=0.3' >> Dockerfile
""",
    "compose": r"""%%bash
cd work/9-compose/flight-delays
cat > compose.yaml <<'EOF'
services:
  api:
    build: .
    ports: ["8000:8000"]
    mem_limit: 256m
  prometheus:
    image: prom/prometheus:v3.5.0
    volumes: ["./prometheus.yml:/etc/prometheus/prometheus.yml:ro"]
    depends_on: {api: {condition: service_healthy}}
EOF
""",
    "lint": r"""%%bash
cd work/10-lint/flight-delays
cat > Dockerfile <<'EOF'
# hadolint ignore=DL3013
FROM python:3.11-slim-bookworm
WORKDIR /app
COPY requirements.txt .
# hadolint ignore=DL3013
RUN pip install --no-cache-dir fastapi uvicorn
COPY models models
COPY service service
USER 10001
CMD ["uvicorn", "service.app:app", "--host", "0.0.0.0", "--port", "8000"]
EOF
""",
}
