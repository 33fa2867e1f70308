# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Monitoring: what a model does when nobody looks
#
# **You will be able to**
#
# - give a prediction service metrics, an audit log and honest health answers;
# - scrape it with Prometheus, ask it in PromQL, and write alerts that are tested;
# - draw a dashboard as code;
# - tell a change of the input from a change of the world, though the truth comes late;
# - decide by rule when a model is trained again, and write down what went wrong.
#
# About 150 minutes · 33 points · needs Prometheus (`autograder doctor` tells whether it is there).
# Tasks 2, 3 and 8 to 11 work without it, too. All servers listen on this machine only.
#
# Where this lab stands among the others: [roadmap](../../course/roadmap.ipynb).

# %% [markdown]
# ## The product
#
# The model is deployed. A booking system sends it flights from New York, it answers how probable
# a delay of 15 minutes is. It was trained on January to March 2013. Then the year goes on:
# in July flights arrive 16.7 minutes late on average, in September 4 minutes early.
# The service itself never fails over that. It just becomes wrong, quietly.
#
# ## How to work
#
# Each task has its own folder in `work/`, with all it needs. Do them in any order. Edit the files
# in JupyterLab, in your editor, or from a cell: the checks look at what lies there in the end.
#
# Three helpers run things for the length of a `with` block, on free ports, and stop them after it:
#
# - `serving(folder)` starts `python -m uvicorn service:app` there;
# - `prometheus(config)` starts a Prometheus; `prom.query(…)` asks it;
# - `replay(service, month=7, count=60)` sends real flights of a month, fast-forwarded.
#
# In a terminal of your own you can do the same by hand; then mind to stop it.

# %% setup="lab"
import json
from pathlib import Path

from autograder import Lab
from autograder.checks import s6_monitoring as check
from autograder.monitoring import config_for, flight_rows, prometheus, replay, serving, team_service

lab = Lab("s6_monitoring")
work = lab.work

# %%
lab

# %% [markdown]
# Something went wrong beyond repair? `lab.restart("2-audit")` gives you that task's start state
# again and keeps your old folder beside it.

# %% [markdown] task=1
# ### 1 · Numbers a machine can read
#
# A log tells what happened to one request. Metrics tell how all of them are doing, for a few
# bytes: counters that only go up, and histograms that count how many answers took how long.
# Prometheus fetches them from `/metrics` every few seconds and does the arithmetic later.
#
# Each combination of label values is a series of its own, kept in memory. So labels must have few
# values. An outcome has three. A flight number has thousands.
#
# **Do:** in `work/1-metrics/service.py`, add with `prometheus_client`
#
# - `flights_requests_total`, a counter of the requests to `/predict` by `outcome`: `ok`,
#   `rejected` (4xx: the request was wrong) or `failed` (5xx: we were);
# - `flights_latency_seconds`, a histogram over every one of them, whatever its outcome, with
#   buckets fit for a promise of 250 ms;
# - `flights_predictions_total` by `predicted` (`late`, `on_time`), and the histogram
#   `flights_probability` of what was predicted;
# - `flights_model_info` with the label `version`: 1 for the version in use, also after `/reload`;
# - `/metrics`, where all this is read. No label may take values without end.
#
# **Leaves behind:** a `service.py` whose metrics agree with what was sent. **5 points**

# %% [markdown] hint=1
# <details><summary>Hint</summary>
#
# Which requests does your function `predict` never see? Send one without `origin` and look at the
# status. And who sees the request that ends in an exception?
#
# <details><summary>The steps</summary>
#
# 1. Make the metrics at the top of the module, once. A counter made in a function starts at zero
#    each time the function runs.
# 2. Count and measure in a middleware: it sees every request come and every answer go. Only
#    `/predict` matters. An exception that passes through is a 500.
# 3. Classes and probabilities are known in `predict`.
# 4. `Info("flights_model", …)` makes `flights_model_info`. Set it wherever a model is loaded.
#
# <details><summary>Nearly all of it</summary>
#
# `@app.middleware("http")` over `async def measured(request, call_next)`; in it `status = 500`,
# `try: response = await call_next(request); status = response.status_code; return response`,
# `finally:` observe and count. `app.mount("/metrics", make_asgi_app())`.
#
# </details></details></details>

