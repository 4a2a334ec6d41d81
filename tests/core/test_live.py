"""Calls that go on, followed row by row: they agree with the record that is made at the end."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from callctl.asterisk.journal import Framer, RawRow, parse_row
from callctl.core.calls.events import CelEvent
from callctl.core.calls.live import NEWS_US, Endpoints, LiveCalls, LiveNews
from callctl.core.event_kinds import EventKind
from callctl.core.routing.plan import Direction

FIXTURES = Path(__file__).parent.parent / "calls"
ENDPOINTS: Endpoints = {
    "trunk": (1, "trunk", "trunk"),
    **{n: (1, "extension", n) for n in ("201", "202", "203", "204")},
}
NO_DEVICE_IN_SIGHT = {
    # What the far side of a Local channel does is told by its own call in the journal.
    "click_to_call_by_local",
    "forward_by_local",
}


def rows_of(name: str) -> list[CelEvent]:
    framer = Framer()
    pieces = [*framer.feed((FIXTURES / f"{name}.csv").read_bytes()), *framer.flush()]
    parsed = [parse_row(p, i) for i, p in enumerate(pieces) if isinstance(p, RawRow)]
    return [e for e in parsed if isinstance(e, CelEvent)]


def follow(live: LiveCalls, rows: list[CelEvent]) -> Iterator[LiveNews]:
    """One row at a time, each read at once."""
    for row in rows:
        yield from live.feed([row], ENDPOINTS, row.time_us)


NAMES = sorted(p.stem for p in FIXTURES.glob("*.csv") if not p.stem.startswith("hostile"))


@pytest.mark.parametrize("name", NAMES)
def test_who_answered_and_when_is_what_the_record_says(name: str) -> None:
    truth = json.loads((FIXTURES / f"{name}.truth.json").read_text())
    answers = {
        n.call.call_id: (n.at_us / 1e6, n.call.answered_by, n.call.direction.value)
        for n in follow(LiveCalls(), rows_of(name))
        if n.kind is EventKind.CALL_ANSWERED
    }
    print(name, answers)
    print([(t["call_id"], t["answered_at"], t["answered_by"], t["direction"]) for t in truth])
    assert set(answers) == {t["call_id"] for t in truth if t["answered_at"]}
    for call in truth:
        if call["answered_at"]:
            at, by, direction = answers[call["call_id"]]
            assert abs(at - call["answered_at"]) < 0.05
            assert (by, direction) == (call["answered_by"], call["direction"])
