"""``callctl ledger verify``: proves the ledger, entry by entry, in one snapshot and flat memory."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from callctl.core.errors import CallctlError
from callctl.core.money.chain import Entry
from callctl.core.money.postings import BookKey, BookKind
from callctl.core.money.proof import BookProof
from callctl.db.pool import Database
from callctl.features.ledger import store

_BOOKS_AT_ONCE = 200
_ENTRIES_AT_ONCE = 1000
_TRANSACTIONS_AT_ONCE = 5000


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is not as it must be. `account` is the code of whose book it is."""

    account: str | None
    book: str | None
    seq: int | None
    transaction_id: int | None
    text: str


@dataclass(slots=True)
class Counts:
    """What was looked at."""

    books: int = 0
    entries: int = 0


async def find_problems(
    db: Database, code: str | None = None, counts: Counts | None = None
) -> AsyncIterator[Problem]:
    """Every problem of the whole ledger, or of an account's books and what touches them.

    Proved are the chain of each book, its running balance, that the book says what its last entry
    says, that what is held is what open holds sum to, that every transaction sums to zero, and
    (of the whole) each currency does. Raises CallctlError("not_found") for an unknown code.
    """
    counts = counts or Counts()
    async with db.snapshot() as connection:
        account_id = None
        if code is not None:
            account_id = await connection.fetchval(store.ACCOUNT_BY_CODE, code)
            if account_id is None:
                raise CallctlError("not_found", f"there is no account {code[:40]}")
        last = 0
        while books := await connection.fetch(store.BOOKS, account_id, last, _BOOKS_AT_ONCE):
            for book in books:
                async for problem in _check_book(connection, book, counts):
                    yield problem
            last = books[-1]["id"]
        async for problem in _check_transactions(connection, account_id):
            yield problem


async def _check_book(connection: Any, book: Any, counts: Counts) -> AsyncIterator[Problem]:
    key = BookKey(book["account_id"], BookKind(book["kind"]))
    proof = BookProof()
    rows = connection.cursor(store.BOOK_ENTRIES, book["id"], prefetch=_ENTRIES_AT_ONCE)
    async for row in rows:
        entry = Entry(
            key, book["currency"], row["seq"], row["transaction_id"], row["kind"],
            row["reference"], row["note"], row["author_id"], row["author"], row["posted_at"],
            row["amount"], row["balance"], row["class"], row["source"], row["corrects"],
        )  # fmt: skip
        for text in proof.check_entry(entry, row["hash"]):
            yield Problem(book["code"], book["kind"], row["seq"], row["transaction_id"], text)
    found = proof.check_end(book["last_seq"], book["balance"], book["last_hash"])
    if book["held"] != book["open_holds"]:
        found.append(f"{book['held']} is held, but open holds sum to {book['open_holds']}")
    for text in found:
        yield Problem(book["code"], book["kind"], None, None, text)
    counts.books += 1
    counts.entries += proof.entries


async def _check_transactions(connection: Any, account_id: int | None) -> AsyncIterator[Problem]:
    last = 0
    while end := await connection.fetchval(store.CHUNK_END, last, _TRANSACTIONS_AT_ONCE):
        for row in await connection.fetch(store.UNBALANCED, last, end, account_id):
            text = f"has {row['lines']} entries that sum to {row['total']}"
            yield Problem(None, None, None, row["id"], text)
        last = end
    if account_id is None:
        for row in await connection.fetch(store.CURRENCY_SUMS):
            text = f"all balances in {row['currency']} sum to {row['total']}, not to zero"
            yield Problem(None, None, None, None, text)