# %% answer="instrument" language="bash"
# cd work/1-metrics
# ### BEGIN SOLUTION
# cat > service.py <<'PYTHON'
# """Answers one question: will this flight arrive 15 minutes late or more?
#
# Start it:  python -m uvicorn service:app --port 8000
# """
#
# import time
# import uuid
# from datetime import datetime
#
# from fastapi import FastAPI
# from prometheus_client import Counter, Histogram, Info, make_asgi_app
# from pydantic import BaseModel
#
# from model import Model
#
# REQUESTS = Counter("flights_requests", "Requests to /predict by outcome", ["outcome"])
# LATENCY = Histogram(
#     "flights_latency_seconds",
#     "Time from a request to its answer",
#     buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
# )
# PREDICTIONS = Counter("flights_predictions", "Predictions by class", ["predicted"])
# PROBABILITY = Histogram(
#     "flights_probability", "Predicted probabilities", buckets=[n / 10 for n in range(1, 10)]
# )
# MODEL = Info("flights_model", "The model in use")
# # A series that exists from the start is one whose first event is not missed.
# OUTCOMES = {name: REQUESTS.labels(name) for name in ("ok", "rejected", "failed")}
# CLASSES = {name: PREDICTIONS.labels(name) for name in ("late", "on_time")}
#
#
# class Measured:
#     """Counts and times every request to /predict, also those that never reach it."""
#
#     def __init__(self, app):
#         self.app = app
#
#     async def __call__(self, scope, receive, send):
#         if scope["type"] != "http" or scope["path"] != "/predict":
#             await self.app(scope, receive, send)
#             return
#         status = 500
#
#         async def watch(message):
#             nonlocal status
#             if message["type"] == "http.response.start":
#                 status = message["status"]
#             await send(message)
#
#         began = time.perf_counter()
#         try:
#             await self.app(scope, receive, watch)
#         finally:
#             LATENCY.observe(time.perf_counter() - began)
#             outcome = "ok" if status < 400 else "rejected" if status < 500 else "failed"
#             OUTCOMES[outcome].inc()
#
#
# class Flight(BaseModel):
#     """What the booking system sends. `contact` is the traveller's address for news."""
#
#     carrier: str
#     flight: int
#     origin: str
#     dest: str
#     distance: float
#     sched_dep_time: datetime
#     sched_arr_time: datetime
#     contact: str | None = None
#
#
# app = FastAPI(title="flight-delays")
# app.add_middleware(Measured)
# app.mount("/metrics", make_asgi_app())
#
#
# def use(model):
#     """Take a model into service and tell its version."""
#     app.state.model = model
#     MODEL.info({"version": model.version})
#
#
# use(Model.load())
#
#
# @app.post("/predict")
# def predict(flight: Flight):
#     """Return the probability of a late arrival, and the verdict at 0.3."""
#     model = app.state.model
#     probability = model.predict(flight.model_dump())
#     predicted = "late" if probability >= 0.3 else "on_time"
#     CLASSES[predicted].inc()
#     PROBABILITY.observe(probability)
#     return {
#         "request_id": uuid.uuid4().hex,
#         "model_version": model.version,
#         "probability": probability,
#         "predicted": predicted,
#     }
#
#
# @app.post("/reload")
# def reload():
#     """Take the weights that lie on disk now."""
#     use(Model.load())
#     return {"model_version": app.state.model.version}
# PYTHON
# ### END SOLUTION

# %% look=1
with serving("work/1-metrics") as service:
    replay(service, month=7, count=60, broken=3)
    print(service.metrics("flights_requests_total"))
    print(service.metrics("flights_predictions_total"))
    print(service.metrics("flights_model_info"))

# %% [markdown]
# Now let the year pass. The service answers 60 flights of every month. Beside what it said stands
# what only later was known.

# %% look=1
with serving("work/1-metrics") as service:
    print("month  answered  said late  were late")
    for month in range(1, 13):
        replies = replay(service, month, count=60)
        said = [r.data["predicted"] == "late" for r in replies if r.status == 200]
        were = [int(row["arr_delay"] or 0) >= 15 for row in flight_rows(month)]
        print(
            f"{month:5} {len(said):9} {sum(said) / max(1, len(said)):10.0%}"
            f" {sum(were) / len(were):10.0%}"
        )

# %% [markdown]
# What the service says hardly moves. What happens does. Nothing in its answers, its speed or its
# status codes tells you. So you need several kinds of eyes; the next tasks open them, one by one.

# %% check="requests_counted"
check.requests_counted(work / "1-metrics")

# %% check="latency_measured"
check.latency_measured(work / "1-metrics")

# %% check="labels_bounded"
check.labels_bounded(work / "1-metrics")

# %% check="model_told"
check.model_told(work / "1-metrics")

# %% [markdown] task=2
# ### 2 · A line for every answer
#
# A traveller asks in October why the system said "on time" in July. Metrics cannot answer that.
# An audit log can: one line for each prediction, written when it was made, never changed.
#
# It must be complete, also when two hundred requests come at once and when the process is told to
# end. It must be true: what failed was no prediction. And it must hold no personal data: the
# booking system sends the traveller's `contact`, the log does not keep it. A *hash* of the inputs
# is enough to prove later what was asked.
#
# **Do:** let `work/2-audit/service.py` append to `audit.jsonl` beside it one JSON object a line:
# `request_id` (the one in the answer), `time` (ISO 8601 with offset), `model_version`,
# `inputs_hash` (the flight without `contact`: the same flight, the same hash), `prediction` (the
# probability) and `latency_ms`.
#
# **Leaves behind:** a service with exactly one line for each prediction it answered. **4 points**

# %% [markdown] hint=2
# <details><summary>Hint</summary>
#
# FastAPI runs `def predict` in a pool of threads. What happens when two of them write half a line
# each? And where is a line that was written, but not flushed?
#
# <details><summary>The steps</summary>
#
# 1. Predict first. If that raises, nothing is logged.
# 2. Build the whole line as one text with its `\n`. Hold a `threading.Lock` and write it to a file
#    opened once with `"a"`; flush before you answer.
# 3. The hash: `flight.model_dump_json(exclude={"contact"})` is a text, in the order of the fields.
#
# <details><summary>Nearly all of it</summary>
#
# `hashlib.sha256(flight.model_dump_json(exclude={"contact"}).encode()).hexdigest()` ·
# `datetime.now(UTC).isoformat()` · `with LOCK: LOG.write(json.dumps(entry) + "\n"); LOG.flush()`
#
# </details></details></details>

