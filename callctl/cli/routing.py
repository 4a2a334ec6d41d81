"""``callctl routing`` and ``callctl route explain``: the routing as text, and what it would do."""

import argparse
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from callctl.cli.accounts import add_account_option, find_account
from callctl.cli.common import (
    EXIT_NO,
    EXIT_OK,
    EXIT_USAGE,
    Failure,
    add_json_flag,
    open_database,
    print_json,
    run_async,
    settings_of_process,
)
from callctl.core.author import COMMAND_LINE
from callctl.core.errors import CallctlError
from callctl.features.limits.service import LimitService
from callctl.features.rates.memory import TariffMemory, trunk_orders
from callctl.features.routing.api import plan_view
from callctl.features.routing.dump import dump_yaml
from callctl.features.routing.service import RoutingService
from callctl.features.routing.store import RoutingStore
from callctl.features.routing.words import format_diff, format_plan
from callctl.telemetry.clock import utc_now


def add_commands(commands: Any) -> None:
    routing = commands.add_parser("routing", help="the routing as one YAML file")
    verbs = routing.add_subparsers(metavar="VERB", required=True)
    apply = verbs.add_parser(
        "apply",
        help="make FILE the routing: all of it or nothing",
        description="Checked whole before anything is written. A file whose expectations do not "
        "hold is refused, with both plans shown. The running daemon takes it over at once.",
    )
    apply.add_argument("file", type=Path, metavar="FILE", help="- reads standard input")
    export = verbs.add_parser("export", help="print the routing as YAML")
    export.add_argument("--with-secrets", action="store_true", help="SIP and carrier passwords too")
    diff = verbs.add_parser(
        "diff", help="what `apply FILE` would change; exit code 1 when there is anything"
    )
    diff.add_argument("file", type=Path, metavar="FILE")
    for verb, run in ((apply, run_apply), (export, run_export), (diff, run_diff)):
        _add_account(verb)
        verb.set_defaults(run=run)
    add_json_flag(apply)
    add_json_flag(diff)

    route = commands.add_parser("route", help="what would happen to a call")
    explain = route.add_subparsers(metavar="VERB", required=True).add_parser(
        "explain", help="print the plan of a call, and why; rings nobody"
    )
    explain.add_argument(
        "--from", dest="from_", required=True, help="an extension, a number outside, or withheld"
    )
    explain.add_argument("--to", required=True, help="what is dialled")
    explain.add_argument(
        "--at", help="RFC 3339, or local time of the account as 2026-11-22T15:00; now if left out"
    )
    explain.add_argument("--via", help="the trunk a call from outside comes in by")
    _add_account(explain)
    add_json_flag(explain)
    explain.set_defaults(run=run_explain)


def _add_account(parser: argparse.ArgumentParser) -> None:
    add_account_option(parser)


@asynccontextmanager
async def _service(
    account: str, *, make: bool = False, counted: bool = False
) -> AsyncIterator[tuple[RoutingService, int]]:
    async with open_database(settings_of_process(), make=make) as db:
        account_id = await find_account(db, account)
        limits = LimitService(db, lambda: service.table)
        tariffs, now = await TariffMemory().refresh(db, utc_now()), utc_now()
        service = RoutingService(
            RoutingStore(db),
            open_gate=limits.open_gate,
            orders_of=lambda routing: trunk_orders(tariffs, routing, now),
        )
        await service.load()
        if counted:
            await limits.restore()
        yield service, account_id


def _read(file: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise Failure(f"{file}: {error.strerror}") from error


@contextmanager
def _refusals_in_words() -> Iterator[None]:
    """A file that cannot become the routing: what is wrong with it, line by line."""
    try:
        yield
    except CallctlError as error:
        if error.code == "broken_expectation":
            raise Failure(error.message, EXIT_NO) from error
        if error.code == "invalid_routing":
            raise Failure(error.message, EXIT_USAGE) from error
        raise


def run_apply(arguments: argparse.Namespace) -> int:
    return run_async(_apply(arguments))


async def _apply(arguments: argparse.Namespace) -> int:
    text = _read(arguments.file)
    async with _service(arguments.account, make=True) as (service, account_id):
        with _refusals_in_words():
            result = await service.apply(account_id, text, COMMAND_LINE, file=str(arguments.file))
    if arguments.json:
        print_json(result)
    else:
        print(format_diff(result.changes))
        for warning in result.warnings:
            print(f"warning: {warning}", file=sys.stderr)
    return EXIT_OK


def run_export(arguments: argparse.Namespace) -> int:
    return run_async(_export(arguments))


async def _export(arguments: argparse.Namespace) -> int:
    async with _service(arguments.account) as (service, account_id):
        if arguments.with_secrets:
            document = await service.export_with_secrets(account_id)
        else:
            document = service.export(account_id)
    sys.stdout.write(dump_yaml(document))
    return EXIT_OK


def run_diff(arguments: argparse.Namespace) -> int:
    return run_async(_diff(arguments))


async def _diff(arguments: argparse.Namespace) -> int:
    text = _read(arguments.file)
    async with _service(arguments.account) as (service, account_id):
        with _refusals_in_words():
            changes = service.diff(account_id, text, file=str(arguments.file))
    if arguments.json:
        print_json(changes)
    else:
        print(format_diff(changes))
    return EXIT_NO if changes else EXIT_OK


def run_explain(arguments: argparse.Namespace) -> int:
    return run_async(_explain(arguments))


async def _explain(arguments: argparse.Namespace) -> int:
    at = arguments.at or datetime.now(UTC)
    async with _service(arguments.account, counted=True) as (service, account_id):
        plan = service.explain(account_id, arguments.from_, arguments.to, at, arguments.via)
    if arguments.json:
        print_json(plan_view(plan))
    else:
        print(format_plan(plan))
    return EXIT_OK
