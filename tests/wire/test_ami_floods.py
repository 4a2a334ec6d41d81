"""A manager interface that floods, or lies without end: the daemon's other work goes on."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from agi.route import route_verb
from callctl.asterisk.ami import AmiClient
from callctl.asterisk.ami_protocol import AmiEvent
from callctl.asterisk.fastagi_server import FastAgiServer
from tests.fuzz.rounds import SEED
from tests.wire.ami_counts import FAST, Counts, connected
from tests.wire.peers import HOST, AmiPeer, ami_peer, environment

PLAN = "1|p|1|inbound|x|did:x||||!ring|20|0|101|101"
COMMAND = f'SET VARIABLE CALLCTL_PLAN "{PLAN}'.encode()
QUESTIONS = 50


@pytest.fixture
async def server() -> AsyncIterator[FastAgiServer]:
    made = FastAgiServer(HOST, 0, {"route": route_verb(lambda call: PLAN)})
    await made.start()
    yield made
    await made.stop()


async def test_calls_are_decided_while_events_pour_in(server: FastAgiServer) -> None:
    """The flood is as fast as the client reads, in the event loop that answers calls."""
    counts = Counts()
    pouring = asyncio.Event()
    flood = b"Event: Newchannel\r\nChannel: PJSIP/101-00000001\r\n\r\n" * 500

    async def pour(peer: AmiPeer) -> None:
        await peer.log_in()
        while True:
            peer.send(flood)
            await peer.writer.drain()
            pouring.set()

    async def slow(event: AmiEvent) -> None:
        await asyncio.sleep(0.01)

    async with ami_peer(pour) as port:
        client = await connected(port, counts, queue_room=100)
        subscription = client.subscribe(("Newchannel",), slow)
        await asyncio.wait_for(pouring.wait(), 5)
        for _ in range(QUESTIONS):
            reader, writer = await asyncio.open_connection(HOST, server.port)
            writer.write(environment())
            async with asyncio.timeout(1.5):
                assert (await reader.readline()).startswith(COMMAND)
            writer.write(b"200 result=1\n")
            async with asyncio.timeout(5):
                assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()
        assert subscription.dropped > 0, "the flood was none"
        await client.stop()


async def test_client_comes_back_from_any_garbage() -> None:
    """Random bytes before, amid and after a login; at last a peer that behaves."""
    counts = Counts()
    chance = random.Random(SEED)
    connections = 0
    pieces = (
        b"\r\n\r\n",
        b"\r\n",
        b"Event: ",
        b"Response: Success\r\n",
        b"ActionID: ",
        b"\0",
        b": ",
    )

    def garbage() -> bytes:
        parts = (
            chance.choice(pieces) if chance.random() < 0.5 else chance.randbytes(20)
            for _ in range(200)
        )
        return b"".join(parts)

    async def lie(peer: AmiPeer) -> None:
        nonlocal connections
        connections += 1
        if connections <= 10:
            peer.send(garbage())
        elif connections <= 20:
            await peer.log_in()
            peer.send(garbage())
        else:
            await peer.log_in()
            while True:
                peer.answer(await peer.action())
        await peer.writer.drain()

    async with ami_peer(lie) as port:
        client = AmiClient(HOST, port, "callctl", "secret", timing=FAST, count=counts)
        await client.start()
        async with asyncio.timeout(20):
            while connections <= 20:
                await client.wait_for_state(connected=False, within=20)
                await asyncio.sleep(0.01)
        await client.wait_for_state(connected=True, within=5)
        assert (await client.action("Ping")).success
        await client.stop()
    assert not [name for name, _ in counts.seen if name == "ami_callback_failed"]
    assert ("ami_lost", "internal") not in counts.seen


@pytest.mark.parametrize("items", ["9" * 5000, "-1", "nonsense", "²", ""])
async def test_list_s_number_of_entries_is_only_a_number(items: str) -> None:
    async def answer(peer: AmiPeer) -> None:
        await peer.log_in()
        asked = await peer.action()
        peer.answer(asked, "EventList: start")
        peer.event(
            "CoreShowChannelsComplete",
            f"ActionID: {asked['ActionID']}",
            "EventList: Complete",
            f"ListItems: {items}",
        )
        await peer.action()

    async with ami_peer(answer) as port:
        client = await connected(port, Counts())
        assert (await client.action("CoreShowChannels")).listed is None
        await client.stop()
