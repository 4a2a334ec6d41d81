"""The FastAGI server: one environment in, one SET VARIABLE out, its 200 awaited, closed.

A session is an `asyncio.Protocol` without a task or a timer of its own; one sweep closes what is
late. Whatever goes wrong, `failure` is sent, so that the dialplan takes its fallback at once
instead of after its watchdog (docs/adr/0005-fastagi.md has the measurements behind this shape).
"""

import asyncio
import ipaddress
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from callctl.asterisk.fastagi import (
    FAILURE,
    MAX_ENVIRONMENT_BYTES,
    AgiRefused,
    Verb,
    encode_set_variable,
    is_done,
    parse_call,
    parse_environment,
)
from callctl.telemetry.log import get_logger
from callctl.telemetry.metrics import AGI_SECONDS, AGI_SESSIONS, UNITS_FAILED

log = get_logger(__name__)

_PLAN = AGI_SESSIONS.labels("plan")
_FAILURE = AGI_SESSIONS.labels("failure")
_REFUSED = AGI_SESSIONS.labels("refused")
_GONE = AGI_SESSIONS.labels("gone")
_BROKEN = UNITS_FAILED.labels("agi")

_READING, _WAITING, _ENDING = range(3)


@dataclass(frozen=True, slots=True)
class AgiLimits:
    """`sessions` at once get an answer, twice as many at most a `failure`. Times in seconds.

    `deadline` is from accept to close, shorter than the dialplan's watchdog of 2 s; `linger` is
    how long a refused client may take to read `failure` and close.
    """

    sessions: int = 500
    deadline: float = 1.5
    linger: float = 1.0
    drain: float = 2.0
    sweep_every: float = 0.25


