"""The rules of a record that no recorded call shows alone, on rows made for the purpose."""

import json
from typing import Any

from callctl.core.calls.build import build_call
from callctl.core.calls.channels import fold_channels
from callctl.core.calls.events import CelEvent
from callctl.core.calls.inventory import Inventory
from callctl.core.calls.parties import last_together
from callctl.core.calls.record import CallRecord, Completeness, Disposition
from callctl.core.calls.render import is_missed
from callctl.core.outcomes import AttemptResult
from callctl.core.routing.plan import Direction

INVENTORY = Inventory.build(["carrier"], {"201": "PJSIP/201", "202": "PJSIP/202"})
CALLER, FIRST, SECOND = "carrier", "201", "202"
IDS = {
    CALLER: "1700000000.1",
    FIRST: "1700000000.2",
    SECOND: "1700000000.3",
    "Local": "1700000000.9",
}


class Rows:
    """Rows of one call, written in the order of what happens. Times are milliseconds."""

    def __init__(self, caller: str = CALLER, exten: str = "3617000001") -> None:
        self.events: list[CelEvent] = []
        self._caller = caller
        self._exten = exten

    def add(self, ms: int, who: str, type_: str, **columns: Any) -> "Rows":
        extra = columns.pop("extra", "")
        event = CelEvent(
            position=len(self.events),
            type=type_,
            time_us=1_700_000_000_000_000 + ms * 1000,
            cid_name="",
            cid_num=columns.pop("cid_num", "+36201234567" if who == CALLER else who),
            exten=columns.pop("exten", self._exten if who == self._caller else "s"),
            context=columns.pop("context", "from-trunk" if who == CALLER else "from-extension"),
            channel=f"PJSIP/{who}-0000000{IDS[who][-1]}",
            app_name=columns.pop("app", ""),
            app_data=columns.pop("data", ""),
            uniqueid=IDS[who],
            linkedid=IDS[self._caller],
            peer="",
            extra=extra if isinstance(extra, str) else json.dumps(extra),
        )
        assert not columns
        self.events.append(event)
        return self

    def start(self, ms: int, who: str) -> "Rows":
        return self.add(ms, who, "CHAN_START")

    def enter(self, ms: int, who: str, bridge: str = "b", tech: str = "simple_bridge") -> "Rows":
        return self.add(
            ms, who, "BRIDGE_ENTER", extra={"bridge_id": bridge, "bridge_technology": tech}
        )

    def leave(self, ms: int, who: str, bridge: str = "b") -> "Rows":
        details = {"bridge_id": bridge, "bridge_technology": "simple_bridge"}
        return self.add(ms, who, "BRIDGE_EXIT", extra=details)

    def end(self, ms: int, who: str, cause: int = 16, source: str = "") -> "Rows":
        details = {"hangupcause": cause, "hangupsource": source, "dialstatus": ""}
        self.add(ms, who, "HANGUP", extra=details)
        return self.add(ms, who, "CHAN_END")

    def attempt(self, ms: int, step: int, target: str, status: str, cause: int = 0) -> "Rows":
        payload = f"step={step};target={target};dialstatus={status};cause={cause};rang=1"
        return self.add(ms, self._caller, "CALLCTL_ATTEMPT", extra=payload)

    def trying(self, ms: int, step: int, target: str) -> "Rows":
        payload = f"step={step};kind=ring;target={target};number=;endpoints={target}"
        return self.add(ms, self._caller, "CALLCTL_TRY", extra=payload)

    def record(self) -> CallRecord:
        record = build_call(self.events, INVENTORY)
        assert record is not None
        return record


def caller_name() -> str:
    return f"PJSIP/{CALLER}-00000001"


def test_nobody_to_try_and_no_answer_is_a_refusal_by_rule() -> None:
    record = Rows().start(0, CALLER).end(5, CALLER, cause=21).record()
    assert record.disposition is Disposition.REJECTED
    assert record.attempts == ()


def test_an_announcement_alone_answers_nobody() -> None:
    rows = Rows().start(0, CALLER).add(5, CALLER, "ANSWER").end(900, CALLER)
    assert rows.record().disposition is Disposition.NO_ANSWER


def test_a_caller_who_leaves_an_announcement_cancelled() -> None:
    rows = Rows().start(0, CALLER).add(5, CALLER, "ANSWER")
    record = rows.end(900, CALLER, source=caller_name()).record()
    assert record.disposition is Disposition.CANCELLED


def test_rows_that_end_before_the_call_leave_it_unknown() -> None:
    record = Rows().start(0, CALLER).start(5, FIRST).record()
    assert record.disposition is Disposition.UNKNOWN
    assert record.completeness is Completeness.TRUNCATED
    # Nobody is known to have talked to the caller (docs/adr/0019).
    assert is_missed(record)


def test_cut_off_while_talking_is_answered_and_truncated() -> None:
    rows = Rows().start(0, CALLER).start(5, FIRST).enter(900, FIRST).enter(901, CALLER)
    record = rows.record()
    assert record.disposition is Disposition.ANSWERED
    assert record.completeness is Completeness.TRUNCATED
    assert record.answered_by == FIRST


