"""The live reader at work: a journal on disk, a reader on it, a durable PostgreSQL behind.

``python -m bench.journal.live URL JOURNAL CALLS`` replays in a process of its own, whose memory is
the reader's alone, and prints a `Replay` as JSON.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import asyncpg
import uvloop

from bench.journal.generate import EXTENSIONS, FIRST_EXTENSION
from callctl.asterisk.journal_files import JournalFiles
from callctl.core.calls.record import CallRecord
from callctl.core.routing.model import Account, AccountRouting, Extension, Trunk, build_table
from callctl.db.embedded import EmbeddedPostgres
from callctl.db.migrate import migrate
from callctl.db.pool import Database
from callctl.features.calls.reader import JournalReader, OnCalls
from callctl.features.events.live import LiveDesk
from callctl.features.events.steps import tell_stored_calls
from callctl.features.long_calls.service import LongCallService

TRUNKS = ("carrier-a", "carrier-b", "carrier-dead")
LIMIT_SECONDS = 1800.0


@dataclass(frozen=True, slots=True)
class Replay:
    """What one replay took. `rss_kib`: resident memory at each tenth of the way."""

    calls: int
    seconds: float
    cpu_seconds: float
    rss_kib: list[int]
    most_open: int


@asynccontextmanager
async def fresh_database(server: EmbeddedPostgres, name: str) -> AsyncIterator[Database]:
    """A migrated database that is dropped afterwards."""
    connection = await asyncpg.connect(server.url)
    await connection.execute(f"drop database if exists {name}")
    await connection.execute(f"create database {name}")
    await migrate(server.url_of(name))
    database = await Database.connect(server.url_of(name))
    try:
        yield database
    finally:
        await database.close()
        await connection.execute(f"drop database {name} with (force)")
        await connection.close()


async def make_account(db: Database) -> int:
    account: int = await db.fetchval(
        "insert into accounts (code, name, kind, country, timezone) "
        "values ('bench', 'Bench', 'operator', 'HU', 'Europe/Budapest') returning id"
    )
    return account


def make_reader(db: Database, journal: Path, account_id: int, on_calls: OnCalls) -> JournalReader:
    """A reader as the daemon has it, for the journals of `generate`."""
    numbers = [str(FIRST_EXTENSION + i) for i in range(EXTENSIONS)]
    extensions = tuple(Extension(n, endpoint=n) for n in numbers)
    trunks = tuple(Trunk(t, "192.0.2.1", endpoint=t) for t in TRUNKS)
    account = Account(account_id, "bench", "Bench", country="HU")
    table = build_table((AccountRouting(account, extensions, trunks),))
    live = LiveDesk(
        db,
        lambda: table,
        default_account_id=lambda: account_id,
        open_channels=frozenset,
        why_not_live=lambda: None,
    )
    long_calls = LongCallService(db, lambda: table, lambda before_us: (), _hang_up_nothing)
    return JournalReader(
        JournalFiles(journal),
        db,
        lambda: table,
        systemname="callctl",
        default_account_id=account_id,
        grace_seconds=2.0,
        retention_days=90,
        on_calls=on_calls,
        on_rows=live.rows_read,
        before_store=live.forget_news,
        steps=(long_calls.mark_stored, tell_stored_calls),
    )


async def _hang_up_nothing(_channels: Sequence[str]) -> None:
    pass


async def replay(db: Database, journal: Path, calls: int, account_id: int) -> Replay:
    """Read `journal` from where it was left until `calls` more calls are stored."""
    stored = 0

    def count(records: Sequence[CallRecord]) -> None:
        nonlocal stored
        stored += len(records)

    reader = make_reader(db, journal, account_id, count)
    began, cpu = time.perf_counter(), time.process_time()
    task = asyncio.create_task(reader.run())
    rss: list[int] = []
    most_open = 0
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            while stored < calls:
                if task.done():
                    task.result()
                if stored * 10 >= calls * len(rss):
                    rss.append(resident_kib())
                most_open = max(most_open, reader.open_calls)
                await asyncio.sleep(0.05)
        seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu
        rss.append(resident_kib())
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        reader.close()
    return Replay(calls, seconds, cpu_seconds, rss, most_open)


async def replay_apart(url: str, journal: Path, calls: int) -> Replay:
    """`replay` in a process of its own."""
    command = [sys.executable, "-m", "bench.journal.live", url, str(journal), str(calls)]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await asyncio.wait_for(process.communicate(), LIMIT_SECONDS)
    if process.returncode != 0:
        raise RuntimeError(f"the replay ended with {process.returncode}")
    return Replay(**json.loads(output))


async def _main(url: str, journal: str, calls: str) -> None:
    db = await Database.connect(url)
    account_id = await db.fetchval("select id from accounts where code = 'bench'")
    if account_id is None:
        account_id = await make_account(db)
    print(json.dumps(asdict(await replay(db, Path(journal), int(calls), account_id))))
    await db.close()


def resident_kib() -> int:
    """This process's resident memory now."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise OSError("no VmRSS in /proc/self/status")


if __name__ == "__main__":
    uvloop.run(_main(*sys.argv[1:]))
