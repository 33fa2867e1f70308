"""Alerts at once, in tests that would pass without any rule; scrapes once a minute."""

SCORES = {"scraped": 0, "alerts_right": 0, "rules_tested": 0}
CELLS = {
    "scrape": r"""%%bash
cd work/4-scrape
cat > prometheus.yml <<'YAML'
scrape_configs:
  - job_name: flights
    static_configs: [{targets: ["127.0.0.1:8000"], labels: {env: production}}]
YAML
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
        expr: histogram_quantile(0.95, sum by (le) (rate(flights_latency_seconds_bucket[5m])))
      - alert: FlightsFailing
        expr: flights:error_ratio:rate5m > 0.05
        labels: {severity: page}
        annotations: {summary: More than 5 % of the predictions fail}
      - alert: FlightsSlow
        expr: flights:latency_seconds:p95_5m > 0.5
        labels: {severity: ticket}
        annotations: {summary: Answers take over half a second}
      - alert: FlightsDown
        expr: up{job="flights"} == 0
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
    alert_rule_test:
      - {eval_time: 20m, alertname: FlightsFailing, exp_alerts: []}
YAML
""",
}
