"""Wanted numbers: asked for, offered, declined, bought (004-13)."""

import pytest

from callctl.core.errors import CallctlError
from callctl.features.numbers.model import NewHold
from callctl.features.numbers.request_model import (
    Acceptance,
    Declination,
    NewOffer,
    NewRequest,
    RequestFilters,
    RequestItem,
)
from tests.numbers.conftest import Market

ACCEPTANCE = Acceptance("extension:101")


async def asked(market: Market) -> RequestItem:
    new = NewRequest(country="HU", area="Budapest", pattern="*7777", note="for the shop")
    return await market.requests.ask(market.actor(market.shop), new, None)


async def conflict(coroutine: object, code: str = "conflict") -> None:
    with pytest.raises(CallctlError) as caught:
        await coroutine  # type: ignore[misc]
    assert caught.value.code == code


async def test_asking_costs_nothing_and_the_seller_sees_it(market: Market) -> None:
    item = await asked(market)
    assert (item.state, item.overdue, item.offered) == ("requested", False, None)
    assert 2 <= (item.answer_by - item.requested_at).days <= 3
    assert await market.db.fetchval("select count(*) from ledger_transactions") == 0
    seller = market.actor(market.operator)
    customers = await market.requests.list_requests(seller, RequestFilters(side="customers"))
    assert [(i.id, i.account) for i in customers.items] == [(item.id, "shop")]
    assert (await market.requests.list_requests(seller, RequestFilters(side="own"))).items == []
    bank = market.actor(market.bank)
    assert (await market.requests.list_requests(bank, RequestFilters())).items == []
    await conflict(market.requests.get_request(bank, item.id), "not_found")
    kinds = await market.db.fetch("select kind from notices where account_id = $1", market.operator)
    assert [row["kind"] for row in kinds] == ["number_request"]


async def test_an_offer_holds_the_number_and_accepting_buys_it(market: Market) -> None:
    item = await asked(market)
    await market.load("+3612347777")
    await market.fund(market.shop, 100)
    seller, shop = market.actor(market.operator), market.actor(market.shop)
    await conflict(market.requests.accept(shop, item.id, ACCEPTANCE, None))
    offered = await market.requests.offer(seller, item.id, NewOffer("+3612347777", answer="ok"))
    assert (offered.state, offered.offered, offered.answer) == ("offered", "+3612347777", "ok")
    await conflict(market.buy("+3612347777", account=market.bank))
    bought = await market.requests.accept(shop, item.id, ACCEPTANCE, None)
    assert (bought.number, bought.state) == ("+3612347777", "assigned")
    assert market.call("+3612347777").did == "+3612347777"
    settled = await market.requests.get_request(shop, item.id)
    assert settled.state == "fulfilled"
    assert settled.settled_at is not None
    await conflict(market.requests.accept(shop, item.id, ACCEPTANCE, None))
    await conflict(market.requests.decline(seller, item.id, Declination("no")))


async def test_an_offer_that_cannot_be_paid_stays_an_offer(market: Market) -> None:
    item = await asked(market)
    await market.load("+3612347777")
    seller, shop = market.actor(market.operator), market.actor(market.shop)
    await market.requests.offer(seller, item.id, NewOffer("+3612347777"))
    await conflict(market.requests.accept(shop, item.id, ACCEPTANCE, None), "insufficient_funds")
    assert (await market.requests.get_request(shop, item.id)).state == "offered"
    assert await market.state("+3612347777") == "held"


async def test_an_offer_ends_at_its_deadline_and_another_may_follow(market: Market) -> None:
    item = await asked(market)
    await market.load("+3612347777")
    seller, shop = market.actor(market.operator), market.actor(market.shop)
    await market.requests.offer(seller, item.id, NewOffer("+3612347777"))
    await conflict(market.requests.offer(seller, item.id, NewOffer("+3612347777")))
    await market.db.execute("update number_requests set offer_until = now()")
    await market.db.execute("update stock_numbers set until = now()")
    again = await market.requests.get_request(shop, item.id)
    assert (again.state, again.offered) == ("requested", None)
    await conflict(market.requests.accept(shop, item.id, ACCEPTANCE, None))
    filters = RequestFilters(state=again.state)
    assert len((await market.requests.list_requests(shop, filters)).items) == 1
    await market.requests.offer(seller, item.id, NewOffer("+3612347777"))


@pytest.mark.parametrize("by", ["seller", "buyer"])
async def test_declining_and_withdrawing_free_the_number(market: Market, by: str) -> None:
    item = await asked(market)
    await market.load("+3612347777")
    seller, shop = market.actor(market.operator), market.actor(market.shop)
    await market.requests.offer(seller, item.id, NewOffer("+3612347777"))
    if by == "seller":
        done = await market.requests.decline(seller, item.id, Declination("sold out"))
        assert (done.state, done.answer) == ("declined", "sold out")
    else:
        done = await market.requests.withdraw(shop, item.id)
        assert done.state == "withdrawn"
    assert await market.state("+3612347777") == "available"
    await market.offers.hold(market.actor(market.bank), NewHold("+3612347777"))


async def test_each_side_does_its_own_part(market: Market) -> None:
    item = await asked(market)
    await market.load("+3612347777")
    seller, shop = market.actor(market.operator), market.actor(market.shop)
    await conflict(market.requests.offer(shop, item.id, NewOffer("+3612347777")))
    await conflict(market.requests.decline(shop, item.id, Declination("no")))
    await conflict(market.requests.withdraw(seller, item.id))
    await conflict(market.requests.accept(seller, item.id, ACCEPTANCE, None))
    reseller = market.actor(market.reseller)
    await conflict(market.requests.offer(reseller, item.id, NewOffer("+3612347777")), "not_found")


async def test_a_wish_says_what_it_wants(market: Market) -> None:
    shop = market.actor(market.shop)
    for new in (NewRequest(note="any"), NewRequest(number="1"), NewRequest(pattern="%")):
        await conflict(market.requests.ask(shop, new, None), "invalid_field")


async def test_a_seller_who_does_not_answer_is_told_once(market: Market) -> None:
    item = await asked(market)
    assert await market.requests.tell_overdue() == 0
    await market.db.execute("update number_requests set answer_by = now()")
    assert (await market.requests.get_request(market.actor(market.shop), item.id)).overdue
    assert await market.requests.tell_overdue() == 1
    assert await market.requests.tell_overdue() == 0
