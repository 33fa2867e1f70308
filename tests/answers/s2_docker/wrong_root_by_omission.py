"""Pins the base and forgets the user; keeps the tests' tools in the image."""

SCORES = {"not_root": 0, "tools_left": 0}
CELLS = {
    "user": r"""%%bash
cd work/4-user/flight-delays
sed -i.before 's/^FROM python$/FROM python:3.11-slim-bookworm/' Dockerfile
""",
    "stages": r"""%%bash
cd work/5-stages/flight-delays
cat > Dockerfile <<'EOF'
FROM python:3.11-slim-bookworm AS test
WORKDIR /app
COPY requirements.txt requirements-dev.txt ./
RUN pip install --no-cache-dir -r requirements-dev.txt
COPY models models
COPY service service
COPY tests tests
RUN python -m pytest -q

FROM test
USER 10001
CMD ["uvicorn", "service.app:app", "--host", "0.0.0.0", "--port", "8000"]
EOF
""",
}
