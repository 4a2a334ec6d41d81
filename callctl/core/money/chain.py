"""The chain of entries: each holds the SHA-256 of itself and of the entry before it in its book.

Whoever has one hash can prove every entry before it. docs/money.md says how to compute it without
callctl.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from callctl.core.money.postings import BookKey

VERSION = "callctl-ledger-1"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry with all that its hash covers. `amount` and `balance` (the book's, after it) are
    minor units; `author_id` None = no person."""

    book: BookKey
    currency: str
    seq: int
    transaction_id: int
    kind: str
    reference: str
    note: str
    author_id: int | None
    author: str
    posted_at: datetime
    amount: int
    balance: int
    entry_class: str | None
    source: str | None
    corrects: int | None


def canonical_bytes(entry: Entry, previous: bytes) -> bytes:
    """A JSON array in ASCII without blanks: the version, the hash before in hex (empty for a
    book's first entry), then the fields in the order of `Entry`, the time as microseconds since
    1970."""
    return json.dumps(
        [
            VERSION,
            previous.hex(),
            entry.book.account_id,
            str(entry.book.kind),
            entry.currency,
            entry.seq,
            entry.transaction_id,
            entry.kind,
            entry.reference,
            entry.note,
            entry.author_id,
            entry.author,
            (entry.posted_at - _EPOCH) // timedelta(microseconds=1),
            entry.amount,
            entry.balance,
            entry.entry_class,
            entry.source,
            entry.corrects,
        ],
        ensure_ascii=True,
        separators=(",", ":"),
    ).encode("ascii")


def entry_hash(entry: Entry, previous: bytes) -> bytes:
    """`previous` is the hash of the entry before in the book, empty for the first."""
    return hashlib.sha256(canonical_bytes(entry, previous)).digest()
