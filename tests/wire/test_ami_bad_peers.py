"""A peer that stalls, floods, lies or is no Asterisk at all is dropped, counted, tried again."""

import asyncio

import pytest

from callctl.asterisk.ami import AmiClient, AmiTiming
from callctl.asterisk.ami_protocol import (
    AmiLimits,
)
from tests.wire.ami_counts import Counts
from tests.wire.peers import BANNER, HOST, AmiPeer, PeerScript, ami_peer, stall


async def flood_line(peer: AmiPeer) -> None:
    await peer.log_in()
    peer.send(b"Event: X\r\nA: ")
    while True:
        peer.send(b"x" * 65536)
        await peer.writer.drain()


async def flood_message(peer: AmiPeer) -> None:
    await peer.log_in()
    while True:
        peer.send(b"A: b\r\n" * 1000)
        await peer.writer.drain()


async def flood_list(peer: AmiPeer) -> None:
    peer.send(BANNER)
    peer.answer(await peer.action(), "Challenge: 1")
    peer.answer(await peer.action())
    devices = await peer.action()
    peer.answer(devices, "EventList: start")
    while True:
        peer.event("DeviceStateChange", f"ActionID: {devices['ActionID']}", "Device: x")
        await peer.writer.drain()


async def not_ami(peer: AmiPeer) -> None:
    peer.send(b"220 mail ESMTP\r\n")
    await peer.action()


async def silent(peer: AmiPeer) -> None:
    await peer.action()


async def wrong_secret(peer: AmiPeer) -> None:
    peer.send(BANNER)
    peer.answer(await peer.action(), "Challenge: 1")
    peer.answer(await peer.action(), "Message: Authentication failed", response="Error")


async def cut(peer: AmiPeer) -> None:
    await peer.log_in()
    peer.reset()


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (stall, "dead_peer"),
        (flood_line, "line_too_long"),
        (flood_message, "message_too_long"),
        (flood_list, "list_too_long"),
        (not_ami, "not_ami"),
        (silent, "no_response"),
        (wrong_secret, "login_refused"),
        (cut, "reset"),
    ],
)
async def test_bad_peer_is_dropped_with_a_counted_reason_and_tried_again(
    script: PeerScript, reason: str, counts: Counts
) -> None:
    timing = AmiTiming(
        connect=0.1, ping_every=0.02, ping_timeout=0.05, backoff_first=0.01, backoff_most=0.02
    )
    limits = AmiLimits(line=100_000, message=300_000, list_messages=100)
    connections = 0
    again = asyncio.Event()

    async def counted(peer: AmiPeer) -> None:
        nonlocal connections
        connections += 1
        if connections > 1:
            again.set()
        await script(peer)

    async with ami_peer(counted) as port:
        client = AmiClient(
            HOST, port, "callctl", "secret", timing=timing, limits=limits, count=counts
        )
        await client.start()
        await counts.wait_for("ami_lost", reason)
        await asyncio.wait_for(again.wait(), 5)
        await client.stop()
