"""Calls that somebody transfers: blind, attended, while ringing, by a feature code."""

import asyncio
from typing import Any

from callctl.demo.sip import Answer, Party, RingOut
from tests.calls.capture.desk import ALICE, Desk, attempt, expected

INBOUND: dict[str, Any] = {"direction": "inbound", "from_number": ALICE, "extension": None}


async def blind_transfer_by_callee(desk: Desk) -> list[dict[str, Any]]:
    """201 answers and sends the caller to 202 (REFER), who answers."""
    first = await desk.phone("201", Answer(after=0.4))
    second = await desk.phone("202", Answer(after=0.6))
    caller = await desk.outside("0015550100")
    talking = await first.answered()
    await asyncio.sleep(0.8)
    assert await first.transfer("202", talking) == 202
    await second.answered()
    await asyncio.sleep(0.8)
    await caller.hang_up()
    await caller.ended()
    return [
        expected(
            caller,
            **INBOUND,
            to_number="0015550100",
            answered_by="201",
            destination_number="202",
            disposition="ANSWERED",
            attempts=[attempt("201", "ANSWER"), attempt("202", "ANSWER")],
        )
    ]


async def blind_transfer_unanswered(desk: Desk) -> list[dict[str, Any]]:
    """201 answers and sends the caller to 202, who never answers: the caller gives up there."""
    first = await desk.phone("201", Answer(after=0.4))
    second = await desk.phone("202", RingOut())
    caller = await desk.outside("0015550100")
    talking = await first.answered()
    await asyncio.sleep(0.8)
    assert await first.transfer("202", talking) == 202
    await second.until(lambda c: c.rang_at)
    await asyncio.sleep(0.8)
    await caller.hang_up()
    await caller.ended()
    return [
        expected(
            caller,
            **INBOUND,
            to_number="0015550100",
            answered_by="201",
            disposition="ANSWERED",
            attempts=[attempt("201", "ANSWER"), attempt("202", "CANCEL")],
        )
    ]


async def blind_transfer_by_caller(desk: Desk) -> list[dict[str, Any]]:
    """201 calls 202 and sends 202 on to 203."""
    await desk.phone("202", Answer(after=0.4))
    third = await desk.phone("203", Answer(after=0.5, talk=0.9))
    caller = await desk.inside("201", "202")
    talking = await caller.answered()
    await asyncio.sleep(0.8)
    assert await caller.transfer("203", talking) == 202
    await third.ended()
    await caller.ended()
    return [
        expected(
            direction="internal",
            from_number="201",
            extension="201",
            to_number="202",
            answered_by="202",
            destination_number="203",
            disposition="ANSWERED",
            attempts=[attempt("202", "ANSWER"), attempt("203", "ANSWER")],
        )
    ]


async def _consulted(desk: Desk) -> tuple[Party, Party, Party]:
    """201 talks to the caller, holds, and calls 203 on a second line."""
    first = await desk.phone("201", Answer(after=0.4))
    caller = await desk.outside("0015550100")
    await first.answered()
    await asyncio.sleep(0.6)
    await first.hold()
    line = await desk.inside("201", "203")
    return caller, first, line


async def attended_transfer(desk: Desk) -> list[dict[str, Any]]:
    """201 asks 203 first, who answers, then joins the two (REFER with Replaces)."""
    third = await desk.phone("203", Answer(after=0.4))
    caller, first, line = await _consulted(desk)
    consulting = await line.answered()
    await asyncio.sleep(0.8)
    assert await first.transfer_to_call(consulting, line, first.calls[-1]) == 202
    await line.ended()
    await asyncio.sleep(0.8)
    await third.hang_up()
    await caller.ended()
    return [
        expected(
            caller,
            **INBOUND,
            to_number="0015550100",
            answered_by="201",
            destination_number="203",
            disposition="ANSWERED",
            attempts=[attempt("201", "ANSWER"), attempt("203", "ANSWER")],
        )
    ]


