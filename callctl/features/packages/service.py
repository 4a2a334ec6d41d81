"""Packages: quoted, paid once, in force at once (R004-02 to R004-10)."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from callctl.core.errors import CallctlError
from callctl.core.event_kinds import EventKind
from callctl.core.money.currencies import EXPONENTS
from callctl.core.packages import (
    Costs,
    Order,
    Package,
    PackageState,
    cost_of,
    fulfil,
    package_required,
)
from callctl.core.permissions import Scope
from callctl.db import ledger
from callctl.db.audit import record_change
from callctl.db.idempotency import RequestKey, answer_once, transact_once
from callctl.db.outbox import OutboxEvent, append_events
from callctl.db.pool import Database
from callctl.features.packages import store
from callctl.features.packages.model import (
    NewQuote,
    NewSeat,
    PackageChange,
    PackageFilters,
    PackageTerms,
    PackageView,
    PaidQuote,
    QuoteFilters,
    QuoteView,
    SeatFilters,
    SeatView,
)
from callctl.http.endpoint import Actor, Empty, Page
from callctl.telemetry.clock import Clock, utc_now
from callctl.telemetry.log import get_logger

log = get_logger("callctl.packages")

OnChange = Callable[[], Awaitable[object]]


async def _nothing() -> None:
    """Where no routing is in use."""


class PackageService:
    """`on_change`: the routing in use must know who may use it; other processes hear of it by the
    database. Every change of a package waits for the account's row, so that a quote is paid, and a
    seat taken, by one at a time."""

    def __init__(
        self,
        db: Database,
        on_change: OnChange = _nothing,
        *,
        quote_minutes: int,
        clock: Clock = utc_now,
    ) -> None:
        self._db = db
        self._on_change = on_change
        self._quote_minutes = timedelta(minutes=quote_minutes)
        self._clock = clock

    # Packages, as the account and its seller see them

    async def list_packages(self, actor: Actor, filters: PackageFilters) -> Page[PackageView]:
        """One's own, and those of one's customers for whoever sells."""
        now = self._clock()
        rows = await self._db.fetch(
            store.PACKAGES_PAGE, actor.account_id, _sells(actor), filters.state, now,
            filters.required, filters.cursor, filters.account_id, filters.limit + 1,
        )  # fmt: skip
        items = [store.package_view(row, now) for row in rows[: filters.limit]]
        more = len(rows) > filters.limit
        return Page(items, str(items[-1].account_id) if more else None)

    async def get_package(self, actor: Actor, account_id: int) -> PackageView:
        """Raises CallctlError("not_found"), also for an account that is no customer."""
        return store.package_view(await _get(self._db, actor, account_id), self._clock())

    async def change_package(
        self,
        actor: Actor,
        account_id: int,
        change: PackageChange,
        request: RequestKey | None = None,
    ) -> PackageView:
        """Demand a package of a customer, or no more. In the logs of both.

        Raises CallctlError: `not_found`, `conflict` (it is one's own account, or there is no price
        that it could pay).
        """

        async def act(connection: Any) -> PackageView:
            await connection.execute(store.ACCOUNT_LOCK, account_id)
            before = await _get(connection, actor, account_id)
            if account_id == actor.account_id:
                raise CallctlError("conflict", "whether you need a package is your seller's to say")
            customer = store.customer_of(before)
            if change.required and customer.price is None:
                raise CallctlError("conflict", f"set a price in {customer.currency} first")
            await connection.execute(store.REQUIRE, actor.account_id, account_id, change.required)
            for log_of in (actor.account_id, account_id):
                await record_change(
                    connection, log_of, actor.author, "package.required", f"account:{account_id}",
                    {"required": before["required"]}, {"required": change.required},
                )  # fmt: skip
            await _notify(connection, account_id)
            after = await _get(connection, actor, account_id)
            return store.package_view(after, self._clock())

        changed = await transact_once(self._db, request, PackageView, act)
        await self._tell_routing()
        return changed

    # What one sells at

    async def get_terms(self, actor: Actor) -> PackageTerms:
        return store.terms_of(await self._db.fetchrow(store.TERMS, actor.account_id))

    async def save_terms(
        self, actor: Actor, terms: PackageTerms, request: RequestKey | None = None
    ) -> PackageTerms:
        """Raises CallctlError("invalid_field") for two prices in one currency, and for what is no
        currency."""
        prices = {price.currency: price.amount for price in terms.prices}
        if unknown := sorted(prices.keys() - EXPONENTS.keys()):
            raise CallctlError("invalid_field", f"no currency: {unknown[0]}", "body.prices")
        if len(prices) < len(terms.prices):
            raise CallctlError("invalid_field", "one price for each currency", "body.prices")
        days = sorted(set(terms.reminder_days))

        async def act(connection: Any) -> PackageTerms:
            await connection.execute(store.ACCOUNT_LOCK, actor.account_id)
            before = store.terms_of(await connection.fetchrow(store.TERMS, actor.account_id))
            await connection.execute(
                store.TERMS_SAVE, actor.account_id, prices, days, actor.author.name
            )
            after = store.terms_of(await connection.fetchrow(store.TERMS, actor.account_id))
            await record_change(
                connection, actor.account_id, actor.author, "package_terms.changed",
                "package_terms", _audited(before), _audited(after),
            )  # fmt: skip
            return after

        return await transact_once(self._db, request, PackageTerms, act)

    # Buying

    async def create_quote(
        self, actor: Actor, new: NewQuote, request: RequestKey | None = None
    ) -> QuoteView:
        """Raises CallctlError: `conflict` (there is one already, or nobody to buy from),
        `package_required`, `invalid_field`."""
        async with self._db.transaction() as connection:
            return await answer_once(
                connection, request, QuoteView, lambda: self._quote(connection, actor, new)
            )

    async def _quote(self, connection: Any, actor: Actor, new: NewQuote) -> QuoteView:
        now = self._clock()
        customer = store.customer_of(await _get(connection, actor, actor.account_id))
        if customer.seller_id is None:
            raise CallctlError("conflict", "no account is above this one: it needs no package")
        if customer.price is None:
            message = f"the seller has no price in {customer.currency}, this account's currency"
            raise CallctlError("conflict", message)
        order = Order(new.purchase, new.seats, new.months)
        costs = cost_of(order, customer.package, customer.price, now)
        row = await connection.fetchrow(
            store.QUOTE_INSERT, customer.account_id, customer.seller_id, costs.purchase,
            costs.seats, costs.months, customer.price, customer.currency, store.lines_of(costs),
            costs.amount, fulfil(costs, customer.package, now).term.until,
            store.basis_of(customer.package, now), now, actor.author.name,
            now + self._quote_minutes,
        )  # fmt: skip
        return store.quote_view(row, now)

    async def list_quotes(self, actor: Actor, filters: QuoteFilters) -> Page[QuoteView]:
        """The newest first."""
        rows = await self._db.fetch(
            store.QUOTES_PAGE, actor.account_id, filters.paid, filters.cursor, filters.limit + 1
        )
        now = self._clock()
        items = [store.quote_view(row, now) for row in rows[: filters.limit]]
        return Page(items, str(items[-1].id) if len(rows) > filters.limit else None)

    async def get_quote(self, actor: Actor, quote_id: int) -> QuoteView:
        """Raises CallctlError("not_found")."""
        row = await self._db.fetchrow(store.QUOTE, actor.account_id, quote_id)
        return store.quote_view(_found(row, quote_id), self._clock())

    async def pay_quote(
        self, actor: Actor, quote_id: int, request: RequestKey | None = None
    ) -> PaidQuote:
        """Charge the wallet, and have what was bought at once; all of it or nothing.

        Raises CallctlError: `not_found`, `quote_paid`, `quote_expired`, `quote_outdated`,
        `insufficient_funds`.
        """
        async with self._db.transaction() as connection:
            paid = await answer_once(
                connection, request, PaidQuote, lambda: self._pay(connection, actor, quote_id)
            )
        log.info("package_paid", account=actor.account_id, quote=quote_id, actor=actor.name)
        await self._tell_routing()
        return paid

    async def _pay(self, connection: Any, actor: Actor, quote_id: int) -> PaidQuote:
        account_id = actor.account_id
        await connection.execute(store.ACCOUNT_LOCK, account_id)
        quote = _found(
            await connection.fetchrow(store.QUOTE_LOCK, account_id, quote_id), quote_id
        )  # fmt: skip
        now = self._clock()
        row = await _get(connection, actor, account_id)
        before = store.package_of(row)
        _require_payable(quote, before, now)
        costs = store.costs_of(quote)
        after = fulfil(costs, before, now)
        await connection.execute(
            store.PACKAGE_SAVE, account_id, after.seats, after.term.since, after.term.months,
            after.term.until,
        )  # fmt: skip
        await record_change(
            connection, account_id, actor.author, "package.paid", f"quote:{quote_id}",
            _package_values(before), _package_values(after) | {"amount": costs.amount},
        )  # fmt: skip
        await append_events(connection, [_bought(account_id, quote, costs, after)])
        await _notify(connection, account_id)
        # Last: books stay locked until the transaction ends.
        transaction_id = await _charge(connection, actor, quote, costs)
        paid = await connection.fetchrow(
            store.QUOTE_PAID, account_id, quote_id, now, actor.author.name, transaction_id,
            after.term.until,
        )  # fmt: skip
        row = await _get(connection, actor, account_id)
        return PaidQuote(store.quote_view(paid, now), store.package_view(row, now))

    # Members

    async def list_seats(self, actor: Actor, filters: SeatFilters) -> Page[SeatView]:
        """Those that are taken, by user."""
        rows = await self._db.fetch(
            store.MEMBERS_PAGE, actor.account_id, filters.cursor, filters.limit + 1
        )
        items = [store.seat_view(row) for row in rows[: filters.limit]]
        return Page(items, str(items[-1].user_id) if len(rows) > filters.limit else None)

    async def add_member(
        self, actor: Actor, new: NewSeat, request: RequestKey | None = None
    ) -> SeatView:
        """Raises CallctlError: `package_required`, `not_found` (no such user), `conflict` (the user
        is blocked), `already_exists`, `seats_taken`."""
        async with self._db.transaction() as connection:
            seat = await answer_once(
                connection, request, SeatView, lambda: self._add(connection, actor, new.user_id)
            )
        await self._tell_routing()
        return seat

    async def _add(self, connection: Any, actor: Actor, user_id: int) -> SeatView:
        account_id = actor.account_id
        await connection.execute(store.ACCOUNT_LOCK, account_id)
        package = store.package_of(await _get(connection, actor, account_id))
        if package is None or package.state(self._clock()) is not PackageState.ACTIVE:
            raise package_required(package.term.until if package else None)
        active = await connection.fetchval(store.USER_ACTIVE, account_id, user_id)
        if active is None:
            raise CallctlError("not_found", f"no user with the id {user_id}")
        if not active:
            raise CallctlError("conflict", "this user is blocked")
        if await connection.fetchval(store.IS_MEMBER, account_id, user_id):
            raise CallctlError("already_exists", "this user has a seat", "body.user_id")
        if package.members >= package.seats:
            counts = {"seats": package.seats, "members": package.members}
            raise CallctlError("seats_taken", f"all {package.seats} seats are taken", None, counts)
        await connection.execute(store.MEMBER_INSERT, account_id, user_id, actor.author.name)
        seat = store.seat_view(await connection.fetchrow(store.MEMBER, account_id, user_id))
        await _record_member(connection, actor, "added", None, seat)
        await _notify(connection, account_id)
        return seat

    async def remove_member(
        self, actor: Actor, user_id: int, request: RequestKey | None = None
    ) -> Empty:
        """Frees the seat, without a refund. Raises CallctlError("not_found")."""
        account_id = actor.account_id

        async def act(connection: Any) -> Empty:
            await connection.execute(store.ACCOUNT_LOCK, account_id)
            row = await connection.fetchrow(store.MEMBER, account_id, user_id)
            if row is None:
                raise CallctlError("not_found", f"user {user_id} has no seat")
            await connection.execute(store.MEMBER_DELETE, account_id, user_id)
            await _record_member(connection, actor, "removed", store.seat_view(row), None)
            await _notify(connection, account_id)
            return Empty()

        await transact_once(self._db, request, Empty, act)
        await self._tell_routing()
        return Empty()

    async def _tell_routing(self) -> None:
        # It is done, and who listens to the database has been told: here it only gets sooner.
        with suppress(CallctlError):
            await self._on_change()


def _sells(actor: Actor) -> bool:
    return Scope.PACKAGES_SELL in actor.scopes


async def _get(connection: Any, actor: Actor, account_id: int) -> Any:
    row = await connection.fetchrow(
        store.PACKAGE_OF, actor.account_id, _sells(actor), account_id
    )  # fmt: skip
    if row is None:
        raise CallctlError("not_found", f"no account with the id {account_id} buys of you")
    return row


def _found(row: Any, quote_id: int) -> Any:
    if row is None:
        raise CallctlError("not_found", f"no quote with the id {quote_id}")
    return row


def _require_payable(quote: Any, package: Package | None, now: datetime) -> None:
    if quote["paid_at"] is not None:
        raise CallctlError("quote_paid", f"{quote['paid_by']} has paid this quote already")
    if now >= quote["expires_at"]:
        raise CallctlError("quote_expired", f"it was valid until {quote['expires_at']:%H:%M} UTC")
    basis = store.basis_of(package, now)
    if quote["basis"] != basis:
        message = "the package has changed since the quote was made"
        raise CallctlError("quote_outdated", message, detail={"was": quote["basis"], "is": basis})


async def _charge(connection: Any, actor: Actor, quote: Any, costs: Costs) -> int | None:
    if costs.amount == 0:
        return None
    posted = await ledger.charge(
        connection, account_id=actor.account_id, amount=costs.amount, kind="package",
        reference=f"quote:{quote['id']}", author=actor.author, currency=quote["currency"],
        note=f"{costs.purchase.value}: {costs.seats} seats", once=f"quote:{quote['id']}",
    )  # fmt: skip
    return posted.transaction_id if posted else None


async def _notify(connection: Any, account_id: int) -> None:
    await connection.execute(store.NOTIFY_ROUTING, str(account_id))


async def _record_member(
    connection: Any, actor: Actor, verb: str, before: SeatView | None, after: SeatView | None
) -> None:
    old, new = ({"login": seat.login} if seat else None for seat in (before, after))
    user_id = (before or after).user_id  # type: ignore[union-attr]
    await record_change(
        connection, actor.account_id, actor.author, f"member.{verb}", f"user:{user_id}", old, new
    )


def _audited(terms: PackageTerms) -> dict[str, Any]:
    return {
        "prices": {price.currency: price.amount for price in terms.prices},
        "reminder_days": terms.reminder_days,
    }


def _package_values(package: Package | None) -> dict[str, Any]:
    if package is None:
        return {}
    return {"seats": package.seats, "months": package.term.months, "until": package.term.until}


def _bought(account_id: int, quote: Any, costs: Costs, after: Package) -> OutboxEvent:
    data = {
        "quote": quote["id"],
        "purchase": costs.purchase.value,
        "amount": costs.amount,
        "currency": quote["currency"],
        "seats": after.seats,
        "until": after.term.until,
    }
    return OutboxEvent(account_id, EventKind.PACKAGE_PAID, f"package:{account_id}", data)
