"""Writes latest, which means the same as nothing; and drops the tests to make the image small."""

SCORES = {"base_pinned": 0, "not_root": 0, "tests_run": 0}
CELLS = {
    "user": r"""%%bash
cd work/4-user/flight-delays
cat > Dockerfile <<'EOF'
FROM python:latest
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY models models
COPY service service
USER 10001
CMD ["uvicorn", "service.app:app", "--host", "0.0.0.0", "--port", "8000"]
EOF
""",
    "stages": r"""%%bash
cd work/5-stages/flight-delays
cat > Dockerfile <<'EOF'
FROM python:3.11-slim-bookworm AS test
WORKDIR /app
COPY models models
COPY service service

FROM python:3.11-slim-bookworm
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY --from=test /app/models models
COPY --from=test /app/service service
USER 10001
CMD ["uvicorn", "service.app:app", "--host", "0.0.0.0", "--port", "8000"]
EOF
""",
}
