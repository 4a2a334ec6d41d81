"""What is said of phones and trunks when Asterisk refuses to tell, or stops telling."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from callctl.asterisk.ami import AmiClient
from callctl.asterisk.ami_protocol import AmiError
from callctl.core.devices import DeviceState
from callctl.core.routing.model import (
    Account,
    AccountKind,
    AccountRouting,
    Extension,
    build_table,
)
from callctl.core.scope import CallScope
from callctl.features.devices.service import LOOK_SECONDS, DeviceService
from tests.wire.ami_counts import FAST
from tests.wire.peers import HOST, AmiPeer, ami_peer

SCOPE = CallScope(1)
ACCOUNT = Account(1, "a", AccountKind.ENTERPRISE, "HU", "Europe/Budapest")
TABLE = build_table(
    (AccountRouting(ACCOUNT, extensions=(Extension(number="101", endpoint="a-101"),)),), revision=1
)


@dataclass
class Asterisk:
    """Lists one endpoint with an address, or refuses with `refusal`."""

    refusal: str | None = None
    asked: list[str] = field(default_factory=list)

    async def script(self, peer: AmiPeer) -> None:
        await peer.log_in()
        while True:
            action = await peer.action()
            name = action["Action"]
            if not name.startswith("PJSIPShow"):
                peer.answer(action)
                continue
            self.asked.append(name)
            if self.refusal is not None:
                peer.answer(action, f"Message: {self.refusal}", response="Error")
                continue
            of = f"ActionID: {action['ActionID']}"
            peer.answer(action, "EventList: start", "Message: follows")
            if name == "PJSIPShowEndpoints":
                peer.event(
                    "EndpointList", of, "ObjectName: a-101", "Contacts: a-101/sip:101@h,",
                    "DeviceState: Not in use",
                )  # fmt: skip
            peer.event(f"{name}Complete", of, "EventList: Complete")


@dataclass
class Rig:
    asterisk: Asterisk
    devices: DeviceService
    now: list[float]

    def state(self) -> tuple[bool, str]:
        view = self.devices.view(SCOPE)
        return view.live, view.extensions[0].state


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    asterisk, now = Asterisk(), [1000.0]
    async with ami_peer(asterisk.script) as port:
        ami = AmiClient(HOST, port, "callctl", "secret", timing=FAST)
        await ami.start()
        await ami.wait_for_state(connected=True, within=5)
        yield Rig(asterisk, DeviceService(ami, lambda: TABLE, lambda: now[0]), now)
        await ami.stop()


async def test_what_was_seen_stays_and_is_not_live_when_asterisk_refuses(rig: Rig) -> None:
    assert rig.state() == (False, DeviceState.UNKNOWN)
    await rig.devices.look()
    assert rig.state() == (True, DeviceState.REACHABLE)
    rig.asterisk.refusal = "Permission denied"
    looking = asyncio.create_task(rig.devices.run())
    async with asyncio.timeout(5):
        while rig.devices.view(SCOPE).live:
            await asyncio.sleep(0.01)
    looking.cancel()
    view = rig.devices.view(SCOPE)
    assert view.extensions[0].state == DeviceState.REACHABLE
    assert "Permission denied" in (view.reason or "")
    rig.asterisk.refusal = None
    await rig.devices.look()
    assert rig.state() == (True, DeviceState.REACHABLE)


async def test_what_was_seen_long_ago_is_not_live(rig: Rig) -> None:
    await rig.devices.look()
    rig.now[0] += 2 * LOOK_SECONDS + 1
    assert rig.state() == (False, DeviceState.REACHABLE)


async def test_a_pbx_without_endpoints_is_no_failure(rig: Rig) -> None:
    rig.asterisk.refusal = "No endpoints found"
    await rig.devices.look()
    assert rig.state() == (True, DeviceState.UNKNOWN)
    rig.asterisk.refusal = "Command not found"
    with pytest.raises(AmiError):
        await rig.devices.look()
