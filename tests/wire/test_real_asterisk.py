"""The wires against a real Asterisk: login, kick, restart, reload, originate, states, FastAGI."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from agi.check import describe_plan
from agi.ping import ping_verb
from agi.route import PLAN_END, route_verb
from callctl.asterisk.ami import AmiClient, AmiTiming
from callctl.asterisk.ami_protocol import AmiEvent, AmiRefused, AmiResponse
from callctl.asterisk.fastagi import AgiCall
from callctl.asterisk.fastagi_server import FastAgiServer
from callctl.asterisk.runtime import AsteriskInstance
from tests.wire.conftest import ADDRESS
from tests.wire.peers import HOST, FaultProxy

pytestmark = pytest.mark.asterisk

FAST = AmiTiming(backoff_first=0.02, backoff_most=0.1)
PLAN = "1|p1|1|internal||ext:102||||!ring|20|0|102|102"


def client_of(asterisk: AsteriskInstance, **options: object) -> AmiClient:
    values: dict[str, object] = {
        "host": ADDRESS, "port": asterisk.ami_port, "user": "callctl",
        "secret": asterisk.ami_secret, "timing": FAST, **options,
    }  # fmt: skip
    return AmiClient(**values)  # type: ignore[arg-type]


@pytest.fixture
async def ami(asterisk: AsteriskInstance) -> AsyncIterator[AmiClient]:
    client = client_of(asterisk)
    await client.start()
    await client.wait_for_state(connected=True, within=5)
    yield client
    await client.stop()


class Events:
    """What one subscription has brought, and a way to wait for more."""

    def __init__(self, ami: AmiClient, *names: str) -> None:
        self.seen: list[AmiEvent] = []
        self._more = asyncio.Event()
        ami.subscribe(names, self._take, name="test")

    def _take(self, event: AmiEvent) -> None:
        self.seen.append(event)
        self._more.set()

    async def first(self, wanted: Callable[[AmiEvent], bool]) -> AmiEvent:
        async with asyncio.timeout(10):
            while True:
                for event in self.seen:
                    if wanted(event):
                        return event
                self._more.clear()
                await self._more.wait()


# -- AMI ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plain", [False, True])
async def test_login(asterisk: AsteriskInstance, plain: bool) -> None:
    client = client_of(asterisk, plain=plain)
    await client.start()
    state = await client.wait_for_state(connected=True, within=5)
    assert re.fullmatch(r"\d+\.\d+\.\d+", state.version)
    assert (await client.action("Ping")).fields["ping"] == "Pong"
    await client.stop()


async def test_greeting_tells_when_asterisk_began(asterisk: AsteriskInstance) -> None:
    client = client_of(asterisk)
    events = Events(client, "FullyBooted")
    await client.start()
    boot = await events.first(lambda e: True)
    assert boot["Uptime"].isdecimal()
    await client.stop()


async def test_wrong_secret_is_said_and_tried_again(asterisk: AsteriskInstance) -> None:
    lost: list[str] = []
    twice = asyncio.Event()

    def count(what: str, reason: str) -> None:
        lost.append(reason)
        if len(lost) == 2:
            twice.set()

    client = client_of(asterisk, secret="not the secret", count=count)
    await client.start()
    # Asterisk waits a second before it refuses.
    await asyncio.wait_for(twice.wait(), 10)
    assert lost == ["login_refused"] * 2
    assert "Authentication failed" in client.state.reason
    await client.stop()


async def kick(asterisk: AsteriskInstance) -> None:
    table = await asterisk.cli("manager show connected")
    (descriptor,) = re.findall(r"^\s*callctl\s+127\S+\s+\d+\s+\d+\s+(\d+)", table, re.MULTILINE)
    await asterisk.cli(f"manager kick session {descriptor}")


async def test_kicked_session_comes_back(asterisk: AsteriskInstance, ami: AmiClient) -> None:
    await kick(asterisk)
    await ami.wait_for_state(connected=False, within=5)
    await ami.wait_for_state(connected=True, within=5)
    assert (await ami.action("Ping")).success


async def test_reload_of_a_module(asterisk: AsteriskInstance, ami: AmiClient) -> None:
    extra = asterisk.generated_dir / "extensions.conf"
    text = extra.read_text()
    try:
        extra.write_text(text + "\n[wire-reloaded]\nexten => 1,1,NoOp\n")
        await ami.reload(["pbx_config.so", "res_pjsip.so"])
        assert "wire-reloaded" in await asterisk.cli("dialplan show wire-reloaded")
    finally:
        extra.write_text(text)
    with pytest.raises(AmiRefused, match="No such module"):
        await ami.reload(["no_such_module.so"])


async def test_long_answer_one_byte_at_a_time(asterisk: AsteriskInstance) -> None:
    async with FaultProxy(ADDRESS, asterisk.ami_port) as proxy:
        proxy.one_byte_at_a_time = True
        client = client_of(asterisk, host=HOST, port=proxy.port)
        await client.start()
        await client.wait_for_state(connected=True, within=10)
        response = await client.action("ListCommands")
        assert len(response.fields) > 50
        await client.stop()


async def test_cut_garbage_and_silence_on_the_wire_are_survived(
    asterisk: AsteriskInstance,
) -> None:
    counted: list[str] = []
    timing = AmiTiming(ping_every=0.1, ping_timeout=0.2, backoff_first=0.02, backoff_most=0.05)
    async with FaultProxy(ADDRESS, asterisk.ami_port) as proxy:
        client = client_of(
            asterisk,
            host=HOST,
            port=proxy.port,
            timing=timing,
            count=lambda what, reason: counted.append(reason),
        )
        await client.start()
        await client.wait_for_state(connected=True, within=5)

        proxy.inject(b"\x00\xff\r\n\r\nResponse: Success\r\nActionID: x\r\n\r\n")
        assert (await client.action("Ping")).success
        assert counted == ["bad_line", "unmatched_response"]

        proxy.cut()
        await client.wait_for_state(connected=False, within=5)
        await client.wait_for_state(connected=True, within=5)
        assert (await client.action("Ping")).success

        proxy.flowing.clear()
        state = await client.wait_for_state(connected=False, within=5)
        assert state.reason == "dead_peer"
        proxy.flowing.set()
        await client.wait_for_state(connected=True, within=5)
        assert (await client.action("Ping")).success
        await client.stop()


async def test_console_commands_are_not_among_the_users_rights(ami: AmiClient) -> None:
    with pytest.raises(AmiRefused, match="Permission denied"):
        await ami.command("core show version")


# -- originate and states -------------------------------------------------------------------------


async def call(
    ami: AmiClient, key: str, context: str, exten: str, channel: str = "PJSIP/101"
) -> AmiResponse:
    return await ami.originate(
        channel=channel,
        context=context,
        exten=exten,
        variables={"CALLCTL_ACCOUNT": "1", "CALLCTL_KEY": key, "CALLCTL_DIAL": "+3612345678"},
        caller_id='"Click to call" <+3612345678>',
        ring_seconds=5,
    )


async def outcome(
    asterisk: AsteriskInstance, events: Events, response: AmiResponse, key: str
) -> str:
    """What the dialplan wrote about the ordered call, once it is over."""
    uniqueid = await answered(events, response)
    await events.first(lambda e: e.name == "Hangup" and e["Uniqueid"] == uniqueid)
    listing = await asterisk.cli("dialplan show globals")
    (value,) = re.findall(rf"WIRE_{key}=(.*)", listing)
    return str(value).strip()


async def answered(events: Events, response: AmiResponse) -> str:
    """The uniqueid of the originated channel."""
    event = await events.first(
        lambda e: e.name == "OriginateResponse" and e.action_id == response.action_id
    )
    assert event["Response"] == "Success"
    return event["Uniqueid"]


async def test_originate_rings_the_phone_then_enters_the_dialplan(
    asterisk: AsteriskInstance, ami: AmiClient, phone: None
) -> None:
    events = Events(ami, "OriginateResponse", "Hangup")
    response = await call(ami, "orig", "wire-originate", "s")
    assert (await answered(events, response)).startswith("wire-")
    assert await outcome(asterisk, events, response, "orig") == "1:+3612345678"


async def test_originate_to_an_offline_phone_says_so_later(
    asterisk: AsteriskInstance, ami: AmiClient
) -> None:
    events = Events(ami, "OriginateResponse")
    response = await call(ami, "off", "wire-originate", "s", channel="PJSIP/102")
    assert response.success
    event = await events.first(lambda e: e.action_id == response.action_id)
    assert event["Response"] == "Failure"


async def test_device_states_are_there_after_login(
    asterisk: AsteriskInstance, ami: AmiClient, phone: None
) -> None:
    events = Events(ami, "OriginateResponse", "Hangup")
    await outcome(asterisk, events, await call(ami, "dev", "wire-originate", "s"), "dev")
    async with asyncio.timeout(10):
        while await _state_at_login(asterisk, "PJSIP/101") != "NOT_INUSE":
            pass


async def _state_at_login(asterisk: AsteriskInstance, device: str) -> str | None:
    """What a client that has just logged in knows of the device."""
    client = client_of(asterisk)
    await client.start()
    try:
        await client.wait_for_state(connected=True, within=5)
        await client.action("Ping")
        return client.device_states.get(device)
    finally:
        await client.stop()


# -- FastAGI --------------------------------------------------------------------------------------


@asynccontextmanager
async def listening(
    asterisk: AsteriskInstance,
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[None]:
    """A FastAGI server of the test's own making, where the dialplan looks for ours."""
    server = await asyncio.start_server(serve, ADDRESS, 0)
    await point_agi_at(asterisk, int(server.sockets[0].getsockname()[1]))
    yield
    server.close()


