"""Asks by increase and over ten minutes, alerts on raw expressions, draws percent and rows."""

CELLS = {
    "scrape": r"""%%bash
cd work/4-scrape
cat > prometheus.yml <<'YAML'
scrape_configs:
  - job_name: prometheus
    static_configs: [{targets: ["127.0.0.1:9090"]}]
  - job_name: flights
    scrape_interval: 10s
    metrics_path: /metrics
    file_sd_configs: [{files: [targets.json]}]
    relabel_configs: [{target_label: env, replacement: production}]
YAML
echo '[{"targets": ["127.0.0.1:8000"]}]' > targets.json
""",
    "promql": r"""%%bash
cd work/5-promql
cat > error_ratio.promql <<'PROMQL'
# one minus the good ones
1 - sum(increase(flights_requests_total{outcome=~"ok|rejected"}[5m])) / sum(increase(flights_requests_total[5m]))
PROMQL
echo 'histogram_quantile(.95, sum without (instance, job) (increase(flights_latency_seconds_bucket{job="flights"}[10m])))' > p95.promql
echo 'sum(rate(flights_predictions_total[10m])) by (predicted) / on () group_left () sum(rate(flights_predictions_total[10m]))' > late_share.promql
""",
    "rules": r"""%%bash
cd work/6-rules
cat > rules.yml <<'YAML'
groups:
  - name: recorded
    interval: 1m
    rules:
      - {record: "flights:error_ratio:rate5m", labels: {team: flights}, expr: '1 - sum(rate(flights_requests_total{outcome!="failed"}[5m])) / sum(rate(flights_requests_total[5m]))'}
      - {record: "flights:latency_seconds:p95_5m", expr: 'histogram_quantile(0.95, sum by (le) (rate(flights_latency_seconds_bucket[5m])))'}
  - name: alerts
    rules:
      - alert: FlightsFailing
        expr: sum(increase(flights_requests_total{outcome="failed"}[5m])) > 0.05 * sum(increase(flights_requests_total[5m]))
        for: 10m
        labels: {severity: page, team: flights}
        annotations: {summary: "{{ $value }} predictions failed", runbook: "https://example.org"}
      - alert: FlightsSlow
        expr: histogram_quantile(0.95, sum by (le) (rate(flights_latency_seconds_bucket[5m]))) > 0.5
        for: 10m
        labels: {severity: page}
        annotations: {summary: The slowest answers take very long}
      - alert: FlightsDown
        expr: sum by (instance) (up{job="flights"}) < 1
        for: 2m
        labels: {severity: ticket}
        annotations: {summary: "One instance, {{ $labels.instance }}, is gone"}
YAML
cat > rules_test.yml <<'YAML'
rule_files:
  - rules.yml
tests:
  - interval: 30s
    input_series:
      - series: flights_requests_total{outcome="failed", instance="a"}
        values: "0x40 0+10x80"
      - series: flights_requests_total{outcome="ok", instance="a"}
        values: "0+10x120"
    promql_expr_test:
      - expr: count(ALERTS{alertname="FlightsFailing", alertstate="pending"})
        eval_time: 25m
        exp_samples: [{labels: "{}", value: 1}]
      - expr: count(ALERTS{alertname="FlightsFailing", alertstate="firing"})
        eval_time: 25m
        exp_samples: []
      - expr: count(ALERTS{alertname="FlightsFailing", alertstate="firing"})
        eval_time: 45m
        exp_samples: [{labels: "{}", value: 1}]
YAML
""",
    "dashboard": r"""
import json
from pathlib import Path


def panel(title, expr, unit, x, y, type="timeseries"):
    return {
        "type": type, "title": title, "gridPos": {"h": 6, "w": 8, "x": x, "y": y},
        "fieldConfig": {"defaults": {"unit": unit}},
        "targets": [{"refId": "A", "expr": expr, "legendFormat": "{{predicted}}"}],
    }


chosen = 'instance=~"$instance"'
panels = [
    {"type": "row", "title": "The service", "gridPos": {"h": 1, "w": 24, "x": 0, "y": 0}},
    panel("Traffic by outcome", "sum by (outcome) (rate(flights_requests_total{%s}[${__rate_interval}]))" % chosen, "reqps", 0, 1),
    panel("Failing", '100 * sum(rate(flights_requests_total{outcome="failed"}[5m])) / sum(rate(flights_requests_total[5m]))', "percent", 8, 1),
    panel("p95", "1000 * histogram_quantile(0.95, sum by (le) (rate(flights_latency_seconds_bucket[5m])))", "ms", 16, 1),
    panel("Late", '100 * sum(rate(flights_predictions_total{predicted="late"}[5m])) / sum(rate(flights_predictions_total[5m]))', "percent", 0, 7),
    panel("Model", "flights_model_info{%s} == 1" % chosen, "none", 8, 7, "table"),
    panel("Up", "sum(up)", "none", 16, 7, "stat"),
]
Path("work/7-dashboard/dashboard.json").write_text(json.dumps({
    "id": None, "uid": "abc_1", "title": "Flights", "tags": ["ml"], "timezone": "utc",
    "schemaVersion": 36, "version": 3, "refresh": False, "time": {"from": "now-6h", "to": "now"},
    "templating": {"list": [{"name": "instance", "type": "query", "includeAll": True}]},
    "panels": panels,
}))
""",
}
