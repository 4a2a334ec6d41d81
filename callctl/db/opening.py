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
    """Raises CallctlError("database_unavailable"), also where PostgreSQL is there and refuses (no
    such database or role, a wrong password, a full disk); MigrationError."""
    try:
        return await migrate(database_url)
    except OSError as error:
        raise CallctlError("database_unavailable", str(error)) from error
    except asyncpg.PostgresError as error:
        message = f"PostgreSQL refuses what database_url asks for: {error}"
        raise CallctlError("database_unavailable", message) from error


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
