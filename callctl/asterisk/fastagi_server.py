"""The FastAGI server: one environment in, one SET VARIABLE out, its 200 awaited, closed.

A session is an `asyncio.Protocol` without a task or a timer of its own; one sweep closes what is
late. Whatever goes wrong, `failure` is sent, so that the dialplan takes its fallback at once
instead of after its watchdog (docs/adr/0005-fastagi.md has the measurements behind this shape).

Who can connect may be hostile all the same: another program of this machine. When the sessions
are too many, the oldest makes room for the newest (docs/adr/0008-full-doors.md), and a crowd that
is refused is counted, not written down one by one.
"""

import asyncio
import ipaddress
import resource
import socket
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from callctl.asterisk.fastagi import (
    FAILURE,
    FIRST_BYTES,
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
_EVICTED = AGI_SESSIONS.labels("evicted")
_BROKEN = UNITS_FAILED.labels("agi")

_READING, _WAITING, _ENDING = range(3)

_BACKLOG = 4096
"""The kernel's own bound (net.core.somaxconn): who waits here is late, who does not fit is lost."""
_LEAVE_SECONDS = 0.01
_DESCRIPTORS_SHARE = 4
"""Sessions take a quarter of the process's descriptors at most: the rest have work to do."""


@dataclass(frozen=True, slots=True)
class AgiLimits:
    """How much one server puts up with. Times in seconds.

    Beyond `sessions` at once the oldest one makes room: Asterisk's own take milliseconds, so that
    the oldest of so many is not Asterisk's. `deadline` is from accept to close, shorter than the
    dialplan's watchdog of 2 s; `linger` is how long a refused client may take to read `failure`
    and close. `log_lines` a second are written of what is refused; the rest is only counted.
    """

    sessions: int = 2000
    deadline: float = 1.5
    linger: float = 1.0
    drain: float = 2.0
    sweep_every: float = 0.25
    log_lines: int = 10


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
        self._room = self.limits.sessions
        self._lines_left = self.limits.log_lines
        self._unlogged: Counter[str] = Counter()
        self._log_until = 0.0
        self._sweeper: asyncio.TimerHandle | None = None
        self._idle = asyncio.Event()
        self._idle.set()

    async def start(self) -> None:
        """Listen. Raises OSError when the address is taken."""
        loop = asyncio.get_running_loop()
        descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._room = max(1, min(self.limits.sessions, descriptors // _DESCRIPTORS_SHARE))
        self._server = await loop.create_server(
            lambda: AgiSession(self), self._host, self._port, backlog=_BACKLOG
        )
        for listener in self._server.sockets:
            # Sessions inherit it: see AgiSession._await_more.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, FIRST_BYTES)
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
        self._sum_up()

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
        """Take it in; the oldest goes when there are too many."""
        self._sessions[session] = None
        self._idle.clear()
        if len(self._sessions) > self._room:
            oldest = next(iter(self._sessions))
            del self._sessions[oldest]
            oldest.evict()

    def note_refused(self, reason: str, **fields: str) -> None:
        """Count what was refused, and write it down unless a crowd is at the door."""
        _REFUSED.inc()
        self.note(reason, **fields)

    def note(self, reason: str, **fields: str) -> None:
        """A log line, or one more in the next summary when there were enough this second."""
        if self._lines_left > 0:
            self._lines_left -= 1
            log.warning("agi_refused", reason=reason, **fields)
        else:
            self._unlogged[reason] += 1

    def remove(self, session: "AgiSession") -> None:
        self._sessions.pop(session, None)
        if not self._sessions:
            self._idle.set()

    def _sweep(self) -> None:
        now = time.monotonic()
        for session in list(self._sessions):
            if session.expires <= now:
                session.expire(now)
        if now >= self._log_until:
            self._log_until = now + 1.0
            self._lines_left = self.limits.log_lines
            self._sum_up()
        loop = asyncio.get_running_loop()
        self._sweeper = loop.call_later(self.limits.sweep_every, self._sweep)

    def _sum_up(self) -> None:
        if self._unlogged:
            log.warning("agi_refused_more", reasons=dict(self._unlogged))
            self._unlogged.clear()


class AgiSession(asyncio.Protocol):
    """One connection of Asterisk's."""

    __slots__ = (
        *("_buffer", "_least", "_server", "_state", "_transport", "_uniqueid"),
        *("began", "expires"),
    )

    _transport: asyncio.Transport

    def __init__(self, server: FastAgiServer) -> None:
        self._server = server
        self._buffer = b""
        self._least = FIRST_BYTES
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
            server.note_refused("source", address=peer[0] if peer else "")
            self._transport.abort()
            return
        server.add(self)
        if server.draining:
            self._refuse("draining")

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
        else:
            self._await_more(1)

    def _await_more(self, least: int) -> None:
        """Not to be woken before `least` more bytes are there (or the other side has closed).

        Asterisk writes its environment line by line, some two dozen of them: to be woken for each
        would cost more than everything else about a session.
        """
        if least != self._least:
            self._least = least
            connection = self._transport.get_extra_info("socket")
            if connection is not None:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, least)

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

    def evict(self) -> None:
        """Make room. One that has its plan keeps it; one that has not is told `failure`."""
        reading = self._state == _READING
        if self._state != _ENDING:
            self._state = _ENDING
            _EVICTED.inc()
            self._server.note("evicted", uniqueid=self._uniqueid)
        if reading:
            # What it has sent is taken in first: to close on it would destroy the word.
            self._await_more(1)
            self._transport.write(FAILURE)
            asyncio.get_running_loop().call_later(_LEAVE_SECONDS, self._transport.close)
        else:
            self._transport.close()

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
        self._await_more(1)
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
        self._server.note_refused(reason, uniqueid=self._uniqueid)
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
        self._await_more(1)
        self._transport.write(FAILURE)
