"""Blocks of numbers loaded, searched and set aside."""

import asyncio

import pytest

from callctl.core.errors import CallctlError
from callctl.core.numbers.kinds import Capability, NumberType
from callctl.features.numbers.blocks import entries_of_csv
from callctl.features.numbers.model import (
    BlockOptions,
    NewBlock,
    NewHold,
    OfferFilters,
    PriceView,
    StockChange,
    StockFilters,
)
from tests.numbers.conftest import Market

LAPSE = "update stock_numbers set until = now() - interval '1 second'"
HEADING = "first,last,area,type,capabilities,setup,monthly,currency\n"


async def offers(market: Market, account: int, **filters: object) -> list[str]:
    page = await market.offers.search(
        market.actor(account),
        OfferFilters(**filters),  # type: ignore[arg-type]
    )
    return [item.number for item in page.items]


async def test_a_range_is_loaded_whole_and_knows_what_its_numbers_are(market: Market) -> None:
    await market.load("06 1 234 0000", "+3612340099", area="Budapest")
    page = await market.stock.list_stock(market.actor(market.operator), StockFilters(limit=60))
    assert len(page.items) == 60
    first = page.items[0]
    assert (first.number, first.country, first.area_code, first.area, first.type) == (
        "+3612340000", "HU", "1", "Budapest", NumberType.FIXED
    )  # fmt: skip
    assert (first.setup, first.monthly, first.capabilities) == (
        PriceView(10, "EUR"), PriceView(31, "EUR"), ["voice"]
    )  # fmt: skip
    rest = await market.stock.list_stock(
        market.actor(market.operator), StockFilters(limit=60, cursor=page.next)
    )
    assert len(rest.items) == 40
    assert rest.next is None


async def test_a_file_is_loaded_with_what_it_says(market: Market) -> None:
    text = "﻿first;setup;monthly;currency;capabilities;type;last\n" + (
        "+36301230000;0;5;EUR;voice|sms;mobile;\n+3680123456;1;2;EUR;;;+3680123457\n"
    )
    report = await market.stock.load_csv(
        market.actor(market.operator), text.encode(), BlockOptions()
    )
    assert report.loaded == 3
    assert await offers(market, market.shop, capability=Capability.SMS) == ["+36301230000"]
    assert await offers(market, market.shop, type=NumberType.TOLL_FREE) == [
        "+3680123456", "+3680123457"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("", [(1, "first"), (1, "setup"), (1, "monthly"), (1, "currency")]),
        ("first,setup\n", [(1, "monthly"), (1, "currency")]),
        ("first,first,setup,monthly,currency,x\n", [(1, "x"), (1, "first")]),
        (HEADING, [(1, None)]),
        (HEADING + "+3612340000,,,,,1.5,1,EUR\n", [(2, "setup")]),
        (HEADING + "+3612340000,,,,,-1,1,EUR\n", [(2, "setup")]),
        (HEADING + "+3612340000,,,,,1,9999999999999,EUR\n", [(2, "monthly")]),
        (HEADING + "+3612340000,,,,,1,1,euro\n", [(2, "currency")]),
        (HEADING + "+3612340000,,,,,1,1,XXX\n", [(2, "currency")]),
        (HEADING + "+3612340000,,,,voice|sing,1,1,EUR\n", [(2, "capabilities")]),
        (HEADING + "+3612340000,,,satellite,,1,1,EUR\n", [(2, "type")]),
        (HEADING + "123,,,,,1,1,EUR\n", [(2, "first")]),
        (HEADING + "=1+1,,,,,1,1,EUR\n", [(2, "first")]),
        (HEADING + "+3612340005,+3612340001,,,,1,1,EUR\n", [(2, "last")]),
        (HEADING + "+3612340000,+3612399999,,,,1,1,EUR\n", [(2, "last")]),
        (HEADING + "+3612340000,+36301234567,,,,1,1,EUR\n", [(2, "last")]),
        (HEADING + "+3612340000,,,,,1,1,EUR,x\n", [(2, None)]),
        (HEADING + '"+3612340000,,,,,1,1,EUR\n', [(2, None)]),
        (
            HEADING + "+3612340000,,,,,1,1,EUR\nx,,,,,1,1,EUR\n+3612340000,,,,,1,1,EUR\n",
            [(3, "first"), (4, "first")],
        ),
        (HEADING + "+3612340000,,a\0b,,,1,1,EUR\n", [(2, None)]),
    ],
)
def test_every_wrong_line_is_named(text: str, places: list[tuple[int, str | None]]) -> None:
    with pytest.raises(CallctlError) as caught:
        entries_of_csv(text.encode(), "HU")
    assert caught.value.code == "invalid_import"
    assert [(error.line, error.column) for error in caught.value.detail] == places


async def test_of_a_file_with_a_wrong_line_nothing_is_loaded(market: Market) -> None:
    text = HEADING + "+3612340000,,,,,1,1,EUR\nx,,,,,1,1,EUR\n"
    with pytest.raises(CallctlError, match="line 3"):
        await market.stock.load_csv(market.actor(market.operator), text.encode(), BlockOptions())
    assert await market.db.fetchval("select count(*) from stock_numbers") == 0


async def test_a_number_is_in_one_stock_and_one_routing_only(market: Market) -> None:
    await market.load("+3612340000")
    with pytest.raises(CallctlError, match="in a stock already"):
        await market.load("+3612340000", "+3612340009")
    document = market.routing.export(market.bank)
    text = b"account: {code: bank, country: HU}\nextensions: [{number: 101}]\n"
    await market.routing.apply(
        market.bank, text + b"dids: [{number: +3612350000, to: [extension:101]}]", "test"
    )
    with pytest.raises(CallctlError, match="in an account's routing already"):
        await market.load("+3612350000")
    assert await market.db.fetchval("select count(*) from stock_numbers") == 1
    assert document.dids == []


