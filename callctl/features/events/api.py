"""``/api/v1/calls/live`` and ``/api/v1/events``."""

import asyncio
from contextlib import aclosing

from aiohttp import web

from callctl.core.permissions import Scope
from callctl.features.events.live import LiveDesk
from callctl.features.events.model import EventFilters, LiveView
from callctl.features.events.service import EventService
from callctl.http.endpoint import ApiCall, Endpoint
from callctl.telemetry.metrics import EVENT_STREAMS_DROPPED

WRITE_SECONDS = 10.0
"""Whoever takes nothing for so long is dropped, and resumes when it can."""

_HEADERS = {"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}


def endpoints(live: LiveDesk, events: EventService) -> list[Endpoint]:
    async def live_calls(call: ApiCall) -> object:
        return live.view(call.actor.calls)

    async def stream(call: ApiCall) -> object:
        if call.raw.method == "HEAD":
            return web.Response(headers=_HEADERS)
        pieces = events.stream(call.actor, call.query, call.headers.get("Last-Event-ID", ""))
        with events.hub.open_stream():
            async with aclosing(pieces):
                first = await anext(pieces)
                response = web.StreamResponse(headers=_HEADERS)
                await response.prepare(call.raw)
                await _send(call.raw, response, first)
                async for piece in pieces:
                    if not await _send(call.raw, response, piece):
                        break
        return response

    return [
        Endpoint(
            "GET", "/api/v1/calls/live", "Calls that go on now, the oldest first", "calls",
            Scope.CALLS_READ, live_calls, LiveView,
        ),
        Endpoint(
            "GET", "/api/v1/events",
            "What happens, as server-sent events; resumes after Last-Event-ID", "events",
            Scope.CALLS_READ, stream, web.StreamResponse, query=EventFilters,
            content_type="text/event-stream", errors=("too_many_streams",),
        ),
    ]  # fmt: skip


async def _send(request: web.Request, response: web.StreamResponse, piece: bytes) -> bool:
    """Whether the client still takes what it is sent; an empty piece only asks."""
    try:
        async with asyncio.timeout(WRITE_SECONDS):
            if piece:
                await response.write(piece)
    except TimeoutError:
        EVENT_STREAMS_DROPPED.inc()
        if request.transport is not None:
            request.transport.abort()
        return False
    except ConnectionError:
        return False
    return request.transport is not None and not request.transport.is_closing()
