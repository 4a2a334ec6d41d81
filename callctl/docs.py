"""Reference pages that are made from the code's own tables: ``python -m callctl.docs``."""

import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

from callctl.config import DEFAULT_CONFIG_FILE, Settings, environment_name, rule_of
from callctl.core.changes import ACTIONS
from callctl.core.checks.alarms import ALARMS
from callctl.core.errors import ERRORS
from callctl.core.event_kinds import EVENT_FIELDS, EVENT_MEANINGS, EVENT_SCOPES
from callctl.core.permissions import ROLE_SCOPES, SCOPE_MEANINGS, WHOLE_ACCOUNT_SCOPES
from callctl.db.funds import RECEIVED_FIELDS
from callctl.features.checks.doctor.catalogue import CHECKS
from callctl.features.events.model import LiveCallView
from callctl.features.events.steps import RECORD_FIELDS
from callctl.features.long_calls.service import TOO_LONG_FIELDS
from callctl.features.reports.catalogue import REPORTS, Report
from callctl.telemetry.metrics import REGISTRY

_MADE = "<!-- Made by `python -m callctl.docs`; change the table in the code. -->"


def render_settings() -> str:
    """docs/settings.md."""
    types = get_type_hints(Settings)
    lines = [
        "# Settings",
        "",
        _MADE,
        "",
        "Set them in the TOML file that `CALLCTL_CONFIG` names (else",
        f"`{DEFAULT_CONFIG_FILE}`, if it is there), or in the environment, which wins. A relative",
        "path is beneath `state_dir`. An unknown name, a wrong type or a value out of range stops",
        "the start with a line that says what is wrong and where. `callctl check-config` tells",
        "without starting anything.",
        "",
        "```toml",
        'database_url = "postgresql://callctl:secret@db.example.org/callctl"',
        "http_port = 8080",
        "```",
        "",
        "| In the file | In the environment | Type | Default | Meaning |",
        "|---|---|---|---|---|",
    ]
    for item in fields(Settings):
        rule = rule_of(item)
        meaning = rule.help + (" Secret." if rule.secret else "")
        kind = " or ".join(f"`{choice}`" for choice in rule.choices) or _type_name(types[item.name])
        bounds = _bounds(rule.minimum, rule.maximum)
        lines.append(
            f"| `{item.name}` | `{environment_name(item.name)}` | {kind}{bounds} "
            f"| {_default(item.default)} | {meaning} |"
        )
    return "\n".join(lines) + "\n"


def render_errors() -> str:
    """docs/errors.md."""
    lines = [
        "# Errors",
        "",
        _MADE,
        "",
        "Whatever goes wrong, the API answers in one shape:",
        "",
        "```json",
        '{"error": {"code": "invalid_field", "message": "Expected int >= 1", "field": "query.a"}}',
        "```",
        "",
        "`code` is stable and is what a program should look at; `message` is for people and may",
        "change. `field` names the field that is wrong, `detail` holds more where there is more.",
        "The header `X-Request-Id` leads to the lines of the log.",
        "",
        "| Status | Code | It means | What to do |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {error.status} | `{error.code}` | {error.meaning} | {error.remedy} |"
        for error in sorted(ERRORS.values(), key=lambda error: error.status)
    ]
    return "\n".join(lines) + "\n"


def render_permissions() -> str:
    """docs/permissions.md."""
    roles = list(ROLE_SCOPES)
    lines = [
        "# Permissions",
        "",
        _MADE,
        "",
        "A person has the scopes of the role, plus those granted, less those withdrawn one by one",
        "([people](people.md)). A token has the scopes that it was issued with, as far as whoever",
        "issued it has them still. Scopes marked * reach over the whole account: they cannot be",
        "granted to a group leader or a manager. `system:read` is for the operator's people, and",
        "`accounts:…` for those of an account that can have others below.",
        "",
        "| Scope | It allows to | "
        + " | ".join(role.replace("_", " ").capitalize() for role in roles)
        + " |",
        "|---|---|" + "---|" * len(roles),
    ]
    for scope, meaning in SCOPE_MEANINGS.items():
        held = " | ".join("yes" if scope in ROLE_SCOPES[role] else "–" for role in roles)
        mark = "*" if scope in WHOLE_ACCOUNT_SCOPES else ""
        lines.append(f"| `{scope}`{mark} | {meaning} | {held} |")
    return "\n".join(lines) + "\n"


def render_audit() -> str:
    """docs/audit.md."""
    lines = [
        "# The log of changes: what is in it",
        "",
        _MADE,
        "",
        "`GET /api/v1/audit` reads it, `action` narrows it ([people](people.md)). Favourites",
        "and signing in are no changes, nor is reading, but of passwords; who listened to what is",
        "in `GET /api/v1/recording-accesses`.",
        "",
        "| Action | It means |",
        "|---|---|",
    ]
    lines += [f"| `{action}` | {meaning} |" for action, meaning in ACTIONS.items()]
    return "\n".join(lines) + "\n"


