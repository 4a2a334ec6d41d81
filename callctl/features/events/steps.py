"""Events of calls that are over: written in the transaction that stores the call, so once each."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from callctl.core.calls.record import StoredRecord
from callctl.core.calls.render import (
    involved_extensions,
    is_missed,
    talk_seconds,
    total_seconds,
    wait_seconds,
)
from callctl.core.event_kinds import EventKind
from callctl.core.money.call_costs import NO_COST, CallCost
from callctl.db.outbox import OutboxEvent, append_events

RECORD_FIELDS = (
    "id", "call_id", "direction", "disposition", "missed", "from_number", "from_name", "to_number",
    "customer_number", "extension", "answered_by", "did", "started_at", "answered_at", "ended_at",
    "wait_seconds", "talk_seconds", "total_seconds", "has_recording", "extensions", "cost",
    "currency", "cost_reason",
)  # fmt: skip
"""The data of a stored call's events (docs/events.md)."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


CostOf = Callable[[int], CallCost]
"""What the call with this id costs its account, as the steps before have it."""


async def tell_stored_calls(
    connection: Any, calls: Sequence[StoredRecord], cost_of: CostOf = lambda _: NO_COST
) -> None:
    """A `StoreStep`: `call.ended` and `call.missed` of a new record, `call.changed` of one that
    was rebuilt."""
    events = [event for call in calls for event in events_of(call, cost_of(call.id))]
    await append_events(connection, events)


def events_of(call: StoredRecord, cost: CallCost) -> list[OutboxEvent]:
    """The events of one record, in order."""
    kinds = [EventKind.CALL_ENDED] if call.new else [EventKind.CALL_CHANGED]
    if call.new and is_missed(call.record):
        kinds.append(EventKind.CALL_MISSED)
    data = describe(call, cost)
    subject = f"call:{call.record.call_id}"
    return [OutboxEvent(call.account_id, kind, subject, data) for kind in kinds]


def describe(call: StoredRecord, cost: CallCost) -> dict[str, Any]:
    """A record as the data of its events: the words of the call list."""
    record = call.record
    answered = record.answered_us
    return {
        "id": call.id,
        "call_id": record.call_id,
        "direction": record.direction.value,
        "disposition": record.disposition.value,
        "missed": is_missed(record),
        "from_number": call.from_number,
        "from_name": record.from_name,
        "to_number": call.to_number,
        "customer_number": call.customer_number,
        "extension": record.extension,
        "answered_by": record.answered_by,
        "did": record.did,
        "started_at": _instant(record.started_us),
        "answered_at": None if answered is None else _instant(answered),
        "ended_at": _instant(record.ended_us),
        "wait_seconds": wait_seconds(record),
        "talk_seconds": talk_seconds(record),
        "total_seconds": total_seconds(record),
        "has_recording": bool(record.recordings),
        "extensions": involved_extensions(record),
        "cost": cost.amount,
        "currency": cost.currency,
        "cost_reason": cost.reason,
    }


def _instant(us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=us)
