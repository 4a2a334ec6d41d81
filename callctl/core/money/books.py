"""Books, and what a posting makes of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from callctl.core.author import Author
from callctl.core.errors import CallctlError
from callctl.core.money.chain import Entry, entry_hash
from callctl.core.money.currencies import MAX_BALANCE
from callctl.core.money.postings import BookKey, BookKind, Line, Posting


@dataclass(frozen=True, slots=True)
class Book:
    """A book as it stands: `balance` and `held` in minor units, the number and the hash of its
    last entry (0 and empty: it has none)."""

    id: int
    key: BookKey
    currency: str
    balance: int = 0
    held: int = 0
    seq: int = 0
    hash: bytes = b""

    @property
    def available(self) -> int:
        """What can be spent."""
        return self.balance - self.held


@dataclass(frozen=True, slots=True)
class ChainedEntry:
    """An entry with its hash and the id of its book, ready to be stored."""

    book_id: int
    entry: Entry
    hash: bytes


class OpenBooks:
    """The books of one act of posting, changed in memory by one posting after the other."""

    def __init__(self, books: Sequence[Book]) -> None:
        self._books = {(book.key, book.currency): book for book in books}
        self.entries: list[ChainedEntry] = []

    def get(self, key: BookKey, currency: str) -> Book:
        return self._books[key, currency]

    def all(self) -> list[Book]:
        """As they stand now."""
        return list(self._books.values())

    def hold(self, key: BookKey, currency: str, amount: int) -> None:
        """Set `amount` aside. Raises CallctlError("insufficient_funds")."""
        book = self._books[key, currency]
        require_funds(book, amount)
        self._books[key, currency] = replace(book, held=book.held + amount)

    def release(self, key: BookKey, currency: str, amount: int) -> None:
        book = self._books[key, currency]
        self._books[key, currency] = replace(book, held=book.held - amount)

    def post(
        self, posting: Posting, transaction_id: int, author: Author, posted_at: datetime
    ) -> None:
        """Append the posting's entries.

        Raises CallctlError: ``insufficient_funds``; ``conflict`` for a book that would hold more
        than `MAX_BALANCE`. Some books are changed then: the whole act has failed.
        """
        for line in posting.lines:
            book = self._books[line.book, posting.currency]
            if line.amount < 0 and book.key.kind is BookKind.WALLET and not posting.overdraw:
                require_funds(book, -line.amount)
            self._append(book, line, posting, transaction_id, author, posted_at)

    def _append(
        self,
        book: Book,
        line: Line,
        posting: Posting,
        transaction_id: int,
        author: Author,
        posted_at: datetime,
    ) -> None:
        balance = book.balance + line.amount
        if abs(balance) > MAX_BALANCE:
            raise CallctlError("conflict", f"a book of account {book.key.account_id} is full")
        entry = Entry(
            book.key, book.currency, book.seq + 1, transaction_id, posting.kind, posting.reference,
            posting.note, author.user_id, author.name, posted_at, line.amount, balance,
            line.entry_class, line.source, line.corrects,
        )  # fmt: skip
        digest = entry_hash(entry, book.hash)
        self.entries.append(ChainedEntry(book.id, entry, digest))
        self._books[book.key, book.currency] = replace(
            book, balance=balance, seq=entry.seq, hash=digest
        )


def require_funds(book: Book, amount: int) -> None:
    """Raises CallctlError("insufficient_funds"), with what is missing."""
    if amount > book.available:
        raise CallctlError(
            "insufficient_funds",
            "the account does not have that much",
            detail={
                "needed": amount,
                "available": book.available,
                "shortfall": amount - book.available,
                "currency": book.currency,
            },
        )
