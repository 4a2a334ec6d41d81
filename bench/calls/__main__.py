"""callctl beside the same Asterisk as a plain PBX: throughput, CPU per call, post-dial delay.

Both switches run at once and take turns; neither works while the other is measured. At full load
everything that takes part in a call on one side (Asterisk, the daemon, PostgreSQL) shares one half
of the cores, SIPp has the other: what callctl costs is paid by callctl's side. At moderate load,
where the delay is measured, all may run everywhere, as on a machine in use.
"""

import asyncio
import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.calls.curve import Point, draw_curve, knee
from bench.calls.load import CARRIER, Load, Sipp, percentile
from bench.calls.sites import BareAsterisk, Ours, open_bare, open_ours, postgres_pid
from bench.processes import allow_cores, cpu_seconds, split_cores
from bench.report import Report, open_report
from callctl.asterisk.program import find_asterisk
from callctl.asterisk.runtime import AsteriskInstance

PHONES = 200
"""Extensions, and as many DIDs."""

TALK_MS = 100
IDLE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured: rounds, calls of a round at full and at moderate load, the curve."""

    rounds: int = 5
    users: int = 20
    full_calls: int = 1200
    rate: float = 25.0
    rate_calls: int = 300
    curve: tuple[float, ...] = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1)
    curve_seconds: float = 6.0


QUICK = Sizes(2, full_calls=150, rate_calls=60, curve=(0.4, 0.8), curve_seconds=2.0)


@dataclass(frozen=True, slots=True)
class Turn:
    """One side's load and what it cost: milliseconds of CPU per call."""

    load: Load
    asterisk_ms: float
    daemon_ms: float = 0.0
    postgres_ms: float = 0.0

    @property
    def helpers_share(self) -> float:
        """(daemon + PostgreSQL) ÷ Asterisk."""
        return (self.daemon_ms + self.postgres_ms) / self.asterisk_ms


class Bench:
    """The two switches and what is done with them."""

    def __init__(self, ours: Ours, bare: BareAsterisk, sipp: Sipp, sizes: Sizes) -> None:
        self.ours = ours
        self.bare = bare
        self.sipp = sipp
        self.sizes = sizes
        self.expected = 0
        """Calls that the history must hold."""

    async def full(self, ours: bool) -> Turn:
        """As many calls a second as it bears."""
        size = self.sizes
        address = (self.ours if ours else self.bare).address
        self.allow(self.ours.cores)
        args = (address, PHONES, size.users, size.full_calls, TALK_MS)
        return await self._turn(ours, lambda: self.sipp.saturating(*args))

    async def moderate(self, ours: bool) -> Turn:
        size = self.sizes
        address = (self.ours if ours else self.bare).address
        self.allow(frozenset(os.sched_getaffinity(0)))
        args = (address, PHONES, size.rate, size.rate_calls, TALK_MS)
        return await self._turn(ours, lambda: self.sipp.steady(*args, exact=True))

    def allow(self, cores: frozenset[int]) -> None:
        postgres = postgres_pid(self.ours.directory)
        asterisks = (pid_of(self.ours.asterisk), pid_of(self.bare))
        allow_cores(cores, *asterisks, self.ours.daemon_pid, postgres)

    async def _turn(self, ours: bool, run: Callable[[], Load]) -> Turn:
        asterisk = self.ours.asterisk if ours else self.bare
        before = cpu_seconds(pid_of(asterisk))
        daemon, postgres = self.ours.helpers_cpu()
        load: Load = await asyncio.to_thread(run)
        if not load.clean:
            raise RuntimeError(f"calls failed where none may: {load.failed} of {load.wanted}")
        per_call = 1000 / load.wanted
        asterisk_ms = (cpu_seconds(pid_of(asterisk)) - before) * per_call
        if not ours:
            return Turn(load, asterisk_ms)
        self.expected += load.succeeded
        # What is left to do after the last call counts, too.
        await self.ours.until_stored(self.expected)
        after = self.ours.helpers_cpu()
        daemon_ms, postgres_ms = (after[0] - daemon) * per_call, (after[1] - postgres) * per_call
        return Turn(load, asterisk_ms, daemon_ms, postgres_ms)

    async def point(self, ours: bool, rate: float) -> Point:
        """One step of the curve; calls may fail here."""
        asterisk = self.ours.asterisk if ours else self.bare
        calls = max(20, round(rate * self.sizes.curve_seconds))
        args = (asterisk.address, PHONES, rate, calls, TALK_MS)
        load = await asyncio.to_thread(lambda: self.sipp.steady(*args))
        await until_idle(asterisk)
        if ours:
            await until_settled(self.ours)
        times = load.ringing_ms or [0.0]
        return Point(
            rate,
            load.per_second,
            load.succeeded / load.wanted,
            load.retransmissions,
            percentile(times, 0.5),
            percentile(times, 0.99),
        )

    async def curve(self, ours: bool, top: float) -> list[Point]:
        """Up the steps, until two in a row are too much."""
        points: list[Point] = []
        for share in self.sizes.curve:
            points.append(await self.point(ours, top * share))
            if len(points) > 1 and not points[-1].holds and not points[-2].holds:
                break
        return points


def pid_of(asterisk: AsteriskInstance) -> int:
    if asterisk.pid is None:
        raise RuntimeError("Asterisk has ended")
    return asterisk.pid


