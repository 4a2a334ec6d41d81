"""Budgets are limits like any other, counted in money: warned of, held for a person, blocked."""

import pytest

from callctl.core.scope import CallScope
from callctl.features.calls.store import StoredCall, insert_calls
from callctl.features.limits.model import Approve, HoldFilters
from callctl.numbers import normalise
from tests.limits.records import record
from tests.spend.conftest import HOME, ROUTING, World

BUDGETS = (
    ROUTING
    + """
limits:
  extension: {cost_per_day: {warn: 50, hold: 100, block: 300}}
  account: {cost_per_month: {block: 1000}}
  country: {cost_per_day: {block: 40}}
"""
)
ABROAD = "00442071838750"


@pytest.fixture
async def office(world: World) -> World:
    await world.routing.apply(world.account, BUDGETS, "tester")
    await world.give(100_000)
    await world.spend.refresh()
    return world


def codes(world: World, to: str = HOME, extension: str = "101") -> list[str]:
    return [r.code for r in world.decide(extension, to).trace]


def e164(dialled: str) -> str:
    number = normalise(dialled, "HU")
    assert number is not None
    return number


async def call(world: World, cost: int, to: str = HOME, extension: str = "101") -> int:
    """A call that is made, talked and charged; how long it might have lasted."""
    world.calls += 1
    uniqueid = f"1.{world.calls}"
    seconds = world.talk(to, uniqueid, extension)
    if seconds:
        done = record(uniqueid, world.now, talk=float(cost), extension=extension, to=to)
        await world.over(done, cost)
        async with world.db.transaction() as connection:
            stored = StoredCall(done, world.account, extension, e164(to), None, b"")
            (id_,) = await insert_calls(connection, [stored])
            await connection.execute("update calls set cost = $2 where id = $1", id_, cost)
            await world.limits.read_costs(connection, [stored.as_stored(id_, new=True)])
        world.limits.calls_stored([(done, world.account, e164(to))])
        await world.spend.refresh()
    return seconds


async def test_a_budget_bounds_the_talk_and_calls_at_once_share_it(office: World) -> None:
    assert [office.talk() for _ in range(2)] == [99, 0]
    assert codes(office)[-1] == "held_cost_per_day"
    assert office.talk(extension="102") == 99


async def test_over_a_budget_a_person_is_asked_and_an_approval_goes_up_to_the_block(
    office: World,
) -> None:
    assert await call(office, 60) == 99
    assert await call(office, 30) == 39
    assert await call(office, 1) == 0
    await office.limits.flush()
    (hold,) = (await office.limits.list_holds(CallScope(office.account), HoldFilters())).items
    assert hold.reason == (
        "held until someone approves it: extension 101: a budget of 100 a day is used up"
    )
    body = Approve(any_destination=True)
    await office.limits.approve(CallScope(office.account), hold.id, body, "Anna")
    assert await call(office, 200) == 209


async def test_the_day_ends_at_the_account_s_midnight_and_the_month_goes_on(office: World) -> None:
    office.now = office.now.replace(hour=22, minute=59)  # 23:59 in Budapest
    assert await call(office, 95) == 99
    assert office.talk() == 0
    office.later(minutes=2)
    assert await call(office, 95) == 99
    usage = office.limits.status(CallScope(office.account)).usage
    assert {(u.limit, u.name): u.used for u in usage} == {
        ("extension.cost_per_day", "101"): 95,
        ("account.cost_per_month", ""): 190,
    }


async def test_a_country_has_a_budget_of_its_own(office: World) -> None:
    assert await call(office, 30, ABROAD) == 19
    assert await call(office, 1, ABROAD, "102") == 0
    assert codes(office, ABROAD, "102")[-1] == "blocked_cost_per_day"
    assert await call(office, 1) == 69


async def test_what_costs_nothing_and_emergencies_need_no_budget(office: World) -> None:
    assert await call(office, 100) == 99
    assert codes(office)[-1] == "held_cost_per_day"
    plan = office.decide("101", "112")
    assert (plan.route, plan.max_seconds) == ("emergency:112", None)
    assert codes(office, "102") == ["extension"]


async def test_a_call_that_nobody_took_gives_its_budget_back(office: World) -> None:
    office.talk(uniqueid="1.1")
    assert office.talk() == 0
    missed = record("1.1", office.now, talk=None)
    office.limits.calls_stored([(missed, office.account, None)])
    assert office.talk() == 99


async def test_a_restart_knows_what_the_month_has_cost(office: World) -> None:
    office.now = office.now.replace(day=3)
    await call(office, 90)
    office.later(days=10)
    await call(office, 30, ABROAD)
    before = office.limits.status(CallScope(office.account)).usage
    await office.start()
    await office.limits.restore()
    after = office.limits.status(CallScope(office.account)).usage
    costs = {(u.limit, u.name): u.used for u in after if "cost" in u.limit}
    assert costs == {
        ("extension.cost_per_day", "101"): 30,
        ("account.cost_per_month", ""): 120,
        ("country.cost_per_day", "GB"): 30,
    }
    assert costs == {(u.limit, u.name): u.used for u in before if "cost" in u.limit}
