"""Records of calls that another system has counted: less is known of them, nothing is guessed.

Asterisk's CDRs do not say who hung up, so a caller that gave up is NO_ANSWER here, never CANCELLED.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from callctl.core.calls.events import unique_key
from callctl.core.calls.inventory import Inventory, endpoint_of
from callctl.core.calls.record import Attempt, CallRecord, Completeness, Disposition, Leg
from callctl.core.calls.text import clean_name, clean_number, clean_text
from callctl.core.outcomes import AttemptResult
from callctl.core.routing.plan import Direction

Row = Mapping[str, str]

FREEPBX = "freepbx-cdr"
WAZO = "wazo"

_MOST_SECONDS = 30 * 86_400
_MICROSECOND = timedelta(microseconds=1)
_RESULTS = {
    "ANSWERED": AttemptResult.ANSWER,
    "NO ANSWER": AttemptResult.NOANSWER,
    "BUSY": AttemptResult.BUSY,
    "FAILED": AttemptResult.UNAVAILABLE,
    "CONGESTION": AttemptResult.UNAVAILABLE,
}


class NotImportable(ValueError):
    """A row that no record can be made of; the text says why."""


def build_cdr_call(rows: Sequence[Row], inventory: Inventory) -> CallRecord:
    """One call of all rows of Asterisk's table ``cdr`` that have its `linkedid`.

    `calldate` is local time of an unknown zone; unique ids are the seconds since the epoch, so they
    say when the call was. Raises NotImportable.
    """
    rows = sorted(rows, key=lambda r: (r.get("calldate", ""), _number(r.get("sequence") or "0")))
    first = rows[0]
    key = min((_known_id(r) for r in rows), key=unique_key)
    started_us, origin = unique_key(key)[0] * 1_000_000, _local(first)
    if _local(rows[-1]) - origin > timedelta(seconds=_MOST_SECONDS):
        raise NotImportable(f"rows of {rows[-1]['calldate']} belong to a call of {origin}")
    dials = [
        _dial(row, started_us + (_local(row) - origin) // _MICROSECOND, inventory) for row in rows
    ]
    attempts = tuple(d.attempt for d in dials if d.attempt is not None)
    answers = sorted((d for d in dials if d.answered_us is not None), key=_answered_us)
    caller = endpoint_of(first.get("channel", ""))
    direction = _direction(first, caller, attempts, inventory)
    inbound = direction is Direction.INBOUND
    extension = None if inbound else inventory.extension(caller)
    last = answers[-1].attempt if answers else attempts[-1] if attempts else None
    ended_us = max(d.ended_us for d in dials)
    call_id = f"{FREEPBX}:{key}"
    return CallRecord(
        call_id=call_id,
        linkedids=(call_id,),
        direction=direction,
        from_number=clean_number(first.get("src") or first.get("cnum") or "") or extension,
        from_name=clean_name(first.get("cnam") or ""),
        extension=extension,
        to_number=clean_number((inbound and first.get("did")) or first.get("dst", ""), keep=True),
        answered_by=answers[0].attempt.extension if answers and answers[0].attempt else None,
        destination_number=(last.number or last.extension) if last else None,
        started_us=started_us,
        answered_us=answers[0].answered_us if answers else None,
        ended_us=max(ended_us, started_us),
        disposition=_disposition(
            bool(answers), [d.result for d in dials if d.attempt] or [d.result for d in dials]
        ),
        attempts=attempts,
        legs=(_leg(call_id, first.get("channel", ""), caller, extension, started_us, ended_us),),
        recordings=(),
        completeness=Completeness.COMPLETE,
        did=clean_number(first.get("did") or "", keep=True) if inbound else None,
        trunk=_trunk(caller, attempts, inventory),
    )


@dataclass(frozen=True, slots=True)
class _Dial:
    """One row: what it ended in, and the device that was tried, if it was one."""

    result: AttemptResult
    ended_us: int
    attempt: Attempt | None = None
    answered_us: int | None = None


def _answered_us(dial: _Dial) -> int:
    return dial.answered_us or 0


def _dial(row: Row, started_us: int, inventory: Inventory) -> _Dial:
    duration, talk = _number(row.get("duration")), _number(row.get("billsec"))
    if duration > _MOST_SECONDS:
        raise NotImportable(f"a call of {duration} seconds")
    ended_us = started_us + duration * 1_000_000
    result = _RESULTS.get(row.get("disposition", "").upper())
    if result is None:
        raise NotImportable(f"disposition {clean_text(row.get('disposition', ''), 40)!r}")
    endpoint = endpoint_of(row.get("dstchannel", ""))
    if endpoint is None:
        return _Dial(result, ended_us)
    answered = result is AttemptResult.ANSWER
    wait = max(0, duration - talk) if answered else duration
    number = clean_number(row.get("dst", ""), keep=True) if inventory.is_trunk(endpoint) else None
    attempt = Attempt(
        inventory.extension(endpoint), number, endpoint, started_us, float(wait), result, 0
    )
    return _Dial(result, ended_us, attempt, started_us + wait * 1_000_000 if answered else None)


def build_wazo_call(row: Row) -> CallRecord:
    """One call of a line of Wazo's call log as CSV (``GET /cdr?format=csv``). Raises
    NotImportable."""
    id_ = clean_text(row.get("id", ""), 40)
    if not id_:
        raise NotImportable("has no id")
    try:
        direction = Direction(row.get("call_direction", ""))
    except ValueError:
        raise NotImportable("call_direction is none") from None
    started_us = _instant(row, "start")
    if started_us is None:
        raise NotImportable("start is empty")
    answered_us = _instant(row, "answer")
    ended_us = max(_instant(row, "end") or started_us, started_us, answered_us or started_us)
    inbound, outbound = direction is Direction.INBOUND, direction is Direction.OUTBOUND
    own = clean_number(row.get("source_internal_extension") or row.get("source_extension") or "")
    last = clean_number(
        row.get("destination_internal_extension") or row.get("destination_extension") or ""
    )
    extension = None if inbound else own
    answered_by = None if outbound or answered_us is None else last
    statuses = {"blocked": Disposition.REJECTED, "unknown": Disposition.UNKNOWN}
    unanswered = statuses.get(row.get("call_status", ""), Disposition.NO_ANSWER)
    call_id = f"{WAZO}:{id_}"
    return CallRecord(
        call_id=call_id,
        linkedids=(call_id,),
        direction=direction,
        from_number=clean_number(row.get("source_extension") or "") or extension,
        from_name=clean_name(row.get("source_name") or ""),
        extension=extension,
        to_number=clean_number(
            row.get("requested_extension") or row.get("destination_extension") or "", keep=True
        ),
        answered_by=answered_by,
        destination_number=clean_number(row.get("destination_extension") or "", keep=True),
        started_us=started_us,
        answered_us=answered_us,
        ended_us=ended_us,
        disposition=Disposition.ANSWERED if answered_us is not None else unanswered,
        attempts=(),
        legs=(_leg(call_id, "", None, extension, started_us, ended_us),),
        recordings=(),
        completeness=Completeness.COMPLETE,
    )


def _leg(
    id_: str, channel: str, endpoint: str | None, extension: str | None, start: int, end: int
) -> Leg:
    """What the caller's side had; its unique id marks where the call came from."""
    name = clean_text(channel, 200)
    return Leg(id_, name, endpoint, extension, None, start, None, end, None)


