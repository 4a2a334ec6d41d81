"""Calls from outside that nobody moves: each failure, give-ups, forks."""

import asyncio
from typing import Any

from callctl.demo.sip import BUSY, DECLINE, Answer, Refuse, RingOut, Silence
from tests.calls.capture.desk import ALICE, Desk, attempt, expected

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
