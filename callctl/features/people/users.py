"""Users: added, edited, blocked; never deleted, since their calls stay (R002-02 to R002-08)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import asyncpg
from msgspec import UNSET, structs

from callctl import secrets
from callctl.core.author import Author
from callctl.core.errors import CallctlError
from callctl.core.names import tidy_name
from callctl.core.permissions import Role, Scope, grantable_scopes, rights_of, scopes_of_role
from callctl.db.audit import record_change
from callctl.db.pool import Database
from callctl.features.people import store
from callctl.features.people.model import (
    CreatedUser,
    GeneratedPassword,
    NewUser,
    UserChange,
    UserFilters,
    UserView,
)
from callctl.http.endpoint import Actor, Page
from callctl.telemetry.log import get_logger

log = get_logger("callctl.people")

_AUDITED = (
    "login", "name", "email", "employee_number", "extension", "role", "group_id", "active",
    "granted", "withdrawn",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SignInResets:
    """What else gives back access, inside a transaction: (connection, login, author)."""

    password: Callable[[Any, str, Author], Awaitable[str]]
    second_factor: Callable[[Any, str, Author], Awaitable[None]]


class UserService:
    """Every method takes the actor; whoever lies outside their account or group does not exist.

    Nobody can make, change or block somebody who may do more than themselves, nor give away a
    right that they lack: `forbidden`.
    """

    def __init__(self, db: Database, passwords: secrets.Passwords, resets: SignInResets) -> None:
        self._db = db
        self._passwords = passwords
        self._resets = resets

    async def list_users(self, actor: Actor, filters: UserFilters) -> Page[UserView]:
        """By login."""
        rows = await self._db.fetch(
            store.USERS_PAGE,
            actor.account_id,
            actor.viewer_id,
            filters.cursor,
            filters.role,
            filters.group_id,
            filters.active,
            filters.text,
            filters.limit + 1,
        )
        items = [_view(row) for row in rows[: filters.limit]]
        return Page(items, items[-1].login if len(rows) > filters.limit else None)

    async def get_user(self, actor: Actor, user_id: int) -> UserView:
        """Raises CallctlError("not_found")."""
        return await _get(self._db, actor, user_id)

    async def find_user(self, actor: Actor, login: str) -> UserView:
        """Raises CallctlError("not_found")."""
        user_id = await self._db.fetchval(store.USER_ID, actor.account_id, login)
        if user_id is None:
            raise CallctlError("not_found", f"no user with the login {login}")
        return await self.get_user(actor, user_id)

    async def create_user(self, actor: Actor, new: NewUser) -> CreatedUser:
        """Raises CallctlError: `already_exists`, `invalid_field`, `forbidden`."""
        name = checked_name(new.name, "body.name")
        made_up = secrets.new_password() if new.password is None else None
        password_hash = await self._passwords.hash(made_up or new.password or "")
        async with self._db.transaction() as connection:
            kind = await store.lock_account(connection, actor.account_id)
            require_givable(actor, rights_of(new.role, (), (), kind))
            user_id = await insert_user(
                connection, actor.account_id, structs.replace(new, name=name), password_hash
            )
            user = await _get(connection, actor, user_id)
            await record_user(connection, actor.account_id, actor.author, "created", None, user)
        log.info("user_created", login=new.login, role=new.role, actor=actor.name)
        return CreatedUser(user, made_up)

    async def change_user(self, actor: Actor, user_id: int, change: UserChange) -> UserView:
        """Blocking ends the user's sessions, tokens and open invitations at once.

        Raises CallctlError: `not_found`, `already_exists`, `invalid_field`, `forbidden`, and
        `conflict` when no active administrator would be left.
        """
        try:
            async with self._db.transaction() as connection:
                kind = await store.lock_account(connection, actor.account_id)
                before = await self._get_changeable(connection, actor, user_id)
                after = changed(before, change)
                rights = rights_of(after.role, after.granted, after.withdrawn, kind)
                require_givable(actor, rights)
                await _update(connection, actor.account_id, after)
                if _is_administrator(before) and not _is_administrator(after):
                    await _require_an_administrator(connection, actor.account_id)
                await _end_what_they_lost(connection, after, rights)
                user = await _get(connection, actor, user_id)
                await record_user(
                    connection, actor.account_id, actor.author, _verb(before, after), before, user
                )
        except asyncpg.IntegrityConstraintViolationError as error:
            raise store.refusal(error) from None
        log.info("user_changed", login=user.login, active=user.active, actor=actor.name)
        return user

    async def reset_password(self, actor: Actor, user_id: int) -> GeneratedPassword:
        """A new password; ends the user's sessions. Raises CallctlError: `not_found`,
        `forbidden`."""
        async with self._db.transaction() as connection:
            await store.lock_account(connection, actor.account_id)
            user = await self._get_changeable(connection, actor, user_id)
            return GeneratedPassword(
                await self._resets.password(connection, user.login, actor.author)
            )

    async def reset_second_factor(self, actor: Actor, user_id: int) -> None:
        """The password alone is enough again. Raises CallctlError: `not_found`, `forbidden`."""
        async with self._db.transaction() as connection:
            await store.lock_account(connection, actor.account_id)
            user = await self._get_changeable(connection, actor, user_id)
            await self._resets.second_factor(connection, user.login, actor.author)

    async def _get_changeable(self, connection: Any, actor: Actor, user_id: int) -> UserView:
        user = await _get(connection, actor, user_id)
        require_givable(actor, frozenset(user.scopes))
        return user


async def insert_user(connection: Any, account_id: int, new: NewUser, password_hash: str) -> int:
    """Raises CallctlError: `already_exists`, `invalid_field`."""
    try:
        user_id: int = await connection.fetchval(
            store.USER_INSERT, account_id, new.login, new.name, new.role, new.email,
            new.employee_number, new.extension, new.group_id, password_hash,
        )  # fmt: skip
    except asyncpg.IntegrityConstraintViolationError as error:
        raise store.refusal(error) from None
    return user_id


async def record_user(
    connection: Any,
    account_id: int,
    author: Author,
    verb: str,
    before: UserView | None,
    after: UserView,
) -> None:
    old, new = (
        {name: getattr(user, name) for name in _AUDITED} if user else None
        for user in (before, after)
    )
    await record_change(
        connection, account_id, author, f"user.{verb}", f"user:{after.id}", old, new
    )


def checked_name(text: str, field: str) -> str:
    """Raises CallctlError("invalid_field")."""
    try:
        return tidy_name(text)
    except ValueError as error:
        raise CallctlError("invalid_field", str(error), field) from None


def require_givable(actor: Actor, rights: frozenset[str]) -> None:
    """Raises CallctlError("forbidden") for rights that the actor lacks."""
    beyond = sorted(rights - actor.scopes)
    if beyond:
        raise CallctlError(
            "forbidden",
            f"this person has or would have rights that you lack: {', '.join(beyond)}",
            detail={"scopes": beyond},
        )


def changed(user: UserView, change: UserChange) -> UserView:
    """`user` as `change` wants it. Raises CallctlError("invalid_field")."""
    given = {
        name: value
        for name in change.__struct_fields__
        if (value := getattr(change, name)) is not UNSET
    }
    if "name" in given:
        given["name"] = checked_name(given["name"], "body.name")
    role = given.get("role", user.role)
    if role != user.role:
        given = {"granted": [], "withdrawn": []} | given
    for name in ("granted", "withdrawn"):
        if name in given:
            given[name] = sorted(set(given[name]))
    after = structs.replace(user, **given)
    _check_finer_rights(after)
    return after


def _check_finer_rights(user: UserView) -> None:
    granted, withdrawn = set(user.granted), set(user.withdrawn)
    if user.role == Role.ADMINISTRATOR and withdrawn:
        message = "an administrator has full rights; choose another role"
        raise CallctlError("invalid_field", message, "body.withdrawn")
    if both := granted & withdrawn:
        message = f"granted as well: {', '.join(sorted(both))}"
        raise CallctlError("invalid_field", message, "body.withdrawn")
    if beyond := granted - grantable_scopes(user.role):
        message = f"the role {user.role} cannot have {', '.join(sorted(beyond))}"
        raise CallctlError("invalid_field", message, "body.granted")
    if absent := withdrawn - scopes_of_role(user.role):
        message = f"the role {user.role} has no {', '.join(sorted(absent))}"
        raise CallctlError("invalid_field", message, "body.withdrawn")


async def _get(connection: Any, actor: Actor, user_id: int) -> UserView:
    row = await connection.fetchrow(store.USER, actor.account_id, actor.viewer_id, user_id)
    if row is None:
        raise CallctlError("not_found", f"no user with the id {user_id}")
    return _view(row)


async def _update(connection: Any, account_id: int, user: UserView) -> None:
    await connection.execute(
        store.USER_UPDATE, account_id, user.id, user.name, user.role, user.email,
        user.employee_number, user.extension, user.group_id, user.granted, user.withdrawn,
        user.active,
    )  # fmt: skip


async def _require_an_administrator(connection: Any, account_id: int) -> None:
    if not await connection.fetchval(store.ADMINISTRATORS, account_id):
        raise CallctlError("conflict", "this is the last active administrator of the account")


async def _end_what_they_lost(connection: Any, user: UserView, rights: frozenset[str]) -> None:
    if not user.active:
        await connection.execute(store.SESSIONS_END, user.id)
        await connection.execute(store.TOKENS_END, user.id)
    if not user.active or Scope.USERS_WRITE not in rights:
        await connection.execute(store.INVITATIONS_END, user.id)


def _is_administrator(user: UserView) -> bool:
    return user.active and user.role == Role.ADMINISTRATOR


def _verb(before: UserView, after: UserView) -> str:
    if before.active != after.active:
        return "unblocked" if after.active else "blocked"
    return "changed"


def _view(row: Any) -> UserView:
    values = dict(row)
    kind = values.pop("account_kind")
    rights = rights_of(values["role"], values["granted"], values["withdrawn"], kind)
    return UserView(**values, scopes=sorted(rights))
