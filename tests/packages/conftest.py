"""A seller with a customer, served over HTTP: their wallets, people, phones, and a clock."""

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

import callctl.features.originate.api as originate_api
import callctl.features.packages.api as packages_api
import callctl.features.routing.api as routing_api
from callctl.asterisk.ami import AmiClient
from callctl.core.author import Author
from callctl.core.money.postings import BookKey, BookKind, EntryClass, Line, Posting, Source
from callctl.core.permissions import ALL_SCOPES
from callctl.core.routing.model import Extension
from callctl.core.routing.plan import RoutePlan
from callctl.db import ledger
from callctl.db.pool import Database
from callctl.features.access.service import AccessService
from callctl.features.access.store import AccessStore
from callctl.features.originate.service import OriginateService
from callctl.features.originate.store import OrderStore
from callctl.features.packages.service import PackageService
from callctl.features.packages.watch import PackageWatch
from callctl.features.routing.rights import require_call
from callctl.features.routing.service import RoutingService
from callctl.features.routing.store import RoutingStore
from callctl.http.server import HttpServer, build_web_app
from callctl.secrets import digest

Answer = tuple[int, Any]
MONTH = 100_000
NUMBER = "+36301234567"
_ROUTING = """
account: {code: shop, country: HU}
extensions: [{number: 101}, {number: 102}]
trunks: [{name: carrier, host: 192.0.2.1, match: [192.0.2.1]}]
dids: [{number: +3617000001, to: [extension:101]}]
outbound: [{name: national, patterns: ["+36."], trunks: [carrier]}]
emergency: [{number: 112, trunks: [carrier]}]
"""
_ACCOUNT = """
insert into accounts (parent_id, code, name, kind, currency) values ($1, $2, $2, $3, $4)
returning id
"""
_USER = """
insert into users (account_id, login, name, role, password_hash, extension, email)
values ($1, $2, $2, $3, '-', $4, $5) returning id
"""
_TOKEN = """
insert into tokens (account_id, name, token_hash, scopes, created_by) values ($1, $2, $3, $4, $5)
"""


