"""The AMI client: one supervised connection for acting and looking, never for remembering.

Events are best effort (none while away, no replay) and may be forged by a caller's number, so
they are hints: the truth is the journal. An action is written once. If its response does not come,
AmiTimeout or AmiConnectionLost says that the outcome is unknown, and nothing here tries again.
"""

import asyncio
import hashlib
import ipaddress
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from callctl.asterisk.ami_devices import DeviceStates
from callctl.asterisk.ami_events import Dispatcher, EventCallback, Subscription
from callctl.asterisk.ami_protocol import (
    AmiConnectionLost,
    AmiError,
    AmiEvent,
    AmiInvalid,
    AmiLimits,
    AmiNotConnected,
    AmiProtocolError,
    AmiRefused,
    AmiResponse,
    AmiTimeout,
    Field,
)
from callctl.asterisk.ami_session import AmiSession
from callctl.telemetry.log import get_logger

log = get_logger(__name__)

Counter = Callable[[str, str], None]
"""Told (what, reason): ``ami_lost``, ``ami_refused_message``, ``ami_dropped_event``,
``ami_callback_failed``."""


@dataclass(frozen=True, slots=True)
class AmiTiming:
    """Seconds. A peer is dead when a ping is not answered within `ping_timeout`.

    Asterisk answers nothing else on a connection while it reloads for it, and a dialplan of tens of
    megabytes takes it a minute: meanwhile `reload` is the limit.
    """

    connect: float = 5.0
    action: float = 10.0
    reload: float = 300.0
    ping_every: float = 10.0
    ping_timeout: float = 5.0
    backoff_first: float = 0.5
    backoff_most: float = 30.0
    stable_after: float = 10.0


@dataclass(frozen=True, slots=True)
class AmiState:
    """Connected or not, since when (epoch seconds), and why not (`reason`)."""

    connected: bool
    since: float
    reason: str = ""
    version: str = ""


