"""Asterisk's clock is put back in the middle of a call, or rows stand in an impossible order."""

from callctl.core.calls.assembly import CallAssembly
from callctl.core.calls.build import build_call
from callctl.core.calls.events import CelEvent
from callctl.core.calls.record import CallRecord, Completeness
from tests.core.test_build_rules import CALLER, FIRST, INVENTORY, SECOND, Rows

HOUR_US = 3_600_000_000


def hunt() -> Rows:
    """201 rings out, 202 answers."""
    rows = Rows().start(0, CALLER)
    rows.add(5, CALLER, "CALLCTL_ROUTE", extra="direction=inbound;did=;route=did:x;account=1")
    rows.trying(10, 1, FIRST).start(20, FIRST).end(1020, FIRST, cause=0)
    rows.attempt(1025, 1, FIRST, "NOANSWER", 19).trying(1030, 2, SECOND).start(1040, SECOND)
    rows.enter(1500, SECOND).enter(1501, CALLER).leave(3000, CALLER).leave(3001, SECOND)
    return rows.end(3002, SECOND).attempt(3003, 2, SECOND, "ANSWER", 16).end(3005, CALLER)


def built(events: list[CelEvent]) -> CallRecord:
    record = build_call(events, INVENTORY)
    assert record is not None
    return record


def put_back(events: list[CelEvent], at: int) -> list[CelEvent]:
    """The clock is an hour behind from the row `at` on, and so are the ids of new channels."""
    ids: dict[str, str] = {}
    stepped = []
    for number, event in enumerate(events):
        if number >= at:
            if event.type == "CHAN_START":
                stamp, _, counter = event.uniqueid.partition(".")
                ids[event.uniqueid] = f"{int(stamp) - 3600}.{counter}"
            event = event._replace(time_us=event.time_us - HOUR_US)
        stepped.append(event._replace(uniqueid=ids.get(event.uniqueid, event.uniqueid)))
    return stepped


def test_a_clock_put_back_at_any_row_changes_nobody_and_no_order() -> None:
    events = hunt().events
    whole = built(events)
    assert whole.completeness is Completeness.COMPLETE
    for at in range(1, len(events)):
        record = built(put_back(events, at))
        assert record.completeness is Completeness.REPAIRED
        assert (record.direction, record.from_number) == (whole.direction, whole.from_number)
        assert (record.disposition, record.answered_by) == (whole.disposition, whole.answered_by)
        tried = [(a.extension, a.result) for a in record.attempts]
        assert tried == [(a.extension, a.result) for a in whole.attempts], at
        # What passed at the step itself is not known.
        assert whole.ended_us - whole.started_us - (record.ended_us - record.started_us) >= 0
        assert record.ended_us - record.started_us >= 1_000_000


def test_rows_of_the_dialplan_in_another_order_than_written_are_mended() -> None:
    events = hunt().events
    attempt = next(e for e in events if e.type == "CALLCTL_ATTEMPT")
    late = [e for e in events if e is not attempt]
    late.insert(late.index(events[-1]), attempt)
    mixed = [e._replace(position=n) for n, e in enumerate(late)]
    record, whole = built(mixed), built(events)
    assert record.completeness is Completeness.REPAIRED
    assert record.attempts == whole.attempts


def test_after_a_clock_was_put_back_a_finished_call_waits_for_its_late_rows() -> None:
    assembly = CallAssembly(grace_seconds=2.0)
    before = hunt().events
    for event in before:
        assembly.add(event._replace(time_us=event.time_us + HOUR_US), b"", now=0.0)
    ids = {e.uniqueid: e.uniqueid.replace("1700000000.", "1700000000.1") for e in before}
    for event in before:
        later = event._replace(
            position=100 + event.position,
            uniqueid=ids[event.uniqueid],
            linkedid=ids[event.linkedid],
        )
        assembly.add(later, b"", now=5.0)
    over = assembly.take_over(now=5.1, most=10)
    assert [set(call.ids) & set(ids.values()) for call in over] == [set()]
    assert len(assembly.take_over(now=7.1, most=10)) == 2
