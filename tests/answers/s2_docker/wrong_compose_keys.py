"""Invents keys that the specification does not have."""

SCORES = {
    "compose_valid": 0,
    "compose_wired": 0,
    "pushed_by_version": 0,
}
CELLS = {
    "compose": r"""%%bash
cd work/9-compose/flight-delays
cat > compose.yaml <<'EOF'
services:
  api:
    build: .
    port: 8000
  prometheus:
    image: prom/prometheus:latest
    depends_on: api
EOF
""",
    "release": r"""%%bash
cd work/12-registry/flight-delays
cat > release.py <<'EOF'
import sys
import docker

client = docker.from_env()
registry, version = sys.argv[1:]
repository = registry + "/flight-delays"
client.images.build(path=".", tag=f"{repository}:latest")
digest = [line["aux"]["Digest"] for line in client.images.push(repository, tag="latest", stream=True, decode=True) if "aux" in line][-1]
client.images.pull(f"{repository}@{digest}")
open("deploy.txt", "w").write(f"{repository}@{digest}")
EOF
""",
}
