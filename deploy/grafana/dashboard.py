"""Writes the dashboard beside it: `python deploy/grafana/dashboard.py > deploy/grafana/memi.json`.

A panel is a title, a unit and queries; where it stands follows from the order here.
"""

import json
import sys
from dataclasses import dataclass
from typing import Any

WIDTH, COLUMNS, HEIGHT = 24, 3, 8
_SOURCE = {"type": "prometheus", "uid": "${source}"}
_RATE = "[$__rate_interval]"


@dataclass(frozen=True)
class Panel:
    """`queries` are (PromQL, legend); `unit` is Grafana's name of it; from `alarm` on it is red."""

    title: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    alarm: float | None = None
    says: str = ""


def _quantile(of: float, by: str) -> str:
    return f"histogram_quantile({of}, sum by ({by}) (rate(memi_http_request_seconds_bucket{_RATE})))"


ROWS: dict[str, tuple[Panel, ...]] = {
    "Requests": (
        Panel(
            "Requests",
            "reqps",
            ((f"sum by (method) (rate(memi_http_request_seconds_count{_RATE}))", "{{method}}"),),
        ),
        Panel(
            "Time to the last byte",
            "s",
            ((_quantile(0.5, "le"), "p50"), (_quantile(0.95, "le"), "p95"), (_quantile(0.99, "le"), "p99")),
            alarm=1,
        ),
        Panel(
            "Failures",
            "reqps",
            (
                (
                    f'sum by (route, status) (rate(memi_http_request_seconds_count{{status=~"5.."}}{_RATE}))',
                    "{{status}} {{route}}",
                ),
            ),
            alarm=0.1,
        ),
        Panel("Slowest routes, p95", "s", ((f"topk(8, {_quantile(0.95, 'le, route')})", "{{route}}"),), alarm=1),
        Panel(
            "Refused by a limit", "reqps", ((f"sum by (limit) (rate(memi_rate_limited_total{_RATE}))", "{{limit}}"),)
        ),
        Panel("Open sockets", "short", (("sum(memi_sockets)", "sockets"),)),
    ),
    "Database and jobs": (
        Panel(
            "Connections in use",
            "percentunit",
            (("sum by (pool) (memi_pool_connections) / sum by (pool) (memi_pool_limit)", "{{pool}}"),),
            alarm=0.9,
        ),
        Panel("Jobs due or running", "short", (("memi_queue_depth", "{{job}}"),), alarm=10_000),
        Panel(
            "Age of the oldest due reaction",
            "s",
            (("memi_outbox_lag_seconds", "seconds"),),
            alarm=60,
            says="What a change leads to (notifications, usage, search) is this far behind.",
        ),
        Panel("Jobs by outcome", "ops", ((f"sum by (outcome) (rate(memi_jobs_total{_RATE}))", "{{outcome}}"),)),
        Panel(
            "Jobs given up",
            "short",
            (('sum by (job) (increase(memi_jobs_total{outcome="dead"}[1h]))', "{{job}}"),),
            alarm=1,
            says="Look at them and retry or discard them: GET /api/v1/admin/jobs/dead.",
        ),
        Panel(
            "Passwords",
            "ops",
            ((f"sum(rate(memi_password_hashes_total{_RATE}))", "hashed"), ("sum(memi_password_queue)", "waiting")),
        ),
    ),
    "People hear of things": (
        Panel("Notifications", "ops", ((f"sum by (type) (rate(memi_notifications_total{_RATE}))", "{{type}}"),)),
        Panel("Mails", "ops", ((f"sum by (outcome) (rate(memi_mails_total{_RATE}))", "{{outcome}}"),)),
        Panel(
            "Mails that should have left",
            "short",
            (("memi_mails_due", "mails"), ("memi_mails_oldest_due_seconds", "seconds since the first is due")),
            alarm=900,
        ),
    ),
    "Trust": (
        Panel("Waiting for moderators", "short", (("memi_moderation_waiting", "{{kind}}s"),), alarm=100),
        Panel("Oldest that waits", "s", (("memi_moderation_oldest_seconds", "{{kind}}"),), alarm=86_400),
        Panel(
            "Entries of the audit log",
            "short",
            (("memi_audit_entries", "entries"),),
            says="It never falls. If it does, run `memi doctor --audit` at once.",
        ),
    ),
    "Payments": (
        Panel(
            "Calls of the payments service",
            "ops",
            ((f"sum by (purpose, outcome) (rate(memi_payment_calls_total{_RATE}))", "{{purpose}} {{outcome}}"),),
        ),
        Panel(
            "Events of the payments service",
            "ops",
            ((f"sum by (outcome) (rate(memi_payment_webhooks_total{_RATE}))", "{{outcome}}"),),
        ),
        Panel(
            "Circuit breaker",
            "short",
            (
                ("memi_payment_breaker", "{{state}}"),
                ("increase(memi_payment_breaker_opened_total[1h])", "opened in an hour"),
            ),
        ),
    ),
    "Usage, numbers and plug-ins": (
        Panel(
            "Usage events",
            "ops",
            ((f"sum by (outcome) (rate(memi_usage_events_total{_RATE}))", "{{outcome}}"),),
            says="Dropped ones were not written for want of room or time; nobody waited for them.",
        ),
        Panel("Age of the day's numbers", "s", (("memi_analytics_age_seconds", "seconds"),), alarm=3_600),
        Panel(
            "Calls of plug-ins",
            "ops",
            ((f"sum by (port, outcome) (rate(memi_intelligence_calls_total{_RATE}))", "{{port}} {{outcome}}"),),
        ),
        Panel(
            "Plug-ins left alone, or in the way",
            "short",
            (
                ("increase(memi_intelligence_breaker_opened_total[1h])", "{{port}} left alone"),
                ("increase(memi_intelligence_blocked_loop_total[1h])", "{{port}} blocked the loop"),
                ("increase(memi_intelligence_verdicts_dropped_total[1h])", "verdicts dropped"),
            ),
            alarm=1,
        ),
    ),
}


