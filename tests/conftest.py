"""What all tests share: a throw-away PostgreSQL, a browser, and the rule that no error goes
unseen."""

import asyncio
import gc
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from playwright.async_api import Browser, async_playwright

from callctl.db.embedded import EmbeddedPostgres
from callctl.db.migrate import migrate
from callctl.db.pool import Database

_TEMPLATE = "callctl_template"
_CHROMIUM = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
)  # fmt: skip
_names = itertools.count(1)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """One PostgreSQL for the whole run, on a Unix socket in a temporary directory."""
    server = EmbeddedPostgres.start(tmp_path_factory.mktemp("pg"), durable=False)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres_url(postgres: EmbeddedPostgres) -> str:
    """URL of the server's own database, from which others are made."""
    return postgres.url


@pytest.fixture(scope="session")
async def template_database(postgres: EmbeddedPostgres, postgres_url: str) -> str:
    """Name of a migrated database that others are copied from."""
    connection = await asyncpg.connect(postgres_url)
    await connection.execute(f"create database {_TEMPLATE}")
    await connection.close()
    await migrate(postgres.url_of(_TEMPLATE))
    return _TEMPLATE


@asynccontextmanager
async def fresh_database(postgres: EmbeddedPostgres, template: str) -> AsyncIterator[str]:
    """URL of a copy of `template` that lives as long as the block."""
    name = f"test_{next(_names)}"
    connection = await asyncpg.connect(postgres.url)
    try:
        await connection.execute(f"create database {name} template {template} strategy file_copy")
        yield postgres.url_of(name)
        await connection.execute(f"drop database {name} with (force)")
    finally:
        await connection.close()


@pytest.fixture
async def database_url(postgres: EmbeddedPostgres, template_database: str) -> AsyncIterator[str]:
    """URL of a fresh, migrated database of this test's own."""
    async with fresh_database(postgres, template_database) as url:
        yield url


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    """A pool on a fresh, migrated database."""
    database = await Database.connect(database_url)
    yield database
    await database.close()


@pytest.fixture(autouse=True)
async def no_unhandled_loop_exceptions() -> AsyncIterator[None]:
    """An exception that only the event loop saw fails the test that caused it."""
    loop = asyncio.get_running_loop()
    seen: list[dict[str, object]] = []
    previous = loop.get_exception_handler()
    loop.set_exception_handler(lambda _loop, context: seen.append(context))
    yield
    # A failed task nobody awaited reports itself only when it is collected.
    gc.collect(0)
    await asyncio.sleep(0)
    loop.set_exception_handler(previous)
    assert not seen, f"unhandled in the event loop: {seen}"


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    """An empty state directory."""
    path = tmp_path / "state"
    path.mkdir()
    return path


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """One browser for the whole run; each test opens a window of its own."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=list(_CHROMIUM)
        )
        yield browser
        await browser.close()
