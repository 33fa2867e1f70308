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
    "sdk": r"""%%bash
cd work/11-sdk/flight-delays
cat > ops.py <<'EOF'
import contextlib, http.client, json, sys, time
import docker

api = docker.from_env().api


@contextlib.contextmanager
def service():
    list(api.build(path=".", tag="flights:test", rm=True, decode=True))
    limits = api.create_host_config(mem_limit=128 << 20, port_bindings={8000: ("127.0.0.1", 18765)})
    made = api.create_container("flights:test", ports=[8000], host_config=limits, name="flights-test")
    try:
        api.start(made)
        yield made
    finally:
        with open("service.log", "wb") as log:
            log.write(api.logs(made))
        api.stop(made, timeout=3)
        api.remove_container(made)


def status(path, method="GET", body=None):
    client = http.client.HTTPConnection("127.0.0.1", 18765, timeout=5)
    client.request(method, path, body, {"Content-Type": "application/json"})
    answer = client.getresponse()
    return answer.status, answer.read().decode()


with service() as container:
    for _ in range(60):
        health = api.inspect_container(container)["State"]["Health"]["Status"]
        if health != "starting":
            break
        time.sleep(0.5)
    if health != "healthy":
        sys.exit(f"not well: {health}")
    print(*status("/predict", "POST", sys.argv[1]))
EOF
""",
    "release": r"""%%bash
cd work/12-registry/flight-delays
cat > release.py <<'EOF'
import sys
import docker

client = docker.from_env()
name = f"{sys.argv[1]}/flight-delays"
image, log = client.images.build(path=".", nocache=False)
image.tag(name, tag=sys.argv[2])
print(client.images.push(name, tag=sys.argv[2]))
image.reload()
(trusted,) = [d for d in image.attrs["RepoDigests"] if d.startswith(name)]
assert client.images.pull(trusted).id == image.id
with open("deploy.txt", "w") as note:
    print(trusted, file=note)
EOF
""",
}
