"""Serves with hypercorn, started another way, from an image that begins with nothing."""

CELLS = {
    "dockerfile": r"""%%bash
cd work/1-dockerfile/flight-delays
cat > Dockerfile <<'EOF'
FROM python:3.11-slim-bookworm
RUN useradd --create-home app
WORKDIR /home/app
COPY . .
RUN pip install fastapi==0.136.3 hypercorn==0.18.0
USER app
ENTRYPOINT ["python", "-m", "hypercorn"]
CMD ["--bind", "0.0.0.0:8000", "service.app:app"]
EOF
""",
    "user": r"""%%bash
cd work/4-user/flight-delays
cat > Dockerfile <<'EOF'
FROM python:3.11-slim-bookworm AS python
RUN pip install --no-cache-dir fastapi==0.136.3 uvicorn==0.54.0

FROM scratch
COPY --from=python / /
WORKDIR /srv
COPY --chown=1234:1234 models models
COPY service service
USER 1234:1234
CMD ["/usr/local/bin/python", "-m", "uvicorn", "service.app:app", "--host", "0.0.0.0"]
EOF
""",
    "stop": r"""%%bash
cd work/7-stop/flight-delays
cat > Dockerfile <<'EOF'
FROM python:3.11-slim-bookworm
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir fastapi==0.136.3 hypercorn==0.18.0
COPY models models
COPY service service
STOPSIGNAL SIGINT
USER 10001
CMD exec hypercorn --bind 0.0.0.0:8000 service.app:app
EOF
""",
}
