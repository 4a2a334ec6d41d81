"""The judge can tell: every kind of wrong record is a difference, and a right one is none."""

from dataclasses import replace
from typing import Any

import pytest

from callctl.demo.sip_log import EndedBy, PhoneSaw
from tests.faults.judge import Blow, Placed, Promise, judge

KEY = ("inbound", "+36200000001")
NOW = 1_790_000_000.0


def saw(party: str, at: float, **more: Any) -> PhoneSaw:
    values: dict[str, Any] = {
        "call_id": f"{party}@wire",
        "placed": False,
        "dialled": party,
        "from_number": KEY[1],
        "from_name": "",
        "asserted": None,
        "invited_at": NOW + at,
        **more,
    }
    return PhoneSaw(party, **values)


def talk(party: str, at: float, answer: float, end: float, **more: Any) -> PhoneSaw:
    return saw(
        party,
        at,
        answered_at=NOW + answer,
        ended_at=NOW + end,
        ended_by=EndedBy.FAR,
        final_code=200,
        **more,
    )


BUSY_THEN_ANSWER = Placed(
    key=KEY,
    caller=talk("caller", 0.0, 0.4, 2.0, placed=True),
    let_in=True,
    route=("103", "104"),
    rang=(
        saw("103", 0.05, final_code=486, ended_at=NOW + 0.05, ended_by=EndedBy.SELF),
        talk("104", 0.1, 0.4, 2.0),
    ),
    answers=True,
    recorded=False,
)


def record(**changes: Any) -> dict[str, Any]:
    """What is true of that call; `changes` to its ``call``, or to ``attempts``, ``recordings``."""
    attempts = [
        {"extension": "103", "endpoint": "PJSIP/103", "result": "BUSY"},
        {"extension": "104", "endpoint": "PJSIP/104", "result": "ANSWER"},
    ]
    call: dict[str, Any] = {
        "call_id": "callctl-1790000000.1",
        "direction": "inbound",
        "from_number": KEY[1],
        "to_number": "+3617000003",
        "extension": None,
        "disposition": "ANSWERED",
        "answered_by": "104",
        "completeness": "complete",
        "wait_seconds": 0.4,
        "talk_seconds": 1.6,
        "total_seconds": 2.0,
        "started_at": "2026-09-21T00:00:00Z",
        "tried": [],
    }
    apart: dict[str, Any] = {
        name: changes.pop(name) for name in ("attempts", "recordings") if name in changes
    }
    return {"call": call | changes, "attempts": attempts, "recordings": [], **apart}


def told(*records: dict[str, Any], promise: Promise | None = None) -> list[str]:
    return judge([BUSY_THEN_ANSWER], records, promise or Promise()).differences


def test_a_true_record_is_no_difference() -> None:
    verdict = judge([BUSY_THEN_ANSWER], [record()], Promise())
    assert verdict.differences == []
    assert (verdict.placed, verdict.let_in, verdict.routed, verdict.routable) == (1, 1, 1, 1)


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ([], "0 records"),
        ([record(), record()], "2 records"),
        ([record(), record(from_number="+36209999999")], "nobody placed"),
        ([record(direction="internal", extension="101")], "nobody placed"),
        ([record(attempts=record()["attempts"][::-1])], "tried"),
        ([record(attempts=record()["attempts"][1:])], "tried"),
        ([record(disposition="NO_ANSWER")], "disposition"),
        ([record(answered_by="103")], "answered by"),
        ([record(completeness="repaired")], "completeness"),
        ([record(wait_seconds=2.0)], "wait"),
        ([record(talk_seconds=3.0)], "talk"),
        ([record(recordings=[{"state": "available"}])], "recordings"),
    ],
)
def test_a_wrong_record_is_a_difference(wrong: list[dict[str, Any]], word: str) -> None:
    found = told(*wrong)
    assert any(word in text for text in found), found


