"""Migrations: once each, one runner at a time, and no quiet change of what was applied."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import structlog

from callctl.core.errors import CallctlError
from callctl.db.embedded import EmbeddedPostgres
from callctl.db.migrate import MigrationError, migrate, read_migrations
from callctl.db.opening import migrate_when_reachable


@pytest.fixture
async def empty_url(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """URL of a database without tables."""
    connection = await asyncpg.connect(postgres.url)
    await connection.execute("create database empty")
    yield postgres.url_of("empty")
    await connection.execute("drop database empty with (force)")
    await connection.close()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "0001_one.sql").write_text("create table one (a int); insert into one values (1);")
    (tmp_path / "0002_two.sql").write_text("create table two (a int);")
    return tmp_path


async def test_each_file_is_applied_once_in_order(empty_url: str, directory: Path) -> None:
    assert await migrate(empty_url, directory) == ["0001_one.sql", "0002_two.sql"]
    assert await migrate(empty_url, directory) == []
    (directory / "0003_three.sql").write_text("alter table two add b int;")
    assert await migrate(empty_url, directory) == ["0003_three.sql"]


async def test_what_an_upgrade_waits_for_is_in_the_log(empty_url: str, directory: Path) -> None:
    with structlog.testing.capture_logs() as lines:
        await migrate(empty_url, directory)
        (directory / "0003_three.sql").write_text("alter table two add b int;")
        await migrate(empty_url, directory)
    assert [line["file"] for line in lines] == ["0003_three.sql"]


async def test_runners_at_the_same_time_apply_each_file_once(
    empty_url: str, directory: Path
) -> None:
    done = await asyncio.gather(*(migrate(empty_url, directory) for _ in range(4)))
    assert sorted(len(names) for names in done) == [0, 0, 0, 2]


async def test_a_changed_file_is_refused_by_name(empty_url: str, directory: Path) -> None:
    await migrate(empty_url, directory)
    (directory / "0001_one.sql").write_text("create table one (a bigint);")
    with pytest.raises(MigrationError, match=r"^0001_one\.sql: changed after it was applied"):
        await migrate(empty_url, directory)


async def test_a_missing_file_is_refused_by_name(empty_url: str, directory: Path) -> None:
    await migrate(empty_url, directory)
    (directory / "0002_two.sql").unlink()
    with pytest.raises(MigrationError, match=r"^0002_two\.sql: .*not on disk"):
        await migrate(empty_url, directory)


async def test_a_failing_file_leaves_nothing_behind(empty_url: str, directory: Path) -> None:
    (directory / "0002_two.sql").write_text("create table two (a int); select 1/0;")
    with pytest.raises(MigrationError, match=r"^0002_two\.sql: division by zero"):
        await migrate(empty_url, directory)
    connection = await asyncpg.connect(empty_url)
    assert await connection.fetchval("select to_regclass('two')") is None
    assert await connection.fetchval("select count(*) from one") == 1
    assert await connection.fetchval("select max(version) from schema_migrations") == 1
    await connection.close()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("three.sql", "not named"),
        ("0002_again.sql", "has this number"),
    ],
)
def test_stray_files_are_refused(directory: Path, name: str, words: str) -> None:
    (directory / name).write_text("select 1;")
    with pytest.raises(MigrationError, match=words):
        read_migrations(directory)


def test_the_shipped_migrations_are_well_named() -> None:
    assert read_migrations()


async def test_a_database_that_is_not_there_is_told_by_its_name(postgres: EmbeddedPostgres) -> None:
    with pytest.raises(CallctlError, match=r'database_url .*"nowhere" does not exist') as refused:
        await migrate_when_reachable(postgres.url_of("nowhere"))
    assert refused.value.code == "database_unavailable"


async def test_a_role_that_may_not_make_tables_is_told_so(empty_url: str) -> None:
    connection = await asyncpg.connect(empty_url)
    await connection.execute("create role reader login")
    try:
        with pytest.raises(CallctlError, match=r"database_url .*permission denied") as refused:
            await migrate_when_reachable(empty_url.replace("//postgres@", "//reader@"))
    finally:
        await connection.execute("drop role reader")
        await connection.close()
    assert refused.value.code == "database_unavailable"
