"""Plans by money, without a database: what holds for any purse, price and number."""

from datetime import UTC, datetime, time

from hypothesis import given
from hypothesis import strategies as st

from callctl.core.money.guard import Guard, Payer, Price, Purse, Reservation
from callctl.core.money.payers import payers_at
from callctl.core.money.rating import Rate, build_rate_table
from callctl.core.money.tariffs import Tariffs
from callctl.core.routing.gate import StaticGate
from callctl.core.routing.limits import Verdict
from callctl.core.routing.model import (
    Account,
    AccountRouting,
    DialPattern,
    EmergencyNumber,
    Extension,
    HuntMemory,
    OutboundRoute,
    Trunk,
    WeeklyPeriod,
    build_table,
)
from callctl.core.routing.plan import HangupStep, RoutePlan, RouteRequest, Source, TrunkStep
from callctl.core.routing.planner import plan_route
from callctl.features.spend.gate import Refusal, SpendGate
from callctl.numbers import classify_outgoing
from tests.core.test_rating import rates

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
TABLE = build_table(
    (
        AccountRouting(
            Account(1, "main", "Main", country="HU"),
            extensions=(
                Extension("101", endpoint="101"),
                Extension("102", endpoint="102", enabled=False, may_dial=()),
            ),
            trunks=(Trunk("a", "192.0.2.1", endpoint="a"), Trunk("b", "192.0.2.2", endpoint="b")),
            outbound=(
                OutboundRoute("short", (DialPattern("+3620."),), ("a",), max_seconds=40),
                OutboundRoute("out", (DialPattern("+."), DialPattern("0.", strip=1)), ("a", "b")),
            ),
            emergency=(EmergencyNumber("112", ("b", "a")),),
            max_call_seconds=900,
        ),
    )
)
purses = st.builds(Purse, st.integers(-1000, 3000), st.none() | st.just(0) | st.integers(1, 1000))
prices = st.none() | st.builds(lambda a, b: Price((a, b)), rates, rates)


class Counting(StaticGate):
    """Limits that let everything pass."""

    def __call__(self, *asked: object, **how: object) -> Verdict:
        return Verdict()


class Desk:
    """What a plan has reserved and refused."""

    def __init__(self, purse: Purse, price: Price | None) -> None:
        self.guard = Guard()
        self.guard.settle({1: purse}, ())
        self.price = price
        self.reserved: list[Reservation] = []
        self.refused: list[Refusal] = []

    def plan(self, extension: str, dialled: str, e164: str | None) -> RoutePlan:
        gate = SpendGate(
            Counting(classify_outgoing),
            self.guard,
            lambda index, found, at: [Payer(1, self.price)],
            NOW,
            began=self.reserved.append,
            refused=self.refused.append,
        )
        request = RouteRequest("1.1", 1, Source.EXTENSION, extension, dialled, e164)
        plan = plan_route(request, TABLE, NOW, HuntMemory(), gate)
        gate.keep("1.1", None, plan.max_seconds)
        return plan


@given(purses, prices, st.sampled_from(["112", "+112", "0112"]), st.sampled_from(["101", "102"]))
def test_an_emergency_call_asks_for_no_money_and_is_never_cut(purse, price, dialled, extension):
    desk = Desk(purse, price)
    plan = desk.plan(extension, dialled, None)
    steps = [step for step in plan.steps if isinstance(step, TrunkStep)]
    assert [step.trunk for step in steps] == ["b", "a"]
    assert all(step.emergency and step.max_seconds is None for step in steps)
    assert plan.max_seconds is None
    assert desk.reserved == desk.refused == []


@given(purses, prices, st.sampled_from(["+36201234567", "+36301234567"]))
def test_what_a_plan_may_cost_is_there_and_is_reserved(purse, price, number):
    desk = Desk(purse, price)
    plan = desk.plan("101", number, number)
    free = purse.free(0)
    if isinstance(plan.steps[0], HangupStep):
        assert free is not None
        assert desk.reserved == []
        assert [refusal.code for refusal in desk.refused] == [plan.trace[-1].code]
        return
    most = 40 if number.startswith("+3620") else 900
    assert plan.max_seconds is not None
    assert 0 < plan.max_seconds <= most
    if price is None:
        assert purse.credit != 0
        return
    (reservation,) = desk.reserved
    assert reservation.amounts == ((1, price.cost_of(plan.max_seconds + 1)),)
    assert reservation.most_seconds == most
    assert free is None or price.cost_of(plan.max_seconds + 1) <= max(free, 0)


def test_payers_are_who_has_a_tariff_by_the_dearer_of_two_rates() -> None:
    evening = (WeeklyPeriod((0,), time(12, 3), time(20)),)
    cheap, dear = Rate("36", 1, hours=()), Rate("36", 9, hours=evening)
    tables = {
        1: build_rate_table(1, "COIN", "UTC", (cheap, dear)),
        2: build_rate_table(2, "COIN", "UTC", (Rate("44", 5),)),
    }
    since = datetime(2026, 1, 1, tzinfo=UTC)
    timelines = {tariff: ((since, tariff),) for tariff in tables}
    tariffs = Tariffs(1, {7: ((since, 1),), 3: ((since, 2),)}, {}, timelines, tables)
    home = payers_at(tariffs, (7, 5, 3, 1), lambda: "+36301234567", NOW)
    assert home == [Payer(7, Price((cheap, dear))), Payer(3, None)]
    assert payers_at(tariffs, (7,), lambda: "+442071838750", NOW) == [Payer(7, None)]
    assert payers_at(tariffs, (5, 1), lambda: "", NOW) == []
    later = NOW.replace(hour=13)
    assert payers_at(tariffs, (7,), lambda: "+36301234567", later) == [Payer(7, Price((dear,)))]