def test_a_recorded_call_needs_its_recording() -> None:
    call = replace(BUSY_THEN_ANSWER, recorded=True)
    for states, wrong in ((["available"], False), (["missing"], True), ([], True)):
        verdict = judge([call], [record(recordings=[{"state": s} for s in states])], Promise())
        assert bool(verdict.differences) == wrong


def test_a_call_that_was_never_let_in_needs_no_record() -> None:
    refused = replace(BUSY_THEN_ANSWER, let_in=False, rang=())
    verdict = judge([refused], [], Promise())
    assert verdict.differences == []
    assert (verdict.placed, verdict.let_in, verdict.routable) == (1, 0, 0)


@pytest.mark.parametrize(
    "rang",
    [
        (),
        BUSY_THEN_ANSWER.rang[:1],
        BUSY_THEN_ANSWER.rang[::-1],
        (*BUSY_THEN_ANSWER.rang, saw("105", 0.5)),
        (saw("103", 3.5), talk("104", 3.6, 3.9, 5.0)),
    ],
)
def test_a_call_that_rang_other_phones_or_too_late_is_not_routed(
    rang: tuple[PhoneSaw, ...],
) -> None:
    verdict = judge([replace(BUSY_THEN_ANSWER, rang=rang)], [record()], Promise())
    assert verdict.routed == 0
    assert any("not right or not within" in text for text in verdict.differences)


def test_a_share_may_be_routed_wrong_where_that_is_all_that_is_promised() -> None:
    calls = [replace(BUSY_THEN_ANSWER, key=("inbound", str(n))) for n in range(3)]
    calls[0] = replace(calls[0], rang=())
    lines = [record(from_number=str(n)) for n in range(3)]
    for share, wrong in ((0.6, False), (0.7, True)):
        found = judge(calls, lines, Promise(routed=share)).differences
        assert any("not right or not within" in text for text in found) == wrong


class TestCut:
    """Asterisk was struck while the call was on."""

    promise = Promise(blow=Blow(NOW + 1.0, NOW + 3.0, cut=frozenset({"truncated"})))

    def test_it_is_truncated_and_need_not_agree(self) -> None:
        cut = record(completeness="truncated", disposition="UNKNOWN", talk_seconds=9.0)
        assert told(cut, promise=self.promise) == []

    def test_it_has_one_record_all_the_same(self) -> None:
        assert "0 records" in told(promise=self.promise)[0]
        cut = record(completeness="truncated")
        assert "2 records" in told(cut, cut, promise=self.promise)[0]

    def test_it_is_not_called_complete(self) -> None:
        assert "called complete" in told(record(), promise=self.promise)[0]

    def test_only_one_that_was_a_moment_old_may_have_none(self) -> None:
        for memory, verdict in ((0.1, 1), (0.0, 0)):
            blow = Blow(NOW + 0.05, NOW + 3.0, memory=memory)
            found = judge([BUSY_THEN_ANSWER], [], Promise(blow=blow))
            assert (found.unwritten, bool(found.differences)) == (verdict, not verdict)

    def test_nobody_is_on_record_who_was_not_tried(self) -> None:
        attempts = [{"extension": "105", "endpoint": "PJSIP/105", "result": "ANSWER"}]
        cut = record(completeness="truncated", attempts=attempts)
        assert any("tried" in text for text in told(cut, promise=self.promise))

    def test_a_call_after_it_must_be_right(self) -> None:
        later = Promise(blow=Blow(NOW - 20, NOW - 10, cut=frozenset({"truncated"})))
        assert told(record(), promise=later) == []
        assert told(record(answered_by="103"), promise=later)


def test_a_call_that_lost_rows_may_tell_less_but_nothing_else() -> None:
    promise = Promise(damaged=frozenset({KEY}))
    less = record(completeness="repaired", attempts=record()["attempts"][:1], talk_seconds=0.0)
    assert told(less, promise=promise) == []
    assert told(
        record(completeness="repaired", attempts=record()["attempts"][::-1]), promise=promise
    )
    assert "0 records" in told(promise=promise)[0]
