"""Every fault, declared once: `make faults` strikes them all, the test suite those marked short."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from functools import partial

from tests.faults import blows, clocks, false_daemon, tape
from tests.faults.clocks import HOUR
from tests.faults.judge import Promise, Verdict
from tests.faults.tape import Tape
from tests.faults.world import World

SECONDS = 15.0
SHORT_SECONDS = 8.0
LEAD_SECONDS = 3.0
"""Calls are in every stage when the blow comes."""

Strike = Callable[[World], AbstractAsyncContextManager[Promise]]
Before = Callable[[World], AbstractAsyncContextManager[None]]
Run = Callable[[World, Tape, float], Awaitable[Verdict]]


@dataclass(frozen=True, slots=True)
class Fault:
    """`name` as in the table; `run` strikes, for so many seconds of traffic, and judges.

    `taped`: no calls are placed for it, the taped ones are read. `more_seconds` of traffic are
    placed in the long form, where the blow itself takes long.
    """

    group: str
    name: str
    run: Run
    short: bool = False
    taped: bool = False
    more_seconds: float = 0.0
    why_not: Callable[[World], str | None] = lambda world: None


def during(strike: Strike, before: Before | None = None) -> Run:
    """The blow comes in the middle of the traffic."""

    async def run(world: World, _: Tape, seconds: float) -> Verdict:
        last = await world.last_id()
        async with AsyncExitStack() as life:
            if before is not None:
                await life.enter_async_context(before(world))
            traffic = await life.enter_async_context(world.traffic())
            await traffic.place(seconds)
            await asyncio.sleep(LEAD_SECONDS)
            promise = await life.enter_async_context(strike(world))
            await traffic.wait()
        return await world.judged(traffic.placed(), last, promise)

    return run


def throughout(strike: Strike) -> Run:
    """All is broken before the first call, and mended after the last."""

    async def run(world: World, _: Tape, seconds: float) -> Verdict:
        last = await world.last_id()
        async with world.traffic() as traffic, strike(world) as promise:
            await traffic.place(seconds)
            await traffic.wait()
        return await world.judged(traffic.placed(), last, promise)

    return run


def on_tape(damage: Callable[[World, Tape], Awaitable[Verdict]]) -> Run:
    """The journal of calls that went well is damaged, and read into a fresh database."""

    async def run(world: World, tape: Tape, _: float) -> Verdict:
        return await damage(world, tape)

    return run


async def _nothing(_: World, tape: Tape, __: float) -> Verdict:
    return tape.verdict


async def _some_kills(world: World, tape_: Tape, seconds: float) -> Verdict:
    """As many as there is time for."""
    return await tape.killed(world, tape_, tape.KILLS if seconds >= SECONDS else tape.KILLS // 10)


def _no_clock(world: World) -> str | None:
    return world.clock.why_not


_stepped_daemon = partial(during, before=clocks.daemon_by_false_clock)
_stepped_asterisk = partial(during, before=clocks.asterisk_by_false_clock)

DAEMON, DATABASE, ASTERISK = "The daemon", "PostgreSQL", "Asterisk"
MANAGER, JOURNAL, CLOCK = "The manager interface", "The journal", "The clock"

FAULTS: tuple[Fault, ...] = (
    Fault("Nothing", "the calls that are taped", _nothing, short=True),
    Fault(DAEMON, "kill -9, twice", during(blows.kill_daemon), short=True),
    Fault(DAEMON, "SIGSTOP for 6 s", during(blows.stop_daemon)),
    Fault(DAEMON, "dead throughout", throughout(false_daemon.dead)),
    Fault(DAEMON, "hung throughout", throughout(false_daemon.hung), short=True),
    Fault(DAEMON, "slow: each answer takes 0.2 to 4 s", throughout(false_daemon.slow)),
    Fault(DAEMON, "answers garbage", throughout(false_daemon.garbage)),
    Fault(DAEMON, "closes mid-script, half a plan said", throughout(false_daemon.closing)),
    Fault(DAEMON, "kill -9 at random around the commit", _some_kills, short=True, taped=True),
    Fault(DATABASE, "kill -9, twice", during(blows.kill_postgres), short=True),
    Fault(DATABASE, "SIGSTOP for 10 s", during(blows.stop_postgres)),
    Fault(DATABASE, "table of calls locked for 8 s", during(blows.lock_table)),
    Fault(
        DATABASE,
        "disk full for 8 s",
        during(blows.fill_disk),
        why_not=lambda world: world.disk.why_not,
    ),
    Fault(DATABASE, "away throughout", throughout(blows.without_postgres)),
    Fault(DATABASE, "restored from an older backup", during(blows.restore_backup)),
    Fault(ASTERISK, "kill -9", during(blows.kill_asterisk), short=True, more_seconds=10),
    Fault(ASTERISK, "orderly restart", during(blows.restart_asterisk), more_seconds=10),
    Fault(MANAGER, "kicked twice a second for 10 s", during(blows.kick_manager)),
    Fault(MANAGER, "refused for 8 s", during(blows.refuse_manager)),
    Fault(MANAGER, "flooded for 8 s", during(blows.flood_manager)),
    Fault(JOURNAL, "renamed three times", during(blows.rename_journal)),
    Fault(
        JOURNAL,
        "renamed twice while nobody reads, numbered",
        during(blows.rename_journal_unseen),
    ),
    Fault(JOURNAL, "copied and truncated while nobody reads", during(blows.copytruncate_journal)),
    Fault(JOURNAL, "truncated without a copy", during(blows.truncate_journal)),
    Fault(JOURNAL, "replayed whole, twice", on_tape(tape.replayed), short=True, taped=True),
    Fault(JOURNAL, "rows shuffled within 2 s", on_tape(tape.shuffled), short=True, taped=True),
    Fault(JOURNAL, "1 % of the rows dropped", on_tape(tape.thinned), short=True, taped=True),
    Fault(JOURNAL, "torn last line; a row without end", on_tape(tape.torn), short=True, taped=True),
    Fault(JOURNAL, "poison rows", on_tape(tape.poisoned), short=True, taped=True),
    *(
        Fault(CLOCK, f"{whose}, an hour {way}", before(step(seconds)), why_not=_no_clock)
        for whose, before, step in (
            ("the daemon's", _stepped_daemon, clocks.step_daemon),
            ("Asterisk's", _stepped_asterisk, clocks.step_asterisk),
        )
        for way, seconds in (("forward", HOUR), ("back", -HOUR))
    ),
)
