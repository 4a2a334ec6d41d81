"""Calls that are transferred, picked up, parked and held: one record each, whoever took part."""

import asyncio
from typing import Any

import pytest

from callctl.demo.sip import Answer, Party, Phone, PhoneSaw, RingOut
from tests.asterisk.scenarios.office import ALICE, Office, results

pytestmark = pytest.mark.asterisk


async def _talking(office: Office) -> tuple[Party, Phone, PhoneSaw]:
    """101 talks to a caller from outside."""
    phone = await office.phone("101", Answer(after=0.1))
    caller = await office.outside("+3617000101")
    talking = await phone.answered()
    await caller.answered()
    await office.talking("carrier-a", "101")
    return caller, phone, talking


def _check(record: dict[str, Any], answered_by: str | None, destination: str) -> None:
    call = record["call"]
    assert (call["disposition"], call["completeness"]) == ("ANSWERED", "complete")
    assert (call["answered_by"], call["destination_number"]) == (answered_by, destination)


async def _until_over(*parties: Party) -> None:
    await asyncio.gather(*(party.ended() for party in parties))


async def test_blind_transfer_by_the_callee(office: Office) -> None:
    caller, first, talking = await _talking(office)
    second = await office.phone("102", Answer(after=0.1))
    assert await first.transfer("102", talking) == 202
    saw = await second.answered()
    await office.talking("carrier-a", "102")
    await caller.hang_up()
    await _until_over(caller, first, second)
    record = await office.only_record()
    _check(record, "101", "102")
    assert record["call"]["direction"] == "inbound"
    assert record["call"]["from_number"] == ALICE
    assert saw.from_number == ALICE, "102 is shown who waits for it, not who sent it"
    assert results(record) == [("101", "ANSWER"), ("102", "ANSWER")]


async def test_blind_transfer_by_the_caller(office: Office) -> None:
    second, third = await office.phones({"102": Answer(after=0.1), "103": Answer(after=0.1)})
    caller = await office.inside("101", "102")
    talking = await caller.answered()
    await office.talking("101", "102")
    assert await caller.transfer("103", talking) == 202
    await third.answered()
    await office.talking("102", "103")
    await third.hang_up()
    await _until_over(caller, second, third)
    record = await office.only_record()
    _check(record, "102", "103")
    assert record["call"]["direction"] == "internal"
    assert record["call"]["extension"] == "101"
    assert record["call"]["to_number"] == "102"


async def test_blind_transfer_to_a_number_outside_goes_by_the_one_who_transfers(
    office: Office, carriers: dict[str, Phone]
) -> None:
    """101 may send the caller out through a carrier; that is no way from trunk to trunk."""
    caller, first, talking = await _talking(office)
    assert await first.transfer("06301112233", talking) == 202
    await carriers["carrier-b"].answered()
    await office.talking("carrier-a", "carrier-b")
    await caller.hang_up()
    await _until_over(caller, first)
    record = await office.only_record()
    _check(record, "101", "+36301112233")
    assert record["call"]["direction"] == "inbound"
    assert results(record) == [
        ("101", "ANSWER"),
        ("carrier-dead", "UNAVAILABLE"),
        ("carrier-b", "ANSWER"),
    ]


async def test_transfer_outside_needs_the_right_of_the_one_who_transfers(
    office: Office, carriers: dict[str, Phone]
) -> None:
    """104 may dial nothing outside, so nobody is called, and the caller is let go."""
    before = {name: len(carrier.calls) for name, carrier in carriers.items()}
    phone = await office.phone("104", Answer(after=0.1))
    caller = await office.inside("102", "104")
    talking = await phone.answered()
    await office.talking("102", "104")
    assert await phone.transfer("06301112233", talking) == 202
    await caller.ended()
    # It was told that the transfer has failed, and is left alone.
    await phone.hang_up(talking)
    await phone.ended()
    _check(await office.only_record(), "104", "104")
    assert {name: len(carrier.calls) for name, carrier in carriers.items()} == before


