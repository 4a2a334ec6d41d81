"""The seed in the header, and a daemon with real data behind its API."""

import asyncio
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from callctl.app import Daemon
from callctl.asterisk.runtime import free_port
from callctl.config import load_settings
from callctl.core.scope import CallScope
from callctl.db.embedded import EmbeddedPostgres
from callctl.db.pool import Database
from callctl.features.calls.model import CallFilters
from tests.conftest import fresh_database
from tests.fuzz.rounds import SEED

ADDRESS = "127.0.10.3"
TESTS = Path(__file__).parent.parent
DEMO = TESTS.parent / "callctl/demo/routing.yaml"
JOURNALS = ("answered", "busy_declined_offline", "hostile_names", "outbound", "anonymous")
FRAMES = 4000


def pytest_report_header() -> str:
    return f"fuzz: FUZZ_SEED={SEED}"


@dataclass(frozen=True, slots=True)
class World:
    """A daemon that serves calls, a recording and a routing. `names`: objects there are, by path.

    `token` may do everything, `reader` may read calls and nothing else. `cursor`: of the second
    page of calls. All as it was before the first made-up request, which may well have calls purged.
    """

    daemon: Daemon
    url: str
    token: str
    reader: str
    recording: int
    recording_bytes: int
    cursor: str
    names: dict[str, list[str]]


@pytest.fixture(scope="session")
async def world(
    postgres: EmbeddedPostgres, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """No Asterisk behind it: what needs one says so in a declared way."""
    state = tmp_path_factory.mktemp("world")
    journal = b"".join((TESTS / "calls" / f"{name}.csv").read_bytes() for name in JOURNALS)
    (state / "journal.csv").write_bytes(journal)
    values = {
        "STATE_DIR": state,
        "HTTP_HOST": ADDRESS,
        "HTTP_PORT": 0,
        "AGI_PORT": 0,
        "AMI_PORT": free_port("127.0.0.1"),
        "JOURNAL_PATH": state / "journal.csv",
        "RECORDINGS_SPOOL": state / "spool",
        "ASTERISK_GENERATED_DIR": state / "generated",
        "JOURNAL_GRACE_SECONDS": 0,
    }
    settings = load_settings({f"CALLCTL_{name}": str(value) for name, value in values.items()})
    async with fresh_database(postgres, template_database) as url:
        db = await Database.connect(url)
        async with Daemon(settings, db, url) as daemon:
            yield await _furnished(daemon)
        await db.close()


async def _furnished(daemon: Daemon) -> World:
    async with asyncio.timeout(30):
        await daemon.ready.wait()
        while await daemon.db.fetchval("select count(*) from calls") < len(JOURNALS):
            await asyncio.sleep(0.05)
    account = (await daemon.access.bootstrap()).account_id
    await daemon.routing.apply(account, DEMO.read_bytes(), "fuzz")
    await _record(daemon, account)
    recording = await daemon.db.fetchval("select id from recordings where state = 'available'")
    calls = await daemon.db.fetch("select id from calls order by id")
    first = await daemon.calls.list_calls(CallScope(account), CallFilters(limit=1))
    assert first.next
    index = daemon.routing.table.accounts[account].routing
    return World(
        daemon,
        f"http://{ADDRESS}:{daemon.http_port}",
        await daemon.access.issue_token("fuzz"),
        await daemon.access.issue_token("reader", ["calls:read"]),
        recording,
        await daemon.db.fetchval("select bytes from recordings where id = $1", recording),
        first.next,
        {
            "calls": [str(row["id"]) for row in calls],
            "recordings": [str(recording)],
            "extensions": [e.number for e in index.extensions],
            "dids": [d.number for d in index.dids],
            "trunks": [t.name for t in index.trunks],
            "hunt_groups": [g.name for g in index.hunt_groups],
            "schedules": [s.name for s in index.schedules],
            "outbound": [o.name for o in index.outbound],
        },
    )


async def _record(daemon: Daemon, account: int) -> None:
    spool = daemon.settings.recordings_spool
    spool.mkdir(exist_ok=True)
    (spool / "1700000000.1-1.raw").write_bytes(struct.pack("<hh", 1, -1) * FRAMES)
    await daemon.db.execute(
        "insert into recordings (call, account_id, file, started_at) "
        "select id, account_id, '1700000000.1-1.raw', $1 from calls order by id limit 1",
        datetime(2026, 3, 29, tzinfo=UTC),
    )
    async with asyncio.timeout(30):
        while not await daemon.db.fetchval("select count(*) from recordings where path <> ''"):
            await asyncio.sleep(0.05)
