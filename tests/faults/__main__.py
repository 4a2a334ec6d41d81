"""``make faults``: strikes with every fault, and writes what came of it to docs/faults.md."""

import argparse
import asyncio
import signal
import sys
import tempfile
import time
from pathlib import Path

from bench.machine import describe_machine, describe_run
from callctl.telemetry.log import configure_logging
from tests.faults.faults import SECONDS, Fault
from tests.faults.report import Row, render_page, wanted
from tests.faults.tape import Tape
from tests.faults.world import World, open_world

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"


def main() -> int:
    """0 when every promise held."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("faults", nargs="*", help="only faults whose name holds this; no page then")
    arguments = parser.parse_args()
    configure_logging("warning", "console")
    # As Ctrl-C: what is running is stopped, what is mounted is unmounted.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    run = describe_run()
    rows = asyncio.run(_strike_all(arguments.faults))
    if not arguments.faults:
        PAGE.write_text(render_page(rows, run, describe_machine()), encoding="utf-8")
        print(f"written: {PAGE.name}")
    return 1 if any(row.verdict is not None and row.verdict.differences for row in rows) else 0


async def _strike_all(names: list[str]) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="callctl-faults-") as directory:
        async with open_world(Path(directory)) as world:
            tape = await Tape.record(world, SECONDS)
            return [await _strike(world, tape, fault) for fault in wanted(names)]


async def _strike(world: World, tape: Tape, fault: Fault) -> Row:
    why_not = fault.why_not(world)
    if why_not is not None:
        print(f"{fault.group}, {fault.name}: not tried: {why_not}", flush=True)
        return Row(fault, None, skipped=why_not)
    began = time.monotonic()
    verdict = await fault.run(world, tape, SECONDS + fault.more_seconds)
    seconds = time.monotonic() - began
    print(
        f"{fault.group}, {fault.name}: {verdict.placed} placed, {verdict.records} records, "
        f"{verdict.routed} of {verdict.routable} routed, {len(verdict.differences)} differences, "
        f"{seconds:.0f} s {verdict.note}",
        flush=True,
    )
    for text in verdict.differences:
        print(f"  {text}", flush=True)
    return Row(fault, verdict, seconds)


if __name__ == "__main__":
    sys.exit(main())
