"""Calls that nobody moves: each failure, give-ups, forks, internal and outbound calls."""

import asyncio
from typing import Any

from callctl.demo.sip import BUSY, DECLINE, Answer, Party, Refuse, RingOut, Silence
from tests.calls.capture.desk import ALICE, TRUNKS, Desk, attempt, expected

INBOUND: dict[str, Any] = {"direction": "inbound", "from_number": ALICE, "extension": None}


async def answered(desk: Desk) -> list[dict[str, Any]]:
    """201 answers and the caller hangs up."""
    await desk.phone("201", Answer(after=0.5))
    caller = await desk.outside("0015550100", display="Alice Adams", talk=1.5)
    await caller.ended()
    return [
        expected(
            caller,
            **INBOUND,
            from_name="Alice Adams",
            to_number="0015550100",
            answered_by="201",
            destination_number="201",
            disposition="ANSWERED",
            attempts=[attempt("201", "ANSWER")],
        )
    ]


async def second_answers(desk: Desk) -> list[dict[str, Any]]:
    """201 rings out, 202 answers and hangs up."""
    await desk.phone("201", RingOut())
    await desk.phone("202", Answer(after=0.5, talk=1.0))
    caller = await desk.outside("0015550101")
    await caller.ended()
    return [
        expected(
            caller,
            **INBOUND,
            to_number="0015550101",
            answered_by="202",
            destination_number="202",
            disposition="ANSWERED",
            attempts=[attempt("201", "NOANSWER"), attempt("202", "ANSWER")],
        )
    ]


async def _refused(desk: Desk, code: int, result: str, disposition: str) -> list[dict[str, Any]]:
    await desk.phone("201", Refuse(code, after=0.3, rings=code == 603))
    caller = await desk.outside("0015550100")
    await caller.ended()
    return [
        expected(
            caller,
            **INBOUND,
            to_number="0015550100",
            answered_by=None,
            disposition=disposition,
            attempts=[attempt("201", result)],
        )
    ]


async def busy(desk: Desk) -> list[dict[str, Any]]:
    """486."""
    return await _refused(desk, 486, "BUSY", "BUSY")


async def declined(desk: Desk) -> list[dict[str, Any]]:
    """603."""
    return await _refused(desk, 603, "REJECTED", "REJECTED")


async def not_found(desk: Desk) -> list[dict[str, Any]]:
    """404."""
    return await _refused(desk, 404, "UNAVAILABLE", "FAILED")


async def unavailable_503(desk: Desk) -> list[dict[str, Any]]:
    """503."""
    return await _refused(desk, 503, "UNAVAILABLE", "FAILED")


async def temporarily_unavailable_480(desk: Desk) -> list[dict[str, Any]]:
    """480, which Asterisk takes for no answer."""
    return await _refused(desk, 480, "NOANSWER", "NO_ANSWER")


async def not_acceptable_488(desk: Desk) -> list[dict[str, Any]]:
    """488."""
    return await _refused(desk, 488, "UNAVAILABLE", "FAILED")


async def silent(desk: Desk) -> list[dict[str, Any]]:
    """201 never says a word, 202 answers."""
    await desk.phone("201", Silence())
    await desk.phone("202", Answer(after=0.3, talk=0.8))
    caller = await desk.outside("0015550101")
    await caller.ended()
    return [
        expected(
            caller,
            **INBOUND,
            to_number="0015550101",
            answered_by="202",
            disposition="ANSWERED",
            attempts=[attempt("201", "NOANSWER"), attempt("202", "ANSWER")],
        )
    ]


async def unregistered(desk: Desk) -> list[dict[str, Any]]:
    """201 is not there: no channel is made for it, and no row tells of it."""
    caller = await desk.outside("0015550100")
    await caller.ended()
    return [
        expected(
            caller,
            **INBOUND,
            to_number="0015550100",
            answered_by=None,
            disposition="FAILED",
            attempts=[],
        )
    ]


async def busy_declined_offline(desk: Desk) -> list[dict[str, Any]]:
    """201 busy, 202 declines, 203 is not there."""
    await desk.phone("201", BUSY)
    await desk.phone("202", DECLINE)
    caller = await desk.outside("0015550101")
    await caller.ended()
    return [
        expected(
            caller,
            **INBOUND,
            to_number="0015550101",
            answered_by=None,
            disposition="BUSY",
            attempts=[attempt("201", "BUSY"), attempt("202", "REJECTED")],
        )
    ]


