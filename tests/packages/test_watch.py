"""Reminders before the end, and the end, each told once."""

import asyncio
from datetime import timedelta
from typing import Any

from callctl.core.packages import add_months
from callctl.features.packages.watch import PackageWatch
from tests.packages.conftest import Shop


async def told(shop: Shop) -> list[tuple[str, Any]]:
    rows = await shop.db.fetch(
        "select kind, data->>'reminder_days' as days from notices where account_id = $1"
        " order by id",
        shop.account,
    )
    return [(row["kind"], row["days"]) for row in rows]


async def test_each_reminder_and_the_end_are_told_once(shop: Shop) -> None:
    await shop.buy("activate", seats=2, months=1)
    ends = add_months(shop.clock[0], 1)
    expected: list[tuple[str, Any]] = []
    for before, news in (
        (20, None),
        (14, ("package_ending", "14")),
        (4, None),
        (2, ("package_ending", "3")),
        (0.5, ("package_ending", "1")),
        (0, ("package_ended", None)),
        (-30, None),
    ):
        shop.clock[0] = ends - timedelta(days=before)
        await shop.watch.look()
        await shop.watch.look()
        expected += [news] if news else []
        assert await told(shop) == expected, before
    mails = await shop.db.fetch("select recipient, n.kind, n.text from notice_mails m"
                                " join notices n on n.id = m.notice order by m.id")  # fmt: skip
    assert [m["recipient"] for m in mails] == ["boss@example.org"] * 4
    assert f"2 seats ends at {ends:%Y-%m-%d %H:%M} UTC" in mails[0]["text"]
    events = await shop.db.fetch("select kind, subject from outbox order by id")
    assert [e["kind"] for e in events] == [
        "package.paid", *["package.ending"] * 3, "package.ended",
    ]  # fmt: skip
    assert {e["subject"] for e in events} == {f"package:{shop.account}"}


async def test_a_renewed_package_is_reminded_of_anew(shop: Shop) -> None:
    await shop.buy("activate", seats=1, months=1)
    shop.clock[0] = add_months(shop.clock[0], 1) - timedelta(days=2)
    await shop.watch.look()
    assert await told(shop) == [("package_ending", "3")]
    await shop.buy("renew", months=1)
    await shop.watch.look()
    assert len(await told(shop)) == 1
    shop.clock[0] = add_months(shop.clock[0], 1)
    await shop.watch.look()
    assert [kind for kind, _ in await told(shop)] == ["package_ending"] * 2


async def test_more_seats_are_no_reason_to_remind_again(shop: Shop) -> None:
    await shop.buy("activate", seats=1, months=1)
    shop.later(days=25)
    await shop.watch.look()
    before = await told(shop)
    assert len(before) == 1
    await shop.buy("extra_seats", seats=1)
    await shop.watch.look()
    assert await told(shop) == before


async def test_the_seller_says_when_customers_are_reminded(shop: Shop) -> None:
    await shop.good("PUT", "/package-terms", {"prices": [], "reminder_days": [5]}, who=shop.seller)
    price = {"amount": 1, "currency": "COIN"}
    terms = {"prices": [price], "reminder_days": [5]}
    await shop.good("PUT", "/package-terms", terms, who=shop.seller)
    await shop.buy("activate", seats=1, months=1)
    ends = add_months(shop.clock[0], 1)
    for before in (6, 1):
        shop.clock[0] = ends - timedelta(days=before)
        await shop.watch.look()
    assert await told(shop) == [("package_ending", "5")]


async def test_several_watches_tell_once(shop: Shop) -> None:
    await shop.buy("activate", seats=1, months=1)
    ends = add_months(shop.clock[0], 1)
    watches = [PackageWatch(shop.db, shop.routing.refresh, lambda: shop.clock[0]) for _ in range(8)]
    for days, news in ((1, ("package_ending", "1")), (0, ("package_ended", None))):
        shop.clock[0] = ends - timedelta(days=days)
        await asyncio.gather(*(watch.look() for watch in watches))
        assert (await told(shop))[-1] == news
    assert len(await told(shop)) == 2


async def test_unpaid_quotes_are_forgotten_and_orders_are_not(shop: Shop) -> None:
    await shop.buy("activate", seats=1, months=1)
    await shop.quote("renew", months=1)
    shop.later(days=2)
    await shop.watch.look()
    (kept,) = (await shop.good("GET", "/quotes"))["items"]
    assert kept["state"] == "paid"
