"""Who pays by which tariff, and from when on: lines that are only ever added."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from callctl.core.errors import CallctlError
from callctl.db.audit import record_change
from callctl.db.idempotency import RequestKey, answer_once
from callctl.db.pool import Database
from callctl.features.rates import store
from callctl.features.rates.cursor import read_cursor, write_cursor
from callctl.features.rates.model import AssignmentFilters, AssignmentItem, NewAssignment
from callctl.http.endpoint import Actor, Page
from callctl.telemetry.clock import Clock, utc_now

PATIENCE = timedelta(minutes=1)
"""So long ago is not yet the past, for clocks that differ."""

Changed = Callable[[], Awaitable[None]]


class AssignmentService:
    """As `TariffService`."""

    def __init__(self, db: Database, on_change: Changed, clock: Clock = utc_now) -> None:
        self._db = db
        self._on_change = on_change
        self._clock = clock

    async def list_assignments(
        self, actor: Actor, filters: AssignmentFilters
    ) -> Page[AssignmentItem]:
        """The latest first."""
        before = read_cursor(filters.cursor, int)
        rows = await self._db.fetch(
            store.ASSIGNMENTS_PAGE, actor.account_id, filters.account_id, before, filters.limit + 1
        )
        items = [AssignmentItem(**row) for row in rows[: filters.limit]]
        return Page(items, write_cursor(items[-1].id) if len(rows) > filters.limit else None)

    async def assign(
        self, actor: Actor, new: NewAssignment, key: RequestKey | None = None
    ) -> AssignmentItem:
        """From a moment on an account directly below pays by a tariff of one's own, or one's own
        carrier is paid by it.

        Raises CallctlError: `not_found` (account, trunk, tariff); `conflict` (no version is in
        force by then, or the payer's currency is another); `invalid_field`.
        """
        async with self._db.transaction() as connection:
            act = partial(self._assign, connection, actor, new)
            assigned = await answer_once(connection, key, AssignmentItem, act)
        await self._on_change()
        return assigned

    async def _assign(self, connection: Any, actor: Actor, new: NewAssignment) -> AssignmentItem:
        since = not_before(new.since, self._clock(), "body.since")
        await connection.execute(store.ACCOUNT_LOCK, new.account_id)
        payer = await _payer(connection, actor, new)
        if new.tariff_id is not None:
            await _check_tariff(connection, actor, new.tariff_id, payer, since)
        id_ = await connection.fetchval(
            store.ASSIGNMENT_INSERT, actor.account_id, new.account_id, new.trunk, new.tariff_id,
            since, actor.name,
        )  # fmt: skip
        await connection.execute(store.CHANGED)
        after = {"account": new.account_id, "trunk": new.trunk, "tariff": new.tariff_id}
        await record_change(
            connection, actor.account_id, actor.author, "tariff.assigned",
            f"account:{new.account_id}", None, {**after, "since": since},
        )  # fmt: skip
        return AssignmentItem(**await connection.fetchrow(store.ASSIGNMENT, actor.account_id, id_))


async def _payer(connection: Any, actor: Actor, new: NewAssignment) -> Any:
    """The account that will pay by the tariff."""
    account = await connection.fetchrow(store.ACCOUNT_BELOW, actor.account_id, new.account_id)
    if account is None:
        message = f"no account with the id {new.account_id}"
        raise CallctlError("not_found", message, "body.account_id")
    if new.trunk is None:
        if account["parent_id"] != actor.account_id or new.account_id == actor.account_id:
            words = "only accounts directly below one's own pay by one's tariffs"
            raise CallctlError("invalid_field", words, "body.account_id")
        return account
    if not await connection.fetchval(store.TRUNK_EXISTS, new.account_id, new.trunk):
        raise CallctlError("not_found", "the account has no such trunk", "body.trunk")
    own = actor.account_id
    return await connection.fetchrow(store.ACCOUNT_BELOW, own, own)


async def _check_tariff(
    connection: Any, actor: Actor, tariff_id: int, payer: Any, since: datetime
) -> None:
    tariff = await connection.fetchrow(store.TARIFF, actor.account_id, tariff_id)
    if tariff is None:
        message = f"no tariff with the id {tariff_id}"
        raise CallctlError("not_found", message, "body.tariff_id")
    if tariff["currency"] != payer["currency"]:
        words = f"the tariff is in {tariff['currency']}, the account pays in {payer['currency']}"
        raise CallctlError("conflict", words)
    if not await connection.fetchval(store.IN_FORCE_BY, tariff_id, since):
        raise CallctlError("conflict", "the tariff has no version in force by then")


def not_before(given: datetime | None, now: datetime, field: str) -> datetime:
    """Calls that are over keep what they cost: nothing is in force before now."""
    if given is None:
        return now
    if given < now - PATIENCE:
        raise CallctlError("invalid_field", "lies in the past", field)
    return max(given.astimezone(UTC), now)
