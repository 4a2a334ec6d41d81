"""``callctl package``: what customers have, by whoever runs the machine."""

import json

from callctl.db.pool import Database
from tests.cli.test_commands import Run, run

__all__ = ["run"]


async def test_a_package_is_demanded_of_a_customer(run: Run, db: Database) -> None:
    add = (
        "insert into accounts (parent_id, code, name, kind, currency)"
        " values ($1, $2, $2, $3, 'COIN') returning id"
    )
    main = await db.fetchval(add, None, "main", "operator")
    shop = await db.fetchval(add, main, "shop", "enterprise")
    await db.execute(
        "insert into packages (account_id, seats, since, months, until)"
        " values ($1, 3, '2026-01-31 12:00Z', 1, '2026-02-28 12:00Z')",
        shop,
    )
    over = "expired, 0 of 3 seats taken, until 2026-02-28 12:00 UTC"
    assert run("package", "require", "shop").stdout == f"shop: needs a package, {over}\n"
    listed = json.loads(run("package", "list", "--json").stdout)
    assert [(p["account"], p["required"]) for p in listed] == [("main", False), ("shop", True)]
    actions = await db.fetch("select account_id, author, action from audit order by id")
    assert [tuple(a) for a in actions] == [
        (account, "command line", "package.required") for account in (main, shop)
    ]