def render_metrics_reference() -> str:
    """docs/metrics.md."""
    lines = [
        "# Metrics",
        "",
        _MADE,
        "",
        "`GET /metrics` shows them in Prometheus' text format.",
        "",
        "| Metric | Kind | Meaning |",
        "|---|---|---|",
    ]
    for family in sorted(REGISTRY.collect(), key=lambda family: family.name):
        name = family.name + ("_total" if family.type == "counter" else "")
        lines.append(f"| `{name}` | {family.type} | {family.documentation} |")
    return "\n".join(lines) + "\n"


def render_alarms() -> str:
    """docs/alarms.md."""
    lines = [
        "# Alarms",
        "",
        _MADE,
        "",
        "callctl checks itself, Asterisk and the disks every `check_seconds`. What it finds wrong",
        "is an alarm: raised once, cleared by itself when it is over. It shows",
        "",
        "- in the log, as `alarm_raised` and `alarm_cleared`;",
        "- in `GET /metrics`, as `callctl_alarms_raised{code=…}`, and in `GET /readyz`: both also",
        "  while PostgreSQL is away;",
        "- in `GET /api/v1/system/alarms` (scope `system:read`), with those that were cleared;",
        "- on every page of the console, for who may see how the system is doing.",
        "",
        "*Critical* cannot wait for the morning. [Operations](operations.md) has the steps.",
        "",
        "| Alarm | Severity | It means | What to do |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| `{kind.code}` | {kind.severity} | {kind.meaning} | {kind.remedy} |"
        for kind in ALARMS.values()
    ]
    return "\n".join(lines) + "\n"


def render_doctor() -> str:
    """docs/doctor.md."""
    lines = [
        "# callctl doctor",
        "",
        _MADE,
        "",
        "    callctl doctor [--json] [--strict] [--asterisk-conf DIR]",
        "",
        "looks at Asterisk, PostgreSQL, the machine and callctl, changes nothing, and says what is",
        "wrong with the fix. It works while any of them is away; what cannot be seen then is",
        "`skipped`. Exit codes: 0 no error, 1 warnings (with `--strict`), 2 errors. Run it as root",
        "or as callctl's user; root sees more. What the daemon of the same `state_dir` runs with",
        "stands in for settings that are not given.",
        "",
        "| Check | It looks whether | Why | What to do |",
        "|---|---|---|---|",
    ]
    lines += [f"| `{check.code}` | {check.what} | {check.why} | {check.fix} |" for check in CHECKS]
    return "\n".join(lines) + "\n"


def render_reports() -> str:
    """docs/reports.md."""
    lines = [
        "# Reports",
        "",
        _MADE,
        "",
        "`GET /api/v1/reports` lists them, `GET /api/v1/reports/{name}` reads one (scope",
        "`reports:read`), `POST /api/v1/exports` writes one, or the call list, as CSV or XLSX.",
        "A report counts only calls that the reader's rights show; a supervisor who listens to one",
        "has none. A call that was stored late, rebuilt, merged or deleted changes the sums in the",
        "same transaction; `callctl journal rollups verify` holds them against a recount. Periods",
        "are days of the account's zone, half open: `since=2026-03-01&until=2026-04-01` is March.",
        "",
        "*Answered*: the caller reached a person. *Missed*: inbound, not answered, not refused by",
        "a rule. `GET /api/v1/dashboard?period=today|3d|7d` shows the calls of today or of the",
        "last 3 or 7 days with today, and the 20 outside numbers with the latest successful, and",
        "missed, calls. `POST /api/v1/callbacks/{number_id}/settle` ends a callback by hand,",
        "`PUT /api/v1/callbacks/{number_id}/owner`",
        "makes an extension responsible.",
        "",
    ]
    for report in REPORTS.values():
        lines += _report_section(report)
    return "\n".join(lines).rstrip() + "\n"


def _report_section(report: Report) -> list[str]:
    formula = ["", f"Formula: {report.formula}."] if report.formula else []
    parameters = [f"| `{item.name}` | {item.meaning} |" for item in report.parameters]
    columns = [f"| `{item.name}` | {item.meaning} |" for item in report.columns]
    return [
        f"## {report.title}: `{report.name}`",
        "",
        report.definition,
        *formula,
        "",
        f"Cost: {report.cost}",
        "",
        "| Parameter | Meaning |",
        "|---|---|",
        *parameters,
        "",
        "| Column | Meaning |",
        "|---|---|",
        *columns,
        "",
    ]


