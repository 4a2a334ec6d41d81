"""A market: the operator with a trunk, a reseller, and shops that buy of the operator."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from callctl.core.author import Author
from callctl.core.money.postings import BookKey, BookKind, EntryClass, Line, Posting, Source
from callctl.core.permissions import ALL_SCOPES
from callctl.core.routing.plan import RoutePlan
from callctl.db.embedded import EmbeddedPostgres
from callctl.db.ledger import charge, post, wallet_of
from callctl.db.pool import Database
from callctl.features.numbers.billing import BillingService
from callctl.features.numbers.buying import NumberService
from callctl.features.numbers.model import NewBlock, NewNumber, NumberItem, PriceView
from callctl.features.numbers.offers import OfferService
from callctl.features.numbers.ordering import OrderingService
from callctl.features.numbers.providers import NumberProvider, Providers
from callctl.features.numbers.requests import RequestService
from callctl.features.numbers.stock import StockService
from callctl.features.routing.numbers import RoutingNumbers
from callctl.features.routing.service import RoutingService
from callctl.features.routing.store import RoutingStore
from callctl.http.endpoint import Actor
from tests.conftest import fresh_database

_ACCOUNT = """
insert into accounts (parent_id, code, name, kind, country, timezone, currency)
values ($1, $2, $2, $3, 'HU', 'Europe/Budapest', 'EUR') returning id
"""
TRUNK = """
account: {code: main, country: HU}
trunks: [{name: carrier, host: 192.0.2.1, match: [192.0.2.1]}]
"""
_SHOP = """
account: {{code: {code}, country: HU, timezone: Europe/Budapest}}
extensions: [{{number: 101}}, {{number: 102}}, {{number: 103}}]
hunt_groups: [{{name: sales, members: [101, 102]}}]
"""
GRACE_DAYS, QUARANTINE_DAYS = 7, 30


@dataclass
class Market:
    """Ids of the accounts, the services on one database, and short ways to ask."""

    db: Database
    operator: int
    reseller: int
    shop: int
    bank: int
    routing: RoutingService
    url: str = ""
    providers: dict[str, NumberProvider] = field(default_factory=dict)

    def __post_init__(self) -> None:
        routes, providers = RoutingNumbers(self.routing), Providers(self.providers)
        self.ordering = OrderingService(self.db, routes, providers)
        self.numbers = NumberService(self.db, routes, quarantine_days=QUARANTINE_DAYS)
        self.offers = OfferService(self.db, providers)
        self.stock = StockService(self.db, lambda number: number in self.routing.table.did_accounts)
        self.requests = RequestService(self.db, self.numbers)
        self.billing = BillingService(
            self.db, routes, grace_days=GRACE_DAYS, quarantine_days=QUARANTINE_DAYS
        )

    def actor(self, account_id: int) -> Actor:
        return Actor(account_id, "anna", ALL_SCOPES)

    async def load(
        self, first: str = "+3612340000", last: str | None = None, **more: object
    ) -> None:
        """Numbers of the operator at 10 to set up and 31 a month."""
        values = {"setup": PriceView(10, "EUR"), "monthly": PriceView(31, "EUR")} | more
        await self.stock.load_block(
            self.actor(self.operator),
            NewBlock(first=first, last=last, **values),  # type: ignore[arg-type]
        )

    async def buy(
        self, number: str = "+3612340000", account: int | None = None, to: str = "extension:101"
    ) -> NumberItem:
        return await self.numbers.buy(self.actor(account or self.shop), NewNumber(number, to), None)

    async def fund(self, account_id: int, amount: int) -> None:
        lines = (
            Line(BookKey(self.operator, BookKind.ISSUANCE), -amount),
            Line(BookKey(account_id), amount, EntryClass.IN, Source.MANUAL),
        )
        posting = Posting(account_id, "EUR", "top_up", "cash", lines)
        async with self.db.transaction() as connection:
            await post(connection, [posting], Author("anna"))

    async def spend(self, account_id: int, amount: int) -> None:
        async with self.db.transaction() as connection:
            await charge(
                connection, account_id=account_id, amount=amount, kind="package",
                reference="package:1", author=Author("anna"),
            )  # fmt: skip

    async def balance(self, account_id: int) -> int:
        async with self.db.connection() as connection:
            return (await wallet_of(connection, account_id)).balance

    async def income(self) -> int:
        """What the operator has earned."""
        earned = await self.db.fetchval(
            "select coalesce(sum(balance), 0) from books where account_id = $1 and kind = 'income'",
            self.operator,
        )
        return int(earned)

    async def state(self, number: str = "+3612340000") -> str:
        found = await self.db.fetchval("select state from stock_numbers where number = $1", number)
        return str(found)

    def call(self, number: str = "+3612340000") -> RoutePlan:
        """What a call to the number by the operator's trunk gets now."""
        return self.routing.decide(
            endpoint="carrier",
            uniqueid="1.1",
            dialled=number,
            caller_number="+36201234567",
            caller_name="",
            withheld=False,
            now=datetime(2026, 7, 6, 10, tzinfo=UTC),
        )


async def open_market(db: Database, **more: object) -> Market:
    operator = await db.fetchval(_ACCOUNT, None, "main", "operator")
    reseller = await db.fetchval(_ACCOUNT, operator, "reseller", "reseller")
    shop = await db.fetchval(_ACCOUNT, operator, "shop", "enterprise")
    bank = await db.fetchval(_ACCOUNT, operator, "bank", "enterprise")
    routing = RoutingService(RoutingStore(db))
    await routing.load()
    await routing.apply(operator, TRUNK, "test")
    for code, account_id in (("shop", shop), ("bank", bank)):
        await routing.apply(account_id, _SHOP.format(code=code), "test")
    return Market(db, operator, reseller, shop, bank, routing, **more)  # type: ignore[arg-type]


@pytest.fixture
async def market(postgres: EmbeddedPostgres, template_database: str) -> AsyncIterator[Market]:
    async with fresh_database(postgres, template_database) as url:
        db = await Database.connect(url, max_connections=12)
        yield await open_market(db, url=url)
        await db.close()
