"""What strikes, one function each: to the daemon, PostgreSQL, Asterisk, the manager interface.

Each is an async context manager. It is entered while calls are going on, strikes, and yields what
is promised of those calls; what must stay broken until the last call is mended at its exit.
"""

import asyncio
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import asyncpg

from callctl.db.embedded import find_programs
from tests.faults.judge import Blow, Promise
from tests.faults.world import World

ROUTED = Promise(routed=0.99)
"""Without the daemon: the fallback, and the watchdog's two seconds at most."""

AT_SPEED = Promise(first_ring=1.0)
"""Without the database or the manager interface calls do not even notice."""


async def last(seconds: float) -> None:
    """The blow goes on for so long: that it lasts is what is tried."""
    await asyncio.sleep(seconds)


# The daemon


@asynccontextmanager
async def kill_daemon(world: World) -> AsyncIterator[Promise]:
    await world.daemon.kill()
    await last(3)
    await world.daemon.start()
    await world.daemon.until_ready()
    await world.daemon.kill()
    await world.daemon.start()
    yield ROUTED


@asynccontextmanager
async def stop_daemon(world: World) -> AsyncIterator[Promise]:
    world.daemon.send(signal.SIGSTOP)
    await last(6)
    world.daemon.send(signal.SIGCONT)
    yield ROUTED


# PostgreSQL


@asynccontextmanager
async def kill_postgres(world: World) -> AsyncIterator[Promise]:
    await world.postgres.kill()
    await last(3)
    await world.postgres.start()
    await world.daemon.until_ready()
    await world.postgres.kill()
    await world.postgres.start()
    yield AT_SPEED


@asynccontextmanager
async def stop_postgres(world: World) -> AsyncIterator[Promise]:
    world.postgres.send(signal.SIGSTOP)
    await last(10)
    world.postgres.send(signal.SIGCONT)
    yield AT_SPEED


@asynccontextmanager
async def lock_table(world: World) -> AsyncIterator[Promise]:
    connection = await asyncpg.connect(world.postgres.server.url)
    async with connection.transaction():
        await connection.execute("lock table calls in access exclusive mode")
        await last(8)
    await connection.close()
    yield AT_SPEED


@asynccontextmanager
async def fill_disk(world: World) -> AsyncIterator[Promise]:
    world.disk.fill()
    await last(8)
    world.disk.empty()
    # A server that could not even write its log may have ended itself.
    await world.postgres.stop()
    await world.postgres.start()
    yield AT_SPEED


@asynccontextmanager
async def without_postgres(world: World) -> AsyncIterator[Promise]:
    await world.postgres.kill()
    yield AT_SPEED
    await world.postgres.start()


@asynccontextmanager
async def restore_backup(world: World) -> AsyncIterator[Promise]:
    """A dump taken in the middle of it takes the place of the database after it."""
    await last(4)
    dump = world.directory / "backup.dump"
    await _postgres_program(world, "pg_dump", "--format=custom", f"--file={dump}")
    yield AT_SPEED
    await world.until_idle()
    await world.until_stored()
    await world.daemon.stop()
    connection = await asyncpg.connect(world.postgres.server.url_of("template1"))
    for order in ("drop database postgres with (force)", "create database postgres"):
        await connection.execute(order)
    await connection.close()
    await _postgres_program(world, "pg_restore", f"--dbname={world.postgres.server.url}", dump)
    await world.daemon.start()


async def _postgres_program(world: World, name: str, *arguments: object) -> None:
    words = [str(word) for word in arguments]
    if name == "pg_dump":
        words.append(world.postgres.server.url)
    process = await asyncio.create_subprocess_exec(str(find_programs() / name), *words)
    if await process.wait():
        raise RuntimeError(f"{name} ended with {process.returncode}")


# Asterisk


@asynccontextmanager
async def kill_asterisk(world: World) -> AsyncIterator[Promise]:
    struck = time.time()
    await world.asterisk.kill()
    await world.asterisk.start()
    up = time.time()
    ready = await world.until_qualified()
    yield replace(ROUTED, blow=Blow(struck, up, ready, cut=frozenset({"truncated"}), memory=0.1))


@asynccontextmanager
async def restart_asterisk(world: World) -> AsyncIterator[Promise]:
    struck = time.time()
    await world.asterisk.stop()
    await world.asterisk.start()
    up = time.time()
    ready = await world.until_qualified()
    yield replace(ROUTED, blow=Blow(struck, up, ready))


# The manager interface


@asynccontextmanager
async def kick_manager(world: World) -> AsyncIterator[Promise]:
    for _ in range(20):
        world.manager.cut()
        await last(0.5)
    yield AT_SPEED


@asynccontextmanager
async def refuse_manager(world: World) -> AsyncIterator[Promise]:
    await world.manager.close()
    await last(8)
    await world.manager.open()
    yield AT_SPEED


@asynccontextmanager
async def flood_manager(world: World) -> AsyncIterator[Promise]:
    until = time.monotonic() + 8
    count = 0
    while time.monotonic() < until:
        events = b"".join(_false_event(count + n) for n in range(100))
        await world.manager.inject(events)
        count += 100
        await asyncio.sleep(0.02)
    yield replace(AT_SPEED, note=f"{count} events")


def _false_event(number: int) -> bytes:
    """Of a call that there is not."""
    unique = f"{int(time.time())}.{9_000_000 + number}"
    lines = (
        "Event: Newchannel",
        f"Channel: PJSIP/flood-{number:08x}",
        f"Uniqueid: callctl-{unique}",
        f"Linkedid: callctl-{unique}",
        "ChannelState: 0",
        "CallerIDNum: +36209999999",
    )
    hangup = ("Event: Hangup", *lines[1:4], "Cause: 16")
    return b"".join(("\r\n".join(event) + "\r\n\r\n").encode() for event in (lines, hangup))


# The journal


@asynccontextmanager
async def rename_journal(world: World) -> AsyncIterator[Promise]:
    path = world.asterisk.journal_path
    for _ in range(3):
        path.rename(path.with_name(f"{path.name}.{datetime.now(UTC):%Y%m%dT%H%M%S%f}"))
        await last(2)
    yield AT_SPEED


@asynccontextmanager
async def rename_journal_unseen(world: World) -> AsyncIterator[Promise]:
    """Twice while the daemon reads nothing, numbered as logrotate does it."""
    path = world.asterisk.journal_path
    world.daemon.send(signal.SIGSTOP)
    for number in (2, 1):
        await last(2)
        path.rename(path.with_name(f"{path.name}.{number}"))
    await last(2)
    world.daemon.send(signal.SIGCONT)
    yield ROUTED


@asynccontextmanager
async def truncate_journal(world: World) -> AsyncIterator[Promise]:
    """Emptied where it stands, without a copy: what was not read yet is gone."""
    path = world.asterisk.journal_path
    struck = time.time()
    os.truncate(path, 0)
    await last(2)
    yield replace(AT_SPEED, blow=Blow(struck, struck, rows_lost=True))


@asynccontextmanager
async def copytruncate_journal(world: World) -> AsyncIterator[Promise]:
    """As logrotate does it, while the daemon is too busy to read."""
    path = world.asterisk.journal_path
    world.daemon.send(signal.SIGSTOP)
    await last(1.5)
    struck = time.time()
    shutil.copyfile(path, path.with_name(f"{path.name}.1"))
    os.truncate(path, 0)
    world.daemon.send(signal.SIGCONT)
    await last(2)
    yield replace(ROUTED, blow=Blow(struck, struck))
