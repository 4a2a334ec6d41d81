"""The rows of a call in the order in which things happened."""

from collections.abc import Sequence
from operator import attrgetter

from callctl.core.calls.assembly import CLOCK_STEP_US
from callctl.core.calls.events import CelEvent, unique_key

LATE_US = 2_000_000
"""Rows that stand further than this from their place in time were late."""


def order_rows(events: Sequence[CelEvent]) -> tuple[list[CelEvent], bool]:
    """Rows once each in the file's order, and whether they had to be mended.

    File order is the order of Asterisk's one queue, so it counts; time is the wall clock's and may
    jump. Only when a channel's own rows stand in an impossible order is the file out of order, and
    then time is the better witness. Where the clock was put back, its later times are put forward.
    """
    rows = _without_doubles(sorted(events, key=_position))
    doubled = len(rows) < len(events)
    shuffled = _out_of_order(rows)
    if shuffled:
        steady = _with_steady_clock(rows)
        if steady is not None:
            return steady, True
        rows.sort(key=lambda e: (e.time_us, _SAME_TIME_RANK.get(e.type, 1), e.position))
    return rows, doubled or shuffled


_position = attrgetter("position")
_place = attrgetter("type", "time_us", "uniqueid")


def _without_doubles(events: list[CelEvent]) -> list[CelEvent]:
    """The first of each row; rows differ when anything that is kept of them does."""
    if len(set(map(_place, events))) == len(events):
        return events
    unique: dict[tuple[object, ...], CelEvent] = {}
    for event in events:
        same = (event.type, event.time_us, event.uniqueid, event.linkedid, event.extra)
        unique.setdefault((*same, event.app_data, event.peer), event)
    return list(unique.values())


_SAME_TIME_RANK = {"CHAN_START": 0, "HANGUP": 2, "CHAN_END": 3, "LINKEDID_END": 4}


def _with_steady_clock(rows: Sequence[CelEvent]) -> list[CelEvent] | None:
    """`rows` as if the clock had not been put back in the middle; None if that is not what it was.

    Channels then still begin in the order of Asterisk's own counter, and nothing else is wrong.
    """
    counters = [unique_key(e.uniqueid)[1] for e in rows if e.type == "CHAN_START"]
    if counters != sorted(counters):
        return None
    steady: list[CelEvent] = []
    latest = lost = 0
    for event in rows:
        if event.time_us + lost < latest - CLOCK_STEP_US:
            lost = latest - event.time_us
        steady.append(event._replace(time_us=event.time_us + lost))
        latest = max(latest, steady[-1].time_us)
    return steady if lost and not _out_of_order(steady) else None


_OF_ONE_THREAD = frozenset({"CALLCTL_ROUTE", "CALLCTL_TRY", "CALLCTL_ATTEMPT", "APP_START"})


def _out_of_order(rows: Sequence[CelEvent]) -> bool:
    ended: set[str] = set()
    seen: set[str] = set()
    own: dict[str, int] = {}
    latest = 0
    for kind, time_us, uniqueid in map(_place, rows):
        if kind == "CHAN_START" and uniqueid in seen:
            return True
        if uniqueid in ended and kind != "LINKEDID_END":
            return True
        if time_us < latest - LATE_US:
            return True
        if kind in _OF_ONE_THREAD:
            # One thread writes these of a channel, one after the other.
            if time_us < own.get(uniqueid, 0):
                return True
            own[uniqueid] = time_us
        if time_us > latest:
            latest = time_us
        seen.add(uniqueid)
        if kind == "CHAN_END":
            ended.add(uniqueid)
    return False
