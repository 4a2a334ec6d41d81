"""What callctl tells others of, declared once: webhooks, the live stream and their documents."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from callctl.core.permissions import Scope


class EventKind(StrEnum):
    """The kind of an event, as webhooks and the live stream name it."""

    CALL_RINGING = "call.ringing"
    CALL_ANSWERED = "call.answered"
    CALL_ENDED = "call.ended"
    CALL_MISSED = "call.missed"
    CALL_CHANGED = "call.changed"
    CALL_TOO_LONG = "call.too_long"
    RECORDING_READY = "recording.ready"
    RECORDING_FAILED = "recording.failed"
    CLIENT_REGISTERED = "client.registered"
    PACKAGE_PAID = "package.paid"
    PACKAGE_ENDING = "package.ending"
    PACKAGE_ENDED = "package.ended"
    FUNDS_RECEIVED = "funds.received"
    TRANSFER_CREATED = "transfer.created"
    TRANSFER_APPROVED = "transfer.approved"
    TRANSFER_REJECTED = "transfer.rejected"
    INVOICE_REQUESTED = "invoice.requested"
    INVOICE_CHANGED = "invoice.changed"


EVENT_MEANINGS: Mapping[EventKind, str] = MappingProxyType(
    {
        EventKind.CALL_RINGING: "A call has begun to ring somebody.",
        EventKind.CALL_ANSWERED: "The two parties of a call are connected.",
        EventKind.CALL_ENDED: "A call is over and its record is stored.",
        EventKind.CALL_MISSED: "An inbound call is over, and nobody took it.",
        EventKind.CALL_CHANGED: "A stored record was rebuilt from rows that came late.",
        EventKind.CALL_TOO_LONG: "A call has lasted longer than its threshold.",
        EventKind.RECORDING_READY: "A recording can be listened to.",
        EventKind.RECORDING_FAILED: "A recording that was begun has left no usable file.",
        EventKind.CLIENT_REGISTERED: "A caller who was not known is a client now.",
        EventKind.PACKAGE_PAID: "A package was activated, renewed or got more seats.",
        EventKind.PACKAGE_ENDING: "A package ends in some days.",
        EventKind.PACKAGE_ENDED: "A package is over, and was not renewed.",
        EventKind.FUNDS_RECEIVED: "Money came into the account's wallet.",
        EventKind.TRANSFER_CREATED: "A transfer to the superior awaits audit.",
        EventKind.TRANSFER_APPROVED: "A transfer was approved, and paid.",
        EventKind.TRANSFER_REJECTED: "A transfer was rejected.",
        EventKind.INVOICE_REQUESTED: "An account directly below asks for an invoice.",
        EventKind.INVOICE_CHANGED: "One's own invoice request was invoiced, paid or declined.",
    }
)

_SCOPES_BY_SUBJECT = {
    "funds": Scope.LEDGER_READ,
    "invoice": Scope.LEDGER_READ,
    "package": Scope.PACKAGES_READ,
    "recording": Scope.RECORDINGS_READ,
    "transfer": Scope.LEDGER_READ,
}

EVENT_SCOPES: Mapping[EventKind, Scope] = MappingProxyType(
    {kind: _SCOPES_BY_SUBJECT.get(kind.partition(".")[0], Scope.CALLS_READ) for kind in EventKind}
    | {EventKind.INVOICE_REQUESTED: Scope.INVOICES_WRITE}
)
"""The scope that somebody needs to be told of each kind."""

EVENT_FIELDS: Mapping[EventKind, str] = MappingProxyType(
    {
        EventKind.CALL_RINGING: "live",
        EventKind.CALL_ANSWERED: "live",
        EventKind.CALL_ENDED: "record",
        EventKind.CALL_MISSED: "record",
        EventKind.CALL_CHANGED: "record",
        EventKind.CALL_TOO_LONG: "too_long",
        **{
            kind: "money"
            for kind in EventKind
            if kind.startswith(("funds.", "transfer.", "invoice."))
        },
    }
)
"""Which of the shapes of docs/events.md the `data` of a kind has."""
