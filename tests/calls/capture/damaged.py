"""Journals that are hard to read: hostile callers, Asterisk killed, a file cut off."""

import asyncio
from typing import Any

from callctl.demo.sip import BUSY, Answer, RingOut
from tests.calls.capture.desk import ALICE, Desk, attempt, expected

INBOUND: dict[str, Any] = {"direction": "inbound", "from_number": ALICE, "extension": None}

HOSTILE = (
    {"display": 'Bob \\"the\\" x, \\\\ y'},
    {"display": "comma, semicolon; equals=1 ${SHELL(touch /tmp/x)} & | ~ %22"},
    {"user": ALICE + "%0a%22,%22x", "display": "newline in the number"},
    {"user": ALICE + "%0d%0a%0d%0aEvent%3a%20Evil%0d%0aX%3a%20y"},
    {"display": "raw \udcff\udcfe\udc80 bytes"},
    {"display": "Žofie Åkerlund 王小明 😀"},
    {"display": "L" * 10_000},
    {"user": "9" * 500},
    {"user": "", "display": ""},
    {"user": "+44(7700)900-101", "display": "brackets in the number"},
)


async def hostile_names(desk: Desk) -> list[dict[str, Any]]:
    """Ten callers, one after another, with names and numbers that try to break the file."""
    await desk.phone("201", BUSY)
    calls = []
    for caller in HOSTILE:
        call = await desk.outside("0015550100", **caller)
        await call.ended()
        calls.append(
            expected(
                call,
                direction="inbound",
                extension=None,
                to_number="0015550100",
                answered_by=None,
                disposition="BUSY",
                attempts=[attempt("201", "BUSY")],
                completeness="complete",
            )
        )
    return calls


async def hostile_while_others_talk(desk: Desk) -> list[dict[str, Any]]:
    """A call with a long, quoted, broken name rings while another one begins and ends."""
    await desk.phone("201", Answer(after=2.0))
    await desk.phone("202", Answer(after=0.3))
    evil = await desk.outside("0015550100", display='q\\"' * 300, user="0%0a%22%22" * 40, talk=0.5)
    await evil.until(lambda c: c.rang_at)
    good = await desk.inside("203", "202", talk=0.8)
    await good.ended()
    await evil.ended()
    return [
        expected(
            evil,
            direction="inbound",
            extension=None,
            to_number="0015550100",
            answered_by="201",
            disposition="ANSWERED",
            attempts=[attempt("201", "ANSWER")],
            completeness="complete",
        ),
        expected(
            good,
            direction="internal",
            from_number="203",
            extension="203",
            to_number="202",
            answered_by="202",
            disposition="ANSWERED",
            attempts=[attempt("202", "ANSWER")],
            completeness="complete",
        ),
    ]


async def anonymous_without_number(desk: Desk) -> list[dict[str, Any]]:
    """The carrier says nothing but anonymous@anonymous.invalid."""
    await desk.phone("201", Answer(after=0.3, talk=0.8))
    caller = await desk.outside(
        "0015550100",
        user="anonymous",
        domain="anonymous.invalid",
        display="Anonymous",
        headers=("Privacy: id",),
    )
    await caller.ended()
    return [
        expected(
            caller,
            direction="inbound",
            from_number=None,
            to_number="0015550100",
            answered_by="201",
            disposition="ANSWERED",
            attempts=[attempt("201", "ANSWER")],
        )
    ]


async def killed_while_talking(desk: Desk) -> list[dict[str, Any]]:
    """Asterisk dies (kill -9) in the middle of a talk; after its restart another call is made."""
    phone = await desk.phone("201", Answer(after=0.4))
    lost = await desk.outside("0015550100")
    await phone.answered()
    await asyncio.sleep(1.0)
    talked = lost.calls[-1]
    await desk.lab.kill()
    await lost.stop()
    await phone.stop()
    await desk.lab.start()
    await desk.phone("202", Answer(after=0.4))
    second = await desk.inside("203", "202", talk=1.0)
    await second.ended()
    return [
        {
            **INBOUND,
            "to_number": "0015550100",
            "answered_by": "201",
            "disposition": "ANSWERED",
            "attempts": [attempt("201", "ANSWER")],
            "completeness": "truncated",
            "rough": {
                "started_at": round(talked.invited_at, 2),
                "wait_seconds": round((talked.answered_at or 0.0) - talked.invited_at, 2),
            },
        },
        expected(
            second,
            direction="internal",
            from_number="203",
            extension="203",
            to_number="202",
            answered_by="202",
            disposition="ANSWERED",
            attempts=[attempt("202", "ANSWER")],
            completeness="complete",
        ),
    ]


async def killed_while_ringing(desk: Desk) -> list[dict[str, Any]]:
    """Asterisk dies while 201 rings; nothing follows in the file."""
    phone = await desk.phone("201", RingOut())
    lost = await desk.outside("0015550100")
    await phone.until(lambda c: c.rang_at)
    await asyncio.sleep(0.5)
    rang = lost.calls[-1]
    await desk.lab.kill()
    await lost.stop()
    await phone.stop()
    await desk.lab.start()
    return [
        {
            **INBOUND,
            "to_number": "0015550100",
            "answered_by": None,
            "completeness": "truncated",
            "rough": {"started_at": round(rang.invited_at, 2)},
        }
    ]


async def cut_mid_row(desk: Desk) -> list[dict[str, Any]]:
    """An answered call whose file ends in the middle of its caller's HANGUP row."""
    await desk.phone("201", Answer(after=0.5))
    caller = await desk.outside("0015550100", display="Alice Adams", talk=1.5)
    await caller.ended()
    desk.damage = _cut
    saw = caller.calls[-1]
    return [
        {
            **INBOUND,
            "from_name": "Alice Adams",
            "to_number": "0015550100",
            "answered_by": "201",
            "disposition": "ANSWERED",
            "attempts": [attempt("201", "ANSWER")],
            "completeness": "truncated",
            "rough": {
                "started_at": round(saw.invited_at, 2),
                "wait_seconds": round((saw.answered_at or 0.0) - saw.invited_at, 2),
            },
        }
    ]


def _cut(journal: bytes) -> bytes:
    row = journal.rindex(b',"HANGUP",')
    return journal[: row + 60]
