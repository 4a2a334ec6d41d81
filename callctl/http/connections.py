"""Connections of the web server: how many there may be, and how long each may take.

Nothing here looks at a request. A connection that has sent no whole request by its time is closed,
so is one whose answer nobody reads; and when there are too many, the oldest that nobody works for
makes room for the newest (docs/adr/0008-full-doors.md).
"""

import asyncio
import resource
from dataclasses import dataclass

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from callctl.telemetry.metrics import HTTP_CONNECTIONS_CLOSED

_DESCRIPTORS_SHARE = 4
"""Connections take a quarter of the process's descriptors at most."""

_EVICTED = HTTP_CONNECTIONS_CLOSED.labels("evicted")
_FULL = HTTP_CONNECTIONS_CLOSED.labels("full")
_SLOW_REQUEST = HTTP_CONNECTIONS_CLOSED.labels("slow_request")
_IDLE = HTTP_CONNECTIONS_CLOSED.labels("idle")
_SLOW_READER = HTTP_CONNECTIONS_CLOSED.labels("slow_reader")


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Times in seconds, looked at every `sweep_every`.

    `head`: from a request's first byte to its last header. `idle`: without any byte, before the
    first request or between two. `stalled`: an answer of which the client takes nothing.
    """

    connections: int = 1000
    head: float = 10.0
    idle: float = 75.0
    stalled: float = 60.0
    sweep_every: float = 1.0


class Connections:
    """All connections of one server, the oldest first."""

    def __init__(self, limits: HttpLimits) -> None:
        self.limits = limits
        self._open: dict[Connection, None] = {}
        self._room = limits.connections
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._open)

    def start(self) -> None:
        """Begin to look at them. Needs a running loop."""
        descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._room = max(1, min(self.limits.connections, descriptors // _DESCRIPTORS_SHARE))
        self._sweep()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def add(self, connection: "Connection") -> None:
        """Take it in, if need be in the place of the oldest that has no request in work."""
        if len(self._open) >= self._room:
            oldest = next((c for c in self._open if not c.is_busy), None)
            if oldest is None:
                _FULL.inc()
                connection.abort()
                return
            _EVICTED.inc()
            self.remove(oldest)
            oldest.abort()
        self._open[connection] = None

    def remove(self, connection: "Connection") -> None:
        self._open.pop(connection, None)

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for connection in list(self._open):
            connection.look(now, self.limits)
        self._timer = loop.call_later(self.limits.sweep_every, self._sweep)


class Connection(RequestHandler):
    """One connection, with what aiohttp's own lacks: a look at its clock and at its reader."""

    __slots__ = ("_connections", "_head_began", "_idle_since", "_unread", "_unread_since")

    def __init__(
        self,
        manager: web.Server,
        *,
        loop: asyncio.AbstractEventLoop,
        connections: Connections,
    ) -> None:
        super().__init__(manager, loop=loop)
        self._connections = connections
        self._idle_since = loop.time()
        self._head_began = 0.0
        self._unread = 0
        self._unread_since = 0.0

    @property
    def is_busy(self) -> bool:
        """Whether a whole request is here that has not been answered to its end."""
        return self._request_in_progress or bool(self._messages)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._connections.add(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._connections.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if data and not self._head_began:
            self._head_began = self._loop.time()
        super().data_received(data)
        if self.is_busy:
            self._head_began = 0.0

    def abort(self) -> None:
        """Close at once; what is unsent is lost."""
        transport = self.transport
        self.force_close()
        if transport is not None:
            # Closed it waits for what is unsent; uvloop's are no asyncio.Transport by name.
            transport.abort()

    def look(self, now: float, limits: HttpLimits) -> None:
        """Close it when its time is over; `now` by the loop's clock."""
        if self.is_busy:
            self._idle_since = now
            if self._is_stalled(now, limits.stalled):
                _SLOW_READER.inc()
                self.abort()
        elif self._head_began and now - self._head_began > limits.head:
            _SLOW_REQUEST.inc()
            self.abort()
        elif now - self._idle_since > limits.idle:
            _IDLE.inc()
            self.abort()

    def _is_stalled(self, now: float, seconds: float) -> bool:
        """Whether the same bytes have waited for the client for so long."""
        transport = self.transport
        unread = 0 if transport is None else transport.get_write_buffer_size()
        if unread == 0 or unread != self._unread:
            self._unread = unread
            self._unread_since = now
            return False
        return now - self._unread_since > seconds