class AmiClient:
    """One Asterisk's manager interface.

    `events` is AMI's mask of event classes, ``off`` for none. `plain` logs in with the bare secret
    and is allowed to a loopback address only; otherwise an MD5 challenge is answered.
    """

    def __init__(
        self,
        host: str,
        port: int,
        user: str,
        secret: str,
        *,
        events: str = "system,call",
        plain: bool = False,
        limits: AmiLimits | None = None,
        timing: AmiTiming | None = None,
        queue_room: int = 10_000,
        count: Counter = lambda what, reason: None,
        clock: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        if plain and not ipaddress.ip_address(host).is_loopback:
            raise ValueError(f"AMI at {host}: a plain secret goes to a loopback address only")
        self._host = host
        self._port = port
        self._user = user
        self._secret = secret
        self._events = events
        self._plain = plain
        self._limits = limits or AmiLimits()
        self._timing = timing or AmiTiming()
        self._count = count
        self._clock = clock
        self._chance = chance
        self._sleep = sleep
        self._dispatcher = Dispatcher(
            queue_room, self._callback_failed, lambda name: count("ami_dropped_event", name)
        )
        self._devices = DeviceStates()
        self._session: AmiSession | None = None
        self._events_of_session = 0
        self._boot_known = False
        self._reloads = 0
        self._state = AmiState(False, clock(), "not started")
        self._state_changed = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None

    # -- life ---------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begin to connect, and keep connected. Returns at once: order of start does not matter."""
        if self._task is None:
            self._task = asyncio.create_task(self._keep_connected(), name="ami")

    async def stop(self) -> None:
        """Log off and stop. What waits for a response gets AmiConnectionLost."""
        if self._task is not None:
            if self._session is not None and self._state.connected:
                with suppress(AmiError):
                    await self._request("Logoff", {}, 1.0)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        await self._set_state(False, "stopped")
        await self._dispatcher.close()

    @property
    def state(self) -> AmiState:
        return self._state

    async def wait_for_state(self, connected: bool, within: float) -> AmiState:
        """The state once it is as asked. Raises AmiTimeout, with what it was instead."""
        try:
            async with asyncio.timeout(within), self._state_changed:
                await self._state_changed.wait_for(lambda: self._state.connected == connected)
                return self._state
        except TimeoutError:
            raise AmiTimeout(f"AMI after {within} s: {self._state}") from None

    # -- acting -------------------------------------------------------------------------------

    async def action(
        self, name: str, *, within: float | None = None, **fields: Field
    ) -> AmiResponse:
        """Do one action, once, and return what Asterisk said, also when it refused.

        The response must come `within` seconds. A sequence as a field's value repeats the header.
        Raises AmiInvalid, AmiNotConnected (nothing sent), AmiTimeout, AmiConnectionLost (outcome
        unknown).
        """
        if not self._state.connected:
            raise AmiNotConnected(f"AMI is not connected: {self._state.reason}")
        return await self._request(name, fields, within or self._timing.action)

    async def command(self, cli: str, *, within: float | None = None) -> list[str]:
        """Run a console command; its lines. Raises AmiRefused and what `action` does."""
        response = await self.action("Command", within=within, Command=cli)
        if not response.success:
            raise AmiRefused(f"command {cli!r}: {' '.join(response.output)}", response)
        return list(response.output)

    async def reload(self, modules: Iterable[str]) -> None:
        """Reload each module (``res_pjsip.so``, ``pbx_config.so``). Raises AmiRefused."""
        self._reloads += 1
        try:
            for module in modules:
                response = await self.action("Reload", within=self._timing.reload, Module=module)
                if not response.success:
                    raise AmiRefused(f"reload {module}", response)
        finally:
            self._reloads -= 1

    async def originate(
        self,
        *,
        channel: str,
        context: str,
        exten: str,
        variables: Mapping[str, str],
        caller_id: str = "",
        ring_seconds: int = 30,
        within: float | None = None,
    ) -> AmiResponse:
        """Ring `channel`, and send it to `exten` of `context` when it answers. Never resent.

        Returns when Asterisk has accepted it; ``OriginateResponse`` with the same `action_id`
        tells later how it went. Raises AmiRefused, AmiInvalid for a variable that Asterisk would
        split or read differently, and what `action` does.
        """
        fields: dict[str, Field] = {
            "Channel": channel,
            "Context": context,
            "Exten": exten,
            "Priority": 1,
            "Timeout": ring_seconds * 1000,
            "Async": True,
            "Variable": [originate_variable(name, value) for name, value in variables.items()],
        }
        if caller_id:
            fields["CallerID"] = caller_id
        response = await self.action("Originate", within=within, **fields)
        if not response.success:
            raise AmiRefused("originate", response)
        return response

    # -- looking ------------------------------------------------------------------------------

    def subscribe(
        self, event_names: Iterable[str], callback: EventCallback, *, name: str = ""
    ) -> Subscription:
        """Call `callback` for each event of these names (any case; ``*`` = all), in order.

        Needs a running loop. A callback that raises is logged and counted, and gets the next one.
        """
        return self._dispatcher.subscribe(event_names, callback, name or callback.__qualname__)

    async def unsubscribe(self, subscription: Subscription) -> None:
        await self._dispatcher.unsubscribe(subscription)

    @property
    def device_states(self) -> Mapping[str, str]:
        """Device ("PJSIP/101") to state ("NOT_INUSE", "RINGING", …); empty when not connected.

        As of the login, and from then on as far as manager.conf lets DeviceStateChange through.
        """
        return self._devices.states

    # -- the connection -----------------------------------------------------------------------

    async def _keep_connected(self) -> None:
        failures = 0
        try:
            while True:
                began = time.monotonic()
                reason = await self._live()
                await self._set_state(False, reason)
                self._count("ami_lost", reason.partition(":")[0])
                stable = time.monotonic() - began > self._timing.stable_after
                failures = 0 if stable else failures + 1
                await self._sleep(backoff(self._timing, failures, self._chance()))
        finally:
            self._drop("stopped")

    async def _live(self) -> str:
        """One connection from beginning to end; why it ended: ``word`` or ``word: details``."""
        try:
            session = await self._connect()
            await self._set_state(True, "", session)
            await self._sync_devices()
            return await self._watch(session)
        except AmiProtocolError as error:
            return error.reason
        except AmiRefused as error:
            return f"login_refused: {error.response.message}"
        except (AmiError, TimeoutError) as error:
            # A reason that the connection itself knows is the better one.
            lost = self._session.lost if self._session else None
            return lost.result() if lost and lost.done() else f"no_response: {error}"
        except OSError as error:
            return f"cannot_connect: {error.strerror or error}"
        except Exception:
            # The edge of one connection's work: the next one starts from nothing.
            log.exception("ami_connection_failed")
            return "internal"
        finally:
            self._drop("given_up")

    async def _connect(self) -> AmiSession:
        loop = asyncio.get_running_loop()
        self._events_of_session = 0
        self._boot_known = False
        async with asyncio.timeout(self._timing.connect):
            _, session = await loop.create_connection(
                lambda: AmiSession(self, self._limits), self._host, self._port
            )
            self._session = session
            done, _ = await asyncio.wait(
                (session.greeted, session.lost), return_when=asyncio.FIRST_COMPLETED
            )
            if session.lost in done:
                raise AmiProtocolError(session.lost.result())
        await self._login()
        return session

    async def _login(self) -> None:
        fields: dict[str, Field] = {"Username": self._user, "Events": self._events}
        if self._plain:
            fields["Secret"] = self._secret
        else:
            challenge = await self._request("Challenge", {"AuthType": "MD5"}, self._timing.connect)
            nonce = challenge.fields.get("challenge", "")
            if not challenge.success or not nonce:
                raise AmiRefused("challenge", challenge)
            # AMI knows no other digest; it only keeps the secret off a loopback wire.
            key = hashlib.md5((nonce + self._secret).encode(), usedforsecurity=False).hexdigest()
            fields |= {"AuthType": "MD5", "Key": key}
        response = await self._request("Login", fields, self._timing.connect)
        if not response.success:
            raise AmiRefused("login", response)

    async def _watch(self, session: AmiSession) -> str:
        """Ping until the connection ends; why it did."""
        while True:
            done, _ = await asyncio.wait((session.lost,), timeout=self._timing.ping_every)
            if done:
                return session.lost.result()
            if self._reloads:
                continue
            try:
                await self._request("Ping", {}, self._timing.ping_timeout)
            except AmiTimeout:
                return "dead_peer"
            except (AmiConnectionLost, AmiNotConnected):
                continue

    async def _sync_devices(self) -> None:
        self._devices.begin_sync()
        response = await self._request("DeviceStateList", {}, self._timing.connect)
        self._devices.end_sync(response.events)

    async def _request(self, name: str, fields: Mapping[str, Field], within: float) -> AmiResponse:
        session = self._session
        if session is None:
            raise AmiNotConnected("there is no AMI connection")
        future = session.request(name, fields)
        try:
            async with asyncio.timeout(within):
                return await future
        except TimeoutError:
            raise AmiTimeout(f"{name}: no response in {within} s; outcome unknown") from None

    def _drop(self, reason: str) -> None:
        if self._session is not None:
            self._session.drop(reason)
            self._session = None

    async def _set_state(
        self, connected: bool, reason: str, session: AmiSession | None = None
    ) -> None:
        was = self._state
        if (was.connected, was.reason) == (connected, reason):
            return
        # "not connected since" is the loss, not the last failed attempt to come back.
        since = was.since if was.connected == connected else self._clock()
        version = session.greeted.result() if session else ""
        self._state = AmiState(connected, since, reason, version)
        if not connected:
            self._devices.clear()
        log.info("ami_connected" if connected else "ami_not_connected", reason=reason)
        async with self._state_changed:
            self._state_changed.notify_all()

    # -- SessionOwner -------------------------------------------------------------------------

    def event_received(self, event: AmiEvent) -> None:
        self._events_of_session += 1
        if event.name.lower() == "fullybooted" and not self._is_genuine_boot():
            return
        self._devices.observe(event)
        self._dispatcher.dispatch(event)

    def _is_genuine_boot(self) -> bool:
        """Whether this FullyBooted is the greeting: the first event that follows a login.

        Asterisk writes that one before any event that a caller could have a hand in. A later one
        is forged, or Asterisk was still booting at our login: then one new login tells.
        """
        if self._events_of_session == 1:
            self._boot_known = True
            return True
        self.message_refused("late_boot")
        if not self._boot_known:
            self._boot_known = True
            if self._session is not None:
                self._session.drop("late_boot")
        return False

    def message_refused(self, reason: str) -> None:
        self._count("ami_refused_message", reason)
        log.warning("ami_message_refused", reason=reason)

    def _callback_failed(self, name: str, error: Exception) -> None:
        self._count("ami_callback_failed", name)
        log.error("ami_callback_failed", consumer=name, exc_info=error)


def backoff(timing: AmiTiming, failures: int, chance: float) -> float:
    """Seconds before attempt number `failures` + 1: doubling, capped, and spread over its half.

    `chance` in [0, 1) spreads many daemons that lost the same Asterisk at the same moment.
    """
    most = min(timing.backoff_most, timing.backoff_first * 2.0 ** min(failures, 16))
    return most * (0.5 + chance / 2)


def originate_variable(name: str, value: str) -> str:
    """``NAME=value`` for Originate, which splits at commas and reads quotes and backslashes.

    Raises AmiInvalid.
    """
    if not name.replace("_", "").isalnum():
        raise AmiInvalid(f"{name!r} is no variable's name")
    if set(value) & set(',"\\'):
        raise AmiInvalid(f"{name}: Asterisk would split or unquote this value")
    return f"{name}={value}"
