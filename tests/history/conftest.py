"""A journal on disk, a reader on it, and a database behind."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from callctl.asterisk.journal_files import JournalFiles
from callctl.core.calls.record import CallRecord
from callctl.core.routing.model import Account, AccountRouting, Extension, Trunk, build_table
from callctl.db.pool import Database
from callctl.features.calls.reader import JournalReader, StoreStep
from callctl.features.calls.service import CallService

FIXTURES = Path(__file__).parent.parent / "calls"
WAIT_SECONDS = 20.0


async def eventually(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait for a fact, not for a time; bounded."""
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            while not await condition():
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"did not come true in {WAIT_SECONDS:.0f} s: {what}") from None


@pytest.fixture
async def account_id(db: Database) -> int:
    value = await db.fetchval(
        "insert into accounts (code, name, kind, country) "
        "values ('lab', 'Lab', 'operator', 'US') returning id"
    )
    assert isinstance(value, int)
    return value


class Desk:
    """What a test of the history works with."""

    def __init__(self, db: Database, account_id: int, journal: Path) -> None:
        self.db = db
        self.account_id = account_id
        self.journal = journal
        self.service = CallService(db)
        self.told: list[CallRecord] = []
        self.steps: list[StoreStep] = []
        extensions = tuple(Extension(n, endpoint=n) for n in ("201", "202", "203", "204"))
        trunks = (Trunk("trunk", "127.0.0.9", endpoint="trunk"),)
        account = Account(account_id, "lab", "Lab", country="US")
        self.table = build_table((AccountRouting(account, extensions, trunks),))

    def reader(self, grace_seconds: float = 0.05, **more: Any) -> JournalReader:
        return JournalReader(
            JournalFiles(self.journal),
            self.db,
            lambda: self.table,
            systemname="lab",
            default_account_id=self.account_id,
            grace_seconds=grace_seconds,
            retention_days=90,
            on_calls=self.told.extend,
            steps=self.steps,
            **more,
        )

    def write(self, data: bytes) -> None:
        with self.journal.open("ab") as file:
            file.write(data)

    async def count(self) -> int:
        value = await self.db.fetchval("select count(*) from calls")
        assert isinstance(value, int)
        return value

    async def wait_for(self, calls: int) -> None:
        async def there() -> bool:
            return await self.count() == calls

        await eventually(there, f"{calls} calls")

    async def read_all(self, calls: int) -> None:
        """Run a reader until there are `calls`, then stop it as a kill would."""
        reader = self.reader()
        task = asyncio.create_task(reader.run())
        try:
            await self.wait_for(calls)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def read_until_quiet(self) -> None:
        """Run a reader until everything written is read, and what is over is stored."""
        reader = self.reader(grace_seconds=0.0)
        task = asyncio.create_task(reader.run())
        try:
            await asyncio.wait_for(reader.caught_up.wait(), WAIT_SECONDS)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def desk(db: Database, account_id: int, tmp_path: Path) -> Desk:
    return Desk(db, account_id, tmp_path / "journal.csv")


def fixture_rows(name: str) -> bytes:
    return (FIXTURES / f"{name}.csv").read_bytes()
