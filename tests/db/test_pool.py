"""The pool: fresh databases, JSON columns, settings of each session."""

import asyncpg
import pytest

from callctl.db.pool import WRITE_MODE, Database


async def test_a_test_gets_a_fresh_migrated_database(db: Database) -> None:
    assert await db.fetchval("select count(*) from accounts") == 0
    await db.execute("insert into accounts (code, name, kind) values ('a', 'A', 'operator')")


async def test_no_test_sees_what_another_wrote(db: Database) -> None:
    assert await db.fetchval("select count(*) from accounts") == 0


async def test_json_columns_are_python_values(db: Database) -> None:
    value = {"a": [1, None, "ü"]}
    assert await db.fetchval("select $1::jsonb", value) == value


async def test_sessions_plan_each_query_for_its_values(db: Database) -> None:
    assert await db.fetchval("show plan_cache_mode") == "force_custom_plan"
    assert await db.fetchval("show jit") == "off"


async def test_a_transaction_is_rolled_back_on_error(db: Database) -> None:
    async def insert_and_fail() -> None:
        async with db.transaction() as connection:
            await connection.execute(
                "insert into accounts (code, name, kind) values ('a', 'A', 'operator')"
            )
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await insert_and_fail()
    assert await db.fetchval("select count(*) from accounts") == 0


async def test_a_violated_constraint_is_not_called_unavailable(db: Database) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await db.execute("insert into accounts (code, name, kind) values ('a', 'A', 'x')")


async def test_a_connection_goes_back_as_it_came(db: Database) -> None:
    """Nothing clears it on its way back, so nothing may be left on it."""
    async with db.transaction() as connection:
        await connection.execute(WRITE_MODE)
        assert await connection.fetchval("show plan_cache_mode") == "auto"
        process = connection.get_server_pid()
    async with db.connection() as connection:
        assert connection.get_server_pid() == process
        assert await connection.fetchval("show plan_cache_mode") == "force_custom_plan"
