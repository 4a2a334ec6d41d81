"""The books of the ledger in PostgreSQL: locking, reading and writing them.

Only `callctl.db.ledger` uses this. Wallets are locked first, the youngest account's first, then
contra books by falling id: an account is younger than its seller, so whoever holds an account's
wallet may still ask for its seller's books, and no two wait for each other.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from callctl.core.author import Author
from callctl.core.errors import CallctlError
from callctl.core.money.books import Book, OpenBooks
from callctl.core.money.orders import AccountWallet, Original, PostedLine
from callctl.core.money.postings import BookKey, BookKind, Posting

WALLETS = """
select b.id, b.account_id, b.kind, b.currency, b.balance, b.held, b.last_seq, b.last_hash,
       a.parent_id
from books b join accounts a on a.id = b.account_id
where b.kind = 'wallet' and b.account_id = any($1::bigint[])
order by b.id desc
"""

WALLETS_LOCK = WALLETS + "for no key update of b"

CONTRA_BOOKS_LOCK = """
select id, account_id, kind, currency, balance, held, last_seq, last_hash from books
where kind <> 'wallet' and (account_id, kind, currency) in (
    select * from unnest($1::bigint[], $2::text[], $3::text[]))
order by id desc
for no key update
"""

CONTRA_BOOKS_INSERT = """
insert into books (account_id, kind, currency)
select * from unnest($1::bigint[], $2::text[], $3::text[]) as k (account_id, kind, currency)
order by account_id desc, kind, currency
on conflict do nothing
"""

# After the locks, so that times follow the numbers of entries.
TRANSACTION_IDS = """
select nextval(pg_get_serial_sequence('ledger_transactions', 'id')) as id, clock_timestamp() as at
from generate_series(1, $1)
"""

ORIGINALS = """
select t.id, t.account_id, t.currency, t.kind, b.account_id as book_account, b.kind as book_kind,
       e.book_id, e.seq, e.amount
from ledger_transactions t
    join ledger_entries e on e.transaction_id = t.id
    join books b on b.id = e.book_id
where t.id = any($1::bigint[])
order by t.id, e.book_id
"""

TAKEN_BACK = """
select o.transaction_id, abs(sum(c.amount))::bigint as amount
from ledger_entries o
    join ledger_entries c on c.book_id = o.book_id and c.corrects = o.seq
where o.transaction_id = any($1::bigint[])
group by o.transaction_id, o.book_id
"""

POSTED_BEFORE = """
select t.account_id, t.once, t.id, e.seq, e.amount, e.balance, e.posted_at, t.currency
from ledger_transactions t
    join books b on b.account_id = t.account_id and b.kind = 'wallet'
    join ledger_entries e on e.transaction_id = t.id and e.book_id = b.id
where (t.account_id, t.once) in (select * from unnest($1::bigint[], $2::text[]))
"""

HOLDS_RELEASE = """
update ledger_holds set released_at = clock_timestamp()
where id = any($1::bigint[]) and released_at is null
returning id, account_id, amount
"""

POST = """
with t as (
    insert into ledger_transactions
        (id, account_id, currency, kind, reference, once, note, overdraw, author_id, author)
    overriding system value
    select n.*, $9::bigint, $10::text
    from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[],
                $7::text[], $8::boolean[]) as n
), e as (
    insert into ledger_entries (book_id, seq, transaction_id, amount, balance, class, source,
                                corrects, hash, posted_at)
    select n.*, $20::timestamptz
    from unnest($11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[],
                $16::text[], $17::text[], $18::bigint[], $19::bytea[]) as n
)
update books b set balance = n.balance, held = n.held, last_seq = n.seq, last_hash = n.hash
from unnest($21::bigint[], $22::bigint[], $23::bigint[], $24::bigint[], $25::bytea[])
    as n (id, balance, held, seq, hash)
