"""Deletes key and data in a later layer, where the earlier ones keep them."""

SCORES = {"context_lean": 0, "layers_clean": 0}
CELLS = {
    "ignore": r"""%%bash
cd work/3-ignore/flight-delays
cat > Dockerfile <<'EOF'
FROM python:3.11-slim-bookworm
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY . .
RUN rm -rf .env data
USER 10001
CMD ["uvicorn", "service.app:app", "--host", "0.0.0.0", "--port", "8000"]
EOF
""",
}
