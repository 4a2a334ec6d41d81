"""Counting as calls come and go: nothing passes a limit, nothing stays counted for ever."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from callctl.core.routing.limits import LimitSettings, Measure, Rule, Scope, Threshold
from callctl.core.routing.model import (
    Account,
    AccountRouting,
    DialPattern,
    EmergencyNumber,
    Extension,
    HuntMemory,
    OutboundRoute,
    Trunk,
    build_table,
)
from callctl.core.routing.plan import HangupStep, Source, TrunkStep
from callctl.core.routing.plan import RouteRequest as Request
from callctl.core.routing.planner import plan_route
from callctl.core.scope import CallScope
from callctl.db.pool import Database
from callctl.features.limits.service import LimitService, LiveChannel
from tests.limits.conftest import World
from tests.limits.records import record

START = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
NUMBERS = ["+442071838701", "+442071838702", "+4930123456", "+12125550100"]
MOST = {
    Scope.EXTENSION_ABROAD: {
        Measure.CONCURRENT: 2,
        Measure.CALLS_PER_HOUR: 5,
        Measure.DESTINATIONS_PER_HOUR: 2,
    },
    Scope.ACCOUNT_ABROAD: {Measure.CONCURRENT: 3, Measure.CALLS_PER_HOUR: 8},
    Scope.COUNTRY: {Measure.CALLS_PER_HOUR: 4},
}
TABLE = build_table(
    (
        AccountRouting(
            Account(1, "main", "Main", country="HU"),
            extensions=tuple(
                Extension(n, endpoint=n, may_dial=("international",)) for n in ("101", "102", "103")
            ),
            trunks=(Trunk("a", "192.0.2.1", endpoint="a"),),
            outbound=(OutboundRoute("world", (DialPattern("+."),), ("a",), "international"),),
            emergency=(EmergencyNumber("112", ("a",)),),
            limits=LimitSettings(
                rules=tuple(
                    Rule(scope, measure, Threshold(block=most))
                    for scope, measures in MOST.items()
                    for measure, most in measures.items()
                )
            ),
        ),
    )
)

events = st.one_of(
    st.tuples(st.just("dial"), st.sampled_from(["101", "102", "103"]), st.sampled_from(NUMBERS)),
    st.tuples(st.just("help"), st.sampled_from(["101", "102", "103"]), st.just("112")),
    st.tuples(st.just("end"), st.integers(0, 20), st.just("")),
    st.tuples(st.just("wait"), st.integers(1, 2400), st.just("")),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(events, max_size=60))
def test_no_sequence_of_calls_passes_a_limit_and_emergency_calls_always_pass(steps):
    now = START
    service = LimitService(Database(None), lambda: TABLE, lambda: now)
    passed: list[tuple[datetime, str, str]] = []
    live: list[tuple[str, str]] = []
    for place, (what, subject, number) in enumerate(steps):
        if what == "wait":
            now += timedelta(seconds=int(subject))
        elif what == "end":
            if live:
                _, uniqueid = live.pop(int(subject) % len(live))
                service.calls_stored([(record(uniqueid, now), 1, None)])
        else:
            uniqueid = f"1.{place}"
            gate = service.open_gate(now)
            e164 = number if number.startswith("+") else None
            request = Request(uniqueid, 1, Source.EXTENSION, str(subject), number, e164)
            plan = plan_route(request, TABLE, now, HuntMemory(), gate)
            gate.keep(uniqueid, None, plan.max_seconds)
            if what == "help":
                assert isinstance(plan.steps[0], TrunkStep)
                assert plan.max_seconds is None
            elif not isinstance(plan.steps[0], HangupStep):
                passed.append((now, str(subject), number))
                live.append((str(subject), uniqueid))
        _check(passed, live, now)


def _check(
    passed: list[tuple[datetime, str, str]], live: list[tuple[str, str]], now: datetime
) -> None:
    recent = [(who, to) for at, who, to in passed if now - at <= timedelta(hours=1)]
    extension, account = MOST[Scope.EXTENSION_ABROAD], MOST[Scope.ACCOUNT_ABROAD]
    assert len(live) <= account[Measure.CONCURRENT]
    assert len(recent) <= account[Measure.CALLS_PER_HOUR]
    for number in ("101", "102", "103"):
        mine = [to for who, to in recent if who == number]
        assert len(mine) <= extension[Measure.CALLS_PER_HOUR]
        assert len(set(mine)) <= extension[Measure.DESTINATIONS_PER_HOUR]
        assert sum(who == number for who, _ in live) <= extension[Measure.CONCURRENT]
    for code in ("+44", "+49", "+1"):
        there = sum(to.startswith(code) for _, to in recent)
        assert there <= MOST[Scope.COUNTRY][Measure.CALLS_PER_HOUR]


def channels(*uniqueids: str, linkedid: str | None = None) -> list[LiveChannel]:
    return [LiveChannel(u, linkedid or u, "101", "Dial", "s") for u in uniqueids]


def live(world: World) -> int:
    return world.limits.status(CallScope(world.account)).calls


async def test_line_is_free_when_asterisk_has_the_channel_no_more(world: World) -> None:
    assert world.passes("101", "00442071838701", "1.1")
    assert world.passes("101", "00442071838701", "1.2")
    assert not world.passes("101", "00442071838701")
    asked = world.now.timestamp() + 1
    world.later(seconds=2)
    world.limits.observe_channels(channels("1.1", "1.2"), asked)
    assert live(world) == 2
    # Moved to another party: its channel is gone, its call is not.
    world.limits.observe_channels(channels("9.9", linkedid="1.1"), asked)
    assert live(world) == 1
    assert world.passes("101", "00442071838701", "1.3")
    # What began after the list was asked for may be missing in it.
    world.limits.observe_channels(channels("9.9", linkedid="1.1"), asked)
    assert live(world) == 2


async def test_call_whose_end_nobody_tells_ends_with_its_longest_talk(world: World) -> None:
    world.passes("101", "00442071838701")
    world.later(hours=2, minutes=29)
    assert world.limits._counts.expire(world.now.timestamp()) == []
    world.later(minutes=2)
    assert len(world.limits._counts.expire(world.now.timestamp())) == 1
    assert live(world) == 0


async def test_calls_that_the_fallback_let_out_are_counted_as_they_are_seen(world: World) -> None:
    leg = LiveChannel("2.2", "2.1", "carrier", "AppDial", "")
    caller = LiveChannel("2.1", "2.1", "102", "Dial", "00442071838701")
    world.limits.observe_channels([caller, leg], world.now.timestamp())
    world.limits.observe_channels([caller, leg], world.now.timestamp())
    assert live(world) == 1
    help_ = LiveChannel("3.1", "3.1", "102", "Dial", "112")
    out = LiveChannel("3.2", "3.1", "carrier", "AppDial", "")
    world.limits.observe_channels([caller, leg, help_, out], world.now.timestamp())
    assert live(world) == 1
    used = {(u.limit, u.name): u.used for u in world.limits.status(CallScope(world.account)).usage}
    assert used["extension_abroad.concurrent", "102"] == 1


async def test_forward_that_was_not_needed_is_taken_back(world: World) -> None:
    plan = world.decide("carrier", "+3617000003", "4.1")
    assert any(isinstance(step, TrunkStep) and step.when for step in plan.steps)
    used = {(u.limit, u.name): u.used for u in world.limits.status(CallScope(world.account)).usage}
    assert used["extension_abroad.calls_per_hour", "103"] == 1
    done = record("4.1", world.now, number=None, extension=None)
    world.limits.calls_stored([(done, world.account, None)])
    usage = world.limits.status(CallScope(world.account)).usage
    assert [u for u in usage if u.limit == "extension_abroad.calls_per_hour"] == []


async def test_minutes_are_those_that_were_talked(world: World) -> None:
    for call in range(3):
        assert world.passes("104", "00442071838701", f"5.{call}")
        began = world.now
        world.later(minutes=25)
        world.limits._counts.end(f"5.{call}", world.now.timestamp())
        talked = record(f"5.{call}", began, extension="104", talk=20 * 60.0)
        world.limits.calls_stored([(talked, world.account, "+442071838701")])
        world.later(minutes=45)
    used = {(u.limit, u.name): u.used for u in world.limits.status(CallScope(world.account)).usage}
    assert used["extension_abroad.minutes_per_day", "104"] == 60
    plan = world.decide("104", "00442071838701")
    assert [r.code for r in plan.trace if r.code.startswith("held")] == ["held_minutes_per_day"]
    world.later(hours=25)
    assert world.passes("104", "00442071838701")


async def test_record_that_is_built_again_counts_once(world: World) -> None:
    past = record("6.1", world.now)
    for _ in range(3):
        world.limits.calls_stored([(past, world.account, "+442071838750")])
    used = {(u.limit, u.name): u.used for u in world.limits.status(CallScope(world.account)).usage}
    assert used["extension_abroad.calls_per_hour", "101"] == 1
