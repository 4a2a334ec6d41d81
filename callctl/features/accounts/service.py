"""The tree of accounts, seen from one of them: itself and what is below. The rest is not there."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import asyncpg
from msgspec import UNSET, structs

from callctl.core.author import Author
from callctl.core.errors import CallctlError
from callctl.core.money.currencies import exponent_of
from callctl.core.names import tidy_name
from callctl.core.periods import is_zone
from callctl.db.audit import record_change
from callctl.db.pool import Database
from callctl.features.accounts import store
from callctl.features.accounts.model import (
    AccountChange,
    AccountFilters,
    AccountItem,
    CreatedAccount,
    FirstAdministrator,
    IssuedInvitation,
    NewAccount,
)
from callctl.http.endpoint import Actor, Page
from callctl.numbers import is_country
from callctl.telemetry.log import get_logger

log = get_logger("callctl.accounts")

Invite = Callable[[Any, int, Author, str, str | None], Awaitable[tuple[str, str, datetime]]]
"""(connection, account, author, name, e-mail) to the secret and the link of an administrator's
invitation, and until when it works; inside a transaction."""

_AUDITED = ("code", "name", "kind", "parent_id", "timezone", "country", "currency")


class AccountService:
    """`on_change`: the routing must know of accounts, too."""

    def __init__(
        self, db: Database, invite: Invite, on_change: Callable[[], Awaitable[None]]
    ) -> None:
        self._db = db
        self._invite = invite
        self._on_change = on_change

    async def list_accounts(self, actor: Actor, filters: AccountFilters) -> Page[AccountItem]:
        """Own and below, by code."""
        rows = await self._db.fetch(
            store.ACCOUNTS_PAGE, actor.account_id, filters.parent_id, filters.kind, filters.cursor,
            filters.q, filters.limit + 1,
        )  # fmt: skip
        items = [AccountItem(**row) for row in rows[: filters.limit]]
        return Page(items, items[-1].code if len(rows) > filters.limit else None)

    async def get_account(self, actor: Actor, account_id: int) -> AccountItem:
        """Raises CallctlError("not_found"), also for one that is not below."""
        return await _get(self._db, actor, account_id)

    async def create_account(self, actor: Actor, new: NewAccount) -> CreatedAccount:
        """Raises CallctlError: `not_found` (parent), `already_exists`, `invalid_field`."""
        name, zone = _checked_name(new.name), _checked_zone(new.timezone)
        country = _checked_country(new.country)
        if new.administrator.name:
            _checked_name(new.administrator.name, "body.administrator.name")
        parent_id = new.parent_id or actor.account_id
        try:
            async with self._db.transaction() as connection:
                parent = await _get(connection, actor, parent_id)
                if parent.kind == "enterprise":
                    message = "nothing can be below an enterprise"
                    raise CallctlError("invalid_field", message, "body.parent_id")
                currency = _checked_currency(new.currency or parent.currency)
                account_id = await connection.fetchval(
                    store.ACCOUNT_INSERT, parent_id, new.code, name, new.kind, zone, country,
                    currency,
                )  # fmt: skip
                account = await _get(connection, actor, account_id)
                await _record(connection, actor, "created", None, account)
                issued = await self._invite_to(connection, actor, account, new.administrator)
        except asyncpg.UniqueViolationError:
            raise CallctlError("already_exists", "this code is taken", "body.code") from None
        await self._on_change()
        log.info("account_created", code=new.code, kind=new.kind, actor=actor.name)
        return CreatedAccount(account, *issued)

    async def change_account(
        self, actor: Actor, account_id: int, change: AccountChange
    ) -> AccountItem:
        """One's own is changed with its routing, but for the operator's currency, which nobody
        above could change. Raises CallctlError: `not_found`, `conflict` (it is one's own, or its
        wallet has entries in its currency), `invalid_field`."""
        async with self._db.transaction() as connection:
            await connection.execute(store.ACCOUNT_LOCK, account_id)
            before = await _get(connection, actor, account_id)
            after = _changed(before, change)
            if account_id == actor.account_id and not _is_operators_currency(before, after):
                raise _own_account()
            await _update(connection, after)
            await _record(connection, actor, "changed", before, after)
        await self._on_change()
        return after

    async def invite_administrator(
        self, actor: Actor, account_id: int, whom: FirstAdministrator
    ) -> IssuedInvitation:
        """Once more, when nobody took the first invitation. Raises CallctlError: `not_found`,
        `conflict`, `invalid_field`."""
        async with self._db.transaction() as connection:
            account = await self._get_below(connection, actor, account_id)
            return IssuedInvitation(*await self._invite_to(connection, actor, account, whom))

    async def _get_below(self, connection: Any, actor: Actor, account_id: int) -> AccountItem:
        account = await _get(connection, actor, account_id)
        if account_id == actor.account_id:
            raise _own_account()
        return account

    async def _invite_to(
        self, connection: Any, actor: Actor, account: AccountItem, whom: FirstAdministrator
    ) -> tuple[str, str, datetime]:
        return await self._invite(connection, account.id, actor.author, whom.name, whom.email)


async def _get(connection: Any, actor: Actor, account_id: int) -> AccountItem:
    row = await connection.fetchrow(store.ACCOUNT, actor.account_id, account_id)
    if row is None:
        raise CallctlError("not_found", f"no account with the id {account_id}")
    return AccountItem(**row)


async def _update(connection: Any, account: AccountItem) -> None:
    try:
        await connection.execute(
            store.ACCOUNT_UPDATE, account.id, account.name, account.timezone, account.country,
            account.currency,
        )  # fmt: skip
    except asyncpg.RestrictViolationError:
        message = "money was in its wallet: the currency stays"
        raise CallctlError("conflict", message, "body.currency") from None


async def _record(
    connection: Any, actor: Actor, verb: str, before: AccountItem | None, after: AccountItem
) -> None:
    """In the log of whoever changes it, and in that of the account itself (once, if it is both)."""
    old, new = (
        {name: getattr(account, name) for name in _AUDITED} if account else None
        for account in (before, after)
    )
    for account_id in dict.fromkeys((actor.account_id, after.id)):
        await record_change(
            connection, account_id, actor.author, f"account.{verb}", f"account:{after.id}", old, new
        )


def _is_operators_currency(before: AccountItem, after: AccountItem) -> bool:
    return before.kind == "operator" and structs.replace(before, currency=after.currency) == after


def _own_account() -> CallctlError:
    return CallctlError("conflict", "this is your own account, not one below it")


def _changed(account: AccountItem, change: AccountChange) -> AccountItem:
    after = account
    if change.name is not UNSET:
        after = structs.replace(after, name=_checked_name(change.name))
    if change.timezone is not UNSET:
        after = structs.replace(after, timezone=_checked_zone(change.timezone))
    if change.country is not UNSET:
        after = structs.replace(after, country=_checked_country(change.country))
    if change.currency is not UNSET:
        after = structs.replace(after, currency=_checked_currency(change.currency))
    return after


def _checked_name(text: str, field: str = "body.name") -> str:
    try:
        return tidy_name(text)
    except ValueError as error:
        raise CallctlError("invalid_field", str(error), field) from None


def _checked_zone(text: str) -> str:
    if not is_zone(text):
        message = "is no time zone; write one such as Europe/Budapest"
        raise CallctlError("invalid_field", message, "body.timezone")
    return text


def _checked_country(code: str) -> str:
    """One whose numbers are known: the dialplan of every account is made of them."""
    if not is_country(code):
        raise CallctlError("invalid_field", f"no numbers are known of {code}", "body.country")
    return code


def _checked_currency(code: str) -> str:
    try:
        exponent_of(code)
    except ValueError as error:
        raise CallctlError("invalid_field", str(error), "body.currency") from None
    return code
