"""Which PostgreSQL, and its schema."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import asyncpg

from callctl.config import Settings
from callctl.core.errors import CallctlError
from callctl.db.embedded import EmbeddedPostgres
from callctl.db.migrate import migrate


async def migrate_when_reachable(database_url: str) -> list[str]:
    """Raises CallctlError("database_unavailable"), MigrationError."""
    try:
        return await migrate(database_url)
    except (OSError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError) as error:
        raise CallctlError("database_unavailable", str(error)) from error


@contextlib.asynccontextmanager
async def open_database_url(settings: Settings) -> AsyncIterator[str]:
    """The set URL, or that of the embedded server, which runs meanwhile."""
    if settings.database_url is not None:
        yield settings.database_url
        return
    embedded = await asyncio.to_thread(EmbeddedPostgres.start, settings.state_dir)
    try:
        yield embedded.url
    finally:
        await asyncio.to_thread(embedded.stop)
