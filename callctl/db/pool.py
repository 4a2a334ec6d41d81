"""The pool of PostgreSQL connections, and what happens when there is no PostgreSQL."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Protocol

import asyncpg
import msgspec

from callctl.core.errors import CallctlError
from callctl.telemetry.metrics import DATABASE_ERRORS

SERVER_SETTINGS = {
    "application_name": "callctl",
    "timezone": "UTC",
    # Short queries: compiling them costs more than running them.
    "jit": "off",
    # A generic plan for "$1 is null or col = $1" reads the whole table.
    "plan_cache_mode": "force_custom_plan",
    "random_page_cost": "1.1",
}

PLANNED_ONCE_SETTINGS = {**SERVER_SETTINGS, "plan_cache_mode": "force_generic_plan"}

WRITE_MODE = "set local plan_cache_mode = auto"
"""For a transaction that writes: checking a foreign key is a statement, too, and to plan it anew
for each row (as the pool has it, for the sake of lists) takes three quarters of the time."""

_CONNECTIONS, _PLANNED_ONCE_CONNECTIONS = 10, 3
MOST_CONNECTIONS = _CONNECTIONS + _PLANNED_ONCE_CONNECTIONS
"""Of a daemon."""

_CONNECT_SECONDS = 2.0
_BUSY_SECONDS = 3.0
_STATEMENT_SECONDS = 20.0
_HOLD_OFF_SECONDS = 0.25
"""After a failed connect, requests are refused for so long without another try, so that a
database host that swallows packets does not hold up every request for the connect's timeout."""

_GONE = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InvalidCatalogNameError,
    # The role is gone, or its password is another by now: no connection comes about.
    asyncpg.InvalidAuthorizationSpecificationError,
    # A connection that the server has said good-bye to, handed out before its end was read.
    asyncpg.InternalClientError,
)


class Reads(Protocol):
    """What reads: the pool, or one connection, as inside a snapshot."""

    async def fetch(self, sql: str, *args: Any) -> list[Any]: ...
    async def fetchrow(self, sql: str, *args: Any) -> Any: ...
    async def fetchval(self, sql: str, *args: Any) -> Any: ...


