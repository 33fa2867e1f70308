"""Carries a virtual environment from stage to stage; puts health and start into scripts."""

CELLS = {
    "stages": r"""%%bash
cd work/5-stages/flight-delays
cat > Dockerfile <<'EOF'
ARG PYTHON=3.11-slim-bookworm
FROM python:${PYTHON} AS build
WORKDIR /src
RUN python -m venv --without-pip /venv
COPY requirements*.txt ./
RUN pip --python /venv/bin/python install --no-cache-dir -r requirements.txt

FROM build AS tested
COPY . .
RUN pip --python /venv/bin/python install -r requirements-dev.txt && PYTHONPATH=. /venv/bin/python -B -m pytest -q

FROM python:${PYTHON}
WORKDIR /app
COPY --from=build /venv /venv
COPY --from=tested /src/models ./models
COPY --from=tested /src/service ./service
ENV PATH=/venv/bin:$PATH
USER nobody
CMD ["python", "-m", "uvicorn", "service.app:app", "--host", "0.0.0.0"]
EOF
""",
    "health": r"""%%bash
cd work/6-health/flight-delays
cat > well.py <<'EOF'
import http.client
import sys

service = http.client.HTTPConnection("127.0.0.1", 8000, timeout=2)
service.request("GET", "/health")
sys.exit(service.getresponse().status != 200)
EOF
sed -i.before 's/^USER/COPY well.py .\nHEALTHCHECK --start-period=30s CMD python well.py\nUSER/' Dockerfile
""",
    "settings": r"""%%bash
cd work/8-settings/flight-delays
cat > main.py <<'EOF'
import os

import uvicorn

os.environ.setdefault("THRESHOLD", "0.3")
uvicorn.run("service.app:app", host="0.0.0.0", port=int(os.environ.get("PORT", "8000")))
EOF
sed -i.before -e 's/^USER/COPY main.py .\nUSER/' -e 's/^CMD.*/CMD ["python", "main.py"]/' Dockerfile
""",
}
