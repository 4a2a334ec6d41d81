"""How fast a journal becomes records, in a file and in PostgreSQL, and in how much memory."""

import asyncio
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.journal.generate import write_journal
from bench.journal.live import TRUNKS, Replay, fresh_database, replay_apart
from bench.report import Report, number, open_report
from bench.scratch import scratch_postgres
from callctl.db.embedded import EmbeddedPostgres

ROUNDS = 5
LIMIT_SECONDS = 900


@dataclass(frozen=True, slots=True)
class Sizes:
    """Calls of each part."""

    build: int
    live: int
    soak: int


FULL = Sizes(build=50_000, live=10_000, soak=100_000)
QUICK = Sizes(build=4_000, live=1_000, soak=4_000)


def main() -> None:
    report = open_report("journal")
    sizes = QUICK if report.options.quick else FULL
    with tempfile.TemporaryDirectory(prefix="callctl-bench-") as name:
        directory = Path(name)
        measure_build(report, directory, sizes.build)
        with scratch_postgres() as server:
            asyncio.run(measure_live(report, server, directory, sizes))


def measure_build(report: Report, directory: Path, calls: int) -> None:
    """``callctl journal build`` as a user runs it, start of the program included."""
    journal = directory / "build.csv"
    rows = write_journal(journal, calls)
    inventory = directory / "inventory.json"
    names = ", ".join(f'"{name}"' for name in TRUNKS)
    inventory.write_text(f'{{"trunks": [{names}], "extensions": {{}}}}')
    rates = [calls / _cpu_seconds_of_build(journal, inventory) for _ in range(ROUNDS)]
    report.limit(
        "journal build, one core",
        rates,
        "calls/s",
        at_least=3000,
        note=f"{calls:,} calls of {rows / calls:.0f} rows, {rows:,} rows in all; calls per second "
        "of CPU, since it uses one core.",
    )
    journal.unlink()


def _cpu_seconds_of_build(journal: Path, inventory: Path) -> float:
    command = [sys.executable, "-m", "callctl", "journal", "build", str(journal)]
    with Path(os.devnull).open("wb") as nowhere:
        process = subprocess.Popen([*command, "--inventory", str(inventory)], stdout=nowhere)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"journal build ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime


async def measure_live(
    report: Report, server: EmbeddedPostgres, directory: Path, sizes: Sizes
) -> None:
    journal = directory / "live.csv"
    write_journal(journal, sizes.live)
    replays = []
    for _ in range(ROUNDS):
        async with fresh_database(server, "live"):
            replays.append(await replay_apart(server.url_of("live"), journal, sizes.live))
    cpu = sorted(r.cpu_seconds / r.calls * 1e6 for r in replays)[ROUNDS // 2]
    report.limit(
        "live reader into PostgreSQL, with rollups",
        [r.calls / r.seconds for r in replays],
        "calls/s",
        at_least=1000,
        note=f"{sizes.live:,} calls as a backlog, each with legs, attempts, rows, sums; every "
        f"batch durable. The reader itself takes {cpu:.0f} µs of CPU per call.",
    )
    rows = write_journal(journal, sizes.soak)
    async with fresh_database(server, "soak"):
        soak = await replay_apart(server.url_of("soak"), journal, sizes.soak)
    tell_memory(report, soak, rows)


def tell_memory(report: Report, soak: Replay, rows: int) -> None:
    """From the third tenth on: before that, caches fill."""
    warm = soak.rss_kib[3]
    report.limit(
        f"memory at the end of a backlog of {rows:,} rows to that after three tenths",
        [soak.rss_kib[-1] / warm],
        "×",
        at_most=1.05,
        note=f"{soak.calls:,} calls; at most {soak.most_open} of them open or not stored yet.",
    )
    tenths = " | ".join(f"{i}" for i in range(len(soak.rss_kib)))
    values = " | ".join(number(kib / 1024) for kib in soak.rss_kib)
    line = "|---" * (len(soak.rss_kib) + 1) + "|"
    body = f"| Tenth | {tenths} |\n{line}\n| MiB resident | {values} |"
    report.figure("The reader's memory while it catches up", body)


if __name__ == "__main__":
    main()
