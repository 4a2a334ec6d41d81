"""``callctl journal``: records from a journal alone, and calls turned into test fixtures."""

import argparse
import re
import sys
from pathlib import Path
from typing import Any

import msgspec

import callctl.cli.rollups
from callctl.asterisk.journal import RawRow, parse_row, split_rows
from callctl.cli.common import (
    EXIT_NO,
    EXIT_OK,
    Failure,
    add_json_flag,
    open_database,
    print_json,
    run_async,
    settings_of_installation,
)
from callctl.core.calls.events import CelEvent
from callctl.core.calls.inventory import Inventory
from callctl.core.calls.render import record_as_json
from callctl.features.calls import store
from callctl.features.calls.offline import build_journal, load_inventory


def add_commands(commands: Any) -> None:
    journal = commands.add_parser("journal", help="read Asterisk's journal (CEL)")
    verbs = journal.add_subparsers(metavar="VERB", required=True)

    build = verbs.add_parser(
        "build",
        help="print one JSON object per call of a journal file",
        description="Needs no database, no Asterisk, no settings. Damage is told on standard "
        "error; the exit code is 1 when there was any.",
    )
    build.add_argument("file", type=Path, metavar="FILE")
    build.add_argument(
        "--inventory",
        type=Path,
        metavar="INV.json",
        help='which endpoints are trunks: {"trunks": ["t"], "extensions": {"201": "PJSIP/201"}}',
    )
    build.set_defaults(run=run_build)

    status = verbs.add_parser("status", help="how far the journal is read and stored")
    add_json_flag(status)
    status.set_defaults(run=run_status)

    callctl.cli.rollups.add_commands(verbs)

    capture = verbs.add_parser(
        "capture",
        help="cut one call out of a journal as a test fixture, numbers masked",
        description="Writes NAME.csv and NAME.inventory.json. Digits of outside numbers are "
        "replaced one for one, so lengths and equality stay; names become 'Caller'.",
    )
    capture.add_argument("file", type=Path, metavar="FILE")
    capture.add_argument("uniqueid", help="of any channel of the call")
    capture.add_argument("--inventory", type=Path, metavar="INV.json")
    capture.add_argument("--to", type=Path, default=Path("tests/calls"), metavar="DIR")
    capture.add_argument("--name", required=True)
    capture.set_defaults(run=run_capture)


def run_build(arguments: argparse.Namespace) -> int:
    read = _build(arguments)
    write = sys.stdout.buffer.write
    for record in read.records:
        write(msgspec.json.encode(record_as_json(record)) + b"\n")
    sys.stdout.buffer.flush()
    for piece in read.poison:
        print(f"callctl: {arguments.file}, byte {piece.position}: {piece.reason}", file=sys.stderr)
    return EXIT_NO if read.poison else EXIT_OK


def _build(arguments: argparse.Namespace) -> Any:
    try:
        inventory = load_inventory(arguments.inventory) if arguments.inventory else Inventory()
    except (OSError, msgspec.MsgspecError) as error:
        raise Failure(f"{arguments.inventory}: {error}") from error
    try:
        return build_journal(arguments.file, inventory)
    except OSError as error:
        raise Failure(f"{arguments.file}: {error.strerror}") from error


def run_status(arguments: argparse.Namespace) -> int:
    return run_async(_status(arguments.json))


async def _status(as_json: bool) -> int:
    settings = settings_of_installation()
    async with open_database(settings) as db:
        row = await db.fetchrow(store.POSITION_SELECT, settings.systemname)
        kept = await db.fetchval("select count(*) from journal_quarantine")
        calls = await db.fetchval("select count(*) from calls")
    size = settings.journal_path.stat().st_size if settings.journal_path.exists() else None
    status = {
        "journal": str(settings.journal_path),
        "bytes": size,
        "generation": row["generation"] if row else None,
        "stored_to": row["position"] if row else None,
        "calls": calls,
        "quarantined": kept,
    }
    if as_json:
        print_json(status)
    else:
        for key, value in status.items():
            print(f"{key:<12} {'-' if value is None else value}")
    return EXIT_OK


def run_capture(arguments: argparse.Namespace) -> int:
    """The rows of one call, masked, as a fixture that `tests/calls` reads."""
    read = _build(arguments)
    record = next(
        (r for r in read.records if any(leg.uniqueid == arguments.uniqueid for leg in r.legs)), None
    )
    if record is None:
        raise Failure(f"{arguments.file} has no call with a channel {arguments.uniqueid}")
    wanted = {leg.uniqueid for leg in record.legs} | set(record.linkedids)
    rows = [
        raw
        for raw in split_rows(arguments.file.read_bytes())
        if isinstance(e := parse_row(RawRow(0, raw)), CelEvent)
        and (e.uniqueid in wanted or e.linkedid in wanted)
    ]
    target = arguments.to / arguments.name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.with_suffix(".csv").write_bytes(mask_rows(rows))
    inventory = arguments.inventory.read_bytes() if arguments.inventory else b'{"trunks": []}\n'
    target.with_suffix(".inventory.json").write_bytes(inventory)
    print(f"{target}.csv: {len(rows)} rows. Now write {target}.truth.json by hand.")
    return EXIT_OK


_NUMBER = re.compile(rb"(?<![\d.:])\+?\d{7,15}(?![\d.:])")


def mask_rows(rows: list[bytes]) -> bytes:
    """Rows with every outside number replaced, the same one always by the same, and no names."""
    known: dict[bytes, bytes] = {}

    def masked(match: re.Match[bytes]) -> bytes:
        number = match[0]
        digits = number.lstrip(b"+")
        if number not in known:
            known[number] = number[: len(number) - len(digits)] + b"%0*d" % (
                len(digits),
                5550000 + len(known),
            )
        return known[number]

    return b"".join(_masked_row(row, masked) for row in rows)


def _masked_row(row: bytes, masked: Any) -> bytes:
    columns = row.split(b'","')
    if len(columns) > 3 and columns[2]:
        columns[2] = b"Caller"
    head, rest = columns[:2], columns[2:]
    return b'","'.join([*head, *(_NUMBER.sub(masked, c) for c in rest)])
