"""Lists and reports against the full scan, or the recount, of the same run."""

import statistics

from bench.report import Report, number
from bench.store import reports
from bench.store.house import House
from bench.store.lists import DIGITS, HISTORY, PAGES, ours_ms, scan_ms

ROUNDS = 5
AT_MOST = {PAGES: 1 / 200, HISTORY: 1 / 300, DIGITS: 1 / 50}


async def measure_lists(report: Report, house: House, calls: int, scans_of_each: int) -> None:
    """Every question `ROUNDS` times; its scan `scans_of_each` times, in turns with ours.

    The last scan stands for those that are not made: at 20 million calls each takes many seconds.
    """
    ours: list[list[float]] = [[] for _ in house.asked]
    scans: list[list[float]] = [[] for _ in house.asked]
    for round_number in range(ROUNDS):
        for i, asked in enumerate(house.asked):
            ours[i].append(await ours_ms(house.db, asked))
            scanned = round_number < scans_of_each
            scans[i].append(await scan_ms(house.db, asked) if scanned else scans[i][-1])
    ratios = [
        statistics.median(a / b for a, b in zip(o, s, strict=True))
        for o, s in zip(ours, scans, strict=True)
    ]
    for kind, bound in AT_MOST.items():
        of_kind = [i for i, asked in enumerate(house.asked) if asked.question.kind == kind]
        worst = max(of_kind, key=lambda i: ratios[i])
        report.compare(
            f"{kind} at {calls:,} calls, the worst of {len(of_kind)} questions",
            ours[worst],
            scans[worst],
            "ms",
            at_most=None if report.options.quick else bound,
            note=f"{house.asked[worst].question.name}; scans of each: {scans_of_each}. The target "
            f"is 1/{1 / bound:.0f}; over all of them the median is "
            f"1/{1 / statistics.median(ratios[i] for i in of_kind):.0f}.",
        )
    lines = ["| Question | Ours ms | Full scan ms | Ratio |", "|---|---:|---:|---:|"]
    for i, asked in enumerate(house.asked):
        middle = (statistics.median(ours[i]), statistics.median(scans[i]))
        values = f"{number(middle[0])} | {number(middle[1])} | 1/{1 / ratios[i]:,.0f}"
        lines.append(f"| {asked.question.name} | {values} |")
    report.figure(f"Every question at {calls:,} calls", "\n".join(lines))


async def measure_reports(report: Report, house: House, calls: int, rounds: int) -> None:
    for asked in reports.ALL:
        kept, counted = [], []
        for _ in range(rounds):
            kept.append(await reports.kept_ms(house.db, house.account, asked))
            counted.append(await reports.counted_ms(house.db, house.account, asked))
        report.compare(
            f"{asked.name}, {calls:,} calls, to a recount",
            kept,
            counted,
            "ms",
            at_most=None if report.options.quick else asked.at_most,
            note=f"Both say the same, row by row. The target is 1/{1 / asked.at_most:.0f}.",
        )
