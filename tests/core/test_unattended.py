"""What the fallback may let out while nobody counts money."""

from datetime import UTC, datetime

import pytest

from callctl.asterisk.fallback_plans import FallbackPlanner, class_of
from callctl.core.money.guard import Guard, Purse
from callctl.core.money.rating import MICROS, Rate, build_rate_table
from callctl.core.money.tariffs import Tariffs
from callctl.core.money.unattended import UnattendedTalk
from callctl.core.routing.encoding import decode_plan
from callctl.core.routing.model import (
    Account,
    AccountRouting,
    DialPattern,
    EmergencyNumber,
    Extension,
    OutboundRoute,
    Trunk,
    build_table,
)
from callctl.core.routing.plan import HangupStep, RoutePlan, TrunkStep

AT = datetime(2026, 11, 22, tzinfo=UTC)
RATES = (
    Rate("36", MICROS, unit_seconds=1),
    Rate("44", 2 * MICROS, unit_seconds=1),
    # What comes in bounds nothing that goes out.
    Rate("in:", 90 * MICROS, unit_seconds=1),
)
TARIFFS = Tariffs(
    prices={1: ((AT, 7),)},
    versions={7: ((AT, 70),)},
    tables={70: build_rate_table(70, "COIN", "UTC", RATES)},
)
INDEX_ROUTE = OutboundRoute("out", (DialPattern("+."),), ("a",))
TABLE = build_table(
    (
        AccountRouting(
            Account(1, "main", "Main", country="HU"),
            extensions=(Extension("101", endpoint="101"),),
            trunks=(Trunk("a", "192.0.2.1", endpoint="a"),),
            outbound=(INDEX_ROUTE,),
            emergency=(EmergencyNumber("112", ("a",)),),
        ),
    )
)


@pytest.mark.parametrize(
    ("purse", "seconds"),
    [
        (Purse(1204), 300),  # half of it pays for 301 s to the dearest number
        (Purse(1203), 60),
        (Purse(244), 60),
        (Purse(243), 0),
        (Purse(-5), 0),
        (Purse(-5, credit=1209), 300),
        (Purse(-(10**9), credit=None), None),
    ],
)
def test_half_of_what_is_free_must_pay_for_it_wherever_it_goes(purse, seconds):
    guard = Guard()
    guard.settle({1: purse}, ())
    lines = {1: (1,), 2: (2,)}
    found = UnattendedTalk().seconds(TARIFFS, lines, guard.purse, guard.free, AT)
    assert found == ({} if seconds is None else {1: seconds})


def plans(paid_seconds: int | None) -> tuple[RoutePlan, RoutePlan, RoutePlan]:
    """To a number at home, abroad, and for help."""
    index = TABLE.accounts[1]
    planner = FallbackPlanner(TABLE, index, paid_seconds)
    kind = class_of(index.routing.extensions[0], index.account)
    outside = planner.outside(kind, INDEX_ROUTE, INDEX_ROUTE.patterns[0], "e", 200)
    assert outside is not None
    texts = (outside.home, outside.abroad, planner.emergency("112", kind))
    home, abroad, help_ = (text.replace("${CALLCTL_E164}", "+1") for text in texts)
    return decode_plan(home), decode_plan(abroad), decode_plan(help_)


def test_the_fallback_bounds_calls_to_the_outside_and_no_emergency_call():
    home, abroad, help_ = plans(300)
    assert (home.max_seconds, abroad.max_seconds, help_.max_seconds) == (300, 200, None)
    home, abroad, help_ = plans(60)
    assert (home.max_seconds, abroad.max_seconds, help_.max_seconds) == (60, 60, None)
    home, abroad, help_ = plans(None)
    assert (home.max_seconds, abroad.max_seconds, help_.max_seconds) == (4 * 3600, 200, None)


def test_the_fallback_refuses_who_had_no_money():
    home, abroad, help_ = plans(0)
    assert isinstance(home.steps[0], HangupStep)
    assert isinstance(abroad.steps[0], HangupStep)
    assert [r.code for r in home.trace][-1] == "no_money"
    assert isinstance(help_.steps[0], TrunkStep)