# %% answer="audit" language="bash"
# cd work/2-audit
# ### BEGIN SOLUTION
# python - <<'PYTHON'
# from pathlib import Path
#
# path = Path("service.py")
# text = path.read_text()
# text = text.replace(
#     "import uuid\nfrom datetime import datetime\n",
#     "import hashlib\nimport json\nimport threading\nimport time\nimport uuid\n"
#     "from datetime import UTC, datetime\nfrom pathlib import Path\n",
# )
# text = text.replace(
#     'app = FastAPI(title="flight-delays")\n',
#     'LOG = Path(__file__).with_name("audit.jsonl").open("a", encoding="utf-8")\n'
#     "LOCK = threading.Lock()\n\n\n"
#     "def audit(entry):\n"
#     '    """Append one line; it is with the system before the answer goes out."""\n'
#     '    line = json.dumps(entry) + "\\n"\n'
#     "    with LOCK:\n"
#     "        LOG.write(line)\n"
#     "        LOG.flush()\n\n\n"
#     'app = FastAPI(title="flight-delays")\n',
# )
# before, after = text.split("    model = app.state.model\n")
# answer = after.split('    return {\n        "request_id": uuid.uuid4().hex,')
# text = (
#     before
#     + "    began = time.perf_counter()\n    model = app.state.model\n"
#     + answer[0]
#     + "    request_id = uuid.uuid4().hex\n"
#     + '    inputs = flight.model_dump_json(exclude={"contact"})\n'
#     + "    audit(\n        {\n"
#     + '            "request_id": request_id,\n'
#     + '            "time": datetime.now(UTC).isoformat(),\n'
#     + '            "model_version": model.version,\n'
#     + '            "inputs_hash": hashlib.sha256(inputs.encode()).hexdigest(),\n'
#     + '            "prediction": probability,\n'
#     + '            "latency_ms": round(1000 * (time.perf_counter() - began), 3),\n'
#     + "        }\n    )\n"
#     + '    return {\n        "request_id": request_id,'
#     + answer[1]
# )
# path.write_text(text)
# PYTHON
# ### END SOLUTION

# %% look=2
log = Path("work/2-audit/audit.jsonl")
with serving("work/2-audit") as service:
    replay(service, month=8, count=100, broken=10, at_once=50)
lines = log.read_text().splitlines() if log.exists() else []
print(len(lines), "lines; each has", sorted(json.loads(lines[0])) if lines else "nothing")
log.unlink(missing_ok=True)

# %% check="audit_complete"
check.audit_complete(work / "2-audit")

# %% check="audit_true"
check.audit_true(work / "2-audit")

# %% check="audit_private"
check.audit_private(work / "2-audit")

# %% [markdown] task=3
# ### 3 · Alive is not ready
#
# Who runs your service asks it two questions. *Are you alive?* If not, it is started anew.
# *Are you ready?* If not, no traffic is sent to it. A service that waits for its model is alive
# and not ready. To start it anew would not help.
#
# **Do:** in `work/3-health/service.py`, add `GET /health` (200 while the process answers) and
# `GET /ready` (200 if it could predict now, else 503). Without `model.json` the service starts, is
# not ready, and answers `/predict` with 503. When the file comes, `POST /reload` makes it ready.
# When the file is broken, `/reload` answers with an error and the old model goes on working.
#
# **Leaves behind:** a `service.py` that tells the two apart. **2 points**

# %% [markdown] hint=3
# <details><summary>Hint</summary>
#
# What does `app.state.model = Model.load()` do at the top of the module when there is no file?
# And what is in `app.state.model` when it fails in `reload`?
#
# <details><summary>The steps</summary>
#
# 1. At the start: try to load; on an `OSError` or `ValueError` the model is `None`.
# 2. `/ready` and `/predict` raise `HTTPException(503, …)` while it is `None`.
# 3. In `reload`: load into a local variable; assign only what was loaded; on an error raise
#    `HTTPException(503, …)` and change nothing.
#
# </details></details>

# %% answer="health" language="bash"
# cd work/3-health
# ### BEGIN SOLUTION
# python - <<'PYTHON'
# from pathlib import Path
#
# path = Path("service.py")
# text = path.read_text()
# text = text.replace("from fastapi import FastAPI\n", "from fastapi import FastAPI, HTTPException\n")
# text = text.replace(
#     "app.state.model = Model.load()\n\n\n",
#     "\n\ndef load():\n"
#     '    """Return the model on disk, or None if there is none that can be read."""\n'
#     "    try:\n        return Model.load()\n"
#     "    except (OSError, ValueError, KeyError):\n        return None\n\n\n"
#     "app.state.model = load()\n\n\n"
#     '@app.get("/health")\ndef health():\n'
#     '    """The process answers."""\n    return {"status": "alive"}\n\n\n'
#     '@app.get("/ready")\ndef ready():\n'
#     '    """A prediction could be made now."""\n'
#     "    if app.state.model is None:\n"
#     '        raise HTTPException(503, "no model")\n'
#     '    return {"model_version": app.state.model.version}\n\n\n',
#     1,
# )
# text = text.replace(
#     "    model = app.state.model\n",
#     "    model = app.state.model\n    if model is None:\n"
#     '        raise HTTPException(503, "no model")\n',
# )
# text = text.replace(
#     "    app.state.model = Model.load()\n",
#     "    model = load()\n    if model is None:\n"
#     '        raise HTTPException(503, "model.json cannot be read; the old model stays")\n'
#     "    app.state.model = model\n",
# )
# path.write_text(text)
# PYTHON
# ### END SOLUTION

# %% look=3
model = Path("work/3-health/model.json")
text = model.read_text()
with serving("work/3-health") as service:
    print(
        "with its model: health",
        service.get("/health").status,
        "ready",
        service.get("/ready").status,
    )
    model.write_text(text[:20])
    print("broken file:    reload", service.ask("POST", "/reload").status, end=" ")
    print("ready", service.get("/ready").status)
    model.write_text(text)

# %% check="alive_not_ready"
check.alive_not_ready(work / "3-health")

# %% check="stays_ready"
check.stays_ready(work / "3-health")

# %% [markdown] task=4
# ### 4 · Who asks whom, and how often
#
# Prometheus *pulls*: it knows where services are and fetches `/metrics` from them. A service that
# does not answer is a finding by itself: Prometheus notes `up` 0 for it. The configuration says
# which targets there are and how often they are asked. It can give every series of a target more
# labels, such as which environment it belongs to.
#
# **Do:** write `work/4-scrape/prometheus.yml`: a job named `flights` that scrapes
# `127.0.0.1:8000` every 1 to 15 seconds and gives each of its series the label `env="production"`.
#
# **Leaves behind:** that file; a Prometheus that runs with it sees the service. **2 points**

