"""Subtracts counters by hand: right until an instance is started anew."""

SCORES = {"error_ratio": 0}
FAILS_ONLY_HIDDEN = ["error_ratio"]
CELLS = {
    "promql": r"""%%bash
cd work/5-promql
cat > error_ratio.promql <<'PROMQL'
(sum(flights_requests_total{outcome="failed"}) - sum(flights_requests_total{outcome="failed"} offset 5m))
  / (sum(flights_requests_total) - sum(flights_requests_total offset 5m))
PROMQL
echo 'histogram_quantile(0.95, sum by (le) (rate(flights_latency_seconds_bucket[5m])))' > p95.promql
echo 'sum by (predicted) (rate(flights_predictions_total[5m])) / scalar(sum(rate(flights_predictions_total[5m])))' > late_share.promql
""",
}
