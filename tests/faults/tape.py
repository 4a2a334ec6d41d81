"""A journal of real calls, damaged in every way, and read by a daemon that has never seen it.

The calls and the truth about them are those of one run of traffic that nothing struck; each
damage is read into a fresh database.
"""

import asyncio
import contextlib
import itertools
import random
import re
import shutil
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
import asyncpg

from callctl.asterisk.journal import split_rows
from callctl.asterisk.runtime import free_port
from callctl.demo.play import Api
from tests.faults.judge import Key, Placed, Promise, Verdict, judge, key_of
from tests.faults.processes import DaemonProcess
from tests.faults.world import PRISTINE, World, list_records

PATIENCE_SECONDS = 90.0
POLL_SECONDS = 0.1
_names = itertools.count(1)

READ = Promise(recordings=frozenset({"available", "pending", "missing"}))
"""A tape has no recordings: they are where the calls were placed."""

MENDED = replace(READ, completeness=frozenset({"complete", "repaired"}))


@dataclass(frozen=True, slots=True)
class Tape:
    """The journal of a run, row by row, and what the run's parties saw."""

    rows: tuple[bytes, ...]
    placed: tuple[Placed, ...]
    known: Mapping[str, Key]
    """Whose calls its call ids are, by the records that were made of the whole journal."""

    verdict: Verdict
    """On the run itself, which nothing struck."""

    @classmethod
    async def record(cls, world: World, seconds: float) -> "Tape":
        """So many seconds of traffic."""
        before = world.asterisk.journal_path
        start = before.stat().st_size if before.exists() else 0
        last = await world.last_id()
        async with world.traffic() as traffic:
            await traffic.place(seconds)
            await traffic.wait()
        placed = traffic.placed()
        verdict = await world.judged(placed, last, Promise(first_ring=1.0))
        records = await list_records(world.api, after=last)
        known = {record["call"]["call_id"]: key_of(record) for record in records}
        rows = split_rows(world.asterisk.journal_path.read_bytes()[start:])
        return cls(tuple(rows), tuple(placed), known, verdict)

    def calls_of(self, rows: Sequence[bytes]) -> frozenset[Key]:
        """Which calls these rows are of."""
        ids = {found for row in rows for found in re.findall(rb"callctl-\d+\.\d+", row)}
        return frozenset(self.known[i.decode()] for i in ids if i.decode() in self.known)


class Deck:
    """A fresh database, a journal, and a daemon that reads the one into the other."""

    def __init__(self, world: World, name: str, url: str, session: aiohttp.ClientSession) -> None:
        self.name = name
        directory = world.directory / name
        self.journal = directory / "journal.csv"
        self.url = url
        directory.mkdir()
        settings = replace(
            world.settings,
            database_url=url,
            state_dir=directory,
            http_port=free_port(world.settings.http_host),
            agi_port=free_port(world.settings.agi_host),
            journal_path=self.journal,
            recordings_spool=directory / "spool",
            recordings_dir=directory / "recordings",
            asterisk_generated_dir=directory / "generated",
        )
        self.daemon = DaemonProcess(settings, {}, directory / "daemon.log")
        self._api = Api(f"http://{settings.http_host}:{settings.http_port}", world.token, session)

    def write(self, *rows: bytes) -> None:
        """As Asterisk does: at the end."""
        with self.journal.open("ab") as file:
            file.write(b"".join(rows))

    async def records(self) -> list[dict[str, Any]]:
        return await list_records(self._api)

    async def until_read(self, calls: int) -> list[dict[str, Any]]:
        """Until there are so many records, nothing is left to read, and nothing is open."""
        await self.daemon.until_ready()
        records: list[dict[str, Any]] = []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                while len(records) < calls or not await self._is_done():
                    await asyncio.sleep(POLL_SECONDS)
                    records = await self.records()
        return await self.records()

    async def _is_done(self) -> bool:
        gauges = await self.daemon.gauges()
        return not gauges["callctl_journal_lag_bytes"] and not gauges["callctl_calls_open"]

    async def value(self, sql: str) -> Any:
        connection = await asyncpg.connect(self.url)
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()


@contextlib.asynccontextmanager
async def open_deck(world: World) -> AsyncIterator[Deck]:
    name = f"tape_{next(_names)}"
    server = await asyncpg.connect(world.postgres.server.url)
    try:
        await server.execute(f"create database {name} template {PRISTINE}")
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True)
        ) as session:
            deck = Deck(world, name, world.postgres.server.url_of(name), session)
            try:
                yield deck
            finally:
                await deck.daemon.stop()
        await server.execute(f"drop database {name} with (force)")
    finally:
        await server.close()


async def _read(world: World, tape: Tape, rows: Sequence[bytes], promise: Promise) -> Verdict:
    """What a daemon makes of these rows."""
    async with open_deck(world) as deck:
        deck.write(*rows)
        await deck.daemon.start()
        records = await deck.until_read(len(tape.placed))
        return judge(tape.placed, records, promise, tape.known)


# The ways of damage


async def replayed(world: World, tape: Tape) -> Verdict:
    """Read to its end; then the same rows once more behind it; then all of it as another file."""
    async with open_deck(world) as deck:
        deck.write(*tape.rows)
        await deck.daemon.start()
        first = await deck.until_read(len(tape.placed))
        deck.write(*tape.rows)
        await deck.until_read(len(tape.placed))
        await deck.daemon.stop()
        copy = deck.journal.with_suffix(".copy")
        shutil.copyfile(deck.journal, copy)
        copy.replace(deck.journal)
        await deck.daemon.start()
        records = await deck.until_read(len(tape.placed))
        verdict = judge(tape.placed, records, READ, tape.known)
        if {r["call"]["id"] for r in first} != {r["call"]["id"] for r in records}:
            verdict.differences.append("a record was made anew")
        return verdict


