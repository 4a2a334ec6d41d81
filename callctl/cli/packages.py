"""``callctl package``: customers' packages, and who needs one, by whoever runs the machine."""

import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

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
from callctl.core.permissions import ALL_SCOPES
from callctl.features.access.store import AccessStore
from callctl.features.packages.model import PackageChange, PackageFilters, PackageView
from callctl.features.packages.service import PackageService
from callctl.http.endpoint import Actor

_PAGE = 500


def add_commands(commands: Any) -> None:
    package = commands.add_parser("package", help="packages of customers (docs/packages.md)")
    verbs = package.add_subparsers(metavar="VERB", required=True)
    listed = verbs.add_parser("list", help="the own package, and those of customers")
    require = verbs.add_parser(
        "require", help="let a customer use the switchboard with an active package only"
    )
    require.add_argument("customer", metavar="CODE", help="the customer's account")
    require.add_argument("--off", action="store_true", help="demand it no more")
    for verb, run in ((listed, _list), (require, _require)):
        verb.add_argument("--account", default="main", metavar="CODE", help="seller; default: main")
        add_json_flag(verb)
        verb.set_defaults(run=lambda arguments, run=run: run_async(run(arguments)))


@asynccontextmanager
async def _service(account: str) -> AsyncIterator[tuple[PackageService, Actor, AccessStore]]:
    settings = settings_of_process()
    async with open_database(settings) as db:
        access = AccessStore(db)
        service = PackageService(db, quote_minutes=settings.package_quote_minutes)
        account_id = await _id_of(access, account)
        yield service, Actor(account_id, COMMAND_LINE.name, ALL_SCOPES), access


async def _id_of(access: AccessStore, code: str) -> int:
    account_id = await access.get_account_id(code)
    if account_id is None:
        raise Failure(f"there is no account {code!r}")
    return account_id


async def _list(arguments: argparse.Namespace) -> int:
    found: list[PackageView] = []
    async with _service(arguments.account) as (service, actor, _):
        cursor = None
        while True:
            page = await service.list_packages(actor, PackageFilters(limit=_PAGE, cursor=cursor))
            found += page.items
            if page.next is None:
                break
            cursor = int(page.next)
    if arguments.json:
        print_json(found)
    else:
        print("\n".join(map(format_package, found)))
    return EXIT_OK


async def _require(arguments: argparse.Namespace) -> int:
    async with _service(arguments.account) as (service, actor, access):
        customer = await _id_of(access, arguments.customer)
        package = await service.change_package(actor, customer, PackageChange(not arguments.off))
    if arguments.json:
        print_json(package)
    else:
        print(format_package(package))
    return EXIT_OK


def format_package(package: PackageView) -> str:
    """One line."""
    needs = "needs a package" if package.required else "needs none"
    text = f"{package.account}: {needs}, {package.state.value}"
    if package.until is not None:
        text += f", {package.members} of {package.seats} seats taken, "
        text += f"until {package.until:%Y-%m-%d %H:%M} UTC"
    return text
