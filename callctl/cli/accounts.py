"""The account that a command speaks of."""

import argparse

from callctl.cli.common import Failure
from callctl.db.pool import Database
from callctl.features.access.service import AccessService
from callctl.features.access.store import AccessStore


def add_account_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--account", default="main", metavar="CODE", help="default: main")


async def find_account(db: Database, code: str) -> int:
    """Its id; a new installation gets its first account by it. Raises Failure."""
    access = AccessStore(db)
    await AccessService(access).bootstrap()
    account_id = await access.get_account_id(code)
    if account_id is None:
        raise Failure(f"there is no account {code!r}")
    return account_id