async def point_agi_at(asterisk: AsteriskInstance, port: int) -> None:
    await asterisk.cli(f"dialplan set global WIRE_AGI_PORT {port}")


async def agi_outcome(asterisk: AsteriskInstance, ami: AmiClient, key: str, exten: str) -> str:
    events = Events(ami, "OriginateResponse", "Hangup")
    return await outcome(asterisk, events, await call(ami, key, "wire-agi", exten), key)


async def test_plan_reaches_the_channel(
    asterisk: AsteriskInstance, ami: AmiClient, phone: None
) -> None:
    calls: list[AgiCall] = []

    def decide(call: AgiCall) -> str:
        calls.append(call)
        return PLAN

    server = FastAgiServer(ADDRESS, 0, {"route": route_verb(decide)})
    await server.start()
    await point_agi_at(asterisk, server.port)
    assert await agi_outcome(asterisk, ami, "ok", "555") == f"SUCCESS:{PLAN}{PLAN_END}"
    (call,) = calls
    assert (call.endpoint, call.dialled, call.caller_name) == ("101", "555", "Click to call")
    assert call.uniqueid.startswith("wire-")
    assert server.open_sessions == 0
    await server.stop()


async def test_longest_plan_is_not_cut(
    asterisk: AsteriskInstance, ami: AmiClient, phone: None
) -> None:
    plan = "1|" + "x" * 7990 + "|Z"
    server = FastAgiServer(ADDRESS, 0, {"route": route_verb(lambda call: plan)})
    await server.start()
    await point_agi_at(asterisk, server.port)
    # Expanding so long a variable whole would cut it: ask for its last field.
    assert (await agi_outcome(asterisk, ami, "long", "555")).startswith("SUCCESS:1|xxx")
    assert f"LAST_OF_long=Z{PLAN_END}\n" in await asterisk.cli("dialplan show globals")
    await server.stop()


