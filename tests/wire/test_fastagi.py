"""FastAGI's bytes and the server: every way that a session can go wrong ends in `failure`."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from agi.route import PLAN_END, route_verb
from callctl.asterisk.fastagi import (
    FIRST_BYTES,
    AgiCall,
    AgiRefused,
    SetVariable,
    Verb,
    encode_set_variable,
    parse_call,
    parse_environment,
)
from callctl.asterisk.fastagi_server import AgiLimits, FastAgiServer
from callctl.telemetry.metrics import REGISTRY
from tests.wire.peers import ENVIRONMENT, HOST, environment

PLAN = "1|p|1|inbound|x|did:x||||!ring|20|0|101|101"
COMMAND = f'SET VARIABLE CALLCTL_PLAN "{PLAN}{PLAN_END}"\n'.encode()


def read(**changes: str | None) -> AgiCall:
    return parse_call(parse_environment(environment(**changes)[:-2]))


# -- the environment ------------------------------------------------------------------------------


def test_environment_becomes_a_call() -> None:
    assert read() == AgiCall(
        verb="route",
        uniqueid="callctl-1795359121.7",
        channel="PJSIP/trunk-a-0000001f",
        endpoint="trunk-a",
        dialled="+3612345678",
        caller_number="+36301234567",
        caller_name="Kovács Éva",
        withheld=False,
    )


def test_first_argument_is_what_was_dialled_and_the_extension_where_there_is_none() -> None:
    assert read(agi_arg_1="102", agi_extension="s").dialled == "102"
    assert read(agi_arg_1=None, agi_extension="103").dialled == "103"
    assert read(agi_arg_2="callctl-1.1").linkedid == "callctl-1.1"


@pytest.mark.parametrize(
    ("number", "presentation", "expected", "withheld"),
    [
        ("+36301234567", "0", "+36301234567", False),
        ("+36301234567", "3", "+36301234567", False),
        ("+36301234567", "32", None, True),
        ("+36301234567", "35", None, True),
        ("unknown", "0", None, False),
        ("unknown", "67", None, False),
        ("<unknown>", "0", None, False),
        ("", "0", None, False),
        ("anonymous", "0", None, True),
        ("Anonymous", "0", None, True),
        ("Restricted", "0", None, True),
        ("+36301234567", "nonsense", "+36301234567", False),
        ("+36301234567", "-1", "+36301234567", False),
        ("+36301234567", "²", "+36301234567", False),
    ],
)
def test_withheld_number_is_none(
    number: str, presentation: str, expected: str | None, withheld: bool
) -> None:
    call = read(agi_callerid=number, agi_callingpres=presentation)
    assert (call.caller_number, call.withheld) == (expected, withheld)
    assert (call.caller_name == "") == withheld


def test_endpoint_comes_from_the_channel_and_not_from_the_caller() -> None:
    call = read(agi_callerid="PJSIP/101-00000001", agi_calleridname="PJSIP/101-00000001")
    assert call.endpoint == "trunk-a"
    assert read(agi_channel="PJSIP/a-b-c-0000beef").endpoint == "a-b-c"
    for channel in ("PJSIP/101", "Local/9@x-00000001;2", "PJSIP/-00000001", "SIP/x-00000001", ""):
        with pytest.raises(AgiRefused, match="bad_channel"):
            read(agi_channel=channel)


def test_moved_call_has_the_endpoint_of_who_moved_it() -> None:
    call = read(agi_arg_2="callctl-1.1", agi_arg_3="PJSIP/102-00000007")
    assert (call.endpoint, call.channel) == ("102", "PJSIP/trunk-a-0000001f")
    assert (
        read(agi_channel="Local/9@x-00000001;2", agi_arg_3="PJSIP/102-0000000a").endpoint == "102"
    )
    assert read(agi_arg_3="").endpoint == "trunk-a"
    with pytest.raises(AgiRefused, match="bad_channel"):
        read(agi_arg_3="PJSIP/-00000000")


def test_argument_among_the_callers_words_is_refused() -> None:
    """An injected argument that the dialplan did not give would not come twice."""
    with pytest.raises(AgiRefused, match="misplaced_argument"):
        read(agi_callerid="06\nagi_arg_3: PJSIP/101-00000001")


def test_name_in_another_encoding_is_text_that_can_be_stored() -> None:
    raw = environment().replace("Kovács".encode(), "Kovács".encode("latin-1"))
    name = parse_call(parse_environment(raw[:-2])).caller_name
    assert name == "Kov�cs Éva"
    name.encode()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda e: e.replace(b"agi_dnid", b"agi_channel"), "repeated_key"),
        (lambda e: e.replace(b"+36301234567", b"06\nagi_arg_1: admin"), "repeated_key"),
        (lambda e: e.replace(b"+36301234567", b"06\nhello"), "bad_line"),
        (lambda e: e.replace(b"+36301234567", b"06\nSIP-header: x"), "bad_line"),
        (lambda e: e.replace(b"+36301234567", b"06\n\nagi_x: y"), "bad_line"),
        (lambda e: e.replace(b"+36301234567", b"06\0"), "nul"),
        (lambda e: e.replace(b"+36301234567", b"9" * 8192), "line_too_long"),
        (lambda e: e.replace(b"+36301234567", b"9" * 16384), "too_large"),
        (lambda e: e + b"".join(b"agi_arg_%d: x\n" % n for n in range(2, 90)), "too_many_lines"),
        (lambda e: b"", "bad_line"),
        (lambda e: e[: e.index(b"agi_dnid")][:-1], "missing_key"),
        (lambda e: e.replace(b"agi_uniqueid: callctl", b"agi_uniqueid: \xc3\xa1"), "bad_channel"),
        (lambda e: e.replace(b"callctl-1795359121.7", b""), "bad_channel"),
    ],
)
def test_bad_environment_is_refused(change: Callable[[bytes], bytes], reason: str) -> None:
    with pytest.raises(AgiRefused) as refused:
        parse_call(parse_environment(change(environment()[:-1])[:-1]))
    assert refused.value.reason == reason


@given(st.binary(max_size=500))
def test_any_bytes_are_a_call_or_refused(data: bytes) -> None:
    for raw in (data, environment().replace(b"Kov", data)):
        try:
            call = parse_call(parse_environment(raw[:-2]))
        except AgiRefused:
            continue
        call.caller_name.encode()
        assert "\0" not in call.caller_name


@pytest.mark.parametrize(
    "value", ['a"b', "a\nb", "a\0b", "a\\b", "x" * 8191, "\N{HANGUL SYLLABLE GA}" * 3000]
)
def test_value_that_agi_would_read_differently_is_never_written(value: str) -> None:
    with pytest.raises(ValueError, match="CALLCTL_PLAN"):
        encode_set_variable(SetVariable("CALLCTL_PLAN", value))
    with pytest.raises(ValueError, match="name"):
        encode_set_variable(SetVariable(value, "x"))


# -- the server -----------------------------------------------------------------------------------


@pytest.fixture
async def server() -> AsyncIterator[FastAgiServer]:
    made = FastAgiServer(HOST, 0, {"route": route_verb(lambda call: PLAN)})
    await made.start()
    yield made
    await made.stop()
    assert made.open_sessions == 0


class Client:
    """Asterisk's side of one session."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def to(cls, server: FastAgiServer) -> "Client":
        return cls(*await asyncio.open_connection(HOST, server.port))

    async def line(self) -> bytes:
        async with asyncio.timeout(5):
            return await self.reader.readline()

    async def closed(self) -> None:
        """Wait for the server's close. Fails on any further byte."""
        async with asyncio.timeout(5):
            assert await self.reader.read() == b""
        self.writer.close()


