"""What an account may do whose seller demands a package."""

import asyncio

from callctl.core.routing.plan import TrunkStep
from callctl.db.pool import Database
from callctl.features.routing.service import RoutingService
from callctl.features.routing.store import RoutingStore
from callctl.features.routing.watch import watch_routing
from tests.packages.conftest import NUMBER, Shop

EXTENSION = {"number": "105"}


async def place(shop: Shop, extension: str, number: str) -> str:
    """The error's code. Asterisk is away: whoever may call is told that."""
    body = {"from": extension, "to": number}
    error = await shop.refused("POST", "/calls", body)
    if error["code"] == "package_required":
        assert error["status"] == 402
        return f"{error['code']}: {error['detail']['missing']}"
    return str(error["code"])


async def test_nobody_needs_a_package_until_the_seller_says_so(shop: Shop) -> None:
    assert (await shop.package())["required"] is False
    assert shop.reasons("101", NUMBER) == ["outbound"]
    assert await place(shop, "101", NUMBER) == "asterisk_unavailable"
    await shop.good("POST", "/routing/extensions", EXTENSION)


async def test_without_a_package_nothing_goes_but_emergency_calls(shop: Shop) -> None:
    await shop.demand()
    for dialled in (NUMBER, "102"):
        assert shop.reasons("101", dialled) == ["package_required"]
        assert await place(shop, "101", dialled) == "package_required: package"
    assert await place(shop, "101", "112") == "asterisk_unavailable"
    (step,) = [s for s in shop.plan("101", "112").steps if isinstance(s, TrunkStep)]
    assert step.emergency
    document = await shop.good("GET", "/routing")
    for method, path, body in (
        ("POST", "/routing/extensions", EXTENSION),
        ("PUT", "/routing/extensions/101", {"number": "101", "name": "Ann"}),
        ("DELETE", "/routing/extensions/101", None),
        ("PUT", "/routing", document),
    ):
        error = await shop.refused(method, path, body)
        assert (error["status"], error["code"]) == (402, "package_required"), (method, path)
        assert error["detail"] == {"missing": "package", "state": "none"}
    # Looking at it and trying it changes nothing.
    await shop.good("POST", "/routing/diff", document)
    told = await shop.good("POST", "/routing/explain", {"from": "101", "to": NUMBER})
    assert told["reasons"][0]["code"] == "package_required"


async def test_paying_opens_the_gate_at_once_and_the_end_closes_it(shop: Shop) -> None:
    await shop.demand()
    await shop.buy("activate", seats=1, months=1)
    await shop.add("ann")
    assert shop.reasons("101", NUMBER) == ["outbound"]
    assert await place(shop, "101", NUMBER) == "asterisk_unavailable"
    await shop.good("POST", "/routing/extensions", EXTENSION)
    shop.later(days=31)
    assert shop.reasons("101", NUMBER) == ["package_required"]
    assert await place(shop, "101", NUMBER) == "package_required: package"
    await shop.watch.look()
    assert shop.routing.table.accounts[shop.account].account.package.over  # type: ignore[union-attr]
    await shop.buy("renew", months=1)
    assert shop.reasons("101", NUMBER) == ["outbound"]
    await shop.demand(False)
    shop.later(days=365)
    assert shop.reasons("102", NUMBER) == ["outbound"]


async def test_only_members_extensions_call_outside(shop: Shop) -> None:
    await shop.demand()
    await shop.buy("activate", seats=1, months=1)
    await shop.add("ann")
    assert shop.reasons("102", NUMBER)[-1] == "seat_required"
    assert await place(shop, "102", NUMBER) == "package_required: seat"
    assert await place(shop, "102", "101") == "asterisk_unavailable"
    assert await place(shop, "102", "112") == "asterisk_unavailable"
    await shop.good("DELETE", f"/seats/{shop.users['ann']}")
    await shop.add("ben")
    assert shop.reasons("102", NUMBER) == ["outbound"]
    assert shop.reasons("101", NUMBER)[-1] == "seat_required"


async def test_an_expectation_is_about_the_routing_not_about_what_is_paid(shop: Shop) -> None:
    await shop.demand()
    await shop.buy("activate", seats=1, months=1)
    wanted = {"name": "out", "from": "101", "to": NUMBER, "then": [f"trunk carrier {NUMBER}"]}
    told = await shop.good("POST", "/routing/expectations", wanted)
    assert len(told["changes"]) == 1


async def test_another_daemon_hears_of_it(shop: Shop, database_url: str) -> None:
    """Also of a member's extension that is changed by what knows nothing of packages."""
    db = await Database.connect(database_url)
    other = RoutingService(RoutingStore(db))
    await other.load()
    watching = asyncio.create_task(watch_routing(db, other))

    async def until(extensions: set[str] | None) -> None:
        async with asyncio.timeout(10):
            while True:
                rights = other.table.accounts[shop.account].account.package
                if (None if rights is None else set(rights.extensions)) == extensions:
                    return
                await asyncio.sleep(0.02)

    await until(None)
    await shop.demand()
    await until(set())
    await shop.buy("activate", seats=2, months=1)
    await shop.add("ann")
    await until({"101"})
    change = "update users set extension = $2 where id = $1"
    await shop.db.execute(change, shop.users["ann"], "103")
    await until({"103"})
    await shop.db.execute("update users set active = false where id = $1", shop.users["ann"])
    await until(set())
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    await db.close()
