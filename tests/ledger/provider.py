"""A payment provider, played by a local server that speaks docs/payments.md."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web

from callctl.core.signature import sign, verify
from callctl.features.payments.provider import (
    SIGNATURE_HEADER,
    TIME_HEADER,
    SandboxProvider,
)

SECRET = "a secret of the sandbox"


@dataclass
class Sandbox:
    """`fault`: "" is none, or a status, "hang", "garbage", "long", "redirect"."""

    url: str = ""
    fault: str = ""
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: int = 0
    released: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def client(self) -> SandboxProvider:
        return SandboxProvider(self.url, SECRET)

    async def take(self, request: web.Request) -> web.StreamResponse:
        """One payment per reference, however often it is asked for."""
        body = await request.read()
        stamp, signature = request.headers[TIME_HEADER], request.headers[SIGNATURE_HEADER]
        assert verify(SECRET, stamp, signature, body, time.time())
        order = msgspec.json.decode(body)
        self.asked += 1
        self.orders[order["reference"]] = order
        if self.fault == "hang":
            await self.released.wait()
        if self.fault == "garbage":
            return web.Response(text='{"id": 7}')
        if self.fault == "long":
            return web.Response(body=b"x" * 1_000_000)
        if self.fault == "redirect":
            raise web.HTTPTemporaryRedirect("/elsewhere")
        if self.fault:
            return web.Response(status=int(self.fault))
        name = self.name_of(order["reference"])
        answer = {"id": name, "pay_url": f"https://pay.example.org/{name}"}
        return web.json_response(answer, status=201)

    @staticmethod
    def name_of(reference: str) -> str:
        return f"sb-{reference}"

    def news(
        self,
        reference: str,
        state: str,
        *,
        secret: str = SECRET,
        at: float | None = None,
        **more: Any,
    ) -> tuple[str, dict[str, str]]:
        """Body and headers of a callback."""
        said = {"payment": self.name_of(reference), "reference": reference, "state": state} | more
        body = msgspec.json.encode(said)
        stamp = int(time.time() if at is None else at)
        headers = {TIME_HEADER: str(stamp), SIGNATURE_HEADER: sign([secret], stamp, body)}
        return body.decode(), headers


@asynccontextmanager
async def sandbox() -> AsyncIterator[Sandbox]:
    played = Sandbox()
    app = web.Application()
    app.router.add_post("/v1/payments", played.take)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    played.url = f"http://127.0.0.1:{port}/v1"
    yield played
    played.released.set()
    await runner.cleanup()
