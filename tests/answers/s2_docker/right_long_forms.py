"""Uses the long forms of compose, a list of what may pass, and what only BuildKit knows."""

CELLS = {
    "cache": r"""%%bash
cd work/2-cache/flight-delays
cat > Dockerfile <<'EOF'
# syntax=docker/dockerfile:1
FROM python:3.11-slim-bookworm
RUN --mount=type=bind,source=requirements.txt,target=/tmp/requirements.txt \
    # the packages only
    --mount=type=cache,target=/root/.cache/pip \
    pip install --requirement /tmp/requirements.txt
COPY --link --chmod=755 . /srv/
WORKDIR /srv
CMD exec uvicorn service.app:app --host 0.0.0.0
EOF
""",
    "ignore": r"""%%bash
cd work/3-ignore/flight-delays
printf '%s\n' '# nothing but these' '*' '!service' '!models/' '!requirements.txt' > .dockerignore
""",
    "compose": r"""%%bash
cd work/9-compose/flight-delays
cat > docker-compose.yml <<'EOF'
name: flight-delays
services:
  api:
    build: {context: ./}
    ports:
      - {target: 8000, published: "8000", host_ip: 127.0.0.1}
    deploy:
      resources:
        limits: {memory: 300M}
  prometheus:
    image: docker.io/prom/prometheus:v2.53.4
    volumes:
      - type: bind
        source: ./prometheus.yml
        target: /etc/prometheus/prometheus.yml
        read_only: true
    depends_on:
      api:
        condition: service_healthy
        restart: true
EOF
""",
    "lint": r"""%%bash
cd work/10-lint/flight-delays
cat > Dockerfile <<'EOF'
FROM python:3.11-slim-bookworm
LABEL maintainer="ana@example.org"
WORKDIR /app
COPY . .
RUN pip install --no-cache-dir fastapi==0.136.3 uvicorn==0.54.0
USER 10001:10001
ENTRYPOINT ["python", "-m", "uvicorn"]
CMD ["--host", "0.0.0.0", "service.app:app"]
EOF
""",
}
