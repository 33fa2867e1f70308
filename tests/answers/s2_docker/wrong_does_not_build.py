"""Copies a file that is not there, and misspells an instruction."""

SCORES = {"image_builds": 0, "image_serves": 0, "still_serves": 0, "lint_clean": 0}
CELLS = {
    "dockerfile": r"""%%bash
cd work/1-dockerfile/flight-delays
cat > Dockerfile <<'EOF'
FROM python:3.11-slim-bookworm
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY models.joblib .
COPY service service
CMD ["uvicorn", "service.app:app", "--host", "0.0.0.0", "--port", "8000"]
EOF
""",
    "lint": r"""%%bash
cd work/10-lint/flight-delays
cat > Dockerfile <<'EOF'
FROM python:3.11-slim-bookworm
WORKDIR /app
COPY requirements.txt .
RUNN pip install --no-cache-dir -r requirements.txt
COPY models models
COPY service service
CMD ["uvicorn", "service.app:app", "--host", "0.0.0.0", "--port", "8000"]
EOF
""",
}
