"""Transfers, pickup, parking, click-to-call: what people do with a call once they have it."""

import asyncio
import struct
from itertools import pairwise
from statistics import median

import pytest

from callctl.core.routing.plan import Direction, HangupStep, RingStep, RingTarget
from callctl.demo.sip import Answer, RingOut
from tests.asterisk.manager import originate
from tests.asterisk.switch import Row, Switch, plan
from tests.bridges import until_bridged

pytestmark = pytest.mark.asterisk

DID = "+3617000001"


def to(*extensions: str, seconds: int = 8, record: bool = False, **more: object) -> str:
    targets = tuple(RingTarget(e, e) for e in extensions)
    return plan(RingStep(targets, seconds, record), HangupStep(0), **more)  # type: ignore[arg-type]


def routes(rows: list[Row]) -> list[str]:
    return [row.extra["route"] for row in rows if row.type == "CALLCTL_ROUTE"]


def attempts(rows: list[Row]) -> list[tuple[str, str]]:
    return [
        (row.extra["target"], row.extra["dialstatus"])
        for row in rows
        if row.type == "CALLCTL_ATTEMPT"
    ]


async def test_blind_transfer_by_the_callee_is_planned_as_its_own_call(switch: Switch) -> None:
    switch.plans[DID] = to("101")
    switch.plans["102"] = to("102", direction=Direction.INTERNAL)
    before = len(switch.rows())
    async with (
        switch.phone("101", Answer()) as first,
        switch.phone("102", Answer()) as second,
        switch.call_in(DID) as caller,
    ):
        await first.answered()
        await until_bridged(switch.instance, "carrier-a", "101")
        await first.transfer("102")
        await second.answered()
        await caller.hang_up()
        await caller.ended()
    rows = await switch.rows_after(before)
    assert [call.endpoint for call in switch.asked] == ["carrier-a", "101"]
    assert [call.uniqueid for call in switch.asked] == [rows[0]["uniqueid"]] * 2
    assert attempts(rows) == [("101", "ANSWER"), ("102", "ANSWER")]


async def test_blind_transfer_by_the_caller_moves_the_called_party(switch: Switch) -> None:
    switch.plans["102"] = to("102", direction=Direction.INTERNAL)
    switch.plans["103"] = to("103", direction=Direction.INTERNAL)
    before = len(switch.rows())
    async with (
        switch.phone("102", Answer()) as second,
        switch.phone("103", Answer()) as third,
        switch.call_from("101", "102") as caller,
    ):
        await second.answered()
        await until_bridged(switch.instance, "101", "102")
        await caller.transfer("103")
        await third.answered()
        await third.hang_up()
        await second.ended()
        await caller.stop()
    rows = await switch.rows_after(before)
    assert [call.endpoint for call in switch.asked] == ["101", "101"]
    assert sorted(attempts(rows)) == [("102", "ANSWER"), ("103", "ANSWER")]


async def test_attended_transfer_joins_the_two(switch: Switch) -> None:
    switch.plans[DID] = to("101")
    switch.plans["102"] = to("102", direction=Direction.INTERNAL)
    before = len(switch.rows())
    async with (
        switch.phone("101", Answer()) as first,
        switch.phone("102", Answer()) as second,
        switch.call_in(DID) as caller,
    ):
        held = await first.answered()
        async with switch.call_from("101", "102") as consultation:
            asked = await consultation.answered()
            await until_bridged(switch.instance, "carrier-a", "101", "102")
            await first.transfer_to_call(asked, consultation, held)
            await consultation.ended()
        assert not second.calls[0].ended_at
        await caller.hang_up()
        await second.ended()
    rows = await switch.rows_after(before)
    assert [r.type for r in rows].count("ATTENDEDTRANSFER") == 1
    assert sorted(attempts(rows)) == [("101", "ANSWER"), ("102", "ANSWER")]


async def test_ringing_phone_is_picked_up_by_number(switch: Switch) -> None:
    switch.plans[DID] = to("101", record=True)
    before = len(switch.rows())
    async with (
        switch.phone("101", RingOut()) as rung,
        switch.call_in(DID) as caller,
    ):
        await rung.until(lambda c: c.rang_at)
        async with switch.call_from("102", "*8101") as taker:
            await taker.answered()
            await caller.answered()
            async with asyncio.timeout(5):
                while not any(p.stat().st_size for p in switch.instance.recordings_spool.iterdir()):
                    await asyncio.sleep(0.05)
            await caller.hang_up()
            await taker.ended()
    rows = await switch.rows_after(before)
    assert routes(rows) == ["test", "feature:pickup"]
    assert [r.type for r in rows].count("PICKUP") == 1
    assert attempts(rows) == [("101", "ANSWER")]
    for file in switch.instance.recordings_spool.iterdir():
        file.unlink()


