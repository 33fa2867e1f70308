"""Calls curl, which the image does not have; leaves $PORT to nobody."""

SCORES = {
    "healthy_when_well": 0,
    "unhealthy_without_model": 0,
    "settings_default": 0,
    "settings_from_outside": 0,
}
CELLS = {
    "health": r"""%%bash
cd work/6-health/flight-delays
echo 'HEALTHCHECK --interval=2s CMD curl -f http://127.0.0.1:8000/health' >> Dockerfile
""",
    "settings": r"""%%bash
cd work/8-settings/flight-delays
cat > Dockerfile <<'EOF'
FROM python:3.11-slim-bookworm
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY models models
COPY service service
USER 10001
ENV PORT=8000 THRESHOLD=0.3
CMD ["uvicorn", "service.app:app", "--host", "0.0.0.0", "--port", "$PORT"]
EOF
""",
}