def count(outcome: str) -> float:
    return REGISTRY.get_sample_value("callctl_agi_sessions_total", {"outcome": outcome}) or 0.0


async def ends_in_failure(server: FastAgiServer, data: bytes) -> None:
    client = await Client.to(server)
    before = count("refused")
    client.writer.write(data)
    assert await client.line() == b"failure\n"
    client.writer.close()
    assert count("refused") == before + 1


async def test_one_command_its_200_then_closed(server: FastAgiServer) -> None:
    before = count("plan")
    client = await Client.to(server)
    client.writer.write(environment())
    assert await client.line() == COMMAND
    assert count("plan") == before, "a plan counts when Asterisk has taken it"
    client.writer.write(b"200 result=1\n")
    await client.closed()
    assert count("plan") == before + 1


async def test_environment_and_answer_one_byte_at_a_time(server: FastAgiServer) -> None:
    client = await Client.to(server)
    for byte in environment():
        client.writer.write(bytes([byte]))
        await client.writer.drain()
    assert await client.line() == COMMAND
    for byte in b"200 result=1\n":
        client.writer.write(bytes([byte]))
        await client.writer.drain()
    await client.closed()


async def test_caller_who_hangs_up_meanwhile_ends_the_session(server: FastAgiServer) -> None:
    before = count("gone")
    client = await Client.to(server)
    client.writer.write(environment())
    assert await client.line() == COMMAND
    client.writer.write(b"HANGUP\n")
    await client.closed()
    assert count("gone") == before + 1


