"""Quotes are made, paid once, and in force at once."""

from datetime import timedelta
from typing import Any

import pytest

from callctl.core.packages import add_months
from tests.packages.conftest import MONTH, Shop


async def test_a_package_is_quoted_paid_and_there_at_once(shop: Shop) -> None:
    now = shop.clock[0]
    before = await shop.package()
    assert (before["state"], before["seats"], before["until"]) == ("none", None, None)
    assert before["price"] == {"amount": MONTH, "currency": "COIN"}
    quote = await shop.quote("activate", seats=3, months=2)
    assert (quote["state"], quote["amount"]) == ("open", 6 * MONTH)
    assert quote["expires_at"] == (now + timedelta(minutes=15)).isoformat().replace("+00:00", "Z")
    assert await shop.balances() == (10_000_000, 0)
    shop.later(minutes=5)

    paid = await shop.good("POST", f"/quotes/{quote['id']}/pay")
    package = await shop.package()
    assert paid["package"] == package
    assert (package["state"], package["seats"], package["months"]) == ("active", 3, 2)
    # From the payment on, not from the quote.
    until = add_months(shop.clock[0], 2).isoformat().replace("+00:00", "Z")
    assert package["until"] == paid["quote"]["until"] == until
    assert await shop.balances() == (10_000_000 - 6 * MONTH, 6 * MONTH)
    entry = await shop.db.fetchrow(
        "select e.amount, e.class, e.source, t.kind, t.reference from ledger_entries e"
        " join ledger_transactions t on t.id = e.transaction_id join books b on b.id = e.book_id"
        " where t.id = $1 and b.kind = 'wallet'",
        paid["quote"]["transaction_id"],
    )
    assert tuple(entry) == (-6 * MONTH, "out", "system", "package", f"quote:{quote['id']}")
    orders = await shop.good("GET", "/quotes?paid=true")
    assert orders["items"] == [await shop.good("GET", f"/quotes/{quote['id']}")]
    assert (await shop.good("GET", "/quotes?paid=false"))["items"] == []


async def test_extra_seats_end_with_the_package_and_cost_the_days_that_are_left(shop: Shop) -> None:
    await shop.buy("activate", seats=2, months=3)
    until = (await shop.package())["until"]
    shop.clock[0] = add_months(shop.clock[0], 1) + timedelta(days=5)
    quote = await shop.quote("extra_seats", seats=2)
    part, whole = quote["lines"]
    assert (part["days"] + 5, whole["months"]) == (part["of_days"], 1)
    share = round(2 * MONTH * part["days"] / part["of_days"])
    assert (part["amount"], whole["amount"]) == (share, 2 * MONTH)
    assert quote["amount"] == share + 2 * MONTH
    paid = await shop.good("POST", f"/quotes/{quote['id']}/pay")
    assert (paid["package"]["seats"], paid["package"]["until"]) == (4, until)


async def test_renewal_in_term_goes_on_from_the_end_for_all_seats(shop: Shop) -> None:
    start = shop.clock[0]
    await shop.buy("activate", seats=3, months=1)
    await shop.add("ann")
    shop.later(days=10)
    error = await shop.refused("POST", "/quotes", {"purchase": "renew", "seats": 1, "months": 1})
    assert (error["code"], error["field"], error["detail"]) == (
        "invalid_field", "body.seats", {"seats": 3},
    )  # fmt: skip
    paid = await shop.buy("renew", months=1)
    assert paid["quote"]["amount"] == 3 * MONTH
    assert paid["package"]["until"] == add_months(start, 2).isoformat().replace("+00:00", "Z")


async def test_after_the_end_members_are_renewed_and_seats_shrink(shop: Shop) -> None:
    await shop.buy("activate", seats=3, months=1)
    await shop.add("ann", "ben")
    shop.later(days=40)
    assert (await shop.package())["state"] == "expired"
    for body in ({"purchase": "extra_seats", "seats": 1},):
        error = await shop.refused("POST", "/quotes", body)
        assert (error["status"], error["code"]) == (402, "package_required")
        assert (error["detail"]["missing"], error["detail"]["state"]) == ("package", "expired")
    await shop.good("DELETE", f"/seats/{shop.users['ben']}")
    quote = await shop.quote("renew", months=2)
    assert (quote["seats"], quote["amount"]) == (1, 2 * MONTH)
    paid = await shop.good("POST", f"/quotes/{quote['id']}/pay")
    until = add_months(shop.clock[0], 2).isoformat().replace("+00:00", "Z")
    assert (paid["package"]["seats"], paid["package"]["until"]) == (1, until)