async def cancelled_first(desk: Desk) -> list[dict[str, Any]]:
    """The caller gives up while 201 rings."""
    await desk.phone("201", RingOut())
    caller = await desk.outside("0015550100", patience=1.2)
    await caller.ended()
    return [
        expected(
            caller,
            **INBOUND,
            to_number="0015550100",
            answered_by=None,
            disposition="CANCELLED",
            attempts=[attempt("201", "CANCEL")],
        )
    ]


async def cancelled_second(desk: Desk) -> list[dict[str, Any]]:
    """The caller gives up while the second phone rings."""
    await desk.phone("201", RingOut())
    second = await desk.phone("202", RingOut())
    caller = await desk.outside("0015550101")
    await second.until(lambda c: c.rang_at)
    await asyncio.sleep(0.7)
    await caller.give_up()
    await caller.ended()
    return [
        expected(
            caller,
            **INBOUND,
            to_number="0015550101",
            answered_by=None,
            disposition="CANCELLED",
            attempts=[attempt("201", "NOANSWER"), attempt("202", "CANCEL")],
        )
    ]


async def missed_by_all(desk: Desk) -> list[dict[str, Any]]:
    """Three phones in turn, nobody answers."""
    for extension in ("201", "202", "203"):
        await desk.phone(extension, RingOut())
    caller = await desk.outside("0015550101")
    await caller.ended()
    return [
        expected(
            caller,
            **INBOUND,
            to_number="0015550101",
            answered_by=None,
            disposition="NO_ANSWER",
            attempts=[attempt(e, "NOANSWER") for e in ("201", "202", "203")],
        )
    ]


async def fork_one_winner(desk: Desk) -> list[dict[str, Any]]:
    """All three ring at once, 202 is the quickest."""
    await desk.phone("201", RingOut())
    await desk.phone("202", Answer(after=0.9, talk=1.0))
    await desk.phone("203", RingOut())
    caller = await desk.outside("0015550102")
    await caller.ended()
    return [
        expected(
            caller,
            **INBOUND,
            to_number="0015550102",
            answered_by="202",
            destination_number="202",
            disposition="ANSWERED",
            attempts=[
                attempt("201", "ANSWERED_ELSEWHERE"),
                attempt("202", "ANSWER"),
                attempt("203", "ANSWERED_ELSEWHERE"),
            ],
        )
    ]


async def fork_nobody(desk: Desk) -> list[dict[str, Any]]:
    """All three at once: one rings out, one is busy, one declines."""
    await desk.phone("201", RingOut())
    await desk.phone("202", BUSY)
    await desk.phone("203", DECLINE)
    caller = await desk.outside("0015550102")
    await caller.ended()
    return [
        expected(
            caller,
            **INBOUND,
            to_number="0015550102",
            answered_by=None,
            disposition="NO_ANSWER",
            attempts=[
                attempt("201", "NOANSWER"),
                attempt("202", "BUSY"),
                attempt("203", "REJECTED"),
            ],
        )
    ]


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


async def anonymous(desk: Desk) -> list[dict[str, Any]]:
    """The caller withholds its number (RFC 3325); the carrier asserts it nevertheless."""
    await desk.phone("201", Answer(after=0.3, talk=0.8))
    caller = await desk.outside(
        "0015550100",
        user="anonymous",
        display="Anonymous",
        headers=(f"P-Asserted-Identity: <sip:{ALICE}@127.0.0.1>", "Privacy: id"),
    )
    await caller.ended()
    return [
        expected(
            caller,
            direction="inbound",
            to_number="0015550100",
            answered_by="201",
            disposition="ANSWERED",
            attempts=[attempt("201", "ANSWER")],
        )
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


async def refused_by_rule(desk: Desk) -> list[dict[str, Any]]:
    """The dialplan rejects the call (cause 21) and rings nobody."""
    caller = await desk.outside("0015550106")
    await caller.ended()
    return [
        expected(
            caller,
            **INBOUND,
            to_number="0015550106",
            answered_by=None,
            disposition="REJECTED",
            attempts=[],
        )
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