where b.id = n.id
"""

BOOK_HELD = "update books set held = $2 where id = $1"


def book_of(row: Mapping[str, Any]) -> Book:
    key = BookKey(row["account_id"], BookKind(row["kind"]))
    return Book(
        row["id"], key, row["currency"], row["balance"], row["held"], row["last_seq"],
        row["last_hash"],
    )  # fmt: skip


async def read_wallets(
    connection: Any, account_ids: Collection[int], *, lock: bool = True
) -> dict[int, AccountWallet]:
    """By account. Raises CallctlError("not_found") for an account that does not exist."""
    rows = await connection.fetch(WALLETS_LOCK if lock else WALLETS, list(account_ids))
    found = {row["account_id"]: AccountWallet(book_of(row), row["parent_id"]) for row in rows}
    for account_id in account_ids:
        if account_id not in found:
            raise CallctlError("not_found", f"no account with the id {account_id}")
    return found


async def lock_contra_books(connection: Any, keys: Collection[tuple[BookKey, str]]) -> list[Book]:
    """Books of (key, currency), locked; those that are missing are made."""
    if not keys:
        return []
    columns = (
        [key.account_id for key, _ in keys],
        [key.kind.value for key, _ in keys],
        [currency for _, currency in keys],
    )
    rows = await connection.fetch(CONTRA_BOOKS_LOCK, *columns)
    if len(rows) < len(keys):
        await connection.execute(CONTRA_BOOKS_INSERT, *columns)
        rows = await connection.fetch(CONTRA_BOOKS_LOCK, *columns)
    return [book_of(row) for row in rows]


async def read_originals(connection: Any, transaction_ids: Collection[int]) -> dict[int, Original]:
    """Raises CallctlError("not_found") for a transaction that does not exist."""
    rows: dict[int, list[Any]] = {}
    for row in await connection.fetch(ORIGINALS, list(transaction_ids)):
        rows.setdefault(row["id"], []).append(row)
    for transaction_id in transaction_ids:
        if transaction_id not in rows:
            raise CallctlError("not_found", f"no transaction with the id {transaction_id}")
    return {
        transaction_id: Original(
            found[0]["account_id"],
            found[0]["currency"],
            found[0]["kind"],
            tuple(
                PostedLine(
                    BookKey(row["book_account"], BookKind(row["book_kind"])),
                    row["seq"],
                    row["amount"],
                )
                for row in found
            ),
        )
        for transaction_id, found in rows.items()
    }


async def read_taken_back(connection: Any, transaction_ids: Collection[int]) -> dict[int, int]:
    """How much of each transaction was taken back."""
    rows = await connection.fetch(TAKEN_BACK, list(transaction_ids))
    return {row["transaction_id"]: row["amount"] for row in rows}


async def write_postings(
    connection: Any,
    postings: Sequence[tuple[int, Posting]],
    open_books: OpenBooks,
    author: Author,
    posted_at: datetime,
) -> None:
    """In one statement, so that the database can check all of it at its end."""
    entries, books = open_books.entries, open_books.all()
    made = [e.entry for e in entries]
    await connection.execute(
        POST,
        [transaction_id for transaction_id, _ in postings],
        [p.account_id for _, p in postings],
        [p.currency for _, p in postings],
        [p.kind for _, p in postings],
        [p.reference for _, p in postings],
        [p.once for _, p in postings],
        [p.note for _, p in postings],
        [p.overdraw for _, p in postings],
        author.user_id,
        author.name,
        [e.book_id for e in entries],
        [e.seq for e in made],
        [e.transaction_id for e in made],
        [e.amount for e in made],
        [e.balance for e in made],
        [e.entry_class for e in made],
        [e.source for e in made],
        [e.corrects for e in made],
        [e.hash for e in entries],
        posted_at,
        [b.id for b in books],
        [b.balance for b in books],
        [b.held for b in books],
        [b.seq for b in books],
        [b.hash for b in books],
    )