async def test_group_pickup_takes_a_call_of_the_own_group(switch: Switch) -> None:
    switch.plans[DID] = to("101")
    before = len(switch.rows())
    async with switch.phone("101", RingOut()) as rung, switch.call_in(DID) as caller:
        await rung.until(lambda c: c.rang_at)
        async with switch.call_from("102", "*8") as taker:
            await taker.answered()
            await caller.answered()
            await caller.hang_up()
            await taker.ended()
    assert [r.type for r in await switch.rows_after(before)].count("PICKUP") == 1


async def test_call_is_parked_and_taken_back(switch: Switch) -> None:
    switch.plans[DID] = to("101")
    before = len(switch.rows())
    async with switch.phone("101", Answer()) as first, switch.call_in(DID) as caller:
        await first.answered()
        await until_bridged(switch.instance, "carrier-a", "101")
        await first.transfer("700")
        async with asyncio.timeout(10):
            while not any(r.type == "PARK_START" for r in switch.rows()[before:]):
                await asyncio.sleep(0.05)
        async with switch.call_from("102", "701") as taker:
            await taker.answered()
            await caller.hang_up()
            await taker.ended()
    rows = await switch.rows_after(before)
    assert [r.type for r in rows if r.type.startswith("PARK")] == ["PARK_START", "PARK_END"]
    assert attempts(rows) == [("101", "ANSWER")]


async def test_click_to_call_dials_as_the_phone_that_answered(switch: Switch) -> None:
    switch.plans["102"] = to("102", direction=Direction.INTERNAL)
    before = len(switch.rows())
    async with switch.phone("101", Answer()) as agent, switch.phone("102", Answer()) as called:
        await originate(switch.instance, "PJSIP/101", "originate", "102")
        await agent.answered()
        saw = await called.answered()
        await agent.hang_up()
        await called.ended()
    assert [(c.endpoint, c.dialled) for c in switch.asked] == [("101", "102")]
    assert saw.from_number == "101"
    assert attempts(await switch.rows_after(before)) == [("102", "ANSWER")]


async def test_echo_is_on_record_as_a_feature(switch: Switch) -> None:
    before = len(switch.rows())
    async with switch.call_from("101", "*43") as caller:
        await caller.answered()
        await caller.hang_up()
        await caller.ended()
    rows = await switch.rows_after(before)
    (route,) = [r.extra for r in rows if r.type == "CALLCTL_ROUTE"]
    assert (route["route"], route["source"], route["account"]) == ("feature:echo", "feature", "1")


async def test_sides_of_a_recording_are_apart_and_known(switch: Switch) -> None:
    """Every party sings a tone of its own: left is the called party, right the caller."""
    switch.plans[DID] = to("101", record=True)
    async with switch.phone("101", Answer()) as phone, switch.call_in(DID) as caller:
        await phone.answered()
        async with asyncio.timeout(10):
            while sum(p.stat().st_size for p in switch.instance.recordings_spool.iterdir()) < 64000:
                await asyncio.sleep(0.05)
        await caller.hang_up()
        await caller.ended()
    await switch.idle()
    (file,) = switch.instance.recordings_spool.iterdir()
    data = file.read_bytes()
    file.unlink()
    samples = struct.unpack(f"<{len(data) // 2}h", data[: len(data) // 2 * 2])
    left, right = samples[0::2], samples[1::2]

    assert abs(crossings(left) - 550) < 60
    assert abs(crossings(right) - 1800) < 120


FRAME = 400
LOUD = 1000


def crossings(samples: tuple[int, ...]) -> float:
    """The tone's frequency in Hz at 8 kHz, by zero crossings. By the middle one of the frames that
    have sound: what comes late from a busy machine leaves holes."""
    frames = [samples[i : i + FRAME] for i in range(0, len(samples) - FRAME, FRAME)]
    loud = [frame for frame in frames if max(map(abs, frame)) > LOUD]
    return median(sum(a < 0 <= b for a, b in pairwise(frame)) * 8000 / FRAME for frame in loud)
