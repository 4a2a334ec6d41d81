"""AMI: any stream is read alike however it is cut, and no text of ours adds an action."""

import asyncio
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from callctl.asterisk.ami_protocol import (
    AmiEvent,
    AmiInvalid,
    AmiLimits,
    AmiProtocolError,
    AmiReply,
    Framer,
    parse_message,
)
from callctl.asterisk.ami_session import SafeAction
from tests.fuzz.rounds import fuzz
from tests.fuzz.test_agi import in_pieces

SMALL = AmiLimits(line=200, message=600)
BANNER = b"Asterisk Call Manager/11.0.0\r\n"
pieces = st.one_of(
    st.binary(max_size=12),
    st.sampled_from(
        [
            *(b"\r\n", b"\r\n\r\n", b"\r", b"\n", b": ", b":", b"\0", b"\xc3", b"\xa9", b"x" * 90),
            *(b"Event: Hangup\r\n", b"Response: Success\r\n", b"ActionID: 1\r\n", b"Output: a\r\n"),
            *(b"Event: Newchannel\r\nCallerIDNum: 06", b"EventList: Complete\r\n"),
        ]
    ),
)
streams = st.lists(pieces, max_size=25).map(b"".join)
cuts = st.lists(st.integers(0, 3000), max_size=20)
Read = list[AmiEvent | AmiReply | str]


def read(parts: Sequence[bytes]) -> tuple[Read, str]:
    """What a client makes of them: messages or why one was dropped; why the connection ended."""
    framer = Framer(SMALL)
    found: Read = []
    try:
        for part in parts:
            for raw in framer.feed(part):
                try:
                    found.append(parse_message(raw))
                except AmiProtocolError as error:
                    found.append(error.reason)
    except AmiProtocolError as error:
        return found, error.reason
    assert len(framer._buffer) <= SMALL.message
    return found, ""


@fuzz(300)
@given(st.one_of(st.binary(max_size=300), streams.map(lambda s: BANNER + s)), cuts)
def test_stream_is_read_alike_however_it_is_cut(data: bytes, cuts: list[int]) -> None:
    whole, why = read([data])
    by_pieces, why_by_pieces = read(in_pieces(data, cuts))
    byte_by_byte, why_by_byte = read([bytes([b]) for b in data])
    if not (why or why_by_pieces or why_by_byte):
        assert by_pieces == whole == byte_by_byte
    else:
        # Where a connection ends for its size, smaller reads may see messages before that.
        shortest = min(len(whole), len(by_pieces), len(byte_by_byte))
        assert by_pieces[:shortest] == whole[:shortest] == byte_by_byte[:shortest]


@fuzz(300)
@given(streams)
def test_message_s_texts_can_be_stored(data: bytes) -> None:
    for message in read([BANNER + data])[0]:
        if not isinstance(message, str):
            for text in message.fields.values():
                text.encode()


texts = st.text(st.characters(codec="utf-8"), max_size=30)
names = st.one_of(st.sampled_from(["Channel", "CallerID", "Variable"]), texts)


@fuzz(400)
@given(texts, st.dictionaries(names, st.one_of(texts, st.lists(texts, max_size=3)), max_size=5))
def test_action_is_one_action_with_the_headers_that_it_was_given(
    name: str, fields: dict[str, str | list[str]]
) -> None:
    async def build() -> bytes:
        return str(SafeAction(name, fields, 10)).encode()

    try:
        wire = asyncio.run(build())
    except AmiInvalid:
        return
    lines = wire.removesuffix(b"\r\n\r\n").split(b"\r\n")
    values = [
        v for value in fields.values() for v in ([value] if isinstance(value, str) else value)
    ]
    assert len(lines) == 2 + len(values)
    assert wire.count(b"\r\n\r\n") == 1
    # Asterisk ends a line at a newline alone, too.
    assert wire.count(b"\n") == wire.count(b"\r") == len(lines) + 1
    assert all(len(line) < 1024 for line in lines)
