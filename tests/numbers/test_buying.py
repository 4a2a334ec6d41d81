"""Buying is charging, assigning and routing, or nothing of it (004-12)."""

import asyncio
from datetime import date

import pytest
from msgspec.structs import replace

from callctl.core.errors import CallctlError
from callctl.core.numbers.charges import first_charge
from callctl.core.periods import local_day
from callctl.core.routing.expectations import plan_words
from callctl.db.idempotency import RequestKey
from callctl.features.numbers.model import (
    NewNumber,
    NumberChange,
    NumberFilters,
    OfferFilters,
    PriceView,
)
from callctl.features.routing.objects import KIND_OF_FIELD
from callctl.features.routing.structs import ExpectationDoc, HuntGroupDoc
from callctl.http.endpoint import Empty
from tests.numbers.conftest import Market


async def today(market: Market) -> date:
    return local_day(await market.db.fetchval("select now()"), "Europe/Budapest")


async def first_price(market: Market) -> int:
    return first_charge(10, 31, await today(market)).total


async def nothing_happened(market: Market, account: int, money: int) -> None:
    assert await market.state() in ("available", "held")
    assert await market.balance(account) == money
    assert await market.income() == 0
    assert await market.db.fetchval("select count(*) from number_leases") == 0
    assert market.routing.export(account).dids == []
    assert market.call().route == "unknown"


async def test_the_next_call_to_a_bought_number_is_routed_and_it_is_paid(market: Market) -> None:
    await market.load()
    await market.fund(market.shop, 100)
    assert market.call().route == "unknown"
    item = await market.buy(to="hunt_group:sales")
    plan = market.call()
    assert (plan.account_id, plan.did, plan.route) == (
        market.shop, "+3612340000", "did:+3612340000"
    )  # fmt: skip
    assert plan_words(plan)[0].startswith("ring 101")
    price = await first_price(market)
    assert await market.balance(market.shop) == 100 - price
    assert await market.income() == price
    assert (item.state, item.default, item.paid_month) == (
        "assigned", True, (await today(market)).replace(day=1)
    )  # fmt: skip
    listed = await market.numbers.list_numbers(market.actor(market.shop), NumberFilters())
    assert listed.items == [item]
    assert (
        await market.numbers.list_numbers(market.actor(market.bank), NumberFilters())
    ).items == []
    actions = await market.db.fetch(
        "select action from audit where account_id = $1 order by id desc limit 2", market.shop
    )
    assert [row[0] for row in actions] == ["routing.changed", "number.bought"]
    revisions = await market.routing.list_revisions(market.shop)
    assert revisions[0].document["dids"][0]["number"] == "+3612340000"


async def test_without_the_money_nothing_happens(market: Market) -> None:
    await market.load()
    await market.fund(market.shop, 10)
    with pytest.raises(CallctlError) as caught:
        await market.buy()
    assert caught.value.code == "insufficient_funds"
    await nothing_happened(market, market.shop, 10)


@pytest.mark.parametrize("to", ["extension:999", "hunt_group:nobody"])
async def test_a_target_that_is_not_there_buys_nothing(market: Market, to: str) -> None:
    await market.load()
    await market.fund(market.shop, 100)
    with pytest.raises(CallctlError) as caught:
        await market.buy(to=to)
    assert caught.value.code == "invalid_routing"
    await nothing_happened(market, market.shop, 100)


async def test_a_price_in_another_currency_buys_nothing(market: Market) -> None:
    await market.load(setup=PriceView(1, "HUF"), monthly=PriceView(1, "HUF"))
    await market.fund(market.shop, 100)
    with pytest.raises(CallctlError) as caught:
        await market.buy()
    assert caught.value.code == "conflict"
    await nothing_happened(market, market.shop, 100)