async def shuffled(world: World, tape: Tape) -> Verdict:
    """Every row up to two seconds away from its place."""
    chance = random.Random(2)
    when = {row: _time_of(row) + chance.uniform(-1.0, 1.0) for row in tape.rows}
    return await _read(world, tape, sorted(tape.rows, key=lambda row: when[row]), MENDED)


async def thinned(world: World, tape: Tape) -> Verdict:
    """One row in a hundred is gone."""
    chance = random.Random(3)
    gone = set(chance.sample(range(len(tape.rows)), max(1, len(tape.rows) // 100)))
    damaged = tape.calls_of([tape.rows[i] for i in gone])
    left = [row for i, row in enumerate(tape.rows) if i not in gone]
    note = f"{len(gone)} of {len(tape.rows)} rows lost, of {len(damaged)} calls"
    return await _read(world, tape, left, replace(READ, damaged=damaged, note=note))


async def torn(world: World, tape: Tape) -> Verdict:
    """The file ends in the middle of its last row; the rest comes later; then a row never gets
    its end, and another is written right behind it."""
    half = len(tape.rows) // 2
    async with open_deck(world) as deck:
        *before, last = tape.rows[:half]
        deck.write(*before, last[: len(last) // 2])
        await deck.daemon.start()
        await deck.daemon.until_ready()
        await deck.until_read(0)
        deck.write(last[len(last) // 2 :])
        broken, *after = tape.rows[half:]
        deck.write(broken[: len(broken) // 2] + b"\n", *after)
        records = await deck.until_read(len(tape.placed))
        promise = replace(MENDED, damaged=tape.calls_of([broken]))
        return judge(tape.placed, records, promise, tape.known)


async def poisoned(world: World, tape: Tape) -> Verdict:
    """Rows that are none, all over the file."""
    chance = random.Random(5)
    poison = (
        b"\0" * 500 + b"\n",
        b'1795370000,"CHAN_START","1795370000.1","too","few","columns"\n',
        b"\xff\xfe binary \x80 rubbish\n",
        b'1795370000,"' + b"A" * 70_000 + b'"\n',
        b'1795370000,"CHAN_END","not a time",' + b",".join([b'""'] * 14) + b"\n",
        b'quote " that never ends\n',
    )
    rows = list(tape.rows)
    for piece in poison * 2:
        rows.insert(chance.randrange(len(rows)), piece)
    async with open_deck(world) as deck:
        deck.write(*rows)
        await deck.daemon.start()
        records = await deck.until_read(len(tape.placed))
        kept = await deck.value("select count(*) from journal_quarantine")
        note = f"{len(poison) * 2} false rows; {kept} pieces in quarantine"
        return judge(tape.placed, records, replace(MENDED, note=note), tape.known)


KILLS = 50


async def killed(world: World, tape: Tape, kills: int = KILLS) -> Verdict:
    """kill -9 of the daemon at random moments while it stores; its journal grows meanwhile."""
    chance = random.Random(7)
    # The first piece holds whole calls, the rest comes in small ones.
    first, size = len(tape.rows) // 5, -(-len(tape.rows) * 4 // (5 * (kills - 1)))
    cuts = [0, *range(first, len(tape.rows), size), len(tape.rows)]
    async with open_deck(world) as deck, _watching(world, deck) as watch:
        stored_after = 0.2
        for n in range(kills):
            if n + 1 < len(cuts):
                deck.write(*tape.rows[cuts[n] : cuts[n + 1]])
            await deck.daemon.start()
            connected = await watch.until_connected()
            if n == 0:
                # How long it takes to its first commit: the kills to come are aimed there.
                stored_after = await watch.until_stored() - connected
            else:
                await asyncio.sleep(stored_after * chance.uniform(0.5, 1.3))
            await deck.daemon.kill()
        cut = await watch.rolled_back()
        await deck.daemon.start()
        records = await deck.until_read(len(tape.placed))
        note = f"{kills} kills, {cut} of them inside a transaction"
        return judge(tape.placed, records, replace(READ, note=note), tape.known)


class _Watch:
    """What PostgreSQL says of the daemon's connections to one of its databases."""

    def __init__(self, server: Any, own: Any, database: str) -> None:
        self._server = server
        self._own = own
        self._own_pid = own.get_server_pid()
        self._database = database

    async def until_connected(self) -> float:
        """When that was (monotonic)."""
        sql = "select count(*) from pg_stat_activity where datname = $1 and pid <> $2"
        return await self._until(self._server, sql, self._database, self._own_pid)

    async def until_stored(self) -> float:
        """Until the first rows are part of a stored call; when that was."""
        return await self._until(self._own, "select count(*) from journal_positions")

    async def _until(self, connection: Any, sql: str, *arguments: object) -> float:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await connection.fetchval(sql, *arguments):
                await asyncio.sleep(0.002)
        return time.monotonic()

    async def rolled_back(self) -> int:
        """Transactions that did not come to their commit."""
        sql = "select xact_rollback from pg_stat_database where datname = $1"
        return int(await self._server.fetchval(sql, self._database))


@contextlib.asynccontextmanager
async def _watching(world: World, deck: Deck) -> AsyncIterator[_Watch]:
    server = await asyncpg.connect(world.postgres.server.url)
    own = await asyncpg.connect(deck.url)
    try:
        yield _Watch(server, own, deck.name)
    finally:
        await own.close()
        await server.close()


def _time_of(row: bytes) -> float:
    return float(row.split(b'","')[1])
