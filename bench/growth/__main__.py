"""Lists and reports at 20 million calls: against a scan of them, and against 5 million."""

import asyncio
import statistics
from dataclasses import dataclass

from bench.report import Report, number, open_report
from bench.scratch import scratch_postgres
from bench.store.against_scan import measure_lists, measure_reports
from bench.store.house import House, make_house
from bench.store.lists import PAGES, ours_ms
from callctl.db.embedded import EmbeddedPostgres

ROUNDS = 5
REPORT_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Sizes:
    """Calls in the small and the large house."""

    small: int
    large: int


FULL = Sizes(5_000_000, 20_000_000)
QUICK = Sizes(50_000, 200_000)


def main() -> None:
    report = open_report("growth")
    with scratch_postgres() as server:
        asyncio.run(measure(report, server, QUICK if report.options.quick else FULL))


async def measure(report: Report, server: EmbeddedPostgres, sizes: Sizes) -> None:
    small = await make_house(server, "small", sizes.small, sums=False)
    large = await make_house(server, "large", sizes.large, sums=True)
    await measure_growth(report, small, large, sizes)
    await measure_lists(report, large, sizes.large, scans_of_each=1)
    await measure_reports(report, large, sizes.large, REPORT_ROUNDS)
    await small.db.close()
    await large.db.close()


async def measure_growth(report: Report, small: House, large: House, sizes: Sizes) -> None:
    """Pages of the large house against those of the small one."""
    rounds_small: list[list[float]] = [[] for _ in small.asked]
    rounds_large: list[list[float]] = [[] for _ in small.asked]
    for _ in range(ROUNDS):
        for i, (little, much) in enumerate(zip(small.asked, large.asked, strict=True)):
            rounds_small[i].append(await ours_ms(small.db, little))
            rounds_large[i].append(await ours_ms(large.db, much))
    growth = [
        statistics.median(a / b for a, b in zip(big, little, strict=True))
        for big, little in zip(rounds_large, rounds_small, strict=True)
    ]
    pages = [i for i, asked in enumerate(small.asked) if asked.question.kind == PAGES]
    report.compare(
        f"pages at {sizes.large:,} calls to those at {sizes.small:,}, the middle of {len(pages)}",
        [statistics.median(rounds_large[i][r] for i in pages) for r in range(ROUNDS)],
        [statistics.median(rounds_small[i][r] for i in pages) for r in range(ROUNDS)],
        "ms",
        at_most=1.3,
        note=f"{sum(growth[i] > 1.3 for i in pages)} of {len(pages)} questions grow by more.",
    )
    lines = [
        f"| Question | {sizes.small:,} ms | {sizes.large:,} ms | Growth |",
        "|---|---:|---:|---:|",
    ]
    for i in sorted(range(len(growth)), key=lambda i: -growth[i]):
        middle = (statistics.median(rounds_small[i]), statistics.median(rounds_large[i]))
        values = f"{number(middle[0])} | {number(middle[1])} | {number(growth[i])}"
        lines.append(f"| {small.asked[i].question.name} | {values} |")
    report.figure(f"From {sizes.small:,} to {sizes.large:,} calls", "\n".join(lines))


if __name__ == "__main__":
    main()