class FastAgiServer:
    """Listens at `host`:`port` (0 = any free one) and answers with `verbs`.

    `sources` are the networks that may connect: whoever can connect can ask for plans.
    """

    def __init__(
        self,
        host: str,
        port: int,
        verbs: Mapping[str, Verb],
        *,
        sources: Iterable[str] = ("127.0.0.0/8", "::1/128"),
        limits: AgiLimits | None = None,
    ) -> None:
        self.limits = limits or AgiLimits()
        self.verbs = dict(verbs)
        self.draining = False
        self._host = host
        self._port = port
        self._networks = tuple(ipaddress.ip_network(source) for source in sources)
        self._known: dict[str, bool] = {}
        self._server: asyncio.Server | None = None
        self._sessions: dict[AgiSession, None] = {}
        self._sweeper: asyncio.TimerHandle | None = None
        self._idle = asyncio.Event()
        self._idle.set()

    async def start(self) -> None:
        """Listen. Raises OSError when the address is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: AgiSession(self), self._host, self._port, backlog=1024
        )
        self.draining = False
        self._sweep()

    @property
    def port(self) -> int:
        """The port that it listens at. Raises RuntimeError before `start`."""
        if self._server is None:
            raise RuntimeError("the FastAGI server is not started")
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def open_sessions(self) -> int:
        return len(self._sessions)

    async def stop(self) -> None:
        """Take no new session, let those that are open end (bounded by `drain`), then close."""
        self.draining = True
        if self._server is not None:
            self._server.close()
            self._server = None
        try:
            async with asyncio.timeout(self.limits.drain):
                await self._idle.wait()
        except TimeoutError:
            log.warning("agi_drain_timeout", sessions=len(self._sessions))
        for session in list(self._sessions):
            session.abort()
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None

    # -- used by the sessions -----------------------------------------------------------------

    def may_connect(self, address: str) -> bool:
        allowed = self._known.get(address)
        if allowed is None:
            try:
                peer = ipaddress.ip_address(address.partition("%")[0])
            except ValueError:
                return False
            peer = getattr(peer, "ipv4_mapped", None) or peer
            allowed = any(peer in network for network in self._networks)
            # Only friends are remembered: strangers must not fill the memory.
            if allowed and len(self._known) < 1024:
                self._known[address] = True
        return allowed

    def add(self, session: "AgiSession") -> None:
        self._sessions[session] = None
        self._idle.clear()

    def remove(self, session: "AgiSession") -> None:
        self._sessions.pop(session, None)
        if not self._sessions:
            self._idle.set()

    def _sweep(self) -> None:
        now = time.monotonic()
        for session in list(self._sessions):
            if session.expires <= now:
                session.expire(now)
        loop = asyncio.get_running_loop()
        self._sweeper = loop.call_later(self.limits.sweep_every, self._sweep)


class AgiSession(asyncio.Protocol):
    """One connection of Asterisk's."""

    __slots__ = ("_buffer", "_server", "_state", "_transport", "_uniqueid", "began", "expires")

    _transport: asyncio.Transport

    def __init__(self, server: FastAgiServer) -> None:
        self._server = server
        self._buffer = b""
        self._state = _READING
        self._uniqueid = ""
        self.began = time.monotonic()
        self.expires = self.began + server.limits.deadline

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        server = self._server
        peer = transport.get_extra_info("peername")
        if not peer or not server.may_connect(peer[0]):
            self._state = _ENDING
            log.warning("agi_source_refused", address=peer[0] if peer else "")
            _REFUSED.inc()
            self._transport.abort()
            return
        server.add(self)
        if server.draining:
            self._refuse("draining")
        elif server.open_sessions > server.limits.sessions:
            self._refuse("too_many_sessions")
            if server.open_sessions > 2 * server.limits.sessions:
                self._transport.abort()

    def data_received(self, data: bytes) -> None:
        # Called once per line of the environment: the hottest lines of the daemon.
        if self._state != _READING:
            if self._state == _WAITING:
                self._wait(data)
            return
        read = len(self._buffer)
        self._buffer = buffer = self._buffer + data
        end = buffer.find(b"\n\n", read - 1 if read else 0)
        if end >= 0:
            self._decide(buffer, end)
        elif len(buffer) > MAX_ENVIRONMENT_BYTES:
            self._refuse("too_large")

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if self._state != _ENDING:
            # Gone before it was told anything, or before it said that it took the plan.
            self._state = _ENDING
            _GONE.inc()
        self._server.remove(self)

    def expire(self, now: float) -> None:
        """The deadline has passed: say so once, then leave without waiting."""
        if self._state == _ENDING:
            self._transport.abort()
        else:
            self._refuse("deadline")
            self.expires = now + self._server.limits.linger

    def abort(self) -> None:
        self._transport.abort()

    def _decide(self, buffer: bytes, end: int) -> None:
        self._buffer = b""
        try:
            if end + 2 != len(buffer):
                raise AgiRefused("bytes_after_environment")
            self._answer(buffer[:end])
        except AgiRefused as refused:
            self._uniqueid = refused.uniqueid or self._uniqueid
            self._refuse(refused.reason)
        except Exception:
            # The edge of one call's work: this call takes the fallback, others go on.
            _BROKEN.inc()
            log.exception("agi_verb_failed", uniqueid=self._uniqueid)
            self._fail()

    def _answer(self, environment: bytes) -> None:
        call = parse_call(parse_environment(environment))
        self._uniqueid = call.uniqueid
        verb = self._server.verbs.get(call.verb)
        if verb is None:
            raise AgiRefused("unknown_verb")
        command = encode_set_variable(verb(call))
        self._state = _WAITING
        self._transport.write(command)

    def _wait(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        line, newline, _ = buffer.partition(b"\n")
        if not newline:
            if len(buffer) > MAX_ENVIRONMENT_BYTES:
                self._refuse("too_large")
            else:
                self._buffer = buffer
            return
        if is_done(line):
            self._state = _ENDING
            _PLAN.inc()
            AGI_SECONDS.observe(time.monotonic() - self.began)
            self._transport.close()
        elif line.startswith(b"HANGUP"):
            self._state = _ENDING
            _GONE.inc()
            self._transport.close()
        else:
            self._refuse("not_set")

    def _refuse(self, reason: str) -> None:
        _REFUSED.inc()
        log.warning("agi_refused", reason=reason, uniqueid=self._uniqueid)
        self._fail(counted=True)

    def _fail(self, *, counted: bool = False) -> None:
        """Send `failure` and wait, bounded, for Asterisk to close.

        To close first, with its lines unread, would reset the connection and could destroy the
        word before it is read.
        """
        if not counted:
            _FAILURE.inc()
        self._state = _ENDING
        self._buffer = b""
        self.expires = time.monotonic() + self._server.limits.linger
        self._transport.write(FAILURE)
