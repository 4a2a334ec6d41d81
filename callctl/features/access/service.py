"""Signing in, tokens, and the first account of a new installation."""

import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from callctl import secrets
from callctl.core.author import COMMAND_LINE, Author
from callctl.core.errors import CallctlError
from callctl.core.permissions import ALL_SCOPES, Role
from callctl.db.audit import record_change
from callctl.features.access import store
from callctl.features.access.attempts import AttemptLimiter, neighbourhood
from callctl.features.access.model import (
    AccountView,
    Bootstrap,
    IssuedToken,
    NewToken,
    OpenedSession,
    SessionView,
    SignIn,
    TokenFilters,
    TokenView,
)
from callctl.features.access.phones import HasExtension, Phones
from callctl.features.access.profile import Profile
from callctl.features.access.second_factor import SecondFactor, remove_second_factor
from callctl.features.access.store import AccessStore, User
from callctl.http.endpoint import Actor, Page
from callctl.telemetry.clock import Clock, utc_now
from callctl.telemetry.log import get_logger

log = get_logger("callctl.access")

MAIN_ACCOUNT = "main"
ADMIN_LOGIN = "admin"
FIRST_TOKEN = "first token"  # noqa: S105

_SECURITY_EVENTS = {
    "wrong_credentials": "sign_in_refused",
    "too_many_attempts": "sign_in_throttled",
}
"""Lines of the log that addresses are banned by (deploy/fail2ban)."""


