"""Simulated phones against a real Asterisk: what one side saw, the other did."""

import asyncio
import os
import time
from collections.abc import Callable

import pytest

from callctl.demo.sip import (
    BUSY,
    Answer,
    EndedBy,
    Phone,
    Redirect,
    Refuse,
    RingOut,
    Silence,
    SipError,
)
from callctl.demo.tone import tone_hz
from callctl.demo.verify import strongest_tone
from tests.bridges import until_bridged
from tests.calls.capture.desk import Desk

pytestmark = pytest.mark.asterisk

ONE, TWO, HUNT, RECORDED = "0015550100", "0015550109", "0015550101", "0015550108"


async def test_both_sides_of_an_answered_call_agree(desk: Desk) -> None:
    phone = await desk.phone("201", Answer(after=0.3))
    caller = await desk.outside(ONE, talk=0.4, display="Ann")
    placed, taken = await caller.ended(), await phone.ended()
    assert (placed.final_code, taken.final_code) == (200, 200)
    assert (placed.ended_by, taken.ended_by) == (EndedBy.SELF, EndedBy.FAR)
    assert (taken.from_number, taken.from_name) == (placed.from_number, "Ann")
    assert taken.rang_at is not None
    assert taken.answered_at is not None
    assert 0.29 <= taken.answered_at - taken.rang_at < 1.0
    assert placed.answered_at == pytest.approx(taken.answered_at, abs=0.2)
    assert 0.39 <= (placed.talk_seconds or 0) < 1.0
    assert placed.talk_seconds == pytest.approx(taken.talk_seconds, abs=0.2)


@pytest.mark.parametrize("code", [404, 480, 486, 488, 500, 503, 603])
async def test_a_refusal_ends_the_call(desk: Desk, code: int) -> None:
    phone = await desk.phone("201", Refuse(code))
    caller = await desk.outside(ONE)
    placed, taken = await caller.ended(), await phone.ended()
    assert (taken.final_code, taken.ended_by, taken.rang_at) == (code, EndedBy.SELF, None)
    assert placed.answered_at is None
    assert (placed.final_code or 0) >= 400


async def test_a_silent_phone_is_reachable_but_says_nothing(desk: Desk) -> None:
    phone = await desk.phone("201", Silence())
    caller = await desk.outside(ONE)
    await phone.until(lambda c: c.dialled == "201")
    assert "201" in await desk.lab.cli("pjsip show contacts")
    await caller.give_up()
    await caller.ended()
    (saw,) = phone.calls
    assert (saw.rang_at, saw.answered_at, saw.final_code) == (None, None, None)


async def test_a_caller_gives_up_on_order_and_by_itself(desk: Desk) -> None:
    one = await desk.phone("201", RingOut())
    two = await desk.phone("202", RingOut())
    ordered = await desk.outside(ONE)
    impatient = await desk.outside(TWO, patience=0.5)
    await one.ringing()
    await ordered.give_up()
    for caller, phone in ((ordered, one), (impatient, two)):
        placed, taken = await caller.ended(), await phone.ended()
        assert (placed.final_code, placed.ended_by) == (487, EndedBy.SELF)
        assert (taken.final_code, taken.ended_by) == (487, EndedBy.FAR)
    waited = (impatient.calls[0].ended_at or 0) - impatient.calls[0].invited_at
    assert 0.5 <= waited < 1.5


async def test_a_phone_answers_and_either_side_hangs_up_on_order(desk: Desk) -> None:
    one = await desk.phone("201", Answer(after=60))
    two = await desk.phone("202", Answer(after=60))
    by_caller, by_phone = await desk.outside(ONE), await desk.outside(TWO)
    for phone in (one, two):
        await phone.ringing()
        await phone.answer()
    await by_caller.answered()
    await by_caller.hang_up()
    await two.answered()
    await two.hang_up()
    assert (await by_caller.ended()).ended_by == EndedBy.SELF
    assert (await one.ended()).ended_by == EndedBy.FAR
    assert (await by_phone.ended()).ended_by == EndedBy.FAR
    assert (await two.ended()).ended_by == EndedBy.SELF


async def test_a_phone_holds_and_resumes_more_than_once(desk: Desk) -> None:
    phone = await desk.phone("201", Answer(after=0))
    caller = await desk.outside(ONE)
    await phone.answered()
    for _ in range(2):
        await phone.hold()
        await phone.resume()
    directions = [
        line
        for m in phone.messages
        if m.sent and m.method == "INVITE"
        for line in m.text.decode().splitlines()
        if line in {"a=sendonly", "a=sendrecv"}
    ]
    assert directions == ["a=sendonly", "a=sendrecv"] * 2
    await caller.hang_up()
    assert (await phone.ended()).final_code == 200


