"""A call record from the journal's rows: a pure function, run again whenever a row comes late.

The rules are the contract of docs/journal.md. Read `build_call` from top to bottom: that is the
way of a record.
"""

from collections.abc import Iterable, Mapping, Sequence

from callctl.core.calls.attempts import (
    Attempts,
    Window,
    assign_called,
    build_attempts,
    find_windows,
)
from callctl.core.calls.channels import Channel, callctl_rows, fold_channels
from callctl.core.calls.completeness import find_completeness
from callctl.core.calls.events import CelEvent, unique_key
from callctl.core.calls.inventory import TRUNK_CONTEXTS, Inventory
from callctl.core.calls.ordering import order_rows
from callctl.core.calls.parties import find_parties
from callctl.core.calls.record import (
    CallRecord,
    CallRecording,
    Disposition,
    Leg,
)
from callctl.core.calls.text import clean_name, clean_number
from callctl.core.outcomes import AttemptResult
from callctl.core.routing.encoding import decode_why
from callctl.core.routing.plan import Direction


def build_call(
    events: Sequence[CelEvent], inventory: Inventory, *, damaged: bool = False
) -> CallRecord | None:
    """The one record of the call that `events` (all of one group, any order) are the rows of.

    `damaged`: rows were found broken nearby. None when the rows show no device at all (an inner
    channel by itself). Never raises on any rows.
    """
    rows, repaired = order_rows(events)
    channels = fold_channels(rows)
    caller = find_caller(channels)
    if caller is None:
        return None
    others = [c for c in channels.values() if c is not caller]
    windows = find_windows(channels.values(), inventory)
    called = [c for c in others if not c.inner and not c.own_linkedid]
    orphans = assign_called(windows, called)
    attempts = build_attempts(windows, orphans, channels, inventory)
    answered_us = find_answer(caller, others)
    route = first_route(channels.values())
    direction = find_direction(caller, windows, attempts, inventory, route)
    disposition = find_disposition(caller, attempts, windows, answered_us)
    parties = find_parties(caller, others, attempts, inventory, answered_us is not None)
    started_us = min(c.started_us for c in channels.values())
    ended_us = max((c.hangup_us or c.last_us) for c in channels.values())
    from_number, from_name = caller_identity(caller, inventory, route)
    return CallRecord(
        call_id=min(channels.values(), key=lambda c: c.key).uniqueid,
        linkedids=tuple(sorted({e.linkedid for e in rows}, key=unique_key)),
        direction=direction,
        from_number=from_number,
        from_name=from_name,
        extension=None if is_outside(caller, inventory) else inventory.extension(caller.endpoint),
        to_number=first_dialled(caller, windows),
        answered_by=parties.answered_by,
        destination_number=parties.destination,
        started_us=started_us,
        answered_us=answered_us,
        ended_us=max(ended_us, started_us),
        disposition=disposition,
        attempts=tuple(a for a, _ in attempts),
        legs=tuple(
            build_leg(c, caller, from_number, attempts, inventory) for c in channels.values()
        ),
        recordings=find_recordings(channels.values()),
        completeness=find_completeness(channels.values(), repaired or damaged),
        account_id=_account_id(route.get("account", "")),
        did=route.get("did") or None,
        route=route.get("route") or None,
        plan_id=route.get("plan") or None,
        trunk=find_trunk(caller, attempts, inventory),
        why=decode_why(route.get("why", "")),
    )


def _account_id(text: str) -> int | None:
    """An id that a database can have, else None."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else None


def find_caller(channels: dict[str, Channel]) -> Channel | None:
    """The channel the call began with: the smallest uniqueid that is a device's.

    A clock that was put back makes smaller ones later; Asterisk's counter goes on. A call that
    callctl let in itself where carriers' calls come in (a number's test) has no caller's device:
    there it is the inner channel that asked for the way.
    """
    if (let_in := _find_let_in(channels)) is not None:
        return let_in
    devices = [c for c in channels.values() if not c.inner]
    smallest = min(devices, key=lambda c: c.key, default=None)
    if smallest is None:
        return None
    first = min(devices, key=lambda c: (c.key[1], c.key))
    return first if first.started_us < smallest.started_us else smallest


def _find_let_in(channels: dict[str, Channel]) -> Channel | None:
    first = min(channels.values(), key=lambda c: c.key, default=None)
    if first is None or not first.inner or first.first.context not in TRUNK_CONTEXTS:
        return None
    asked = (c for c in channels.values() if c.inner and any(callctl_rows(c, "CALLCTL_ROUTE")))
    return next(asked, None)


def is_outside(caller: Channel, inventory: Inventory) -> bool:
    """Whether the call came in from outside: by the channel, never by the caller's words."""
    return inventory.is_trunk(caller.endpoint) or caller.first.context in TRUNK_CONTEXTS


def caller_identity(
    caller: Channel, inventory: Inventory, route: Mapping[str, str]
) -> tuple[str | None, str | None]:
    """(number, name) of the caller as presented at the start; withheld ones are None.

    A carrier may tell the number of a caller who withholds it: then only our own row says so.
    """
    if route.get("withheld") == "1" and is_outside(caller, inventory):
        return None, None
    number = clean_number(caller.first.cid_num)
    if number is None and not is_outside(caller, inventory):
        number = inventory.extension(caller.endpoint)
    return number, clean_name(caller.first.cid_name)


def first_dialled(caller: Channel, windows: Sequence[Window]) -> str | None:
    """What was dialled first: of the caller's first row, else (click-to-call) of the first Dial
    that does not ring the caller itself, else of its first row in a dialled number."""
    asked = [w.opened for w in windows if not w.wants(caller.endpoint)]
    for event in (caller.first, *asked, *caller.events):
        if event.exten not in ("", "s", "h", "failed"):
            return clean_number(event.exten, keep=True)
    return None


