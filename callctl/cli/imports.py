"""``callctl import``: the history of the system that callctl takes the place of."""

import argparse
import csv
from pathlib import Path
from typing import Any

import msgspec

from callctl.cli.accounts import add_account_option, find_account
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
from callctl.core.calls.imported import FREEPBX, WAZO
from callctl.core.calls.inventory import Inventory
from callctl.features.calls import imports
from callctl.features.calls.offline import load_inventory

_SHOWN = 20


def add_commands(commands: Any) -> None:
    parser = commands.add_parser("import", help="take over another system's call history")
    kinds = parser.add_subparsers(metavar="KIND", required=True)
    for kind, words in (
        (FREEPBX, "Asterisk's table cdr, of FreePBX or any other, as CSV with a line of names"),
        (WAZO, "Wazo's call log as CSV (GET /cdr?format=csv)"),
    ):
        one = kinds.add_parser(
            kind,
            help=words,
            description="Each call is stored once, however often its file is imported: its call_id "
            f"begins with {kind}:. The exit code is 1 when lines were refused. See docs/import.md.",
        )
        one.add_argument("file", type=Path, metavar="FILE")
        add_account_option(one)
        one.add_argument("--dry-run", action="store_true", help="only say what would be stored")
        if kind == FREEPBX:
            one.add_argument(
                "--mysql-dump",
                action="store_true",
                help="FILE is what mysqldump made of the table cdr, no CSV",
            )
            one.add_argument(
                "--inventory",
                type=Path,
                metavar="INV.json",
                help='which endpoints are trunks: {"trunks": ["SIP/carrier"], "extensions": {}}',
            )
        add_json_flag(one)
        one.set_defaults(run=lambda arguments, kind=kind: run_async(_import(arguments, kind)))


async def _import(arguments: argparse.Namespace, kind: str) -> int:
    inventory = Inventory()
    try:
        if kind == FREEPBX and arguments.inventory is not None:
            inventory = load_inventory(arguments.inventory)
        dump = kind == FREEPBX and arguments.mysql_dump
        read = imports.read_file(arguments.file, kind, inventory, mysql_dump=dump)
    except (OSError, ValueError, csv.Error, msgspec.MsgspecError) as error:
        raise Failure(f"{arguments.file}: {error}") from error
    async with open_database(settings_of_installation()) as db:
        account_id = await find_account(db, arguments.account)
        new = await imports.save(db, account_id, read.calls, dry_run=arguments.dry_run)
    _say(arguments, read, new)
    return EXIT_NO if read.refused else EXIT_OK


def _say(arguments: argparse.Namespace, read: imports.ImportRead, new: int) -> None:
    if arguments.json:
        print_json(
            {
                "rows": read.rows,
                "calls": len(read.calls),
                "new": new,
                "dry_run": arguments.dry_run,
                "refused": [{"line": line, "reason": reason} for line, reason in read.refused],
            }
        )
        return
    verb = "would be stored" if arguments.dry_run else "stored"
    print(f"{read.rows} rows, {len(read.calls)} calls: {new} {verb}, {len(read.calls) - new} known")
    for line, reason in read.refused[:_SHOWN]:
        print(f"refused, line {line}: {reason}")
    if len(read.refused) > _SHOWN:
        print(f"refused: {len(read.refused) - _SHOWN} more")
