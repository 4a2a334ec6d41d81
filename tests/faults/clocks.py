"""A wall clock that is stepped by an hour while calls go on: the daemon's, Asterisk's."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace

from tests.faults.blows import AT_SPEED, last
from tests.faults.judge import Blow, Promise
from tests.faults.world import World

HOUR = 3600


@asynccontextmanager
async def daemon_by_false_clock(world: World) -> AsyncIterator[None]:
    """The daemon goes by a clock that can be stepped."""
    world.clock.step(0)
    await world.daemon.stop()
    await world.daemon.start(world.clock.environ)
    await world.daemon.until_ready()
    yield
    await world.daemon.stop()
    await world.daemon.start()


@asynccontextmanager
async def asterisk_by_false_clock(world: World) -> AsyncIterator[None]:
    """Asterisk does."""
    world.clock.step(0)
    await world.asterisk.stop()
    with world.clock.in_environment():
        await world.asterisk.start()
    await world.until_qualified()
    yield
    await world.until_idle()
    await world.asterisk.stop()
    await world.asterisk.start()
    await world.until_qualified()


Strike = Callable[[World], AbstractAsyncContextManager[Promise]]


def step_daemon(seconds: int) -> Strike:
    """The clock is off by so many seconds from one moment to the next."""

    @asynccontextmanager
    async def strike(world: World) -> AsyncIterator[Promise]:
        world.clock.step(seconds)
        await last(3)
        yield AT_SPEED

    return strike


def step_asterisk(seconds: int) -> Strike:
    """The same; but Asterisk tells ring times by it: calls that ring at that moment ring too
    short, or much too long, and what they took cannot be told from their rows."""

    @asynccontextmanager
    async def strike(world: World) -> AsyncIterator[Promise]:
        struck = time.time()
        world.clock.step(seconds)
        await last(3)
        yield replace(AT_SPEED, blow=Blow(struck, struck))

    return strike
