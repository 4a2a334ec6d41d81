"""Phones on TCP and TLS, lamps, and a carrier that callctl registers with: addresses 127.0.14.x."""

import re
from collections.abc import AsyncIterator, Callable

import pytest

from callctl.asterisk.program import AsteriskProgram
from callctl.asterisk.provision import render_provisioning, write_provisioning
from callctl.core.routing.model import (
    AccountRouting,
    Destination,
    Did,
    RoutingTable,
    SipCredential,
    build_table,
)
from callctl.core.routing.plan import Direction, HangupStep, RingStep, RingTarget
from callctl.demo.sip import Answer
from tests.asterisk.sip_peer import Message, SipPeer
from tests.asterisk.switch import YEAR, Switch, plan, secret_of
from tests.asterisk.table import ACCOUNT, extension, trunk

pytestmark = pytest.mark.asterisk

NET = "127.0.14"
CARRIER, ELSEWHERE = f"{NET}.25", f"{NET}.26"
CARRIER_SECRET = "secret-of-the-carrier"
PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061}

# Enough for an answer: no media is sent.
OFFER = "\r\n".join(
    [
        "v=0",
        f"o=- 1 1 IN IP4 {NET}.50",
        "s=-",
        f"c=IN IP4 {NET}.50",
        "t=0 0",
        "m=audio 40000 RTP/AVP 8",
        "",
    ]
)


def _table() -> RoutingTable:
    routing = AccountRouting(
        account=ACCOUNT,
        extensions=(extension("101"), extension("102")),
        trunks=(trunk("registered", CARRIER, register=True, username="4711", qualify_seconds=0),),
        dids=(Did("+3617000001", (Destination.parse("extension:102"),)),),
    )
    return build_table((routing,), revision=1)


@pytest.fixture(scope="module")
async def switch(
    asterisk_program: AsteriskProgram, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Switch]:
    """An Asterisk whose carrier is already there when it starts to register."""
    made = Switch(asterisk_program, tmp_path_factory.mktemp("transports"), NET, _table())
    await made.start()
    credentials = {
        "registered": SipCredential("registered", "4711", CARRIER_SECRET),
        **{n: SipCredential(n, n, secret_of(n)) for n in ("101", "102")},
    }
    files = render_provisioning(_table(), credentials, YEAR)
    write_provisioning(made.instance.generated_dir, files)
    yield made
    await made.stop()


@pytest.mark.parametrize("transport", ["tcp", "tls"])
async def test_phone_registers_and_calls_over(switch: Switch, transport: str) -> None:
    switch.plans["102"] = plan(
        RingStep((RingTarget("102", "102"),), 10), HangupStep(0), direction=Direction.INTERNAL
    )
    server = f"sip:{switch.address}:{PORTS[transport]};transport={transport}"
    async with (
        switch.phone("102", Answer()) as called,
        SipPeer(f"{NET}.50", switch.address, transport, PORTS[transport]) as phone,
    ):
        registered = await phone.ask("REGISTER", server, "101", secret_of("101"), "Expires: 60")
        assert registered.code == 200
        assert f"transport={transport.upper()}" in registered.header("Contact")
        answered = await phone.ask(
            "INVITE",
            f"sip:102@{switch.address}:{PORTS[transport]};transport={transport}",
            "101",
            secret_of("101"),
            "Content-Type: application/sdp",
            body=OFFER,
        )
        assert answered.code == 200
        saw = await called.answered()
        assert saw.from_number == "101"
        await called.hang_up()
        ended = await phone.receive("BYE")
        assert ended.header("Call-ID") == answered.header("Call-ID")
        phone.answer(ended, 200, "OK")
        await called.ended()
    await switch.idle()


