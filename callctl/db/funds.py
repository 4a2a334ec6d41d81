"""Money that comes into an account: posted, and told to whoever listens there."""

from typing import Any

from callctl.core.author import Author
from callctl.core.event_kinds import EventKind
from callctl.core.money.postings import BookKey, EntryClass, Posting
from callctl.db.ledger import Posted, post
from callctl.db.outbox import OutboxEvent, append_events

RECEIVED_FIELDS = ("transaction_id", "kind", "reference", "amount", "currency", "note")
"""The data of `funds.received` (docs/money.md)."""


async def post_funds(connection: Any, posting: Posting, author: Author) -> Posted:
    """Post it, with a `funds.received` for each wallet that gains. Raises as `ledger.post`."""
    (posted,) = await post(connection, [posting], author)
    assert posted is not None  # A posting always comes to something.
    if not posted.repeated:
        await append_events(connection, _received(posting, posted))
    return posted


def _received(posting: Posting, posted: Posted) -> list[OutboxEvent]:
    return [
        OutboxEvent(
            line.book.account_id,
            EventKind.FUNDS_RECEIVED,
            f"transaction:{posted.transaction_id}",
            {
                "transaction_id": posted.transaction_id,
                "kind": posting.kind,
                "reference": posting.reference,
                "amount": line.amount,
                "currency": posting.currency,
                "note": posting.note,
            },
        )
        for line in posting.lines
        if line.book == BookKey(line.book.account_id) and line.entry_class is EntryClass.IN
    ]
