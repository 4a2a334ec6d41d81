"""What calls cost is charged once each, at every level, whatever happens to the record."""

import random

import pytest

from callctl.asterisk.journal import split_rows
from callctl.core.routing.model import build_table
from callctl.features.calls.rollups import find_differences, rebuild
from tests.history.conftest import fixture_rows

from .conftest import World


async def with_tariffs(world: World) -> None:
    """A minute costs the enterprise 600 fillér, the reseller 300, the operator 120."""
    retail = await world.tariff(world.reseller, "Retail", "44,6")
    wholesale = await world.tariff(world.operator, "Wholesale", "44,3")
    carrier = await world.tariff(world.operator, "Carrier", "44,1.2")
    await world.assign(world.reseller, world.enterprise, retail)
    await world.assign(world.operator, world.reseller, wholesale)
    for trunk in ("trunk", "trunk2"):
        await world.assign(world.operator, world.enterprise, carrier, trunk)


def routed(name: str, plan: bytes) -> bytes:
    """The journal of `tests/calls`, with what the plan said of the call."""
    rows = fixture_rows(name)
    start = split_rows(rows)[0]
    row = start.replace(b'"CHAN_START"', b'"CALLCTL_ROUTE"').rsplit(b',"', 1)[0]
    return start + row + b',"{""extra"":""' + plan + b'""}"\n' + rows[len(start) :]


CAME_IN = b"direction=inbound;did=+36801234567"


async def seconds_of(world: World) -> list[int]:
    rows = await world.db.fetch(
        "select talk_seconds from call_costs where side = 'carrier' order by call, leg"
    )
    return [row[0] for row in rows]


async def test_every_level_pays_its_seller_once(world: World) -> None:
    await with_tariffs(world)
    await world.read("outbound")
    [seconds] = await seconds_of(world)
    [call] = await world.calls()
    assert (call["cost"], call["currency"], call["cost_reason"]) == (10 * seconds, "HUF", None)
    assert await world.balances() == {
        "enterprise.wallet": -10 * seconds,
        "reseller.income": 10 * seconds,
        "reseller.wallet": -5 * seconds,
        "operator.income": 5 * seconds,
    }
    carrier = await world.db.fetchrow("select * from call_costs where side = 'carrier'")
    assert (carrier["payer_id"], carrier["amount"]) == (world.operator.account_id, 2 * seconds)
    assert carrier["transaction_id"] is None


async def test_read_again_nothing_is_charged_again(world: World) -> None:
    await with_tariffs(world)
    await world.read("outbound", "outbound_second_trunk")
    before = await world.balances()
    await world.read("outbound", "outbound_second_trunk", "internal")
    assert await world.balances() == before
    assert len(await world.calls()) == 3


async def test_without_a_tariff_a_call_has_no_cost_and_nobody_pays(world: World) -> None:
    await world.read("outbound")
    [call] = await world.calls()
    assert (call["cost"], call["currency"], call["cost_reason"]) == (None, None, None)
    assert await world.balances() == {}


async def test_internal_inbound_and_unanswered_calls_cost_nothing(world: World) -> None:
    await with_tariffs(world)
    await world.read("internal", "answered", "outbound_busy", "outbound_cancelled", "missed_by_all")
    assert {(c["cost"], c["cost_reason"]) for c in await world.calls()} == {(None, None)}
    assert await world.balances() == {}


async def test_an_inbound_call_sent_on_to_the_outside_costs_that_part(world: World) -> None:
    await with_tariffs(world)
    await world.read("blind_transfer_to_outside")
    [call] = await world.calls()
    [row] = await world.db.fetch("select * from call_costs where side = 'price' and amount > 5")
    assert call["cost"] == 10 * row["talk_seconds"] > 0
    assert (row["number"], row["payer_id"]) == ("+447700900202", world.enterprise.account_id)


async def with_incoming(world: World) -> None:
    """As `with_tariffs`; a minute on a toll-free number costs 900, 600 and 60 fillér."""
    rows = "44,6", "in:3680,9", "in:36801234,9,60"
    retail = await world.tariff(world.reseller, "Retail", *rows)
    wholesale = await world.tariff(world.operator, "Wholesale", "44,3", "in:36,6")
    carrier = await world.tariff(world.operator, "Carrier", "44,1.2", "in:,0.6")
    await world.assign(world.reseller, world.enterprise, retail)
    await world.assign(world.operator, world.reseller, wholesale)
    await world.assign(world.operator, world.enterprise, carrier, "trunk")