async def test_a_302_sends_the_call_elsewhere(desk: Desk) -> None:
    first = await desk.phone("201", Redirect(f"sip:202@{desk.lab.address}"))
    second = await desk.phone("202", Answer(after=0, talk=0.2))
    caller = await desk.outside(ONE)
    assert (await caller.ended()).final_code == 200
    assert (await first.ended()).final_code == 302
    assert (await second.ended()).final_code == 200


async def test_a_blind_transfer_leaves_the_two_others(desk: Desk) -> None:
    first = await desk.phone("201", Answer(after=0))
    second = await desk.phone("202", Answer(after=0.2))
    caller = await desk.outside(ONE)
    await first.answered()
    await until_bridged(desk.lab, "trunk", "201")
    assert await first.transfer("202") == 202
    left = await first.ended()
    taken = await second.answered()
    assert (left.ended_by, left.transfer_codes) == (EndedBy.SELF, (202,))
    await caller.hang_up()
    assert (await second.ended()).ended_at >= (await caller.ended()).ended_at - 0.1  # type: ignore[operator]
    assert taken.invited_at > left.invited_at


async def test_an_attended_transfer_joins_two_calls(desk: Desk) -> None:
    first = await desk.phone("201", Answer(after=0))
    third = await desk.phone("203", Answer(after=0))
    caller = await desk.outside(ONE)
    talking = await first.answered()
    await first.hold(talking)
    line = await desk.inside("201", "203")
    consulting = await line.answered()
    await until_bridged(desk.lab, "trunk", "201", "203")
    assert await first.transfer_to_call(consulting, line, talking) == 202
    await first.ended()
    await line.ended()
    assert (await third.answered()).ended_at is None
    await third.hang_up()
    assert (await caller.ended()).ended_by == EndedBy.FAR


async def test_each_party_is_heard_with_its_own_tone(desk: Desk) -> None:
    phone = await desk.phone("201", Answer(after=0))
    caller = await desk.outside(RECORDED, user="0017", talk=0.6)
    await caller.ended()
    await phone.ended()
    await desk.lab.until_idle()
    file = desk.lab.values.spool_dir / "monitor" / "0017.raw"
    samples = memoryview(file.read_bytes()).cast("h").tolist()
    heard = [tone_hz("trunk"), tone_hz("201")]
    assert heard[0] != heard[1]
    assert [strongest_tone(samples[side::2], heard) for side in (0, 1)] == heard


NAMES = {
    "quotes": 'Bob \\"the\\" x',
    "brackets": "[call_id] {{user}} ]]> $1",
    "bytes that are no UTF-8": "raw \udcff\udcfe",
    "10 kB": "L" * 10_000,
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
async def test_a_callers_name_goes_out_as_it_is(desk: Desk, name: str) -> None:
    await desk.phone("201", BUSY)
    headers = ("X-One: [pid]", "X-Two: " + "a" * 3000)
    caller = await desk.outside(ONE, display=name, headers=headers)
    (call,) = [await caller.ended()]
    assert call.from_name == name
    invite = next(m for m in caller.messages if m.method == "INVITE")
    assert [f"X-One: {invite.header('X-One')}", f"X-Two: {invite.header('X-Two')}"] == [*headers]


async def test_a_wrong_password_is_an_error(desk: Desk) -> None:
    phone = Phone("201", "127.0.5.201", desk.lab.address, secret="wrong")
    with pytest.raises(SipError, match="401"):
        await phone.register()
    await phone.stop()


async def test_a_server_that_is_not_there_is_an_error_in_bounded_time() -> None:
    phone = Phone("201", "127.0.5.201", "127.0.5.99", secret="secret")
    before = time.monotonic()
    with pytest.raises(SipError):
        await phone.register(seconds=0.5)
    assert time.monotonic() - before < 2
    await phone.stop()


async def test_a_phone_that_is_stopped_is_gone(desk: Desk) -> None:
    async with Phone("204", "127.0.5.204", desk.lab.address, secret="secret-204") as phone:
        assert "sip:204@" in await desk.lab.cli("pjsip show contacts")
        process = phone._process
        assert process is not None
    assert "sip:204@" not in await desk.lab.cli("pjsip show contacts")
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


async def test_waiting_for_what_does_not_come_ends_and_says_what_was_seen(desk: Desk) -> None:
    phone = await desk.phone("201", Refuse(486))
    caller = await desk.outside(ONE)
    await caller.ended()
    never: Callable[[object], bool] = lambda call: False  # noqa: E731
    with pytest.raises(TimeoutError, match="final_code=486"):
        await phone.until(never, seconds=0.1)
    await asyncio.sleep(0)
