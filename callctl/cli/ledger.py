"""``callctl ledger verify``: whether the ledger is what it says."""

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
from callctl.features.ledger.verify import Counts, Problem, find_problems

MOST_TOLD = 1000
"""In JSON, which is one value in memory; as text every problem is printed as it is found."""


def add_commands(commands: Any) -> None:
    ledger = commands.add_parser("ledger", help="the ledger of all accounts")
    verbs = ledger.add_subparsers(metavar="VERB", required=True)
    verify = verbs.add_parser(
        "verify",
        help="prove the ledger, entry by entry",
        description="Proves the chain of hashes, that every transaction sums to zero, that "
        "balances are what the entries sum to, and that what is held is what open holds sum to. "
        "Prints each problem; the exit code is 1 when there is one. The daemon may run.",
    )
    verify.add_argument("--account", metavar="CODE", help="only this account's books")
    add_json_flag(verify)
    verify.set_defaults(run=run_verify)


def run_verify(arguments: argparse.Namespace) -> int:
    return run_async(_verify(arguments.account, arguments.json))


async def _verify(code: str | None, as_json: bool) -> int:
    counts, told, found = Counts(), [], 0
    async with open_database(settings_of_process()) as db:
        async for problem in find_problems(db, code, counts):
            found += 1
            if not as_json:
                print(_line(problem))
            elif found <= MOST_TOLD:
                told.append(asdict(problem))
    if as_json:
        print_json(asdict(counts) | {"ok": not found, "found": found, "problems": told})
    else:
        verdict = f"{found} problems" if found else "all of it is right"
        print(f"{counts.entries} entries in {counts.books} books: {verdict}")
    return EXIT_NO if found else EXIT_OK


def _line(problem: Problem) -> str:
    where = [
        f"account {problem.account}, {problem.book}" if problem.account else "",
        f"entry {problem.seq}" if problem.seq is not None else "",
        f"transaction {problem.transaction_id}" if problem.transaction_id is not None else "",
    ]
    return f"{', '.join(part for part in where if part) or 'ledger'}: {problem.text}"
