"""Queries on users, sessions and tokens."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from callctl.db.pool import Database
from callctl.features.access.model import AccountView, IssuedToken, TokenView
from callctl.http.endpoint import Page


@dataclass(frozen=True, slots=True)
class User:
    id: int
    account_id: int
    login: str
    name: str
    role: str
    password_hash: str
    active: bool


@dataclass(frozen=True, slots=True)
class SessionUser:
    """The user of a valid session."""

    id: int
    account_id: int
    login: str
    role: str


@dataclass(frozen=True, slots=True)
class TokenOwner:
    """What a valid token stands for."""

    id: int
    account_id: int
    name: str
    scopes: list[str]


USER_BY_LOGIN = """
select id, account_id, login, name, role, password_hash, active
from users where login = $1
"""

SESSION_USER = """
select u.id, u.account_id, u.login, u.role
from sessions s join users u on u.id = s.user_id
where s.token_hash = $1 and s.expires_at > now() and u.active
"""

SESSION_INSERT = """
with expired as (delete from sessions where expires_at <= now())
insert into sessions (token_hash, user_id, expires_at) values ($1, $2, now() + $3)
returning expires_at
"""

SESSION_DELETE = "delete from sessions where token_hash = $1"

USERS_RENEW = """
with changed as (update users set password_hash = $2 where login = $1 returning id),
     signed_out as (delete from sessions where user_id in (select id from changed))
select id from changed
"""

TOKENS_OWNER = """
select id, account_id, name, scopes
from tokens
where token_hash = $1 and revoked_at is null and (expires_at is null or expires_at > now())
"""

TOKENS_INSERT = """
insert into tokens (account_id, name, token_hash, scopes, expires_at)
values ($1, $2, $3, $4, $5)
returning id, name, scopes, created_at, expires_at
"""

TOKENS_PAGE = """
select id, name, scopes, created_at, expires_at, revoked_at
from tokens
where account_id = $1 and ($2::bigint is null or id < $2)
order by id desc
limit $3
"""

TOKENS_REVOKE = """
update tokens set revoked_at = coalesce(revoked_at, now())
where account_id = $1 and id = $2
returning id, name, scopes, created_at, expires_at, revoked_at
"""

ACCOUNT_BY_CODE = "select id from accounts where code = $1"

ACCOUNT_BY_ID = "select id, code, name, timezone from accounts where id = $1"

ACCOUNT_INSERT = """
insert into accounts (code, name, kind) values ($1, $2, 'operator')
on conflict (code) do nothing
returning id
"""

USER_INSERT = """
insert into users (account_id, login, name, role, password_hash) values ($1, $2, $3, $4, $5)
on conflict (login) do nothing
returning id
"""

BOOTSTRAP_LOCK = "select pg_advisory_xact_lock(1668575852)"

HAS_TOKENS = "select exists (select from tokens where account_id = $1)"


class AccessStore:
    """One method per query; each takes the account where rows belong to one."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def get_user(self, login: str) -> User | None:
        row = await self._db.fetchrow(USER_BY_LOGIN, login)
        return User(**row) if row else None

    async def get_session_user(self, digest: bytes) -> SessionUser | None:
        row = await self._db.fetchrow(SESSION_USER, digest)
        return SessionUser(**row) if row else None

    async def insert_session(self, digest: bytes, user_id: int, age: timedelta) -> datetime:
        """When it expires. Sessions that have expired are swept on the way."""
        expires_at: datetime = await self._db.fetchval(SESSION_INSERT, digest, user_id, age)
        return expires_at

    async def delete_session(self, digest: bytes) -> None:
        await self._db.execute(SESSION_DELETE, digest)

    async def set_password(self, login: str, password_hash: str) -> bool:
        """Also ends the user's sessions. False when there is no such user."""
        return await self._db.fetchval(USERS_RENEW, login, password_hash) is not None

    async def get_token_owner(self, digest: bytes) -> TokenOwner | None:
        row = await self._db.fetchrow(TOKENS_OWNER, digest)
        return TokenOwner(**row) if row else None

    async def insert_token(
        self,
        account_id: int,
        name: str,
        token: str,
        digest: bytes,
        scopes: list[str],
        expires_at: datetime | None,
    ) -> IssuedToken:
        row = await self._db.fetchrow(TOKENS_INSERT, account_id, name, digest, scopes, expires_at)
        return IssuedToken(**row, token=token)

    async def list_tokens(self, account_id: int, before: int | None, limit: int) -> Page[TokenView]:
        """Newest first."""
        rows = await self._db.fetch(TOKENS_PAGE, account_id, before, limit + 1)
        items = [TokenView(**row) for row in rows[:limit]]
        return Page(items, str(items[-1].id) if len(rows) > limit else None)

    async def revoke_token(self, account_id: int, token_id: int) -> TokenView | None:
        row = await self._db.fetchrow(TOKENS_REVOKE, account_id, token_id)
        return TokenView(**row) if row else None

    async def get_account_id(self, code: str) -> int | None:
        account_id: int | None = await self._db.fetchval(ACCOUNT_BY_CODE, code)
        return account_id

    async def get_account(self, account_id: int) -> AccountView | None:
        row = await self._db.fetchrow(ACCOUNT_BY_ID, account_id)
        return AccountView(**row) if row else None

    def transaction(self) -> Any:
        return self._db.transaction()
