"""The months of numbers: each charged once, and what becomes of those that are not paid."""

import asyncio
from datetime import date, timedelta

import pytest

from callctl.core.numbers.charges import month_of
from callctl.core.periods import local_day
from callctl.features.numbers import billing
from tests.numbers.conftest import GRACE_DAYS, Market

OLDER_LEASE = """
insert into number_leases (number_id, account_id, seller_id, currency, setup_price, monthly_price,
                           paid_month)
select number_id, account_id, seller_id, currency, setup_price, monthly_price, $1
from number_leases
"""


async def bought(market: Market, money: int, months_ago: int) -> int:
    """The shop has a number, is paid until so many months ago, and has this much money left."""
    await market.load()
    await market.fund(market.shop, 1000)
    item = await market.buy()
    month = month_of(local_day(await market.db.fetchval("select now()"), "Europe/Budapest"))
    for _ in range(months_ago):
        month = month_of(month - timedelta(days=1))
    await market.db.execute(
        "update number_leases set until = now(), ended_by = 'released'; delete from number_charges"
    )
    await market.db.execute(OLDER_LEASE, month)
    await market.spend(market.shop, await market.balance(market.shop) - money)
    return item.id


async def charges(market: Market) -> list[tuple[date, int]]:
    rows = await market.db.fetch("select month, amount from number_charges order by month")
    return [(row["month"], row["amount"]) for row in rows]


async def test_each_month_that_has_begun_is_charged_once(market: Market) -> None:
    await bought(market, 100, 2)
    assert await market.billing.charge_due() == 2
    assert [amount for _, amount in await charges(market)] == [31, 31]
    assert await market.balance(market.shop) == 100 - 62
    assert await market.billing.charge_due() == 0
    assert await market.balance(market.shop) == 100 - 62


async def test_several_daemons_charge_a_month_once(market: Market) -> None:
    await bought(market, 100, 1)
    done = await asyncio.gather(*(market.billing.charge_due() for _ in range(10)))
    assert sum(done) == 1
    assert await market.balance(market.shop) == 69


async def test_a_month_cut_off_half_way_leaves_nothing_and_is_charged_after(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the process is killed after the ledger's entries and before the end."""
    await bought(market, 100, 1)
    with monkeypatch.context() as patch:
        patch.setattr(billing, "LEASE_PAID", "select 1 / 0, $1::bigint, $2::date")
        with pytest.raises(Exception, match="division by zero"):
            await market.billing.charge_due()
    assert await charges(market) == []
    assert await market.balance(market.shop) == 100
    assert await market.billing.charge_due() == 1
    assert await market.balance(market.shop) == 69


async def test_an_unpaid_number_stays_for_the_grace_and_is_kept_if_paid_in_it(
    market: Market,
) -> None:
    number_id = await bought(market, 30, 1)
    assert await market.billing.charge_due() == 0
    item = await market.numbers.get_number(market.actor(market.shop), number_id)
    assert item.unpaid_since is not None
    assert item.cut_at is not None
    assert (item.cut_at - item.unpaid_since).days == GRACE_DAYS
    assert market.call().did == "+3612340000"
    assert await market.billing.cut_unpaid() == 0
    await market.billing.charge_due()
    notices = await market.db.fetch("select kind from notices where account_id = $1", market.shop)
    assert [row["kind"] for row in notices] == ["number_unpaid"]
    await market.fund(market.shop, 1)
    assert await market.billing.charge_due() == 1
    item = await market.numbers.get_number(market.actor(market.shop), number_id)
    assert (item.unpaid_since, item.cut_at) == (None, None)
    assert await market.balance(market.shop) == 0


async def test_a_number_that_stays_unpaid_goes_and_its_routing_with_it(market: Market) -> None:
    await bought(market, 0, 1)
    await market.billing.charge_due()
    await market.db.execute("update number_leases set cut_at = now() where until is null")
    assert await market.billing.cut_unpaid() == 1
    assert await market.state() == "quarantined"
    assert market.call().route == "unknown"
    assert market.routing.export(market.shop).dids == []
    ended = await market.db.fetchrow("select until, ended_by from number_leases order by id desc")
    assert ended["until"] is not None
    assert ended["ended_by"] == "unpaid"
    assert await market.billing.cut_unpaid() == 0
    assert await market.billing.charge_due() == 0
    kinds = await market.db.fetch("select kind from notices where account_id = $1", market.shop)
    assert {row["kind"] for row in kinds} == {"number_unpaid", "number_cut"}


async def test_two_who_cut_take_a_number_back_once(market: Market) -> None:
    await bought(market, 0, 1)
    await market.billing.charge_due()
    await market.db.execute("update number_leases set cut_at = now() where until is null")
    done = await asyncio.gather(market.billing.cut_unpaid(), market.billing.cut_unpaid())
    assert sorted(done) == [0, 1]
