"""What is made of Asterisk's words for phones and trunks, and since when."""

import pytest

from callctl.core.devices import (
    DeviceState,
    Since,
    since_of,
    state_of_device,
    state_of_registration,
)


@pytest.mark.parametrize(
    ("contacts", "said", "state"),
    [
        ("101/sip:101@192.0.2.7:5060,", "Not in use", DeviceState.REACHABLE),
        ("101/sip:101@192.0.2.7:5060,", "Ringing", DeviceState.REACHABLE),
        ("101/sip:101@192.0.2.7:5060,", "Unavailable", DeviceState.UNREACHABLE),
        ("", "Unavailable", DeviceState.UNREGISTERED),
        (" , ", "In use", DeviceState.UNREGISTERED),
    ],
)
def test_a_device_is_reached_where_it_has_an_address_that_answers(
    contacts: str, said: str, state: DeviceState
) -> None:
    assert state_of_device(contacts, said) is state


def test_a_registration_that_has_no_word_here_is_none() -> None:
    said = [state_of_registration(word).value for word in ("Registered", "Rejected", "Stopped")]
    assert said == ["registered", "rejected", "unregistered"]


def test_a_state_that_stays_keeps_its_age_and_what_is_gone_is_forgotten() -> None:
    before = {"a": Since("reachable", 1.0), "b": Since("reachable", 1.0), "c": Since("x", 1.0)}
    after = since_of(before, {"a": "reachable", "b": "unreachable"}, 5.0)
    assert after == {"a": Since("reachable", 1.0), "b": Since("unreachable", 5.0)}