async def test_attended_transfer(office: Office) -> None:
    """101 asks 103 first, then joins the two."""
    caller, first, talking = await _talking(office)
    third = await office.phone("103", Answer(after=0.1))
    await first.hold(talking)
    line = await office.inside("101", "103", records=0)
    consulting = await line.answered()
    await office.talking("101", "103")
    assert await first.transfer_to_call(consulting, line, talking) == 202
    await line.ended()
    await office.talking("carrier-a", "103")
    await caller.hang_up()
    await _until_over(caller, first, third)
    record = await office.only_record()
    _check(record, "101", "103")
    assert record["call"]["direction"] == "inbound"
    assert len(record["linkedids"]) == 2


async def test_blonde_transfer(office: Office) -> None:
    """101 joins the caller with 103 while 103 still rings."""
    caller, first, talking = await _talking(office)
    third = await office.phone("103", Answer(after=60))
    await first.hold(talking)
    line = await office.inside("101", "103", records=0)
    await third.ringing()
    ringing = await line.until(lambda c: c.rang_at)
    assert await first.transfer_to_call(ringing, line, talking) == 202
    await third.answer()
    await third.answered()
    await office.talking("carrier-a", "103")
    await caller.hang_up()
    await _until_over(caller, first, third)
    record = await office.only_record()
    _check(record, "101", "103")
    assert record["call"]["direction"] == "inbound"


async def test_pickup_of_a_ringing_extension(office: Office) -> None:
    """105 takes the call that rings at 101, once by its number, once as one of the group."""
    for code in ("*8101", "*8"):
        ringing = await office.phone("101", RingOut())
        caller = await office.outside("+3617000101", "+3620111080" + str(len(code)))
        await ringing.ringing()
        taker = await office.inside("105", code, records=0)
        await taker.answered()
        await caller.answered()
        await office.talking("carrier-a", "105")
        await caller.hang_up()
        await _until_over(caller, taker)
        await ringing.stop()
        record = await office.record(caller)
        _check(record, "105", "105")
        assert results(record)[0] == ("101", "PICKUP")
        assert record["call"]["to_number"] == "+3617000101"


async def test_parked_call_is_taken_back_by_another(office: Office) -> None:
    caller, first, talking = await _talking(office)
    assert await first.transfer("700", talking) == 202
    await first.ended()
    await _until_parked(office)
    taker = await office.inside("103", "701", records=0)
    await taker.answered()
    await office.talking("carrier-a", "103")
    await caller.hang_up()
    await _until_over(caller, taker)
    record = await office.only_record()
    _check(record, "101", "103")
    assert record["call"]["to_number"] == "+3617000101"


async def _until_parked(office: Office) -> None:
    async with asyncio.timeout(5):
        while "701" not in await office.stack.asterisk.cli("parking show default"):
            await asyncio.sleep(0.05)


async def test_hold_is_no_end_of_the_talk(office: Office) -> None:
    caller, first, talking = await _talking(office)
    await first.hold(talking)
    await first.resume(talking)
    await first.hang_up(talking)
    await _until_over(caller, first)
    saw = caller.calls[-1]
    record = await office.only_record()
    _check(record, "101", "101")
    assert record["call"]["talk_seconds"] == pytest.approx(saw.talk_seconds, abs=0.35)


@pytest.mark.parametrize("code", ["##", "*2"], ids=["blind", "attended"])
async def test_transfer_by_feature_code(office: Office, code: str) -> None:
    caller, first, talking = await _talking(office)
    second = await office.phone("102", Answer(after=0.1))
    await first.press(f"{code}102#", talking)
    await second.answered()
    if code == "*2":
        # Whoever hangs up before Asterisk has joined the two leaves 102 behind, alone.
        await office.talking("102")
        await first.hang_up(talking)
    await first.ended()
    await office.talking("carrier-a", "102")
    await caller.hang_up()
    await _until_over(caller, second)
    record = await office.only_record()
    _check(record, "101", "102")
    assert record["call"]["direction"] == "inbound"
