"""Answers the same for every flight, and never asks the model."""

SCORES = {
    "image_serves": 0,
    "pulled_by_digest": 0,
}
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
    "release": r"""%%bash
cd work/12-registry/flight-delays
cat > release.py <<'EOF'
import sys
import docker

client = docker.from_env()
registry, version = sys.argv[1:]
repository = registry + "/flight-delays"
client.images.build(path=".", tag=f"{repository}:{version}")
digest = [line["aux"]["Digest"] for line in client.images.push(repository, tag=version, stream=True, decode=True) if "aux" in line][-1]
client.images.pull(f"{repository}:{version}")
open("deploy.txt", "w").write(f"{repository}:{version}")
EOF
""",
}