class AccessService:
    """Implements `callctl.http.auth.Authenticator`, too."""

    def __init__(
        self,
        access_store: AccessStore,
        *,
        passwords: secrets.Passwords | None = None,
        session_hours: int = 12,
        has_extension: HasExtension = lambda _account, _number: False,
        clock: Clock = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = access_store
        self._session_age = timedelta(hours=session_hours)
        self._clock = clock
        self._attempts = AttemptLimiter(monotonic)
        self._passwords = passwords or secrets.Passwords()
        self._second_factor = SecondFactor(access_store.db, self._attempts, clock)
        self._phones = Phones(access_store.db, has_extension)
        self.profile = Profile(
            self._store, self._passwords, self._attempts, self._second_factor, self._phones
        )

    async def by_token(self, token: str) -> Actor | None:
        """The actor of a bearer token; None when it is unknown, expired or revoked, or whoever
        answers for it is blocked."""
        return await self._store.get_token_actor(secrets.digest(token))

    async def by_session(self, session: str) -> Actor | None:
        """The actor of a session's secret, None when it has ended or its user is blocked."""
        return await self._store.get_session_actor(secrets.digest(session))

    async def sign_in(
        self,
        credentials: SignIn,
        address: str,
        *,
        user_agent: str = "",
        previous: str | None = None,
    ) -> OpenedSession:
        """Open a session. `address` is whence the request comes; `previous` is the session that
        it carries, which ends.

        Raises CallctlError: `wrong_credentials`, `second_factor_required`, `too_many_attempts`;
        `invalid_field` and `conflict` for a phone that one cannot sit at.
        """
        # Not by the login alone: anyone could lock its owner out.
        place = neighbourhood(address)
        keys = (place, f"{place} {credentials.login}")
        try:
            self._attempts.begin(*keys)
            user = await self._check(credentials)
        except CallctlError as error:
            if error.code == "second_factor_required":
                self._attempts.take_back(*keys)
            elif error.code in _SECURITY_EVENTS:
                event = _SECURITY_EVENTS[error.code]
                log.warning(event, login=credentials.login, address=address)
            raise
        self._attempts.take_back(*keys)
        secret = secrets.new_session()
        expires_at = await self._store.insert_session(
            secrets.digest(secret),
            user,
            self._session_age,
            address[:100],
            "".join(c for c in user_agent if c.isprintable())[:200],
            secrets.digest(previous) if previous else None,
        )
        if expires_at is None:
            raise _wrong_credentials()
        if credentials.extension is not None:
            await self._sit(user, credentials.extension, secret)
        view = SessionView(user.login, user.name, user.role, sorted(user.rights), expires_at)
        return OpenedSession(view, secret, int(self._session_age.total_seconds()))

    async def _sit(self, user: User, extension: str, secret: str) -> None:
        """Whoever cannot sit where they said is not signed in."""
        author = Author(user.login, user.id)
        try:
            await self._phones.sit(user.account_id, user.id, extension, secret, author)
        except CallctlError:
            await self.sign_out(secret)
            raise

    async def _check(self, credentials: SignIn) -> User:
        user = await self._store.get_user(credentials.login)
        matches = await self._passwords.matches(
            user.password_hash if user else None, credentials.password
        )
        if user is None or not matches or not user.active:
            raise _wrong_credentials()
        if user.has_second_factor:
            if not credentials.code.strip():
                raise CallctlError("second_factor_required", "the code is missing")
            if not await self._second_factor.check(user.id, credentials.code):
                raise CallctlError("wrong_credentials", "the code is wrong or was used before")
        return user

    async def sign_out(self, session: str) -> None:
        """End a session. One that has ended already is fine."""
        await self._store.delete_session(secrets.digest(session))

    async def get_account(self, account_id: int) -> AccountView:
        """Raises CallctlError: `not_found`."""
        account = await self._store.get_account(account_id)
        if account is None:
            raise CallctlError("not_found", f"no account with the id {account_id}")
        return account

    async def list_tokens(self, actor: Actor, filters: TokenFilters) -> Page[TokenView]:
        before = int(filters.cursor) if filters.cursor else None
        return await self._store.list_tokens(actor.account_id, before, filters.limit)

    async def create_token(self, actor: Actor, new: NewToken) -> IssuedToken:
        """Issue a token. Raises CallctlError: `forbidden` for a scope that the actor lacks."""
        beyond = sorted(set(new.scopes) - actor.scopes)
        if beyond:
            raise CallctlError(
                "forbidden",
                "a token cannot have scopes that you do not have",
                field="body.scopes",
                detail={"scopes": beyond},
            )
        if new.expires_at is not None and new.expires_at <= self._clock():
            raise CallctlError("invalid_field", "lies in the past", field="body.expires_at")
        return await self._issue(
            actor.account_id, new.name, new.scopes, new.expires_at, actor.author
        )

    async def revoke_token(self, actor: Actor, token_id: int) -> None:
        """Revoke at once. Doing so twice is fine. Raises CallctlError: `not_found`."""
        async with self._store.transaction() as connection:
            row = await connection.fetchrow(store.TOKENS_LOCK, actor.account_id, token_id)
            if row is None:
                raise CallctlError("not_found", f"no token with the id {token_id}")
            if row["revoked_at"] is not None:
                return
            await connection.execute(store.TOKENS_REVOKE, token_id)
            before = {"name": row["name"], "scopes": row["scopes"]}
            await record_change(
                connection, actor.account_id, actor.author, "token.revoked", f"token:{token_id}",
                before,
            )  # fmt: skip
        log.info("token_revoked", token_name=row["name"], actor=actor.name)

    async def reset_password(self, login: str) -> str:
        """A new generated password, by whoever runs the machine; ends all of the user's sessions.

        Raises CallctlError: `not_found`.
        """
        async with self._store.transaction() as connection:
            return await self.reset_password_in(connection, login, COMMAND_LINE)

    async def reset_password_in(self, connection: Any, login: str, author: Author) -> str:
        """The same inside the caller's transaction."""
        password = secrets.new_password()
        password_hash = await self._passwords.hash(password)
        user = await _lock_user(connection, login)
        await connection.execute(store.PASSWORD_SET, user["id"], password_hash)
        await connection.execute(store.SESSIONS_END, user["id"], None)
        await record_change(
            connection, user["account_id"], author, "user.password_reset", f"user:{user['id']}"
        )
        log.info("password_reset", login=login)
        return password

    async def reset_second_factor_in(self, connection: Any, login: str, author: Author) -> None:
        """As if the user had never had one, inside the caller's transaction. Raises CallctlError:
        `not_found`."""
        user = await _lock_user(connection, login)
        await remove_second_factor(connection, user["id"], author)
        log.info("second_factor_reset", login=login)

    async def issue_token(
        self, name: str, scopes: Iterable[str] = ALL_SCOPES, account: str = MAIN_ACCOUNT
    ) -> str:
        """A new token for an account, by whoever runs the machine.

        Raises CallctlError: `not_found` (account), `invalid_field` (an unknown scope).
        """
        unknown = sorted(set(scopes) - ALL_SCOPES)
        if unknown:
            raise CallctlError("invalid_field", f"no such scope: {', '.join(unknown)}", "scopes")
        account_id = await self._store.get_account_id(account)
        if account_id is None:
            raise CallctlError("not_found", f"no account with the code {account}")
        return (await self._issue(account_id, name, scopes, None, COMMAND_LINE)).token

    async def bootstrap(self) -> Bootstrap:
        """Make the operator account, its administrator and a first token, where they are missing.

        Safe to call at every start, and by several at once.
        """
        password, token = secrets.new_password(), secrets.new_token()
        # Hashing is slow, and users are never deleted: one that is there needs no password.
        is_there = await self._store.get_user(ADMIN_LOGIN) is not None
        password_hash = "" if is_there else await self._passwords.hash(password)
        async with self._store.transaction() as connection:
            await connection.execute(store.BOOTSTRAP_LOCK)
            account_id = await connection.fetchval(store.ACCOUNT_BY_CODE, MAIN_ACCOUNT)
            if account_id is None:
                account_id = await connection.fetchval(
                    store.ACCOUNT_INSERT, MAIN_ACCOUNT, "Main account"
                )
            user_id = await connection.fetchval(
                store.USER_INSERT,
                account_id,
                ADMIN_LOGIN,
                "Administrator",
                Role.ADMINISTRATOR,
                password_hash,
            )
            has_tokens = await connection.fetchval(store.HAS_TOKENS, account_id)
            if not has_tokens:
                await connection.execute(
                    store.TOKENS_INSERT,
                    account_id,
                    FIRST_TOKEN,
                    secrets.digest(token),
                    sorted(ALL_SCOPES),
                    None,
                    None,
                )
        return Bootstrap(
            account_id=account_id,
            login=ADMIN_LOGIN,
            password=None if user_id is None else password,
            token=None if has_tokens else token,
        )

    async def _issue(
        self,
        account_id: int,
        name: str,
        scopes: Iterable[str],
        expires_at: datetime | None,
        author: Author,
    ) -> IssuedToken:
        token = secrets.new_token()
        async with self._store.transaction() as connection:
            issued = await store.insert_token(
                connection, account_id, name, token, secrets.digest(token), sorted(set(scopes)),
                expires_at, author.responsible_id,
            )  # fmt: skip
            if issued is None:
                raise CallctlError("unauthenticated", "the user is blocked")
            after = {"name": name, "scopes": issued.scopes, "expires_at": expires_at}
            await record_change(
                connection, account_id, author, "token.issued", f"token:{issued.id}", None, after
            )
        log.info("token_issued", token_name=name, scopes=issued.scopes)
        return issued


def _wrong_credentials() -> CallctlError:
    return CallctlError("wrong_credentials", "the login or the password is wrong")


async def _lock_user(connection: Any, login: str) -> Any:
    user = await connection.fetchrow(store.USER_LOCK, login)
    if user is None:
        raise CallctlError("not_found", f"no user with the login {login}")
    return user
