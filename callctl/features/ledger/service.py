"""An account's wallet: what is in it, what went through it, and money given downwards."""

from typing import Any

from callctl.core.author import Author
from callctl.core.errors import CallctlError
from callctl.core.lines import checked_line
from callctl.core.money.movements import issue_posting, require_currency, top_up_posting
from callctl.core.money.postings import Posting
from callctl.db.audit import record_change
from callctl.db.funds import post_funds
from callctl.db.idempotency import RequestKey, answer_once
from callctl.db.ledger import Posted, wallet_of
from callctl.db.pool import Database, Reads
from callctl.db.tree import get_node, require_directly_below, superior_of
from callctl.features.ledger import store
from callctl.features.ledger.model import (
    IssuedFunds,
    IssueFunds,
    LedgerEntry,
    LedgerFilters,
    TopUp,
    WalletFilters,
    WalletView,
)
from callctl.http.endpoint import Actor, Page
from callctl.telemetry.log import get_logger

log = get_logger("callctl.ledger")


class LedgerService:
    """One's own wallet, and those of accounts directly below; any other is not there."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def get_wallet(self, actor: Actor) -> WalletView:
        async with self._db.connection() as connection:
            return await _wallet(connection, actor.account_id)

    async def list_entries(self, actor: Actor, filters: LedgerFilters) -> Page[LedgerEntry]:
        """The newest first. Raises CallctlError("invalid_field")."""
        return await statement_page(self._db, actor.account_id, filters)

    async def get_wallet_below(self, actor: Actor, account_id: int) -> WalletView:
        """Raises CallctlError("not_found")."""
        async with self._db.connection() as connection:
            await require_directly_below(connection, actor.account_id, account_id)
            return await _wallet(connection, account_id)

    async def list_wallets_below(self, actor: Actor, filters: WalletFilters) -> Page[WalletView]:
        """Of accounts directly below, by account."""
        rows = await self._db.fetch(
            store.WALLETS_BELOW, actor.account_id, filters.account_id, filters.cursor,
            filters.limit + 1,
        )  # fmt: skip
        items = [WalletView(**row) for row in rows[: filters.limit]]
        return Page(items, str(items[-1].account_id) if len(rows) > filters.limit else None)

    async def list_entries_below(
        self, actor: Actor, account_id: int, filters: LedgerFilters
    ) -> Page[LedgerEntry]:
        """Raises CallctlError: `not_found`, `invalid_field`."""
        await require_directly_below(self._db, actor.account_id, account_id)
        return await statement_page(self._db, account_id, filters)

    async def issue(self, actor: Actor, new: IssueFunds, key: RequestKey | None) -> IssuedFunds:
        """Give funds to an account directly below (R000-11).

        Raises CallctlError: `not_found`, `currency_mismatch`, `insufficient_funds`,
        `idempotency_conflict`.
        """
        note = checked_line(new.note, "body.note")
        async with self._db.transaction() as connection:

            async def act() -> IssuedFunds:
                giver = await get_node(connection, actor.account_id)
                taker = await require_directly_below(connection, giver.id, new.account_id)
                require_currency(new.currency, giver.currency)
                require_currency(new.currency, taker.currency)
                posting = issue_posting(
                    giver.id, taker.id, new.amount, new.currency,
                    reference=f"account:{giver.id}", note=note,
                )  # fmt: skip
                return await _give(connection, actor, posting, "funds.issued")

            return await answer_once(connection, key, IssuedFunds, act)

    async def top_up(self, actor: Actor, new: TopUp, key: RequestKey | None) -> IssuedFunds:
        """Credit money that came from outside: the operator's, to anybody in its tree.

        Raises CallctlError: `not_found`, `conflict` (this account is no operator),
        `currency_mismatch`, `idempotency_conflict`.
        """
        note = checked_line(new.note, "body.note")
        async with self._db.transaction() as connection:

            async def act() -> IssuedFunds:
                if await superior_of(connection, actor.account_id) is not None:
                    raise CallctlError("conflict", "money from outside comes in at the operator")
                account_id = new.account_id or actor.account_id
                if not await connection.fetchval(store.IS_BELOW, actor.account_id, account_id):
                    raise CallctlError("not_found", f"no account with the id {account_id}")
                taker = await get_node(connection, account_id)
                require_currency(new.currency, taker.currency)
                posting = top_up_posting(
                    actor.account_id, taker.id, new.amount, new.currency,
                    reference=f"account:{actor.account_id}", note=note,
                )  # fmt: skip
                return await _give(connection, actor, posting, "funds.topped_up")

            return await answer_once(connection, key, IssuedFunds, act)


async def statement_page(
    reads: Reads, account_id: int, filters: LedgerFilters
) -> Page[LedgerEntry]:
    """One page, the newest first. Raises CallctlError("invalid_field")."""
    check_filters(filters)
    rows = await reads.fetch(
        store.STATEMENT, account_id, filters.since, filters.until, filters.entry_class,
        filters.source, filters.kind, int(filters.cursor) if filters.cursor else None,
        filters.limit + 1,
    )  # fmt: skip
    items = [LedgerEntry(**row) for row in rows[: filters.limit]]
    return Page(items, str(items[-1].seq) if len(rows) > filters.limit else None)


def check_filters(filters: LedgerFilters) -> None:
    """Raises CallctlError("invalid_field") for a period that ends before it starts."""
    if filters.since and filters.until and filters.since > filters.until:
        raise CallctlError("invalid_field", "the period ends before it starts", "query.until")


async def _wallet(connection: Any, account_id: int) -> WalletView:
    wallet = await wallet_of(connection, account_id)
    return WalletView(account_id, wallet.currency, wallet.balance, wallet.held, wallet.available)


async def _give(connection: Any, actor: Actor, posting: Posting, action: str) -> IssuedFunds:
    posted = await post_funds(connection, posting, actor.author)
    await _record(connection, actor.account_id, actor.author, action, posting, posted)
    if posting.account_id != actor.account_id:
        await _record(connection, posting.account_id, actor.author, action, posting, posted)
    log.info("funds_given", kind=posting.kind, account=posting.account_id, actor=actor.name)
    return IssuedFunds(
        posted.transaction_id, posting.account_id, posted.amount, posting.currency,
        posted.posted_at, await _wallet(connection, actor.account_id),
    )  # fmt: skip


async def _record(
    connection: Any, account_id: int, author: Author, action: str, posting: Posting, posted: Posted
) -> None:
    after = {
        "account_id": posting.account_id,
        "amount": posted.amount,
        "currency": posting.currency,
        "note": posting.note,
    }
    subject = f"transaction:{posted.transaction_id}"
    await record_change(connection, account_id, author, action, subject, None, after)
