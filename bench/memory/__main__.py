"""Memory of the daemon: idle with a large table, after changes of it, with 2,000 calls at once.

The calls are real: SIPp holds them through Asterisk, without media.
"""

import asyncio
import os
import re
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bench.calls.load import CARRIER, Load, Sipp
from bench.calls.sites import Ours, metrics, open_ours
from bench.processes import memory_mb, split_cores
from bench.report import Report, open_report
from bench.routing import did_number
from callctl.asterisk.program import find_asterisk

PHONES = 200
"""So many of the extensions are registered, and called."""

CHANGE_SECONDS = 600.0
SETTLE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Sizes:
    extensions: int = 5_000
    dids: int = 10_000
    changes: int = 2
    calls: int = 2_000
    rate: float = 40.0


QUICK = Sizes(300, 600, 2, 60, 20.0)


async def change_routing(ours: Ours, sizes: Sizes, number: int) -> float:
    """A large table, with `number` DIDs more; seconds until Asterisk has all of it.

    Asterisk says nothing when it has, but it takes no other reload meanwhile.
    """
    written = _table_bytes(ours)
    await ours.apply_routing(sizes.extensions, sizes.dids + number, CARRIER)
    async with asyncio.timeout(CHANGE_SECONDS):
        while _table_bytes(ours) == written:
            await asyncio.sleep(0.05)
        began = time.monotonic()
        while not await _has_dialplan(ours, did_number(sizes.dids + number - 1)):
            await asyncio.sleep(0.2)
    return time.monotonic() - began


def _table_bytes(ours: Ours) -> int:
    return (ours.asterisk.generated_dir / "extensions.conf").stat().st_size


async def _has_dialplan(ours: Ours, did: str) -> bool:
    """Whether Asterisk's running dialplan knows the DID: its fallback does."""
    return "There is no" not in await ours.asterisk.cli(
        f"dialplan show {did}@callctl-fb-1-dids", 60
    )


def open_calls(ours: Ours) -> int:
    found = re.search(r"^callctl_calls_open (\S+)$", metrics(ours.stack.url), re.M)
    if found is None:
        raise RuntimeError("the daemon's metrics name no open calls")
    return int(float(found[1]))


def hold_calls(ours: Ours, sipp: Sipp, sizes: Sizes) -> tuple[float, int, Load]:
    """(greatest memory in MB, most calls open at once) while so many calls are held."""
    hold_ms = round((sizes.calls / sizes.rate + 12) * 1000)
    memory, most = 0.0, 0
    with ThreadPoolExecutor(1) as pool:
        load = pool.submit(sipp.steady, ours.address, PHONES, sizes.rate, sizes.calls, hold_ms)
        while not load.done():
            memory = max(memory, memory_mb(ours.daemon_pid))
            most = max(most, open_calls(ours))
            time.sleep(1)
        return memory, most, load.result()


async def run() -> None:
    report = open_report("memory")
    sizes = QUICK if report.options.quick else Sizes()
    cores, load_cores = split_cores()
    program = await asyncio.to_thread(find_asterisk, os.environ)
    with tempfile.TemporaryDirectory(prefix="callctl-bench-") as made:
        place = Path(made)
        (place / "sipp").mkdir()
        sipp = Sipp(place / "sipp", load_cores)
        async with open_ours(program, place, cores, phones=PHONES, carrier=CARRIER) as ours:
            await asyncio.to_thread(sipp.register, ours.address, PHONES)
            await measure_idle(report, ours, sizes)
            with sipp.phones():
                await measure_calls(report, ours, sipp, sizes)


async def measure_idle(report: Report, ours: Ours, sizes: Sizes) -> None:
    table = f"{sizes.dids:,} DIDs and {sizes.extensions:,} extensions"
    seconds = [await change_routing(ours, sizes, number) for number in range(sizes.changes)]
    changed = memory_mb(ours.daemon_pid)
    await ours.start_daemon()
    await asyncio.sleep(SETTLE_SECONDS)
    report.limit(f"Idle with {table}", [memory_mb(ours.daemon_pid)], "MB", at_most=120)
    report.limit(
        f"Idle after {sizes.changes} changes of that table", [changed], "MB", at_most=120,
        note="Each change is checked, stored, read back and written out for Asterisk.",
    )  # fmt: skip
    megabytes = _table_bytes(ours) / 1e6
    report.value(
        "Asterisk's reload of that table's fallback, calls going on meanwhile", seconds, "s",
        note=f"{megabytes:.1f} MB of dialplan; docs/adr/0007-fallback.md says how it could shrink.",
    )  # fmt: skip


async def measure_calls(report: Report, ours: Ours, sipp: Sipp, sizes: Sizes) -> None:
    memory, most, load = await asyncio.to_thread(hold_calls, ours, sipp, sizes)
    await ours.until_stored(load.succeeded)
    report.limit(
        f"With {sizes.calls:,} calls at once", [memory], "MB", at_most=250,
        note=f"Real calls, held by SIPp through Asterisk; {most:,} open at once by the journal, "
        f"{load.failed} failed.",
    )  # fmt: skip
    report.limit("After those calls", [memory_mb(ours.daemon_pid)], "MB", at_most=250)


if __name__ == "__main__":
    asyncio.run(run())
    sys.exit(0)
