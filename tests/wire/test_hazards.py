"""The six hazards of panoramisk 1.4, each shown in it and shown gone here.

The first half of each test fails when panoramisk is fixed: then our replacement may go.
"""

import asyncio
import re

import pytest
from panoramisk import Manager
from panoramisk.actions import Action
from panoramisk.ami_protocol import AMIProtocol
from panoramisk.fast_agi import Application
from panoramisk.message import Message

from agi.route import route_verb
from callctl.asterisk.ami import AmiClient, AmiTiming
from callctl.asterisk.ami_protocol import (
    AmiConnectionLost,
    AmiEvent,
    AmiInvalid,
    AmiLimits,
    Framer,
    parse_message,
)
from callctl.asterisk.fastagi_server import FastAgiServer
from tests.wire.peers import BANNER, HOST, AmiPeer, ami_peer, environment

FAST = AmiTiming(backoff_first=0.01, backoff_most=0.02)


class _Forever(Exception):
    """The reader was asked again and again at the end of its stream."""


class _EndedReader:
    def __init__(self) -> None:
        self.reads = 0

    async def read(self, size: int) -> bytes:
        self.reads += 1
        if self.reads > 1000:
            raise _Forever
        return b""


async def test_hazard_1_connect_and_close_does_not_hang_the_loop() -> None:
    with pytest.raises(_Forever):
        await Application(loop=asyncio.get_running_loop()).handler(_EndedReader(), None)

    server = FastAgiServer(HOST, 0, {"route": route_verb(lambda call: "PLAN")})
    await server.start()
    for _ in range(20):
        _, writer = await asyncio.open_connection(HOST, server.port)
        writer.close()
    reader, writer = await asyncio.open_connection(HOST, server.port)
    writer.write(environment())
    assert await asyncio.wait_for(reader.readline(), 2) == b'SET VARIABLE CALLCTL_PLAN "PLAN!."\n'
    writer.close()
    await server.stop()


def test_hazard_2_character_split_over_two_reads_survives() -> None:
    data = "Event: Newchannel\r\nCallerIDName: Zoë\r\n\r\n".encode()
    cut = data.index("ë".encode()) + 1

    seen: list[Message] = []
    theirs = AMIProtocol()
    theirs.connection_made(None)
    theirs.factory = type("Factory", (), {"dispatch": lambda self, m: seen.append(m)})()
    theirs.encoding = "utf8"
    for piece in (data[:cut], data[cut:]):
        theirs.data_received(piece)
    assert seen[0]["CallerIDName"] == "Zo"

    framer = Framer(AmiLimits())
    ours = [
        parse_message(raw)
        for piece in (BANNER, data[:cut], data[cut:])
        for raw in framer.feed(piece)
    ]
    assert ours[0].fields["calleridname"] == "Zoë"


async def test_hazard_3_text_cannot_add_an_action() -> None:
    evil = "x\r\n\r\nAction: Originate\r\nChannel: PJSIP/victim"
    assert "\r\nAction: Originate\r\n" in str(Action({"Action": "Setvar", "Value": evil}))

    actions: list[str] = []

    async def asterisk(peer: AmiPeer) -> None:
        await peer.log_in()
        while True:
            action = await peer.action()
            actions.append(action["Action"])
            peer.answer(action)

    async with ami_peer(asterisk) as port:
        client = AmiClient(HOST, port, "callctl", "secret")
        await client.start()
        await client.wait_for_state(connected=True, within=5)
        with pytest.raises(AmiInvalid):
            await client.action("Setvar", Value=evil)
        with pytest.raises(AmiInvalid):
            await client.originate(
                channel="PJSIP/101", context="originate", exten="s", variables={"A": evil}
            )
        with pytest.raises(AmiInvalid):
            await client.command(f"core show channel {evil}")
        await client.action("Ping")
        await client.stop()
    assert actions == ["Ping", "Logoff"]