async def until_idle(asterisk: AsteriskInstance) -> None:
    async with asyncio.timeout(IDLE_SECONDS):
        while not (await asterisk.cli("core show channels count")).startswith("0 active channels"):
            await asyncio.sleep(0.2)


async def until_settled(ours: Ours) -> None:
    """Until no more calls are stored for three seconds (their grace is two)."""
    async with asyncio.timeout(IDLE_SECONDS):
        stored = -1
        while stored != (stored := await ours.stored()):
            await asyncio.sleep(3)


async def measure(report: Report, bench: Bench) -> None:
    full: list[tuple[Turn, Turn]] = []
    moderate: list[tuple[Turn, Turn]] = []
    await bench.moderate(True)  # Caches warm, connections made.
    await bench.moderate(False)
    for _ in range(bench.sizes.rounds):
        full.append((await bench.full(True), await bench.full(False)))
        moderate.append((await bench.moderate(True), await bench.moderate(False)))
    await say_throughput(report, bench, full)
    say_cpu(report, full, moderate)
    say_delay(report, bench, moderate)
    await check_records(bench)
    top = max(b.load.per_second for _, b in full)
    bench.allow(bench.ours.cores)
    curves = [await bench.curve(True, top), await bench.curve(False, top)]
    report.figure("The knee: ever more calls a second, until calls fail", draw_curve(*curves))
    knees = [knee(curve) for curve in curves]
    if all(knees):
        report.compare(
            "Knee: the last step without a failed or repeated message",
            [knees[0]], [knees[1]], "calls/s",
            note="One climb each, in steps of a tenth: coarse. The first line is the measure.",
        )  # fmt: skip


async def say_throughput(report: Report, bench: Bench, full: list[tuple[Turn, Turn]]) -> None:
    report.compare(
        "Calls per second at full load, none failed",
        [o.load.per_second for o, _ in full], [b.load.per_second for _, b in full], "calls/s",
        at_least=0.90,
        note=f"{bench.sizes.users} calls in progress at any time; daemon and PostgreSQL take their "
        "time from the same cores as Asterisk.",
    )  # fmt: skip


def say_cpu(
    report: Report, full: list[tuple[Turn, Turn]], moderate: list[tuple[Turn, Turn]]
) -> None:
    for name, turns in (("at full load", full), ("at moderate load", moderate)):
        ours = [o for o, _ in turns]
        helpers = [o.daemon_ms + o.postgres_ms for o in ours]
        report.compare(
            f"CPU per call of daemon and PostgreSQL ÷ of Asterisk, {name}",
            helpers, [o.asterisk_ms for o in ours], "ms", at_most=0.12,
            note=f"Daemon {middle(o.daemon_ms for o in ours):.2f} ms, "
            f"PostgreSQL {middle(o.postgres_ms for o in ours):.2f} ms.",
        )  # fmt: skip
        report.compare(
            f"CPU per call of Asterisk alone, {name}",
            [o.asterisk_ms for o in ours], [b.asterisk_ms for _, b in turns], "ms",
            note="Our dialplan, FastAGI and journal against one Dial and a CDR.",
        )  # fmt: skip


def say_delay(report: Report, bench: Bench, moderate: list[tuple[Turn, Turn]]) -> None:
    for share, limit in ((0.5, 2.0), (0.99, 10.0)):
        ours = [percentile(o.load.exact_ms, share) for o, _ in moderate]
        bare = [percentile(b.load.exact_ms, share) for _, b in moderate]
        added = [a - b for a, b in zip(ours, bare, strict=True)]
        report.limit(
            f"Post-dial delay added (INVITE to 180) at {bench.sizes.rate:g}/s, p{share * 100:g}",
            added, "ms", at_most=limit,
            note=f"{middle(ours):.2f} ms against {middle(bare):.2f} ms.",
        )  # fmt: skip


async def check_records(bench: Bench) -> None:
    """Each call has its one record, decided by the daemon. Raises RuntimeError."""
    query = """
        select count(*), count(*) filter (where disposition = 'ANSWERED'
            and completeness = 'complete' and plan_id <> '') from calls"""
    row = await bench.ours.connection.fetchrow(query)
    if row is None or tuple(row) != (bench.expected, bench.expected):
        raise RuntimeError(f"{bench.expected} calls placed, in the history: {row}")


def middle(values: Iterable[float]) -> float:
    return percentile(list(values), 0.5)


async def run() -> None:
    report = open_report("calls")
    sizes = QUICK if report.options.quick else Sizes()
    cores, load_cores = split_cores()
    program = await asyncio.to_thread(find_asterisk, os.environ)
    with tempfile.TemporaryDirectory(prefix="callctl-bench-") as made:
        place = Path(made)
        sipp = Sipp(place / "sipp", load_cores)
        for directory in ("ours", "bare", "sipp"):
            (place / directory).mkdir()
        async with (
            open_ours(program, place / "ours", cores, phones=PHONES, carrier=CARRIER) as ours,
            open_bare(program, place / "bare", cores, ours.asterisk) as bare,
        ):
            for address in (ours.address, bare.address):
                await asyncio.to_thread(sipp.register, address, PHONES)
            with sipp.phones():
                await measure(report, Bench(ours, bare, sipp, sizes))


if __name__ == "__main__":
    asyncio.run(run())
    sys.exit(0)
