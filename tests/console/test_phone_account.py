"""What a phone is told to register by."""

import pytest

from callctl.console.phone_account import server_of


@pytest.mark.parametrize(
    ("host", "server"),
    [
        ("pbx.example:8080", "pbx.example"),
        ("192.0.2.1", "192.0.2.1"),
        ("[2001:db8::1]:8080", "[2001:db8::1]"),
        ("[2001:db8::1", ""),
        ("[x]", ""),
        ("", ""),
    ],
)
def test_server_is_as_the_console_was_asked_for_and_a_port_can_follow_it(
    host: str, server: str
) -> None:
    assert server_of(host) == server
