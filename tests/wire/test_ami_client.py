"""The AMI client against a peer that lies, stalls and breaks."""

import asyncio

import pytest

from callctl.asterisk import ami_session
from callctl.asterisk.ami import AmiClient, AmiTiming, backoff, originate_variable
from callctl.asterisk.ami_protocol import (
    AmiConnectionLost,
    AmiEvent,
    AmiInvalid,
    AmiLimits,
    AmiNotConnected,
    AmiRefused,
    AmiTimeout,
)
from tests.wire.ami_counts import FAST, Counts, connected
from tests.wire.peers import BANNER, HOST, AmiPeer, ami_peer, stall


async def idle(peer: AmiPeer) -> None:
    await peer.log_in()
    while True:
        peer.answer(await peer.action())


async def test_state_says_since_when_and_why_not(counts: Counts) -> None:
    now = [1000.0]
    async with ami_peer(idle) as port:
        client = AmiClient(
            HOST, port, "callctl", "secret", timing=FAST, count=counts, clock=lambda: now[0]
        )
        assert (client.state.connected, client.state.reason) == (False, "not started")
        with pytest.raises(AmiNotConnected):
            await client.action("Ping")
        now[0] = 2000.0
        await client.start()
        state = await client.wait_for_state(connected=True, within=5)
        assert (state.since, state.version) == (2000.0, "11.0.0")
        now[0] = 3000.0
    state = await client.wait_for_state(connected=False, within=5)
    assert state.since == 3000.0
    now[0] = 4000.0
    await counts.wait_for("ami_lost", "cannot_connect")
    assert client.state.since == 3000.0, "failing to come back does not move the loss"
    assert client.state.reason.startswith("cannot_connect")
    await client.stop()
    assert client.state.reason == "stopped"


async def test_devices_are_known_at_once_and_follow_changes(counts: Counts) -> None:
    changed = asyncio.Event()

    async def asterisk(peer: AmiPeer) -> None:
        await peer.log_in()
        peer.answer(await peer.action())
        await changed.wait()
        peer.event("DeviceStateChange", "Device: PJSIP/101", "State: RINGING")
        peer.event("DeviceStateChange", "Device: Local/9@x-00000001;2", "State: INUSE")
        peer.answer(await peer.action())
        await peer.action()

    async with ami_peer(asterisk) as port:
        client = await connected(port, counts)
        seen = asyncio.Event()
        client.subscribe(["DeviceStateChange"], lambda event: seen.set())
        await client.action("Ping")
        assert client.device_states == {"PJSIP/101": "NOT_INUSE"}
        changed.set()
        await asyncio.wait_for(seen.wait(), 5)
        await client.action("Ping")
        assert client.device_states == {"PJSIP/101": "RINGING"}
        await client.stop()
        assert client.device_states == {}


async def test_change_during_the_list_is_newer_than_the_list(counts: Counts) -> None:
    async def asterisk(peer: AmiPeer) -> None:
        peer.send(BANNER)
        peer.answer(await peer.action(), "Challenge: 1")
        peer.answer(await peer.action())
        devices = await peer.action()
        own = f"ActionID: {devices['ActionID']}"
        peer.answer(devices, "EventList: start")
        peer.event("DeviceStateChange", own, "Device: PJSIP/101", "State: NOT_INUSE")
        peer.event("DeviceStateChange", "Device: PJSIP/101", "State: INUSE")
        peer.event("DeviceStateListComplete", own, "EventList: Complete")
        peer.answer(await peer.action())
        await peer.action()

    async with ami_peer(asterisk) as port:
        client = await connected(port, counts)
        await client.action("Ping")
        assert client.device_states == {"PJSIP/101": "INUSE"}
        await client.stop()


