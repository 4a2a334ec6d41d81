"""What is read out of SIPp's message log."""

import pytest

from callctl.demo.sip_log import EndedBy, PhoneSaw, build_calls, parse_messages


def message(at: str, sent: bool, *lines: str, call_id: str = "a@b") -> bytes:
    """A message as SIPp 3.6.1 logs it."""
    text = "\r\n".join([*lines, f"Call-ID: {call_id}", "Content-Length: 0", "", ""]).encode()
    verb = f"sent ({len(text)} bytes)" if sent else f"received [{len(text)}] bytes "
    return f"{'-' * 47} 2026-11-22 {at}\nUDP message {verb}:\n\n".encode() + text + b"\n"


FROM = 'From: "Ann \\"x\\"" <sip:00447700900101@127.0.0.1>;tag=1'
INVITE = ("INVITE sip:201@127.0.5.201:5060 SIP/2.0", FROM, "To: <sip:201@b>", "CSeq: 7 INVITE")


def answer(code: int, method: str = "INVITE") -> tuple[str, ...]:
    return (f"SIP/2.0 {code} So", FROM, "To: <sip:201@b>;tag=2", f"CSeq: 7 {method}")


def request(method: str, *headers: str) -> tuple[str, ...]:
    return (f"{method} sip:x SIP/2.0", FROM, "To: <sip:201@b>;tag=2", f"CSeq: 8 {method}", *headers)


def only(*messages: bytes) -> PhoneSaw:
    (call,) = build_calls("201", parse_messages(b"".join(messages)))
    return call


def test_an_answered_call_has_all_its_times() -> None:
    call = only(
        message("15:00:00.000001", False, *INVITE),
        message("15:00:00.500000", True, *answer(180)),
        message("15:00:02.000000", True, *answer(200)),
        message("15:00:02.100000", False, *request("ACK")),
        message("15:00:05.250000", False, *request("BYE", "Reason: Q.850;cause=16")),
    )
    assert (call.placed, call.dialled, call.from_number) == (False, "201", "00447700900101")
    assert call.from_name == 'Ann \\"x\\"'
    assert call.rang_at == pytest.approx(call.invited_at + 0.499999)
    assert call.answered_at == pytest.approx(call.invited_at + 1.999999)
    assert call.talk_seconds == pytest.approx(3.25)
    assert (call.final_code, call.ended_by, call.reason) == (200, EndedBy.FAR, "Q.850;cause=16")


def test_a_cancelled_call_ends_with_the_cancel_and_487() -> None:
    call = only(
        message("15:00:00.000000", False, *INVITE),
        message("15:00:00.100000", True, *answer(180)),
        message("15:00:01.000000", False, *request("CANCEL")),
        message("15:00:01.000100", True, *answer(200, "CANCEL")),
        message("15:00:01.000200", True, *answer(487)),
    )
    assert (call.answered_at, call.final_code, call.ended_by) == (None, 487, EndedBy.FAR)
    assert call.ended_at == pytest.approx(call.invited_at + 1.0)


def test_an_answer_that_crosses_the_cancel_is_an_answer() -> None:
    call = only(
        message("15:00:00.000000", False, *INVITE),
        message("15:00:01.000000", False, *request("CANCEL")),
        message("15:00:01.000100", True, *answer(200)),
    )
    assert (call.final_code, call.ended_at) == (200, None)


def test_a_refusal_is_the_end_and_by_whom() -> None:
    call = only(
        message("15:00:00.000000", False, *INVITE),
        message("15:00:00.200000", True, *answer(486)),
    )
    assert (call.final_code, call.ended_by, call.rang_at) == (486, EndedBy.SELF, None)


def test_a_first_challenge_is_no_end_and_a_second_one_is() -> None:
    messages = [
        message("15:00:00.000000", True, *INVITE),
        message("15:00:00.001000", False, *answer(401)),
        message("15:00:00.002000", True, *INVITE),
        message("15:00:00.300000", False, *answer(401)),
    ]
    for end in (1, 2, 3):
        call = only(*messages[:end])
        assert (call.placed, call.final_code, call.ended_at) == (True, None, None)
    call = only(*messages)
    assert (call.final_code, call.ended_by) == (401, EndedBy.FAR)


def test_a_reinvite_changes_nothing() -> None:
    call = only(
        message("15:00:00.000000", False, *INVITE),
        message("15:00:01.000000", True, *answer(200)),
        message("15:00:02.000000", True, *INVITE),
        message("15:00:02.100000", False, *answer(488)),
    )
    assert call.final_code == 200
    assert call.answered_at == pytest.approx(call.invited_at + 1.0)


def test_calls_are_told_apart_by_call_id() -> None:
    log = message("15:00:01.000000", False, *INVITE, call_id="second")
    log += message("15:00:00.000000", False, *INVITE, call_id="first")
    log += message("15:00:01.100000", False, *request("OPTIONS"), call_id="no call")
    assert [c.call_id for c in build_calls("201", parse_messages(log))] == ["first", "second"]


def test_a_message_that_is_still_being_written_waits() -> None:
    whole = message("15:00:00.000000", False, *INVITE)
    log = whole + message("15:00:01.000000", True, *answer(486))
    for end in range(len(whole), len(log) - 1):
        assert len(parse_messages(log[:end])) == 1
    assert len(parse_messages(log)) == 2


def test_bytes_that_are_no_text_survive() -> None:
    raw = INVITE[1].replace("Ann", "\udcff\udcfe")
    head = f"{'-' * 47} 2026-11-22 15:00:00.000000\nUDP message received "
    text = "\r\n".join([INVITE[0], raw, "Call-ID: a", "CSeq: 1 INVITE", "", ""])
    data = text.encode("utf-8", "surrogateescape")
    log = f"{head}[{len(data)}] bytes :\n\n".encode() + data + b"\n"
    assert only(log).from_name.startswith("\udcff\udcfe")
