"""Limits as pure decisions: what passes, what is warned of, held, blocked, and why."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callctl.core.routing.check import check_routing
from callctl.core.routing.gate import StaticGate
from callctl.core.routing.limits import (
    DEFAULTS,
    NO_SETTINGS,
    Attempt,
    LimitAction,
    LimitSettings,
    Measure,
    OffHours,
    Outside,
    OutsideKind,
    Rule,
    Scope,
    Threshold,
    judge,
    settle,
)
from callctl.core.routing.model import HuntMemory, build_table
from callctl.core.routing.outbound import Outgoing
from callctl.core.routing.plan import HangupStep
from callctl.core.routing.planner import plan_route
from callctl.core.routing.reasons import REASONS, render_reason
from callctl.numbers import classify, classify_dialled, classify_outgoing
from tests.core.routing_world import (
    MONDAY_NOON,
    SUNDAY,
    chain,
    codes,
    company,
    edit,
    inbound,
    outbound,
)

ALLOW, WARN, HOLD, BLOCK = LimitAction
GATE = StaticGate(classify_outgoing)
LONDON = Outside("+442071838750", "GB")
HOME = Outside("+36301234567", "HU")
PREMIUM = Outside("+3690123456", "HU", OutsideKind.PREMIUM)
BRITISH_PREMIUM = Outside("+449012345678", "GB", OutsideKind.PREMIUM)
SATELLITE = Outside("+881612345678", "", OutsideKind.SATELLITE)


def destinations(**actions: LimitAction) -> LimitSettings:
    return LimitSettings(destinations=tuple(actions.items()))


def by_destination(settings: LimitSettings, outside: Outside, approved: str = "") -> LimitAction:
    limits = settle("HU", DEFAULTS, settings)
    attempt = Attempt(outside, "101", limits.is_abroad(outside), approved=approved)
    return judge(limits, attempt, (), ()).action


@pytest.mark.parametrize(
    ("count", "action"),
    [(1, ALLOW), (20, ALLOW), (21, WARN), (40, WARN), (41, HOLD), (120, HOLD), (121, BLOCK)],
)
def test_threshold_is_the_most_that_is_in_order(count, action):
    assert Threshold(20, 40, 120).action(count)[0] is action


@pytest.mark.parametrize(
    ("settings", "outside", "action"),
    [
        (NO_SETTINGS, HOME, ALLOW),
        (NO_SETTINGS, LONDON, ALLOW),
        (NO_SETTINGS, PREMIUM, BLOCK),
        (NO_SETTINGS, BRITISH_PREMIUM, BLOCK),
        (NO_SETTINGS, SATELLITE, BLOCK),
        (NO_SETTINGS, Outside("+447012345678", "GB", OutsideKind.PERSONAL), HOLD),
        (NO_SETTINGS, Outside("*100", "", OutsideKind.UNKNOWN), HOLD),
        (destinations(GB=HOLD), LONDON, HOLD),
        (destinations(others=HOLD), LONDON, HOLD),
        (destinations(others=HOLD), HOME, ALLOW),
        (destinations(others=BLOCK, GB=ALLOW), LONDON, ALLOW),
        (destinations(others=BLOCK), SATELLITE, BLOCK),
        (destinations(others=BLOCK, satellite=ALLOW), SATELLITE, ALLOW),
        (destinations(HU=WARN), HOME, WARN),
        # The stricter of kind and country decides.
        (destinations(premium=ALLOW, GB=HOLD), BRITISH_PREMIUM, HOLD),
        (destinations(GB=ALLOW), BRITISH_PREMIUM, BLOCK),
        (destinations(premium=ALLOW), PREMIUM, ALLOW),
    ],
)
def test_destinations(settings, outside, action):
    assert by_destination(settings, outside) is action


def test_approval_lifts_holds_and_no_block():
    assert by_destination(destinations(GB=HOLD), LONDON, "by Anna") is WARN
    assert by_destination(destinations(GB=BLOCK), LONDON, "by Anna") is BLOCK
    limits = settle("HU", DEFAULTS, destinations(GB=HOLD))
    verdict = judge(limits, Attempt(LONDON, "101", True, approved="by Anna"), (), ())
    assert verdict.passes
    assert [r.code for r in verdict.reasons] == ["held_country", "limit_approved"]


def test_strictest_limit_decides_and_each_is_told_of():
    rules = (
        Rule(Scope.EXTENSION_ABROAD, Measure.CALLS_PER_HOUR, Threshold(1, 2)),
        Rule(Scope.ACCOUNT_ABROAD, Measure.CONCURRENT, Threshold(None, None, 3)),
        Rule(Scope.COUNTRY, Measure.MINUTES_PER_DAY, Threshold(100)),
    )
    limits = settle("HU", LimitSettings(rules=rules))
    verdict = judge(limits, Attempt(LONDON, "101", True), rules, (2, 4, 7))
    assert verdict.action is BLOCK
    assert [render_reason(reason) for reason in verdict.reasons] == [
        "a limit is passed, the call goes on: extension 101 abroad: more than 1 calls within an"
        " hour",
        "blocked by a limit: the account abroad: more than 3 calls at once",
    ]
    assert [(f.limit, f.count, f.threshold) for f in verdict.findings] == [
        ("extension_abroad.calls_per_hour", 2, 1),
        ("account_abroad.concurrent", 4, 3),
    ]


def test_settings_are_laid_over_each_other_measure_by_measure():
    account = LimitSettings(
        rules=(
            Rule(Scope.EXTENSION_ABROAD, Measure.CONCURRENT, Threshold(hold=9)),
            Rule(Scope.ACCOUNT_ABROAD, Measure.CONCURRENT, Threshold()),
        )
    )
    own = LimitSettings(rules=(Rule(Scope.EXTENSION, Measure.CONCURRENT, Threshold(hold=1)),))
    limits = settle("HU", DEFAULTS, account, own)
    rules = {rule.name: rule.threshold for rule in limits.rules_abroad}
    assert rules["extension_abroad.concurrent"] == Threshold(hold=9)
    assert "account_abroad.concurrent" not in rules
    assert rules["extension_abroad.calls_per_hour"] == Threshold(20, 40, 120)
    assert [rule.name for rule in limits.rules_home] == ["extension.concurrent"]
    assert all(rule.scope.value.startswith("account") or rule.scope is Scope.COUNTRY
               for rule in limits.rules(abroad=True, extension=False))  # fmt: skip


# In plans


def planned(call, routing, now=MONDAY_NOON):
    return plan_route(call, build_table((routing,)), now, HuntMemory(), GATE)


def test_refused_number_ends_with_a_reason_and_cause_21():
    routing = edit(company(), "extensions", "101", may_dial=("national", "international"))
    routing = replace(routing, limits=destinations(GB=HOLD))
    plan = planned(outbound("101", "+442071838750"), routing)
    assert plan.steps == (HangupStep(21),)
    assert codes(plan) == ["outbound", "held_country"]
    assert plan.route == "outbound:foreign"
    announced = replace(routing, limits=replace(routing.limits, announce="not-allowed"))
    assert len(planned(outbound("101", "+442071838750"), announced).steps) == 2


def test_emergency_number_asks_no_gate():
    class Shut:
        def __call__(self, *_, certain):
            raise AssertionError("asked")

    routing = replace(company(), limits=destinations(HU=BLOCK, others=BLOCK))
    table = build_table((routing,))
    plan = plan_route(outbound("101", "112"), table, MONDAY_NOON, HuntMemory(), Shut())
    assert plan.steps[0].emergency


def test_refused_forward_is_left_out_and_the_rest_of_the_chain_rings():
    did = chain("number:+442071838750", "extension:103")
    routing = edit(company(), "dids", "+3617000003", to=did)
    routing = replace(routing, limits=destinations(GB=BLOCK))
    plan = planned(inbound("+3617000003"), routing)
    assert [type(step).__name__ for step in plan.steps] == ["RingStep", "HangupStep"]
    assert "blocked_country" in codes(plan)


def test_transit_is_refused_where_the_destination_is():
    routing = edit(company(), "trunks", "b", allow_transit=True)
    assert planned(inbound("+442071838750"), routing).steps[0].number == "442071838750"
    routing = replace(routing, limits=destinations(GB=BLOCK))
    assert planned(inbound("+442071838750"), routing).steps == (HangupStep(21),)


@pytest.mark.parametrize(("now", "passes"), [(MONDAY_NOON, True), (SUNDAY, False), (None, True)])
def test_off_hours_hold_calls_abroad_only(now, passes):
    routing = edit(company(), "extensions", "101", may_dial=("national", "international"))
    routing = replace(routing, limits=LimitSettings(off_hours=OffHours("office")))
    abroad = planned(outbound("101", "+442071838750"), routing, now)
    assert (abroad.steps[0] != HangupStep(21)) is passes
    home = planned(outbound("101", "+36301112233"), routing, now)
    assert home.steps[0].number == "+36301112233"


def test_longest_talk_abroad_is_bounded_of_that_call_only():
    routing = edit(company(), "extensions", "101", may_dial=("national", "international"))
    routing = replace(routing, limits=LimitSettings(max_seconds_abroad=600))
    assert planned(outbound("101", "+442071838750"), routing).max_seconds == 600
    assert planned(outbound("101", "+36301112233"), routing).max_seconds == 7200


def test_limits_switched_off_let_all_pass():
    routing = edit(company(), "extensions", "101", may_dial=("national", "international"))
    routing = replace(routing, limits=LimitSettings(enabled=False))
    plan = planned(outbound("101", "+881612345678"), routing)
    assert plan.steps[0].number == "881612345678"


def test_every_reason_of_a_limit_has_a_sentence():
    for measure in Measure:
        for word in ("warned", "held", "blocked"):
            assert f"{word}_{measure.value}" in REASONS


# Soundness


@pytest.mark.parametrize(
    ("limits", "path", "message"),
    [
        (destinations(England=HOLD), "limits.destinations.England", "'England' is no country"),
        (LimitSettings(off_hours=OffHours("nights")), "limits.off_hours.schedule", "no schedule"),
        (LimitSettings(max_seconds_abroad=0), "limits.max_seconds_abroad", "0 is out of range"),
        (LimitSettings(announce="../x"), "limits.announce", "not the name of a sound file"),
        (
            LimitSettings(
                rules=(Rule(Scope.ACCOUNT, Measure.CONCURRENT, Threshold(hold=5, block=4)),)
            ),
            "limits.account.concurrent",
            "must not become smaller",
        ),
        (
            LimitSettings(
                rules=(Rule(Scope.COUNTRY, Measure.DESTINATIONS_PER_HOUR, Threshold(5000)),)
            ),
            "limits.country.destinations_per_hour",
            "5000 is out of range: 0 to 1000",
        ),
    ],
)
def test_unsound_limits_are_named(limits, path, message):
    problems = check_routing(replace(company(), limits=limits))
    assert [p.path for p in problems if message in p.message] == [path]
    own = edit(company(), "extensions", "102", limits=limits)
    found = [p.path for p in check_routing(own) if message in p.message]
    assert found == [f"extensions[1].{path}"]


def test_schedule_of_off_hours_is_kept_by_something():
    routing = edit(company(), "dids", "+3617000002", schedule=None, closed=())
    unused = "schedule office is kept by nothing"
    assert unused in [p.message for p in check_routing(routing)]
    routing = replace(routing, limits=LimitSettings(off_hours=OffHours("office")))
    assert unused not in [p.message for p in check_routing(routing)]


@given(st.text(max_size=40), st.text(alphabet="0123456789+*#", max_size=40))
def test_whatever_is_dialled_is_something(text, digits):
    for country in ("HU", "US", "BR"):
        for dialled in (text, digits, f"+{digits}", f"00{digits}"):
            outside = classify_dialled(country, dialled, dialled[1:])
            assert isinstance(outside.kind, OutsideKind)
            # Empty would stand for any destination in a decision.
            assert outside.key
            assert outside.place


def test_number_without_a_country_is_a_destination_of_its_own():
    free = classify("+80012345678")
    assert (free.key, free.place) == ("global", "global")


@pytest.mark.parametrize(
    ("number", "country", "kind"),
    [
        ("+18765550123", "JM", "ordinary"),
        ("+14165550123", "CA", "ordinary"),
        ("+441534123456", "JE", "ordinary"),
        ("+447012345678", "GB", "personal"),
        ("+44701234567899", "GB", "personal"),
        ("+19005550123", "US", "premium"),
        ("+97912345678", "", "premium"),
        ("+8816123", "", "satellite"),
        ("+80012345678", "", "ordinary"),
        ("+999123456", "", "unknown"),
        ("112", "", "unknown"),
    ],
)
def test_country_and_kind_of_a_number(number, country, kind):
    assert classify(number) == Outside(number, country, OutsideKind(kind))


@pytest.mark.parametrize(
    ("dialled", "bare", "country", "kind"),
    [
        ("00442071838750", None, "GB", "ordinary"),
        ("1234", None, "HU", "ordinary"),
        ("0690123456", None, "HU", "premium"),
        # Digits too many: an international number cannot hide, a national one could be anything.
        ("004470123456789999", None, "GB", "personal"),
        ("069012345699999", None, "", "unknown"),
        # Behind another exchange's prefix.
        ("900442071838750", "00442071838750", "GB", "ordinary"),
        ("*6700442071838750", None, "", "unknown"),
    ],
)
def test_number_as_it_leaves_is_read_as_people_dial(dialled, bare, country, kind):
    found = Outgoing(None, "", dialled, None, bare or dialled)
    outside = classify_outgoing(found, "HU")
    assert (outside.country, outside.kind.value) == (country, kind)