async def blonde_transfer(desk: Desk) -> list[dict[str, Any]]:
    """201 transfers to 203 while 203 still rings; 203 answers a little later."""
    third = await desk.phone("203", Answer(after=2.0))
    caller, first, line = await _consulted(desk)
    ringing = await line.until(lambda c: c.rang_at)
    assert await first.transfer_to_call(ringing, line, first.calls[-1]) == 202
    await third.answered()
    await asyncio.sleep(0.8)
    await third.hang_up()
    await caller.ended()
    return [
        expected(
            caller,
            **INBOUND,
            to_number="0015550100",
            answered_by="201",
            destination_number="203",
            disposition="ANSWERED",
            attempts=[attempt("201", "ANSWER"), attempt("203", "ANSWER")],
        )
    ]


async def blind_transfer_to_outside(desk: Desk) -> list[dict[str, Any]]:
    """201 sends the caller on to a number outside, through a trunk: still one inbound call."""
    outside = "00447700900202"
    first = await desk.phone("201", Answer(after=0.4))
    far = await desk.carrier("trunk", Answer(after=0.5))
    caller = await desk.outside("0015550100")
    talking = await first.answered()
    await asyncio.sleep(0.6)
    assert await first.transfer(outside, talking) == 202
    await far.answered()
    await asyncio.sleep(0.8)
    await caller.hang_up()
    await caller.ended()
    return [
        expected(
            caller,
            **INBOUND,
            to_number="0015550100",
            answered_by="201",
            destination_number=outside,
            disposition="ANSWERED",
        )
    ]


async def feature_blind_transfer(desk: Desk) -> list[dict[str, Any]]:
    """201 answers and dials #1202: Asterisk's own blind transfer; 202 answers."""
    first = await desk.phone("201", Answer(after=0.4))
    second = await desk.phone("202", Answer(after=0.5))
    caller = await desk.outside("0015550105")
    talking = await first.answered()
    await asyncio.sleep(0.6)
    await first.press("#1", talking)
    await asyncio.sleep(0.5)
    await first.press("202", talking)
    await second.answered()
    await asyncio.sleep(0.8)
    await caller.hang_up()
    await caller.ended()
    return [
        expected(
            caller,
            **INBOUND,
            to_number="0015550105",
            answered_by="201",
            destination_number="202",
            disposition="ANSWERED",
        )
    ]


async def feature_attended_transfer(desk: Desk) -> list[dict[str, Any]]:
    """201 dials *3203, talks to 203, and hangs up: Asterisk's own attended transfer."""
    first = await desk.phone("201", Answer(after=0.4))
    third = await desk.phone("203", Answer(after=0.5))
    caller = await desk.outside("0015550105")
    talking = await first.answered()
    await asyncio.sleep(0.6)
    await first.press("*3", talking)
    await asyncio.sleep(0.5)
    await first.press("203", talking)
    await third.answered()
    await asyncio.sleep(0.8)
    await first.hang_up(talking)
    await first.ended()
    await asyncio.sleep(0.8)
    await third.hang_up()
    await caller.ended()
    return [
        expected(
            caller,
            **INBOUND,
            to_number="0015550105",
            answered_by="201",
            destination_number="203",
            disposition="ANSWERED",
        )
    ]


async def attended_transfer_of_outbound(desk: Desk) -> list[dict[str, Any]]:
    """201 calls a number outside, asks 203, and leaves those two together: one outbound call."""
    await desk.carrier("trunk", Answer(after=0.5))
    third = await desk.phone("203", Answer(after=0.4))
    caller = await desk.inside("201", ALICE)
    talking = await caller.answered()
    await caller.hold(talking)
    line = await desk.inside("201", "203")
    consulting = await line.answered()
    await asyncio.sleep(0.6)
    assert await caller.transfer_to_call(consulting, line, talking) == 202
    await line.ended()
    await caller.ended()
    await asyncio.sleep(0.8)
    await third.hang_up()
    await third.ended()
    return [
        expected(
            direction="outbound",
            from_number="201",
            extension="201",
            to_number=ALICE,
            disposition="ANSWERED",
        )
    ]