async def test_variable_that_asterisk_did_not_set_is_a_failure(server: FastAgiServer) -> None:
    for answer in (b"200 result=0\n", b"510 Invalid or unknown command\n", b"200 result=12\n"):
        client = await Client.to(server)
        client.writer.write(environment())
        assert await client.line() == COMMAND
        client.writer.write(answer)
        assert await client.line() == b"failure\n"
        client.writer.close()


@pytest.mark.parametrize(
    "data",
    [
        b"\n\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n\n\n",
        environment(agi_network_script="nosuchverb"),
        environment(agi_network_script="route/../admin"),
        environment(agi_callerid="06\nagi_arg_1: admin"),
        environment(agi_callerid="06\n\n"),
        environment() + b"200 result=1\n",
        b"agi_x: " + b"y" * 20_000,
        b"\0" * 10 + b"\n\n",
        b"\xff\xfe\n\n",
    ],
)
async def test_bad_session_gets_failure_at_once(server: FastAgiServer, data: bytes) -> None:
    await ends_in_failure(server, data)


async def test_verb_that_raises_fails_its_own_call_only() -> None:
    def decide(call: AgiCall) -> str:
        if call.dialled == "666":
            raise RuntimeError("a bug in routing")
        return "bad\nplan" if call.dialled == "667" else PLAN

    server = FastAgiServer(HOST, 0, {"route": route_verb(decide)})
    await server.start()
    before = count("failure")
    for dialled in ("666", "667"):
        client = await Client.to(server)
        client.writer.write(environment(agi_arg_1=dialled))
        assert await client.line() == b"failure\n"
        client.writer.close()
    assert count("failure") == before + 2
    client = await Client.to(server)
    client.writer.write(environment())
    assert await client.line() == COMMAND
    client.writer.close()
    await server.stop()


async def test_connect_and_close_is_harmless_in_hundreds(server: FastAgiServer) -> None:
    for _ in range(300):
        client = await Client.to(server)
        client.writer.close()
    client = await Client.to(server)
    client.writer.write(environment())
    assert await client.line() == COMMAND
    client.writer.close()


@pytest.mark.parametrize("start", [b"", b"agi_network: yes\n", environment()[:-1], environment()])
async def test_client_that_stalls_is_told_failure_and_then_dropped(start: bytes) -> None:
    limits = AgiLimits(deadline=0.05, linger=0.05, sweep_every=0.01)
    server = FastAgiServer(HOST, 0, {"route": route_verb(lambda call: PLAN)}, limits=limits)
    await server.start()
    client = await Client.to(server)
    client.writer.write(start)
    line = await client.line()
    assert (line if line != COMMAND else await client.line()) == b"failure\n"
    await client.closed()
    await server.stop()


async def test_oldest_session_makes_room_for_the_newest() -> None:
    """Those that hold a door open are pushed out by those who come to ask."""
    server = FastAgiServer(
        HOST, 0, {"route": route_verb(lambda call: PLAN)}, limits=AgiLimits(sessions=3)
    )
    await server.start()
    before = count("evicted")
    holders = [await Client.to(server) for _ in range(3)]
    for client in holders:
        client.writer.write(environment()[:10])
    asking = [await Client.to(server) for _ in range(3)]
    for client in asking:
        client.writer.write(environment())
        assert await client.line() == COMMAND
    for client in holders:
        assert await client.line() == b"failure\n"
        await client.closed()
    assert count("evicted") == before + 3
    assert server.open_sessions == 3
    for client in asking:
        client.writer.write(b"200 result=1\n")
        await client.closed()
    await server.stop()