# %% [markdown] hint=4
# <details><summary>Hint</summary>
#
# How often does Prometheus scrape if you say nothing? `promtool check config` tells whether a
# configuration is one.
#
# <details><summary>The steps</summary>
#
# 1. `global:` has `scrape_interval`.
# 2. `scrape_configs:` is a list of jobs. A job has `job_name` and `static_configs`, a list, too.
# 3. Beside `targets` there can be `labels`.
#
# <details><summary>Nearly all of it</summary>
#
# `static_configs: [{targets: ["127.0.0.1:8000"], labels: {env: …}}]`
#
# </details></details></details>

# %% answer="scrape" language="bash"
# cd work/4-scrape
# ### BEGIN SOLUTION
# cat > prometheus.yml <<'YAML'
# global:
#   scrape_interval: 5s
#   evaluation_interval: 5s
#
# scrape_configs:
#   - job_name: flights
#     static_configs:
#       - targets: ["127.0.0.1:8000"]
#         labels:
#           env: production
# YAML
# ### END SOLUTION

# %% look=4 language="bash"
# cd work/4-scrape
# promtool check config prometheus.yml 2>&1 | head -5 || true

# %% [markdown]
# That is how it looks when it runs. `team_service()` is Ana's finished service: it has the metrics
# of task 1. Four scrapes a second, so that you need not wait:

# %% look=4
with team_service() as service, prometheus(config_for(service)) as prom:
    for sample in prom.wait_for('flights_requests_total{outcome="ok"} > 0'):
        print(sample.labels["__name__"], sample.labels["outcome"], sample.value)

# %% check="scraped"
check.scraped(work / "4-scrape")

# %% [markdown] task=5
# ### 5 · Three questions
#
# `work/5-promql/history.om` holds two hours of metrics of 8 July 2013, from two instances;
# `METRICS.md` says which. A counter's value means nothing by itself: it counts since the last
# start. `rate(counter[5m])` is how fast it rose over five minutes, and it knows about restarts.
#
# **Do:** write three files, each one expression over the last five minutes, for the whole service:
#
# - `error_ratio.promql`: the share of all requests that `failed`. One number.
# - `p95.promql`: the seconds within which 95 % of the answers came. One number.
# - `late_share.promql`: the share of each class among the predictions. Two numbers, with the label
#   `predicted`.
#
# **Leaves behind:** the three files. **3 points**

# %% [markdown] hint=5
# <details><summary>Hint</summary>
#
# In which order: `rate` of a sum, or sum of `rate`s? Only one of them survives the restart of one
# instance. And why is the average of two percentiles not a percentile?
#
# <details><summary>The steps</summary>
#
# 1. `sum(rate(flights_requests_total{outcome="failed"}[5m]))` divided by the same without a filter.
# 2. A histogram's buckets can be added: `sum by (le) (rate(…_bucket[5m]))`, then
#    `histogram_quantile`.
# 3. A vector with the label `predicted` and a number without: `scalar()` makes the second one fit.
#
# </details></details>

# %% answer="promql" language="bash"
# cd work/5-promql
# ### BEGIN SOLUTION
# cat > error_ratio.promql <<'PROMQL'
# sum(rate(flights_requests_total{outcome="failed"}[5m]))
#   / sum(rate(flights_requests_total[5m]))
# PROMQL
# cat > p95.promql <<'PROMQL'
# histogram_quantile(0.95, sum by (le) (rate(flights_latency_seconds_bucket[5m])))
# PROMQL
# cat > late_share.promql <<'PROMQL'
# sum by (predicted) (rate(flights_predictions_total[5m]))
#   / ignoring (predicted) group_left sum(rate(flights_predictions_total[5m]))
# PROMQL
# ### END SOLUTION

# %% look=5
noon = 1_373_284_800  # 8 July 2013, 12:00 UTC
folder = Path("work/5-promql")
with prometheus(history=folder / "history.om") as prom:
    for name in ("error_ratio", "p95", "late_share"):
        path = folder / f"{name}.promql"
        for minute in (30, 55, 80):
            if path.exists():
                print(
                    f"{name:12} at 12:00 + {minute} min:",
                    prom.query(path.read_text(), noon + 60 * minute),
                )

# %% check="error_ratio"
check.error_ratio(work / "5-promql")
### BEGIN HIDDEN TESTS
check.error_ratio(work / "5-promql", numbers=(0.15, 0.13, 0.37, 52))
### END HIDDEN TESTS

# %% check="p95"
check.p95(work / "5-promql")
### BEGIN HIDDEN TESTS
check.p95(work / "5-promql", numbers=(0.15, 0.13, 0.37, 52))
### END HIDDEN TESTS

# %% check="late_share"
check.late_share(work / "5-promql")
### BEGIN HIDDEN TESTS
check.late_share(work / "5-promql", numbers=(0.15, 0.13, 0.37, 52))
### END HIDDEN TESTS

# %% [markdown] task=6
# ### 6 · Rules that wake the right person
#
# A *recording rule* computes a query regularly and keeps the result under a name. An *alerting
# rule* compares, and fires once the condition has held `for` some time. Without that time, one bad
# minute wakes somebody. After the third time nobody gets up any more.
#
# Rules are code. Code has tests: `promtool test rules` gives them series you invent and looks what
# fires when.
#
# **Do:** in `work/6-rules`, write `rules.yml` with
#
# - the recording rules `flights:error_ratio:rate5m` and `flights:latency_seconds:p95_5m`, the
#   first two questions of task 5;
# - the alerts `FlightsFailing` (more than 5 % failed, for 10 minutes), `FlightsSlow` (p95 above
#   0.5 s, for 10 minutes) and `FlightsDown` (a target of job `flights` is down, for 2 minutes),
#   each with a `severity` of `page` or `ticket` and a `summary` that says what is wrong.
#
# Then write `rules_test.yml`: unit tests of `FlightsFailing` that would notice if it never fired,
# and if its `for` were lost.
#
# **Leaves behind:** both files. **4 points**

