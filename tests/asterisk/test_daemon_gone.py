"""The daemon is dead, hung or wrong: calls go where the routing says all the same."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from callctl.asterisk.fastagi import AgiCall
from callctl.core.routing.plan import HangupStep, RingStep, RingTarget
from callctl.demo.sip import Answer, RingOut
from tests.asterisk.switch import Switch, plan

pytestmark = pytest.mark.asterisk

DID = "+3617000002"
"""Rings 101 for 3 s, then 102, recorded (table.py)."""


@asynccontextmanager
async def daemon_instead(switch: Switch, behaviour: str) -> AsyncIterator[None]:
    """Another process in the daemon's place: `dead` (refuses), `hung`, `closes`, `garbage`, `torn`
    (dies in the middle of its answer)."""
    port = switch.agi.port
    await switch.agi.stop()
    server: asyncio.Server | None = None
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        if behaviour == "closes":
            writer.close()
        elif behaviour == "garbage":
            writer.write(b'SET VARIABLE CALLCTL_PLAN "2|not a plan"\n')
            await reader.readuntil(b"200 result")
            writer.close()
        elif behaviour == "torn":
            # Asterisk obeys it, although the line has no end.
            await reader.readuntil(b"\n\n")
            writer.write(b'SET VARIABLE CALLCTL_PLAN "1|p|1|inbound||did|||||!ring|1|0|105|105"')
            await writer.drain()
            writer.close()

    try:
        if behaviour != "dead":
            server = await asyncio.start_server(serve, switch.address, port)
        yield
    finally:
        for writer in writers:
            writer.transport.abort()
        if server is not None:
            server.close()
            await server.wait_closed()
        switch.agi._port = port
        await switch.agi.start()


@pytest.mark.parametrize("behaviour", ["dead", "hung", "closes", "garbage", "torn"])
async def test_same_phones_ring_in_the_same_order_and_are_recorded(
    switch: Switch, behaviour: str
) -> None:
    before = len(switch.rows())
    async with (
        daemon_instead(switch, behaviour),
        switch.phone("101", RingOut()) as first,
        switch.phone("102", Answer()) as second,
        switch.call_in("0617000002") as caller,
    ):
        saw = await second.answered()
        async with asyncio.timeout(10):
            while not any(p.stat().st_size for p in switch.instance.recordings_spool.iterdir()):
                await asyncio.sleep(0.05)
        await caller.hang_up()
        placed = await caller.ended()
        rang = first.calls[0]
        if behaviour == "hung":
            assert 1.9 < rang.invited_at - placed.invited_at < 3
        else:
            assert rang.invited_at - placed.invited_at < 1
        assert 2.9 < saw.invited_at - rang.invited_at < 4
        rows = await switch.rows_after(before)
    (route,) = [r.extra for r in rows if r.type == "CALLCTL_ROUTE"]
    assert (route["source"], route["did"], route["account"]) == ("fallback", DID, "1")
    tries = [(r.extra["step"], r.extra["target"]) for r in rows if r.type == "CALLCTL_TRY"]
    assert tries == [("1", "101"), ("2", "102")]
    (recording,) = [r.extra["file"] for r in rows if r.type == "CALLCTL_RECORDING"]
    assert [p.name for p in switch.instance.recordings_spool.iterdir()] == [recording]
    (switch.instance.recordings_spool / recording).unlink()


async def test_emergency_number_goes_out_without_the_daemon_by_a_carrier_thought_dead(
    switch: Switch,
) -> None:
    await switch.qualified("carrier-a", "Unavail")
    async with (
        daemon_instead(switch, "dead"),
        switch.carrier(21, Answer()) as carrier,
        switch.call_from("105", "112") as caller,
    ):
        saw = await carrier.answered()
        await caller.hang_up()
        await caller.ended()
    assert saw.dialled == "112"


async def test_number_that_nobody_knows_is_refused_as_such_and_on_record(switch: Switch) -> None:
    before = len(switch.rows())
    async with daemon_instead(switch, "dead"), switch.call_in("+3617999999") as caller:
        assert (await caller.ended()).final_code == 404
        rows = await switch.rows_after(before)
    (route,) = [r.extra for r in rows if r.type == "CALLCTL_ROUTE"]
    assert (route["direction"], route["why"]) == ("inbound", "unknown_number~+3617999999")


async def test_talk_after_a_hung_daemon_has_no_two_second_limit(switch: Switch) -> None:
    async with (
        daemon_instead(switch, "hung"),
        switch.phone("101", Answer()) as phone,
        switch.call_in("+3617000001") as caller,
    ):
        await phone.answered()
        # Longer than the watchdog: that nothing happens takes its time to see.
        await asyncio.sleep(2.5)
        assert not phone.calls[0].ended_at
        await caller.hang_up()
        await caller.ended()


async def test_caller_who_leaves_while_the_daemon_hangs_leaves_no_channel(switch: Switch) -> None:
    before = len(switch.rows())
    async with daemon_instead(switch, "hung"), switch.call_in(DID) as caller:
        await caller.until(lambda c: c.invited_at)
        async with asyncio.timeout(5):
            while not (await switch.instance.cli("core show channels count")).startswith(
                "1 active"
            ):
                await asyncio.sleep(0.02)
        await caller.give_up()
        await caller.ended()
        rows = await switch.rows_after(before)
    assert {r.type for r in rows} >= {"CHAN_START", "HANGUP", "CHAN_END"}
    assert not any(r.type == "CALLCTL_TRY" for r in rows)


async def test_daemon_that_refuses_costs_no_time(switch: Switch) -> None:
    def refuse(call: AgiCall) -> str:
        raise ValueError("no")

    switch.plans["+3617000001"] = refuse
    async with (
        switch.phone("101", Answer()) as phone,
        switch.call_in("+3617000001") as caller,
    ):
        saw = await phone.answered(seconds=2)
        await caller.hang_up()
        await caller.ended()
        assert saw.invited_at - caller.calls[0].invited_at < 1


def ring(*extensions: str) -> RingStep:
    return RingStep(tuple(RingTarget(e, e) for e in extensions), 5)


async def test_longest_plan_runs_to_its_last_step(switch: Switch) -> None:
    steps = [ring("105") for _ in range(39)]
    switch.plans["+3617000001"] = plan(*steps, ring("101"), HangupStep(0))
    before = len(switch.rows())
    async with switch.phone("101", Answer()) as phone, switch.call_in("+3617000001") as caller:
        await phone.answered(seconds=5)
        await caller.hang_up()
        await caller.ended()
    rows = await switch.rows_after(before)
    assert [r.extra["step"] for r in rows if r.type == "CALLCTL_TRY"] == [
        str(n) for n in range(1, 41)
    ]
