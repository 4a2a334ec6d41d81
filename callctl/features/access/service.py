"""Signing in, tokens, and the first account of a new installation."""

import asyncio
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from callctl.core.errors import CallctlError
from callctl.core.permissions import ALL_SCOPES, Role, scopes_of_role
from callctl.features.access import secrets, store
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
from callctl.features.access.store import AccessStore
from callctl.http.endpoint import Actor, Page
from callctl.telemetry.clock import Clock, utc_now
from callctl.telemetry.log import get_logger

log = get_logger("callctl.access")

MAIN_ACCOUNT = "main"
ADMIN_LOGIN = "admin"
FIRST_TOKEN = "first token"  # noqa: S105


class AccessService:
    """Implements `callctl.http.auth.Authenticator`, too."""

    def __init__(
        self,
        access_store: AccessStore,
        *,
        session_hours: int = 12,
        clock: Clock = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = access_store
        self._session_age = timedelta(hours=session_hours)
        self._clock = clock
        self._attempts = AttemptLimiter(monotonic)
        # Each hash takes 64 MiB and tens of milliseconds of a core: a crowd waits in line.
        self._hashing = asyncio.Semaphore(2)

    async def by_token(self, token: str) -> Actor | None:
        """The actor of a bearer token, None when it is unknown, expired or revoked."""
        owner = await self._store.get_token_owner(secrets.digest(token))
        if owner is None:
            return None
        return Actor(owner.account_id, f"token:{owner.name}", frozenset(owner.scopes))

    async def by_session(self, session: str) -> Actor | None:
        """The actor of a session's secret, None when it has ended or its user is blocked."""
        user = await self._store.get_session_user(secrets.digest(session))
        if user is None:
            return None
        return Actor(user.account_id, user.login, scopes_of_role(user.role), user.id)

    async def sign_in(self, credentials: SignIn, address: str) -> OpenedSession:
        """Open a session. `address` is whence the request comes.

        Raises CallctlError: `wrong_credentials`, `too_many_attempts`.
        """
        # Not by the login alone: anyone could lock its owner out.
        place = neighbourhood(address)
        keys = (place, f"{place} {credentials.login}")
        wait = self._attempts.seconds_to_wait(*keys)
        if wait:
            log.warning("sign_in_throttled", login=credentials.login, address=address)
            raise CallctlError(
                "too_many_attempts", f"wait {wait} seconds", detail={"retry_seconds": wait}
            )
        # Counted before the slow check, or a crowd of requests at once would all pass.
        self._attempts.failed(*keys)
        user = await self._store.get_user(credentials.login)
        async with self._hashing:
            matches = await secrets.verify_password(
                user.password_hash if user else None, credentials.password
            )
        if user is None or not matches or not user.active:
            log.warning("sign_in_refused", login=credentials.login, address=address)
            raise CallctlError("wrong_credentials", "the login or the password is wrong")
        self._attempts.take_back(*keys)
        secret = secrets.new_session()
        expires_at = await self._store.insert_session(
            secrets.digest(secret), user.id, self._session_age
        )
        view = SessionView(
            user.login, user.name, user.role, sorted(scopes_of_role(user.role)), expires_at
        )
        return OpenedSession(view, secret, int(self._session_age.total_seconds()))

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
        return await self._issue(actor.account_id, new.name, new.scopes, new.expires_at)

    async def revoke_token(self, actor: Actor, token_id: int) -> None:
        """Revoke at once. Doing so twice is fine. Raises CallctlError: `not_found`."""
        revoked = await self._store.revoke_token(actor.account_id, token_id)
        if revoked is None:
            raise CallctlError("not_found", f"no token with the id {token_id}")
        log.info("token_revoked", token_name=revoked.name, actor=actor.name)

    async def reset_password(self, login: str) -> str:
        """A new generated password; ends all of the user's sessions.

        Raises CallctlError: `not_found`.
        """
        password = secrets.new_password()
        if not await self._store.set_password(login, await secrets.hash_password(password)):
            raise CallctlError("not_found", f"no user with the login {login}")
        log.info("password_reset", login=login)
        return password

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
        return (await self._issue(account_id, name, scopes, None)).token

    async def bootstrap(self) -> Bootstrap:
        """Make the operator account, its administrator and a first token, where they are missing.

        Safe to call at every start, and by several at once.
        """
        password, token = secrets.new_password(), secrets.new_token()
        password_hash = await secrets.hash_password(password)
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
                )
        return Bootstrap(
            account_id=account_id,
            login=ADMIN_LOGIN,
            password=None if user_id is None else password,
            token=None if has_tokens else token,
        )

    async def _issue(
        self, account_id: int, name: str, scopes: Iterable[str], expires_at: datetime | None
    ) -> IssuedToken:
        token = secrets.new_token()
        issued = await self._store.insert_token(
            account_id, name, token, secrets.digest(token), sorted(set(scopes)), expires_at
        )
        log.info("token_issued", token_name=name, scopes=issued.scopes)
        return issued