async def test_a_quote_is_paid_once(shop: Shop) -> None:
    quote = await shop.quote("activate", seats=1, months=1)
    path = f"/quotes/{quote['id']}/pay"
    first = await shop.good("POST", path, key="one")
    assert await shop.good("POST", path, key="one") == first
    assert (await shop.refused("POST", path, key="two"))["code"] == "quote_paid"
    assert (await shop.refused("POST", path))["code"] == "quote_paid"
    other = await shop.quote("renew", months=1)
    error = await shop.refused("POST", f"/quotes/{other['id']}/pay", key="one")
    assert error["code"] == "idempotency_conflict"
    assert await shop.balances() == (10_000_000 - MONTH, MONTH)


async def test_a_quote_is_valid_for_minutes(shop: Shop) -> None:
    quote = await shop.quote("activate", seats=1, months=1)
    shop.later(minutes=15)
    error = await shop.refused("POST", f"/quotes/{quote['id']}/pay")
    assert (error["status"], error["code"]) == (409, "quote_expired")
    assert (await shop.good("GET", f"/quotes/{quote['id']}"))["state"] == "expired"
    assert await shop.balances() == (10_000_000, 0)


@pytest.mark.parametrize(
    ("quoted", "meanwhile"),
    [
        ({"purchase": "renew", "months": 1}, {"purchase": "extra_seats", "seats": 1}),
        ({"purchase": "renew", "months": 1}, {"purchase": "renew", "months": 1}),
        ({"purchase": "extra_seats", "seats": 1}, {"purchase": "renew", "months": 1}),
        ({"purchase": "extra_seats", "seats": 1}, {"purchase": "extra_seats", "seats": 1}),
    ],
)
async def test_a_quote_holds_for_the_package_that_it_was_made_for(
    shop: Shop, quoted: Any, meanwhile: Any
) -> None:
    await shop.buy("activate", seats=1, months=1)
    quote = await shop.quote(**quoted)
    await shop.buy(**meanwhile)
    before = await shop.balances()
    error = await shop.refused("POST", f"/quotes/{quote['id']}/pay")
    assert (error["status"], error["code"]) == (409, "quote_outdated")
    assert await shop.balances() == before


async def test_a_quote_of_the_last_minute_is_outdated_when_the_term_ends(shop: Shop) -> None:
    await shop.buy("activate", seats=2, months=1)
    await shop.add("ann")
    shop.clock[0] = add_months(shop.clock[0], 1) - timedelta(minutes=5)
    quote = await shop.quote("renew", months=1)
    shop.later(minutes=5)
    error = await shop.refused("POST", f"/quotes/{quote['id']}/pay")
    assert error["code"] == "quote_outdated"
    assert (await shop.quote("renew", months=1))["amount"] == MONTH


async def test_who_cannot_pay_gets_nothing_and_is_told_what_is_short(shop: Shop) -> None:
    quote = await shop.quote("activate", seats=101, months=1)
    error = await shop.refused("POST", f"/quotes/{quote['id']}/pay", key="one")
    assert (error["status"], error["code"]) == (402, "insufficient_funds")
    assert error["detail"] == {
        "needed": 101 * MONTH, "available": 100 * MONTH, "shortfall": MONTH, "currency": "COIN",
    }  # fmt: skip
    assert (await shop.package())["state"] == "none"
    assert await shop.balances() == (10_000_000, 0)
    # Nothing has happened: the same request may be sent again.
    await shop.fund(MONTH)
    paid = await shop.good("POST", f"/quotes/{quote['id']}/pay", key="one")
    assert paid["package"]["seats"] == 101
    assert await shop.balances() == (0, 101 * MONTH)


async def test_the_sellers_price_is_in_force_for_new_quotes_and_stays_on_orders(shop: Shop) -> None:
    old = await shop.quote("activate", seats=1, months=1)
    terms = {"prices": [{"amount": 250, "currency": "COIN"}], "reminder_days": [3, 30, 3]}
    saved = await shop.good("PUT", "/package-terms", terms, who=shop.seller)
    assert saved["reminder_days"] == [3, 30]
    assert (await shop.quote("activate", seats=1, months=1))["amount"] == 250
    paid = await shop.good("POST", f"/quotes/{old['id']}/pay")
    assert (paid["quote"]["price"], paid["quote"]["amount"]) == (MONTH, MONTH)
    assert (await shop.package())["price"] == {"amount": 250, "currency": "COIN"}
    for wrong in ([{"amount": 1, "currency": "COIN"}] * 2, [{"amount": 1, "currency": "ABC"}]):
        body = {"prices": wrong, "reminder_days": []}
        error = await shop.refused("PUT", "/package-terms", body, who=shop.seller)
        assert (error["code"], error["field"]) == ("invalid_field", "body.prices")
    euros = {"prices": [{"amount": 1, "currency": "EUR"}], "reminder_days": []}
    await shop.good("PUT", "/package-terms", euros, who=shop.seller)
    error = await shop.refused("POST", "/quotes", {"purchase": "renew", "months": 1})
    assert error["code"] == "conflict"
    path = f"/packages/{shop.account}"
    error = await shop.refused("PATCH", path, {"required": True}, who=shop.seller)
    assert (error["code"], error["message"]) == ("conflict", "set a price in COIN first")
    assert (await shop.package())["required"] is False


