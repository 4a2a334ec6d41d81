"""PostgreSQL goes and comes back: requests fail fast, then work again by themselves."""

import asyncio
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest

from callctl.core.errors import CallctlError
from callctl.db import pool
from callctl.db.embedded import EmbeddedPostgres
from callctl.db.pool import Database


async def _is_unavailable(db: Database) -> bool:
    try:
        await db.check()
    except CallctlError as error:
        return error.code == "database_unavailable"
    return False


async def _recovers(db: Database) -> bool:
    for _ in range(100):
        if not await _is_unavailable(db):
            return True
        await asyncio.sleep(0.05)
    return False


async def test_a_pool_outlives_its_server(state_dir: Path) -> None:
    server = EmbeddedPostgres.start(state_dir, durable=False)
    db = await Database.connect(server.url)
    assert not await _is_unavailable(db)

    await asyncio.to_thread(server.stop)
    for _ in range(20):
        began = time.monotonic()
        assert await _is_unavailable(db)
        assert time.monotonic() - began < 0.5

    server = await asyncio.to_thread(EmbeddedPostgres.start, state_dir, durable=False)
    assert await _recovers(db)
    await db.close()
    server.stop()


async def test_a_pool_outlives_that_its_role_is_not_let_in(postgres: EmbeddedPostgres) -> None:
    server = await asyncpg.connect(postgres.url)
    await server.execute("create role guest nologin")
    db = await Database.connect(postgres.url.replace("//postgres@", "//guest@"))
    try:
        assert await _is_unavailable(db)
        await server.execute("alter role guest login")
        assert await _recovers(db)
    finally:
        await db.close()
        await server.execute("drop role guest")
        await server.close()


async def test_a_pool_may_be_made_before_its_server() -> None:
    # A socket's path may have 107 bytes: the server would choose another place for it.
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        await _made_before_its_server(Path(name) / "state")


async def _made_before_its_server(state_dir: Path) -> None:
    url = f"postgresql://postgres@/postgres?host={state_dir / 'postgres'}"
    db = await Database.connect(url)
    assert await _is_unavailable(db)
    server = await asyncio.to_thread(EmbeddedPostgres.start, state_dir, durable=False)
    assert await _recovers(db)
    await db.close()
    server.stop()


async def test_a_host_that_swallows_packets_holds_nobody_up_for_long() -> None:
    accepted: list[asyncio.StreamWriter] = []

    async def swallow(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.append(writer)

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    db = await Database.connect(f"postgresql://x@127.0.0.1:{port}/x?sslmode=disable")
    began = time.monotonic()
    assert all(await asyncio.gather(*(_is_unavailable(db) for _ in range(50))))
    assert time.monotonic() - began < 6
    await db.close()
    for writer in accepted:
        writer.close()
    server.close()


async def test_a_connection_cut_in_a_transaction_is_unavailable_not_a_bug(db: Database) -> None:
    async def cut() -> None:
        async with db.transaction() as connection:
            pid = await connection.fetchval("select pg_backend_pid()")
            await db.fetchval("select pg_terminate_backend($1, 2000)", pid)
            await connection.execute("select 1")

    with pytest.raises(CallctlError) as caught:
        await cut()
    assert caught.value.code == "database_unavailable"
    await db.check()


def _parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


async def _connect_impatiently(
    postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> Database:
    """By one connection that gives up soon."""
    monkeypatch.setattr(pool, "_STATEMENT_SECONDS", 0.5)
    monkeypatch.setattr(pool, "_BUSY_SECONDS", 0.2)
    return await Database.connect(postgres.url, max_connections=1)


async def test_a_server_that_stands_still_is_unavailable_not_a_bug(
    postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = await _connect_impatiently(postgres, monkeypatch)
    with _standing_still(await db.fetchval("select pg_backend_pid()")):
        assert await _is_unavailable(db)
    assert await _recovers(db)
    await db.close()


async def test_a_server_that_stands_still_in_a_transaction_is_unavailable_too(
    postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = await _connect_impatiently(postgres, monkeypatch)

    async def read_twice() -> None:
        async with db.transaction() as connection:
            with _standing_still(await connection.fetchval("select pg_backend_pid()")):
                await connection.fetchval("select 1")

    with pytest.raises(CallctlError) as caught:
        await read_twice()
    assert caught.value.code == "database_unavailable"
    assert await _recovers(db)
    await db.close()


@contextmanager
def _standing_still(backend: int) -> Iterator[None]:
    # And its parent, who would tell it that the statement is cancelled.
    both = (backend, _parent_of(backend))
    for pid in both:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in both:
            os.kill(pid, signal.SIGCONT)


async def test_a_full_disk_of_the_server_is_told_as_such(db: Database) -> None:
    full = "do $$ begin raise 'No space left on device' using errcode = 'disk_full'; end $$"
    with pytest.raises(CallctlError, match="disk is full: No space left") as caught:
        await db.execute(full)
    assert caught.value.code == "database_unavailable"
    await db.check()


async def test_a_server_that_takes_no_writes_is_told_as_such(db: Database) -> None:
    with pytest.raises(CallctlError, match="takes no writes: cannot execute INSERT") as caught:
        await db.execute("set transaction read only; insert into accounts default values")
    assert caught.value.code == "database_unavailable"
    await db.check()


async def test_a_wrong_argument_is_a_bug_not_unavailable(db: Database) -> None:
    with pytest.raises(asyncpg.DataError):
        await db.fetchval("select $1::int", "one")


async def test_an_error_of_the_file_system_in_a_transaction_stays_what_it_is(db: Database) -> None:
    async def read_a_file() -> None:
        async with db.transaction():
            raise FileNotFoundError("recording")

    with pytest.raises(FileNotFoundError):
        await read_a_file()
