"""Divides what was counted since the start; draws metrics that do not exist."""

SCORES = {"error_ratio": 0, "late_share": 0, "dashboard_valid": 0, "panels_answer": 0}
CELLS = {
    "promql": r"""%%bash
cd work/5-promql
echo 'sum(flights_requests_total{outcome="failed"}) / sum(flights_requests_total)' > error_ratio.promql
echo 'histogram_quantile(0.95, sum by (le) (rate(flights_latency_seconds_bucket[5m])))' > p95.promql
echo 'sum(rate(flights_predictions_total{predicted="late"}[5m])) / sum(rate(flights_predictions_total[5m]))' > late_share.promql
""",
    "dashboard": r"""
import json
from pathlib import Path

shown = ["flights_requests", "flights_errors_total", "flights_latency_p95", "flights_late", "flights_version"]
Path("work/7-dashboard/dashboard.json").write_text(json.dumps({
    "title": "flights", "uid": "flights", "schemaVersion": 39, "refresh": "30s",
    "time": {"from": "now-1h", "to": "now"},
    "panels": [
        {"type": "timeseries", "title": f"Panel {name}", "gridPos": {"h": 8, "w": 24, "x": 0, "y": 0},
         "fieldConfig": {"defaults": {}, "overrides": []},
         "targets": [{"refId": "A", "expr": name}]}
        for name in shown
    ],
}))
""",
}