async def test_failure_word_sends_the_call_to_the_fallback_at_once(
    asterisk: AsteriskInstance, ami: AmiClient, phone: None
) -> None:
    def decide(call: AgiCall) -> str:
        raise RuntimeError("a bug in routing")

    server = FastAgiServer(ADDRESS, 0, {"route": route_verb(decide)})
    await server.start()
    await point_agi_at(asterisk, server.port)
    assert await agi_outcome(asterisk, ami, "fail", "555") == "FAILURE:"
    await server.stop()


async def test_no_daemon_sends_the_call_to_the_fallback_at_once(
    asterisk: AsteriskInstance, ami: AmiClient, phone: None
) -> None:
    await point_agi_at(asterisk, 1)
    assert await agi_outcome(asterisk, ami, "down", "555") == "FAILURE:"


async def test_slow_answer_within_the_watchdog_is_used(
    asterisk: AsteriskInstance, ami: AmiClient, phone: None
) -> None:
    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\n\n")
        await asyncio.sleep(0.7)
        writer.write(b'SET VARIABLE CALLCTL_PLAN "late"\n')
        await reader.readline()
        writer.close()

    async with listening(asterisk, slow):
        assert await agi_outcome(asterisk, ami, "slow", "555") == "SUCCESS:late"


async def test_hung_daemon_is_left_by_the_watchdog_after_two_seconds(
    asterisk: AsteriskInstance, ami: AmiClient, phone: None
) -> None:
    gone = asyncio.Event()

    async def hung(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        gone.set()
        writer.close()

    async with listening(asterisk, hung):
        began = asyncio.get_running_loop().time()
        assert await agi_outcome(asterisk, ami, "hung", "555") == "WATCHDOG:"
        assert 1.5 < asyncio.get_running_loop().time() - began < 4
        await asyncio.wait_for(gone.wait(), 5)


# -- the script that Asterisk runs itself ---------------------------------------------------------


async def check_outcome(asterisk: AsteriskInstance, ami: AmiClient, key: str, number: str) -> str:
    events = Events(ami, "OriginateResponse", "Hangup")
    return await outcome(asterisk, events, await call(ami, key, "wire-check", number), key)


async def test_local_check_tells_whether_the_daemon_answers_and_the_fallbacks_plan(
    asterisk: AsteriskInstance, ami: AmiClient, phone: None
) -> None:
    server = FastAgiServer(ADDRESS, 0, {"ping": ping_verb(lambda: "callctl 0.1.0, revision 7")})
    await server.start()
    url = f"agi://{ADDRESS}:{server.port}/route"
    await asterisk.cli(f"dialplan set global CALLCTL_AGI {url}")
    assert await check_outcome(asterisk, ami, "check1", "102") == (
        "up callctl 0.1.0, revision 7:1|f|1|internal||101|||||!ring|20|0|102|102"
    )
    await server.stop()
    assert await check_outcome(asterisk, ami, "check2", "999") == (
        "down [Errno 111] Connection refused:"
    )


def test_plan_is_told_in_words() -> None:
    plan = "1|p|1|outbound||out||||!ring|20|0|101&102|a&b!trunk|60|1|acme|t|%2B3612|||0|0"
    assert describe_plan(plan + "!hangup?2:BUSY|17!sing|la") == [
        "ring 101 and 102 for 20 s",
        "call +3612 through acme for 60 s",
        "hang up with cause 17 (after 2:BUSY)",
        "sing|la",
    ]


async def test_restarted_asterisk_is_found_again(
    asterisk: AsteriskInstance, ami: AmiClient
) -> None:
    await asterisk.stop()
    state = await ami.wait_for_state(connected=False, within=10)
    assert state.reason.split(":")[0] in {"closed_by_peer", "reset", "cannot_connect"}
    events = Events(ami, "FullyBooted")
    await asterisk.start()
    # A login while Asterisk still boots is given up for another: the greeting tells which holds.
    await events.first(lambda e: True)
    await ami.wait_for_state(connected=True, within=10)
    assert (await ami.action("Ping")).success
