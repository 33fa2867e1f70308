"""Writes today's weights into the code: the model in the folder is in the image, and unused."""

SCORES = {"image_serves": 0}
FAILS_ONLY_HIDDEN = ["image_serves"]
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
{ echo 'WEIGHTS = \'; cat models/late.json; } > service/weights.py
sed -i.before -e 's/^import math/import math\nfrom service.weights import WEIGHTS/' \
  -e 's/return cls(.*/return cls(WEIGHTS)/' service/model.py
""",
}