async def test_a_call_that_comes_in_is_paid_by_whoever_has_the_number(world: World) -> None:
    await with_incoming(world)
    world.write(routed("answered", CAME_IN))
    await world.read()
    [seconds] = await seconds_of(world)
    assert 0 < seconds <= 60
    [call] = await world.calls()
    assert (call["cost"], call["currency"], call["cost_reason"]) == (900, "HUF", None)
    assert await world.balances() == {
        "enterprise.wallet": -900,
        "reseller.income": 900,
        "reseller.wallet": -10 * seconds,
        "operator.income": 10 * seconds,
    }
    rows = await world.db.fetch("select side, number, prefix, amount from call_costs order by id")
    assert {row["number"] for row in rows} == {"+36801234567"}
    assert [row["prefix"] for row in rows] == ["in:36801234", "in:36", "in:"]
    assert rows[2]["amount"] == seconds
    before = await world.balances()
    await world.read()
    assert await world.balances() == before


async def test_it_is_free_where_no_rate_says_otherwise(world: World) -> None:
    """Also where the caller's own number, or that of a call to the outside, has one."""
    retail = await world.tariff(world.reseller, "Retail", "44,6", "36,6", ",6", "in:3670,6")
    await world.assign(world.reseller, world.enterprise, retail)
    world.write(routed("answered", CAME_IN) + routed("missed_by_all", CAME_IN))
    await world.read()
    assert {(c["cost"], c["cost_reason"]) for c in await world.calls()} == {(None, None)}
    assert await world.balances() == {}


async def test_sent_on_to_the_outside_it_costs_both_ways(world: World) -> None:
    await with_incoming(world)
    world.write(routed("blind_transfer_to_outside", CAME_IN))
    await world.read()
    rows = await world.db.fetch(
        "select number, amount from call_costs where payer_id = $1 and amount > 5 order by leg",
        world.enterprise.account_id,
    )
    assert [row["number"] for row in rows] == ["+36801234567", "+447700900202"]
    [call] = await world.calls()
    assert call["cost"] == sum(row["amount"] for row in rows)
    assert (await world.balances())["enterprise.wallet"] == -call["cost"]


async def test_a_number_without_a_rate_has_no_cost_but_a_reason(world: World) -> None:
    retail = await world.tariff(world.reseller, "Retail", "36,6")
    wholesale = await world.tariff(world.operator, "Wholesale", "44,3")
    await world.assign(world.reseller, world.enterprise, retail)
    await world.assign(world.operator, world.reseller, wholesale)
    await world.read("outbound")
    [call] = await world.calls()
    assert (call["cost"], call["currency"], call["cost_reason"]) == (None, "HUF", "no_rate")
    # Above, where there is a rate, it is paid.
    assert set(await world.balances()) == {"reseller.wallet", "operator.income"}


async def test_emergency_calls_are_free_whatever_a_tariff_says(world: World) -> None:
    await with_tariffs(world)
    world.write(routed("outbound", b"direction=outbound;route=emergency%3A112"))
    await world.read()
    [call] = await world.calls()
    assert (call["cost"], call["currency"], call["cost_reason"]) == (0, "HUF", "emergency")
    assert await world.balances() == {}


async def test_a_repaired_record_takes_back_what_was_wrong_and_charges_anew(world: World) -> None:
    await with_tariffs(world)
    rows = split_rows(fixture_rows("outbound"))
    answer = next(r for r in rows if b'"ANSWER"' in r and b"trunk-" in r.split(b'","')[8])
    world.write(b"".join(r for r in rows if r is not answer))
    await world.read()
    assert await world.balances() == {}
    world.write(answer)
    await world.read()
    [seconds] = await seconds_of(world)
    assert (await world.balances())["enterprise.wallet"] == -10 * seconds


async def test_a_record_that_loses_its_price_gives_the_money_back(world: World) -> None:
    await with_tariffs(world)
    rows = split_rows(fixture_rows("outbound"))
    end = next(r for r in rows if b'"CHAN_END"' in r and b"trunk-" in r.split(b'","')[8])
    world.write(b"".join(r for r in rows if r is not end))
    await world.read()
    # The trunk's channel is open: nothing is over yet. Asterisk has it no more.
    world.write(end)
    await world.read()
    charged = await world.balances()
    assert charged["enterprise.wallet"] < 0
    world.table = build_table(())
    hangup = next(r for r in rows if b'"HANGUP"' in r)
    world.write(hangup.replace(b'"HANGUP"', b'"ANSWER"', 1))
    await world.read()
    [call] = await world.calls()
    assert await world.balances() == {}
    assert (call["cost"], call["cost_reason"]) == (None, None)
    kinds = await world.db.fetch(
        "select kind, count(*) from ledger_transactions group by 1 order by 1"
    )
    assert [tuple(row) for row in kinds] == [("call", 2), ("correction", 2)]