async def test_what_is_free_moves_no_money(shop: Shop) -> None:
    terms = {"prices": [{"amount": 0, "currency": "COIN"}], "reminder_days": []}
    await shop.good("PUT", "/package-terms", terms, who=shop.seller)
    paid = await shop.buy("activate", seats=5, months=12)
    assert (paid["quote"]["transaction_id"], paid["package"]["seats"]) == (None, 5)
    assert await shop.balances() == (10_000_000, 0)


async def test_the_operator_buys_of_nobody(shop: Shop) -> None:
    body = {"purchase": "activate", "seats": 1, "months": 1}
    error = await shop.refused("POST", "/quotes", body, who=shop.operator)
    assert error["code"] == "conflict"
    path = f"/packages/{shop.operator}"
    assert (await shop.refused("PATCH", path, {"required": True}, who=shop.operator))[
        "code"
    ] == "conflict"


async def test_a_seller_sees_its_customers_and_nobody_elses(shop: Shop) -> None:
    await shop.buy("activate", seats=1, months=1)
    for who, codes in (
        (shop.account, ["shop"]),
        (shop.seller, ["agency", "shop"]),
        (shop.operator, ["main", "agency"]),
    ):
        listed = await shop.good("GET", "/packages", who=who)
        assert [item["account"] for item in listed["items"]] == codes
    active = await shop.good("GET", "/packages?state=active", who=shop.seller)
    assert [item["account"] for item in active["items"]] == ["shop"]
    first = await shop.good("GET", "/packages?limit=1", who=shop.seller)
    rest = await shop.good("GET", f"/packages?limit=1&cursor={first['next']}", who=shop.seller)
    assert [item["account"] for item in rest["items"]] == ["shop"]
    assert rest["next"] is None
    for who, account in ((shop.operator, shop.account), (shop.account, shop.seller)):
        assert (await shop.refused("GET", f"/packages/{account}", who=who))["status"] == 404
    quote = await shop.quote("renew", months=1)
    for verb, path in (("GET", ""), ("POST", "/pay")):
        error = await shop.refused(verb, f"/quotes/{quote['id']}{path}", who=shop.seller)
        assert error["status"] == 404


async def test_members_fit_the_seats_and_removing_one_frees_a_seat(shop: Shop) -> None:
    ann = {"user_id": shop.users["ann"]}
    assert (await shop.refused("POST", "/seats", ann))["code"] == "package_required"
    await shop.buy("activate", seats=2, months=1)
    seat = await shop.good("POST", "/seats", ann, key="one")
    assert (seat["login"], seat["extension"]) == ("ann", "101")
    assert await shop.good("POST", "/seats", ann, key="one") == seat
    assert (await shop.refused("POST", "/seats", ann))["code"] == "already_exists"
    await shop.add("ben")
    error = await shop.refused("POST", "/seats", {"user_id": shop.users["cid"]})
    assert (error["status"], error["code"]) == (409, "seats_taken")
    assert error["detail"] == {"seats": 2, "members": 2}
    before = await shop.balances()
    await shop.good("DELETE", f"/seats/{shop.users['ann']}")
    assert await shop.balances() == before
    await shop.add("cid")
    page = await shop.good("GET", "/seats?limit=1")
    rest = await shop.good("GET", f"/seats?limit=1&cursor={page['next']}")
    assert [s["login"] for s in page["items"] + rest["items"]] == ["ben", "cid"]
    assert (await shop.refused("DELETE", f"/seats/{shop.users['ann']}"))["status"] == 404
    shop.later(days=60)
    assert (await shop.refused("POST", "/seats", ann))["code"] == "package_required"


async def test_only_own_active_users_take_seats(shop: Shop) -> None:
    await shop.buy("activate", seats=9, months=1)
    stranger = await shop.db.fetchval(
        "select id from users where account_id = $1 limit 1", shop.seller
    )
    assert (await shop.refused("POST", "/seats", {"user_id": stranger}))["status"] == 404
    await shop.db.execute("update users set active = false where login = 'ann'")
    error = await shop.refused("POST", "/seats", {"user_id": shop.users["ann"]})
    assert error["code"] == "conflict"
