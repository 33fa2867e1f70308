"""Invents keys that the specification does not have."""

SCORES = {"compose_valid": 0, "compose_wired": 0}
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
}
