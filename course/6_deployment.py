# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 6 · Deployment and monitoring: the model at work
#
# About 115 minutes of reading and running. You need stages 1 and 2; stage 4 helps. Prometheus is
# needed by two cells, which say so if it is not here. Where this stage stands among the others:
# [roadmap](roadmap.ipynb).

# %% [markdown]
# ## You will be able to
#
# - choose between batch, stream and service by what a late answer costs;
# - serve one model four ways, and know what each costs in time;
# - put it into a container, a cluster, a serverless platform;
# - see drift in the data, in the truth and in the score, and tell them apart;
# - let retraining happen by itself, stop when it should, and go back;
# - say who is treated worse by your model, before somebody else does.

# %% tags=["parameters"]
# True: few flights, for a quick pass through all cells
SMALL = False

# %%
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
import warnings
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # small models: threads mostly wait for each other

import joblib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import flights

warnings.filterwarnings("ignore")  # advice that is right in a project and noise on a page
plt.style.use("workbook.mplstyle")
WORK = Path("work/6_deployment").resolve()  # everything this notebook writes; Git ignores it
shutil.rmtree(WORK, ignore_errors=True)
WORK.mkdir(parents=True)
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

# %%
COLUMNS = ["carrier", "origin", "distance", "weekday", "hour"]
TEXT = COLUMNS[:2]
ROWS = 500 if SMALL else 3000  # flights a month


def month(number: int) -> tuple[pd.DataFrame, pd.Series]:
    """Return a sample of a month's flights: what is known at schedule time, and the outcome."""
    table = flights.add_label(flights.load_flights([number])).sample(ROWS, random_state=0)
    return flights.features(table)[COLUMNS].reset_index(drop=True), table["late"].astype(
        int
    ).to_numpy()


def train(*parts: tuple[pd.DataFrame, np.ndarray]) -> Pipeline:
    """Fit on these months: a small model, the same for all of this notebook."""
    X, y = pd.concat([p[0] for p in parts]), np.concatenate([p[1] for p in parts])
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), TEXT), remainder=StandardScaler()
    )
    return make_pipeline(columns, LogisticRegression(max_iter=500)).fit(X, y)


YEAR = {n: month(n) for n in range(1, 13)}
model = train(YEAR[1], YEAR[2], YEAR[3])
joblib.dump(model, WORK / "model.joblib")
print(f"{12 * ROWS} flights of 2013; the model knows January to March")

# %% [markdown]
# ## Five minutes: why
#
# The model of stage 1 is good enough. In March it goes live. Nobody touches it for the rest of the
# year; why should they, it works. This is its year:

# %%
scores = {n: roc_auc_score(y, model.predict_proba(X)[:, 1]) for n, (X, y) in YEAR.items()}
said = {n: 100 * model.predict_proba(X)[:, 1].mean() for n, (X, y) in YEAR.items()}
was = {n: 100 * y.mean() for n, (X, y) in YEAR.items()}

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3))
left.plot(list(was), list(was.values()), color="0.1", marker="o", label="was late")
left.plot(
    list(said), list(said.values()), color="0.5", marker="s", linestyle="--", label="model said"
)
left.set(xlabel="month of 2013", ylabel="flights 15+ min late (%)", ylim=(0, None))
left.set_title("What it said, and what was")
left.legend()
right.plot(list(scores), list(scores.values()), color="0.1", marker="o")
right.axhline(0.5, color="0.5", linestyle=":")
right.set(xlabel="month of 2013", ylabel="ROC AUC (0.5 is a coin)")
right.set_title("How well it told them apart")
plt.show()

# %% [markdown]
# In July a third of the flights came late, and the model went on promising a quiet spring. In
# September it was the other way round: it warned people for nothing. No error was raised, and every
# request was answered in milliseconds. **A model in production fails silently, and its users notice
# first.** This stage is about noticing before them, and about being able to act.

# %% [markdown]
# ## Four ways to give an answer
#
# The first question is not which tool. It is: *when does somebody need the answer, and what does a
# late one cost?*
#
# | Way | An answer comes | Take it when |
# |---|---|---|
# | batch | tonight, for all | the plan of tomorrow is enough |
# | real-time, in the process | at once, in your own program | the model can live where the question arises |
# | API | at once, over the network | many programs ask, and the model changes often |
# | streaming | seconds after each event | answers follow events, and nobody waits for one |

# %% [markdown]
# ### Batch: all flights of tomorrow, tonight
#
# Read, predict, write, done. The write goes to a temporary name and is then moved, so that nobody
# ever reads half a file. Running it twice gives the same file.


# %% tags=["topic:deploy-batch"]
def predict_batch(X: pd.DataFrame, target: Path) -> float:
    """Write a prediction for every row, all or nothing; return rows a second."""
    began = time.perf_counter()
    probability = model.predict_proba(X)[:, 1]
    writing = target.with_suffix(".writing")
    X.assign(probability=probability).to_parquet(writing)
    writing.replace(target)
    return len(X) / (time.perf_counter() - began)


december, _ = YEAR[12]
everything = pd.concat([december] * 10, ignore_index=True)
batch_rate = predict_batch(everything, WORK / "tomorrow.parquet")
first_bytes = (WORK / "tomorrow.parquet").read_bytes()
predict_batch(everything, WORK / "tomorrow.parquet")
print("rows:", len(pd.read_parquet(WORK / "tomorrow.parquet")))
print("a second run changes nothing:", (WORK / "tomorrow.parquet").read_bytes() == first_bytes)

# %% [markdown]
# ### Real-time: one flight, now
#
# The same model, one row a call. The mean is a bad description of waiting: what users remember is
# the slow end. So report percentiles.


# %% tags=["topic:deploy-real-time"]
def timed(call, rows: list) -> np.ndarray:
    """Return the milliseconds that each call took."""
    taken = []
    for row in rows:
        began = time.perf_counter()
        call(row)
        taken.append(1000 * (time.perf_counter() - began))
    return np.array(taken)


CALLS = 40 if SMALL else 200
single = [december.iloc[[i]] for i in range(CALLS)]
direct = timed(model.predict_proba, single)
one_by_one = 1000 / direct.mean()
print("batch does more than 50 times the rows of one-by-one:", batch_rate > 50 * one_by_one)

# %% [markdown]
# That factor is the price of *now*: nearly all of a single call is overhead. Services win some of it
# back by collecting requests for a few milliseconds (*dynamic batching*).

