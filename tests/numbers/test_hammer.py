"""Many at once, and the end in the middle: whatever happens, money and numbers add up."""

import asyncio
import random
import signal
import sys

import pytest

from callctl.core.errors import CallctlError
from callctl.core.numbers.states import OWNED_STATES
from callctl.features.numbers.buying import NumberService
from callctl.features.numbers.model import NewHold, NewNumber, NumberFilters
from callctl.features.routing.numbers import RoutingNumbers
from tests.numbers.conftest import Market
from tests.numbers.test_months import bought

NUMBERS = [f"+361234000{n}" for n in range(4)]
WORKERS, ROUNDS, MONEY = 50, 3, 150
REFUSALS = {"conflict", "insufficient_funds", "not_found"}


async def act(market: Market, numbers: NumberService, chance: random.Random) -> None:
    account = chance.choice([market.shop, market.bank])
    actor, number = market.actor(account), chance.choice(NUMBERS)
    match chance.choice(["hold", "drop", "drop", "buy", "buy", "release", "release"]):
        case "hold":
            await market.offers.hold(actor, NewHold(number, minutes=1))
        case "drop":
            for hold in (await market.offers.list_holds(actor)).items:
                await market.offers.drop(actor, hold.id)
        case "buy":
            await numbers.buy(actor, NewNumber(number, "extension:101"), None)
        case "release":
            for own in (await numbers.list_numbers(actor, NumberFilters())).items:
                await numbers.release(actor, own.id)


async def check_sums(market: Market, funded: int) -> None:
    """What must hold whatever has happened."""
    fetchval = market.db.fetchval
    assert await fetchval("select sum(balance) from books") == 0
    wallets = await market.balance(market.shop) + await market.balance(market.bank)
    assert wallets + await market.income() == funded
    assert await fetchval("select min(balance) from books where kind = 'wallet'") >= 0
    paid = await fetchval(
        "select coalesce(sum(c.amount + case when l.setup_transaction_id is null then 0"
        " else l.setup_price end), 0) from number_leases l join number_charges c"
        " on c.lease_id = l.id"
    )
    assert paid == await market.income()
    bought = "select count(*) from audit where action = 'number.bought'"
    assert await fetchval("select count(*) from number_leases") == await fetchval(bought)
    rows = await market.db.fetch(
        "select s.number, s.state, s.account_id, l.account_id as lessee from stock_numbers s"
        " left join number_leases l on l.number_id = s.id and l.until is null"
    )
    for row in rows:
        owned = row["state"] in OWNED_STATES
        assert owned == (row["lessee"] is not None), row
        assert not owned or row["account_id"] == row["lessee"], row
    owners = {row["number"]: row["lessee"] for row in rows if row["lessee"] is not None}
    await market.routing.load()
    assert dict(market.routing.table.did_accounts) == owners


async def test_fifty_who_hold_buy_and_release_leave_sums_that_are_right(market: Market) -> None:
    await market.load(NUMBERS[0], NUMBERS[-1])
    for account in (market.shop, market.bank):
        await market.fund(account, MONEY)
    # Without a quarantine what is released is bought again.
    numbers = NumberService(market.db, RoutingNumbers(market.routing), quarantine_days=0)

    async def work(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(ROUNDS):
            try:
                await act(market, numbers, chance)
            except CallctlError as error:
                if error.code not in REFUSALS:
                    raise

    await asyncio.gather(*(work(seed) for seed in range(WORKERS)))
    sold = await market.db.fetchval("select count(*) from number_leases")
    assert sold > 0
    await check_sums(market, 2 * MONEY)


async def kill(market: Market, what: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.numbers.killed", market.url, str(market.shop), what
    )  # fmt: skip
    assert await process.wait() == -signal.SIGKILL


@pytest.mark.parametrize("what", ["paid", "routed"])
async def test_a_sale_killed_in_the_middle_has_not_happened(market: Market, what: str) -> None:
    await market.load(NUMBERS[0])
    await market.fund(market.shop, MONEY)
    await kill(market, what)
    await check_sums(market, MONEY)
    assert await market.balance(market.shop) == MONEY
    assert await market.state() == "available"
    assert market.call().route == "unknown"
    await market.buy()
    assert market.call().account_id == market.shop
    await check_sums(market, MONEY)


async def test_a_month_killed_in_the_middle_is_charged_once_after(market: Market) -> None:
    await bought(market, MONEY, 1)
    await kill(market, "month")
    assert await market.balance(market.shop) == MONEY
    assert await market.billing.charge_due() == 1
    assert await market.billing.charge_due() == 0
    assert await market.balance(market.shop) == MONEY - 31
