"""A program that is told of events, and that can be made to fail in every way."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class Got:
    """One request as it arrived."""

    headers: dict[str, str]
    body: bytes
    json: Any


@dataclass
class Receiver:
    """`fault` decides by a request what goes wrong: "", a status, "hang", "reset", "redirect", and
    "slow": accepted, but the answer never ends."""

    url: str = ""
    got: list[Got] = field(default_factory=list)
    accepted: list[Got] = field(default_factory=list)
    fault: Callable[[Got], str] = lambda got: ""
    released: asyncio.Event = field(default_factory=asyncio.Event)
    redirected: int = 0

    @property
    def numbers(self) -> list[Any]:
        return [got.json["data"]["n"] for got in self.accepted]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/elsewhere":
            self.redirected += 1
            return web.Response()
        body = await request.read()
        got = Got(dict(request.headers), body, await request.json())
        self.got.append(got)
        fault = self.fault(got)
        if fault == "hang":
            await self.released.wait()
        elif fault == "reset":
            assert request.transport is not None
            request.transport.abort()
        elif fault == "redirect":
            raise web.HTTPTemporaryRedirect("/elsewhere")
        elif fault == "slow":
            self.accepted.append(got)
            response = web.StreamResponse()
            await response.prepare(request)
            await response.write(b"x")
            await self.released.wait()
            return response
        elif fault:
            return web.Response(status=int(fault), text="no\0t now")
        self.accepted.append(got)
        large = request.query.get("large")
        return web.Response(text="thanks" if not large else "x" * 5_000_000)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application(client_max_size=10_000_000)
    app.router.add_route("*", "/{tail:.*}", receiver.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    receiver.url = f"http://127.0.0.1:{port}/hook"
    try:
        yield receiver
    finally:
        receiver.released.set()
        await runner.cleanup()
