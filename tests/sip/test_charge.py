"""The demo's own judgement of what a call was charged for."""

from typing import Any

import pytest

from callctl.demo.sip_log import PhoneSaw
from callctl.demo.verify import charge_differences


def charged(ended_at: str | None, *, seconds: int) -> dict[str, Any]:
    """A record whose second leg was answered at 10:00:00.8348."""
    answered_at = "2026-11-28T10:00:00.834800Z"
    legs = [{}, {"answered_at": answered_at, "ended_at": ended_at}]
    call = {"ended_at": "2026-11-28T10:00:02.850000Z"}
    return {"call": call, "legs": legs, "costs": [{"leg": 1, "talk_seconds": seconds}]}


def phone(talk: float) -> PhoneSaw:
    return PhoneSaw(
        "carrier", "1", False, "", "", "", None, 0.0, answered_at=10.0, ended_at=10.0 + talk
    )


@pytest.mark.parametrize(
    ("ended_at", "seconds"),
    [
        ("2026-11-28T10:00:02.841800Z", 3),
        ("2026-11-28T10:00:02.834800Z", 2),
        ("2026-11-28T10:00:02.834801Z", 3),
        (None, 3),
    ],
)
def test_seconds_begun_of_the_records_own_talk_are_right(
    ended_at: str | None, seconds: int
) -> None:
    assert charge_differences(charged(ended_at, seconds=seconds), phone(1.99)) == []


@pytest.mark.parametrize("seconds", [0, 2, 4])
def test_a_second_more_or_less_is_wrong(seconds: int) -> None:
    record = charged("2026-11-28T10:00:02.841800Z", seconds=seconds)
    assert charge_differences(record, phone(2.0)) == [
        f"seconds charged: recorded {seconds}, 3 begun of 2.007 s"
    ]


def test_talk_that_the_phone_did_not_have_is_wrong() -> None:
    record = charged("2026-11-28T10:00:02.841800Z", seconds=3)
    assert charge_differences(record, phone(1.5)) == ["talk paid for: recorded 2.01 s, real 1.50 s"]
    assert charge_differences(record, None) == ["talk paid for: recorded 2.01 s, real 0.00 s"]


def test_a_call_that_nothing_was_charged_for_is_wrong() -> None:
    record = charged("2026-11-28T10:00:02.841800Z", seconds=3) | {"costs": []}
    assert charge_differences(record, phone(2.0)) == ["parts paid for: recorded 0, real 1"]