def test_hold_and_parking_are_no_conversation() -> None:
    rows = Rows().start(0, CALLER).enter(100, CALLER, "p", "holding_bridge")
    record = rows.end(900, CALLER, source=caller_name()).record()
    assert record.answered_us is None
    assert record.disposition is Disposition.CANCELLED


def test_an_unreachable_phone_of_our_own_plan_is_an_attempt() -> None:
    rows = Rows().start(0, CALLER).trying(5, 1, FIRST).attempt(6, 1, FIRST, "CHANUNAVAIL", 20)
    record = rows.end(9, CALLER, cause=20).record()
    (attempt,) = record.attempts
    assert (attempt.extension, attempt.result, attempt.cause) == (
        FIRST,
        AttemptResult.UNAVAILABLE,
        20,
    )
    assert record.disposition is Disposition.FAILED


def test_the_sticky_cause_of_an_earlier_attempt_does_not_make_a_ring_out_a_refusal() -> None:
    rows = Rows().start(0, CALLER).trying(5, 1, FIRST).start(6, FIRST).end(3006, FIRST, cause=0)
    rows.attempt(3007, 1, FIRST, "NOANSWER", 21)
    record = rows.end(3010, CALLER, cause=19).record()
    assert [a.result for a in record.attempts] == [AttemptResult.NOANSWER]
    assert record.disposition is Disposition.NO_ANSWER


def test_the_best_outcome_of_a_hunt_is_the_calls() -> None:
    rows = Rows().start(0, CALLER)
    rows.trying(5, 1, FIRST).start(6, FIRST).end(7, FIRST, cause=21)
    rows.attempt(8, 1, FIRST, "CHANUNAVAIL", 21)
    rows.trying(9, 2, SECOND).start(10, SECOND).end(11, SECOND, cause=17)
    rows.attempt(12, 2, SECOND, "BUSY", 17)
    record = rows.end(15, CALLER, cause=17).record()
    assert [a.result for a in record.attempts] == [AttemptResult.REJECTED, AttemptResult.BUSY]
    assert record.disposition is Disposition.BUSY


def test_our_own_rows_decide_the_direction_of_a_call_that_dialled_nobody() -> None:
    route = "direction=outbound;did=;route=outbound:national;account=7;plan=p;why=no_permission~201"
    rows = Rows(FIRST, "0630").start(0, FIRST).add(3, FIRST, "CALLCTL_ROUTE", extra=route)
    record = rows.end(9, FIRST, cause=21).record()
    assert record.direction is Direction.OUTBOUND
    assert record.account_id == 7
    assert [r.code for r in record.why] == ["no_permission"]


def test_a_trunks_words_never_make_it_an_extension() -> None:
    rows = Rows().add(0, CALLER, "CHAN_START", cid_num="201").end(5, CALLER, cause=21)
    record = rows.record()
    assert (record.direction, record.extension, record.from_number) == (
        Direction.INBOUND,
        None,
        "201",
    )


def test_a_recording_whose_name_could_leave_its_directory_is_none() -> None:
    rows = Rows().start(0, CALLER)
    for name in ("..%2Fx.raw", "%2Fetc%2Fpasswd", ".hidden", "1700000000.2-1.raw"):
        rows.add(3, CALLER, "CALLCTL_RECORDING", extra=f"file={name};start=1700000000")
    record = rows.end(5, CALLER).record()
    assert [r.file for r in record.recordings] == ["1700000000.2-1.raw"]


def test_an_inner_channel_by_itself_is_no_call() -> None:
    rows = Rows("Local").start(0, "Local").end(5, "Local")
    events = [e._replace(channel="Local/201@x-00000000;1") for e in rows.events]
    assert build_call(events, INVENTORY) is None


def test_who_transfers_away_just_before_the_end_is_not_the_last_party() -> None:
    rows = Rows().start(0, CALLER).start(1, FIRST).start(2, SECOND)
    rows.enter(10, CALLER).enter(11, FIRST).enter(20, SECOND).leave(30, FIRST).leave(31, SECOND)
    rows.leave(32, CALLER)
    channels = fold_channels(rows.events).values()
    assert [c.name.split("-")[0] for c in last_together(channels)] == ["PJSIP/carrier", "PJSIP/202"]


def test_a_number_that_only_the_carrier_tells_is_withheld_all_the_same() -> None:
    route = "direction=inbound;did=%2B3617000001;withheld=1;why="
    rows = Rows().start(0, CALLER).add(2, CALLER, "CALLCTL_ROUTE", extra=route)
    record = rows.end(5, CALLER, cause=21).record()
    assert (record.from_number, record.from_name) == (None, None)
    assert all(leg.number != "+36201234567" for leg in record.legs)


def test_no_rows_make_no_record() -> None:
    assert build_call([], INVENTORY) is None