async def test_fifty_buyers_of_one_number_and_one_has_it(market: Market) -> None:
    await market.load()
    for account in (market.shop, market.bank):
        await market.fund(account, 1000)

    async def buy(n: int) -> object:
        return await market.buy(account=market.shop if n % 2 else market.bank)

    done = await asyncio.gather(*(buy(n) for n in range(50)), return_exceptions=True)
    won = [result for result in done if not isinstance(result, BaseException)]
    lost = [result for result in done if isinstance(result, BaseException)]
    assert len(won) == 1
    assert {e.code for e in lost if isinstance(e, CallctlError)} == {"conflict"}
    assert all(isinstance(e, CallctlError) for e in lost)
    price = await first_price(market)
    left = await market.balance(market.shop) + await market.balance(market.bank)
    assert (left, await market.income()) == (2000 - price, price)
    owner = market.call().account_id
    assert [len(market.routing.export(account).dids) for account in (market.shop, market.bank)] == [
        int(owner == market.shop),
        int(owner == market.bank),
    ]


async def test_the_same_request_again_gets_the_first_answer(market: Market) -> None:
    await market.load()
    await market.fund(market.shop, 1000)
    shop = market.actor(market.shop)
    key = RequestKey(market.shop, "anna", "k", b"1" * 32)
    order = NewNumber("+3612340000", "extension:101")
    answers = await asyncio.gather(*(market.numbers.buy(shop, order, key) for _ in range(8)))
    assert all(answer == answers[0] for answer in answers)
    # Since then its owner has changed where it goes: an answer that is given again changes nothing.
    did = market.routing.export(market.shop).dids[0]
    changed = type(did)(did.number, ["extension:102"])
    await market.routing.put_object(market.shop, KIND_OF_FIELD["dids"], did.number, changed, "test")
    assert await market.numbers.buy(shop, order, key) == answers[0]
    assert plan_words(market.call())[0].startswith("ring 102")
    assert await market.balance(market.shop) == 1000 - await first_price(market)
    other = RequestKey(market.shop, "anna", "k", b"2" * 32)
    with pytest.raises(CallctlError) as caught:
        await market.numbers.buy(shop, order, other)
    assert caught.value.code == "idempotency_conflict"


async def test_a_refused_request_may_be_sent_again(market: Market) -> None:
    await market.load()
    key = RequestKey(market.shop, "anna", "k", b"1" * 32)
    order = NewNumber("+3612340000", "extension:101")
    with pytest.raises(CallctlError):
        await market.numbers.buy(market.actor(market.shop), order, key)
    await market.fund(market.shop, 100)
    assert (await market.numbers.buy(market.actor(market.shop), order, key)).state == "assigned"


async def test_ones_own_stock_costs_nothing(market: Market) -> None:
    await market.load("+3612340000", account_id=market.reseller)
    text = b"account: {code: reseller, country: HU}\nextensions: [{number: 101}]\n"
    await market.routing.apply(market.reseller, text, "test")
    item = await market.buy(account=market.reseller)
    assert (item.monthly.amount, await market.income()) == (0, 0)
    assert await market.db.fetchval("select count(*) from ledger_transactions") == 0


async def test_the_first_number_is_the_accounts_default_until_another_is(market: Market) -> None:
    await market.load("+3612340000", "+3612340001")
    await market.fund(market.shop, 1000)
    first = await market.buy("+3612340000")
    second = await market.buy("+3612340001")
    assert (first.default, second.default) == (True, False)
    shop = market.actor(market.shop)
    changed = await market.numbers.change(shop, second.id, NumberChange(default=True))
    assert changed.default
    assert not (await market.numbers.get_number(shop, first.id)).default
    assert market.routing.table.accounts[market.shop].routing.caller_id_number == "+3612340001"
    with pytest.raises(CallctlError) as caught:
        await market.numbers.change(
            market.actor(market.bank), second.id, NumberChange(default=True)
        )
    assert caught.value.code == "not_found"
    await market.numbers.change(shop, second.id, NumberChange(default=False))
    assert market.routing.table.accounts[market.shop].routing.caller_id_number is None


