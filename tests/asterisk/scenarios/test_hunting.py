"""Hunt groups and forwards: who rings, who is left out and why, who gets the call after all."""

import asyncio
from typing import Any

import pytest

from callctl.demo.sip import BUSY, Answer, Phone, RingOut
from tests.asterisk.scenarios.office import Office, reasons, results

pytestmark = pytest.mark.asterisk


async def test_all_ring_one_wins_and_the_others_are_told(office: Office) -> None:
    await office.phones({"102": RingOut(), "103": Answer(after=0.5, talk=0.5), "105": RingOut()})
    caller = await office.outside("+3617000201")
    record = await office.verified(caller, ("102", "103", "105"))
    assert results(record) == [
        ("102", "ANSWERED_ELSEWHERE"),
        ("103", "ANSWER"),
        ("105", "ANSWERED_ELSEWHERE"),
    ]
    assert record["call"]["answered_by"] == "103"


async def test_round_robin_begins_after_who_was_first_at_the_last_call(office: Office) -> None:
    await office.phones({e: Answer(after=0.1, talk=0.3) for e in ("151", "152", "153")})
    answered = []
    for number in range(4):
        caller = await office.outside("+3617000202", f"+3620111020{number}")
        await caller.ended()
        record = await office.record(caller)
        answered.append(record["call"]["answered_by"])
        await office.verified(caller, (answered[-1],))
    assert answered == ["151", "152", "153", "151"]


async def test_members_that_must_not_ring_do_not_and_the_record_says_why(office: Office) -> None:
    away = await office.phones({e: Answer() for e in ("121", "122", "123", "124", "133")})
    await office.phone("101", Answer(after=0.2, talk=0.3))
    caller = await office.outside("+3617000203")
    record = await office.verified(caller, ("101",))
    assert [phone.calls for phone in away] == [[], [], [], [], []]
    assert {
        ("skipped_dnd", "121"),
        ("skipped_paused", "122"),
        ("skipped_disabled", "123"),
        ("skipped_hours", "124"),
        ("skipped_forwarded", "133"),
    } <= set(reasons(record))


async def test_forwards_go_where_they_are_set_to(
    office: Office, carriers: dict[str, Phone]
) -> None:
    """Busy, no answer, always, unreachable, and to a number outside, all at once."""
    del carriers
    second = Answer(after=0.2)
    await office.phones({"131": BUSY, "132": RingOut(), "134": RingOut(), "102": second})
    tried = {
        "131": ("131", "102"),
        "132": ("132", "102"),
        "133": ("102",),
        "135": ("135", "102"),
        "134": ("134", "carrier-dead", "carrier-b"),
        # No right to dial outside, so no right to forward there: the DID's chain goes on.
        "136": ("102",),
    }

    async def call(extension: str) -> dict[str, Any]:
        caller = await office.outside(f"+3617000{extension}", f"+36201110{extension}", talk=0.5)
        saw = await caller.ended()
        if extension == "134":
            return await office.record(caller)
        assert saw.answered_at
        return await office.verified(caller, tried[extension])

    records = dict(zip(tried, await asyncio.gather(*map(call, tried)), strict=True))
    for extension, names in tried.items():
        assert [name for name, _ in results(records[extension])] == list(names)
        assert records[extension]["call"]["direction"] == "inbound"
        assert results(records[extension])[-1][1] == "ANSWER"
    outside = records["134"]
    assert outside["call"]["answered_by"] is None
    assert outside["call"]["destination_number"] == "+36301234567"
    assert outside["call"]["disposition"] == "ANSWERED"
    assert ("no_permission", "extension:136") in reasons(records["136"])
    assert ("forward_always", "133") in reasons(records["133"])


async def test_forward_to_outside_shows_the_number_that_was_called(
    office: Office, carriers: dict[str, Phone]
) -> None:
    """Not the caller's, which the carrier would not take from us."""
    await office.phone("134", RingOut())
    caller = await office.outside("+3617000134", "+36201119134", talk=0.3)
    await caller.ended()
    saw = carriers["carrier-b"].calls[-1]
    assert (saw.dialled, saw.from_number) == ("+36301234567", "+3617000134")
    await office.record(caller)