_EVENTS = """
## An event

```json
{"id": 4711, "kind": "call.ended", "subject": "call:callctl-1795361482.0",
 "created_at": "2026-11-27T10:00:00Z", "data": {"id": 12, "talk_seconds": 61.2}}
```

- `subject` is what the event is about; a call's is `call:` and its `call_id`. Events of one
  subject come in the order in which they happened.
- `call.ended`, `call.missed` and `call.changed` are written in the transaction that stores
  the record: once per call, and never for a call that is not stored. `call.too_long` comes
  once per call, while it lasts or with its record.
- `call.ringing` and `call.answered` come while it is news, within a second: for calls that
  callctl reads of half a minute late or more (it was stopped, PostgreSQL was away) they are
  not told. What became of such a call is told by `call.ended`.
- Somebody who may see only some extensions' calls is told of those only.
- Events are kept for `event_retention_days`.

## The stream

Server-sent events, as `EventSource` of a browser reads them. `Last-Event-ID` resumes after
that event: none is lost, none comes twice. Every 15 seconds there is a sign of life with
the position; after 15 minutes the stream ends, and the client connects again. An event
`lost` says that events after the given id were deleted already. A client that takes
nothing for 10 seconds is dropped. `event_streams` may be open at once.

## Webhooks

One POST per event with `Callctl-Event`, `Callctl-Delivery`, `Callctl-Timestamp` and
`Callctl-Signature`: `v1=` and the HMAC-SHA256, in hexadecimal, of the timestamp, a dot and
the body, with the webhook's secret; several, by commas, after the secret was replaced.
Refuse what is older than five minutes.

- Answer 2xx within 10 seconds. Anything else, a redirect too, is tried again: after 5
  seconds, then twice as long each time up to an hour, for three days.
- An event may come twice: `Callctl-Delivery` is then the same, also when it is replayed.
- Events of one subject wait for each other; those of others go on.
- After a day without any success the webhook is paused, with a notice; what waits is kept.
  `PATCH` it to `active` and it goes on. While it is not active nothing new is put in line:
  `POST …/replay` with a period sends that.
- A target within the house (loopback, private, link-local) is refused unless the setting
  `webhook_networks` names its network.
"""


def render_events() -> str:
    """docs/events.md."""
    lines = [
        "# Events",
        "",
        _MADE,
        "",
        "What happens is told in three ways, always in the same words: as a stream",
        "(`GET /api/v1/events`), to webhooks (`/api/v1/webhooks`), and by `callctl.client`.",
        "[The API](api.md) has examples.",
        "",
        "| Kind | It means | Needs the scope | `data` |",
        "|---|---|---|---|",
    ]
    for kind, meaning in EVENT_MEANINGS.items():
        shape = EVENT_FIELDS.get(kind)
        data = f"[{shape}](#{shape})" if shape else "as its feature says"
        lines.append(f"| `{kind.value}` | {meaning} | `{EVENT_SCOPES[kind].value}` | {data} |")
    lines += [
        _EVENTS,
        "## live",
        "",
        f"The words of `GET /api/v1/calls/live`: {_names(LiveCallView.__struct_fields__)}.",
        "`ringing` is who has just begun to ring.",
        "",
        "## record",
        "",
        f"The words of `GET /api/v1/calls`: {_names(RECORD_FIELDS)}.",
        "",
        "## too_long",
        "",
        f"The call's {_names(TOO_LONG_FIELDS)}; `id` is null while it lasts.",
        "",
        "## money",
        "",
        f"`funds.received`: {_names(RECEIVED_FIELDS)}. `transfer.…`: the words of",
        "`GET /api/v1/transfers`. `invoice.…`: those of `GET /api/v1/invoice-requests`.",
    ]
    return "\n".join(lines) + "\n"


def _names(fields_: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in fields_)


PAGES = {
    "audit.md": render_audit,
    "events.md": render_events,
    "settings.md": render_settings,
    "errors.md": render_errors,
    "permissions.md": render_permissions,
    "metrics.md": render_metrics_reference,
    "alarms.md": render_alarms,
    "doctor.md": render_doctor,
    "reports.md": render_reports,
}


def stale_pages(directory: Path) -> list[str]:
    """Names of the pages in `directory` that differ from the code."""
    return [
        name
        for name, render in PAGES.items()
        if not (directory / name).is_file()
        or (directory / name).read_text(encoding="utf-8") != render()
    ]


def _type_name(kind: Any) -> str:
    names = {str: "text", int: "whole number", float: "number", Path: "path"}
    return names.get(kind, "text")


def _bounds(minimum: float | None, maximum: float | None) -> str:
    if minimum is not None and maximum is not None:
        return f", {minimum:g} to {maximum:g}"
    return "" if minimum is None else f", at least {minimum:g}"


def _default(value: object) -> str:
    return "" if value in (None, "") else f"`{value}`"


def main() -> int:
    """Write the pages into the checkout's docs directory; with ``--check`` only compare."""
    directory = Path(__file__).resolve().parent.parent / "docs"
    if "--check" in sys.argv[1:]:
        stale = stale_pages(directory)
        for name in stale:
            print(f"docs/{name} is not current: run python -m callctl.docs", file=sys.stderr)
        return 1 if stale else 0
    for name, render in PAGES.items():
        (directory / name).write_text(render(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