# %% [markdown]
# ### API: a service that refuses nonsense
#
# FastAPI checks each request against types before your code sees it. The service says which model
# version answered, because the first question after a strange answer is *who said that?*
# The code is a file, as it would be at work.

# %%
(WORK / "service.py").write_text('''"""The prediction service."""
import os
import time
import uuid
from pathlib import Path

import joblib
import pandas as pd
from fastapi import FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest
from pydantic import BaseModel, Field

MODELS = Path(os.environ["MODELS"])  # holds one file a version, and `current`, which names one
ANSWERED = Counter("predictions_total", "Answers by outcome", ["outcome", "version"])
SECONDS = Histogram("prediction_seconds", "Time to an answer", buckets=[0.002, 0.005, 0.01, 0.05, 0.2])
app = FastAPI(title="flight-delays")
state = {"version": "", "model": None}


class Flight(BaseModel):
    """What is known when a flight is scheduled."""

    carrier: str = Field(pattern="^[A-Z0-9]{2}$")
    origin: str = Field(pattern="^(EWR|JFK|LGA)$")
    distance: float = Field(gt=0, lt=6000)
    weekday: int = Field(ge=0, le=7)
    hour: int = Field(ge=0, le=23)


@app.post("/reload")
def reload() -> dict[str, str]:
    """Load the version that `current` names; the old one answers until the new one is ready."""
    version = (MODELS / "current").read_text().strip()
    state.update(model=joblib.load(MODELS / f"{version}.joblib"), version=version)
    return {"version": version}


reload()


@app.get("/ready")
def ready() -> dict[str, str]:
    return {"version": state["version"]}


@app.post("/predict")
def predict(flight: Flight) -> dict[str, str | float]:
    began = time.perf_counter()
    row = pd.DataFrame([flight.model_dump()])
    probability = float(state["model"].predict_proba(row)[0, 1])
    outcome = "late" if probability >= 0.5 else "on time"
    ANSWERED.labels(outcome, state["version"]).inc()
    SECONDS.observe(time.perf_counter() - began)
    return {"id": uuid.uuid4().hex[:8], "probability": probability, "version": state["version"]}


@app.get("/metrics")
def metrics() -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
''')
MODELS = WORK / "models"
MODELS.mkdir()
shutil.copy(WORK / "model.joblib", MODELS / "v1.joblib")
(MODELS / "current").write_text("v1")
print((WORK / "service.py").read_text().count("@app."), "routes")


# %% tags=["topic:deploy-api"]
def free_port() -> int:
    """Return a port of this machine that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def http(url: str, body: dict | None = None, method: str | None = None) -> tuple[int, dict]:
    """Ask a server of this machine and return status and answer."""
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as refused:
        return refused.code, json.loads(refused.read() or b"{}")


def wait_for(url: str, seconds: float = 60) -> None:
    """Return as soon as something answers there."""
    end = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(url, timeout=1).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


SERVICE = f"http://127.0.0.1:{(service_port := free_port())}"
service = subprocess.Popen(
    [
        sys.executable,
        "-m",
        "uvicorn",
        "service:app",
        "--port",
        str(service_port),
        "--log-level",
        "error",
    ],
    cwd=WORK,
    env=os.environ | {"MODELS": str(MODELS)},
    stderr=(WORK / "service.log").open("w"),
)
wait_for(f"{SERVICE}/ready")

good = december.iloc[0].to_dict() | {"weekday": 3, "hour": 17}
good = {k: v.item() if hasattr(v, "item") else v for k, v in good.items()}
status, answer = http(f"{SERVICE}/predict", good)
print(status, "- version", answer["version"], "-", 0 < answer["probability"] < 1)
status, answer = http(f"{SERVICE}/predict", good | {"origin": "NYC", "hour": 25})
print(status, "-", sorted(problem["loc"][-1] for problem in answer["detail"]))

# %% tags=["nbval-ignore-output"]
rows = [good | {"hour": 5 + i % 18} for i in range(CALLS)]
direct, over_http = [], []
for row, flight in zip(single, rows, strict=True):  # in turn, so that a busy machine slows both
    direct.extend(timed(model.predict_proba, [row]))
    over_http.extend(timed(lambda flight: http(f"{SERVICE}/predict", flight), [flight]))
measured = {"in the process": direct, "over HTTP": over_http}

figure, axes = plt.subplots(figsize=(8, 2.6))
for (name, taken), style in zip(measured.items(), ("-", "--"), strict=True):
    axes.plot(
        np.sort(taken), np.linspace(0, 100, len(taken)), linestyle=style, color="0.1", label=name
    )
axes.set(xscale="log", xlabel="time for one answer (ms, log scale)", ylabel="calls done (%)")
axes.axhline(95, color="0.6", linestyle=":")
axes.set_title("One flight: how long until an answer (dotted: 95 %)")
axes.legend(loc="lower right")
plt.show()
table = {n: np.percentile(t, [50, 95, 99]).round(1) for n, t in measured.items()}
pd.DataFrame(table, index=["median", "95 %", "99 %"]).T.add_suffix(" (ms)")

# %% [markdown]
# ### Streaming: events in a log, and a place where you left off
#
# A stream is a file that only grows: the producer appends, each consumer remembers its *offset*.
# Kafka and its relatives are that file on many machines. Here it is one file, because the idea that
# matters can be seen on it: **a consumer dies. What happens to the event it was working on?**
#
# It commits its offset *after* the work. So nothing is lost, and the last event may come twice.
# Therefore what it writes has a key, and writing it twice is writing it once.


# %% tags=["topic:deploy-streaming"]
LOG, OFFSET, SINK = WORK / "events.log", WORK / "offset", WORK / "answers"
SINK.mkdir()
with LOG.open("w") as log:
    for i in range(30):
        log.write(json.dumps({"flight": f"F{i:03}"} | good | {"hour": 5 + i % 18}) + "\n")


def consume(die_at: str = "") -> list[str]:
    """Work from the last committed offset to the end; return the flights that were handled."""
    handled = []
    with LOG.open() as log:
        log.seek(int(OFFSET.read_text()) if OFFSET.exists() else 0)
        while line := log.readline():
            event = json.loads(line)
            name = event.pop("flight")
            probability = model.predict_proba(pd.DataFrame([event]))[0, 1]
            (SINK / name).write_text(f"{probability:.3f}")  # by key: twice is once
            handled.append(name)
            if name == die_at:
                return handled  # the power goes off before the commit
            OFFSET.write_text(str(log.tell()))
    return handled


before, after = consume(die_at="F011"), consume()
print("handled before and after the power cut:", len(before), "+", len(after))
print(
    "handled twice:", sorted(set(before) & set(after)), "- answers kept:", len(list(SINK.iterdir()))
)

# %% [markdown]
# ## From a file to a fleet
#
# The service runs from a folder on your machine. Three steps take it away from there.

# %% [markdown]
# ### A container: the machine in a file
#
# A linter for Dockerfiles knows the usual mistakes. The first version is what many write on day one.

# %% tags=["topic:deploy-containers"]
FIRST = """FROM python
COPY . .
RUN pip install fastapi uvicorn scikit-learn pandas prometheus-client
CMD uvicorn service:app --host 0.0.0.0
"""
SECOND = """FROM python:3.12-slim-bookworm
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir --require-hashes -r requirements.txt
COPY service.py .
COPY models models
RUN useradd --no-create-home --uid 10001 app
USER 10001
ENV MODELS=/app/models
HEALTHCHECK --interval=5s CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/ready')"]
CMD ["uvicorn", "service:app", "--host", "0.0.0.0"]
"""


def lint(dockerfile: str) -> list[str]:
    """Return what hadolint says, by rule; says plainly where it is not here."""
    if not shutil.which("hadolint"):
        return ["hadolint is not here: it comes for Linux on x86-64"]
    said = subprocess.run(
        ["hadolint", "--format", "json", "-"], input=dockerfile, capture_output=True, text=True
    ).stdout
    return [
        f"line {p['line']}: {p['code']} {p['message'].split('.')[0][:60]}" for p in json.loads(said)
    ]


print(*lint(FIRST), sep="\n")
print("second version:", lint(SECOND) or "nothing to say")

# %% [markdown]
# What the linter does not see: the first version runs as root, and its shell-form `CMD` swallows the
# signal to stop. Lab [s2_docker](../labs/s2_docker/s2_docker.ipynb) builds such an image and looks into its layers.

# %% [markdown]
# ### Kubernetes: say what should be, not what to do
#
# You hand in a wish: three copies, this image, this much memory. Kubernetes compares wish and world
# for ever. `readinessProbe` decides who gets traffic, so a copy whose model does not load gets none.
# The schemas of Kubernetes itself come with a package, so a mistake shows before any cluster sees it.

# %% tags=["topic:deploy-kubernetes"]
import yaml

MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: flight-delays}
spec:
  replicas: 3
  selector: {matchLabels: {app: flight-delays}}
  template:
    metadata: {labels: {app: flight-delays}}
    spec:
      containers:
        - name: service
          image: registry.example/flight-delays@sha256:8d1c6e0c2b0f9f3a
          ports: [{containerPort: 8000}]
          readinessProbe: {httpGet: {path: /ready, port: 8000}}
          resources:
            requests: {cpu: 250m, memory: 256Mi}
            limits: {memory: 512Mi}
---
apiVersion: v1
kind: Service
metadata: {name: flight-delays}
spec:
  selector: {app: flight-delays}
  ports: [{port: 80, targetPort: 8000}]
"""


