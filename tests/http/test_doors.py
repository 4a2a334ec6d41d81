"""The web server's doors: slow, silent and crowding clients shut nobody else out."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
import uvloop
from aiohttp import web

from callctl.core.errors import CallctlError
from callctl.features.access.attempts import neighbourhood
from callctl.http.auth import Origin
from callctl.http.connections import HttpLimits
from callctl.http.endpoint import Actor, ApiCall, Empty, Endpoint
from callctl.http.server import HttpServer, build_web_app
from callctl.telemetry.metrics import REGISTRY
from tests.http.conftest import Api

HOST = "127.0.10.2"
QUICK = 0.05
Opener = Callable[[], Awaitable["Visitor"]]


class Nobody:
    """Knows no secret."""

    async def by_token(self, token: str) -> Actor | None:
        return None

    async def by_session(self, session: str) -> Actor | None:
        return None


class Visitor:
    """A client that decides byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def until_closed(self) -> bytes:
        """What came until the server closed."""
        async with asyncio.timeout(10):
            try:
                return await self.reader.read()
            except ConnectionResetError:
                return b""

    async def asks(self) -> bytes:
        """A whole request; the answer's first line."""
        self.writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(10):
            return await self.reader.readline()


async def _large(call: ApiCall) -> web.Response:
    return web.Response(body=b"x" * 32_000_000, content_type="application/octet-stream")


@asynccontextmanager
async def serving(limits: HttpLimits) -> AsyncIterator[tuple[HttpServer, Opener]]:
    large = Endpoint("GET", "/api/v1/large", "Large", "t", None, _large, Empty)
    server = HttpServer(build_web_app([large], Nobody()), limits)
    port = await server.start(HOST, 0)
    visitors: list[Visitor] = []

    async def visit() -> Visitor:
        visitors.append(Visitor(*await asyncio.open_connection(HOST, port)))
        return visitors[-1]

    try:
        yield server, visit
    finally:
        for visitor in visitors:
            visitor.writer.close()
        await server.stop()


def closed(reason: str) -> float:
    name = "callctl_http_connections_closed_total"
    return REGISTRY.get_sample_value(name, {"reason": reason}) or 0.0


async def test_request_whose_head_never_ends_is_closed() -> None:
    before = closed("slow_request")
    async with serving(HttpLimits(head=QUICK, sweep_every=QUICK)) as (_, visit):
        visitor = await visit()
        visitor.writer.write(b"GET /healthz HTTP/1.1\r\nX-A")
        assert await visitor.until_closed() == b""
    assert closed("slow_request") == before + 1


async def test_dribbled_head_is_closed_however_steadily_it_drips() -> None:
    async with serving(HttpLimits(head=0.3, sweep_every=QUICK)) as (_, visit):
        visitor = await visit()
        visitor.writer.write(b"GET /healthz HTTP/1.1\r\nX-A: ")

        async def drip() -> None:
            while True:
                visitor.writer.write(b"a")
                await asyncio.sleep(0.01)

        dripping = asyncio.create_task(drip())
        assert await visitor.until_closed() == b""
        dripping.cancel()
        await asyncio.gather(dripping, return_exceptions=True)


async def test_silent_connection_is_closed() -> None:
    before = closed("idle")
    async with serving(HttpLimits(idle=QUICK, sweep_every=QUICK)) as (_, visit):
        assert await (await visit()).until_closed() == b""
    assert closed("idle") == before + 1


async def test_connection_is_kept_between_requests() -> None:
    async with serving(HttpLimits(head=QUICK, sweep_every=QUICK)) as (server, visit):
        visitor = await visit()
        assert await visitor.asks() == b"HTTP/1.1 200 OK\r\n"
        async with asyncio.timeout(10):
            while await visitor.reader.readline() != b"\r\n":
                pass
        await asyncio.sleep(4 * QUICK)
        assert len(server.connections) == 1


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
async def test_answer_that_nobody_reads_is_given_up(
    run: Callable[[Coroutine[Any, Any, None]], None],
) -> None:
    """On the daemon's own event loop, too: its transports are of another kind."""

    async def stall() -> None:
        before = closed("slow_reader")
        async with serving(HttpLimits(stalled=0.2, sweep_every=QUICK)) as (server, visit):
            visitor = await visit()
            visitor.writer.write(b"GET /api/v1/large HTTP/1.1\r\nHost: x\r\n\r\n")
            async with asyncio.timeout(10):
                while closed("slow_reader") == before or len(server.connections):
                    await asyncio.sleep(QUICK)
            async with asyncio.timeout(10):
                with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
                    await visitor.reader.readexactly(33_000_000)

    await asyncio.to_thread(run, stall())


