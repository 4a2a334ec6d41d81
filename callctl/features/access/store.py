"""Queries on sessions and tokens, and on who stands behind them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from callctl.core.permissions import extensions_of, rights_of, scopes_of_account
from callctl.db.pool import Database
from callctl.features.access.model import AccountView, IssuedToken, SessionItem, TokenView
from callctl.http.endpoint import Actor, Page


@dataclass(frozen=True, slots=True)
class User:
    """`rights` and `extensions` as an Actor has them."""

    id: int
    account_id: int
    login: str
    name: str
    role: str
    password_hash: str
    active: bool
    has_second_factor: bool
    rights: frozenset[str]
    extensions: tuple[str, ...] | None


USER_BY_LOGIN = """
select u.id, u.account_id, u.login, u.name, u.password_hash, u.active,
       u.totp_since is not null as has_second_factor,
       r.role, r.granted, r.withdrawn, r.extension, r.account_kind, r.group_extensions
from users u join user_rights r on r.user_id = u.id
where u.login = $1
"""

USER_BY_ID = """
select u.id, u.account_id, u.login, u.name, u.password_hash, u.active,
       u.totp_since is not null as has_second_factor,
       r.role, r.granted, r.withdrawn, r.extension, r.account_kind, r.group_extensions
from users u join user_rights r on r.user_id = u.id
where u.id = $1 and u.active
"""

SESSION_USER = """
select u.id, u.account_id, u.login,
       r.role, r.granted, r.withdrawn, r.extension, r.account_kind, r.group_extensions
from sessions s join users u on u.id = s.user_id join user_rights r on r.user_id = u.id
where s.token_hash = $1 and s.expires_at > now() and u.active
"""

# Only for the password that was checked, and a user who is active still: whoever blocks or resets
# at this moment waits for the lock, and then ends this session, too.
SESSION_INSERT = """
with expired as (delete from sessions where expires_at <= now() or token_hash = $7),
     who as (select id from users where id = $2 and active and password_hash = $6 for share)
insert into sessions (token_hash, user_id, expires_at, address, user_agent)
select $1, who.id, now() + $3, $4, $5 from who
returning expires_at
"""

SESSION_RENEW = """
update sessions set token_hash = $3 where user_id = $1 and token_hash = $2
returning greatest(1, extract(epoch from expires_at - now()))::integer as max_age
"""

SESSION_DELETE = "delete from sessions where token_hash = $1"

SESSIONS = """
select id, created_at, expires_at, address, user_agent, token_hash = $2 as current
from sessions where user_id = $1 and expires_at > now() order by id desc limit $3
"""

SESSION_END = "delete from sessions where user_id = $1 and id = $2 returning id"

USER_LOCK = "select id, account_id, login from users where login = $1 for update"

PASSWORD_SET = "update users set password_hash = $2, changed_at = now() where id = $1"  # noqa: S105

SESSIONS_END = """
delete from sessions where user_id = $1 and ($2::bytea is null or token_hash <> $2)
"""

TOKENS_OWNER = """
select t.id, t.account_id, t.name, t.scopes, t.created_by, a.kind as token_kind,
       r.role, r.granted, r.withdrawn, r.extension, r.account_kind, r.group_extensions
from tokens t join accounts a on a.id = t.account_id
left join users u on u.id = t.created_by left join user_rights r on r.user_id = u.id
where t.token_hash = $1 and t.revoked_at is null and (t.expires_at is null or t.expires_at > now())
  and (t.created_by is null or u.active)