# %% [markdown] hint=6
# <details><summary>Hint</summary>
#
# At which minute does an alert with `for: 10m` fire if errors begin at minute 0? And what would
# your test see at minute 5 if `for` were gone?
#
# <details><summary>The steps</summary>
#
# 1. `groups:` is a list; a group has `name` and `rules`; a rule has `record` or `alert`, and `expr`.
# 2. `for`, `labels: {severity: page}` and `annotations: {summary: …}` belong to an alert.
# 3. A test has `input_series` (`values: 0+10x40` starts at 0 and adds 10, forty times) and
#    `alert_rule_test` with `eval_time`, `alertname` and `exp_alerts`, a list: empty, or with all
#    labels (`exp_labels`) and annotations (`exp_annotations`).
#
# <details><summary>Nearly all of it</summary>
#
# `rule_files: [rules.yml]`, `tests: [{interval: 1m, input_series: […], alert_rule_test:
# [{eval_time: 5m, alertname: FlightsFailing, exp_alerts: []}, {eval_time: 20m, …}]}]`
#
# </details></details></details>

# %% answer="rules" language="bash"
# cd work/6-rules
# ### BEGIN SOLUTION
# cat > rules.yml <<'YAML'
# groups:
#   - name: flights
#     rules:
#       - record: flights:error_ratio:rate5m
#         expr: >
#           sum(rate(flights_requests_total{outcome="failed"}[5m]))
#           / sum(rate(flights_requests_total[5m]))
#       - record: flights:latency_seconds:p95_5m
#         expr: histogram_quantile(0.95, sum by (le) (rate(flights_latency_seconds_bucket[5m])))
#       - alert: FlightsFailing
#         expr: flights:error_ratio:rate5m > 0.05
#         for: 10m
#         labels: {severity: page}
#         annotations: {summary: More than 5 % of the predictions fail}
#       - alert: FlightsSlow
#         expr: flights:latency_seconds:p95_5m > 0.5
#         for: 10m
#         labels: {severity: ticket}
#         annotations: {summary: One answer in twenty takes over half a second}
#       - alert: FlightsDown
#         expr: up{job="flights"} == 0
#         for: 2m
#         labels: {severity: page}
#         annotations: {summary: "{{ $labels.instance }} cannot be scraped"}
# YAML
# cat > rules_test.yml <<'YAML'
# rule_files: [rules.yml]
# evaluation_interval: 1m
# tests:
#   - interval: 1m
#     input_series:
#       - {series: 'flights_requests_total{outcome="ok"}', values: 0+90x40}
#       - {series: 'flights_requests_total{outcome="failed"}', values: 0+10x40}
#     alert_rule_test:
#       - {eval_time: 5m, alertname: FlightsFailing, exp_alerts: []}
#       - eval_time: 20m
#         alertname: FlightsFailing
#         exp_alerts:
#           - exp_labels: {severity: page}
#             exp_annotations: {summary: More than 5 % of the predictions fail}
# YAML
# ### END SOLUTION

# %% look=6 language="bash"
# cd work/6-rules
# promtool check rules rules.yml 2>&1 || true
# promtool test rules rules_test.yml 2>&1 || true

# %% check="rules_recorded"
check.rules_recorded(work / "6-rules")
### BEGIN HIDDEN TESTS
check.rules_recorded(work / "6-rules", numbers=(0.08, 0.11, 33))
### END HIDDEN TESTS

# %% check="alerts_right"
check.alerts_right(work / "6-rules")
### BEGIN HIDDEN TESTS
check.alerts_right(work / "6-rules", numbers=(0.08, 0.11, 33))
### END HIDDEN TESTS

# %% check="rules_tested"
check.rules_tested(work / "6-rules")

# %% [markdown] task=7
# ### 7 · A dashboard as code
#
# An alert says that something is wrong. A dashboard is where you look next. Clicked together in a
# browser, it is gone with the browser's owner. Grafana takes dashboards as JSON: a file that is
# reviewed, kept in Git and the same on every machine.
#
# **Do:** write `work/7-dashboard/dashboard.json`, a Grafana dashboard with five panels or more
# that show requests a second, the error ratio, the p95 latency, the share of each predicted class
# and the model's version. It has `title`, `uid`, `schemaVersion` (30 or newer), `time`, `refresh`
# and `panels`; a panel has `type`, `title`, `gridPos`, `fieldConfig` and `targets`, each with
# `expr` and `refId`. The latency's unit is `s`, the ratio's `percentunit`. Panels do not overlap.
#
# **Leaves behind:** that file. Every query of it is asked of a running Prometheus. **3 points**

# %% [markdown] hint=7
# <details><summary>Hint</summary>
#
# Which of the five did you ask for in task 5 already? What is a sum of `rate`s of requests?
#
# <details><summary>The steps</summary>
#
# 1. Make the dashboard as a Python dictionary and write it with `json.dumps(…, indent=2)`.
# 2. A small function for one panel saves typing: title, expression, unit, position.
# 3. In Grafana, `$__rate_interval` instead of `5m` fits the window to the zoom; the check knows it.
#
# <details><summary>Nearly all of it</summary>
#
# `{"type": "timeseries", "title": …, "gridPos": {"h": 8, "w": 12, "x": 0, "y": 0}, "fieldConfig":
# {"defaults": {"unit": "s"}, "overrides": []}, "targets": [{"refId": "A", "expr": …}]}`
#
# </details></details></details>

