"""What answers Asterisk's question in the daemon's place: never, late, with garbage, by half."""

import asyncio
import contextlib
import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from callctl.asterisk.runtime import free_port
from tests.faults.judge import Promise
from tests.faults.world import World
from tests.wire.peers import reset

ROUTED = Promise(routed=0.99)
"""By the fallback, after the watchdog's two seconds at most."""

HALF_A_PLAN = b'SET VARIABLE CALLCTL_PLAN "1|p|1|inbound||did|||||!ring|1|0|106|106"'
"""Whole for all that can be seen of it, but the end of the line and of the plan are missing."""

Session = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def in_its_place(world: World, session: Session) -> AsyncIterator[None]:
    """`session` has each connection on the daemon's FastAGI port."""
    open_now: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_now.add(task)
        gone = (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError)
        with contextlib.suppress(*gone):
            await session(reader, writer)
        open_now.discard(task)
        writer.close()

    settings = world.settings
    server = await asyncio.start_server(serve, settings.agi_host, settings.agi_port)
    try:
        yield
    finally:
        server.close()
        for task in list(open_now):
            task.cancel()
        await asyncio.gather(*open_now, return_exceptions=True)


@asynccontextmanager
async def dead(world: World) -> AsyncIterator[Promise]:
    await world.daemon.kill()
    yield ROUTED
    await world.daemon.start()


@asynccontextmanager
async def _instead(world: World, session: Session) -> AsyncIterator[Promise]:
    await world.daemon.kill()
    async with in_its_place(world, session):
        yield ROUTED
    await world.daemon.start()


def hung(world: World) -> contextlib.AbstractAsyncContextManager[Promise]:
    """Takes every connection and never says a word."""

    async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(4096):
            pass

    return _instead(world, session)


def garbage(world: World) -> contextlib.AbstractAsyncContextManager[Promise]:
    """Says what no daemon would, a different thing to each call, and stays on the line.

    Only lines: one that never ends keeps Asterisk's own AGI loop busy until the connection closes,
    and no dialplan can help that (the daemon writes a line whole, or not at all).
    """
    noise = random.Random(9).randbytes(300).replace(b"\n", b"").replace(b"\0", b"")
    words = itertools.cycle(
        (
            b'SET VARIABLE CALLCTL_PLAN "2|not a plan!."\n',
            b'SET VARIABLE CALLCTL_PLAN "1|p|1|inbound\n',
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            noise + b"\n",
            b"\n" * 50,
            b"A" * 20_000 + b"\n",
        )
    )

    async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\n\n")
        writer.write(next(words))
        await writer.drain()
        while await reader.read(4096):
            pass

    return _instead(world, session)


def closing(world: World) -> contextlib.AbstractAsyncContextManager[Promise]:
    """Leaves at every place where one can leave, in good order or by a reset."""
    turns = itertools.cycle(range(6))

    async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        turn = next(turns)
        if turn > 1:
            await reader.readline()
        if turn > 2:
            await reader.readuntil(b"\n\n")
        if turn > 3:
            writer.write(b"VERBOSE hello 1\n" if turn == 4 else HALF_A_PLAN)
            await writer.drain()
        if turn == 4:
            await reader.readline()
        if turn % 2:
            reset(writer)

    return _instead(world, session)


@asynccontextmanager
async def slow(world: World) -> AsyncIterator[Promise]:
    """The daemon itself, but each answer comes late: some in time, some after the watchdog."""
    port = free_port(world.settings.agi_host)
    delays = random.Random(4)

    async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        question = await reader.readuntil(b"\n\n")
        await asyncio.sleep(delays.uniform(0.2, 4.0))
        up_reader, up_writer = await asyncio.open_connection(world.settings.agi_host, port)
        up_writer.write(question)
        writer.write(await up_reader.readline())
        up_writer.write(await reader.readline())
        up_writer.close()

    await world.daemon.kill()
    await world.daemon.start({"CALLCTL_AGI_PORT": str(port)})
    async with in_its_place(world, session):
        yield ROUTED
    await world.daemon.stop()
    await world.daemon.start()
