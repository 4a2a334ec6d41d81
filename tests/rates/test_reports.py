"""Reports on money: what goes where, and what is left between price and cost."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from callctl.core.scope import CallScope
from callctl.features.reports.catalogue import REPORTS
from callctl.features.reports.service import ReportService
from callctl.http.endpoint import Actor

from .conftest import World
from .test_charging import with_tariffs

NOW = datetime(2026, 12, 31, tzinfo=UTC)
NAMES = ("outbound", "outbound_second_trunk", "blind_transfer_to_outside", "internal")


async def rows(
    world: World, actor: Actor, name: str, extensions: tuple[str, ...] | None = None, **query: Any
) -> list[Any]:
    report = REPORTS[name]
    service = ReportService(world.db, clock=lambda: NOW)
    scope = CallScope(actor.account_id, extensions)
    answer = await service.answer(scope, report, report.query(**query))
    assert answer.currency == "HUF"
    return list(answer.items)


@pytest.fixture
async def priced(world: World) -> World:
    await with_tariffs(world)
    await world.read(*NAMES)
    return world


async def test_margin_is_price_less_cost_at_every_level(priced: World) -> None:
    paid = await priced.db.fetch(
        "select payer_id, side, sum(amount)::bigint as amount from call_costs group by 1, 2"
    )
    sums = {(row["payer_id"], row["side"]): row["amount"] for row in paid}
    retail = sums[priced.enterprise.account_id, "price"]
    wholesale = sums[priced.reseller.account_id, "price"]
    carrier = sums[priced.operator.account_id, "carrier"]
    [reseller] = await rows(priced, priced.reseller, "margin")
    assert (reseller.account, reseller.calls, reseller.unrated) == ("enterprise", 3, 0)
    assert (reseller.revenue, reseller.cost) == (retail, wholesale)
    assert reseller.margin == retail - wholesale > 0
    [operator] = await rows(priced, priced.operator, "margin")
    assert (operator.revenue, operator.cost) == (wholesale, carrier)
    assert operator.margin == wholesale - carrier > 0
    assert await rows(priced, priced.enterprise, "margin") == []
    assert await rows(priced, priced.reseller, "margin", ("201",)) == []
    assert await rows(priced, priced.reseller, "margin", until=date(2026, 1, 1)) == []


async def test_cost_by_destination_is_what_the_calls_cost(priced: World) -> None:
    total = await priced.db.fetchval("select sum(cost)::bigint from calls")
    [line] = await rows(priced, priced.enterprise, "cost-destinations")
    assert (line.prefix, line.reason, line.calls, line.cost) == ("44", None, 3, total)
    own = await rows(priced, priced.enterprise, "cost-destinations", ("204",))
    assert own == []


async def test_what_has_no_rate_has_a_row_of_its_own(world: World) -> None:
    retail = await world.tariff(world.reseller, "Retail", "36,6")
    await world.assign(world.reseller, world.enterprise, retail)
    await world.read("outbound")
    [line] = await rows(world, world.enterprise, "cost-destinations")
    assert (line.prefix, line.reason, line.calls, line.cost) == (None, "no_rate", 1, 0)
    [margin] = await rows(world, world.reseller, "margin")
    assert (margin.unrated, margin.revenue, margin.margin) == (1, 0, 0)


async def test_rankings_are_by_cost_unless_another_is_asked_for(priced: World) -> None:
    ranked = await rows(priced, priced.enterprise, "rankings")
    assert [row.cost for row in ranked] == sorted((row.cost for row in ranked), reverse=True)
    assert ranked[0].cost > 0
    by_did = await rows(priced, priced.enterprise, "rankings", did="+3617000001")
    assert by_did == []
