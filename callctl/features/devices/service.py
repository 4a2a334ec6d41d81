"""Asks Asterisk which phones and trunks can be reached: at each of its events, and now and then.

An event only says that something has changed: anybody could forge one, and none is repeated. What
is so is asked for.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from callctl.asterisk.ami import AmiClient, AmiState
from callctl.asterisk.ami_protocol import AmiError, AmiEvent, AmiRefused
from callctl.core.devices import (
    DeviceState,
    RegistrationState,
    Since,
    since_of,
    state_of_device,
    state_of_registration,
)
from callctl.core.routing.model import RoutingTable, Trunk
from callctl.core.scope import CallScope
from callctl.features.devices.model import DevicesView, ExtensionState, TrunkState
from callctl.telemetry.log import get_logger

log = get_logger("devices")

EVENTS = ("ContactStatus", "Registry", "Reload", "FullyBooted")
"""After which it is asked again (FullyBooted greets at each login)."""

LOOK_SECONDS = 30.0
"""Without any event."""

SETTLE_SECONDS = 0.5
"""From an event to the look: an endpoint's state follows its address's; many need one look."""


REST = 10
"""So many times as long as a look took, until the next one."""

NONE_THERE = "No endpoints found"
"""A refusal by its form, of a PBX that has none yet."""


class DeviceService:
    """One per Asterisk; `run` is a job of the daemon."""

    def __init__(
        self,
        ami: AmiClient,
        table: Callable[[], RoutingTable],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._ami = ami
        self._table = table
        self._clock = clock
        self._looked_at = 0.0
        self._problem = "not asked yet"
        self._devices: Mapping[str, Since] = {}
        self._registrations: Mapping[str, Since] = {}
        self._changed = asyncio.Event()

    def observe(self, _event: AmiEvent) -> None:
        """For each of `EVENTS`."""
        self._changed.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._changed.clear()
            began = time.monotonic()
            await self._try_to_look()
            took = time.monotonic() - began
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._changed.wait()
            # A phone that comes and goes all the time shall not keep the one connection busy.
            await asyncio.sleep(max(SETTLE_SECONDS, REST * took))

    async def _try_to_look(self) -> None:
        try:
            await self.look()
        except AmiError as error:
            if self._problem != str(error):
                log.warning("devices_not_asked", error=str(error))
            self._problem = str(error)

    async def look(self) -> None:
        """Ask now. Raises AmiError, and knows no less than before then."""
        endpoints = await self._ask("PJSIPShowEndpoints")
        registrations = await self._ask("PJSIPShowRegistrationsOutbound")
        states = {
            event.get("ObjectName"): state_of_device(
                event.get("Contacts"), event.get("DeviceState")
            )
            for event in endpoints
        }
        registered = {
            event.get("ObjectName"): state_of_registration(event.get("Status"))
            for event in registrations
        }
        now = self._clock()
        self._devices = since_of(self._devices, states, now)
        self._registrations = since_of(self._registrations, registered, now)
        self._looked_at, self._problem = now, ""

    async def _ask(self, name: str) -> Sequence[AmiEvent]:
        response = await self._ami.action(name)
        if not response.success and response.message != NONE_THERE:
            raise AmiRefused(name, response)
        return response.events

    def view(self, scope: CallScope) -> DevicesView:
        """Of the scope's account; trunks where the scope is all of it."""
        state, index = self._ami.state, self._table().accounts.get(scope.account_id)
        reason = self._why_not_live(state)
        own = scope.extensions
        routing = index.routing if index else None
        extensions = [
            ExtensionState(e.number, e.endpoint, *self._device(e.endpoint, e.enabled))
            for e in (routing.extensions if routing else ())
            if own is None or e.number in own
        ]
        trunks = routing.trunks if routing and own is None else ()
        return DevicesView(
            reason is None,
            reason,
            datetime.fromtimestamp(self._clock(), UTC),
            extensions,
            [self._trunk(trunk) for trunk in trunks],
        )

    def _why_not_live(self, state: AmiState) -> str | None:
        if not state.connected:
            return state.reason or "not connected"
        old = self._clock() - self._looked_at > 2 * LOOK_SECONDS
        return self._problem or ("Asterisk was not asked of late" if old else None)

    def _device(self, endpoint: str, enabled: bool) -> tuple[DeviceState, datetime | None]:
        known = self._devices.get(endpoint)
        if not enabled:
            return DeviceState.DISABLED, None
        if known is None:
            return DeviceState.UNKNOWN, None
        return DeviceState(known.state), datetime.fromtimestamp(known.since, UTC)

    def _trunk(self, trunk: Trunk) -> TrunkState:
        state, since = self._device(trunk.endpoint, trunk.enabled)
        known = self._registrations.get(trunk.endpoint) if trunk.register else None
        if known is None:
            return TrunkState(trunk.name, state, since, None, None)
        registered_since = datetime.fromtimestamp(known.since, UTC)
        return TrunkState(
            trunk.name, state, since, RegistrationState(known.state), registered_since
        )