def valid(text: str) -> str:
    """Return `valid`, or what Kubernetes' own schema says against it."""
    import kubernetes_validate

    try:
        for part in yaml.safe_load_all(text):
            kubernetes_validate.validate(part, "1.36", strict=True)
    except kubernetes_validate.ValidationError as wrong:
        return f"{'.'.join(map(str, wrong.path))}: {wrong.message[:70]}"
    return "valid"


print(valid(MANIFEST))
print(valid(MANIFEST.replace("replicas: 3", "replicas: three")))
print(valid(MANIFEST.replace("readinessProbe", "readynessProbe")))

# %% [markdown]
# ### Serverless: a function, and somebody else's machines
#
# You give a function. The platform starts it when an event comes, and stops it when none does. You
# pay for what runs, and the first call after a pause waits for the start (*cold start*).
#
# On AWS Lambda, a runtime client asks for the next event, calls your handler and sends the answer.
# That client is a package of AWS's, and it is here. What it asks is normally inside Lambda. The next
# cell puts a small server in that place, with the two routes of the documented interface, so that
# the real client runs the real handler on an event in the form of an API gateway.

# %% tags=["topic:aws-lambda"]
(WORK / "handler.py").write_text('''"""The same model as a function."""
import json
import os

import joblib
import pandas as pd

model = joblib.load(os.environ["MODEL"])  # outside of the handler: once a cold start


def handle(event, context):
    """Answer one request of an HTTP API (payload version 2.0)."""
    try:
        flight = json.loads(event["body"])
        probability = float(model.predict_proba(pd.DataFrame([flight]))[0, 1])
    except (KeyError, ValueError) as error:
        return {"statusCode": 400, "body": json.dumps({"error": type(error).__name__})}
    return {"statusCode": 200, "body": json.dumps({"late": round(probability, 3)})}
''')


def http_event(body: str) -> dict:
    """Return an event as an HTTP API sends it to a function, with the fields the handler reads."""
    request = {"http": {"method": "POST", "path": "/predict", "sourceIp": "203.0.113.7"}}
    return {"version": "2.0", "routeKey": "POST /predict", "requestContext": request, "body": body}


