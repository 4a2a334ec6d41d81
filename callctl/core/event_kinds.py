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
    }
)

EVENT_SCOPES: Mapping[EventKind, Scope] = MappingProxyType(
    {
        kind: {"recording": Scope.RECORDINGS_READ, "package": Scope.PACKAGES_READ}.get(
            kind.partition(".")[0], Scope.CALLS_READ
        )
        for kind in EventKind
    }
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
    }
)
"""Which of the shapes of docs/events.md the `data` of a kind has."""
