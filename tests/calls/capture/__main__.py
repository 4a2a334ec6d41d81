"""Records real calls as fixtures: ``python -m tests.calls.capture [NAME …]`` (none: all).

For each name: ``tests/calls/NAME.csv`` (the journal as Asterisk wrote it), ``.inventory.json`` and
``.truth.json`` (what the parties' phones saw, and what a record must therefore say).
"""

import argparse
import asyncio
import json
import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from types import ModuleType
from typing import Any

from callctl.asterisk.program import AsteriskProgram, find_asterisk
from tests.calls.capture import damaged, moved, placed, plain, taken
from tests.calls.capture.desk import Desk, endpoints, inventory
from tests.sip.lab import Lab

FIXTURES = Path(__file__).resolve().parent.parent
Kind = Callable[[Desk], Awaitable[list[dict[str, Any]]]]


def kinds() -> dict[str, Kind]:
    """Every call that can be recorded, by name."""
    modules: tuple[ModuleType, ...] = (plain, placed, moved, taken, damaged)
    return {
        name: kind
        for module in modules
        for name, kind in vars(module).items()
        if asyncio.iscoroutinefunction(kind) and not name.startswith("_")
    }


async def record(
    name: str, kind: Kind, net: str, program: AsteriskProgram, keep: Path | None
) -> None:
    """Plays one kind of call on a fresh Asterisk and writes its three files."""
    with tempfile.TemporaryDirectory(prefix="capture-") as scratch:
        place = keep / name if keep else Path(scratch)
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        lab = Lab(program, place, net, endpoints(net))
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(lab)
            desk = Desk(net, lab, place / "sip", stack)
            calls = await kind(desk)
            await lab.until_idle()
            phones = desk.seen()
        journal = desk.damage(lab.journal_path.read_bytes())
    truth = {"about": (kind.__doc__ or "").strip(), "calls": calls, "phones": phones}
    (FIXTURES / f"{name}.csv").write_bytes(journal)
    _write(FIXTURES / f"{name}.inventory.json", inventory())
    _write(FIXTURES / f"{name}.truth.json", truth)
    lines = len(journal.splitlines())
    print(f"{name}: {lines} lines, {len(calls)} call(s)", flush=True)


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=True) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tests.calls.capture")
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--net", default="127.0.5", help="the first three numbers of all addresses")
    parser.add_argument("--keep", type=Path, help="where to keep all logs")
    chosen = parser.parse_args()
    known = kinds()
    unknown = sorted(set(chosen.names) - set(known))
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; known: {', '.join(known)}")
    program = find_asterisk(os.environ, progress=print)
    for name in chosen.names or known:
        asyncio.run(record(name, known[name], chosen.net, program, chosen.keep))


if __name__ == "__main__":
    main()