def _direction(
    first: Row, caller: str | None, attempts: Sequence[Attempt], inventory: Inventory
) -> Direction:
    if first.get("did") or inventory.is_trunk(caller):
        return Direction.INBOUND
    outside = (
        bool(first.get("outbound_cnum"))
        or any(inventory.is_trunk(a.endpoint) for a in attempts)
        or inventory.is_longer_than_extensions(first.get("dst", ""))
    )
    return Direction.OUTBOUND if outside else Direction.INTERNAL


def _disposition(answered: bool, results: Sequence[AttemptResult]) -> Disposition:
    """An answer by a machine (menu, voicemail) is none by a person."""
    if answered:
        return Disposition.ANSWERED
    if AttemptResult.NOANSWER in results or AttemptResult.ANSWER in results:
        return Disposition.NO_ANSWER
    return Disposition.BUSY if AttemptResult.BUSY in results else Disposition.FAILED


def _trunk(caller: str | None, attempts: Sequence[Attempt], inventory: Inventory) -> str | None:
    for endpoint in (caller, *(a.endpoint for a in reversed(attempts))):
        if endpoint is not None and inventory.is_trunk(endpoint):
            return endpoint.partition("/")[2]
    return None


def _known_id(row: Row) -> str:
    id_ = row.get("linkedid") or row.get("uniqueid") or ""
    seconds = unique_key(id_)[0]
    if not 0 < seconds < 1 << 35 or len(id_) > 80 or not id_.isprintable():
        raise NotImportable(f"{clean_text(id_, 40)!r} is no unique id")
    return id_


def _local(row: Row) -> datetime:
    try:
        return datetime.fromisoformat(row.get("calldate", "")).replace(tzinfo=None)
    except ValueError:
        raise NotImportable(f"calldate {clean_text(row.get('calldate', ''), 40)!r}") from None


def _instant(row: Row, name: str) -> int | None:
    text = row.get(name) or ""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise NotImportable(f"{name} {clean_text(text, 40)!r}") from None
    if moment.tzinfo is None:
        raise NotImportable(f"{name} {clean_text(text, 40)!r} lacks its zone")
    return round(moment.timestamp() * 1_000_000)


def _number(text: str | None) -> int:
    text = text or ""
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise NotImportable(f"{clean_text(text, 40)!r} is no whole number")
    return int(text)