async def test_a_number_for_sale_cannot_be_routed_without_buying_it(market: Market) -> None:
    await market.load("+3612340000")
    text = b"account: {code: bank, country: HU}\nextensions: [{number: 101}]\n"
    with pytest.raises(CallctlError, match="must be bought first") as caught:
        await market.routing.apply(
            market.bank, text + b"dids: [{number: +3612340000, to: [extension:101]}]", "test"
        )
    assert caught.value.code == "invalid_routing"


async def test_whose_stock_it_is_is_ones_own_or_a_resellers_below(market: Market) -> None:
    await market.load("+3612340000", account_id=market.reseller)
    for seller, code in ((market.shop, "invalid_field"), (999_999, "not_found")):
        with pytest.raises(CallctlError) as caught:
            await market.load("+3612340001", account_id=seller)
        assert caught.value.code == code
    with pytest.raises(CallctlError):
        await market.stock.load_block(
            market.actor(market.reseller),
            NewBlock(
                "+3612340001", PriceView(1, "EUR"), PriceView(1, "EUR"), account_id=market.operator
            ),
        )
    # The operator's customers do not buy of the reseller.
    assert await offers(market, market.shop) == []
    assert await offers(market, market.reseller) == ["+3612340000"]


async def test_what_is_for_sale_is_found_by_country_area_and_pattern(market: Market) -> None:
    await market.load("+3612340000", "+3612340009", area="Budapest")
    await market.load("+3652340007", area="Debrecen")
    await market.load("+442071838750", area="London")
    assert await offers(market, market.shop, country="GB") == ["+442071838750"]
    assert await offers(market, market.shop, area="52") == ["+3652340007"]
    assert await offers(market, market.shop, area="debre") == ["+3652340007"]
    assert await offers(market, market.shop, area="%") == []
    assert await offers(market, market.shop, pattern="*7") == ["+3612340007", "+3652340007"]
    assert await offers(market, market.shop, pattern="+361234000?", limit=2) == [
        "+3612340000", "+3612340001"
    ]  # fmt: skip
    with pytest.raises(CallctlError) as caught:
        await offers(market, market.shop, pattern="a")
    assert (caught.value.code, caught.value.field) == ("invalid_field", "query.pattern")


async def test_an_offer_says_what_buying_today_will_cost(market: Market) -> None:
    await market.load("+3612340000")
    own = await market.offers.search(market.actor(market.operator), OfferFilters())
    assert (own.items[0].first.amount, own.items[0].own) == (0, True)
    offer = (await market.offers.search(market.actor(market.shop), OfferFilters())).items[0]
    assert (offer.setup.amount, offer.monthly.amount, offer.own) == (10, 31, False)
    await market.fund(market.shop, 100)
    await market.buy()
    assert await market.balance(market.shop) == 100 - offer.first.amount


async def test_a_hold_is_one_accounts_and_ends_by_itself(market: Market) -> None:
    await market.load("+3612340000")
    shop, bank = market.actor(market.shop), market.actor(market.bank)
    hold = await market.offers.hold(shop, NewHold("+3612340000", minutes=10))
    assert await offers(market, market.bank) == []
    with pytest.raises(CallctlError) as caught:
        await market.offers.hold(bank, NewHold("+3612340000"))
    assert caught.value.code == "conflict"
    with pytest.raises(CallctlError):
        await market.buy(account=market.bank)
    assert [h.id for h in (await market.offers.list_holds(shop)).items] == [hold.id]
    assert (await market.offers.list_holds(bank)).items == []
    await market.db.execute(LAPSE)
    assert await offers(market, market.bank) == ["+3612340000"]
    assert (await market.offers.list_holds(shop)).items == []
    await market.offers.hold(bank, NewHold("+3612340000"))
    with pytest.raises(CallctlError) as caught:
        await market.offers.drop(shop, hold.id)
    assert caught.value.code == "not_found"
    await market.offers.drop(bank, hold.id)
    assert await market.state() == "available"


async def test_nobody_holds_a_whole_stock(market: Market) -> None:
    await market.load("+3612340000", "+3612340019")
    shop = market.actor(market.shop)
    done = await asyncio.gather(
        *(market.offers.hold(shop, NewHold(f"+36123400{n:02}")) for n in range(20)),
        return_exceptions=True,
    )
    assert sum(not isinstance(result, BaseException) for result in done) == 10


async def test_prices_change_for_the_next_buyer_and_withdrawn_numbers_are_not_sold(
    market: Market,
) -> None:
    await market.load("+3612340000")
    seller = market.actor(market.operator)
    (item,) = (await market.stock.list_stock(seller, StockFilters())).items
    changed = await market.stock.change(
        seller, item.id, StockChange(monthly=PriceView(62, "EUR"), for_sale=False)
    )
    assert (changed.monthly.amount, changed.setup.amount, changed.state) == (62, 10, "withdrawn")
    assert await offers(market, market.shop) == []
    with pytest.raises(CallctlError):
        await market.buy()
    with pytest.raises(CallctlError) as caught:
        await market.stock.change(market.actor(market.shop), item.id, StockChange())
    assert caught.value.code == "not_found"
    with pytest.raises(CallctlError) as caught:
        await market.stock.change(seller, item.id, StockChange(setup=PriceView(1, "HUF")))
    assert caught.value.code == "invalid_field"
    await market.stock.change(seller, item.id, StockChange(for_sale=True))
    assert await offers(market, market.shop) == ["+3612340000"]
