"""A tree of accounts with money in it: operator, reseller, two enterprises."""

import itertools
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from typing import Any

import pytest

from callctl.core.author import Author
from callctl.core.errors import CallctlError
from callctl.core.money.postings import BookKey, BookKind, EntryClass, Line, Posting, Source
from callctl.core.permissions import ALL_SCOPES
from callctl.db.embedded import EmbeddedPostgres
from callctl.db.idempotency import RequestKey, request_digest
from callctl.db.ledger import Posted, Wallet, charge, post, wallet_of
from callctl.db.pool import Database
from callctl.features.ledger.service import LedgerService
from callctl.features.ledger.verify import find_problems
from callctl.features.payments.invoices import InvoiceService
from callctl.features.transfers.service import TransferService
from callctl.http.endpoint import Actor
from tests.conftest import fresh_database

ANNA = Author("anna")
_trees = itertools.count(1)

_ACCOUNT = """
insert into accounts (parent_id, code, name, kind, currency) values ($1, $2, $2, $3, 'EUR')
returning id
"""


@dataclass(frozen=True)
class Tree:
    """Ids of the accounts, and short ways to ask."""

    db: Database
    operator: int
    reseller: int
    shop: int
    bank: int

    @property
    def ledger(self) -> LedgerService:
        return LedgerService(self.db)

    @property
    def transfers(self) -> TransferService:
        return TransferService(self.db)

    @property
    def invoices(self) -> InvoiceService:
        return InvoiceService(self.db)

    async def problems(self) -> list[str]:
        """What `callctl ledger verify` says of the tree's accounts."""
        codes = await self.db.fetch(
            "select code from accounts where id = any($1)",
            [self.operator, self.reseller, self.shop, self.bank],
        )
        return [p.text for row in codes async for p in find_problems(self.db, row["code"])]

    async def fund(self, account_id: int, amount: int) -> Posted:
        """From nowhere, as an operator does it."""
        async with self.db.transaction() as connection:
            (posted,) = await post(connection, [funding(account_id, self.operator, amount)], ANNA)
        assert posted is not None
        return posted

    async def charge(self, account_id: int, amount: int, **more: Any) -> Posted | None:
        async with self.db.transaction() as connection:
            return await charge(
                connection, account_id=account_id, amount=amount, author=ANNA,
                **{"kind": "package", "reference": "package:1", **more},
            )  # fmt: skip

    async def wallet(self, account_id: int) -> Wallet:
        async with self.db.connection() as connection:
            return await wallet_of(connection, account_id)

    async def balances(self) -> dict[tuple[int, str], int]:
        """(account, kind of book) to balance, of books that have one."""
        rows = await self.db.fetch(
            "select account_id, kind, balance from books"
            " where balance <> 0 and account_id = any($1) order by 1, 2",
            [self.operator, self.reseller, self.shop, self.bank],
        )
        return {(row["account_id"], row["kind"]): row["balance"] for row in rows}


def who(account_id: int, name: str = "anna") -> Actor:
    """Somebody of an account who may do everything."""
    return Actor(account_id, name, ALL_SCOPES)


def key_of(actor: Actor, key: str, asked: object) -> RequestKey:
    """As the server makes it of a request."""
    digest = request_digest("POST", "/x", None, repr(asked))
    return RequestKey(actor.account_id, actor.name, key, digest)


async def refused(act: Awaitable[object], code: str) -> CallctlError:
    """The error, which must be of this code."""
    with pytest.raises(CallctlError) as caught:
        await act
    assert caught.value.code == code, caught.value
    return caught.value


def funding(account_id: int, source: int, amount: int) -> Posting:
    lines = (
        Line(BookKey(source, BookKind.ISSUANCE), -amount),
        Line(BookKey(account_id), amount, EntryClass.IN, Source.MANUAL),
    )
    return Posting(account_id, "EUR", "top_up", "cash", lines)


@pytest.fixture(scope="module")
async def ledger_db(postgres: EmbeddedPostgres, template_database: str) -> AsyncIterator[Database]:
    """One for a module: each test has a tree of its own in it."""
    async with fresh_database(postgres, template_database) as url:
        db = await Database.connect(url, max_connections=60)
        yield db
        await db.close()


@pytest.fixture
async def tree(ledger_db: Database) -> Tree:
    return await make_tree(ledger_db)


async def make_tree(db: Database) -> Tree:
    n = next(_trees)
    operator = await db.fetchval(_ACCOUNT, None, f"main-{n}", "operator")
    reseller = await db.fetchval(_ACCOUNT, operator, f"agency-{n}", "reseller")
    shop = await db.fetchval(_ACCOUNT, reseller, f"shop-{n}", "enterprise")
    bank = await db.fetchval(_ACCOUNT, reseller, f"bank-{n}", "enterprise")
    return Tree(db, operator, reseller, shop, bank)
