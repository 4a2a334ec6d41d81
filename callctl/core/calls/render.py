"""A call record as the JSON object of `callctl journal build`: a contract (docs/journal.md)."""

from typing import Any

from callctl.core.calls.record import CallRecord, Disposition
from callctl.core.routing.plan import Direction


def epoch_seconds(us: int | None) -> float | None:
    """Microseconds as seconds with six decimals; a double holds today's epochs exactly so."""
    return None if us is None else us / 1_000_000


def record_as_json(call: CallRecord) -> dict[str, Any]:
    """The contract's keys, in its order, then what only callctl's own rows can tell."""
    answered = call.answered_us
    return {
        "call_id": call.call_id,
        "linkedids": list(call.linkedids),
        "direction": call.direction.value,
        "from_number": call.from_number,
        "from_name": call.from_name,
        "extension": call.extension,
        "to_number": call.to_number,
        "answered_by": call.answered_by,
        "destination_number": call.destination_number,
        "started_at": epoch_seconds(call.started_us),
        "answered_at": epoch_seconds(answered),
        "ended_at": epoch_seconds(call.ended_us),
        "wait_seconds": wait_seconds(call),
        "talk_seconds": talk_seconds(call),
        "total_seconds": total_seconds(call),
        "disposition": call.disposition.value,
        "attempts": [
            {
                "extension": a.extension,
                "number": a.number,
                "endpoint": a.endpoint,
                "started_at": epoch_seconds(a.started_us),
                "seconds": a.seconds,
                "result": a.result.value,
                "cause": a.cause,
            }
            for a in call.attempts
        ],
        "legs": [
            {
                "channel": leg.channel,
                "endpoint": leg.endpoint,
                "extension": leg.extension,
                "number": leg.number,
                "started_at": epoch_seconds(leg.started_us),
                "answered_at": epoch_seconds(leg.answered_us),
                "ended_at": epoch_seconds(leg.ended_us),
                "cause": leg.cause,
            }
            for leg in call.legs
        ],
        "recordings": [
            {"file": r.file, "started_at": epoch_seconds(r.started_us)} for r in call.recordings
        ],
        "completeness": call.completeness.value,
        "did": call.did,
        "route": call.route,
        "why": [{"code": r.code, "subject": r.subject, "detail": r.detail} for r in call.why],
    }


def wait_seconds(call: CallRecord) -> float:
    """Start to answer, or to the end of a call that nobody answered."""
    until = call.ended_us if call.answered_us is None else call.answered_us
    return max(0, until - call.started_us) / 1_000_000


def talk_seconds(call: CallRecord) -> float:
    """Answer to end; 0 without an answer (R001-14)."""
    return 0.0 if call.answered_us is None else max(0, call.ended_us - call.answered_us) / 1_000_000


def total_seconds(call: CallRecord) -> float:
    return (call.ended_us - call.started_us) / 1_000_000


def is_missed(record: CallRecord) -> bool:
    """Inbound, not answered, not refused by a rule (docs/journal.md)."""
    blocked = record.disposition is Disposition.REJECTED and not record.attempts
    return (
        record.direction is Direction.INBOUND
        and record.disposition is not Disposition.ANSWERED
        and not blocked
    )


def involved_extensions(record: CallRecord) -> list[str]:
    """Every extension with a part in the call, once each."""
    names = [record.extension, record.answered_by, *(a.extension for a in record.attempts)]
    names += [leg.extension for leg in record.legs]
    return [n for n in dict.fromkeys(names) if n]