async def test_session_that_has_its_plan_keeps_it_when_it_makes_room() -> None:
    server = FastAgiServer(
        HOST, 0, {"route": route_verb(lambda call: PLAN)}, limits=AgiLimits(sessions=1)
    )
    await server.start()
    first = await Client.to(server)
    first.writer.write(environment())
    assert await first.line() == COMMAND
    second = await Client.to(server)
    await first.closed()
    second.writer.close()
    await server.stop()


async def test_crowd_that_is_refused_is_counted_and_not_written_down_one_by_one() -> None:
    server = FastAgiServer(
        HOST,
        0,
        {"route": route_verb(lambda call: PLAN)},
        limits=AgiLimits(log_lines=3, sweep_every=0.01),
    )
    before = count("refused")
    with structlog.testing.capture_logs() as lines:
        await server.start()
        for _ in range(40):
            client = await Client.to(server)
            client.writer.write(b"nonsense" * 50 + b"\n\n")
            assert await client.line() == b"failure\n"
            client.writer.close()
        async with asyncio.timeout(5):
            while not any(line["event"] == "agi_refused_more" for line in lines):
                await asyncio.sleep(0.05)
        await server.stop()
    assert count("refused") == before + 40
    single = [line for line in lines if line["event"] == "agi_refused"]
    more = [line["reasons"] for line in lines if line["event"] == "agi_refused_more"]
    # A second's worth at each end of the run, at most.
    assert 3 <= len(single) <= 9
    assert sum(reasons["bad_line"] for reasons in more) + len(single) == 40


async def test_stranger_gets_nothing() -> None:
    called: list[AgiCall] = []
    verbs: dict[str, Verb] = {"route": lambda call: (called.append(call), SetVariable("A", "b"))[1]}
    server = FastAgiServer(HOST, 0, verbs, sources=("192.0.2.0/24",))
    await server.start()
    client = await Client.to(server)
    client.writer.write(environment())
    with suppress(ConnectionResetError):
        assert await client.line() == b""
    client.writer.close()
    await server.stop()
    assert called == []


async def test_stop_lets_open_sessions_end_and_takes_no_new_one() -> None:
    server = FastAgiServer(HOST, 0, {"route": route_verb(lambda call: PLAN)})
    await server.start()
    port = server.port
    client = await Client.to(server)
    client.writer.write(environment()[:-1])
    await client.writer.drain()
    async with asyncio.timeout(5):
        while server.open_sessions == 0:
            await asyncio.sleep(0)
    stopping = asyncio.create_task(server.stop())
    await asyncio.sleep(0)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(HOST, port)
    client.writer.write(b"\n")
    assert await client.line() == COMMAND
    assert not stopping.done()
    client.writer.write(b"200 result=1\n")
    await client.closed()
    await asyncio.wait_for(stopping, 5)


async def test_stop_does_not_wait_for_ever() -> None:
    limits = AgiLimits(drain=0.05)
    server = FastAgiServer(HOST, 0, {"route": route_verb(lambda call: PLAN)}, limits=limits)
    await server.start()
    client = await Client.to(server)
    client.writer.write(b"agi_network: yes\n")
    await client.writer.drain()
    await asyncio.wait_for(server.stop(), 5)
    client.writer.close()


# -- not being woken for every line ----------------------------------------------------------------


def test_no_environment_is_shorter_than_what_is_waited_for() -> None:
    names = [name for name in ENVIRONMENT if not name.startswith("agi_arg_")]
    assert sum(len(f"{name}: \n") for name in names) > FIRST_BYTES


async def test_what_is_too_little_is_refused_at_the_deadline(server: FastAgiServer) -> None:
    client = await Client.to(server)
    client.writer.write(b"nonsense\n\n")
    assert await client.line() == b"failure\n"
    client.writer.close()
