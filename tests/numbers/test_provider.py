"""Numbers of a provider that is asked over HTTP: searched, reserved, ordered, given back."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from callctl.core.errors import CallctlError
from callctl.db.embedded import EmbeddedPostgres
from callctl.db.pool import Database
from callctl.features.numbers.http_provider import HttpProvider
from callctl.features.numbers.model import NewHold, OfferFilters
from callctl.features.numbers.providers import ProviderRefused, ProviderUnclear, Wish
from tests.conftest import fresh_database
from tests.numbers.conftest import Market, open_market
from tests.numbers.wholesaler import TOKEN, Wholesaler, open_wholesaler

NUMBER = "+3662340000"
ALL = Wish(None, None, None, None, None, 50)


@dataclass
class Trade:
    market: Market
    wholesaler: Wholesaler
    provider: HttpProvider

    async def hold(self, account: int | None = None) -> None:
        actor = self.market.actor(account or self.market.shop)
        await self.market.offers.hold(actor, NewHold(NUMBER, provider="http"))


@pytest.fixture
async def trade(postgres: EmbeddedPostgres, template_database: str) -> AsyncIterator[Trade]:
    async with fresh_database(postgres, template_database) as url, open_wholesaler() as wholesaler:
        db = await Database.connect(url)
        async with HttpProvider(
            wholesaler.url, TOKEN, timeout_seconds=2.0, waits=(0.0, 0.0)
        ) as provider:
            market = await open_market(db, providers={"http": provider})
            await market.fund(market.shop, 1000)
            wholesaler.offer(NUMBER)
            yield Trade(market, wholesaler, provider)
        await db.close()


async def test_what_the_provider_has_is_shown_with_its_price(trade: Trade) -> None:
    trade.wholesaler.offer("+361", area="no number at all")
    shop = trade.market.actor(trade.market.shop)
    with pytest.raises(CallctlError) as caught:
        await trade.market.offers.search(shop, OfferFilters(provider="http"))
    assert caught.value.code == "provider_unavailable"
    del trade.wholesaler.numbers["+361"]
    trade.wholesaler.offer("+999123456", area="in no country's service")
    page = await trade.market.offers.search(shop, OfferFilters(provider="http"))
    (offer,) = page.items
    assert (offer.number, offer.provider, offer.area_code, offer.monthly.amount) == (
        NUMBER, "http", "62", 310
    )  # fmt: skip
    abroad = OfferFilters(provider="http", country="GB")
    assert (await trade.market.offers.search(shop, abroad)).items == []
    with pytest.raises(CallctlError) as caught:
        await trade.market.offers.search(shop, OfferFilters(provider="other"))
    assert (caught.value.code, caught.value.field) == ("invalid_field", "query.provider")


async def test_a_number_is_held_bought_ordered_and_given_back(trade: Trade) -> None:
    market = trade.market
    await trade.hold()
    item = await market.buy(NUMBER)
    assert item.state == "ordering"
    assert market.call(NUMBER).did == NUMBER
    await market.ordering.order_all()
    assert await market.state(NUMBER) == "assigned"
    assert trade.wholesaler.sold == {NUMBER: "ref-1"}
    await market.ordering.order_all()
    await market.numbers.release(market.actor(market.shop), item.id)
    assert await market.state(NUMBER) == "returning"
    await market.ordering.order_all()
    assert await market.state(NUMBER) == "withdrawn"
    assert trade.wholesaler.sold == {}
    # It may come back another day, to another account.
    await market.fund(market.bank, 1000)
    await trade.hold(market.bank)
    await market.buy(NUMBER, account=market.bank)
    await market.ordering.order_all()
    assert await market.state(NUMBER) == "assigned"


async def test_a_lost_answer_orders_nothing_twice(trade: Trade) -> None:
    await trade.hold()
    await trade.market.buy(NUMBER)
    trade.wholesaler.fails = ["cut", 503, "nonsense", "cut"]
    await trade.market.ordering.order_all()
    assert await trade.market.state(NUMBER) == "ordering"
    await trade.market.ordering.order_all()
    assert await trade.market.state(NUMBER) == "assigned"
    assert trade.wholesaler.sold == {NUMBER: "ref-1"}
    keys = {key for method, path, key in trade.wholesaler.asked if path.endswith("/orders")}
    assert len(keys) == 1


async def test_a_refused_order_is_paid_back_and_leaves_the_routing(trade: Trade) -> None:
    market = trade.market
    await trade.hold()
    await market.buy(NUMBER)
    assert await market.balance(market.shop) < 1000
    trade.wholesaler.sold[NUMBER] = "somebody-elses"
    await market.ordering.order_all()
    assert await market.state(NUMBER) == "withdrawn"
    assert await market.balance(market.shop) == 1000
    assert await market.income() == 0
    assert market.call(NUMBER).route == "unknown"
    assert market.routing.export(market.shop).account.caller_id_number is None
    ended = await market.db.fetchval("select ended_by from number_leases")
    assert ended == "refused"
    kinds = await market.db.fetch("select kind from notices where account_id = $1", market.shop)
    assert [row["kind"] for row in kinds] == ["number_refused"]
    await market.ordering.order_all()
    assert await market.balance(market.shop) == 1000


async def test_what_the_provider_will_not_reserve_is_not_for_sale(trade: Trade) -> None:
    trade.wholesaler.sold[NUMBER] = "somebody-elses"
    with pytest.raises(CallctlError) as caught:
        await trade.hold()
    assert caught.value.code == "not_found"
    assert "sold" in caught.value.message
    trade.wholesaler.fails = ["hang", 500, 429]
    with pytest.raises(CallctlError) as caught:
        await trade.hold()
    assert caught.value.code == "provider_unavailable"
    assert await trade.market.db.fetchval("select count(*) from stock_numbers") == 0


async def test_a_number_somebody_holds_is_not_held_by_another(trade: Trade) -> None:
    await trade.hold()
    with pytest.raises(CallctlError) as caught:
        await trade.hold(trade.market.bank)
    assert caught.value.code == "conflict"


async def test_a_hold_that_lapses_gives_the_number_back_to_its_provider(trade: Trade) -> None:
    await trade.hold()
    await trade.market.db.execute("update stock_numbers set until = now()")
    shop = trade.market.actor(trade.market.shop)
    assert (await trade.market.offers.search(shop, OfferFilters())).items == []
    with pytest.raises(CallctlError):
        await trade.market.buy(NUMBER)


@pytest.mark.parametrize("fault", [401, 403, 302, 500, "nonsense"])
async def test_an_answer_that_is_none_is_no_refusal(trade: Trade, fault: int | str) -> None:
    trade.wholesaler.fails = [fault] * 3
    with pytest.raises(ProviderUnclear):
        await trade.provider.buy(NUMBER, "key")
    assert len(trade.wholesaler.asked) == 3


async def test_a_refusal_is_final_and_a_return_of_what_is_gone_is_done(trade: Trade) -> None:
    trade.wholesaler.fails = [410]
    with pytest.raises(ProviderRefused, match="not today"):
        await trade.provider.buy(NUMBER, "key")
    assert len(trade.wholesaler.asked) == 1
    await trade.provider.release(NUMBER, "../../gone?x", "key")
    assert trade.wholesaler.asked[-1][1] == "/v1/orders/../../gone?x"
    assert [offer.number for offer in await trade.provider.search(ALL)] == [NUMBER]
