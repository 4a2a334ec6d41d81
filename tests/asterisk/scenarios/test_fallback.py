"""The daemon cannot be asked: the same phones ring in the same order, and the record says so."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from callctl.demo.play import Api
from callctl.demo.sip import Answer, Phone, RingOut
from callctl.demo.stack import Stack
from tests.asterisk.scenarios.office import Office, reasons, results

pytestmark = pytest.mark.asterisk

RING_WITHIN_SECONDS = 3.0


@pytest.fixture(params=["stopped", "hung"])
async def without_daemon(request: pytest.FixtureRequest, stack: Stack) -> AsyncIterator[str]:
    """FastAGI that refuses connections, or one that takes them and never says a word."""
    await stack.daemon.agi.stop()
    if request.param == "stopped":
        yield request.param
    else:
        writers: list[asyncio.StreamWriter] = []

        async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)
            await reader.read()
            writer.close()

        server = await asyncio.start_server(hang, stack.settings.agi_host, stack.settings.agi_port)
        yield request.param
        server.close()
        for writer in writers:
            writer.close()
        await server.wait_closed()
    await stack.daemon.agi.start()


async def _source(api: Api, record: dict[str, Any]) -> str:
    rows = (await api.get_bytes(f"/api/v1/calls/{record['call']['id']}/journal")).decode()
    return "fallback" if "source=fallback" in rows else "plan"


async def test_same_phones_ring_in_the_same_order_and_are_recorded(
    office: Office, api: Api, without_daemon: str
) -> None:
    del without_daemon
    first, _ = await office.phones({"149": RingOut(), "101": Answer(after=0.1)})
    caller = await office.outside("+3617000401", talk=0.6)
    rang = await first.ringing()
    assert rang.invited_at - caller.calls[-1].invited_at < RING_WITHIN_SECONDS
    record = await office.verified(caller, ("149", "101"))
    assert results(record) == [("149", "NOANSWER"), ("101", "ANSWER")]
    assert [r["state"] for r in record["recordings"]] == ["available"]
    assert record["call"]["did"] == "+3617000401"
    assert record["call"]["direction"] == "inbound"
    assert ("did", "+3617000401") in reasons(record)
    assert await _source(api, record) == "fallback"


async def test_rules_hold_as_ever(
    office: Office, api: Api, carriers: dict[str, Phone], without_daemon: str
) -> None:
    """Closed, blocked, unknown, the important caller, outbound with its rights, forged, inside."""
    del without_daemon, carriers
    await office.phones({"101": Answer(after=0.1), "102": Answer(after=0.1)})

    async def refused(to: str, from_: str, code: int) -> dict[str, Any]:
        caller = await office.outside(to, from_)
        assert (await caller.ended()).final_code == code
        return await office.verified(caller, ())

    async def taken(to: str, from_: str, who: str) -> dict[str, Any]:
        caller = await office.outside(to, from_, talk=0.3)
        return await office.verified(caller, (who,))

    async def dialled(extension: str, to: str, tried: tuple[str, ...]) -> dict[str, Any]:
        caller = await office.inside(extension, to, talk=0.3)
        return await office.verified(caller, tried)

    records = await asyncio.gather(
        refused("+3617000301", "+36201110301", 480),
        refused("+3617000101", "+36205550666", 403),
        refused("+3617009999", "+36201119999", 404),
        refused("06301112233", "101", 404),
        taken("+3617000302", "+36201110302", "102"),
        taken("+3617000303", "+36205550100", "102"),
        taken("+3617000303", "+36201110303", "101"),
        dialled("103", "06701112233", ("carrier-503", "carrier-b")),
        dialled("104", "06301112233", ()),
        dialled("105", "102", ("102",)),
        dialled("123", "112", ("carrier-dead", "carrier-b")),
    )
    assert [await _source(api, r) for r in records] == ["fallback"] * len(records)
    assert [r["call"]["direction"] for r in records] == [
        *("inbound",) * 7,
        *("outbound", "outbound", "internal", "outbound"),
    ]


async def test_daemon_decides_again_as_soon_as_it_answers(office: Office, api: Api) -> None:
    phone = await office.phone("101", Answer(after=0.1))
    sources = []
    for number in ("+36201110901", "+36201110902"):
        caller = await office.outside("+3617000101", number, talk=0.2)
        await phone.until(lambda c, number=number: c.from_number == number)
        sources.append(await _source(api, await office.verified(caller, ("101",))))
        if len(sources) == 1:
            await office.stack.daemon.agi.stop()
            caller = await office.outside("+3617000101", "+36201110903", talk=0.2)
            sources.append(await _source(api, await office.verified(caller, ("101",))))
            await office.stack.daemon.agi.start()
    assert sources == ["plan", "fallback", "plan"]
