"""Pickup, parking, forwards, a phone's redirection, hold, and calls that a program places."""

import asyncio
from typing import Any

from callctl.demo.sip import Answer, Redirect, RingOut
from tests.calls.capture.desk import ALICE, Desk, attempt, expected

INBOUND: dict[str, Any] = {"direction": "inbound", "from_number": ALICE, "extension": None}


async def _picked_up(desk: Desk, code: str) -> list[dict[str, Any]]:
    ringing = await desk.phone("201", RingOut())
    caller = await desk.outside("0015550100")
    await ringing.until(lambda c: c.rang_at)
    await asyncio.sleep(0.8)
    taker = await desk.inside("202", code)
    await taker.answered()
    await asyncio.sleep(0.8)
    await caller.hang_up()
    await caller.ended()
    await taker.ended()
    return [
        expected(
            caller,
            **INBOUND,
            to_number="0015550100",
            answered_by="202",
            destination_number="202",
            disposition="ANSWERED",
            attempts=[attempt("201", "PICKUP")],
        )
    ]


async def pickup_group(desk: Desk) -> list[dict[str, Any]]:
    """201 rings, 202 takes the call with *8 (any phone of the group)."""
    return await _picked_up(desk, "*8")


async def pickup_directed(desk: Desk) -> list[dict[str, Any]]:
    """201 rings, 202 takes the call with *8201 (PickupChan)."""
    return await _picked_up(desk, "*8201")


async def park_and_retrieve(desk: Desk) -> list[dict[str, Any]]:
    """201 parks the caller (REFER to 700); 203 takes it from 701."""
    first = await desk.phone("201", Answer(after=0.4))
    caller = await desk.outside("0015550100")
    talking = await first.answered()
    await asyncio.sleep(0.6)
    assert await first.transfer("700", talking) == 202
    await first.ended()
    await asyncio.sleep(0.8)
    taker = await desk.inside("203", "701")
    await taker.answered()
    await asyncio.sleep(0.8)
    await caller.hang_up()
    await caller.ended()
    await taker.ended()
    return [
        expected(
            caller,
            **INBOUND,
            to_number="0015550100",
            answered_by="201",
            destination_number="203",
            disposition="ANSWERED",
        )
    ]


async def park_and_return(desk: Desk) -> list[dict[str, Any]]:
    """201 parks the caller, nobody takes it: it comes back to 201, who answers again."""
    first = await desk.phone("201", Answer(after=0.4))
    caller = await desk.outside("0015550100")
    talking = await first.answered()
    await asyncio.sleep(0.6)
    assert await first.transfer("700", talking) == 202
    await first.ended()
    await first.until(lambda c: c.call_id != talking.call_id and c.answered_at, seconds=12)
    await asyncio.sleep(0.8)
    await caller.hang_up()
    await caller.ended()
    return [
        expected(
            caller,
            **INBOUND,
            to_number="0015550100",
            answered_by="201",
            destination_number="201",
            disposition="ANSWERED",
        )
    ]


async def park_abandoned(desk: Desk) -> list[dict[str, Any]]:
    """201 parks the caller, who hangs up while parked."""
    first = await desk.phone("201", Answer(after=0.4))
    caller = await desk.outside("0015550100")
    talking = await first.answered()
    await asyncio.sleep(0.6)
    assert await first.transfer("700", talking) == 202
    await first.ended()
    await asyncio.sleep(1.0)
    await caller.hang_up()
    await caller.ended()
    return [
        expected(
            caller,
            **INBOUND,
            to_number="0015550100",
            answered_by="201",
            disposition="ANSWERED",
            attempts=[attempt("201", "ANSWER")],
        )
    ]


async def forward_by_local(desk: Desk) -> list[dict[str, Any]]:
    """The DID leads to Local/204@forward, which rings 202."""
    await desk.phone("202", Answer(after=0.6, talk=1.0))
    caller = await desk.outside("0015550104")
    await caller.ended()
    return [
        expected(
            caller,
            **INBOUND,
            to_number="0015550104",
            answered_by="202",
            destination_number="202",
            disposition="ANSWERED",
        )
    ]


async def redirected_by_phone(desk: Desk) -> list[dict[str, Any]]:
    """201 answers 302 with 202 as the contact; Asterisk follows it, 202 answers."""
    await desk.phone("201", Redirect(f"sip:202@{desk.lab.address}"))
    await desk.phone("202", Answer(after=0.6, talk=1.0))
    caller = await desk.outside("0015550100")
    await caller.ended()
    return [
        expected(
            caller,
            **INBOUND,
            to_number="0015550100",
            answered_by="202",
            destination_number="202",
            disposition="ANSWERED",
        )
    ]


async def hold_and_resume(desk: Desk) -> list[dict[str, Any]]:
    """201 holds the caller for a while: no row tells, and the talk counts on."""
    first = await desk.phone("201", Answer(after=0.4))
    caller = await desk.outside("0015550100")
    talking = await first.answered()
    await asyncio.sleep(0.5)
    await first.hold(talking)
    await asyncio.sleep(0.8)
    await first.resume(talking)
    await asyncio.sleep(0.5)
    await first.hang_up(talking)
    await caller.ended()
    return [
        expected(
            caller,
            **INBOUND,
            to_number="0015550100",
            answered_by="201",
            destination_number="201",
            disposition="ANSWERED",
            attempts=[attempt("201", "ANSWER")],
        )
    ]


async def _originated(desk: Desk, channel: str) -> list[dict[str, Any]]:
    await desk.phone("201", Answer(after=0.5))
    second = await desk.phone("202", Answer(after=0.7, talk=1.0))
    await desk.lab.ami(
        {
            "Action": "Originate",
            "Channel": channel,
            "Context": "internal",
            "Exten": "202",
            "Priority": "1",
            "CallerID": "Ada Meadow <201>",
            "Timeout": "10000",
            "Async": "true",
        }
    )
    await second.ended()
    return [
        expected(
            direction="internal",
            extension="201",
            from_number="201",
            to_number="202",
            answered_by="202",
            destination_number="202",
            disposition="ANSWERED",
        )
    ]


async def click_to_call(desk: Desk) -> list[dict[str, Any]]:
    """AMI Originate: 201's phone rings first, then 202 is dialled."""
    return await _originated(desk, "PJSIP/201")


async def click_to_call_by_local(desk: Desk) -> list[dict[str, Any]]:
    """AMI Originate through a Local channel, which is optimised away once both talk."""
    return await _originated(desk, "Local/201@click")


async def click_to_call_unanswered(desk: Desk) -> list[dict[str, Any]]:
    """AMI Originate: 201 takes its phone, 202 rings out."""
    first = await desk.phone("201", Answer(after=0.5))
    second = await desk.phone("202", RingOut())
    await desk.lab.ami(
        {
            "Action": "Originate",
            "Channel": "PJSIP/201",
            "Context": "internal",
            "Exten": "202",
            "Priority": "1",
            "CallerID": "Ada Meadow <201>",
            "Timeout": "10000",
            "Async": "true",
        }
    )
    await second.until(lambda c: c.rang_at)
    await asyncio.sleep(1.0)
    await first.hang_up()
    await first.ended()
    return [
        expected(
            direction="internal",
            extension="201",
            from_number="201",
            to_number="202",
            answered_by=None,
            disposition="CANCELLED",
        )
    ]