"""

# The lock is for a block that happens at this moment: it finds the token, or there is none.
TOKENS_INSERT = """
with who as (select id from users where id = $6 and active for share)
insert into tokens (account_id, name, token_hash, scopes, expires_at, created_by)
select $1, $2, $3, $4, $5, $6::bigint
where $6::bigint is null or exists (select from who)
returning id, name, scopes, created_at, expires_at
"""

TOKENS_PAGE = """
select t.id, t.name, t.scopes, t.created_at, t.expires_at, t.revoked_at, u.login as created_by
from tokens t left join users u on u.id = t.created_by
where t.account_id = $1 and ($2::bigint is null or t.id < $2)
order by t.id desc
limit $3
"""

TOKENS_LOCK = """
select id, name, scopes, created_at, expires_at, revoked_at from tokens
where account_id = $1 and id = $2 for update
"""

TOKENS_REVOKE = "update tokens set revoked_at = now() where id = $1"

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
    """One method per query; each takes the account or the user that rows belong to."""

    def __init__(self, db: Database) -> None:
        self._db = db

    @property
    def db(self) -> Database:
        return self._db

    async def get_user(self, login: str) -> User | None:
        """Blocked ones, too."""
        row = await self._db.fetchrow(USER_BY_LOGIN, login)
        return _user(row) if row else None

    async def get_active_user(self, user_id: int) -> User | None:
        row = await self._db.fetchrow(USER_BY_ID, user_id)
        return _user(row) if row else None

    async def get_session_actor(self, digest: bytes) -> Actor | None:
        row = await self._db.fetchrow(SESSION_USER, digest)
        if row is None:
            return None
        return Actor(row["account_id"], row["login"], _rights(row), row["id"], _extensions(row))

    async def get_token_actor(self, digest: bytes) -> Actor | None:
        """A token can do no more than who answers for it can do now."""
        row = await self._db.fetchrow(TOKENS_OWNER, digest)
        if row is None:
            return None
        account_id, name = row["account_id"], f"token:{row['name']}"
        scopes = frozenset(row["scopes"])
        if row["created_by"] is None:
            return Actor(account_id, name, scopes & scopes_of_account(row["token_kind"]))
        held = scopes & _rights(row)
        return Actor(account_id, name, held, None, _extensions(row), row["created_by"])

    async def insert_session(
        self,
        digest: bytes,
        user: User,
        age: timedelta,
        address: str,
        user_agent: str,
        previous: bytes | None,
    ) -> datetime | None:
        """When it expires; None when the user was blocked or has another password by now.

        Ends the session `previous`, and sweeps those that have expired.
        """
        expires_at: datetime | None = await self._db.fetchval(
            SESSION_INSERT, digest, user.id, age, address, user_agent, user.password_hash, previous
        )
        return expires_at

    async def delete_session(self, digest: bytes) -> None:
        await self._db.execute(SESSION_DELETE, digest)

    async def list_sessions(self, user_id: int, current: bytes, limit: int) -> list[SessionItem]:
        """The newest first."""
        rows = await self._db.fetch(SESSIONS, user_id, current, limit)
        return [SessionItem(**row) for row in rows]

    async def end_session(self, user_id: int, session_id: int) -> bool:
        return await self._db.fetchval(SESSION_END, user_id, session_id) is not None

    async def list_tokens(self, account_id: int, before: int | None, limit: int) -> Page[TokenView]:
        """Newest first."""
        rows = await self._db.fetch(TOKENS_PAGE, account_id, before, limit + 1)
        items = [TokenView(**row) for row in rows[:limit]]
        return Page(items, str(items[-1].id) if len(rows) > limit else None)

    async def get_account_id(self, code: str) -> int | None:
        account_id: int | None = await self._db.fetchval(ACCOUNT_BY_CODE, code)
        return account_id

    async def get_account(self, account_id: int) -> AccountView | None:
        row = await self._db.fetchrow(ACCOUNT_BY_ID, account_id)
        return AccountView(**row) if row else None

    def transaction(self) -> Any:
        return self._db.transaction()


async def insert_token(
    connection: Any,
    account_id: int,
    name: str,
    token: str,
    digest: bytes,
    scopes: list[str],
    expires_at: datetime | None,
    created_by: int | None,
) -> IssuedToken | None:
    """None when `created_by` is blocked by now."""
    row = await connection.fetchrow(
        TOKENS_INSERT, account_id, name, digest, scopes, expires_at, created_by
    )
    return IssuedToken(**row, token=token) if row else None


def _rights(row: Any) -> frozenset[str]:
    return rights_of(row["role"], row["granted"], row["withdrawn"], row["account_kind"])


def _extensions(row: Any) -> tuple[str, ...] | None:
    return extensions_of(row["role"], row["extension"], row["group_extensions"])


def _user(row: Any) -> User:
    return User(
        row["id"],
        row["account_id"],
        row["login"],
        row["name"],
        row["role"],
        row["password_hash"],
        row["active"],
        row["has_second_factor"],
        _rights(row),
        _extensions(row),
    )
