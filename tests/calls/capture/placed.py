"""Calls between extensions, to numbers outside, through a menu, and two at once."""

import asyncio
from typing import Any

from callctl.demo.sip import BUSY, Answer, Party, Refuse, RingOut
from tests.calls.capture.desk import ALICE, TRUNKS, Desk, attempt, expected

INBOUND: dict[str, Any] = {"direction": "inbound", "from_number": ALICE, "extension": None}


async def internal(desk: Desk) -> list[dict[str, Any]]:
    """201 calls 202, who answers."""
    await desk.phone("201")
    await desk.phone("202", Answer(after=0.4))
    caller = await desk.inside("201", "202", talk=1.0)
    await caller.ended()
    return [
        expected(
            caller,
            direction="internal",
            from_number="201",
            extension="201",
            to_number="202",
            answered_by="202",
            destination_number="202",
            disposition="ANSWERED",
            attempts=[attempt("202", "ANSWER")],
        )
    ]


async def outbound_second_trunk(desk: Desk) -> list[dict[str, Any]]:
    """The first carrier gives 503, the second one's callee answers."""
    await desk.carrier("trunk", Refuse(503))
    await desk.carrier("trunk2", Answer(after=0.5, talk=1.0))
    caller = await desk.inside("201", ALICE)
    return await _outbound(caller, "ANSWERED", "UNAVAILABLE", "ANSWER")


async def ivr_answer(desk: Desk) -> list[dict[str, Any]]:
    """Asterisk itself answers at once, plays a tone for a second, then 201 is rung and answers."""
    await desk.phone("201", Answer(after=0.6, talk=1.0))
    caller = await desk.outside("0015550103")
    await caller.ended()
    saw = caller.calls[-1]
    phone = next(p for p in desk.parties if p.name == "201").calls[-1]
    return [
        {
            **INBOUND,
            "to_number": "0015550103",
            "answered_by": "201",
            "disposition": "ANSWERED",
            "attempts": [attempt("201", "ANSWER")],
            # The caller's line was up long before anyone spoke: only 201's answer counts.
            "rough": {
                "started_at": round(saw.invited_at, 2),
                "wait_seconds": round((phone.answered_at or 0) - saw.invited_at, 2),
                "talk_seconds": round((phone.ended_at or 0) - (phone.answered_at or 0), 2),
            },
        }
    ]


async def ivr_abandoned(desk: Desk) -> list[dict[str, Any]]:
    """Asterisk itself answers, and the caller hangs up while 201 rings."""
    phone = await desk.phone("201", RingOut())
    caller = await desk.outside("0015550103")
    await phone.until(lambda c: c.rang_at)
    await asyncio.sleep(0.5)
    await caller.hang_up()
    saw = await caller.ended()
    return [
        {
            **INBOUND,
            "to_number": "0015550103",
            "answered_by": None,
            "disposition": "CANCELLED",
            "attempts": [attempt("201", "CANCEL")],
            "rough": {
                "started_at": round(saw.invited_at, 2),
                "wait_seconds": round((saw.ended_at or 0) - saw.invited_at, 2),
                "talk_seconds": 0.0,
            },
        }
    ]


async def two_at_once(desk: Desk) -> list[dict[str, Any]]:
    """Two calls interleaved in one journal."""
    await desk.phone("201", Answer(after=0.8))
    await desk.phone("202", Answer(after=0.3))
    one = await desk.outside("0015550100", talk=1.6)
    await one.until(lambda c: c.rang_at)
    other = await desk.inside("203", "202", talk=1.0)
    await one.ended()
    await other.ended()
    return [
        expected(
            one,
            **INBOUND,
            to_number="0015550100",
            answered_by="201",
            disposition="ANSWERED",
            attempts=[attempt("201", "ANSWER")],
        ),
        expected(
            other,
            direction="internal",
            from_number="203",
            extension="203",
            to_number="202",
            answered_by="202",
            disposition="ANSWERED",
            attempts=[attempt("202", "ANSWER")],
        ),
    ]


async def internal_unanswered(desk: Desk) -> list[dict[str, Any]]:
    """201 calls 202, who never answers."""
    await desk.phone("202", RingOut())
    caller = await desk.inside("201", "202")
    await caller.ended()
    return [
        expected(
            caller,
            direction="internal",
            from_number="201",
            extension="201",
            to_number="202",
            answered_by=None,
            disposition="NO_ANSWER",
            attempts=[attempt("202", "NOANSWER")],
        )
    ]


def _through(trunk: str, result: str) -> dict[str, Any]:
    return {"extension": None, "number": ALICE, "endpoint": f"PJSIP/{trunk}", "result": result}


async def _outbound(caller: Party, disposition: str, *results: str) -> list[dict[str, Any]]:
    await caller.ended()
    return [
        expected(
            caller,
            direction="outbound",
            from_number="201",
            extension="201",
            to_number=ALICE,
            answered_by=None,
            disposition=disposition,
            attempts=[_through(t, r) for t, r in zip(TRUNKS, results, strict=False)],
        )
    ]


async def outbound(desk: Desk) -> list[dict[str, Any]]:
    """201 calls a number outside, which answers; 201 hangs up."""
    await desk.carrier("trunk", Answer(after=0.6))
    return await _outbound(await desk.inside("201", ALICE, talk=1.0), "ANSWERED", "ANSWER")


async def outbound_busy(desk: Desk) -> list[dict[str, Any]]:
    """Both carriers say busy (this plain dialplan asks the second one for any reason)."""
    await desk.carrier("trunk", BUSY)
    await desk.carrier("trunk2", BUSY)
    return await _outbound(await desk.inside("201", ALICE), "BUSY", "BUSY", "BUSY")


async def outbound_all_down(desk: Desk) -> list[dict[str, Any]]:
    """Both carriers give 503."""
    await desk.carrier("trunk", Refuse(503))
    await desk.carrier("trunk2", Refuse(503))
    caller = await desk.inside("201", ALICE)
    return await _outbound(caller, "FAILED", "UNAVAILABLE", "UNAVAILABLE")


async def outbound_cancelled(desk: Desk) -> list[dict[str, Any]]:
    """201 gives up while the number outside rings."""
    await desk.carrier("trunk", RingOut())
    return await _outbound(await desk.inside("201", ALICE, patience=1.2), "CANCELLED", "CANCEL")
