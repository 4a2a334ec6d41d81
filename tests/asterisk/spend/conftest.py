"""The whole of callctl on addresses 127.0.15.x, where calls cost a coin a second."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest

from callctl.core.author import Author
from callctl.core.money.guard import Terms
from callctl.core.money.postings import BookKey, BookKind, EntryClass, Line, Posting, Source
from callctl.core.scope import CallScope
from callctl.db.embedded import EmbeddedPostgres
from callctl.db.ledger import post
from callctl.demo.play import Api
from callctl.demo.sip import Answer, Phone
from callctl.demo.stack import POLL_SECONDS, Stack, open_stack
from tests.asterisk.scenarios.office import CARRIERS, Office
from tests.conftest import fresh_database

NET = "127.0.15"
ROUTING = Path(__file__).with_name("routing.yaml")
CARRIER_SECONDS = 600


@pytest.fixture(scope="package")
async def stack(
    postgres: EmbeddedPostgres, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stack]:
    directory = tmp_path_factory.mktemp("spend")
    async with fresh_database(postgres, template_database) as url:
        async with open_stack(directory, ROUTING, net=NET, database_url=url) as stack:
            phones = [
                Phone(e, f"{NET}.{e}", stack.address, directory / "sip", secret=secret)
                for e, secret in stack.secrets.items()
            ]
            await asyncio.gather(*(phone.register(3600) for phone in phones))
            await asyncio.gather(*(phone.stop() for phone in phones))
            yield stack


@pytest.fixture(scope="package")
async def api(stack: Stack) -> AsyncIterator[Api]:
    token = await stack.daemon.access.issue_token("spend")
    async with aiohttp.ClientSession() as session:
        yield Api(stack.url, token, session)


@pytest.fixture(scope="package")
async def carriers(
    stack: Stack, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[dict[str, Phone]]:
    directory = tmp_path_factory.mktemp("spend-carriers")
    carriers = {
        name: Phone(
            name,
            f"{NET}.{CARRIERS[name]}",
            stack.address,
            directory,
            behaviour=Answer(after=0.1),
        )
        for name in ("carrier-a",)
    }
    for carrier in carriers.values():
        carrier.life_seconds = CARRIER_SECONDS
    await asyncio.gather(*(carrier.listen() for carrier in carriers.values()))
    await stack.until_qualified(len(carriers))
    yield carriers
    await asyncio.gather(*(carrier.stop() for carrier in carriers.values()))


@pytest.fixture
async def office(
    stack: Stack, api: Api, carriers: dict[str, Phone], tmp_path: Path
) -> AsyncIterator[Office]:
    office = Office(stack, api, tmp_path, carriers)
    try:
        yield office
        await office.until_idle()
        await office.stored()
    finally:
        await office.close()


TARIFF = """
with operator as (
    insert into accounts (code, name, kind) values ('seller', 'Seller', 'operator') returning id
), office as (
    update accounts set parent_id = (select id from operator), kind = 'enterprise' where id = 1
), tariff as (
    insert into tariffs (account_id, name, currency, timezone)
    select id, 'A cent a second', 'USD', 'UTC' from operator returning id, account_id
), version as (
    insert into tariff_versions (tariff_id, rates, created_by)
    select id, 1, 'tester' from tariff returning id
), rate as (
    insert into tariff_rates select id, '36', '', 'Hungary', 1000000, 1, 0, 0, 1, 0
    from version
)
insert into tariff_assignments (bearer_id, account_id, tariff_id, since, set_by)
select account_id, 1, id, '2020-01-01', 'tester' from tariff
"""

APPLY = """
update tariff_versions
set number = 1, valid_from = '2020-01-01', applied_at = now(), applied_by = 'tester'
"""


class Wallet:
    """The account's wallet, while each second of talk costs a cent."""

    def __init__(self, stack: Stack, seller_id: int) -> None:
        self._stack = stack
        self._seller_id = seller_id

    async def put(self, amount: int) -> None:
        """Add it, and wait until calls are decided by what there is then: a second at most."""
        spend = self._stack.daemon.spend
        free = spend.status(CallScope(1)).free or 0
        await self._post(amount, EntryClass.IN)
        async with asyncio.timeout(1):
            while spend.status(CallScope(1)).free == free:
                await asyncio.sleep(POLL_SECONDS)

    async def empty(self) -> None:
        if left := await self.balance():
            await self._post(-left, EntryClass.OUT)

    async def balance(self) -> int:
        sql = "select balance from books where account_id = 1 and kind = 'wallet'"
        balance: int = await self._stack.daemon.db.fetchval(sql)
        return balance

    async def _post(self, amount: int, class_: EntryClass) -> None:
        source = BookKey(self._seller_id, BookKind.ISSUANCE)
        lines = (Line(BookKey(1), amount, class_, Source.MANUAL), Line(source, -amount))
        async with self._stack.daemon.db.transaction() as connection:
            await post(connection, [Posting(1, "USD", "issue", "test", lines)], Author("tester"))


@pytest.fixture(scope="package")
async def seller(stack: Stack) -> int:
    """Who sells calls to the office: a cent a second."""
    daemon = stack.daemon
    await daemon.db.execute(TARIFF)
    await daemon.db.execute(APPLY)
    await daemon.db.execute("update tariff_revision set revision = revision + 1")
    await daemon.routing.accounts_changed()
    await daemon.tariff_memory.refresh(daemon.db, datetime.now(UTC))
    seller: int = await daemon.db.fetchval("select id from accounts where code = 'seller'")
    return seller


@pytest.fixture
async def wallet(
    stack: Stack, seller: int, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Wallet]:
    """Empty at first. Slices are three seconds, so that nobody waits long."""
    monkeypatch.setattr(stack.daemon.spend.guard, "terms", Terms(3, 1))
    wallet = Wallet(stack, seller)
    yield wallet
    await wallet.empty()