async def test_a_released_number_leaves_the_routing_and_rests_before_anybody_has_it(
    market: Market,
) -> None:
    await market.load()
    await market.fund(market.shop, 100)
    item = await market.buy()
    left = await market.balance(market.shop)
    await market.numbers.release(market.actor(market.shop), item.id)
    assert market.call().route == "unknown"
    assert market.routing.table.accounts[market.shop].routing.caller_id_number is None
    assert await market.balance(market.shop) == left
    assert await market.state() == "quarantined"
    bank = market.actor(market.bank)
    assert (await market.offers.search(bank, OfferFilters())).items == []
    with pytest.raises(CallctlError):
        await market.buy(account=market.bank)
    days = await market.db.fetchval("select until - now() from stock_numbers")
    assert 29 <= days.days <= 30
    with pytest.raises(CallctlError) as caught:
        await market.numbers.release(market.actor(market.shop), item.id)
    assert caught.value.code == "not_found"
    await market.db.execute("update stock_numbers set until = now()")
    await market.fund(market.bank, 100)
    assert (await market.buy(account=market.bank)).state == "assigned"
    assert market.call().account_id == market.bank


async def test_a_number_is_given_up_once_however_often_at_once(market: Market) -> None:
    await market.load()
    await market.fund(market.shop, 200)
    item = await market.buy()
    shop, key = market.actor(market.shop), RequestKey(market.shop, "anna", "k1", b"release")
    releases = (market.numbers.release(shop, item.id, key) for _ in range(5))
    assert set(await asyncio.gather(*releases)) == {Empty()}
    await market.db.execute("update stock_numbers set until = now()")
    await market.buy()
    # An old request that comes late takes nothing away.
    await market.numbers.release(shop, item.id, key)
    assert await market.state() == "assigned"


async def test_the_default_is_set_once_and_told_as_it_was_then(market: Market) -> None:
    await market.load("+3612340000", "+3612340001")
    await market.fund(market.shop, 1000)
    first, second = await market.buy("+3612340000"), await market.buy("+3612340001")
    shop = market.actor(market.shop)
    keys = [RequestKey(market.shop, "anna", f"k{n}", b"") for n in range(3)]
    yes = NumberChange(default=True)
    unchanged = await market.numbers.change(shop, first.id, yes, keys[0])
    told = await market.numbers.change(shop, second.id, yes, keys[1])
    assert (unchanged.default, told.default) == (True, True)
    # Neither the one that changed nothing nor the one that did is done again.
    assert await market.numbers.change(shop, first.id, yes, keys[0]) == unchanged
    await market.numbers.change(shop, first.id, yes, keys[2])
    assert await market.numbers.change(shop, second.id, yes, keys[1]) == told
    assert (await market.numbers.get_number(shop, first.id)).default


async def test_releasing_is_refused_while_an_expectation_needs_the_number(market: Market) -> None:
    await market.load()
    await market.fund(market.shop, 100)
    item = await market.buy()
    document = market.routing.export(market.shop)
    group = HuntGroupDoc("night", ["102"], number="500", then=["did:+3612340000"])
    document = replace(document, hunt_groups=[*document.hunt_groups, group])
    await market.routing.apply(market.shop, document, "test")
    words = list(plan_words(market.routing.explain(market.shop, "103", "500", "2026-07-06 10:00")))
    wanted = replace(document, expectations=[ExpectationDoc("103", "500", words)])
    await market.routing.apply(market.shop, wanted, "test")
    with pytest.raises(CallctlError) as caught:
        await market.numbers.release(market.actor(market.shop), item.id)
    assert caught.value.code == "broken_expectation"
    assert await market.state() == "assigned"
    assert market.call().did == "+3612340000"
    # Who does not pay keeps no number by an expectation.
    await market.db.execute("update number_leases set unpaid_since = now(), cut_at = now()")
    assert await market.billing.cut_unpaid() == 1
    left = market.routing.export(market.shop)
    assert (left.dids, left.expectations, left.hunt_groups[1].then) == ([], [], [])
