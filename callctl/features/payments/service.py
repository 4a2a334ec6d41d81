"""Payments through a provider: begun here, paid there, credited when the provider says so.

A payment's row is there before the provider is asked, so that whatever the provider says of it
later finds it, also when its first answer was lost. What it says is proved by its signature, and
credited once however often it comes.
"""

from typing import Any

from callctl.core.author import Author
from callctl.core.errors import CallctlError
from callctl.core.money.movements import require_currency, top_up_posting
from callctl.core.money.payments import PaymentState, payment_after_news
from callctl.core.money.postings import BookKind
from callctl.db.audit import record_change
from callctl.db.funds import post_funds
from callctl.db.idempotency import RequestKey, answer_once
from callctl.db.pool import Database
from callctl.db.tree import get_node, operator_of
from callctl.features.payments import store
from callctl.features.payments.model import (
    CallbackTaken,
    NewPayment,
    PaymentFilters,
    PaymentView,
)
from callctl.features.payments.provider import PaymentNews, PaymentOrder, PaymentProvider
from callctl.http.endpoint import Actor, Page
from callctl.telemetry.log import get_logger

log = get_logger("callctl.payments")

CALLBACK_PATH = "/api/v1/payments/callback"


class PaymentService:
    """Every method that an actor calls sees their own account's payments only.

    `public_url` is where the provider reaches this server; None: it was told otherwise.
    """

    def __init__(
        self, db: Database, provider: PaymentProvider, public_url: str | None = None
    ) -> None:
        self._db = db
        self.provider = provider
        self._callback_url = public_url.rstrip("/") + CALLBACK_PATH if public_url else None

    async def list_payments(self, actor: Actor, filters: PaymentFilters) -> Page[PaymentView]:
        """The newest first."""
        rows = await self._db.fetch(
            store.PAYMENTS, actor.account_id, filters.state,
            int(filters.cursor) if filters.cursor else None, filters.limit + 1,
        )  # fmt: skip
        items = [PaymentView(**row) for row in rows[: filters.limit]]
        return Page(items, str(items[-1].id) if len(rows) > filters.limit else None)

    async def get(self, actor: Actor, id_: int) -> PaymentView:
        """Raises CallctlError("not_found")."""
        row = await self._db.fetchrow(store.PAYMENT, actor.account_id, id_)
        if row is None:
            raise CallctlError("not_found", f"there is no payment {id_}")
        return PaymentView(**row)

    async def start(self, actor: Actor, new: NewPayment, key: RequestKey | None) -> PaymentView:
        """Begin to pay: the answer says where the payer goes.

        Raises CallctlError: `currency_mismatch`, `conflict` (the operator pays nobody),
        `payment_provider_unavailable` (with the same key, the same payment is tried again),
        `payment_refused`, `idempotency_conflict`.
        """
        async with self._db.transaction() as connection:

            async def act() -> PaymentView:
                account = await get_node(connection, actor.account_id)
                if account.parent_id is None:
                    raise CallctlError("conflict", "the operator pays nobody: it tops itself up")
                require_currency(new.currency, account.currency)
                row = await connection.fetchrow(
                    store.PAYMENT_INSERT, account.id, self.provider.name, new.amount, new.currency,
                    actor.author.responsible_id, actor.name,
                )  # fmt: skip
                made = PaymentView(**row)
                after = {"amount": made.amount, "currency": made.currency}
                await _record(
                    connection, account.id, actor.author, PaymentState.STARTED, made.id, after
                )
                return made

            started = await answer_once(connection, key, PaymentView, act)
        payment = await self.get(actor, started.id)
        return await self._ask_provider(actor, payment) if payment.state == "started" else payment

    async def _ask_provider(self, actor: Actor, payment: PaymentView) -> PaymentView:
        order = PaymentOrder(str(payment.id), payment.amount, payment.currency, self._callback_url)
        taken = await self.provider.start(order)
        row = await self._db.fetchrow(
            store.PAYMENT_TAKEN, actor.account_id, payment.id, taken.provider_ref, taken.pay_url
        )
        return PaymentView(**row)

    async def take_news(self, news: PaymentNews) -> CallbackTaken:
        """What the provider says of a payment; credited once.

        Raises CallctlError: `not_found`; `conflict` when it speaks of another amount, currency or
        payment than it was asked for.
        """
        async with self._db.transaction() as connection:
            row = await self._lock(connection, news)
            before = PaymentState(row["state"])
            after = payment_after_news(before, news.state)
            if after is not before:
                transaction_id = None
                if after is PaymentState.PAID:
                    transaction_id = await self._credit(connection, row)
                await connection.execute(
                    store.PAYMENT_NEWS, row["id"], after, transaction_id, news.provider_ref
                )
                values = {"amount": row["amount"], "currency": row["currency"]}
                await _record(connection, row["account_id"], self._author, after, row["id"], values)
        log.info("payment_news", id=row["id"], state=after.value, repeated=after is before)
        return CallbackTaken(news.reference, after.value)

    @property
    def _author(self) -> Author:
        return Author(f"provider:{self.provider.name}")

    async def _lock(self, connection: Any, news: PaymentNews) -> Any:
        text = news.reference
        is_id = text.isascii() and text.isdecimal() and len(text) <= 18
        row = None
        if is_id:
            row = await connection.fetchrow(store.PAYMENT_NAMED_LOCK, int(text), self.provider.name)
        if row is None:
            raise CallctlError("not_found", "there is no such payment")
        told = (news.amount, news.currency, news.provider_ref)
        asked = (row["amount"], row["currency"], row["provider_ref"] or news.provider_ref)
        if told != asked:
            log.error("payment_news_differ", id=row["id"], told=told, asked=asked)
            raise CallctlError("conflict", "this is not what the payment was asked for")
        return row

    async def _credit(self, connection: Any, row: Any) -> int:
        operator = await operator_of(connection, row["account_id"])
        reference = f"payment:{row['id']}"
        posting = top_up_posting(
            operator.id, row["account_id"], row["amount"], row["currency"],
            reference=reference, source=BookKind.CLEARING, once=reference,
        )  # fmt: skip
        return (await post_funds(connection, posting, self._author)).transaction_id


async def _record(
    connection: Any,
    account_id: int,
    author: Author,
    state: PaymentState,
    id_: int,
    after: dict[str, Any],
) -> None:
    await record_change(
        connection, account_id, author, f"payment.{state.value}", f"payment:{id_}", None, after
    )