def lambda_answers(events: list[dict]) -> list[dict]:
    """Let AWS's runtime client work through these events and return the handler's answers."""
    answers, waiting = [], list(events)

    class Runtime(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:  # next event, please
            if not waiting:
                time.sleep(60)  # Lambda would freeze the process here
                return
            body = json.dumps(waiting.pop(0)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Lambda-Runtime-Aws-Request-Id", uuid.uuid4().hex)
            self.send_header("Lambda-Runtime-Deadline-Ms", str(int(1000 * (time.time() + 30))))
            self.send_header(
                "Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-west-1:0:function:f"
            )
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:  # here is the answer
            text = self.rfile.read(int(self.headers["Content-Length"]))
            answers.append(json.loads(text))
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *words: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", free_port()), Runtime) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"127.0.0.1:{server.server_port}"
        client = subprocess.Popen(
            [sys.executable, "-m", "awslambdaric", "handler.handle"],
            cwd=WORK,
            env=os.environ
            | {"AWS_LAMBDA_RUNTIME_API": address, "MODEL": str(WORK / "model.joblib")}
            | {"LAMBDA_TASK_ROOT": str(WORK), "PYTHONPATH": str(WORK)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + 60
        while len(answers) < len(events) and time.monotonic() < end and client.poll() is None:
            time.sleep(0.05)
        client.kill()
        client.wait()
    return answers


events = [http_event(json.dumps(good)), http_event("not JSON")]
answers = lambda_answers(events)
expected = round(float(model.predict_proba(pd.DataFrame([good]))[0, 1]), 3)
print([a["statusCode"] for a in answers])
print(
    "as the model says:",
    json.loads(answers[0]["body"])["late"] == expected,
    "-",
    answers[1]["body"],
)

# %% [markdown]
# Azure Functions has the same shape with decorators. Its library builds real requests, so a
# function can be tested without the platform. What the platform would read are the *bindings*:

# %% tags=["topic:azure-functions"]
import azure.functions as func

function_app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)


@function_app.route(route="predict", methods=["POST"])
def predict(req: func.HttpRequest) -> func.HttpResponse:
    """Answer one request."""
    try:
        flight = req.get_json()
    except ValueError:
        return func.HttpResponse("not JSON", status_code=400)
    late = float(model.predict_proba(pd.DataFrame([flight]))[0, 1])
    return func.HttpResponse(json.dumps({"late": round(late, 3)}), mimetype="application/json")


built = function_app.get_functions()[0]
asked = func.HttpRequest(method="POST", url="/api/predict", body=json.dumps(good).encode())
answer = built.get_user_function()(asked)
print(answer.status_code, json.loads(answer.get_body())["late"] == expected)
print([b["type"] for b in built.get_bindings_dict()["bindings"]], built.get_function_name())

# %% [markdown]
# ## Monitoring: four layers of the same question
#
# *Is it still all right?* Each layer sees what the one before cannot.
#
# | Layer | Sees | Needs |
# |---|---|---|
# | the service | it is up, fast, without errors | nothing |
# | the data | requests are not what they were | a reference |
# | the answers | it warns more often than it used to | a reference |
# | the truth | it is wrong more often | labels, which come late |

# %% [markdown]
# ### The service: Prometheus asks, it is not told
#
# The service counts. Prometheus comes by every few seconds, reads `/metrics` and keeps the numbers
# as series over time. Questions are asked in PromQL. `histogram_quantile` turns buckets into a
# percentile; `rate` turns a counter into something per second, also over a restart.

# %% tags=["topic:prometheus"]
(WORK / "prometheus.yml").write_text(f"""
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: flight-delays
    static_configs: [{{targets: ["127.0.0.1:{service_port}"]}}]
""")
PROMETHEUS = ""
if shutil.which("prometheus"):
    port = free_port()
    PROMETHEUS = f"http://127.0.0.1:{port}"
    prometheus = subprocess.Popen(
        [
            *("prometheus", f"--config.file={WORK / 'prometheus.yml'}"),
            *(f"--storage.tsdb.path={WORK / 'series'}", f"--web.listen-address=127.0.0.1:{port}"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for(f"{PROMETHEUS}/-/ready")


def ask(query: str) -> list[dict]:
    """Ask Prometheus now; returns label sets with values."""
    address = f"{PROMETHEUS}/api/v1/query?" + urllib.parse.urlencode({"query": query})
    return http(address)[1]["data"]["result"]


QUERIES = {
    "Answers a second": "sum by (version) (rate(predictions_total[1m]))",
    "Share of warnings": 'sum(rate(predictions_total{outcome="late"}[1m])) / sum(rate(predictions_total[1m]))',
    "95 % are faster than": "histogram_quantile(0.95, sum by (le) (rate(prediction_seconds_bucket[1m])))",
}
if PROMETHEUS:
    for _ in range(30):  # a rate needs two visits of Prometheus
        for row in rows[:25]:
            http(f"{SERVICE}/predict", row)
        time.sleep(1)
        seen = {name: ask(query) for name, query in QUERIES.items()}
        if seen["Answers a second"] and seen["95 % are faster than"]:
            break
    print("labels of the first answer:", seen["Answers a second"][0]["metric"])
    print("faster than 0.2 s:", float(seen["95 % are faster than"][0]["value"][1]) < 0.2)
else:
    print("Prometheus is not here (Debian: apt-get install prometheus): these queries did not run")

# %% [markdown]
# ### Grafana: a dashboard is code
#
# A dashboard that was clicked together is lost with its server. Grafana reads JSON from a file, so it
# goes into Git, and a test can ask what no reviewer sees: **does every panel's query return data?**


# %% tags=["topic:grafana"]
def panel(number: int, title: str, query: str) -> dict:
    """Return one graph of a dashboard."""
    return {
        "id": number,
        "type": "timeseries",
        "title": title,
        "datasource": {"type": "prometheus", "uid": "prometheus"},
        "gridPos": {"h": 8, "w": 8, "x": 8 * (number - 1), "y": 0},
        "targets": [{"refId": "A", "expr": query}],
    }


dashboard = {
    "title": "Flight delays",
    "schemaVersion": 39,
    "refresh": "10s",
    "panels": [panel(i, *item) for i, item in enumerate(QUERIES.items(), start=1)],
}
(WORK / "dashboard.json").write_text(json.dumps(dashboard, indent=1))
queries = [t["expr"] for p in dashboard["panels"] for t in p["targets"]]
if PROMETHEUS:
    empty = [p["title"] for p in dashboard["panels"] if not ask(p["targets"][0]["expr"])]
    print("panels without data:", empty)
    mended = "(" + QUERIES["Share of warnings"].replace(" / ", " or vector(0)) / ")
    print("mended:", bool(ask(mended)))
    prometheus.terminate()
    prometheus.wait()
else:
    print("Prometheus is not here: the panels were not tried")

# %% [markdown]
# That test found one. No flight has been called late yet, so the series `outcome="late"` does not exist,
# and a sum over nothing is nothing, not zero. Such a panel stays empty until the day you need it.
# `or vector(0)` says what you mean. Or let the service create all its series when it starts.
#
# Grafana itself is not run here. The lab [s6_monitoring](../labs/s6_monitoring/s6_monitoring.ipynb) judges your dashboard the same way,
# by its queries.

# %% [markdown]
# ### The data: drift seen on the real year
#
# *Data drift*: the questions change. Compare each month with the months the model learned from. The
# population stability index (PSI) sums over bins how far the shares moved. Below 0.1 little, above
# 0.25 much, says a rule of thumb. A rule of thumb it is.


# %% tags=["topic:data-drift"]
def psi(old: pd.Series, new: pd.Series) -> float:
    """Return the population stability index over the values, or deciles of numbers."""
    if pd.api.types.is_numeric_dtype(old) and old.nunique() > 12:
        edges = np.unique(old.quantile(np.linspace(0, 1, 11)))[1:-1]
        old, new = pd.Series(np.digitize(old, edges)), pd.Series(np.digitize(new, edges))
    shares = pd.concat([old.value_counts(normalize=True), new.value_counts(normalize=True)], axis=1)
    shares = shares.fillna(0).clip(lower=1e-4)
    return float(
        (
            (shares.iloc[:, 1] - shares.iloc[:, 0]) * np.log(shares.iloc[:, 1] / shares.iloc[:, 0])
        ).sum()
    )


reference = pd.concat([YEAR[n][0] for n in (1, 2, 3)])
moved = pd.DataFrame(
    {n: {c: psi(reference[c], X[c]) for c in COLUMNS} for n, (X, _) in YEAR.items()}
)
figure, axes = plt.subplots(figsize=(8, 2.6))
drawn = axes.imshow(moved, cmap="Greys", vmin=0, vmax=0.25, aspect="auto")
axes.set_xticks(range(12), moved.columns)
axes.set_yticks(range(len(COLUMNS)), COLUMNS)
axes.set(xlabel="month of 2013")
axes.set_title("Drift of the questions against January to March")
figure.colorbar(drawn, label="PSI (no unit)")
plt.show()
print(
    "largest PSI in July:",
    moved[7].idxmax(),
    "- any above 0.25 in the year:",
    bool((moved > 0.25).any().any()),
)

# %% [markdown]
# Look at July: nearly white. The worst month of the year asks nearly the same questions as the
# spring. **Data drift would not have warned you.** What changed was the answer.

# %% [markdown]
# ### The same with Evidently, and what a test does to you
#
# Evidently compares all columns with a test for each, and writes a report that people can read.

# %% tags=["topic:evidently"]
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset

definition = DataDefinition(
    numerical_columns=["distance", "hour"], categorical_columns=["carrier", "origin"]
)


def compare(now: pd.DataFrame, then: pd.DataFrame):
    """Return Evidently's drift report of one table against another."""
    sets = [Dataset.from_pandas(t[COLUMNS], data_definition=definition) for t in (now, then)]
    return Report([DataDriftPreset()]).run(*sets)


report = compare(YEAR[7][0], reference)
report.save_html(str(WORK / "july.html"))
found = {
    m["config"]["column"]: m["value"]
    for m in report.dict()["metrics"]
    if "column" in m.get("config", {})
}
pd.Series(found, name="July: Evidently's default measure").astype(float).round(2).sort_index()

# %% [markdown]
# The page `work/6_deployment/july.html` has the distributions. A significance test on many rows finds
# *every* difference, also one that nobody would care about; on few rows it finds none. So choose a
# measure of size for large tables (PSI, a distance), and a limit that was exceeded by something bad.

# %% [markdown]
# ### The truth: concept drift, and labels that come late
#
# *Concept drift*: the same question has another answer than it used to. You see it only with labels.
# Ours come when the plane has landed. A loan's come after years. Until then, watch the answers.

# %% tags=["topic:concept-drift"]
evening = {n: X["hour"].between(17, 21).to_numpy() for n, (X, _) in YEAR.items()}
asked_for = {n: 100 * evening[n].mean() for n in YEAR}
late_then = {n: 100 * y[evening[n]].mean() for n, (_, y) in YEAR.items()}
figure, axes = plt.subplots(figsize=(8, 2.8))
axes.plot(list(late_then), list(late_then.values()), color="0.1", marker="o", label="of them late")
axes.plot(
    list(asked_for),
    list(asked_for.values()),
    color="0.5",
    linestyle="--",
    marker="s",
    label="evening flights, of all",
)
axes.set(xlabel="month of 2013", ylabel="share (%)", ylim=(0, 60))
axes.set_title("The question stays, the answer moves: evening flights")
axes.legend()
plt.show()
print(
    "evening flights, July against September: late",
    "more" if late_then[7] > 1.5 * late_then[9] else "not more",
    "than half again as often",
)

# %% [markdown]
# Performance is then a number a month, with a limit that was set *before*. Two numbers, in fact: a
# model can keep its ranking (AUC) and lose its meaning (a promised 20 % that is 35 %).

# %% tags=["topic:performance-monitoring"]
watched = pd.DataFrame({"AUC": scores, "said (%)": said, "was (%)": was}).round(2)
watched["gap (points)"] = (watched["was (%)"] - watched["said (%)"]).round(1)
watched["alarm"] = np.where(watched["gap (points)"].abs() > 8, "gap", "")
print("months with an alarm:", list(watched.index[watched["alarm"] == "gap"]))
watched.loc[[3, 7, 9, 12], ["AUC", "said (%)", "was (%)", "alarm"]].round(
    {"AUC": 1, "said (%)": 0, "was (%)": 0}
)

# %% [markdown]
# ### Logs and an audit trail
#
# Metrics say *how many*. A log says *which one*. For each answer one line of JSON: an id, when, which
# version, a hash of the inputs, the answer, how long. A hash, because the log should prove what was
# asked without being a second copy of your customers.

# %% tags=["topic:logging-audit"]
import hashlib

audit_file = WORK / "audit.jsonl"


def audited(flight: dict) -> float:
    """Answer and leave a line behind; the line is written before the answer goes out."""
    began = time.perf_counter()
    probability = float(model.predict_proba(pd.DataFrame([flight]))[0, 1])
    line = {
        "id": uuid.uuid4().hex,
        "at": pd.Timestamp.now("UTC").isoformat(timespec="milliseconds"),
        "version": "v1",
        "inputs_sha256": hashlib.sha256(json.dumps(flight, sort_keys=True).encode()).hexdigest(),
        "probability": round(probability, 4),
        "ms": round(1000 * (time.perf_counter() - began), 1),
    }
    with audit_file.open("a") as file:
        file.write(json.dumps(line) + "\n")
    return probability


for row in rows[:20]:
    audited(row)
audit = pd.read_json(audit_file, lines=True)
asked_hash = hashlib.sha256(json.dumps(rows[7], sort_keys=True).encode()).hexdigest()
print("lines:", len(audit), "- columns:", list(audit.columns))
print(
    "was this flight asked? ",
    bool((audit["inputs_sha256"] == asked_hash).any()),
    "- can the log tell its hour?",
    "hour" in audit,
)

# %% [markdown]
# ## Retraining: a loop with a brake
#
# Every month: look, and if the limit is passed, train on the last three months. The new model does not
# go live because it is new. It has to beat the old one on flights that neither has seen, and the loop
# keeps both so that you can go back.

# %% tags=["topic:retraining"]
GAP = 8.0  # points between said and was


def needs_retraining(in_use: Pipeline, n: int) -> bool:
    """Compare what the model said for a month with what was."""
    X, y = YEAR[n]
    return abs(100 * (in_use.predict_proba(X)[:, 1].mean() - y.mean())) > GAP


in_use, history = model, []
for n in range(4, 12):
    if needs_retraining(in_use, n):
        in_use = train(*(YEAR[m] for m in range(n - 2, n + 1)))
        history.append(n)
print("retrained after months:", history)

# %% [markdown]
# ### A gate in front of production


# %% tags=["topic:retraining-validation"]
def gate(old: Pipeline, new: Pipeline, n: int) -> tuple[bool, str]:
    """Judge a new model on a month that neither was trained on; return the verdict with a reason."""
    X, y = YEAR[n]
    old_p, new_p = (m.predict_proba(X)[:, 1] for m in (old, new))
    if set(np.unique(np.isfinite(new_p))) != {True}:
        return False, "it gives no numbers"
    gaps = [abs(100 * (p.mean() - y.mean())) for p in (old_p, new_p)]
    aucs = [roc_auc_score(y, p) for p in (old_p, new_p)]
    if aucs[1] < aucs[0] - 0.02:
        return False, "it ranks worse than what is in use"
    if gaps[1] > gaps[0]:
        return False, "its promises are further from the truth"
    return True, "better promises, no worse ranking"


summer, autumn = train(YEAR[6], YEAR[7]), train(YEAR[8], YEAR[9])
shuffled = [(X, y[::-1]) for X, y in (YEAR[8], YEAR[9])]  # labels in the wrong order
print("of June and July, judged in August:   ", gate(model, summer, 8))
print("of August and September, in October:  ", gate(model, autumn, 10))
print("the same, but its labels are mixed up:", gate(model, train(*shuffled), 10))

# %% [markdown]
# The first line is the brake at work. In July the alarm rang, and it was right. But by August the bad
# weeks were over, and a model of June and July promises delays that do not come. Newer is not better.

# %% [markdown]
# ### Redeployment without a gap, and the way back
#
# The service reads which version is current from one small file. Write the model, then move the name,
# then reload. While it loads, the old one answers. Going back is the same two steps.


# %% tags=["topic:redeployment"]
def deploy(version: str, new: Pipeline | None = None) -> str:
    """Make a version current and return the version that then answers."""
    if new is not None:
        joblib.dump(new, MODELS / f"{version}.joblib")
    pointer = MODELS / "current.writing"
    pointer.write_text(version)
    pointer.replace(MODELS / "current")
    return http(f"{SERVICE}/reload", {})[1]["version"]


failures, versions = [], []
stop = threading.Event()


def customers() -> None:
    """Keep asking while things change."""
    while not stop.is_set():
        status, answer = http(f"{SERVICE}/predict", good)
        failures.extend([status] if status != 200 else [])
        versions.append(answer.get("version"))


thread = threading.Thread(target=customers)
thread.start()
time.sleep(0.3)
deploy("v2", autumn)
time.sleep(0.3)
stop.set()
thread.join()
print(
    "versions the customers met:",
    list(dict.fromkeys(versions)),
    "- failed requests:",
    len(failures),
)

# %% tags=["topic:rollback"]
print("a broken file as v3:", end=" ")
(MODELS / "v3.joblib").write_bytes(b"half a model")
pointer = MODELS / "current"
pointer.write_text("v3")
status, _ = 0, None
try:
    status = urllib.request.urlopen(
        urllib.request.Request(f"{SERVICE}/reload", b"{}"), timeout=20
    ).status
except urllib.error.HTTPError as refused:
    status = refused.code
print("reload says", status, "- still answering:", http(f"{SERVICE}/predict", good)[1]["version"])
print("back to:", deploy("v1"), "-", http(f"{SERVICE}/predict", good)[1]["version"], "answers")

# %% [markdown]
# ### Where Seldon stands
#
# What you built by hand, a rollout with a brake, are products on Kubernetes. Seldon Core and KServe
# speak the same language to models, the *Open Inference Protocol*. A service that speaks it can be put
# behind either. It is not much:

# %% tags=["topic:seldon"]
from fastapi import FastAPI
from fastapi.testclient import TestClient

inference = FastAPI()


@inference.post("/v2/models/flight-delays/infer")
def infer(request: dict) -> dict:
    """Answer in the form of the Open Inference Protocol: named tensors with a shape."""
    inputs = {tensor["name"]: tensor["data"] for tensor in request["inputs"]}
    late = model.predict_proba(pd.DataFrame(inputs))[:, 1].round(3).tolist()
    output = {"name": "late", "datatype": "FP64", "shape": [len(late)], "data": late}
    return {"model_name": "flight-delays", "outputs": [output]}


kinds = {
    "carrier": "BYTES",
    "origin": "BYTES",
    "distance": "FP64",
    "weekday": "INT64",
    "hour": "INT64",
}
tensors = [{"name": c, "datatype": kinds[c], "shape": [1], "data": [good[c]]} for c in COLUMNS]
answer = (
    TestClient(inference).post("/v2/models/flight-delays/infer", json={"inputs": tensors}).json()
)
SELDON = yaml.safe_load("""
apiVersion: mlops.seldon.io/v1alpha1
kind: Model
metadata: {name: flight-delays}
spec:
  storageUri: s3://models/flight-delays/v2
  requirements: [sklearn]
  memory: 512Mi
""")
print(
    answer["outputs"][0]["shape"],
    answer["outputs"][0]["data"][0] == expected,
    "- and to Seldon you say:",
    SELDON["spec"],
)

# %%
service.send_signal(signal.SIGTERM)
print("the service stopped in time:", service.wait(timeout=10) is not None)

# %% [markdown]
# ## Three doors you will come to
#
# A taste of each, on our own case. Each is a field of its own.

# %% [markdown]
# ### Responsible AI: who pays for the errors?
#
# One number for all hides who gets the errors. Split it. Here by airport: of the flights that were
# *on time*, how many were warned about?

# %% tags=["topic:responsible-ai"]
X, y = pd.concat([YEAR[n][0] for n in (4, 5, 6)]), np.concatenate([YEAR[n][1] for n in (4, 5, 6)])
probability = model.predict_proba(X)[:, 1]
warned = probability > np.quantile(probability, 0.8)  # the fifth that looks worst
by_airport = pd.DataFrame({"airport": X["origin"], "warned": warned, "late": y == 1})
false_alarms = 100 * by_airport[~by_airport["late"]].groupby("airport")["warned"].mean()
missed = 100 - 100 * by_airport[by_airport["late"]].groupby("airport")["warned"].mean()
figure, axes = plt.subplots(figsize=(8, 2.6))
place = np.arange(3)
axes.barh(place + 0.2, false_alarms, 0.4, color="0.7", label="on time, but warned")
axes.barh(place - 0.2, missed, 0.4, color="0.2", label="late, and not warned")
axes.set_yticks(place, false_alarms.index)
axes.set(xlabel="share of these flights (%)", xlim=(0, 100))
axes.set_title("The same model, three airports")
axes.legend(loc="lower right")
plt.show()
print(
    "most false alarms at",
    false_alarms.idxmax(),
    "- more than twice those at",
    false_alarms.idxmin(),
    ":",
    bool(false_alarms.max() > 2 * false_alarms.min()),
)

# %% [markdown]
# Passengers of one airport get most of the false alarms. Nobody decided that. Whether it is fair is
# not a question for code. That somebody *sees* it before release is: put the table into the gate, and
# into a *model card*, next to what the model is for and what it is not. The European AI Act asks for
# such records where a decision about people depends on them.

# %% [markdown]
# ### LLMOps: when the output is text
#
# A language model is one you do not train. What you version is the *prompt*, what you test is a *set
# of questions with known answers*, and what you watch is what it costs and what it invents. No language
# model is run here; none is small enough to be honest about. But most of an answer's quality is
# decided before it: does the right passage reach the prompt? That can be measured, here and now.

# %% tags=["topic:llmops"]
from sklearn.feature_extraction.text import TfidfVectorizer

passages = {
    "baggage": "Bags over 23 kg cost extra. Report a lost bag within 21 days.",
    "refund": "If your flight is cancelled you can have your money back within 7 days.",
    "delay": "At a delay of three hours or more you may get compensation.",
    "pets": "Small animals travel in the cabin if the carrier fits under the seat.",
}
golden = {  # question: the passage an answer must rest on
    "my flight was cancelled, can I get my money": "refund",
    "suitcase never arrived": "baggage",
    "landed four hours late, do I get compensation": "delay",
    "can my cat come with me": "pets",
    "how heavy may my bags be": "baggage",
}


def hits(texts: dict[str, str], **settings: object) -> float:
    """Return the share of golden questions whose passage is found first."""
    vectors = TfidfVectorizer(**settings)
    stored = vectors.fit_transform(texts.values())
    best = (vectors.transform(golden) @ stored.T).toarray().argmax(axis=1)
    return float(
        np.mean([list(texts)[b] == want for b, want in zip(best, golden.values(), strict=True)])
    )


richer = passages | {
    "pets": passages["pets"] + " Cat, dog, pet.",
    "baggage": passages["baggage"] + " Suitcase, how heavy, missing, never arrived.",
}
PROMPT = "Answer from the passage only. If it does not say, reply: I do not know.\n\n{passage}\n\n{question}"
print("prompt version", hashlib.sha256(PROMPT.encode()).hexdigest()[:8])
print(
    f"right passage found: {hits(passages):.0%}, with words that customers use: {hits(richer):.0%}"
)
print(
    "gate (80 %):",
    ["stays out", "goes live"][hits(passages) >= 0.8],
    "→",
    ["stays out", "goes live"][hits(richer) >= 0.8],
)

# %% [markdown]
# ### Distributed training: the same sum, in pieces
#
# When data does not fit one machine, each worker takes a part and computes its gradient, and the
# gradients are averaged. Nothing is approximated: the average over the parts *is* the gradient over
# the whole. Dask runs the same code on processes of this machine or on a cluster.

# %% tags=["topic:distributed-ml"]
from distributed import Client, LocalCluster

ready = model[0].transform(pd.concat([YEAR[n][0] for n in (1, 2, 3)]))
ready = np.asarray(ready.todense() if hasattr(ready, "todense") else ready)
truth = np.concatenate([YEAR[n][1] for n in (1, 2, 3)])


def gradient(weights: np.ndarray, X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the gradient of the log loss, summed over the rows."""
    import numpy as np  # the function travels to the workers

    return X.T @ (1 / (1 + np.exp(-X @ weights)) - y)


def descend(steps: int, total) -> np.ndarray:
    """Take steps against the gradient that `total` returns."""
    weights = np.zeros(ready.shape[1])
    for _ in range(steps):
        weights -= 0.5 * total(weights) / len(truth)
    return weights


alone = descend(5, lambda w: gradient(w, ready, truth))
logging.getLogger("distributed").setLevel(logging.ERROR)
cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1")
with cluster, Client(cluster) as dask_client:
    parts = zip(np.array_split(ready, 2), np.array_split(truth, 2), strict=True)
    halves = dask_client.scatter(list(parts))

    def together(weights: np.ndarray) -> np.ndarray:
        """Sum the gradients of the parts, each computed where its part lies."""
        tasks = [dask_client.submit(lambda p, w: gradient(w, *p), half, weights) for half in halves]
        return sum(dask_client.gather(tasks))

    spread = descend(5, together)
print("two workers and one machine agree:", bool(np.allclose(alone, spread)))

# %% [markdown]
# What costs is the talking: every step sends all weights around. So large training hides it behind
# work, sends fewer bits, or splits the model itself. PyTorch's `DistributedDataParallel` is this cell
# with those tricks.

# %% [markdown]
# ## Traps
#
# **Training and serving compute a feature differently.** The service takes the hour as text, or a day
# off by one, and nothing complains:

# %%
right_hour = model.predict_proba(pd.DataFrame([good]))[0, 1]
off = model.predict_proba(pd.DataFrame([good | {"hour": good["hour"] - 12}]))[0, 1]  # a.m. for p.m.
print(
    "5 in the morning instead of 5 in the afternoon: the risk is below half of it:",
    off < 0.6 * right_hour,
)

# %% [markdown]
# Use one function for both, and send yesterday's requests through both in a test.
#
# - **An average latency.** One in a hundred waits ten times as long, and the mean does not tell.
# - **A label for every flight number.** Each is a series of its own; Prometheus drowns in them.
# - **A drift alarm on thirty columns at 5 %.** One or two ring every day, until nobody listens.
# - **A health check that says yes** while the model is not loaded. Readiness has to use the model.
# - **Retraining on what your model caused.** If warned people take another flight, the labels change.
# - **No way back tried before it is needed.** Roll back once a month, in daylight.

# %% [markdown]
# ## In a company
#
# A release goes to few users first: *shadow* (it answers, nobody sees it), then *canary* (five per
# cent), then all. Someone is on call, and for every alarm there is a page that says what to do. After
# an incident comes a *post-mortem* without blame: what was seen, when, what would have shown it
# earlier. Grafana, Prometheus, an error tracker and a log store are usually there already. What you
# bring are the numbers that only a model has.

# %% [markdown]
# ## In the cloud
#
# SageMaker, Vertex AI and Azure ML have managed endpoints with traffic splitting, and drift monitors
# that run on a schedule; [stage 3](3_cloud.ipynb) builds their definitions. They take the machines off
# you. Which number is watched, where its limit lies and who gets up at night stays yours. Serverless
# is cheapest at low or jumpy traffic. At steady traffic a container is.

# %% [markdown]
# ## Check yourself
#
# Say the answer first. Then run the cell.

# %% [markdown]
# ### Question 1
#
# The consumer of the stream commits its offset *before* the work instead of after. It dies at the
# same event. How many answers are there in the end?

# %%
shutil.rmtree(SINK)
SINK.mkdir()
done, offset = [], 0
with LOG.open() as log:
    lines = log.readlines()
for turn in range(2):
    for position in range(offset, len(lines)):
        offset = position + 1  # committed first
        if turn == 0 and position == 11:
            break  # the power goes off before the work
        done.append(position)
print(len(set(done)), "of", len(lines))

# %% [markdown]
# <details><summary>Why</summary>
#
# Committed and not done: that event is lost. *At most once* loses, *at least once* repeats. With keys,
# repeating does no harm.
#
# </details>

# %% [markdown]
# ### Question 2
#
# All requests of a day come twice, because a client retries. Does data drift notice?

# %%
twice = pd.concat([YEAR[7][0], YEAR[7][0]])
print(
    "the same PSI:", all(abs(psi(reference[c], twice[c]) - moved.loc[c, 7]) < 1e-9 for c in COLUMNS)
)

# %% [markdown]
# <details><summary>Why</summary>
#
# Shares do not change when everything doubles. The request counter notices at once. You need both.
#
# </details>

# %% [markdown]
# ### Question 3
#
# You add 8 points to every promise of the model in July, so that the mean is right. What happens to
# the AUC?

# %%
X, y = YEAR[7]
p = model.predict_proba(X)[:, 1]
print("unchanged:", bool(np.isclose(roc_auc_score(y, p), roc_auc_score(y, p + 0.08))))

# %% [markdown]
# <details><summary>Why</summary>
#
# AUC sees the order only. That is why the table above watches two numbers.
#
# </details>

# %% [markdown]
# ### Question 4
#
# The gate refused the summer model on August. What if it judged on July, on which it was trained?

# %%
print(gate(model, summer, 7))

# %% [markdown]
# <details><summary>Why</summary>
#
# On its own training month a model looks good by construction. A gate on seen data is a door that is
# painted on.
#
# </details>

# %% [markdown]
# ## Labs
#
# - [s6_monitoring](../labs/s6_monitoring/s6_monitoring.ipynb): the service in production, watched with
#   Prometheus, Evidently and an audit log, and a trigger for retraining; two and a half hours.
# - [s2_docker](../labs/s2_docker/s2_docker.ipynb): the image of the service; two hours.

# %% [markdown] tags=["claims"]
# ## Products, checked
#
# | Product | Owner | Licence | Status | Version | Checked |
# |---|---|---|---|---|---|
# | FastAPI | Sebastián Ramírez and contributors | MIT | active | 0.136 here, 0.165 on PyPI | 2026-11 |
# | Prometheus | CNCF, graduated project | Apache-2.0 | active | 2.42 in Debian 12; 3.14 of 2026-08 | 2026-11 |
# | prometheus-client | the Prometheus authors | Apache-2.0 and BSD-2-Clause | active | 0.26 | 2026-11 |
# | Grafana | Grafana Labs | AGPL-3.0, some libraries Apache-2.0 | active | not run here | 2026-11 |
# | Evidently | Evidently AI, Inc. | Apache-2.0 | active | 0.7.23 | 2026-11 |
# | Seldon Core | Seldon Technologies Limited | Business Source License 1.1: production needs a contract, except in non-profit education | newest releases seen: 2025-12 (Core 2), 2026-01 (Core 1) | Core 2: 2.10; Core 1 and its client: 1.19 | 2026-11 |
# | Kubernetes | CNCF, graduated project | Apache-2.0 | active | schemas up to 1.37 here | 2026-11 |
# | AWS Lambda, runtime client | Amazon Web Services | Apache-2.0 | active | 4.2 | 2026-11 |
# | Azure Functions, Python library | Microsoft | MIT | active | 1.26 here; 2 needs Python 3.13 | 2026-11 |
# | Dask | its developers, with NumFOCUS | BSD-3-Clause | active | 2026.8 | 2026-11 |

# %% [markdown]
# ## Further reading
#
# - FastAPI: [documentation](https://fastapi.tiangolo.com/)
# - Prometheus: [histograms and summaries](https://prometheus.io/docs/practices/histograms/)
# - Grafana: [dashboards as JSON](https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/)
# - Evidently: [documentation](https://docs.evidentlyai.com/)
# - Kubernetes: [deployments](https://kubernetes.io/docs/concepts/workloads/controllers/deployment/)
# - AWS Lambda: [the runtime interface](https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html)
# - Azure Functions: [developing in Python](https://learn.microsoft.com/azure/azure-functions/functions-reference-python)
# - Seldon: [Core 2](https://docs.seldon.ai/seldon-core-2)
# - Dask: [distributed](https://distributed.dask.org/)