async def test_forged_response_for_a_guessed_id_changes_nothing(counts: Counts) -> None:
    async def asterisk(peer: AmiPeer) -> None:
        await peer.log_in()
        action = await peer.action()
        for guess in ("1", "action/1", action["ActionID"][:-1] + "x", ""):
            peer.send(f"Response: Success\r\nActionID: {guess}\r\nMessage: forged\r\n\r\n")
        peer.send("Response: Success\r\nMessage: forged\r\n\r\n")
        peer.answer(action, "Message: real", response="Error")
        await peer.action()

    async with ami_peer(asterisk) as port:
        client = await connected(port, counts)
        response = await client.action("Ping")
        assert (response.success, response.message) == (False, "real")
        assert counts.seen == [("ami_refused_message", "unmatched_response")] * 5
        await client.stop()


async def test_forged_shutdown_event_does_not_end_the_session(counts: Counts) -> None:
    async def asterisk(peer: AmiPeer) -> None:
        await peer.log_in()
        peer.event("Shutdown", "Shutdown: Cleanly", "Restart: False")
        while True:
            peer.answer(await peer.action())

    async with ami_peer(asterisk) as port:
        client = await connected(port, counts)
        assert (await client.action("Ping")).success
        assert counts.seen == []
        await client.stop()


async def test_forged_boot_is_not_believed(counts: Counts) -> None:
    """Who hears of a boot closes the calls that were open: no caller may say so."""

    async def asterisk(peer: AmiPeer) -> None:
        await peer.log_in(boot="Uptime: 5000")
        peer.event("FullyBooted", "Uptime: 0", "Status: Fully Booted")
        while True:
            peer.answer(await peer.action())

    async with ami_peer(asterisk) as port:
        client = AmiClient(HOST, port, "callctl", "secret", timing=FAST, count=counts)
        events: list[AmiEvent] = []
        subscription = client.subscribe(["FullyBooted"], events.append)
        await client.start()
        await client.wait_for_state(connected=True, within=5)
        await client.action("Ping")
        await subscription.drain()
        assert [e["Uptime"] for e in events] == ["5000"]
        assert counts.seen == [("ami_refused_message", "late_boot")]
        await client.stop()


