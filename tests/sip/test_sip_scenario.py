"""How scenarios are put together."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from callctl.demo.sip_scenario import (
    BUSY,
    DECLINE,
    Answer,
    Behaviour,
    Invitation,
    Redirect,
    RingOut,
    Silence,
    caller_scenario,
    phone_scenario,
    register_scenario,
    render_scenario,
)

TONE = Path("/tone.ul")
BEHAVIOURS = (Answer(), RingOut(), BUSY, DECLINE, Redirect("sip:x@y"), Silence())


def test_a_value_that_is_missing_is_an_error() -> None:
    with pytest.raises(KeyError, match="secret"):
        render_scenario("register", {"user": "201", "server": "127.0.0.1", "expires": "1"})


def messages(scenario: str) -> list[str]:
    return [(send.text or "").strip("\n") for send in ElementTree.fromstring(scenario).iter("send")]


@pytest.mark.parametrize("behaviour", BEHAVIOURS, ids=lambda b: type(b).__name__)
def test_every_habit_gives_messages_without_gaps(behaviour: Behaviour) -> None:
    for text in messages(phone_scenario("201", "sip:201@h", behaviour, TONE)):
        assert_one_empty_line_before_the_body(text)


@pytest.mark.parametrize("headers", [(), ("Privacy: id",), ("Privacy: id", "X-A: b")])
def test_a_callers_headers_leave_no_gap(headers: tuple[str, ...]) -> None:
    invite = Invitation("202", "<sip:201@h>", headers)
    scenario = caller_scenario("201", "h", "secret", invite, 1.0, TONE)
    texts = messages(scenario)
    for text in texts:
        assert_one_empty_line_before_the_body(text)
    invites = [t for t in texts if t.strip().startswith("INVITE sip:202")]
    assert [("authentication" in t) for t in invites] == [False, True]
    assert all(("[headers]" in text) == bool(headers) for text in invites)


def assert_one_empty_line_before_the_body(text: str) -> None:
    head, _, body = text.partition("\n\n")
    assert "Call-ID" in head
    assert all(line.strip() for line in head.splitlines())
    assert all(line.strip() for line in body.rstrip().splitlines())


def test_registration_can_be_taken_away() -> None:
    assert "Expires: 0" in register_scenario("201", "h", "s", 0)
