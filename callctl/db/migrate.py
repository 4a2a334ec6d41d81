"""Migrations: plain SQL files, forward only, checksummed, one runner at a time."""

import hashlib
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import asyncpg

from callctl.resources import resource_dir
from callctl.telemetry.log import get_logger

log = get_logger("callctl.migrate")

_FILE_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")

_LOCK = 0x63616C6C63746C
"""Key of the advisory lock: "callctl" in ASCII."""

_CREATE_TABLE = """
create table if not exists schema_migrations (
    version     integer primary key,
    name        text not null,
    checksum    text not null,
    applied_at  timestamptz not null default now()
)
"""


class MigrationError(Exception):
    """The migrations on disk and in the database do not fit. The text names the file."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file. `checksum` is the SHA-256 of its bytes."""

    version: int
    name: str
    checksum: str
    sql: str


def read_migrations(directory: Path | None = None) -> list[Migration]:
    """All migrations in order. Numbers may be left out.

    Raises MigrationError on a stray file and on a number that is there twice.
    """
    directory = directory or resource_dir("migrations")
    found: list[Migration] = []
    for path in sorted(directory.glob("*.sql")):
        match = _FILE_NAME.fullmatch(path.name)
        if match is None:
            raise MigrationError(f"{path.name}: not named NNNN_words.sql")
        text = path.read_bytes()
        found.append(
            Migration(
                int(match[1]), path.name, hashlib.sha256(text).hexdigest(), text.decode("utf-8")
            )
        )
    for before, migration in pairwise(found):
        if migration.version == before.version:
            raise MigrationError(f"{migration.name}: {before.name} has this number")
    if not found:
        raise MigrationError(f"no migrations in {directory}")
    return found


async def migrate(database_url: str, directory: Path | None = None) -> list[str]:
    """Apply what is missing, each file in a transaction of its own; names of those applied.

    Waits while another process migrates the same database. Raises MigrationError when an applied
    file has changed or is missing, or when a file fails; OSError or asyncpg's errors when there
    is no database.
    """
    migrations = read_migrations(directory)
    connection = await asyncpg.connect(database_url, timeout=10)
    try:
        await connection.execute("select pg_advisory_lock($1)", _LOCK)
        await connection.execute("set client_min_messages = warning")
        await connection.execute(_CREATE_TABLE)
        applied = await _applied(connection)
        pending = pending_migrations(migrations, applied)
        for migration in pending:
            if applied:
                # It can take minutes where there are millions of calls.
                log.info("migration_begins", file=migration.name)
            await _apply(connection, migration)
        return [migration.name for migration in pending]
    finally:
        # Ends the session, and with it the lock.
        await connection.close()


def pending_migrations(
    migrations: list[Migration], applied: dict[int, tuple[str, str]]
) -> list[Migration]:
    """Which are still to do, given version -> (name, checksum) of those done."""
    on_disk = {migration.version: migration for migration in migrations}
    for version, (name, checksum) in applied.items():
        migration = on_disk.get(version)
        if migration is None:
            raise MigrationError(
                f"{name}: applied to this database, but not on disk; "
                "this callctl is older than the database"
            )
        if migration.checksum != checksum:
            raise MigrationError(
                f"{migration.name}: changed after it was applied as {name}; "
                "restore the file and put the change into a new migration"
            )
    return [migration for migration in migrations if migration.version not in applied]


async def _applied(connection: Any) -> dict[int, tuple[str, str]]:
    rows = await connection.fetch(
        "select version, name, checksum from schema_migrations order by version"
    )
    return {row["version"]: (row["name"], row["checksum"]) for row in rows}


async def _apply(connection: Any, migration: Migration) -> None:
    try:
        async with connection.transaction():
            await connection.execute(migration.sql)
            await connection.execute(
                "insert into schema_migrations (version, name, checksum) values ($1, $2, $3)",
                migration.version,
                migration.name,
                migration.checksum,
            )
    except asyncpg.PostgresError as error:
        raise MigrationError(f"{migration.name}: {error}") from error
