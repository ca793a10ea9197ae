"""Prometheus metrics. Route labels are templates, never paths, so their number is bounded."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess

LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

REQUESTS = Histogram(
    "memi_http_request_seconds",
    "Time to the last byte, by route template.",
    ("method", "route", "status"),
    buckets=LATENCY_BUCKETS,
)
JOBS = Counter("memi_jobs_total", "Job runs by outcome (done, postponed, failed, dead).", ("job", "outcome"))
QUEUE_DEPTH = Gauge("memi_queue_depth", "Jobs due or running.", ("job",), multiprocess_mode="mostrecent")
OUTBOX_LAG = Gauge(
    "memi_outbox_lag_seconds", "Age of the oldest due job of a durable event.", multiprocess_mode="mostrecent"
)
SOCKETS = Gauge("memi_sockets", "Open WebSocket connections.", multiprocess_mode="livesum")
POOL_USED = Gauge("memi_pool_connections", "Database connections in use.", ("pool",), multiprocess_mode="livesum")
POOL_LIMIT = Gauge("memi_pool_limit", "Database connections allowed.", ("pool",), multiprocess_mode="livesum")
RATE_LIMITED = Counter("memi_rate_limited_total", "Calls refused by a limit.", ("limit",))
PASSWORD_HASHES = Counter("memi_password_hashes_total", "Passwords hashed or verified.")
PASSWORD_QUEUE = Gauge("memi_password_queue", "Passwords being or waiting to be hashed.", multiprocess_mode="livesum")
NOTIFICATIONS = Counter("memi_notifications_total", "Notifications made, by their type.", ("type",))
MAILS = Counter(
    "memi_mails_total",
    "Mails by what became of them: sent, refused for good, turned away for now, or lost track of.",
    ("outcome",),
)
MAILS_DUE = Gauge(
    "memi_mails_due", "Mails of notifications that are due, counted to 10,000.", multiprocess_mode="mostrecent"
)
MAILS_OLDEST_DUE = Gauge(
    "memi_mails_oldest_due_seconds", "Since when the first of them is due.", multiprocess_mode="mostrecent"
)
MODERATION_WAITING = Gauge(
    "memi_moderation_waiting", "Open reports and appeals, counted to 1,000.", ("kind",), multiprocess_mode="mostrecent"
)
MODERATION_OLDEST = Gauge(
    "memi_moderation_oldest_seconds", "Age of the oldest of them.", ("kind",), multiprocess_mode="mostrecent"
)
AUDIT_ENTRIES = Gauge("memi_audit_entries", "Entries in the audit log; it never falls.", multiprocess_mode="mostrecent")
ANALYTICS_AGE = Gauge(
    "memi_analytics_age_seconds", "Since when no day's numbers were counted.", multiprocess_mode="mostrecent"
)
USAGE_EVENTS = Counter(
    "memi_usage_events_total", "Usage events that were written, or dropped for want of room or time.", ("outcome",)
)
PAYMENT_CALLS = Counter("memi_payment_calls_total", "Calls of the payments service.", ("purpose", "outcome"))
PAYMENT_WEBHOOKS = Counter("memi_payment_webhooks_total", "Genuine events of the payments service.", ("outcome",))
PAYMENT_BREAKER = Gauge(
    "memi_payment_breaker",
    "1 for the state that the circuit breaker before the payments service is in.",
    ("state",),
    multiprocess_mode="mostrecent",
)
PAYMENT_BREAKER_OPENED = Counter("memi_payment_breaker_opened_total", "How often that circuit breaker opened.")
INTELLIGENCE_CALLS = Counter("memi_intelligence_calls_total", "Calls of plug-ins.", ("port", "outcome"))
INTELLIGENCE_BREAKER_OPENED = Counter(
    "memi_intelligence_breaker_opened_total", "How often a plug-in was left alone for a while.", ("port",)
)
INTELLIGENCE_BLOCKED = Counter(
    "memi_intelligence_blocked_loop_total", "How often a plug-in kept the event loop to itself.", ("port",)
)
INTELLIGENCE_DROPPED = Counter("memi_intelligence_verdicts_dropped_total", "Verdicts that were not written down.")


def render(multiprocess_dir: str | None) -> bytes:
    """The exposition text of this process, or of all processes that share `multiprocess_dir`."""
    if multiprocess_dir is None:
        return generate_latest()
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry, path=multiprocess_dir)  # pyright: ignore[reportUnknownMemberType]
    return generate_latest(registry)
