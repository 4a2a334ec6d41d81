"""What follows calls while they go on knows their price; events of stored calls tell their cost."""

import asyncio
import io
import time
from datetime import UTC, datetime
from functools import partial
from typing import Any

from callctl.asterisk.journal import RawRow, parse_row, split_rows
from callctl.core.calls.events import CelEvent
from callctl.core.money.call_costs import NO_COST
from callctl.core.money.rating import cost_of
from callctl.core.routing.model import (
    AccountRouting,
    DialPattern,
    OutboundRoute,
    TrunkOrder,
)
from callctl.core.scope import CallScope
from callctl.features.events.live import LiveDesk
from callctl.features.events.steps import tell_stored_calls
from callctl.features.rates.charging import CallCharging
from callctl.features.rates.memory import trunk_orders, watch_tariffs
from callctl.features.rates.model import ApplyImport, ImportOptions
from callctl.features.rates.running import RunningCosts
from tests.events.conftest import rows_now
from tests.history.conftest import eventually, fixture_rows

from .conftest import World
from .test_charging import seconds_of, with_incoming, with_tariffs

NUMBER = "+447700900101"


def answered_us() -> int:
    return time.time_ns() // 1000


async def test_a_running_call_shows_its_cost_so_far(world: World) -> None:
    await with_tariffs(world)
    costs = RunningCosts(world.memory, lambda: world.table)
    live = LiveDesk(
        world.db,
        lambda: world.table,
        default_account_id=lambda: world.enterprise.account_id,
        open_channels=frozenset,
        why_not_live=lambda: None,
        running_cost=costs.cost,
    )
    parsed = [parse_row(RawRow(0, raw), n) for n, raw in enumerate(rows_now("outbound", 10.0))]
    events = [event for event in parsed if isinstance(event, CelEvent)]
    over = next(n for n, event in enumerate(events) if event.type == "HANGUP")
    live.rows_read(events[:over])
    [call] = live.view(CallScope(world.enterprise.account_id)).items
    assert call.talk_seconds > 5
    begun = int(call.talk_seconds) + 1
    assert (call.cost, call.currency, call.cost_reason) == (10 * begun, "HUF", None)
    world.now = datetime.now(UTC)
    await world.assign(world.reseller, world.enterprise, None)
    # What was in force at the answer holds to the end.
    [call] = live.view(CallScope(world.enterprise.account_id)).items
    assert (call.cost or 0) >= 10 * begun


async def test_a_running_call_that_came_in_shows_its_cost_where_it_has_one(world: World) -> None:
    await with_incoming(world)
    costs = RunningCosts(world.memory, lambda: world.table)
    enterprise, at = world.enterprise.account_id, answered_us()
    later = at + 61_000_000
    cost = costs.cost(enterprise, "+36801234567", "trunk", at, later, incoming=True)
    assert cost.amount == 1800
    assert costs.cost(enterprise, "+3612345678", "trunk", at, later, incoming=True) == NO_COST
    assert costs.cost(enterprise, "+36801234567", "trunk", at, later).reason == "no_rate"


async def test_a_price_comes_to_the_seconds_that_cost_it(world: World) -> None:
    await with_tariffs(world)
    costs = RunningCosts(world.memory, lambda: world.table)
    enterprise, at = world.enterprise.account_id, answered_us()
    assert costs.seconds_until(enterprise, NUMBER, "trunk", at, 95) == 9
    assert costs.cost(enterprise, NUMBER, "trunk", at, at + 9_000_000).amount == 90
    assert costs.cost(enterprise, NUMBER, "trunk", at, at + 9_000_001).amount == 100
    # Who has no seller pays the carrier, if that is its own.
    operator = world.operator.account_id
    assert costs.cost(operator, NUMBER, "trunk", at, at + 60_000_000).amount == 120
    assert costs.cost(operator, NUMBER, None, at, at + 60_000_000).amount is None
    assert costs.cost(enterprise, "+36123", "trunk", at, at).reason == "no_rate"


async def test_the_plan_s_path_finds_who_pays_what_without_the_database(world: World) -> None:
    """What the spend guard goes by: the prices of all levels, from memory."""
    await with_tariffs(world)
    line = [a.account_id for a in (world.enterprise, world.reseller, world.operator)]
    found = world.memory.tariffs.prices_at(line, datetime.now(UTC))
    assert [quote.payer_id for quote in found] == line[:2]
    rates = [quote.table.rates["44"][0] for quote in found if quote.table]
    assert [cost_of(rate, 60) for rate in rates] == [600, 300]


async def test_an_event_of_a_stored_call_tells_its_cost(world: World) -> None:
    await with_tariffs(world)
    charging = CallCharging(world.memory, lambda: world.table)
    tell = partial(tell_stored_calls, cost_of=charging.cost_of)
    world.steps = [charging.price_stored, tell]
    await world.read("outbound", "internal")
    rows = await world.db.fetch("select data from outbox where kind = 'call.ended' order by id")
    [seconds] = await seconds_of(world)
    assert sorted(str(row["data"]["cost"]) for row in rows) == sorted(("None", str(10 * seconds)))


async def test_killed_at_every_few_rows_each_call_is_charged_once(world: World) -> None:
    await with_tariffs(world)
    rows = split_rows(b"".join(fixture_rows(n) for n in ("outbound", "outbound_second_trunk")))
    for start in range(0, len(rows), 4):
        world.write(b"".join(rows[start : start + 4]))
        await world.read()
    seconds = sum(await seconds_of(world))
    assert len(await world.calls()) == 2
    assert await world.balances() == {
        "enterprise.wallet": -10 * seconds,
        "reseller.income": 10 * seconds,
        "reseller.wallet": -5 * seconds,
        "operator.income": 5 * seconds,
    }


async def test_other_prices_of_carriers_are_told_to_whoever_orders_trunks_by_them(
    world: World,
) -> None:
    own = world.enterprise
    first = await world.tariff(own, "First", "44,3", "36,1")
    second = await world.tariff(own, "Second", "44,2", "36,5")
    told: list[Any] = []

    async def on_carriers() -> None:
        told.append(world.memory.tariffs.revision)

    def orders() -> dict[str, Any]:
        route = OutboundRoute(
            "world", (DialPattern("+."),), ("trunk", "trunk2"), order=TrunkOrder.CHEAPEST
        )
        routing = AccountRouting(world.table.accounts[own.account_id].account, outbound=(route,))
        return dict(trunk_orders(world.memory.tariffs, routing, world.now)["world"])

    watching = asyncio.create_task(
        watch_tariffs(world.db, world.memory, on_carriers, lambda: world.now)
    )
    try:
        await eventually(_is(lambda: len(told) == 1), "told at the start")
        await world.assign(own, own, first, "trunk")
        await world.assign(own, own, second, "trunk2")
        assert orders() == {"44": ("trunk2", "trunk")}
        await eventually(_is(lambda: len(told) >= 2), "told of the carriers")
        june = datetime(2026, 6, 1, tzinfo=UTC)
        file = io.BytesIO(b"prefix,price\n44,1\n")
        draft = await world.tariffs.upload(own, first, file, ImportOptions())
        await world.tariffs.apply(own, first, draft.id, ApplyImport(june))
        count = len(told)
        world.now = june
        await eventually(_is(lambda: len(told) > count), "told when the time has come")
        assert orders() == {"36": ("trunk2", "trunk")}
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


def _is(condition: Any) -> Any:
    async def check() -> bool:
        return bool(condition())

    return check