async def test_oldest_idle_connection_makes_room_for_the_newest() -> None:
    before = closed("evicted")
    async with serving(HttpLimits(connections=3)) as (server, visit):
        holders = [await visit() for _ in range(3)]
        for holder in holders:
            holder.writer.write(b"GET / HTTP/1.1\r\n")
        for _ in range(3):
            assert await (await visit()).asks() == b"HTTP/1.1 200 OK\r\n"
        for holder in holders:
            assert await holder.until_closed() == b""
        assert len(server.connections) == 3
    assert closed("evicted") == before + 3


async def test_connections_at_work_are_not_pushed_out() -> None:
    before = closed("full")
    async with serving(HttpLimits(connections=2)) as (server, visit):
        workers = [await visit() for _ in range(2)]
        for worker in workers:
            worker.writer.write(b"GET /api/v1/large HTTP/1.1\r\nHost: x\r\n\r\n")
            async with asyncio.timeout(10):
                assert await worker.reader.readline() == b"HTTP/1.1 200 OK\r\n"
        assert await (await visit()).until_closed() == b""
        assert len(server.connections) == 2
    assert closed("full") == before + 1


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 10_000 + b"\r\n\r\n", b"400"),
        (
            b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: a\r\n" % n for n in range(200)) + b"\r\n",
            b"400",
        ),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"400"),
        (b"GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", b"400"),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc", b"400"),
    ],
    ids=["long line", "long header", "many headers", "TLS", "NUL", "two lengths", "smuggling"],
)
async def test_head_that_is_no_request_gets_400_and_the_door(head: bytes, status: bytes) -> None:
    async with serving(HttpLimits()) as (_, visit):
        visitor = await visit()
        visitor.writer.write(head)
        answer = await visitor.until_closed()
        assert answer.split(b" ")[1] == status
        assert b"Server: callctl\r\n" in answer
        assert b"malformed_request" in answer


async def test_server_does_not_say_which_version_of_what_it_is(api: Api) -> None:
    for path in ("/healthz", "/nothing", "/api/v1/tokens"):
        _, _, response = await api.ask("GET", path)
        assert response.headers.getall("Server") == ["callctl"]


async def test_compressed_bomb_counts_by_what_it_unfolds_to(api: Api) -> None:
    bomb = zlib.compress(b'{"login": "' + b"a" * 50_000_000, 9)
    assert len(bomb) < 60_000
    status, body, _ = await api.ask(
        "POST",
        "/api/v1/sessions",
        token=None,
        data=bomb,
        headers={"Content-Encoding": "deflate", "Content-Type": "application/json"},
    )
    assert (status, body["error"]["code"]) == (413, "body_too_large")


# -- whose address counts -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        ((), "203.0.113.9", "127.0.0.1"),
        (("127.0.0.0/8",), "203.0.113.9", "203.0.113.9"),
        (("127.0.0.0/8",), "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        (("127.0.0.0/8", "10.0.0.0/8"), "203.0.113.9, 10.1.2.3", "203.0.113.9"),
        (("127.0.0.0/8",), "203.0.113.9, not an address", "127.0.0.1"),
        (("127.0.0.0/8",), "2001:db8::1", "2001:db8::1"),
        (("127.0.0.0/8",), None, "127.0.0.1"),
        (("192.0.2.0/24",), "203.0.113.9", "127.0.0.1"),
    ],
)
async def test_address_is_the_nearest_that_no_proxy_of_ours_has(
    proxies: tuple[str, ...], forwarded: str | None, expected: str
) -> None:
    seen: list[str] = []
    origin = Origin(None, proxies)

    async def tell(call: ApiCall) -> Empty:
        seen.append(origin.address_of(call.raw))
        raise CallctlError("not_found", "told")

    endpoint = Endpoint("GET", "/api/v1/tell", "Tell", "t", None, tell, Empty)
    server = HttpServer(build_web_app([endpoint], Nobody(), origin=origin))
    port = await server.start("127.0.0.1", 0)
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    async with aiohttp.ClientSession() as session:
        await session.get(f"http://127.0.0.1:{port}/api/v1/tell", headers=headers)
    await server.stop()
    assert seen == [expected]


def test_neighbourhood_is_an_address_or_the_64_of_one_household() -> None:
    assert neighbourhood("203.0.113.9") == "203.0.113.9"
    assert neighbourhood("2001:db8:1:2::5") == neighbourhood("2001:db8:1:2:ffff::6")
    assert neighbourhood("2001:db8:1:2::5") != neighbourhood("2001:db8:1:3::5")
    assert neighbourhood("::ffff:203.0.113.9") == "203.0.113.9"
    assert neighbourhood("fe80::1%eth0") == neighbourhood("fe80::2%eth0")
    assert neighbourhood("") == ""
