"""The first phone fails, in every way that a phone can; the second gets the call."""

import asyncio
from typing import Any

import pytest

from callctl.demo.sip import BUSY, DECLINE, Answer, Behaviour, Refuse, RingOut, Silence
from tests.asterisk.scenarios.office import Office

pytestmark = pytest.mark.asterisk

FIRST: dict[str, tuple[Behaviour | None, str]] = {
    "141": (BUSY, "BUSY"),
    "142": (DECLINE, "REJECTED"),
    "143": (Refuse(404), "UNAVAILABLE"),
    "144": (Refuse(503), "UNAVAILABLE"),
    "145": (Refuse(480), "NOANSWER"),
    "146": (Silence(), "NOANSWER"),
    "147": (None, "UNAVAILABLE"),
    "148": (Refuse(488), "UNAVAILABLE"),
    "149": (RingOut(), "NOANSWER"),
}
"""Each first phone's habit (None: never registered), and its attempt's result."""


async def test_second_phone_gets_the_call_whatever_the_first_does(office: Office) -> None:
    """Nine callers at once, each with another first phone."""
    habits = {e: habit for e, (habit, _) in FIRST.items() if habit is not None}
    await office.phones({**habits, "101": Answer(after=0.3)})

    async def call(first: str) -> dict[str, Any]:
        caller = await office.outside(f"+3617000{first}", f"+36201110{first}", talk=0.6)
        return await office.verified(caller, (first, "101"))

    records = await asyncio.gather(*(call(first) for first in FIRST))
    for (first, (_, result)), record in zip(FIRST.items(), records, strict=True):
        assert [(a["extension"], a["result"]) for a in record["attempts"]] == [
            (first, result),
            ("101", "ANSWER"),
        ]
        assert record["call"]["direction"] == "inbound"
        assert record["call"]["did"] == f"+3617000{first}"
        assert record["call"]["answered_by"] == "101"
        assert not record["call"]["missed"]


async def test_caller_who_gives_up_on_the_second_phone_has_cancelled(office: Office) -> None:
    _, second = await office.phones({"149": RingOut(), "101": RingOut()})
    caller = await office.outside("+3617000149")
    await second.ringing()
    await caller.give_up()
    record = await office.verified(caller, ("149", "101"))
    assert record["call"]["disposition"] == "CANCELLED"
    assert [a["result"] for a in record["attempts"]] == ["NOANSWER", "CANCEL"]
    assert record["call"]["missed"]