def first_route(channels: Iterable[Channel]) -> Mapping[str, str]:
    """The fields of the call's first CALLCTL_ROUTE row; empty in a journal without ours."""
    rows = [row for c in channels for row in callctl_rows(c, "CALLCTL_ROUTE")]
    rows.sort(key=lambda r: (r[0].time_us, r[0].position))
    return rows[0][1] if rows else {}


def find_direction(
    caller: Channel,
    windows: Sequence[Window],
    attempts: Attempts,
    inventory: Inventory,
    route: Mapping[str, str],
) -> Direction:
    """Direction of the call as it began (R001-08)."""
    if is_outside(caller, inventory):
        return Direction.INBOUND
    if route.get("direction") in ("outbound", "internal"):
        return Direction(route["direction"])
    first = next((w for w in windows if w.dialler is caller), windows[0] if windows else None)
    if first is not None:
        outside = any(inventory.is_trunk(t.endpoint) for t in first.targets)
    elif attempts:
        outside = inventory.is_trunk(attempts[0][0].endpoint)
    else:
        # Nobody was dialled: only what was asked for can tell.
        outside = inventory.is_longer_than_extensions(caller.first.exten)
    return Direction.OUTBOUND if outside else Direction.INTERNAL


def find_answer(caller: Channel, others: Sequence[Channel]) -> int | None:
    """When the caller was first bridged to somebody; hold and parking are no conversation."""
    devices = [c for c in others if not c.inner]
    inner_bridges = {s.bridge for c in others if c.inner for s in c.talks}
    for stay in sorted(caller.talks, key=lambda s: s.entered_us):
        if any(s.bridge == stay.bridge for c in devices for s in c.talks):
            return stay.entered_us
        if stay.bridge not in inner_bridges:
            return stay.entered_us  # Whoever it met, the row of it is lost.
        # Behind a Local channel there may be a person, in a bridge of its own, or nobody.
        behind = [
            max(s.entered_us, stay.entered_us)
            for c in devices
            for s in c.talks
            if s.bridge in inner_bridges
        ]
        if behind:
            return min(behind)
    return None if caller.talks else _met_by(caller, devices)


def _met_by(caller: Channel, devices: Sequence[Channel]) -> int | None:
    """The caller's own row may be lost; whoever met it in a bridge names it as the peer."""
    met = [
        e.time_us
        for c in devices
        if c.talks
        for e in c.events
        if e.type == "BRIDGE_ENTER" and caller.name in e.peer.split(",")
    ]
    return min(met, default=None)


_BEST_FIRST = (
    (
        Disposition.NO_ANSWER,
        {
            AttemptResult.NOANSWER,
            AttemptResult.CANCEL,
            AttemptResult.FORWARD,
            AttemptResult.ANSWERED_ELSEWHERE,
            AttemptResult.PICKUP,
            AttemptResult.ANSWER,
        },
    ),
    (Disposition.BUSY, {AttemptResult.BUSY}),
    (Disposition.REJECTED, {AttemptResult.REJECTED}),
    (Disposition.FAILED, {AttemptResult.UNAVAILABLE}),
)


def find_disposition(
    caller: Channel, attempts: Attempts, windows: Sequence[Window], answered_us: int | None
) -> Disposition:
    """How the call ended for the caller (docs/journal.md, disposition)."""
    if answered_us is not None:
        return Disposition.ANSWERED
    if caller.ended_us is None:
        return Disposition.UNKNOWN
    if caller.left_by_itself or any(
        w.dialstatus == "CANCEL" for w in windows if w.dialler is caller
    ):
        return Disposition.CANCELLED
    results = {a.result for a, _ in attempts}
    for disposition, covered in _BEST_FIRST:
        if results & covered:
            return disposition
    if windows:
        return Disposition.FAILED
    # Nobody was to be tried: refused by a rule, unless an announcement took the call first.
    return Disposition.REJECTED if caller.answered_us is None else Disposition.NO_ANSWER


def find_trunk(caller: Channel, attempts: Attempts, inventory: Inventory) -> str | None:
    """The trunk the call came in by, or the last one it was sent out by."""
    used = [c.endpoint for _, c in attempts if c is not None and inventory.is_trunk(c.endpoint)]
    endpoint = caller.endpoint if inventory.is_trunk(caller.endpoint) else (used or [None])[-1]
    return endpoint.partition("/")[2] if endpoint else None


def build_leg(
    channel: Channel,
    caller: Channel,
    from_number: str | None,
    attempts: Attempts,
    inventory: Inventory,
) -> Leg:
    number = next((a.number for a, c in attempts if c is channel), None)
    if channel is caller and inventory.is_trunk(channel.endpoint):
        number = from_number
    return Leg(
        uniqueid=channel.uniqueid,
        channel=channel.name,
        endpoint=channel.endpoint,
        extension=inventory.extension(channel.endpoint),
        number=number,
        started_us=channel.started_us,
        answered_us=channel.answered_us,
        ended_us=channel.ended_us,
        cause=channel.cause,
    )


def find_recordings(channels: Iterable[Channel]) -> tuple[CallRecording, ...]:
    """Files named by CALLCTL_RECORDING rows; a name that could leave the directory is no file."""
    found: dict[str, int] = {}
    for channel in channels:
        for event, fields in callctl_rows(channel, "CALLCTL_RECORDING"):
            name = fields.get("file", "")
            if name and "/" not in name and not name.startswith("."):
                found.setdefault(name, event.time_us)
    return tuple(CallRecording(n, t) for n, t in sorted(found.items(), key=lambda i: i[1]))
