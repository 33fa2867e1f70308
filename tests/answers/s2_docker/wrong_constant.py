"""Answers the same for every flight, and never asks the model."""

SCORES = {"image_serves": 0}
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
CMD ["uvicorn", "service.app:app", "--host", "0.0.0.0", "--port", "8000"]
EOF
sed -i.before 's/probability = model().*/probability = 0.2347/' service/app.py
""",
}