# %% answer="dashboard"
### BEGIN SOLUTION
SHOWN = [
    ("Requests a second", "sum(rate(flights_requests_total[$__rate_interval]))", "reqps"),
    (
        "Error ratio",
        'sum(rate(flights_requests_total{outcome="failed"}[$__rate_interval]))'
        " / sum(rate(flights_requests_total[$__rate_interval]))",
        "percentunit",
    ),
    (
        "Latency, 95th percentile",
        "histogram_quantile(0.95,"
        " sum by (le) (rate(flights_latency_seconds_bucket[$__rate_interval])))",
        "s",
    ),
    (
        "Predictions by class",
        "sum by (predicted) (rate(flights_predictions_total[$__rate_interval]))"
        " / scalar(sum(rate(flights_predictions_total[$__rate_interval])))",
        "percentunit",
    ),
    ("Model version", "count by (version) (flights_model_info)", "short"),
]
SOURCE = {"type": "prometheus", "uid": "prometheus"}
dashboard = {
    "title": "flight-delays",
    "uid": "flight-delays",
    "schemaVersion": 39,
    "refresh": "30s",
    "time": {"from": "now-2h", "to": "now"},
    "panels": [
        {
            "id": number + 1,
            "type": "timeseries",
            "title": title,
            "datasource": SOURCE,
            "gridPos": {"h": 8, "w": 12, "x": 12 * (number % 2), "y": 8 * (number // 2)},
            "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
            "targets": [{"refId": "A", "expr": expression, "datasource": SOURCE}],
        }
        for number, (title, expression, unit) in enumerate(SHOWN)
    ],
}
Path("work/7-dashboard/dashboard.json").write_text(json.dumps(dashboard, indent=2) + "\n")
### END SOLUTION

# %% look=7
path = Path("work/7-dashboard/dashboard.json")
panels = json.loads(path.read_text())["panels"] if path.exists() else []
with prometheus(history=Path("work/7-dashboard/history.om")) as prom:
    for panel in panels:
        for target in panel.get("targets", []):
            query = target["expr"].replace("$__rate_interval", "5m")
            print(f"{panel['title']:26}", prom.query(query, 1_373_284_800 + 60 * 55))

# %% check="dashboard_valid"
check.dashboard_valid(work / "7-dashboard")

# %% check="panels_answer"
check.panels_answer(work / "7-dashboard")
### BEGIN HIDDEN TESTS
check.panels_answer(work / "7-dashboard", numbers=(0.11, 0.17, 0.41, 58))
### END HIDDEN TESTS

# %% [markdown] task=8
# ### 8 · Has the input changed?
#
# *Data drift* is a change in what the model is asked. It can be seen at once, without waiting for
# the truth. `work/8-drift` has `reference.csv`, the months the model was trained on, and two later
# ones, as the model saw them. September is the month in which flights suddenly arrived early.
# In November a new partner joined the booking system.
#
# **Do:** with Evidently, compare each month against the reference. Keep `september.json`,
# `september.html`, `november.json` and `november.html`: the columns `carrier`, `origin`, `hour`
# and `distance`, Evidently's default tests.
#
# Then see what such a test does: write `psi.py` so that `python psi.py reference.csv month.csv
# distance` prints the *population stability index* of that column, over ten bins at the deciles of
# the reference, open at both ends. With the share of each bin, at least 0.0001, in both files:
# PSI = Σ (new − old) · ln(new / old).
#
# **Leaves behind:** four report files and `psi.py`. **3 points**

# %% [markdown] hint=8
# <details><summary>Hint</summary>
#
# Which argument of `run` comes first, the current data or the reference? Open an HTML report:
# it plots both.
#
# <details><summary>The steps</summary>
#
# 1. `DataDefinition` says which columns are numbers and which categories; `Dataset.from_pandas`
#    joins it with a frame.
# 2. `Report([DataDriftPreset()]).run(current, reference)` returns a snapshot; it has
#    `save_json(path)` and `save_html(path)`.
# 3. In `psi.py`: `np.quantile(reference, [0.1, …, 0.9])`, without repeated ones, are the inner
#    edges; `np.searchsorted(edges, values, "right")` tells each value's bin.
#
# </details></details>

# %% look=8
# Evidently takes a few seconds to load, the first time.
import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset

# %% answer="drift"
### BEGIN SOLUTION
folder = Path("work/8-drift")
columns = DataDefinition(
    numerical_columns=["hour", "distance"], categorical_columns=["carrier", "origin"]
)


def dataset(name):
    return Dataset.from_pandas(pd.read_csv(folder / name), data_definition=columns)


for name, month in {"september": "2013-09.csv", "november": "2013-11.csv"}.items():
    snapshot = Report([DataDriftPreset()]).run(dataset(month), dataset("reference.csv"))
    snapshot.save_json(str(folder / f"{name}.json"))
    snapshot.save_html(str(folder / f"{name}.html"))

(folder / "psi.py").write_text('''\
"""Print the population stability index of a column: python psi.py OLD.csv NEW.csv COLUMN"""

import csv
import sys

import numpy as np


def column(path, name):
    with open(path, newline="") as file:
        return np.array([float(row[name]) for row in csv.DictReader(file)])


def psi(reference, current):
    edges = np.unique(np.quantile(reference, np.arange(1, 10) / 10))

    def shares(values):
        bins = np.searchsorted(edges, values, "right")
        return np.maximum(np.bincount(bins, minlength=len(edges) + 1) / len(values), 0.0001)

    old, new = shares(reference), shares(current)
    return float(np.sum((new - old) * np.log(new / old)))


if __name__ == "__main__":
    old, new, name = sys.argv[1:]
    print(f"{psi(column(old, name), column(new, name)):.4f}")
''')
### END SOLUTION

# %% look=8
for name in ("september", "november"):
    path = Path(f"work/8-drift/{name}.json")
    metrics = json.loads(path.read_text())["metrics"] if path.exists() else []
    for metric in metrics:
        if "column" in metric["config"]:
            print(f"{name:10} {metric['config']['column']:9} {metric['value']:.3f}")
# !cd work/8-drift && [ ! -e psi.py ] || python psi.py reference.csv 2013-11.csv distance

# %% [markdown]
# September has no drift in any column, and yet it is the month in which the model was most wrong.
# The flights were the same. The world was not: that is *concept drift*, and only labels show it.
# November drifts, and no flight has changed: the partner sends kilometres. That is a broken feed.

# %% check="drift_reported"
check.drift_reported(work / "8-drift")

# %% check="psi_computed"
check.psi_computed(work / "8-drift")
### BEGIN HIDDEN TESTS
check.psi_computed(work / "8-drift", month=5, factor=0.8)
### END HIDDEN TESTS

# %% [markdown] task=9
# ### 9 · The truth comes late
#
# Whether a prediction was right is known when the flight's record is closed: after two days for
# those on time, after 10 to 24 for those late, because the airline objects. So the newest month
# looks better than it was: its late flights are the ones without a label.
#
# `work/9-labels` has `predictions.csv` of July to September, and `labels.csv` with `known_at`.
# Today is 1 October 2013, 00:00 UTC. The file knows more than you do on that day.
#
# **Do:** write `performance.json`: for each of `2013-07`, `2013-08`, `2013-09` (by the departure's
# date as written) an object with `predictions` (how many), `labels` (how many of them are known
# today), `complete` (true if those are 95 % or more of the predictions), and, over the flights
# with a label, `brier` (mean of (probability − late)²), `late_share` and `mean_prediction`. In a
# month that is not complete these three are `null`.
#
# **Leaves behind:** `performance.json`. **2 points**

# %% [markdown] hint=9
# <details><summary>Hint</summary>
#
# Some flights never get a label. Which ones, and what would it mean to call them "on time"?
#
# <details><summary>The steps</summary>
#
# 1. `pd.to_datetime(labels["known_at"], utc=True)`, and keep what is known by 1 October.
# 2. Merge predictions with what is left, `how="left"`, on `id`.
# 3. Group by the first seven letters of `departure`.
#
# </details></details>

# %% answer="labels"
### BEGIN SOLUTION
import pandas as pd

folder = Path("work/9-labels")
predictions = pd.read_csv(folder / "predictions.csv")
labels = pd.read_csv(folder / "labels.csv")
known = labels[pd.to_datetime(labels["known_at"], utc=True) <= pd.Timestamp("2013-10-01", tz="UTC")]
joined = predictions.merge(known, on="id", how="left")

performance = {}
for month, rows in joined.groupby(joined["departure"].str[:7]):
    pairs = rows.dropna(subset="late")
    complete = len(pairs) >= 0.95 * len(rows)
    performance[month] = {
        "predictions": len(rows),
        "labels": len(pairs),
        "complete": complete,
        "brier": float(((pairs["probability"] - pairs["late"]) ** 2).mean()) if complete else None,
        "late_share": float(pairs["late"].mean()) if complete else None,
        "mean_prediction": float(pairs["probability"].mean()) if complete else None,
    }
(folder / "performance.json").write_text(json.dumps(performance, indent=2) + "\n")
### END SOLUTION

# %% look=9
path = Path("work/9-labels/performance.json")
for month, row in (json.loads(path.read_text()) if path.exists() else {}).items():
    print(month, {k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()})

# %% check="labels_counted"
check.labels_counted(work / "9-labels")

# %% check="performance_right"
check.performance_right(work / "9-labels")

# %% [markdown] task=10
# ### 10 · When to train again
#
# "Retrain every month" costs money in calm months and comes too late in others. "Retrain when
# anything drifts" trains on broken feeds. A trigger is a rule that the team agreed on before.
# Yours has three parts, in this order, for each month:
#
# 1. If an input column (`hour`, `distance`) has a PSI above 0.25 against `reference.csv`, as in
#    task 8, and is not listed under `drift` for that month in `expected.json`: **investigate**.
#    No model learns anything good from a broken feed.
# 2. If 500 labels or more are known, and their mean `arr_delay` is more than 8 minutes off, up or
#    down, from what is expected: **retrain**. Expected is the month's `mean_delay` in
#    `expected.json` if it has one, else the mean of `reference.csv`. Seasons that everybody knew
#    of are no news.
# 3. Else **keep**.
#
# **Do:** write `work/10-trigger/trigger.py`. `python trigger.py FOLDER` reads `reference.csv`,
# `expected.json` and every file in `months/` of that folder and prints one JSON object:
# `{"2013-07": {"action": "retrain", "reason": "…"}, …}`, with the number that decided in the
# reason. It will run on months you have not seen. An empty `arr_delay` is a label not yet known.
#
# **Leaves behind:** `trigger.py`. **3 points**

# %% [markdown] hint=10
# <details><summary>Hint</summary>
#
# Which of the six months has a broken feed, and which one a delay that was expected? Look into
# `expected.json` first.
#
# <details><summary>The steps</summary>
#
# 1. `for path in sorted((folder / "months").glob("*.csv"))`: its `stem` is the month.
# 2. `plan = expected.get(path.stem, {})`; then `plan.get("drift", [])` and
#    `plan.get("mean_delay", usual)`.
# 3. Return at the first rule that holds. Print with `json.dumps`, and nothing else.
#
# </details></details>

# %% answer="trigger" language="bash"
# cd work/10-trigger
# ### BEGIN SOLUTION
# cat > trigger.py <<'PYTHON'
# """Decide month by month whether to keep, retrain or investigate: python trigger.py FOLDER"""
#
# import csv
# import json
# import sys
# from pathlib import Path
#
# import numpy as np
#
#
# def read(path):
#     with path.open(newline="") as file:
#         return list(csv.DictReader(file))
#
#
# def numbers(rows, name):
#     return np.array([float(row[name]) for row in rows if row[name] != ""])
#
#
# def psi(reference, current):
#     edges = np.unique(np.quantile(reference, np.arange(1, 10) / 10))
#
#     def shares(values):
#         bins = np.searchsorted(edges, values, "right")
#         return np.maximum(np.bincount(bins, minlength=len(edges) + 1) / len(values), 0.0001)
#
#     old, new = shares(reference), shares(current)
#     return float(np.sum((new - old) * np.log(new / old)))
#
#
# def decide(rows, reference, plan):
#     for name in ("hour", "distance"):
#         score = psi(numbers(reference, name), numbers(rows, name))
#         if score > 0.25 and name not in plan.get("drift", []):
#             return "investigate", f"PSI of {name} is {score:.2f}, and nobody expected that"
#     delays = numbers(rows, "arr_delay")
#     usual = plan.get("mean_delay", float(numbers(reference, "arr_delay").mean()))
#     if len(delays) < 500:
#         return "keep", f"only {len(delays)} labels are known"
#     said = f"mean delay {delays.mean():+.1f} minutes, expected {usual:+.1f}"
#     return ("retrain" if abs(delays.mean() - usual) > 8 else "keep"), said
#
#
# def main(folder):
#     reference = read(folder / "reference.csv")
#     expected = json.loads((folder / "expected.json").read_text())
#     decisions = {}
#     for path in sorted((folder / "months").glob("*.csv")):
#         action, reason = decide(read(path), reference, expected.get(path.stem, {}))
#         decisions[path.stem] = {"action": action, "reason": reason}
#     print(json.dumps(decisions, indent=2))
#
#
# main(Path(sys.argv[1]))
# PYTHON
# ### END SOLUTION

# %% look=10 language="bash"
# cd work/10-trigger
# [ ! -e trigger.py ] || python trigger.py .

# %% check="trigger_quiet"
check.trigger_quiet(work / "10-trigger")
### BEGIN HIDDEN TESTS
check.trigger_quiet(work / "10-trigger", year=2014)
### END HIDDEN TESTS

# %% check="trigger_fires"
check.trigger_fires(work / "10-trigger")
### BEGIN HIDDEN TESTS
check.trigger_fires(work / "10-trigger", year=2014)
### END HIDDEN TESTS

# %% [markdown] task=11
# ### 11 · What happened, and when
#
# On 15 July 2013, between 08:00 and 10:00 UTC, many predictions failed. It is over now. A
# *post-mortem* makes sure that it was worth something: facts from the evidence, causes in the
# system, actions that somebody owns. Nobody is blamed, for then nobody tells the truth next time.
#
# `work/11-postmortem/history.om` holds those two hours.
#
# **Do:** write `postmortem.md`. It begins with fields between two lines of `---`:
#
# - `began` and `ended`: the first minute in which requests failed more than usual, and the first
#   in which they no longer did (UTC, such as `2013-07-15 08:30`);
# - `detected`: when `FlightsFailing` of task 6 (over 5 % in five minutes, for 10 minutes) fired;
# - `failed_requests`: how many failed in that time;
# - `model_version`: the version in use then, in quotes.
#
# Then the sections `## What happened`, `## Why` and `## What we change`, the last with two actions
# or more as list items, each with an owner (`@name`) and a date (`2013-07-22`).
#
# **Leaves behind:** `postmortem.md`. **2 points**

# %% [markdown] hint=11
# <details><summary>Hint</summary>
#
# A ratio over five minutes rises and falls slowly. Which window shows an edge sharply?
#
# <details><summary>The steps</summary>
#
# 1. `prom.range("sum(rate(flights_requests_total{outcome=\"failed\"}[2m]))", start, end, 60)`
#    gives the course minute by minute; 08:00 UTC is `1_373_875_200`.
# 2. The alert: the first minute in which the ratio over [5m] is above 0.05, and ten more.
# 3. `sum(increase(flights_requests_total{outcome="failed"}[43m]))` at the end counts them.
# 4. `count by (version) (flights_model_info)` over time tells what was in use.
#
# </details></details>

# %% answer="postmortem"
### BEGIN SOLUTION
from datetime import UTC, datetime

folder, start = Path("work/11-postmortem"), 1_373_875_200
failed = 'sum(rate(flights_requests_total{outcome="failed"}[%s]))'
ratio = failed % "5m" + " / sum(rate(flights_requests_total[5m]))"
with prometheus(history=folder / "history.om") as prom:
    course = prom.range(failed % "2m", start, start + 7140, 60)[0][1]
    bad = [moment for moment, value in course if value > 0.1]
    first = next(m for m, v in prom.range(ratio, start, start + 7140, 60)[0][1] if v > 0.05)
    count = prom.query('sum(increase(flights_requests_total{outcome="failed"}[43m]))', bad[-1])[
        0
    ].value
    versions = prom.query("count by (version) (flights_model_info)", bad[0] + 600)


def clock(moment):
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M}"


(folder / "postmortem.md").write_text(f"""\
---
began: {clock(bad[0])}
detected: {clock(first + 600)}
ended: {clock(bad[-1])}
failed_requests: {count:.0f}
model_version: "{versions[0].labels["version"]}"
---

# Predictions failed after a new model came

## What happened

For 42 minutes about one request in five failed with status 500. Travellers saw no prediction.
FlightsFailing paged eleven minutes after the start. The model before was put back, and the
failures ended with that.

## Why

Requests failed from the minute in which version {versions[0].labels["version"]} came to the one in
which it went. What is wrong inside it is for its authors to find. That it got this far has another
cause: nothing between the registry and production asked it for a prediction.

## What we change

- Before a model is taken into service, it must answer one request of each carrier, @ana, 2013-07-22
- /reload goes back to the model before if more than 5 % fail in the first five minutes, @ben, 2013-07-29
""")
### END SOLUTION

# %% look=11 language="bash"
# cd work/11-postmortem
# [ ! -e postmortem.md ] || head -8 postmortem.md

# %% check="timeline_right"
check.timeline_right(work / "11-postmortem")

# %% check="lessons_drawn"
check.lessons_drawn(work / "11-postmortem")

# %% [markdown]
# ## Where you stand

# %%
lab.summary()

# %% [markdown]
# The model of March is still in service, and you know now when it is wrong, how you would notice,
# and who decides what happens then.