@pytest.mark.parametrize("transport", ["tcp", "tls"])
async def test_phone_is_rung_over_the_connection_it_made(switch: Switch, transport: str) -> None:
    switch.plans["101"] = plan(
        RingStep((RingTarget("101", "101"),), 10), HangupStep(0), direction=Direction.INTERNAL
    )
    server = f"sip:{switch.address}:{PORTS[transport]};transport={transport}"
    async with SipPeer(f"{NET}.50", switch.address, transport, PORTS[transport]) as phone:
        await phone.ask("REGISTER", server, "101", secret_of("101"), "Expires: 60")
        async with switch.call_from("102", "101") as caller:
            ringing = await phone.receive("INVITE")
            phone.answer(ringing, 486, "Busy Here")
            assert (await caller.ended()).final_code in (486, 603)
    await switch.idle()


async def test_lamp_follows_the_extension(switch: Switch) -> None:
    """A subscriber is told when 102 rings, talks and is free again (RFC 4235)."""
    switch.plans["102"] = plan(
        RingStep((RingTarget("102", "102"),), 10), HangupStep(0), direction=Direction.INTERNAL
    )
    async with (
        switch.phone("102", Answer(after=0.5)) as called,
        SipPeer(f"{NET}.51", switch.address) as watcher,
    ):
        accepted = await watcher.ask(
            "SUBSCRIBE",
            f"sip:102@{switch.address}",
            "101",
            secret_of("101"),
            "Event: dialog",
            "Accept: application/dialog-info+xml",
            "Expires: 60",
        )
        assert accepted.code == 200
        assert _lamp(await _told(watcher)) == "terminated"
        async with switch.call_from("101", "102") as caller:
            assert _lamp(await _told(watcher)) == "early"
            assert _lamp(await _told(watcher)) == "confirmed"
            await caller.hang_up()
            assert _lamp(await _told(watcher)) == "terminated"
            await called.ended()


async def test_carrier_that_is_registered_with_brings_calls_from_any_address(
    switch: Switch,
) -> None:
    """Asterisk logs in at the carrier; a call to the address it gave there is the carrier's."""
    switch.plans["+3617000001"] = plan(RingStep((RingTarget("102", "102"),), 10), HangupStep(0))
    async with SipPeer(CARRIER, switch.address, local_port=5060) as carrier:
        await switch.instance.cli("module reload res_pjsip.so")
        await switch.instance.cli("module reload res_pjsip_outbound_registration.so")
        await switch.instance.cli("pjsip send register registered")
        login = await carrier.receive("REGISTER")
        assert "sip:4711@" in login.header("From")
        carrier.answer(
            login, 401, "Unauthorized", 'WWW-Authenticate: Digest realm="carrier", nonce="n1"'
        )
        proven = await _where(carrier, "REGISTER", lambda m: bool(m.header("Authorization")))
        assert 'username="4711"' in proven.header("Authorization")
        contact = proven.header("Contact")
        carrier.answer(proven, 200, "OK", f"Contact: {contact};expires=600")
        address = re.search(r"<([^>]+)>", contact)
        assert address is not None
        assert "line=" in address[1]

        uri = address[1].replace("sip:4711@", "sip:+3617000001@")
        async with (
            switch.phone("102", Answer()) as called,
            SipPeer(ELSEWHERE, switch.address) as caller,
        ):
            answered = await caller.ask(
                "INVITE", uri, "+36301112222", "", "Content-Type: application/sdp", body=OFFER
            )
            assert answered.code == 200
            assert [call.endpoint for call in switch.asked][-1] == "registered"
            await called.answered()
            await called.hang_up()
            await caller.receive("BYE")
            await called.ended()


async def _told(watcher: SipPeer) -> Message:
    notice = await watcher.receive("NOTIFY")
    watcher.answer(notice, 200, "OK")
    return notice


def _lamp(notice: Message) -> str:
    found = re.search(r"<state>(\w+)</state>", notice.body)
    assert found, notice.text
    return found[1]


async def _where(peer: SipPeer, method: str, wanted: Callable[[Message], bool]) -> Message:
    """The next request of that method that is as wanted; others (repeats) are passed over."""
    while True:
        message = await peer.receive(method)
        if wanted(message):
            return message