def _panel(panel: Panel, number: int, x: int, y: int) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if panel.alarm is not None:
        steps.append({"color": "red", "value": panel.alarm})
    return {
        "id": number,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.says,
        "datasource": _SOURCE,
        "gridPos": {"h": HEIGHT, "w": WIDTH // COLUMNS, "x": x, "y": y},
        "fieldConfig": {
            "defaults": {
                "unit": panel.unit,
                "min": 0,
                "thresholds": {"mode": "absolute", "steps": steps},
                "custom": {"thresholdsStyle": {"mode": "dashed" if panel.alarm is not None else "off"}},
            },
            "overrides": [],
        },
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [
            {"refId": chr(ord("A") + place), "datasource": _SOURCE, "expr": expression, "legendFormat": legend}
            for place, (expression, legend) in enumerate(panel.queries)
        ],
    }


def dashboard() -> dict[str, Any]:
    panels: list[dict[str, Any]] = []
    y = 0
    for title, row in ROWS.items():
        grid = {"h": 1, "w": WIDTH, "x": 0, "y": y}
        panels.append({"id": len(panels) + 1, "type": "row", "title": title, "collapsed": False, "gridPos": grid})
        y += 1
        for place, panel in enumerate(row):
            line, column = divmod(place, COLUMNS)
            panels.append(_panel(panel, len(panels) + 1, column * (WIDTH // COLUMNS), y + line * HEIGHT))
        y += -(-len(row) // COLUMNS) * HEIGHT
    variable = {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    return {
        "uid": "memi",
        "title": "memi",
        "tags": ["memi"],
        "timezone": "utc",
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [variable]},
        "panels": panels,
    }


def text() -> str:
    return json.dumps(dashboard(), indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
