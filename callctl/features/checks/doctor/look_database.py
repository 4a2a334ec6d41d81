"""PostgreSQL, asked with one connection that reads only. Nothing is started or made."""

import time
from typing import Any

import asyncpg

from callctl.config import Settings
from callctl.db.embedded import EmbeddedPostgres
from callctl.db.migrate import MigrationError, pending_migrations, read_migrations
from callctl.db.pool import SERVER_SETTINGS
from callctl.features.checks.doctor.model import DatabaseState, Missing

WANTED_SETTINGS = (
    *("fsync", "full_page_writes", "synchronous_commit", "max_connections", "TimeZone"),
    *("plan_cache_mode", "random_page_cost", "server_version_num"),
)
APPLIED = "select version, name, checksum from schema_migrations order by version"
HAS_TABLES = "select to_regclass('schema_migrations') is not null"
SETTINGS = "select name, setting from pg_settings where name = any($1::text[])"
ENCODING = (
    "select pg_encoding_to_char(encoding) from pg_database where datname = current_database()"
)
REVISION = "select coalesce(max(id), 0) from routing_revisions"
WITHOUT_EMERGENCY = """
select a.code from accounts a
where exists (select 1 from routing_objects o where o.account_id = a.id and o.kind = 'extension')
  and not exists (
        select 1 from routing_objects o where o.account_id = a.id and o.kind = 'emergency')
order by a.code
"""
RECORDING_MASTERS = "select distinct master from recording_keys order by master"
STORED_TO = "select position from journal_positions where systemname = $1"
QUARANTINED = """
select count(*) from journal_quarantine
where systemname = $1 and found_at > now() - interval '1 day'
"""
RAISED = """
select code, subject from alarms where systemname = $1 and cleared_at is null order by raised_at
"""


async def look_at_database(settings: Settings) -> DatabaseState | Missing:
    """Also one that is empty or has an older schema. Never raises for what a database can do."""
    url = settings.database_url
    if url is None:
        url = EmbeddedPostgres.find_running(settings.state_dir)
    if url is None:
        place = settings.state_dir / "postgres"
        if (place / "PG_VERSION").exists():
            return Missing(f"the embedded PostgreSQL in {place} does not run")
        return Missing(f"database_url is not set, and there is no embedded PostgreSQL in {place}")
    try:
        connection = await asyncpg.connect(
            url,
            timeout=5,
            command_timeout=10,
            server_settings=SERVER_SETTINGS | {"default_transaction_read_only": "on"},
        )
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as problem:
        return Missing(f"PostgreSQL cannot be reached: {problem or type(problem).__name__}")
    try:
        return await _ask(connection, settings)
    except (OSError, TimeoutError, asyncpg.PostgresError) as problem:
        return Missing(f"PostgreSQL refused a question: {problem or type(problem).__name__}")
    finally:
        await connection.close()


async def _ask(connection: Any, settings: Settings) -> DatabaseState:
    found = {r["name"]: r["setting"] for r in await connection.fetch(SETTINGS, WANTED_SETTINGS)}
    encoding = await connection.fetchval(ENCODING)
    before = time.time()
    theirs = await connection.fetchval("select extract(epoch from clock_timestamp())::float8")
    ahead = theirs - (before + time.time()) / 2
    pending, problem = await _schema(connection)
    # An older schema lacks tables that are asked for here.
    ready = not pending and not problem
    name = settings.systemname
    alarms = await connection.fetch(RAISED, name) if ready else []
    return DatabaseState(
        version=int(found["server_version_num"]) // 10_000,
        settings=found,
        encoding=encoding,
        ahead=ahead,
        pending=pending,
        schema_problem=problem,
        revision=await connection.fetchval(REVISION) if ready else 0,
        without_emergency=tuple(
            r["code"] for r in (await connection.fetch(WITHOUT_EMERGENCY) if ready else [])
        ),
        recording_masters=tuple(
            r["master"] for r in (await connection.fetch(RECORDING_MASTERS) if ready else [])
        ),
        stored_to=await connection.fetchval(STORED_TO, name) if ready else None,
        quarantined=await connection.fetchval(QUARANTINED, name) if ready else 0,
        alarms=tuple(f"{r['code']} {r['subject']}".strip() for r in alarms),
    )


async def _schema(connection: Any) -> tuple[tuple[str, ...], str]:
    """(names of migrations that are still to do, what does not fit)."""
    applied = {}
    if await connection.fetchval(HAS_TABLES):
        applied = {
            r["version"]: (r["name"], r["checksum"]) for r in await connection.fetch(APPLIED)
        }
    try:
        return tuple(m.name for m in pending_migrations(read_migrations(), applied)), ""
    except MigrationError as problem:
        return (), str(problem)
