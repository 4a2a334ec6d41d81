"""Every metric, declared once; `/metrics` shows them in Prometheus' text format."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

REGISTRY = CollectorRegistry()

HTTP_REQUESTS = Counter(
    "callctl_http_requests_total",
    "Answered requests by method, declared path and status.",
    ["method", "path", "status"],
    registry=REGISTRY,
)
HTTP_SECONDS = Histogram(
    "callctl_http_request_seconds",
    "Time from a request's arrival to the end of its answer.",
    ["method", "path"],
    registry=REGISTRY,
)
HTTP_CONNECTIONS_CLOSED = Counter(
    "callctl_http_connections_closed_total",
    "Connections closed by the web server, by reason: evicted (the oldest of too many), full (all "
    "at work), slow_request, idle, slow_reader.",
    ["reason"],
    registry=REGISTRY,
)
DATABASE_ERRORS = Counter(
    "callctl_database_unavailable_total",
    "Statements that found no PostgreSQL.",
    registry=REGISTRY,
)
PLANS = Counter(
    "callctl_plans_total",
    "Plans handed to Asterisk, by direction.",
    ["direction"],
    registry=REGISTRY,
)
AGI_SESSIONS = Counter(
    "callctl_agi_sessions_total",
    "FastAGI sessions by outcome: plan, failure (Asterisk uses its fallback), refused, gone, "
    "evicted (the oldest of too many).",
    ["outcome"],
    registry=REGISTRY,
)
AGI_SECONDS = Histogram(
    "callctl_agi_session_seconds",
    "Time of a FastAGI session from accept to close.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2),
    registry=REGISTRY,
)
AMI_CONNECTED = Gauge(
    "callctl_ami_connected", "1 while logged in to Asterisk's manager interface.", registry=REGISTRY
)
AMI_CONNECTS = Counter(
    "callctl_ami_connects_total", "Logins to the manager interface.", registry=REGISTRY
)
AMI_TROUBLE = Counter(
    "callctl_ami_trouble_total",
    "Connections, messages, events and consumers of the manager interface that failed, by reason.",
    ["what", "reason"],
    registry=REGISTRY,
)
JOURNAL_ROWS = Counter(
    "callctl_journal_rows_total", "Journal rows that were read and stored.", registry=REGISTRY
)
JOURNAL_QUARANTINED = Counter(
    "callctl_journal_quarantined_total",
    "Pieces of the journal that are no row, kept aside for a person to look at.",
    registry=REGISTRY,
)
JOURNAL_LAG_BYTES = Gauge(
    "callctl_journal_lag_bytes", "Bytes of the journal not yet stored.", registry=REGISTRY
)
CALLS_OPEN = Gauge("callctl_calls_open", "Calls whose end is not read yet.", registry=REGISTRY)
CALLS_STORED = Counter(
    "callctl_calls_stored_total",
    "Call records written, by direction and disposition.",
    ["direction", "disposition"],
    registry=REGISTRY,
)
RECORDINGS = Counter(
    "callctl_recordings_total",
    "Recordings by what became of them: available, missing, deleted.",
    ["state"],
    registry=REGISTRY,
)
EXPORTS = Counter(
    "callctl_exports_total",
    "Exports by what became of them: done, failed, cancelled.",
    ["state"],
    registry=REGISTRY,
)
UNITS_FAILED = Counter(
    "callctl_units_failed_total",
    "Units of work (request, call, session, job) that ended in an unexpected error.",
    ["unit"],
    registry=REGISTRY,
)
LIMITED = Counter(
    "callctl_limited_total",
    "Calls to the outside over a limit, by what was done (warn, hold, block) and the limit.",
    ["action", "limit"],
    registry=REGISTRY,
)
WITHOUT_MONEY = Counter(
    "callctl_calls_without_money_total",
    "Calls to the outside that were refused for want of money, by reason.",
    ["reason"],
    registry=REGISTRY,
)
PAID_CALLS = Gauge(
    "callctl_paid_calls",
    "Calls that money is reserved for, until they are charged.",
    registry=REGISTRY,
)
OUTSIDE_CALLS = Gauge(
    "callctl_outside_calls", "Calls to the outside that are counted as going on.", registry=REGISTRY
)
HOLDS_WAITING = Gauge(
    "callctl_holds_waiting", "Held destinations that nobody has decided on yet.", registry=REGISTRY
)
PROVISIONED = Counter(
    "callctl_provisioned_total",
    "Changes written for Asterisk and reloaded, by result: done, failed.",
    ["result"],
    registry=REGISTRY,
)

ALARMS_RAISED = Gauge(
    "callctl_alarms_raised", "Alarms that are raised now, by code.", ["code"], registry=REGISTRY
)
DISK_FREE = Gauge(
    "callctl_disk_free_bytes",
    "Free space where calls are written; places on one file system are named together.",
    ["places"],
    registry=REGISTRY,
)
EVENT_STREAMS = Gauge(
    "callctl_event_streams", "Open streams of `GET /api/v1/events`.", registry=REGISTRY
)
EVENT_STREAMS_DROPPED = Counter(
    "callctl_event_streams_dropped_total",
    "Streams closed because their client took nothing.",
    registry=REGISTRY,
)
WEBHOOK_ATTEMPTS = Counter(
    "callctl_webhook_attempts_total",
    "Attempts to deliver an event to a webhook, by result: delivered, later, failed.",
    ["result"],
    registry=REGISTRY,
)
NOTICE_MAILS = Counter(
    "callctl_notice_mails_total",
    "Attempts to mail a notice, by result: sent, later, failed.",
    ["result"],
    registry=REGISTRY,
)


def render_metrics() -> bytes:
    """All metrics as Prometheus' text format."""
    return generate_latest(REGISTRY)