@dataclass
class Shop:
    """`account` buys of `seller`, which is below `operator`. `now` is the clock of packages."""

    db: Database
    packages: PackageService
    watch: PackageWatch
    routing: RoutingService
    client: aiohttp.ClientSession
    url: str
    clock: list[datetime]
    operator: int = 0
    seller: int = 0
    account: int = 0
    tokens: dict[int, str] = field(default_factory=dict)
    users: dict[str, int] = field(default_factory=dict)

    async def ask(
        self, method: str, path: str, body: Any = None, *, who: int | None = None, key: str = ""
    ) -> Answer:
        """As the customer, if nobody else is named."""
        headers = {"Authorization": f"Bearer {self.tokens[who or self.account]}"}
        if key:
            headers["Idempotency-Key"] = key
        async with self.client.request(
            method, f"{self.url}/api/v1{path}", json=body, headers=headers
        ) as response:
            text = await response.text()
            return response.status, await response.json() if text else None

    async def good(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        status, answer = await self.ask(method, path, body, **more)
        assert status < 300, answer
        return answer

    async def refused(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """The error."""
        status, answer = await self.ask(method, path, body, **more)
        assert status >= 400, answer
        return answer["error"] | {"status": status}

    async def quote(self, purchase: str, **what: Any) -> Any:
        return await self.good("POST", "/quotes", {"purchase": purchase, **what})

    async def buy(self, purchase: str, **what: Any) -> Any:
        quote = await self.quote(purchase, **what)
        return await self.good("POST", f"/quotes/{quote['id']}/pay")

    async def package(self) -> Any:
        return await self.good("GET", f"/packages/{self.account}")

    async def demand(self, required: bool = True) -> Any:
        path = f"/packages/{self.account}"
        return await self.good("PATCH", path, {"required": required}, who=self.seller)

    async def add(self, *logins: str) -> None:
        for login in logins:
            await self.good("POST", "/seats", {"user_id": self.users[login]})

    async def add_user(self, login: str, extension: str | None = None) -> int:
        role = "administrator" if login == "boss" else "manager"
        email = "boss@example.org" if login == "boss" else None
        args = (self.account, login, role, extension, email)
        self.users[login] = await self.db.fetchval(_USER, *args)
        return self.users[login]

    async def fund(self, amount: int) -> None:
        lines = (
            Line(BookKey(self.operator, BookKind.ISSUANCE), -amount),
            Line(BookKey(self.account), amount, EntryClass.IN, Source.MANUAL),
        )
        posting = Posting(self.account, "COIN", "top_up", "cash", lines)
        async with self.db.transaction() as connection:
            await ledger.post(connection, [posting], Author("anna"))

    async def balances(self) -> tuple[int, int]:
        """The customer's wallet, the seller's income."""
        return await self._balance(self.account, "wallet"), await self._balance(
            self.seller, "income"
        )

    async def _balance(self, account: int, kind: str) -> int:
        return await self.db.fetchval(
            "select coalesce(sum(balance), 0)::bigint from books"
            " where account_id = $1 and kind = $2 and currency = 'COIN'",
            account, kind,
        )  # fmt: skip

    def plan(self, extension: str, dialled: str) -> RoutePlan:
        """What the daemon decides of a call now, by the packages' clock."""
        (endpoint,) = (
            name
            for name, owner in self.routing.table.endpoints.items()
            if owner == (self.account, "extension", extension)
        )
        return self.routing.decide(
            endpoint=endpoint, uniqueid="1.1", dialled=dialled, caller_number=extension,
            caller_name="", withheld=False, now=self.clock[0],
        )  # fmt: skip

    def reasons(self, extension: str, dialled: str) -> list[str]:
        return [reason.code for reason in self.plan(extension, dialled).trace]

    def later(self, **time: float) -> None:
        self.clock[0] += timedelta(**time)


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    db = await Database.connect(database_url, max_connections=60)
    # In the future: what asks the machine's clock sees the same package.
    clock = [datetime.now(UTC).replace(month=1, day=31, hour=12, minute=0, microsecond=0)]
    clock[0] = clock[0].replace(year=clock[0].year + 1)
    access = AccessService(AccessStore(db))
    operator = await db.fetchval(_ACCOUNT, None, "main", "operator", "COIN")
    routing = RoutingService(RoutingStore(db))
    await routing.load()
    packages = PackageService(db, routing.refresh, quote_minutes=15, clock=lambda: clock[0])
    watch = PackageWatch(db, routing.refresh, clock=lambda: clock[0])

    def find(account: int, number: str) -> Extension | None:
        return routing.table.accounts[account].extensions.get(number)

    def require(account: int, extension: str, dialled: str) -> None:
        require_call(routing.table, account, extension, dialled, clock[0])

    # Nothing listens there: an order that is let through says so.
    ami = AmiClient("127.0.0.1", 1, "callctl", "secret")
    endpoints = [
        *packages_api.endpoints(packages),
        *routing_api.endpoints(routing),
        *originate_api.endpoints(OriginateService(ami, OrderStore(db), find, require)),
    ]
    server = HttpServer(build_web_app(endpoints, access))
    port = await server.start("127.0.0.1", 0)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as client:
        shop = Shop(
            db, packages, watch, routing, client, f"http://127.0.0.1:{port}", clock, operator
        )
        shop.seller = await db.fetchval(_ACCOUNT, operator, "agency", "reseller", "COIN")
        shop.account = await db.fetchval(_ACCOUNT, shop.seller, "shop", "enterprise", "COIN")
        for account in (shop.operator, shop.seller, shop.account):
            await _open_door(shop, account)
        await routing.accounts_changed()
        await routing.apply(shop.account, _ROUTING, "anna")
        for login, extension in (("boss", None), ("ann", "101"), ("ben", "102"), ("cid", None)):
            await shop.add_user(login, extension)
        await shop.fund(10_000_000)
        yield shop
    await server.stop()
    await db.close()


async def _open_door(shop: Shop, account: int) -> None:
    """A token of somebody who may do everything there."""
    who = await shop.db.fetchval(_USER, account, f"door{account}", "administrator", None, None)
    shop.tokens[account] = secrets.token_urlsafe(16)
    await shop.db.execute(
        _TOKEN, account, "door", digest(shop.tokens[account]), sorted(ALL_SCOPES), who
    )
