"""AMI's bytes: framing, parsing, building, and what each limit does."""

from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callctl.asterisk.ami_protocol import (
    AmiEvent,
    AmiInvalid,
    AmiLimits,
    AmiProtocolError,
    AmiReply,
    Framer,
    check_action,
    new_action_id,
    parse_message,
)
from tests.wire.peers import BANNER

CAPTURE = (Path(__file__).parent / "captures" / "session.ami").read_bytes()


def read_all(chunks: list[bytes], limits: AmiLimits | None = None) -> list[AmiEvent | AmiReply]:
    framer = Framer(limits or AmiLimits())
    return [parse_message(raw) for chunk in chunks for raw in framer.feed(chunk)]


def as_values(messages: list[AmiEvent | AmiReply]) -> list[tuple[object, ...]]:
    return [
        (type(m).__name__, dict(m.fields), m.output if isinstance(m, AmiReply) else m.name)
        for m in messages
    ]


def test_captured_session_reads_as_asterisk_said_it() -> None:
    messages = read_all([CAPTURE])
    replies = {m.action_id: m for m in messages if isinstance(m, AmiReply)}
    events = [m for m in messages if isinstance(m, AmiEvent)]
    assert replies["login"].message == "Authentication accepted"
    assert replies["devices"].opens_list
    assert replies["cli"].output[0].startswith("Asterisk 22.")
    assert not replies["badcli"].success
    assert "No such command" in replies["badcli"].output[0]
    response = next(e for e in events if e.name == "OriginateResponse")
    assert (response.action_id, response["Response"]) == ("call", "Failure")
    assert any("Zoë 张" in event.fields.values() for event in events)


def test_captured_session_fed_one_byte_at_a_time_reads_the_same() -> None:
    whole = as_values(read_all([CAPTURE]))
    assert as_values(read_all([bytes([b]) for b in CAPTURE])) == whole


@given(st.lists(st.integers(0, len(CAPTURE)), max_size=20))
def test_captured_session_cut_anywhere_reads_the_same(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(CAPTURE)]
    chunks = [CAPTURE[a:b] for a, b in pairwise(edges)]
    assert as_values(read_all(chunks)) == as_values(read_all([CAPTURE]))


@given(st.binary(max_size=300))
def test_garbage_is_refused_or_ignored_but_never_breaks_the_reader(data: bytes) -> None:
    for raw in Framer(AmiLimits()).feed(BANNER + data + b"\r\n\r\n"):
        with suppress(AmiProtocolError):
            assert isinstance(parse_message(raw), AmiEvent | AmiReply)


def test_misspelt_field_is_an_error() -> None:
    (event,) = read_all([BANNER + b"Event: Hangup\r\nCause: 16\r\n\r\n"])
    assert event.fields["cause"] == "16"
    assert isinstance(event, AmiEvent)
    assert event["Cause"] == "16"
    with pytest.raises(KeyError):
        _ = event["Couse"]
    with pytest.raises(AttributeError):
        _ = event.cause  # type: ignore[attr-defined]


def test_parsed_values_cannot_be_changed() -> None:
    (event,) = read_all([BANNER + b"Event: Hangup\r\nCause: 16\r\n\r\n"])
    with pytest.raises(TypeError):
        event.fields["cause"] = "17"  # type: ignore[index]


def test_bytes_that_are_no_utf8_can_be_stored_afterwards() -> None:
    (event,) = read_all([BANNER + b"Event: X\r\nCallerIDName: J\xf3zsef\r\n\r\n"])
    assert event.fields["calleridname"].encode() == "J�zsef".encode()


def test_header_that_comes_twice_is_a_forgery_and_drops_the_message() -> None:
    raw = b"Event: Newchannel\r\nChannel: PJSIP/a-1\r\nCallerIDNum: 06\r\nChannel: PJSIP/b-1"
    with pytest.raises(AmiProtocolError, match="repeated_header"):
        parse_message(raw)


def test_line_that_is_no_header_drops_the_message() -> None:
    with pytest.raises(AmiProtocolError, match="bad_line"):
        parse_message(b"Event: Newchannel\r\nCallerIDNum: 06\r\nhello there\r\nExten: 1")


def test_rest_of_a_split_event_is_neither_event_nor_response() -> None:
    with pytest.raises(AmiProtocolError, match="neither"):
        parse_message(b"CallerIDName: x\r\nExten: 1")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", "not_ami"),
        (b"Asterisk Call Manager/" + b"9" * 300, "not_ami"),
        (BANNER + b"Event: X\r\nA: " + b"x" * 200, "line_too_long"),
        (BANNER + b"Event: X\r\nA: " + b"x" * 200 + b"\r\n\r\n", "line_too_long"),
        (BANNER + b"Event: X\r\n" + b"A: b\r\n" * 300, "message_too_long"),
        (BANNER + b"Event: X\r\n" + b"A: b\r\n" * 300 + b"\r\n", "message_too_long"),
    ],
)
def test_limits_end_the_connection_with_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(AmiProtocolError, match=reason):
        read_all([data], AmiLimits(line=100, message=1000))


def test_a_large_message_in_small_pieces_is_read_in_linear_time() -> None:
    """2 MB in 20-byte pieces: searching from the start each time would take minutes."""
    body = b"Response: Success\r\nActionID: a\r\n" + b"Output: 0123456789\r\n" * 100_000
    data = BANNER + body + b"\r\n"
    (reply,) = read_all([data[i : i + 20] for i in range(0, len(data), 20)])
    assert isinstance(reply, AmiReply)
    assert len(reply.output) == 100_000


@pytest.mark.parametrize(
    "bad", ["\r\nAction: Originate", "a\rb", "a\nb", "a\0b", "\x1b[2J", "\x7f"]
)
def test_control_characters_never_get_into_an_action(bad: str) -> None:
    with pytest.raises(AmiInvalid):
        check_action("Setvar", {"Value": bad})
    with pytest.raises(AmiInvalid):
        check_action("Setvar", {"Variable": ["A=1", bad]})
    with pytest.raises(AmiInvalid):
        check_action("Setvar", {bad: "1"})
    with pytest.raises(AmiInvalid):
        check_action(bad, {})


def test_action_that_asterisk_would_cut_is_refused() -> None:
    check_action("Setvar", {"Value": "x" * (1023 - len("Value: "))})
    with pytest.raises(AmiInvalid, match="1024 bytes"):
        check_action("Setvar", {"Value": "x" * (1024 - len("Value: "))})
    with pytest.raises(AmiInvalid, match="headers"):
        check_action("Setvar", {f"V{n}": "1" for n in range(127)})


def test_action_id_is_the_clients_own_and_cannot_be_guessed() -> None:
    with pytest.raises(AmiInvalid):
        check_action("Ping", {"ActionID": "1"})
    assert len({new_action_id() for _ in range(1000)}) == 1000
    assert len(bytes.fromhex(new_action_id())) == 16


def test_values_are_written_as_asterisk_reads_them() -> None:
    headers = check_action("Originate", {"Priority": 1, "Async": True, "Variable": ["A=1", "B=2"]})
    assert headers == [
        ("Action", "Originate"),
        ("Priority", "1"),
        ("Async", "true"),
        ("Variable", "A=1"),
        ("Variable", "B=2"),
    ]
