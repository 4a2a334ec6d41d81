"""An account with clients, asked over HTTP, and calls that are stored as the reader stores them."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from callctl.core.calls.record import CallRecord, Completeness, Disposition, Leg
from callctl.core.permissions import ALL_SCOPES
from callctl.core.routing.plan import Direction
from callctl.db.pool import WRITE_MODE, Database
from callctl.features.access import api as access_api
from callctl.features.access.service import AccessService
from callctl.features.access.store import AccessStore
from callctl.features.calls import api as calls_api
from callctl.features.calls import store
from callctl.features.calls.service import CallService
from callctl.features.calls.store import StoredCall
from callctl.features.clients import api as clients_api
from callctl.features.clients.registration import store_step
from callctl.http.server import HttpServer, build_web_app

NOON = 1_774_742_400_000_000
_calls = itertools.count(1)


def make_call(
    account_id: int,
    number: str | None,
    *,
    direction: Direction = Direction.INBOUND,
    name: str | None = None,
    disposition: Disposition = Disposition.NO_ANSWER,
    attempts: Sequence[Any] = (),
    minute: int = 0,
    call_id: str | None = None,
) -> StoredCall:
    """A call with an outside party, as the reader has built it."""
    id_ = call_id or f"lab-{next(_calls)}.1"
    at = NOON + minute * 60_000_000
    inbound = direction is Direction.INBOUND
    own = "101"
    record = CallRecord(
        call_id=id_,
        linkedids=(id_,),
        direction=direction,
        from_number=number if inbound else own,
        from_name=name,
        extension=None if inbound else own,
        to_number=own if inbound else number,
        answered_by=None,
        destination_number=None,
        started_us=at,
        answered_us=None,
        ended_us=at + 1_000_000,
        disposition=disposition,
        attempts=tuple(attempts),
        legs=(Leg(id_, "PJSIP/t-1", "PJSIP/t", "101", None, at, None, at, 16),),
        recordings=(),
        completeness=Completeness.COMPLETE,
    )
    return StoredCall(
        record, account_id, record.from_number, record.to_number, None, store.pack_rows([b""])
    )


async def store_calls(connection: Any, calls: Sequence[StoredCall]) -> list[int]:
    """What the reader does in its transaction, as far as clients are concerned."""
    await connection.execute(WRITE_MODE)
    ids = await store.insert_calls(connection, calls)
    await store_step(
        connection, [c.as_stored(i, new=True) for i, c in zip(ids, calls, strict=True)]
    )
    return ids


@dataclass
class Office:
    """`ask` gives (status, body) of the account's API; `other` is a token of another account."""

    db: Database
    account_id: int
    url: str
    token: str
    other: str
    access: AccessService
    session: aiohttp.ClientSession

    async def ask(
        self, method: str, path: str, body: Any = None, token: str | None = None, **more: Any
    ) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {token or self.token}"} | more.pop("headers", {})
        async with self.session.request(
            method, self.url + path, json=body, headers=headers, **more
        ) as response:
            if response.content_type == "application/json":
                return response.status, await response.json()
            return response.status, await response.text()

    async def add(self, name: str, *numbers: str, **fields: Any) -> dict[str, Any]:
        """A client that must be taken."""
        body = {"name": name, "numbers": [{"number": n} for n in numbers]} | fields
        status, client = await self.ask("POST", "/clients", body)
        assert status == 201, client
        assert isinstance(client, dict)
        return client

    async def found(self, path: str = "/clients", **query: Any) -> list[str]:
        """Names of one page."""
        params = {k: str(v) for k, v in query.items()}
        status, page = await self.ask("GET", path, params=params)
        assert status == 200, page
        return [c["name"] for c in page["items"]]

    async def store(self, *calls: StoredCall) -> list[int]:
        async with self.db.transaction() as connection:
            return await store_calls(connection, calls)

    def call(self, number: str | None, **more: Any) -> StoredCall:
        return make_call(self.account_id, number, **more)

    async def calls(self, **query: Any) -> list[dict[str, Any]]:
        params = {k: str(v) for k, v in query.items()}
        status, page = await self.ask("GET", "/calls", params=params)
        assert status == 200, page
        items = page["items"]
        assert isinstance(items, list)
        return items

    async def register(self, *directions: str) -> None:
        """Switch the registration on."""
        body = {"register": True, "register_directions": directions or ["inbound"]}
        assert (await self.ask("PUT", "/client-settings", body))[0] == 200


_ACCOUNT = """
insert into accounts (code, name, kind, country) values ($1, $1, 'enterprise', 'HU') returning id
"""
_USER = """
insert into users (account_id, login, name, role, password_hash)
values ($1, 'boss', 'Administrator', 'administrator', '')
"""


@pytest.fixture
async def office(db: Database) -> AsyncIterator[Office]:
    access = AccessService(AccessStore(db))
    account_id = await db.fetchval(_ACCOUNT, "main")
    await db.execute(_USER, account_id)
    await db.execute(_ACCOUNT, "other")
    endpoints = [
        *clients_api.endpoints(db),
        *calls_api.endpoints(CallService(db)),
        *access_api.endpoints(access),
    ]
    server = HttpServer(build_web_app(endpoints, access))
    port = await server.start("127.0.0.1", 0)
    url = f"http://127.0.0.1:{port}/api/v1"
    token = await access.issue_token("main")
    other = await access.issue_token("other", ALL_SCOPES, "other")
    async with aiohttp.ClientSession() as session:
        yield Office(db, account_id, url, token, other, access, session)
    await server.stop()


async def waits_for_a_lock(db: Database, pid: int) -> None:
    """Until that backend waits for another one; bounded."""
    sql = "select wait_event_type = 'Lock' from pg_stat_activity where pid = $1"
    async with asyncio.timeout(20):
        while not await db.fetchval(sql, pid):
            await asyncio.sleep(0.01)
