"""A real server on a free port, with the access endpoints and one endpoint that echoes."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import aiohttp
import pytest
from msgspec import Meta, Struct

from callctl.core.permissions import Scope
from callctl.db.embedded import EmbeddedPostgres
from callctl.db.pool import Database
from callctl.features.access import api as access_api
from callctl.features.access.model import Bootstrap
from callctl.features.access.service import AccessService
from callctl.features.access.store import AccessStore
from callctl.http.auth import Origin
from callctl.http.endpoint import ApiCall, Endpoint
from callctl.http.health import ReadinessCheck
from callctl.http.server import HttpServer, build_web_app
from tests.conftest import fresh_database


class EchoQuery(Struct, frozen=True, forbid_unknown_fields=True):
    since: Annotated[datetime, Meta(tz=True)] | None = None
    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    missed: bool | None = None
    number: str | None = None
    extension: list[str] = []


class Item(Struct, frozen=True, forbid_unknown_fields=True):
    seconds: int


class EchoBody(Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    items: list[Item] = []


class Echo(Struct, frozen=True):
    actor: str
    query: EchoQuery | None = None
    body: EchoBody | None = None


async def _echo(call: ApiCall) -> Echo:
    return Echo(call.actor.name, call.query, call.body)


async def _broken(call: ApiCall) -> Echo:
    raise RuntimeError("the secret of the house")


def echo_endpoints() -> list[Endpoint]:
    path = "/api/v1/echo/{id}"
    return [
        Endpoint("GET", path, "Echo", "t", Scope.CALLS_READ, _echo, Echo, query=EchoQuery),
        Endpoint(
            "POST",
            path,
            "Echo",
            "t",
            Scope.CALLS_PLACE,
            _echo,
            Echo,
            body=EchoBody,
            max_body_bytes=2000,
        ),
        Endpoint("GET", "/api/v1/broken", "Fails", "t", None, _broken, Echo),
    ]


@dataclass(frozen=True)
class Api:
    """The server's address, the first secrets, and ways to ask."""

    port: int
    bootstrap: Bootstrap
    access: AccessService
    client: aiohttp.ClientSession

    async def ask(
        self, method: str, path: str, *, token: str | None = "", **options: Any
    ) -> tuple[int, Any, aiohttp.ClientResponse]:
        """Status, decoded body, response. `token` None sends none; empty sends the first one."""
        headers = dict(options.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {token or self.bootstrap.token}"
        async with self.client.request(
            method, f"http://127.0.0.1:{self.port}{path}", headers=headers, **options
        ) as response:
            body = await response.json() if response.content_type == "application/json" else None
            return response.status, body, response


Serve = Callable[..., Awaitable[Api]]


@asynccontextmanager
async def serving(db: Database) -> AsyncIterator[Serve]:
    """Gives a function that starts servers on `db`; all stop at the end of the block."""
    async with AsyncExitStack() as stack:

        async def start(
            checks: tuple[ReadinessCheck, ...] = (), origin: Origin | None = None
        ) -> Api:
            access = AccessService(AccessStore(db))
            bootstrap = await access.bootstrap()
            app = build_web_app(
                [*echo_endpoints(), *access_api.endpoints(access, origin)],
                access,
                checks=checks,
                origin=origin,
            )
            server = HttpServer(app)
            port = await server.start("127.0.0.1", 0)
            stack.push_async_callback(server.stop)
            client = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
            await stack.enter_async_context(client)
            return Api(port, bootstrap, access, client)

        yield start


@pytest.fixture
async def serve(db: Database) -> AsyncIterator[Serve]:
    """Start a server on a fresh database; `checks` and `origin` as `build_web_app` takes them."""
    async with serving(db) as start:
        yield start


@pytest.fixture
async def api(serve: Serve) -> Api:
    """A server on a fresh database."""
    return await serve()


@pytest.fixture(scope="session")
async def common_api(postgres: EmbeddedPostgres, template_database: str) -> AsyncIterator[Api]:
    """One server for all tests that change nothing."""
    async with fresh_database(postgres, template_database) as url:
        db = await Database.connect(url)
        async with serving(db) as start:
            yield await start()
        await db.close()
