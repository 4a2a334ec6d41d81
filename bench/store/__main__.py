"""Lists, searches, reports, writes and exports over 5 million calls."""

import asyncio
import statistics
from dataclasses import dataclass

from bench.report import Report, number, open_report
from bench.scratch import scratch_postgres
from bench.store import exports
from bench.store.against_scan import measure_lists, measure_reports
from bench.store.house import House, make_house
from bench.store.writes import Rates, one_round
from callctl.db.embedded import EmbeddedPostgres

ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Sizes:
    """Calls in the house, written in each round, and exported."""

    house: int
    writes: int
    exported: int


FULL = Sizes(5_000_000, 2_000, 1_000_000)
QUICK = Sizes(50_000, 300, 20_000)


def main() -> None:
    report = open_report("store")
    sizes = QUICK if report.options.quick else FULL
    with scratch_postgres() as server:
        asyncio.run(measure(report, server, sizes))


async def measure(report: Report, server: EmbeddedPostgres, sizes: Sizes) -> None:
    house = await make_house(server, "house", sizes.house, sums=True)
    await measure_lists(report, house, sizes.house, ROUNDS)
    await measure_reports(report, house, sizes.house, ROUNDS)
    await measure_writes(report, house, sizes)
    await measure_exports(report, house, sizes)
    await house.db.close()


async def measure_writes(report: Report, house: House, sizes: Sizes) -> None:
    rounds: list[Rates] = [
        await one_round(house.db, house.account, sizes.writes, number)
        for number in range(ROUNDS + 1)
    ][1:]
    copy = [r.copy for r in rounds]
    report.compare(
        f"durable batches of 100 into {sizes.house:,} calls to COPY by 1,000",
        [r.ours for r in rounds],
        copy,
        "calls/s",
        at_least=0.4,
        note="The same rows into the same five indexed tables; ours looks up channels and numbers "
        "and moves the journal's position, too. COPY into the table of calls alone: "
        f"{number(statistics.median(r.copy_of_calls_alone for r in rounds))} calls/s.",
    )
    report.compare(
        f"durable batches of 100 into {sizes.house:,} calls, with sums, to COPY by 1,000",
        [r.ours_with_rollups for r in rounds],
        copy,
        "calls/s",
        at_least=0.2,
    )


async def measure_exports(report: Report, house: House, sizes: Sizes) -> None:
    for kind in ("csv", "xlsx"):
        made = await exports.export(house.db, house.account, sizes.exported, kind)
        report.limit(
            f"memory that an export of {made.rows:,} calls takes over its first tenth, {kind}",
            [made.grown_mb],
            "MB",
            at_most=32,
            note=f"{made.rows / made.seconds:,.0f} rows/s.",
        )


if __name__ == "__main__":
    main()
