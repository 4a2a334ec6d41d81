"""Invoice requests: a legal entity asks its superior, who invoices, and credits what was paid."""

from typing import Any

import asyncpg
from msgspec import structs, to_builtins

from callctl.core.errors import CallctlError
from callctl.core.event_kinds import EventKind
from callctl.core.lines import checked_line
from callctl.core.money.movements import issue_posting, require_currency, top_up_posting
from callctl.core.money.payments import InvoiceState, require_next_invoice_state
from callctl.core.money.postings import Posting
from callctl.db.audit import record_change
from callctl.db.funds import post_funds
from callctl.db.idempotency import RequestKey, answer_once
from callctl.db.outbox import OutboxEvent, append_events
from callctl.db.pool import Database
from callctl.db.tree import get_node
from callctl.features.payments import store
from callctl.features.payments.model import (
    AnswerInvoiceRequest,
    InvoiceFilters,
    InvoiceRequestView,
    NewInvoiceRequest,
)
from callctl.http.endpoint import Actor, Page


class InvoiceService:
    """An account sees its own requests, and its superior those that it has to answer."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def list_own(self, actor: Actor, filters: InvoiceFilters) -> Page[InvoiceRequestView]:
        """The newest first."""
        return await self._page(store.REQUESTS, actor, filters)

    async def list_to_answer(
        self, actor: Actor, filters: InvoiceFilters
    ) -> Page[InvoiceRequestView]:
        """Those of accounts directly below, the newest first."""
        return await self._page(store.REQUESTS_TO_ANSWER, actor, filters)

    async def request(
        self, actor: Actor, new: NewInvoiceRequest, key: RequestKey | None
    ) -> InvoiceRequestView:
        """Raises CallctlError: `conflict` (nobody is above the operator), `currency_mismatch`,
        `invalid_field`, `idempotency_conflict`."""
        texts = [
            checked_line(text, f"body.{field}")
            for field, text in (
                ("legal_name", new.legal_name), ("tax_number", new.tax_number),
                ("address", new.address), ("note", new.note),
            )
        ]  # fmt: skip
        if not texts[0]:
            raise CallctlError("invalid_field", "is blank", "body.legal_name")
        async with self._db.transaction() as connection:

            async def act() -> InvoiceRequestView:
                account = await get_node(connection, actor.account_id)
                if account.parent_id is None:
                    raise CallctlError("conflict", "nobody is above the operator to invoice it")
                require_currency(new.currency, account.currency)
                row = await connection.fetchrow(
                    store.REQUEST_INSERT, account.id, account.parent_id, new.amount, new.currency,
                    *texts, actor.name,
                )  # fmt: skip
                made = InvoiceRequestView(**row)
                await _record(connection, actor, account.id, None, made)
                await _tell(connection, EventKind.INVOICE_REQUESTED, made.seller_id, made)
                return made

            return await answer_once(connection, key, InvoiceRequestView, act)

    async def answer(
        self, actor: Actor, id_: int, answer: AnswerInvoiceRequest, key: RequestKey | None
    ) -> InvoiceRequestView:
        """Invoice it, decline it, or say that it was paid, which credits the money.

        An operator credits it from outside; a reseller gives of its own.

        Raises CallctlError: `not_found`, `conflict`, `already_exists` (the number),
        `currency_mismatch`, `insufficient_funds`, `invalid_field`, `idempotency_conflict`.
        """
        reason = checked_line(answer.reason, "body.reason")
        number = _checked_number(answer)
        wanted = InvoiceState(answer.state)
        try:
            async with self._db.transaction() as connection:

                async def act() -> InvoiceRequestView:
                    row = await connection.fetchrow(store.REQUEST_LOCK, actor.account_id, id_)
                    if row is None:
                        raise CallctlError("not_found", f"there is no invoice request {id_}")
                    before = InvoiceRequestView(**row)
                    require_next_invoice_state(InvoiceState(before.state), wanted)
                    paid = None
                    if wanted is InvoiceState.PAID:
                        paid = await _credit(connection, actor, before)
                    answered = await connection.fetchrow(
                        store.REQUEST_ANSWERED, actor.account_id, id_, wanted,
                        number or before.invoice_number, reason, paid,
                    )  # fmt: skip
                    after = InvoiceRequestView(**answered)
                    for account_id in (after.seller_id, after.account_id):
                        await _record(connection, actor, account_id, before, after)
                    await _tell(connection, EventKind.INVOICE_CHANGED, after.account_id, after)
                    return after

                return await answer_once(connection, key, InvoiceRequestView, act)
        except asyncpg.UniqueViolationError:
            raise CallctlError(
                "already_exists", "another invoice has this number", "body.invoice_number"
            ) from None

    async def _page(
        self, sql: str, actor: Actor, filters: InvoiceFilters
    ) -> Page[InvoiceRequestView]:
        rows = await self._db.fetch(
            sql, actor.account_id, filters.state,
            int(filters.cursor) if filters.cursor else None, filters.limit + 1,
        )  # fmt: skip
        items = [InvoiceRequestView(**row) for row in rows[: filters.limit]]
        return Page(items, str(items[-1].id) if len(rows) > filters.limit else None)


def _checked_number(answer: AnswerInvoiceRequest) -> str | None:
    """An invoice has a number from the moment it is sent. Raises CallctlError("invalid_field")."""
    field = "body.invoice_number"
    number = checked_line(answer.invoice_number or "", field) or None
    if (answer.state == "invoiced") != (number is not None):
        raise CallctlError("invalid_field", "goes with invoiced, and with nothing else", field)
    return number


async def _credit(connection: Any, actor: Actor, request: InvoiceRequestView) -> int:
    seller = await get_node(connection, actor.account_id)
    account = await get_node(connection, request.account_id)
    require_currency(request.currency, account.currency, "path.id")
    posting = _posting(seller.id, request, from_outside=seller.parent_id is None)
    if seller.parent_id is not None:
        require_currency(request.currency, seller.currency, "path.id")
    return (await post_funds(connection, posting, actor.author)).transaction_id


def _posting(seller_id: int, request: InvoiceRequestView, *, from_outside: bool) -> Posting:
    reference, note = f"invoice:{request.id}", f"invoice {request.invoice_number}"
    if from_outside:
        return top_up_posting(
            seller_id, request.account_id, request.amount, request.currency,
            reference=reference, note=note, once=reference,
        )  # fmt: skip
    return issue_posting(
        seller_id, request.account_id, request.amount, request.currency,
        reference=reference, kind="top_up", note=note, once=reference,
    )  # fmt: skip


async def _record(
    connection: Any,
    actor: Actor,
    account_id: int,
    before: InvoiceRequestView | None,
    after: InvoiceRequestView,
) -> None:
    old, new = (None if view is None else to_builtins(view) for view in (before, after))
    await record_change(
        connection, account_id, actor.author, f"invoice.{after.state}",
        f"invoice_request:{after.id}", old, new,
    )  # fmt: skip


async def _tell(
    connection: Any, kind: EventKind, account_id: int, request: InvoiceRequestView
) -> None:
    subject = f"invoice_request:{request.id}"
    await append_events(
        connection, [OutboxEvent(account_id, kind, subject, structs.asdict(request))]
    )