async def test_an_action_does_not_wait_for_events_to_be_worth_reading(
    counts: Counts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events are read a few at a time; here it takes an hour until there are enough."""

    async def asterisk(peer: AmiPeer) -> None:
        await peer.log_in()
        while True:
            peer.answer(await peer.action())
            peer.event("Newchannel", "Channel: PJSIP/a-1")

    async with ami_peer(asterisk) as port:
        client = AmiClient(HOST, port, "callctl", "secret", timing=FAST, count=counts)
        heard: asyncio.Queue[AmiEvent] = asyncio.Queue()
        client.subscribe(["Newchannel"], heard.put_nowait)
        await client.start()
        await client.wait_for_state(connected=True, within=5)
        monkeypatch.setattr(ami_session, "_REST_SECONDS", 3600.0)
        for _ in range(3):
            assert (await client.action("Status", within=5)).success
        await asyncio.wait_for(heard.get(), 5)
        await client.stop()


async def test_boot_that_ends_after_the_login_is_learned_by_a_new_login(counts: Counts) -> None:
    logins = 0

    async def asterisk(peer: AmiPeer) -> None:
        nonlocal logins
        logins += 1
        if logins == 1:
            await peer.log_in()
            peer.event("Newchannel", "Channel: PJSIP/a-1")
            peer.event("FullyBooted", "Uptime: 1")
            await peer.action()
        await peer.log_in(boot="Uptime: 2")
        await peer.action()

    async with ami_peer(asterisk) as port:
        client = AmiClient(HOST, port, "callctl", "secret", timing=FAST, count=counts)
        booted: asyncio.Queue[AmiEvent] = asyncio.Queue()
        client.subscribe(["FullyBooted"], booted.put_nowait)
        await client.start()
        assert (await asyncio.wait_for(booted.get(), 5))["Uptime"] == "2"
        assert ("ami_lost", "late_boot") in counts.seen
        await client.stop()


async def test_event_injected_by_a_callers_number_leaves_no_half_event(counts: Counts) -> None:
    """The wire of `<sip:06%0d%0a%0d%0aEvent%3a%20Evil...>`: a cut event, a forged one, a rest."""

    async def asterisk(peer: AmiPeer) -> None:
        await peer.log_in()
        evil = "06\r\n\r\nEvent: Evil\r\nChannel: PJSIP/101-00000001\r\n\r\nCallerIDName: x"
        peer.event("Newchannel", "Channel: PJSIP/t-1", f"CallerIDNum: {evil}", "Exten: 1")
        evil = "06\r\nUniqueid: 99"
        peer.event("Hangup", "Channel: PJSIP/t-1", f"CallerIDNum: {evil}", "Uniqueid: 1")
        peer.answer(await peer.action())
        await peer.action()

    async with ami_peer(asterisk) as port:
        client = AmiClient(HOST, port, "callctl", "secret", timing=FAST, count=counts)
        events: list[AmiEvent] = []
        subscription = client.subscribe(["*"], events.append)
        await client.start()
        await client.wait_for_state(connected=True, within=5)
        await client.action("Ping")
        await subscription.drain()
        assert [e.name for e in events] == ["Newchannel", "Evil"]
        assert "exten" not in events[0].fields
        with pytest.raises(KeyError):
            _ = events[0]["Uniqueid"]
        assert [reason for _, reason in counts.seen] == ["neither", "repeated_header"]
        await client.stop()


async def test_unanswered_action_times_out_and_its_late_response_is_ignored(
    counts: Counts,
) -> None:
    late = asyncio.Event()

    async def asterisk(peer: AmiPeer) -> None:
        await peer.log_in()
        first = await peer.action()
        await late.wait()
        peer.answer(first, "Message: late")
        peer.answer(await peer.action(), "Message: in time")
        await peer.action()

    async with ami_peer(asterisk) as port:
        client = await connected(port, counts)
        with pytest.raises(AmiTimeout, match="unknown"):
            await client.action("Ping", within=0.05)
        late.set()
        assert (await client.action("Ping")).message == "in time"
        assert counts.seen == [("ami_refused_message", "unmatched_response")]
        await client.stop()


async def test_refused_originate_says_asterisks_words(counts: Counts) -> None:
    async def asterisk(peer: AmiPeer) -> None:
        await peer.log_in()
        while True:
            peer.answer(await peer.action(), "Message: Channel not specified", response="Error")

    async with ami_peer(asterisk) as port:
        client = await connected(port, counts)
        with pytest.raises(AmiRefused, match="Channel not specified"):
            await client.originate(channel="x", context="originate", exten="s", variables={})
        with pytest.raises(AmiRefused):
            await client.reload(["pbx_config.so"])
        with pytest.raises(AmiRefused):
            await client.command("core show version")
        await client.stop()


@pytest.mark.parametrize("event_first", [True, False])
async def test_outcome_of_an_originate_is_an_event_even_beside_its_response(
    counts: Counts, event_first: bool
) -> None:
    """Asterisk's originating thread and its AMI session race; both may come in one read."""

    async def asterisk(peer: AmiPeer) -> None:
        await peer.log_in()
        action = await peer.action()
        own = f"ActionID: {action['ActionID']}"
        response = f"Response: Success\r\n{own}\r\nMessage: queued\r\n\r\n"
        event = f"Event: OriginateResponse\r\n{own}\r\nResponse: Failure\r\n\r\n"
        peer.send(event + response if event_first else response + event)
        await peer.action()

    async with ami_peer(asterisk) as port:
        client = await connected(port, counts)
        events: list[AmiEvent] = []
        subscription = client.subscribe(["OriginateResponse"], events.append)
        response = await client.originate(
            channel="PJSIP/102", context="originate", exten="1", variables={}
        )
        await subscription.drain()
        assert [(e.action_id, e["Response"]) for e in events] == [(response.action_id, "Failure")]
        await client.stop()


async def test_reload_that_takes_longer_than_a_dead_peer_is_waited_for(counts: Counts) -> None:
    timing = AmiTiming(action=0.05, ping_every=0.02, ping_timeout=0.05)
    asked: list[str] = []

    async def asterisk(peer: AmiPeer) -> None:
        await peer.log_in()
        while len(asked) < 2:
            action = await peer.action()
            if action["Action"] == "Reload":
                asked.append(action["Module"])
                # Busy with it: Asterisk answers nothing else on this connection.
                await asyncio.sleep(0.3)
            peer.answer(action)
        await peer.action()

    async with ami_peer(asterisk) as port:
        client = AmiClient(HOST, port, "callctl", "secret", timing=timing, count=counts)
        await client.start()
        await client.wait_for_state(True, 5)
        await client.reload(["res_pjsip.so", "pbx_config.so"])
        assert client.state.connected
        await client.stop()
    assert asked == ["res_pjsip.so", "pbx_config.so"]


async def test_slow_consumer_loses_events_alone_and_it_is_counted(counts: Counts) -> None:
    async def asterisk(peer: AmiPeer) -> None:
        await peer.log_in()
        for number in range(20):
            peer.event("X", f"N: {number}")
        peer.answer(await peer.action())
        await peer.action()

    async with ami_peer(asterisk) as port:
        client = AmiClient(HOST, port, "callctl", "secret", timing=FAST, count=counts, queue_room=5)
        release = asyncio.Event()

        async def blocked(event: AmiEvent) -> None:
            await release.wait()

        slow = client.subscribe(["X"], blocked, name="slow")
        await client.start()
        await client.wait_for_state(connected=True, within=5)
        await client.action("Ping")
        assert slow.dropped >= 14
        assert ("ami_dropped_event", "slow") in counts.seen
        release.set()
        await slow.drain()
        await client.unsubscribe(slow)
        await client.stop()


async def test_lost_connection_fails_what_waits_at_once(counts: Counts) -> None:
    async def asterisk(peer: AmiPeer) -> None:
        await peer.log_in()
        await peer.action()

    async with ami_peer(asterisk) as port:
        client = await connected(port, counts)
        with pytest.raises(AmiConnectionLost, match="unknown"):
            await client.action("Ping", within=60)
        await client.stop()


async def test_too_many_waiting_actions_are_refused_unsent(counts: Counts) -> None:
    async with ami_peer(stall) as port:
        client = await connected(port, counts, limits=AmiLimits(pending_actions=3))
        # One more than fits: the device list may hold a place, too.
        waiting = [asyncio.create_task(client.action("Ping")) for _ in range(5)]
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        assert all(isinstance(task.exception(), AmiInvalid) for task in done)
        await client.stop()
        await asyncio.gather(*waiting, return_exceptions=True)


def test_backoff_doubles_up_to_a_limit_and_is_spread() -> None:
    timing = AmiTiming(backoff_first=0.5, backoff_most=30)
    assert [backoff(timing, n, 0.9999) for n in (0, 1, 2)] == pytest.approx([0.5, 1, 2], rel=0.01)
    assert backoff(timing, 0, 0.0) == 0.25
    assert backoff(timing, 10_000, 0.0) == 15
    assert backoff(timing, 10_000, 0.9999) < 30


async def test_backoff_uses_the_chance_and_the_sleep_it_was_given(counts: Counts) -> None:
    slept: list[float] = []
    enough = asyncio.Event()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) >= 4:
            enough.set()
            await asyncio.Event().wait()

    client = AmiClient(HOST, 1, "callctl", "secret", chance=lambda: 0.5, sleep=sleep)
    await client.start()
    await asyncio.wait_for(enough.wait(), 5)
    await client.stop()
    assert slept == [0.75, 1.5, 3.0, 6.0]


def test_plain_secret_goes_to_loopback_only() -> None:
    AmiClient("127.0.0.1", 5038, "callctl", "secret", plain=True)
    with pytest.raises(ValueError, match="loopback"):
        AmiClient("192.0.2.1", 5038, "callctl", "secret", plain=True)


@pytest.mark.parametrize(
    ("name", "value"),
    [("A", "1,B=2"), ("A", 'x"y'), ("A", "x\\y"), ("A=1,B", "2"), ("", "1"), ("A B", "1")],
)
def test_originate_variable_that_asterisk_would_split_is_refused(name: str, value: str) -> None:
    with pytest.raises(AmiInvalid):
        originate_variable(name, value)
