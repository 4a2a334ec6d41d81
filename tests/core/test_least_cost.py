"""The cheapest trunk first: by the number, and the same in the plan as in the tariffs."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, time

from hypothesis import given
from hypothesis import strategies as st

from callctl.core.money.least_cost import COMPARED_SECONDS, find_order, order_by_cost
from callctl.core.money.rating import MICROS, Rate, RateTable, build_rate_table, micros_of
from callctl.core.routing.model import (
    Account,
    AccountRouting,
    DialPattern,
    Extension,
    HuntMemory,
    OutboundRoute,
    Trunk,
    TrunkOrder,
    WeeklyPeriod,
    build_table,
)
from callctl.core.routing.plan import RouteRequest, Source, TrunkStep
from callctl.core.routing.planner import plan_route

NAMES = ("a", "b", "c")
DAYTIME = (WeeklyPeriod((0, 1, 2, 3, 4), time(8), time(20)),)


def tables(**rates: list[Rate]) -> dict[str, RateTable]:
    return {
        name: build_rate_table(number, "HUF", "UTC", given_rates)
        for number, (name, given_rates) in enumerate(rates.items())
    }


PRICES = tables(
    a=[Rate("36", 10 * MICROS), Rate("44", 5 * MICROS), Rate("", 90 * MICROS), Rate("in:", 1)],
    b=[Rate("36", 9 * MICROS), Rate("3620", 30 * MICROS), Rate("44", 5 * MICROS)],
    c=[Rate("3620", 1, connect_fee=99 * MICROS), Rate("3620", 0, hours=DAYTIME)],
)


def test_the_cheapest_is_first_and_what_has_no_rate_is_last() -> None:
    orders = order_by_cost(NAMES, PRICES)
    assert orders == {"36": ("b", "a", "c"), "3620": ("a", "b", "c")}
    assert find_order(orders, "36301234567") == ("b", "a", "c")
    assert find_order(orders, "36201234567") == ("a", "b", "c")
    # As listed: two cost the same in Britain, and elsewhere only the first has a rate.
    assert find_order(orders, "447700900101") is None
    assert find_order(orders, "4930123456") is None


rates = st.builds(Rate, st.text("12", max_size=3), st.integers(0, 3).map(lambda n: n * MICROS))
some_tables = st.dictionaries(
    st.sampled_from(NAMES),
    st.lists(rates, unique_by=lambda r: r.prefix).map(lambda r: build_rate_table(1, "X", "UTC", r)),
)


@given(some_tables, st.text("12", min_size=1, max_size=5))
def test_the_order_is_by_what_each_trunk_costs(
    given_: Mapping[str, RateTable], digits: str
) -> None:
    order = find_order(order_by_cost(NAMES, given_), digits) or NAMES

    def cost(name: str) -> tuple[bool, object]:
        for length in range(len(digits), -1, -1):
            found = given_[name].rates.get(digits[:length]) if name in given_ else None
            if found:
                return False, micros_of(found[0], COMPARED_SECONDS)
        return True, 0

    assert list(order) == sorted(NAMES, key=cost)  # type: ignore[arg-type]


ACCOUNT = Account(1, "lab", "Lab", country="HU")
ROUTE = OutboundRoute(
    "world",
    (DialPattern("+."), DialPattern("9+.", strip=1)),
    NAMES,
    order=TrunkOrder.CHEAPEST,
)
ROUTING = AccountRouting(
    ACCOUNT,
    extensions=(Extension("101", endpoint="101"),),
    trunks=tuple(Trunk(name, "192.0.2.1", endpoint=name) for name in NAMES),
    outbound=(ROUTE,),
    trunk_orders={"world": order_by_cost(NAMES, PRICES)},
)


def trunks_for(routing: AccountRouting, dialled: str, e164: str | None) -> list[str]:
    request = RouteRequest("u", 1, Source.EXTENSION, "101", dialled, e164)
    plan = plan_route(request, build_table((routing,)), datetime.now(UTC), HuntMemory())
    return [step.trunk for step in plan.steps if isinstance(step, TrunkStep)]


def test_the_plan_tries_them_in_that_order() -> None:
    assert trunks_for(ROUTING, "+36301234567", "+36301234567") == ["b", "a", "c"]
    assert trunks_for(ROUTING, "+36201234567", "+36201234567") == ["a", "b", "c"]
    # A number that the pattern changes is dialled as listed, and so is all without the option.
    assert trunks_for(ROUTING, "9+36301234567", None) == ["a", "b", "c"]
    listed = replace(ROUTING, outbound=(replace(ROUTE, order=TrunkOrder.LISTED),))
    assert trunks_for(listed, "+36301234567", "+36301234567") == ["a", "b", "c"]


def test_a_trunk_that_is_off_is_left_out_and_the_others_keep_their_order() -> None:
    trunks = (replace(ROUTING.trunks[0], enabled=False), *ROUTING.trunks[1:])
    off = replace(ROUTING, trunks=trunks)
    assert trunks_for(off, "+36301234567", "+36301234567") == ["b", "c"]
