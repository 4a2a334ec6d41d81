"""Calls that go on, followed row by row: they agree with the record that is made at the end."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from callctl.asterisk.journal import Framer, RawRow, parse_row
from callctl.core.calls.events import CelEvent
from callctl.core.calls.live import NEWS_US, Endpoints, LiveCalls, LiveNews
from callctl.core.event_kinds import EventKind
from callctl.core.routing.plan import Direction
from callctl.features.calls.offline import build_journal, load_inventory

FIXTURES = Path(__file__).parent.parent / "calls"
ENDPOINTS: Endpoints = {
    "trunk": (1, "trunk", "trunk"),
    **{n: (1, "extension", n) for n in ("201", "202", "203", "204")},
}


def rows_of(name: str) -> list[CelEvent]:
    framer = Framer()
    pieces = [*framer.feed((FIXTURES / f"{name}.csv").read_bytes()), *framer.flush()]
    parsed = [parse_row(p, i) for i, p in enumerate(pieces) if isinstance(p, RawRow)]
    return [e for e in parsed if isinstance(e, CelEvent)]


def follow(
    live: LiveCalls, rows: list[CelEvent], endpoints: Endpoints = ENDPOINTS
) -> Iterator[LiveNews]:
    """One row at a time, each read at once."""
    for row in rows:
        yield from live.feed([row], endpoints, row.time_us)


NAMES = sorted(
    p.name.removesuffix(".truth.json")
    for p in FIXTURES.glob("*.truth.json")
    if not p.name.startswith("hostile")
)


@pytest.mark.parametrize("name", NAMES)
def test_who_answered_and_when_is_what_the_record_says(name: str) -> None:
    inventory = load_inventory(FIXTURES / f"{name}.inventory.json")
    records = build_journal(FIXTURES / f"{name}.csv", inventory).records
    endpoints = ENDPOINTS | {t.partition("/")[2]: (1, "trunk", "t") for t in inventory.trunks}
    answers = {
        n.call.call_id: (n.at_us, n.call.answered_by, n.call.direction)
        for n in follow(LiveCalls(), rows_of(name), endpoints)
        if n.kind is EventKind.CALL_ANSWERED
    }
    for record in records:
        said = answers.pop(record.call_id, None)
        if record.answered_us is None:
            assert said is None
        else:
            assert said == (pytest.approx(record.answered_us, abs=1_000), *said[1:])
            assert said[1:] == (record.answered_by, record.direction)
        # A consultation is a call of its own until it turns out to be a part of another.
        for leg in record.legs:
            answers.pop(leg.uniqueid, None)
    assert not answers


@pytest.mark.parametrize("name", [n for n in NAMES if "killed" not in n and "cut" not in n])
def test_nothing_goes_on_after_the_last_row(name: str) -> None:
    live = LiveCalls()
    list(follow(live, rows_of(name)))
    assert len(live) == 0
    assert not live._of


def test_each_call_rings_and_is_answered_once_however_often_its_rows_come() -> None:
    live = LiveCalls()
    rows = rows_of("answered")
    news = list(follow(live, rows[:5])) + list(follow(live, rows))
    assert [n.kind for n in news] == [EventKind.CALL_RINGING, EventKind.CALL_ANSWERED]
    assert news[0].ringing == ("201",)


def test_a_call_is_there_with_its_parties_while_it_lasts() -> None:
    live = LiveCalls()
    rows = rows_of("answered")
    list(follow(live, rows[:3]))
    (call,) = live
    assert (call.from_number, call.to_number, call.ringing) == (
        "00447700900101",
        "0015550100",
        ["201"],
    )
    list(follow(live, rows[3:7]))
    assert (call.ringing, call.answered_by) == ([], "201")
    assert call.direction is Direction.INBOUND


def test_a_phone_that_is_rung_to_dial_or_to_listen_rings_until_it_is_picked_up() -> None:
    live = LiveCalls()
    first = rows_of("internal")[0]._replace(exten="")
    list(follow(live, [first]))
    (call,) = live
    assert (call.extension, call.ringing) == ("201", ["201"])
    list(follow(live, [first._replace(type="ANSWER")]))
    assert call.ringing == []


def routed(row: CelEvent, route: str) -> CelEvent:
    extra = f"direction=outbound;did=;route={route};account=1;plan=p;why="
    return row._replace(type="CALLCTL_ROUTE", extra=extra)


def test_a_call_is_an_emergency_call_once_it_was_led_to_one_and_stays_one() -> None:
    for routes, emergency, free in (
        (["emergency:112"], True, True),
        (["national"], False, False),
        # Transferred there, and from there on: whoever calls for help is still in it.
        (["national", "emergency:112"], True, False),
        (["emergency:112", "extension:202"], True, True),
    ):
        live = LiveCalls()
        first = rows_of("internal")[0]
        list(follow(live, [first, *(routed(first, route) for route in routes)]))
        (call,) = live
        assert (call.emergency, call.free) == (emergency, free), routes


def test_two_calls_that_become_one_are_an_emergency_call_if_either_was() -> None:
    first = rows_of("internal")[0]
    other = first._replace(uniqueid="lab-9.9", linkedid="lab-9.9")
    for led in (first, other):
        live = LiveCalls()
        list(follow(live, [first, other, routed(led, "emergency:112")]))
        assert len(live) == 2
        list(follow(live, [other._replace(type="BRIDGE_ENTER", linkedid=first.linkedid)]))
        (call,) = live
        assert call.emergency


def test_who_dials_does_not_ring() -> None:
    live = LiveCalls()
    list(follow(live, rows_of("internal")[:1]))
    (call,) = live
    assert (call.extension, call.ringing) == ("201", [])


def test_old_rows_are_no_news() -> None:
    rows = rows_of("answered")
    live = LiveCalls()
    assert live.feed(rows[:7], ENDPOINTS, rows[6].time_us + NEWS_US + 1_000_000) == []
    assert next(iter(live)).answered_us is not None


def test_channels_that_asterisk_has_no_more_are_dropped() -> None:
    live = LiveCalls()
    rows = rows_of("answered")
    list(follow(live, rows[:7]))
    live.retain({rows[0].uniqueid})
    assert [list(c.channels) for c in live] == [[rows[0].uniqueid]]
    live.retain(())
    assert len(live) == 0


def test_rows_in_any_order_and_any_number_break_nothing_and_leave_nothing() -> None:
    chance = random.Random(13)
    all_rows = [row for name in NAMES for row in rows_of(name)]
    for _ in range(60):
        rows = chance.sample(all_rows, 200) * chance.randrange(1, 3)
        chance.shuffle(rows)
        live = LiveCalls()
        list(follow(live, rows))
        live.retain(())
        assert len(live) == 0
        assert not live._of
