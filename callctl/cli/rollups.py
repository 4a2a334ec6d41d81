"""``callctl journal rollups``: whether the sums of reports are what the calls add up to."""

import argparse
from dataclasses import asdict
from typing import Any

from callctl.cli.common import (
    EXIT_NO,
    EXIT_OK,
    add_json_flag,
    open_database,
    print_json,
    run_async,
    settings_of_process,
)
from callctl.features.calls.rollups import find_differences, rebuild


def add_commands(verbs: Any) -> None:
    rollups = verbs.add_parser("rollups", help="the sums that reports are read from")
    what = rollups.add_subparsers(metavar="VERB", required=True)

    verify = what.add_parser(
        "verify",
        help="hold the sums against a recount of all calls",
        description="Prints each row that differs; the exit code is 1 when there is one. Reads "
        "every call once; the daemon may run.",
    )
    add_json_flag(verify)
    verify.set_defaults(run=run_verify)

    again = what.add_parser(
        "rebuild",
        help="make all sums anew from the calls",
        description="New calls wait in the journal meanwhile.",
    )
    again.set_defaults(run=run_rebuild)


def run_verify(arguments: argparse.Namespace) -> int:
    return run_async(_verify(arguments.json))


async def _verify(as_json: bool) -> int:
    async with open_database(settings_of_process()) as db:
        found = await find_differences(db)
    if as_json:
        print_json([asdict(difference) for difference in found])
    for difference in found if not as_json else ():
        key = ", ".join(difference.key)
        print(f"{difference.table} ({key}): {difference.kept} kept, {difference.counted} counted")
    if not found and not as_json:
        print("all sums are what the calls add up to")
    return EXIT_NO if found else EXIT_OK


def run_rebuild(arguments: argparse.Namespace) -> int:
    return run_async(_rebuild())


async def _rebuild() -> int:
    async with open_database(settings_of_process()) as db:
        await rebuild(db)
    print("made anew")
    return EXIT_OK
