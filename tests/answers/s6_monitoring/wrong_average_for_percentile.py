"""Takes the mean for the 95th percentile, in the service, in the query and in the rules."""

SCORES = {"latency_measured": 0, "p95": 0, "rules_recorded": 0, "alerts_right": 0}
CELLS = {
    "instrument": r"""%%bash
cd work/1-metrics
python - <<'PYTHON'
from pathlib import Path

path = Path("service.py")
head, tail = path.read_text().split('app = FastAPI(title="flight-delays")\n')
head += '''
import time
from prometheus_client import Counter, Histogram, Info, Summary, make_asgi_app

REQUESTS = Counter("flights_requests", "Requests", ["outcome"])
LATENCY = Summary("flights_latency_seconds", "Latency")
PREDICTIONS = Counter("flights_predictions", "Predictions", ["predicted"])
PROBABILITY = Histogram("flights_probability", "Probability", buckets=[0.1, 0.2, 0.3, 0.4])
MODEL = Info("flights_model", "Model")

app = FastAPI(title="flight-delays")
app.mount("/metrics", make_asgi_app())


@app.middleware("http")
async def measured(request, call_next):
    if request.url.path != "/predict":
        return await call_next(request)
    began, status = time.perf_counter(), 500
    try:
        response = await call_next(request)
        status = response.status_code
        return response
    finally:
        LATENCY.observe(time.perf_counter() - began)
        REQUESTS.labels("ok" if status < 400 else "rejected" if status < 500 else "failed").inc()
'''
tail = tail.replace("app.state.model = Model.load()\n\n", 'app.state.model = Model.load()\nMODEL.info({"version": app.state.model.version})\n\n', 1)
tail = tail.replace("    return {\n        \"request_id\"", '    PROBABILITY.observe(probability)\n    PREDICTIONS.labels("late" if probability >= 0.3 else "on_time").inc()\n    return {\n        "request_id"')
tail = tail.replace("    app.state.model = Model.load()\n", '    app.state.model = Model.load()\n    MODEL.info({"version": app.state.model.version})\n')
path.write_text(head + tail)
PYTHON
""",
    "promql": r"""%%bash
cd work/5-promql
echo 'sum(rate(flights_requests_total{outcome="failed"}[5m])) / sum(rate(flights_requests_total[5m]))' > error_ratio.promql
echo 'sum(rate(flights_latency_seconds_sum[5m])) / sum(rate(flights_latency_seconds_count[5m]))' > p95.promql
echo 'sum by (predicted) (rate(flights_predictions_total[5m])) / scalar(sum(rate(flights_predictions_total[5m])))' > late_share.promql
""",
    "rules": r"""%%bash
cd work/6-rules
cat > rules.yml <<'YAML'
groups:
  - name: flights
    rules:
      - record: flights:error_ratio:rate5m
        expr: sum(rate(flights_requests_total{outcome="failed"}[5m])) / sum(rate(flights_requests_total[5m]))
      - record: flights:latency_seconds:p95_5m
        expr: sum(rate(flights_latency_seconds_sum[5m])) / sum(rate(flights_latency_seconds_count[5m]))
      - alert: FlightsFailing
        expr: flights:error_ratio:rate5m > 0.05
        for: 10m
        labels: {severity: page}
        annotations: {summary: More than 5 % of the predictions fail}
      - alert: FlightsSlow
        expr: flights:latency_seconds:p95_5m > 0.5
        for: 10m
        labels: {severity: ticket}
        annotations: {summary: Answers take over half a second}
      - alert: FlightsDown
        expr: up{job="flights"} == 0
        for: 2m
        labels: {severity: page}
        annotations: {summary: An instance cannot be scraped}
YAML
cat > rules_test.yml <<'YAML'
rule_files: [rules.yml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {series: 'flights_requests_total{outcome="ok"}', values: 0+90x40}
      - {series: 'flights_requests_total{outcome="failed"}', values: 0+10x40}
    alert_rule_test:
      - {eval_time: 5m, alertname: FlightsFailing, exp_alerts: []}
      - eval_time: 20m
        alertname: FlightsFailing
        exp_alerts:
          - exp_labels: {severity: page}
            exp_annotations: {summary: More than 5 % of the predictions fail}
YAML
""",
}