async def test_hazard_4_originate_is_never_sent_again_after_a_reconnect() -> None:
    theirs = AMIProtocol()
    transport = type("T", (), {"write": lambda self, d: None, "close": lambda self: None})()
    theirs.connection_made(transport)
    manager = Manager(loop=asyncio.get_running_loop())
    theirs.factory = manager
    theirs.send({"Action": "Originate", "Channel": "PJSIP/101"})
    theirs.close()
    assert [a["action"] for a in manager.awaiting_actions] == ["Originate"]

    connections = 0
    received: list[str] = []

    async def asterisk(peer: AmiPeer) -> None:
        nonlocal connections
        connections += 1
        await peer.log_in()
        while True:
            action = await peer.action()
            received.append(action["Action"])
            if action["Action"] == "Originate":
                return  # done, but the connection breaks before it is said
            peer.answer(action)

    async with ami_peer(asterisk) as port:
        client = AmiClient(HOST, port, "callctl", "secret", timing=FAST)
        await client.start()
        await client.wait_for_state(connected=True, within=5)
        with pytest.raises(AmiConnectionLost):
            await client.originate(
                channel="PJSIP/101", context="originate", exten="s", variables={}
            )
        await client.wait_for_state(connected=False, within=5)
        await client.wait_for_state(connected=True, within=5)
        await client.action("Ping")
        await client.stop()
    assert connections == 2
    assert received == ["Originate", "Ping", "Logoff"]


async def test_hazard_5_one_callbacks_error_is_its_own_and_order_is_kept() -> None:
    manager = Manager(loop=asyncio.get_running_loop())
    called: list[str] = []

    def theirs_fails(_manager: Manager, _event: Message) -> None:
        raise RuntimeError("first callback")

    manager.register_event("Hangup", theirs_fails)
    manager.register_event("Hangup", lambda m, e: called.append("second"))
    with pytest.raises(RuntimeError):
        manager.dispatch(Message({"Event": "Hangup"}))
    assert called == []

    async def asterisk(peer: AmiPeer) -> None:
        await peer.log_in()
        await peer.action()
        for number in range(5):
            peer.event("Hangup", f"Uniqueid: {number}")
        await peer.action()

    failures: list[tuple[str, str]] = []
    async with ami_peer(asterisk) as port:
        client = AmiClient(
            HOST, port, "callctl", "secret", count=lambda what, why: failures.append((what, why))
        )
        seen: list[str] = []
        first_may_go_on = asyncio.Event()

        def fails(event: AmiEvent) -> None:
            raise RuntimeError("ours")

        async def slow_at_first(event: AmiEvent) -> None:
            if event["Uniqueid"] == "0":
                await first_may_go_on.wait()
            seen.append(event["Uniqueid"])

        all_seen = asyncio.Event()
        client.subscribe(["Hangup"], fails, name="failing")
        slow = client.subscribe(["hangup"], slow_at_first)
        client.subscribe(["Hangup"], lambda e: all_seen.set() if e["Uniqueid"] == "4" else None)
        await client.start()
        await client.wait_for_state(connected=True, within=5)
        ping = asyncio.create_task(client.action("Ping"))
        await asyncio.wait_for(all_seen.wait(), 5)
        assert seen == []
        first_may_go_on.set()
        await slow.drain()
        assert seen == ["0", "1", "2", "3", "4"]
        assert failures == [("ami_callback_failed", "failing")] * 5
        await client.stop()
        with pytest.raises(AmiConnectionLost):
            await ping


def test_hazard_6_misspelt_field_is_an_error_not_an_empty_text() -> None:
    assert Message({"Event": "Hangup", "Cause": "16"}).couse == ""

    event = parse_message(b"Event: Hangup\r\nCause: 16")
    assert isinstance(event, AmiEvent)
    with pytest.raises(KeyError, match=re.escape("couse")):
        _ = event["Couse"]