class Database:
    """A pool that opens connections when they are needed, so that order of start does not matter.

    Every method raises CallctlError("database_unavailable") quickly when PostgreSQL is away, its
    disk is full or it takes no writes, and works again as soon as that is over. Other errors are
    asyncpg's own (unique violations, …).
    """

    def __init__(self, pool: Any, planned_once: Any = None) -> None:
        self._pool = pool
        self._planned_once = planned_once
        self._refuse_until = 0.0

    @classmethod
    async def connect(cls, url: str, *, max_connections: int = _CONNECTIONS) -> "Database":
        """A pool for `url`. Does not fail when PostgreSQL is away; the first statement does."""
        pool = await _make_pool(url, max_connections, SERVER_SETTINGS)
        return cls(pool, await _make_pool(url, _PLANNED_ONCE_CONNECTIONS, PLANNED_ONCE_SETTINGS))

    async def close(self) -> None:
        """Wait for running statements for a short while, then close all connections."""
        pools = (self._pool, self._planned_once)
        try:
            await asyncio.wait_for(asyncio.gather(*(p.close() for p in pools)), _BUSY_SECONDS)
        except TimeoutError:
            for pool in pools:
                pool.terminate()

    @property
    def open_connections(self) -> int:
        """How many connections there are now, in use or not."""
        return int(self._pool.get_size() + self._planned_once.get_size())

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        """A connection of one's own, outside any transaction."""
        async with self._connection_of(self._pool) as connection:
            yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        """A connection inside a transaction: committed at the end, rolled back on any error."""
        async with self.connection() as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Any]:
        """A connection on which all statements see the same moment, and write nothing."""
        async with (
            self.connection() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            yield connection

    async def fetch(self, sql: str, *args: Any) -> list[Any]:
        rows: list[Any] = await self._run("fetch", sql, args)
        return rows

    async def fetch_planned_once(self, sql: str, *args: Any) -> list[Any]:
        """For a large statement that is best run the same way whatever its arguments are.

        It goes over connections of its own, on which PostgreSQL keeps the plan: for the rows of a
        page, to make it anew each time costs as much as to run it.
        """
        rows: list[Any] = await self._run("fetch", sql, args, self._planned_once)
        return rows

    async def fetchrow(self, sql: str, *args: Any) -> Any:
        return await self._run("fetchrow", sql, args)

    async def fetchval(self, sql: str, *args: Any) -> Any:
        return await self._run("fetchval", sql, args)

    async def execute(self, sql: str, *args: Any) -> str:
        """Returns PostgreSQL's command tag, as ``UPDATE 1``."""
        tag: str = await self._run("execute", sql, args)
        return tag

    async def check(self) -> None:
        """Raises CallctlError("database_unavailable") unless PostgreSQL answers."""
        await self.fetchval("select 1")

    async def _run(self, method: str, sql: str, args: tuple[Any, ...], pool: Any = None) -> Any:
        async with self._connection_of(pool or self._pool) as connection:
            return await getattr(connection, method)(sql, *args)

    @asynccontextmanager
    async def _connection_of(self, pool: Any) -> AsyncIterator[Any]:
        with _unavailable_if_gone():
            connection = await self._acquire(pool)
            try:
                yield connection
            finally:
                await pool.release(connection)

    async def _acquire(self, pool: Any) -> Any:
        if time.monotonic() < self._refuse_until:
            raise _unavailable("PostgreSQL was not reachable a moment ago")
        try:
            return await pool.acquire(timeout=_BUSY_SECONDS)
        except TimeoutError:
            self._refuse_until = time.monotonic() + _HOLD_OFF_SECONDS
            raise _unavailable("PostgreSQL does not answer, or all connections are busy") from None
        except OSError as error:
            self._refuse_until = time.monotonic() + _HOLD_OFF_SECONDS
            raise _unavailable(f"PostgreSQL cannot be reached: {error}") from error
        except _GONE:
            self._refuse_until = time.monotonic() + _HOLD_OFF_SECONDS
            raise


async def _make_pool(url: str, most: int, server_settings: dict[str, str]) -> Any:
    return await asyncpg.create_pool(
        url,
        min_size=0,
        max_size=most,
        timeout=_CONNECT_SECONDS,
        command_timeout=_STATEMENT_SECONDS,
        max_inactive_connection_lifetime=300,
        server_settings=server_settings,
        init=_init_connection,
        connection_class=_PooledConnection,
    )


class _PooledConnection(asyncpg.Connection):  # type: ignore[misc]
    """Goes back to the pool without a statement of its own, which would be every other one.

    Nothing is left behind that it would clear: settings are local to their transaction, cursors and
    locks end with it, and who listens takes the listener away.
    """

    def get_reset_query(self) -> str:
        return ""


def _unavailable(message: str) -> CallctlError:
    DATABASE_ERRORS.inc()
    return CallctlError("database_unavailable", message)


@contextmanager
def _unavailable_if_gone() -> Iterator[None]:
    try:
        yield
    except _GONE as error:
        raise _unavailable(f"PostgreSQL cannot be reached: {error}") from error
    except asyncpg.DiskFullError as error:
        raise _unavailable(f"PostgreSQL's disk is full: {error}") from error
    except asyncpg.ReadOnlySQLTransactionError as error:
        # A standby that nobody has promoted, or one that was made read-only.
        raise _unavailable(f"PostgreSQL takes no writes: {error}") from error
    except TimeoutError:
        # A host that vanished without a word, or a lock that is never let go: of a statement, of
        # the end of its transaction, or as it is taken back, after which asyncpg has ended the
        # connection. Nothing else is waited for there.
        raise _unavailable("PostgreSQL does not answer") from None
    except asyncpg.InterfaceError as error:
        # asyncpg has no class of its own for "connection is closed" and "pool is closing".
        if "clos" in str(error) and not isinstance(error, asyncpg.DataError):
            raise _unavailable(f"PostgreSQL cannot be reached: {error}") from error
        raise


async def _init_connection(connection: Any) -> None:
    for name in ("jsonb", "json"):
        await connection.set_type_codec(
            name,
            schema="pg_catalog",
            encoder=lambda value: msgspec.json.encode(value).decode(),
            decoder=msgspec.json.decode,
        )
