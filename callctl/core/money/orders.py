"""What features ask the ledger for, and which postings that makes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from callctl.core.errors import CallctlError
from callctl.core.money.books import Book
from callctl.core.money.postings import (
    BookKey,
    BookKind,
    EntryClass,
    Line,
    Posting,
    Source,
)


@dataclass(frozen=True, slots=True)
class Charge:
    """What an account pays to its seller, the account directly above it.

    `amount` is positive, in minor units of the account's currency; a `currency` that is given must
    be that one. The rest as in `Posting`.
    """

    account_id: int
    amount: int
    kind: str
    reference: str
    note: str = ""
    overdraw: bool = False
    once: str | None = None
    uses_hold: int | None = None
    currency: str | None = None

    def __post_init__(self) -> None:
        if self.amount <= 0:
            raise ValueError(f"a charge is positive, not {self.amount}")


@dataclass(frozen=True, slots=True)
class Refund:
    """Takes a transaction back, or `amount` of it; None = what has not been taken back yet.

    `overdraw`: also from a wallet that has spent it.
    """

    transaction_id: int
    reference: str
    amount: int | None = None
    note: str = ""
    once: str | None = None
    overdraw: bool = False

    def __post_init__(self) -> None:
        if self.amount is not None and self.amount <= 0:
            raise ValueError(f"a refund is positive, not {self.amount}")


Order = Charge | Refund | Posting
"""What can be posted."""


@dataclass(frozen=True, slots=True)
class PostedLine:
    """A line of a transaction that was posted. `seq` is its number in the book."""

    book: BookKey
    seq: int
    amount: int


@dataclass(frozen=True, slots=True)
class Original:
    """A transaction that is to be taken back."""

    account_id: int
    currency: str
    kind: str
    lines: tuple[PostedLine, ...]


@dataclass(frozen=True, slots=True)
class AccountWallet:
    """A wallet, and who sells to its account; None = nobody."""

    book: Book
    seller_id: int | None


class OnceKey(NamedTuple):
    """The first posting of an account under this name is the only one."""

    account_id: int
    once: str


Originals = Mapping[int, Original]
Wallets = Mapping[int, AccountWallet]


def once_key_of(order: Order, originals: Originals) -> OnceKey | None:
    if order.once is None:
        return None
    if isinstance(order, Refund):
        return OnceKey(originals[order.transaction_id].account_id, order.once)
    return OnceKey(order.account_id, order.once)


def wallets_needed(orders: Sequence[Order], originals: Originals) -> set[int]:
    """Accounts whose wallets the orders touch."""
    keys = {BookKey(order.account_id) for order in orders if isinstance(order, Charge)}
    for order in orders:
        keys |= {book for book, _ in _books_of(order, originals)}
    return {key.account_id for key in keys if key.kind is BookKind.WALLET}


def contra_books_needed(
    orders: Sequence[Order], originals: Originals, wallets: Wallets
) -> set[tuple[BookKey, str]]:
    """(Book, currency) of every other book that they touch."""
    keys: set[tuple[BookKey, str]] = set()
    for order in orders:
        keys |= _books_of(order, originals)
        if isinstance(order, Charge):
            wallet = wallets[order.account_id]
            if wallet.seller_id is not None:
                keys.add((BookKey(wallet.seller_id, BookKind.INCOME), wallet.book.currency))
    return {key for key in keys if key[0].kind is not BookKind.WALLET}


def _books_of(order: Order, originals: Originals) -> set[tuple[BookKey, str]]:
    match order:
        case Refund():
            original = originals[order.transaction_id]
            return {(line.book, original.currency) for line in original.lines}
        case Posting():
            return {(line.book, order.currency) for line in order.lines}
        case Charge():
            return set()


def plan_postings(
    orders: Sequence[Order],
    originals: Originals,
    wallets: Wallets,
    taken_back: Mapping[int, int],
    before: Collection[OnceKey],
) -> list[Posting | OnceKey | None]:
    """What each order comes to: a posting, one that was made before, or nothing.

    `taken_back` is how much of each original was taken back before, `before` what was posted
    before. Raises CallctlError("conflict"): see `charge_posting`, `refund_posting`; a wallet has
    another currency than what is posted.
    """
    seen = set(before)
    left = dict(taken_back)
    plan: list[Posting | OnceKey | None] = []
    for order in orders:
        key = once_key_of(order, originals)
        if key is not None and key in seen:
            plan.append(key)
            continue
        match order:
            case Charge():
                posting = charge_posting(order, wallets[order.account_id])
            case Refund():
                number = order.transaction_id
                posting = refund_posting(order, originals[number], left.get(number, 0))
                if posting is not None:
                    left[number] = left.get(number, 0) + posting.size
            case Posting():
                posting = order
        if posting is not None:
            _require_currency(posting, wallets)
            if key is not None:
                seen.add(key)
        plan.append(posting)
    return plan


def charge_posting(order: Charge, wallet: AccountWallet) -> Posting | None:
    """None: nobody sells to this account. Raises CallctlError("conflict") for a currency that is
    not the account's."""
    currency = wallet.book.currency
    if order.currency not in (None, currency):
        raise CallctlError("conflict", f"the account pays in {currency}, not in {order.currency}")
    if wallet.seller_id is None:
        return None
    lines = (
        Line(BookKey(order.account_id), -order.amount, EntryClass.OUT, Source.SYSTEM),
        Line(BookKey(wallet.seller_id, BookKind.INCOME), order.amount),
    )
    return Posting(
        order.account_id, currency, order.kind, order.reference, lines, order.note, order.once,
        order.overdraw, order.uses_hold,
    )  # fmt: skip


def refund_posting(order: Refund, original: Original, taken_back: int) -> Posting | None:
    """The reverse of `original`, None when all of it was taken back before.

    Raises CallctlError("conflict") for more than is left, for a correction, and for a transaction
    of more than two lines.
    """
    if original.kind == "correction" or len(original.lines) != 2:
        raise CallctlError("conflict", f"a transaction of kind {original.kind} is not taken back")
    left = sum(line.amount for line in original.lines if line.amount > 0) - taken_back
    amount = left if order.amount is None else order.amount
    if order.amount is None and left == 0:
        return None
    if amount > left:
        raise CallctlError(
            "conflict", "more than is left of the transaction", detail={"left": left}
        )
    lines = tuple(_reverse(line, amount) for line in original.lines)
    return Posting(
        original.account_id, original.currency, "correction", order.reference, lines, order.note,
        order.once, order.overdraw,
    )  # fmt: skip


def _reverse(line: PostedLine, amount: int) -> Line:
    signed = -amount if line.amount > 0 else amount
    if line.book.kind is BookKind.WALLET:
        return Line(line.book, signed, EntryClass.OUT, Source.SYSTEM, line.seq)
    return Line(line.book, signed)


def _require_currency(posting: Posting, wallets: Wallets) -> None:
    for line in posting.lines:
        if line.book.kind is BookKind.WALLET:
            currency = wallets[line.book.account_id].book.currency
            if currency != posting.currency:
                message = f"account {line.book.account_id} has {currency}, not {posting.currency}"
                raise CallctlError("conflict", message)
