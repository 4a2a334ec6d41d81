"""Fifty connections want the same thing at once: each success once, nothing of money lost."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import Any

from tests.packages.conftest import MONTH, Answer, Shop

MANY = 50


async def codes_of(asked: Iterable[Any]) -> Counter[str]:
    """How often each answer came: ``ok``, or the error's code."""
    answers: list[Answer] = await asyncio.gather(*asked)
    return Counter("ok" if s < 300 else a["error"]["code"] for s, a in answers)


async def is_conserved(shop: Shop) -> bool:
    """What was paid for is what was charged, and what the seller got; the books sum to nothing."""
    orders = await shop.db.fetchval(
        "select coalesce(sum(amount), 0)::bigint from package_quotes where paid_at is not null"
    )
    wallet, income = await shop.balances()
    everything = await shop.db.fetchval("select sum(balance) from books")
    return (10_000_000 - wallet, income, everything) == (orders, orders, 0) and wallet >= 0


async def test_fifty_pay_the_same_quote_and_one_succeeds(shop: Shop) -> None:
    quote = await shop.quote("activate", seats=2, months=1)
    path = f"/quotes/{quote['id']}/pay"
    found = await codes_of(shop.ask("POST", path) for _ in range(MANY))
    assert found == {"ok": 1, "quote_paid": MANY - 1}
    assert await shop.balances() == (10_000_000 - 2 * MONTH, 2 * MONTH)
    assert await is_conserved(shop)


async def test_fifty_times_the_same_request_get_the_same_answer(shop: Shop) -> None:
    quote = await shop.quote("activate", seats=2, months=1)
    path = f"/quotes/{quote['id']}/pay"
    answers = await asyncio.gather(*(shop.ask("POST", path, key="one") for _ in range(MANY)))
    assert all(answer == answers[0] for answer in answers)
    assert answers[0][0] == 200
    assert await shop.balances() == (10_000_000 - 2 * MONTH, 2 * MONTH)


async def test_fifty_different_activations_leave_one_package(shop: Shop) -> None:
    quotes = [await shop.quote("activate", seats=n + 1, months=1) for n in range(MANY)]
    found = await codes_of(shop.ask("POST", f"/quotes/{q['id']}/pay") for q in quotes)
    assert found == {"ok": 1, "quote_outdated": MANY - 1}
    (order,) = (await shop.good("GET", "/quotes?paid=true"))["items"]
    assert (await shop.package())["seats"] == order["seats"]
    assert await is_conserved(shop)


async def test_the_last_coins_are_spent_once(shop: Shop) -> None:
    await shop.buy("activate", seats=60, months=1)
    quotes = [await shop.quote("extra_seats", seats=30), await shop.quote("renew", months=1)]
    found = await codes_of(
        shop.ask("POST", f"/quotes/{q['id']}/pay") for q in quotes for _ in range(MANY // 2)
    )
    assert found["ok"] == 1
    assert await is_conserved(shop)


async def test_renewals_while_members_come_and_go(shop: Shop) -> None:
    """In term, and after it, when a renewal goes by the members there are."""
    ids = list(shop.users.values())
    await shop.buy("activate", seats=2, months=1)
    for expired in (False, True):
        if expired:
            shop.later(days=100)
        quotes = [await shop.quote("renew", months=1) for _ in range(5)]
        asked = [shop.ask("POST", f"/quotes/{q['id']}/pay") for q in quotes for _ in range(4)]
        asked += [shop.ask("POST", "/seats", {"user_id": i}) for i in ids for _ in range(4)]
        asked += [shop.ask("DELETE", f"/seats/{i}") for i in ids for _ in range(3)]
        found = await codes_of(asked[n] for n in sorted(range(len(asked)), key=lambda n: n % 7))
        assert set(found) <= {
            "ok", "quote_paid", "quote_outdated", "already_exists", "seats_taken", "not_found",
            "package_required",
        }, found  # fmt: skip
        package = await shop.package()
        assert package["members"] <= package["seats"]
        assert await is_conserved(shop)
        renewed = [q for q in (await shop.good("GET", "/quotes?paid=true"))["items"]
                   if q["id"] in {quote["id"] for quote in quotes}]  # fmt: skip
        assert len(renewed) <= 1
        assert await shop.db.fetchval("select count(*) from package_members") == package["members"]


async def test_fifty_users_want_the_last_seats(shop: Shop) -> None:
    await shop.buy("activate", seats=7, months=1)
    users = [await shop.add_user(f"user{n}") for n in range(MANY)]
    found = await codes_of(shop.ask("POST", "/seats", {"user_id": user}) for user in users)
    assert found == {"ok": 7, "seats_taken": MANY - 7}
    assert (await shop.package())["members"] == 7


async def test_a_payment_that_is_cut_down_half_way_leaves_nothing(shop: Shop) -> None:
    """The package is written and the wallet is waited for when the connection is killed."""
    quote = await shop.quote("activate", seats=2, months=1)
    path = f"/quotes/{quote['id']}/pay"
    async with shop.db.transaction() as connection:
        await connection.execute(
            "select from books where account_id = $1 and kind = 'wallet' for update", shop.account
        )
        paying = asyncio.create_task(shop.ask("POST", path, key="one"))
        async with asyncio.timeout(10):
            while not await shop.db.fetchval(
                "select count(pg_terminate_backend(pid)) from pg_stat_activity"
                " where datname = current_database() and wait_event_type = 'Lock'"
            ):
                await asyncio.sleep(0.02)
        status, answer = await paying
    assert (status, answer["error"]["code"]) == (503, "database_unavailable")
    assert (await shop.package())["state"] == "none"
    assert await shop.balances() == (10_000_000, 0)
    assert await shop.db.fetchval("select count(*) from outbox") == 0
    paid = await shop.good("POST", path, key="one")
    assert paid["package"]["seats"] == 2
    assert await is_conserved(shop)
