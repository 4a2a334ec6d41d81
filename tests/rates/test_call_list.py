"""What calls cost, in the call list: its columns, its filters, its order."""

import pytest

from callctl.core.errors import CallctlError
from callctl.core.scope import CallScope
from callctl.features.calls.model import CallFilters
from callctl.features.calls.service import CallService

from .conftest import World
from .test_charging import with_tariffs

NAMES = ("outbound", "outbound_second_trunk", "blind_transfer_to_outside", "internal")


@pytest.fixture
async def calls(world: World) -> CallService:
    await with_tariffs(world)
    await world.read(*NAMES)
    return CallService(world.db)


async def test_a_call_shows_what_its_account_pays_and_nothing_that_others_pay(
    world: World, calls: CallService
) -> None:
    scope = CallScope(world.enterprise.account_id)
    page = await calls.list_calls(scope, CallFilters(min_cost=1))
    assert len(page.items) == 3
    detail = await calls.get_call(scope, page.items[0].id)
    assert sum(part.amount or 0 for part in detail.costs) == page.items[0].cost
    assert {part.side for part in detail.costs} == {"price"}


async def test_filters_by_cost(world: World, calls: CallService) -> None:
    scope = CallScope(world.enterprise.account_id)
    all_ = (await calls.list_calls(scope, CallFilters())).items
    costs = sorted(c.cost for c in all_ if c.cost is not None)
    for least, most in ((costs[0], costs[0]), (costs[1], None), (None, costs[1]), (1, costs[-1])):
        page = await calls.list_calls(scope, CallFilters(min_cost=least, max_cost=most))
        wanted = [c for c in costs if (least or 0) <= c <= (most or costs[-1])]
        assert sorted(c.cost for c in page.items if c.cost is not None) == wanted
    with pytest.raises(CallctlError, match="max_cost is below"):
        await calls.list_calls(scope, CallFilters(min_cost=2, max_cost=1))


async def test_the_dearest_come_first_page_by_page(world: World, calls: CallService) -> None:
    scope, seen, cursor = CallScope(world.enterprise.account_id), [], None
    while True:
        filters = CallFilters(sort="-cost", limit=1, cursor=cursor)
        page = await calls.list_calls(scope, filters)
        seen += [c.cost or 0 for c in page.items]
        cursor = page.next
        if cursor is None:
            break
    assert len(seen) == 3
    assert seen == sorted(seen, reverse=True)
    first = await calls.list_calls(scope, CallFilters(sort="-cost", limit=1))
    with pytest.raises(CallctlError, match="cursor of another list"):
        await calls.list_calls(scope, CallFilters(cursor=first.next))


async def test_unrated_calls_are_found(world: World) -> None:
    retail = await world.tariff(world.reseller, "Retail", "36,6")
    await world.assign(world.reseller, world.enterprise, retail)
    await world.read(*NAMES)
    calls, scope = CallService(world.db), CallScope(world.enterprise.account_id)
    page = await calls.list_calls(scope, CallFilters(unrated=True))
    assert {(c.cost, c.cost_reason) for c in page.items} == {(None, "no_rate")}
    assert len(page.items) == 3
    assert len((await calls.list_calls(scope, CallFilters(unrated=False))).items) == 1
