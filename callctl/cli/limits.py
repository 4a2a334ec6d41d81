"""``callctl limits``: what is used of the limits of calls outside, and what is held."""

import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from callctl.cli.accounts import add_account_option, find_account
from callctl.cli.common import (
    EXIT_OK,
    Failure,
    add_json_flag,
    open_database,
    print_json,
    run_async,
    settings_of_process,
)
from callctl.core.author import COMMAND_LINE
from callctl.core.scope import CallScope
from callctl.features.limits.model import (
    MAX_HOURS,
    Approve,
    HoldFilters,
    HoldState,
    HoldView,
    NoticeFilters,
    Refuse,
    StatusView,
)
from callctl.features.limits.service import LimitService
from callctl.features.routing.service import RoutingService
from callctl.features.routing.store import RoutingStore

_SHOWN = 200


def add_commands(commands: Any) -> None:
    limits = commands.add_parser("limits", help="calls to the outside: used, held, approved")
    verbs = limits.add_subparsers(metavar="VERB", required=True)
    status = verbs.add_parser(
        "status",
        help="what is used of each limit, by the records of the last day",
        description="Calls that still go on are known to the daemon only: GET /api/v1/limits.",
    )
    holds = verbs.add_parser("holds", help="calls that wait for a decision; exit code 1 if any do")
    holds.add_argument("--all", action="store_true", help="decided ones, too")
    notices = verbs.add_parser("notices", help="limits that were passed, the newest first")
    approve = verbs.add_parser("approve", help="let such calls pass for a while")
    approve.add_argument("--whole-account", action="store_true", help="of every extension")
    approve.add_argument("--any-destination", action="store_true", help="to everywhere")
    refuse = verbs.add_parser("refuse", help="keep such calls held and ask no more; ends approvals")
    for verb in (approve, refuse):
        verb.add_argument("hold", type=int, metavar="ID", help="as `limits holds` shows it")
        verb.add_argument("--hours", type=int, default=24, help="for how long (default: 24)")
    for verb, run in (
        (status, _status),
        (holds, _holds),
        (notices, _notices),
        (approve, _approve),
        (refuse, _refuse),
    ):
        add_account_option(verb)
        add_json_flag(verb)
        verb.set_defaults(run=lambda arguments, run=run: run_async(run(arguments)))


@asynccontextmanager
async def _service(account: str) -> AsyncIterator[tuple[LimitService, int]]:
    async with open_database(settings_of_process()) as db:
        account_id = await find_account(db, account)
        routing = RoutingService(RoutingStore(db))
        await routing.load()
        service = LimitService(db, lambda: routing.table)
        await service.restore()
        yield service, account_id


async def _status(arguments: argparse.Namespace) -> int:
    async with _service(arguments.account) as (service, account_id):
        status = service.status(CallScope(account_id))
    if arguments.json:
        print_json(status)
    else:
        print(format_status(status))
    return EXIT_OK


async def _holds(arguments: argparse.Namespace) -> int:
    state: HoldState | None = None if arguments.all else "waiting"
    async with _service(arguments.account) as (service, account_id):
        page = await service.list_holds(CallScope(account_id), HoldFilters(state, _SHOWN))
    if arguments.json:
        print_json(page.items)
    else:
        print("\n".join(map(format_hold, page.items)) or "nothing is held")
    return 1 if any(hold.state == "waiting" for hold in page.items) else EXIT_OK


async def _notices(arguments: argparse.Namespace) -> int:
    async with _service(arguments.account) as (service, account_id):
        page = await service.list_notices(CallScope(account_id), NoticeFilters(None, _SHOWN))
    if arguments.json:
        print_json(page.items)
        return EXIT_OK
    for n in page.items:
        who = n.extension or "-"
        print(f"{n.last_at:%Y-%m-%d %H:%M}  {n.calls:>5} x  {who:>6} -> {n.number}  {n.reason}")
    if not page.items:
        print("no limit was passed")
    return EXIT_OK


async def _approve(arguments: argparse.Namespace) -> int:
    body = Approve(_hours(arguments), arguments.whole_account, arguments.any_destination)
    async with _service(arguments.account) as (service, account_id):
        return _tell(
            arguments,
            await service.approve(CallScope(account_id), arguments.hold, body, COMMAND_LINE),
        )


async def _refuse(arguments: argparse.Namespace) -> int:
    body = Refuse(_hours(arguments))
    async with _service(arguments.account) as (service, account_id):
        return _tell(
            arguments,
            await service.refuse(CallScope(account_id), arguments.hold, body, COMMAND_LINE),
        )


def _hours(arguments: argparse.Namespace) -> int:
    if not 1 <= arguments.hours <= MAX_HOURS:
        raise Failure(f"--hours {arguments.hours}: 1 to {MAX_HOURS}")
    return int(arguments.hours)


def _tell(arguments: argparse.Namespace, hold: HoldView) -> int:
    if arguments.json:
        print_json(hold)
    else:
        print(format_hold(hold))
    return EXIT_OK


def format_hold(hold: HoldView) -> str:
    """One line."""
    who, where = hold.extension or "the routing", hold.destination
    text = f"{hold.id}  {hold.state}  {who} -> {where} ({hold.number}), {hold.calls} calls, "
    text += f"last {hold.last_at:%Y-%m-%d %H:%M}: {hold.reason}"
    if hold.decided_by is not None and hold.until is not None:
        whom, what = hold.for_extension or "all extensions", hold.for_destination or "anywhere"
        text += f" [{hold.decided_by}: {whom} -> {what} until {hold.until:%Y-%m-%d %H:%M} UTC]"
    return text


def format_status(status: StatusView) -> str:
    """A line for each limit that is used."""
    lines = []
    for u in status.usage:
        most = ", ".join(
            f"{word} over {value}"
            for word, value in (("warn", u.warn), ("hold", u.hold), ("block", u.block))
            if value is not None
        )
        lines.append(f"{u.limit} {u.name}".rstrip() + f": {u.used} ({most})")
    return "\n".join(lines) or "no limit is used"
