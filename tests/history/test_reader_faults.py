"""The reader and what can befall it: a database that refuses, an error, an Asterisk that died."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg
import pytest

from callctl.app.live import why_not_live
from callctl.asterisk.ami import AmiClient
from callctl.asterisk.journal import split_rows
from callctl.core.calls.not_live import Missing
from callctl.features.calls.reader import JournalReader

from .conftest import Desk, eventually, fixture_rows


@asynccontextmanager
async def running(reader: JournalReader) -> AsyncIterator[None]:
    task = asyncio.create_task(reader.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def completeness(desk: Desk) -> list[str]:
    return [row["completeness"] for row in await desk.db.fetch("select completeness from calls")]


async def test_run_again_after_an_error_reads_nothing_twice(desk: Desk) -> None:
    rows = split_rows(fixture_rows("answered"))
    reader = desk.reader()
    desk.write(b"".join(rows[:8]))
    async with running(reader):
        await reader.caught_up.wait()
    desk.write(b"".join(rows[8:]))
    async with running(reader):
        await desk.wait_for(1)
    assert await completeness(desk) == ["complete"]


async def test_a_database_that_takes_no_writes_is_waited_for(desk: Desk, database_url: str) -> None:
    """As one whose disk is full, or a standby: it is there, and refuses."""
    admin = await asyncpg.connect(database_url)
    name = await admin.fetchval("select current_database()")
    try:
        await admin.execute(f"alter database {name} set default_transaction_read_only = on")
        await _reconnect_all(admin)
        reader = desk.reader()
        async with running(reader):
            desk.write(fixture_rows("answered"))

            async def refused() -> bool:
                return "read-only" in (reader.last_error or "")

            await eventually(refused, "the reader says why it waits")
            await admin.execute(f"alter database {name} reset default_transaction_read_only")
            await _reconnect_all(admin)

            async def goes_on() -> bool:
                return reader.last_error is None and reader.open_calls == 0

            await eventually(goes_on, "the reader goes on")
            assert await completeness(desk) == ["complete"]
    finally:
        await admin.close()


async def test_a_journal_that_cannot_be_read_is_not_blamed_on_the_database(desk: Desk) -> None:
    reader = desk.reader()
    desk.journal.mkdir()
    with pytest.raises(IsADirectoryError):
        await reader.run()
    assert reader.last_error is None
    assert str(desk.journal) in (reader.problem or "")
    missing = why_not_live(AmiClient("127.0.0.1", 1, "nobody", ""), reader)
    assert missing is not None
    assert missing.missing is Missing.JOURNAL
    desk.journal.rmdir()
    desk.write(fixture_rows("answered"))
    async with running(reader):
        await desk.wait_for(1)
    assert reader.problem is None


async def _reconnect_all(admin: asyncpg.Connection) -> None:
    """Others have the database's old settings until they connect anew."""
    await admin.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where datname = current_database() and pid <> pg_backend_pid()"
    )


async def test_a_call_that_a_dead_asterisk_left_is_closed_although_that_was_told_first(
    desk: Desk,
) -> None:
    """A daemon that starts hears of Asterisk's start before it has read what came before it."""
    desk.write(b"".join(split_rows(fixture_rows("answered"))[:8]))
    reader = desk.reader()
    reader.asterisk_started(datetime(2099, 1, 1, tzinfo=UTC))
    async with running(reader):
        await desk.wait_for(1)
    assert await completeness(desk) == ["truncated"]
