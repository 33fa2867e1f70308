"""Listens on itself only, installs after copying, and ignores files one by one."""

SCORES = {"image_serves": 0, "layers_reused": 0, "context_lean": 0, "layers_clean": 0}
CELLS = {
    "dockerfile": r"""%%bash
cd work/1-dockerfile/flight-delays
cat > Dockerfile <<'EOF'
FROM python:3.11-slim-bookworm
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY models models
COPY service service
CMD ["uvicorn", "service.app:app"]
EOF
""",
    "cache": r"""%%bash
cd work/2-cache/flight-delays
cat > Dockerfile <<'EOF'
FROM python:3.11-slim-bookworm
WORKDIR /app
COPY requirements.txt service ./
RUN pip install --no-cache-dir -r requirements.txt
COPY models models
COPY service service
CMD ["uvicorn", "service.app:app", "--host", "0.0.0.0", "--port", "8000"]
EOF
""",
    "ignore": r"""%%bash
cd work/3-ignore/flight-delays
printf '%s\n' .env data/flights-2013-10.csv > .dockerignore
""",
}
