"""The first account, passwords, sessions, and the queries behind them."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from callctl import secrets
from callctl.core.errors import CallctlError
from callctl.core.permissions import ALL_SCOPES, Scope
from callctl.db.pool import Database
from callctl.features.access import store
from callctl.features.access.attempts import AttemptLimiter
from callctl.features.access.model import NewToken, SignIn
from callctl.features.access.service import AccessService
from callctl.features.access.store import AccessStore
from callctl.http.endpoint import Actor


@pytest.fixture
def access(db: Database) -> AccessService:
    return AccessService(AccessStore(db))


async def _sign_in(access: AccessService, password: str | None) -> str:
    opened = await access.sign_in(SignIn(login="admin", password=password or ""), "127.0.0.1")
    return opened.secret


async def test_bootstrap_makes_everything_once(access: AccessService) -> None:
    first = await access.bootstrap()
    assert first.password
    assert first.token
    second = await access.bootstrap()
    assert (second.account_id, second.password, second.token) == (first.account_id, None, None)
    actor = await access.by_token(first.token)
    assert actor == Actor(first.account_id, "token:first token", ALL_SCOPES)


async def test_bootstraps_at_the_same_time_make_one_account(
    access: AccessService, db: Database
) -> None:
    made = await asyncio.gather(*(access.bootstrap() for _ in range(4)))
    assert sum(b.password is not None for b in made) == 1
    assert sum(b.token is not None for b in made) == 1
    assert await db.fetchval("select count(*) from accounts") == 1
    assert await db.fetchval("select count(*) from tokens") == 1


async def test_no_secret_is_stored_as_it_is(access: AccessService, db: Database) -> None:
    made = await access.bootstrap()
    session = await _sign_in(access, made.password)
    for table in ("users", "tokens", "sessions"):
        text = str(await db.fetch(f"select * from {table}"))
        for secret in (made.password, made.token, session):
            assert secret
            assert secret not in text
    assert (await db.fetchval("select password_hash from users")).startswith("$argon2id$")


async def test_a_reset_password_ends_the_sessions(access: AccessService) -> None:
    made = await access.bootstrap()
    session = await _sign_in(access, made.password)
    assert await access.by_session(session)
    password = await access.reset_password("admin")
    assert await access.by_session(session) is None
    with pytest.raises(CallctlError, match="wrong_credentials"):
        await _sign_in(access, made.password)
    assert await _sign_in(access, password)


async def test_a_blocked_user_is_out_at_once(access: AccessService, db: Database) -> None:
    made = await access.bootstrap()
    session = await _sign_in(access, made.password)
    await db.execute("update users set active = false")
    assert await access.by_session(session) is None
    with pytest.raises(CallctlError, match="wrong_credentials"):
        await _sign_in(access, made.password)


async def test_a_session_ends_by_itself(access: AccessService, db: Database) -> None:
    made = await access.bootstrap()
    session = await _sign_in(access, made.password)
    await db.execute("update sessions set expires_at = now()")
    assert await access.by_session(session) is None
    await _sign_in(access, made.password)
    assert await db.fetchval("select count(*) from sessions") == 1


async def test_a_token_ends_by_itself(access: AccessService, db: Database) -> None:
    made = await access.bootstrap()
    actor = Actor(made.account_id, "t", ALL_SCOPES)
    issued = await access.create_token(
        actor, NewToken("x", [Scope.CALLS_READ], datetime.now(UTC) + timedelta(hours=1))
    )
    assert await access.by_token(issued.token)
    await db.execute("update tokens set expires_at = now() where id = $1", issued.id)
    assert await access.by_token(issued.token) is None


async def test_a_token_of_another_account_is_not_found(access: AccessService, db: Database) -> None:
    await access.bootstrap()
    other = await db.fetchval(
        "insert into accounts (code, name, kind) values ('b', 'B', 'enterprise') returning id"
    )
    token_id = await db.fetchval("select id from tokens")
    with pytest.raises(CallctlError, match="not_found"):
        await access.revoke_token(Actor(other, "b", ALL_SCOPES), token_id)


async def test_unknown_names_are_refused(access: AccessService) -> None:
    await access.bootstrap()
    with pytest.raises(CallctlError, match="no user with the login x"):
        await access.reset_password("x")
    with pytest.raises(CallctlError, match="no account with the code x"):
        await access.issue_token("t", account="x")
    with pytest.raises(CallctlError, match="no such scope: calls:raed"):
        await access.issue_token("t", ["calls:raed"])


@pytest.fixture
def now() -> list[float]:
    return [1000.0]


def test_failures_are_limited_and_forgotten(now: list[float]) -> None:
    limiter = AttemptLimiter(lambda: now[0])
    for _ in range(5):
        assert limiter.seconds_to_wait("a") == 0
        limiter.failed("a")
    assert limiter.seconds_to_wait("a", "b") == 30
    assert limiter.seconds_to_wait("b") == 0
    now[0] += 30
    assert limiter.seconds_to_wait("a") == 0
    limiter.failed("a")
    assert limiter.seconds_to_wait("a") == 30
    now[0] += 3600
    for _ in range(100):
        limiter.failed("a")
        limiter.take_back("a")
    assert limiter.seconds_to_wait("a") == 0


def test_a_generated_password_is_strong_and_readable() -> None:
    password = secrets.new_password()
    assert len(password) == 23
    assert not set(password) & set("lo01")
    assert secrets.new_password() != password


async def test_every_query_is_accepted_by_postgresql(db: Database) -> None:
    queries = {name: text for name, text in vars(store).items() if name.isupper()}
    assert len(queries) > 10
    async with db.connection() as connection:
        for text in queries.values():
            await connection.prepare(text)
