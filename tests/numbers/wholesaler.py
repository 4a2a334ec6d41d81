"""A wholesaler of numbers that speaks the protocol of docs/numbers.md, on a port of its own."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

TOKEN = "s3cret"


@dataclass
class Wholesaler:
    """What it has, and what it was asked. `fails` are answers that come first, in order: a status,
    ``cut`` (done, but the answer is lost), ``hang`` (nothing is done, no answer in time)."""

    url: str = ""
    numbers: dict[str, dict[str, Any]] = field(default_factory=dict)
    sold: dict[str, str] = field(default_factory=dict)
    fails: list[int | str] = field(default_factory=list)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    _answers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    _references: Any = field(default_factory=lambda: itertools.count(1))

    def offer(self, number: str, **more: Any) -> None:
        self.numbers[number] = {
            "number": number, "area": "Szeged", "type": "fixed", "capabilities": ["voice", "sms"],
            "currency": "EUR", "setup": 100, "monthly": 310,
        } | more  # fmt: skip

    async def handle(self, request: web.Request) -> web.StreamResponse:
        key = request.headers.get("Idempotency-Key", "")
        self.asked.append((request.method, request.path, key))
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.json_response({}, status=401)
        fault = self.fails.pop(0) if self.fails else None
        if isinstance(fault, int):
            return web.json_response({"reason": "not today"}, status=fault)
        if fault == "hang":
            request.transport.close()  # type: ignore[union-attr]
            return web.Response()
        status, answer = await self._answer(request, key)
        if fault == "cut":
            request.transport.close()  # type: ignore[union-attr]
        if fault == "nonsense":
            return web.Response(text='{"reference": 7}')
        return web.json_response(answer, status=status) if answer else web.Response(status=status)

    async def _answer(self, request: web.Request, key: str) -> tuple[int, Any]:
        if request.method == "GET":
            wanted = request.query.get("country", "HU")
            found = [n for n in self.numbers.values() if wanted == "HU" and not self._gone(n)]
            return 200, {"numbers": found}
        if key not in self._answers:
            self._answers[key] = await self._do(request)
        return self._answers[key]

    async def _do(self, request: web.Request) -> tuple[int, Any]:
        if request.method == "DELETE":
            reference = request.path.rpartition("/")[2]
            number = next((n for n, r in self.sold.items() if r == reference), None)
            if number is None:
                return 404, {"reason": "no such order"}
            del self.sold[number]
            return 204, None
        number = (await request.json())["number"]
        offer = self.numbers.get(number)
        if offer is None or self._gone(offer):
            return 409, {"reason": "sold"}
        if request.path.endswith("/reservations"):
            return 201, offer
        self.sold[number] = f"ref-{next(self._references)}"
        return 201, {"reference": self.sold[number]}

    def _gone(self, offer: dict[str, Any]) -> bool:
        return offer["number"] in self.sold


@asynccontextmanager
async def open_wholesaler() -> AsyncIterator[Wholesaler]:
    wholesaler = Wholesaler()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", wholesaler.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    wholesaler.url = f"http://127.0.0.1:{port}/v1"
    try:
        yield wholesaler
    finally:
        await runner.cleanup()
