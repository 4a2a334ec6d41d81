"""Where money is posted: inside the caller's transaction, or not at all (R000-10 to R000-12).

Books stay locked until the caller's transaction ends, so post late in it, and post once: what
belongs together goes into one `post`. Within one transaction an account's wallet may be locked
first (`wallet_of`, `hold`) and that account charged afterwards.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from callctl.core.author import Author
from callctl.core.errors import CallctlError
from callctl.core.money.books import Book, OpenBooks
from callctl.core.money.orders import (
    Charge,
    OnceKey,
    Order,
    Refund,
    contra_books_needed,
    once_key_of,
    plan_postings,
    wallets_needed,
)
from callctl.core.money.postings import BookKey, Posting
from callctl.db.ledger_books import (
    BOOK_HELD,
    HOLDS_RELEASE,
    POSTED_BEFORE,
    TRANSACTION_IDS,
    lock_contra_books,
    read_originals,
    read_taken_back,
    read_wallets,
    write_postings,
)

HOLD_INSERT = """
insert into ledger_holds (account_id, book_id, amount, reference) values ($1, $2, $3, $4)
returning id
"""

HOLD_ACCOUNT = "select account_id from ledger_holds where id = $1"


@dataclass(frozen=True, slots=True)
class Posted:
    """A transaction as the wallet of its account shows it.

    `seq` is the number of the wallet's entry, `amount` what the wallet gained (negative: lost),
    `balance` the wallet's after it. `repeated`: it was posted before, under the same `once`.
    """

    transaction_id: int
    account_id: int
    seq: int
    amount: int
    balance: int
    currency: str
    posted_at: datetime
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Wallet:
    """What an account has, in minor units of `currency`; `held` of it is set aside."""

    account_id: int
    currency: str
    balance: int
    held: int

    @property
    def available(self) -> int:
        """What can be spent. Negative when overdrawn."""
        return self.balance - self.held


async def charge(
    connection: Any,
    *,
    account_id: int,
    amount: int,
    kind: str,
    reference: str,
    author: Author,
    note: str = "",
    overdraw: bool = False,
    once: str | None = None,
    uses_hold: int | None = None,
    currency: str | None = None,
) -> Posted | None:
    """Take `amount` from the account's wallet into its seller's income (Out, system).

    None: the account has no seller (the operator), and pays nobody. Raises CallctlError:
    ``insufficient_funds`` with `needed`, `available`, `shortfall`, `currency`, nothing posted;
    ``conflict`` when `currency` is another than the account's, or `uses_hold` is no open hold of
    it. Raises ValueError for what no charge can be.
    """
    order = Charge(
        account_id, amount, kind, reference, note, overdraw, once, uses_hold, currency
    )  # fmt: skip
    return (await post(connection, [order], author))[0]


async def charge_many(
    connection: Any, charges: Sequence[Charge | Refund], author: Author
) -> list[Posted | None]:
    """All of them or, when one raises, none; in a number of statements that does not grow.

    As `charge`, and refunds among them; the result has their order.
    """
    return await post(connection, charges, author)


async def refund(
    connection: Any,
    *,
    transaction_id: int,
    amount: int | None = None,
    reference: str,
    author: Author,
    note: str = "",
    once: str | None = None,
    overdraw: bool = False,
) -> Posted | None:
    """Take a transaction back, or `amount` of it, by opposite entries (Out, system, `corrects`).

    Without an amount: what is left of it; None when nothing is. Raises CallctlError: ``not_found``;
    ``conflict`` for more than is left, and for a transaction that is itself a correction;
    ``insufficient_funds`` when a wallet has spent what is to be taken from it.
    """
    order = Refund(transaction_id, reference, amount, note, once, overdraw)
    return (await post(connection, [order], author))[0]


async def post(connection: Any, orders: Sequence[Order], author: Author) -> list[Posted | None]:
    """Post all of `orders`, or raise and post none; the result has their order.

    None: nothing was to be posted, see `charge` and `refund`. Raises as they do.
    """
    if not orders:
        return []
    refunds = {order.transaction_id for order in orders if isinstance(order, Refund)}
    originals = await read_originals(connection, refunds) if refunds else {}
    wallets = await read_wallets(connection, wallets_needed(orders, originals))
    contra = await lock_contra_books(connection, contra_books_needed(orders, originals, wallets))
    # Only now: what was posted before, and what was taken back, changes no more.
    keys = {key for order in orders if (key := once_key_of(order, originals)) is not None}
    before = await _posted_before(connection, keys) if keys else {}
    taken_back = await read_taken_back(connection, refunds) if refunds else {}
    plan = plan_postings(orders, originals, wallets, taken_back, before)
    books = OpenBooks([*(wallet.book for wallet in wallets.values()), *contra])
    made = await _post(connection, [p for p in plan if isinstance(p, Posting)], books, author)
    return _told(plan, made, before)


async def wallet_of(connection: Any, account_id: int, *, lock: bool = False) -> Wallet:
    """`lock`: nobody else posts to it until the transaction ends.

    Raises CallctlError("not_found").
    """
    book = (await read_wallets(connection, [account_id], lock=lock))[account_id].book
    return Wallet(account_id, book.currency, book.balance, book.held)


async def hold(connection: Any, *, account_id: int, amount: int, reference: str) -> int:
    """Set `amount` aside and return the hold's id.

    It can be released, or spent by what is posted with `uses_hold`. Raises CallctlError:
    ``insufficient_funds``, ``not_found``; ValueError for an amount that is not positive.
    """
    if amount <= 0:
        raise ValueError(f"a hold is positive, not {amount}")
    book = (await read_wallets(connection, [account_id]))[account_id].book
    books = OpenBooks([book])
    books.hold(book.key, book.currency, amount)
    hold_id: int = await connection.fetchval(HOLD_INSERT, account_id, book.id, amount, reference)
    await _write_held(connection, books, book)
    return hold_id


async def release(connection: Any, hold_id: int) -> bool:
    """Let a hold go. False when it was released or spent before, or never was."""
    account_id = await connection.fetchval(HOLD_ACCOUNT, hold_id)
    if account_id is None:
        return False
    book = (await read_wallets(connection, [account_id]))[account_id].book
    released = await connection.fetchrow(HOLDS_RELEASE, [hold_id])
    if released is None:
        return False
    books = OpenBooks([book])
    books.release(book.key, book.currency, released["amount"])
    await _write_held(connection, books, book)
    return True


async def _write_held(connection: Any, books: OpenBooks, book: Book) -> None:
    await connection.execute(BOOK_HELD, book.id, books.get(book.key, book.currency).held)


async def _posted_before(connection: Any, keys: Collection[OnceKey]) -> dict[OnceKey, Posted]:
    rows = await connection.fetch(
        POSTED_BEFORE, [key.account_id for key in keys], [key.once for key in keys]
    )
    return {
        OnceKey(row["account_id"], row["once"]): Posted(
            row["id"], row["account_id"], row["seq"], row["amount"], row["balance"],
            row["currency"], row["posted_at"], repeated=True,
        )
        for row in rows
    }  # fmt: skip


async def _post(
    connection: Any, postings: Sequence[Posting], books: OpenBooks, author: Author
) -> list[Posted]:
    if not postings:
        return []
    await _release_used(connection, postings, books)
    rows = await connection.fetch(TRANSACTION_IDS, len(postings))
    posted_at = rows[0]["at"]
    made: list[Posted] = []
    for row, posting in zip(rows, postings, strict=True):
        books.post(posting, row["id"], author, posted_at)
        wallet = books.get(BookKey(posting.account_id), posting.currency)
        made.append(
            Posted(
                row["id"], posting.account_id, wallet.seq, posting.wallet_line.amount,
                wallet.balance, posting.currency, posted_at,
            )
        )  # fmt: skip
    numbered = [(posted.transaction_id, p) for posted, p in zip(made, postings, strict=True)]
    await write_postings(connection, numbered, books, author, posted_at)
    return made


async def _release_used(connection: Any, postings: Sequence[Posting], books: OpenBooks) -> None:
    """Raises CallctlError("conflict") for a hold that is not open, or another account's."""
    users = {p.uses_hold: p for p in postings if p.uses_hold is not None}
    if not users:
        return
    rows = await connection.fetch(HOLDS_RELEASE, list(users))
    released = {row["id"]: row for row in rows}
    for hold_id, posting in users.items():
        row = released.get(hold_id)
        if row is None or row["account_id"] != posting.account_id:
            raise CallctlError("conflict", f"there is no hold {hold_id} of this account any more")
        books.release(BookKey(posting.account_id), posting.currency, row["amount"])


def _told(
    plan: Sequence[Posting | OnceKey | None], made: Sequence[Posted], before: dict[OnceKey, Posted]
) -> list[Posted | None]:
    """What each order came to. One that repeats another of the same act was posted by that."""
    told: list[Posted | None] = []
    known = dict(before)
    rest = iter(made)
    for item in plan:
        if isinstance(item, Posting):
            posted = next(rest)
            if item.once is not None:
                known[OnceKey(item.account_id, item.once)] = replace(posted, repeated=True)
            told.append(posted)
        else:
            told.append(None if item is None else known[item])
    return told
