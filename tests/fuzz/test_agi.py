"""FastAGI: whatever a caller calls itself, the call is refused or is the one that was placed."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from agi.route import route_verb
from callctl.asterisk.fastagi import (
    FAILURE,
    MAX_ENVIRONMENT_BYTES,
    AgiCall,
    AgiRefused,
    parse_call,
    parse_environment,
)
from callctl.asterisk.fastagi_server import AgiSession, FastAgiServer
from tests.fuzz.rounds import fuzz
from tests.wire.peers import ENVIRONMENT

PLAN = "1|p|1|inbound|x|did:x||||!ring|20|0|101|101"
HONEST = {
    **ENVIRONMENT,
    "agi_extension": "s",
    "agi_arg_2": "callctl-1795359121.7",
    "agi_arg_3": "",
}
CALLERS_WORDS = ("agi_callerid", "agi_calleridname", "agi_dnid", "agi_rdnis")
"""What Asterisk 22 writes as the caller sent it (res_agi.c); the dialplan's filters left aside."""

pieces = st.one_of(
    st.binary(max_size=12),
    st.sampled_from(
        [
            *(b"\n", b"\r\n", b"\n\n", b": ", b"agi_", b"\0", b"\xff"),
            *(b"agi_arg_1: 0900", b"agi_arg_3: PJSIP/102-00000001", b"agi_channel: PJSIP/102-0"),
            *(b"agi_uniqueid: 1.1", b"agi_network_script: ping", b"agi_threadid: 1"),
            *(b"agi_callingpres: 32", b"200 result=1\n", b"HANGUP\n"),
        ]
    ),
)
words = st.lists(pieces, max_size=8).map(b"".join)
cuts = st.lists(st.integers(0, 2000), max_size=12)


def environment(said: dict[str, bytes]) -> bytes:
    lines = [f"{k}: ".encode() + said.get(k, v.encode()) for k, v in HONEST.items()]
    return b"\n".join(lines) + b"\n\n"


def in_pieces(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    places = sorted({0, *(cut for cut in cuts if cut < len(data)), len(data)})
    return [data[a:b] for a, b in pairwise(places)]


class Wire(asyncio.Transport):
    """Asterisk's end of a session: what the server wrote, and whether it closed."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1)})
        self.written = b""
        self.closed = False

    def write(self, data: object) -> None:
        self.written += cast(bytes, data)

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True


@fuzz(300)
@given(st.one_of(st.binary(max_size=400), words.map(lambda w: w + b"\n\n")))
def test_any_bytes_are_a_call_or_refused(data: bytes) -> None:
    with suppress(AgiRefused):
        parse_call(parse_environment(data))


@fuzz(400)
@given(st.dictionaries(st.sampled_from(CALLERS_WORDS), words, max_size=4))
def test_callers_words_change_nothing_but_the_caller(said: dict[str, bytes]) -> None:
    raw = environment(said)
    end = raw.index(b"\n\n")
    if end + 2 != len(raw):
        return  # The server refuses bytes after the first empty line.
    try:
        call = parse_call(parse_environment(raw[:end]))
    except AgiRefused:
        return
    assert (call.verb, call.endpoint, call.dialled) == ("route", "trunk-a", "+3612345678")
    assert (call.uniqueid, call.linkedid) == (HONEST["agi_uniqueid"], HONEST["agi_arg_2"])
    assert call.channel == HONEST["agi_channel"]
    for text in (call.caller_name, call.caller_number or ""):
        assert "\n" not in text
        assert "\0" not in text
        text.encode()


@fuzz(300)
@given(st.dictionaries(st.sampled_from(CALLERS_WORDS), words, max_size=3), words, cuts)
def test_session_ends_alike_however_its_bytes_are_cut(
    said: dict[str, bytes], after: bytes, cuts: list[int]
) -> None:
    asked: list[AgiCall] = []

    def decide(call: AgiCall) -> str:
        asked.append(call)
        return PLAN

    async def outcome(parts: Sequence[bytes]) -> tuple[bytes, bool]:
        server = FastAgiServer("127.0.0.1", 0, {"route": route_verb(decide)})
        session, wire = AgiSession(server), Wire()
        session.connection_made(wire)
        for part in parts:
            session.data_received(part)
        return wire.written, wire.closed

    async def both() -> None:
        data = environment(said)
        whole = await outcome([data, after])
        cut = await outcome([*in_pieces(data, cuts), *in_pieces(after, cuts)])
        assert cut == whole
        assert whole[0].count(b"SET VARIABLE") <= 1
        assert whole[0] == b"" or whole[0].endswith((FAILURE, b'"\n'))

    asyncio.run(both())
    assert {call.endpoint for call in asked} <= {"trunk-a"}


@fuzz(60)
@given(st.integers(0, 3 * MAX_ENVIRONMENT_BYTES), st.sampled_from([b"a", b"\n", b"a: b\n", b"\0"]))
def test_session_keeps_no_more_than_its_limit(size: int, filler: bytes) -> None:
    async def feed() -> None:
        server = FastAgiServer("127.0.0.1", 0, {})
        session, wire = AgiSession(server), Wire()
        session.connection_made(wire)
        data = (filler * size)[:size]
        for start in range(0, len(data), 1000):
            session.data_received(data[start : start + 1000])
        assert len(session._buffer) <= MAX_ENVIRONMENT_BYTES
        if size > MAX_ENVIRONMENT_BYTES:
            assert wire.written == FAILURE

    asyncio.run(feed())