async def test_sums_hold_the_cost_and_equal_a_recount(world: World) -> None:
    await with_tariffs(world)
    await world.read("outbound", "outbound_second_trunk", "internal", "blind_transfer_to_outside")
    total = await world.db.fetchval("select sum(cost)::bigint from calls")
    assert total > 0
    for table in ("rollup_quarters", "rollup_days"):
        assert await world.db.fetchval(f"select sum(cost)::bigint from {table}") == total
    assert await find_differences(world.db) == []
    await world.db.execute("update rollup_days set cost = cost + 1 where cost > 0")
    assert await find_differences(world.db) != []
    await rebuild(world.db)
    assert await find_differences(world.db) == []


async def test_a_new_version_prices_calls_from_then_on(world: World) -> None:
    retail = await world.tariff(world.reseller, "Retail", "44,6")
    await world.assign(world.reseller, world.enterprise, retail)
    await world.next_version(world.reseller, retail, "44,12")
    await world.read("outbound")
    [call] = await world.calls()
    price = await world.db.fetchrow("select * from call_costs where side = 'price'")
    assert call["cost"] == 20 * price["talk_seconds"]


async def test_an_account_with_another_currency_since_is_not_charged(world: World) -> None:
    await with_tariffs(world)
    await world.db.execute("update accounts set currency = 'EUR' where code = 'enterprise'")
    await world.read("outbound")
    [call] = await world.calls()
    assert (call["cost"], call["cost_reason"]) == (None, "other_currency")
    assert set(await world.balances()) == {"reseller.wallet", "operator.income"}


@pytest.mark.parametrize("calls", [1, 4])
async def test_a_batch_takes_the_same_number_of_statements_whatever_its_size(
    world: World, calls: int, request: pytest.FixtureRequest
) -> None:
    await with_tariffs(world)
    counted: list[str] = []
    inner = world.steps[0]

    async def counting(connection, records):  # type: ignore[no-untyped-def]
        with connection.query_logger(lambda q: counted.append(q.query)):
            await inner(connection, records)

    world.steps = [counting]
    world.write(b"".join(fixture_rows(n) for n in ("outbound", "outbound_second_trunk",
                "attended_transfer_of_outbound", "blind_transfer_to_outside")[:calls]))  # fmt: skip
    await world.read()
    assert len([c for c in await world.calls() if c["cost"]]) == calls
    assert 0 < len(counted) <= 16, counted


@pytest.mark.parametrize("seed", range(3))
async def test_in_whatever_order_rows_come_what_is_charged_is_what_is_written(
    world: World, seed: int
) -> None:
    """Late rows rebuild records, merge some, and make some dearer, cheaper or free."""
    await with_tariffs(world)
    chance = random.Random(seed)
    names = ("outbound", "attended_transfer_of_outbound", "blind_transfer_to_outside")
    rows = split_rows(b"".join(fixture_rows(name) for name in names))
    late = set(chance.sample(range(len(rows)), 12))
    world.write(b"".join(row for n, row in enumerate(rows) if n not in late))
    await world.read()
    for n in chance.sample(sorted(late), len(late)):
        world.write(rows[n])
        if chance.random() < 0.4:
            await world.read()
    await world.read()
    sums = await world.db.fetch(
        "select a.code || '.wallet' as book, -sum(k.amount)::bigint as amount from call_costs k"
        " join accounts a on a.id = k.payer_id where k.side = 'price' group by 1"
    )
    balances = await world.balances()
    assert {row["book"]: row["amount"] for row in sums} == {
        book: balance for book, balance in balances.items() if book.endswith(".wallet")
    }
    assert sum(balances.values()) == 0
    own = await world.db.fetch(
        "select c.cost, (select sum(k.amount)::bigint from call_costs k where k.call = c.id"
        " and k.side = 'price' and k.payer_id = c.account_id) as paid from calls c"
    )
    assert all(row["cost"] == row["paid"] for row in own)
    assert await find_differences(world.db) == []
