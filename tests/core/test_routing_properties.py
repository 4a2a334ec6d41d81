"""What holds for every routing and every call."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from callctl.core.routing.builder import MAX_STEPS
from callctl.core.routing.encoding import MAX_PLAN_CHARS, decode_plan, encode_plan
from callctl.core.routing.model import (
    Account,
    AccountRouting,
    Destination,
    DestinationKind,
    Did,
    Extension,
    HuntGroup,
    HuntMemory,
    Member,
    RecordPolicy,
    RingStrategy,
    build_table,
)
from callctl.core.routing.plan import HangupStep, RingStep, RouteRequest, Source, TrunkStep
from callctl.core.routing.planner import plan_route
from tests.core.routing_world import company

START = datetime(2020, 1, 1, tzinfo=UTC)
NUMBERS = [str(n) for n in range(101, 107)]
GROUPS = ["sales", "night"]
DIDS = ["+3617000001", "+3617000002"]

destinations = st.one_of(
    st.builds(Destination, st.just(DestinationKind.EXTENSION), st.sampled_from([*NUMBERS, "999"])),
    st.builds(Destination, st.just(DestinationKind.HUNT_GROUP), st.sampled_from(GROUPS)),
    st.builds(Destination, st.just(DestinationKind.DID), st.sampled_from(DIDS)),
    st.builds(
        Destination,
        st.just(DestinationKind.NUMBER),
        st.sampled_from(["+36301112222", "+441", "55"]),
    ),
    st.just(Destination(DestinationKind.ANNOUNCE, "closed")),
    st.builds(Destination, st.just(DestinationKind.HANGUP), st.sampled_from(["busy", "31"])),
)
chains = st.lists(destinations, max_size=4).map(tuple)
policies = st.sampled_from(RecordPolicy)


@st.composite
def routings(draw, account_id=1):
    """Anything goes, loops and dangling references too: the planner must stand it."""
    extensions = tuple(
        Extension(
            number,
            f"Ünnepi {number}~|!",
            endpoint=f"{account_id}-{number}",
            ring_seconds=draw(st.integers(1, 60)),
            dnd=draw(st.booleans()),
            enabled=draw(st.booleans()),
            forward_always=draw(st.one_of(st.just(()), chains)),
            forward_busy=draw(chains),
            forward_no_answer=draw(chains),
            record=draw(policies),
            record_share=draw(st.integers(1, 100)),
        )
        for number in NUMBERS
    )
    groups = tuple(
        HuntGroup(
            name,
            tuple(Member(n, paused=draw(st.booleans())) for n in draw(st.permutations(NUMBERS))),
            number=f"60{i}",
            strategy=draw(st.sampled_from(RingStrategy)),
            max_seconds=draw(st.integers(1, 100)),
            then=draw(chains),
        )
        for i, name in enumerate(GROUPS)
    )
    base = company()
    return replace(
        base,
        account=Account(account_id, f"a{account_id}", "A", timezone="Europe/Budapest"),
        extensions=extensions,
        trunks=tuple(
            replace(t, endpoint=f"{account_id}-{t.name}", enabled=draw(st.booleans()),
                    allow_transit=draw(st.booleans()))
            for t in base.trunks
        ),
        dids=tuple(Did(number, draw(chains)) for number in (DIDS if account_id == 1 else [])),
        hunt_groups=groups,
    )  # fmt: skip


requests = st.builds(
    RouteRequest,
    uniqueid=st.text(max_size=20),
    account_id=st.sampled_from([1, 1, 1, 2, 3]),
    source=st.sampled_from(Source),
    key=st.sampled_from([*NUMBERS, "a", "b"]),
    dialled=st.one_of(st.sampled_from([*NUMBERS, *DIDS, "600", "112", "06301112222"]), st.text()),
    dialled_e164=st.sampled_from([None, *DIDS, "+36301112222"]),
    caller_number=st.one_of(st.none(), st.text(max_size=30)),
    caller_e164=st.sampled_from([None, "+36901234567", "+36205550100"]),
    caller_name=st.text(max_size=50),
)
moments = st.one_of(
    st.none(),
    st.timedeltas(timedelta(0), timedelta(days=5000)).map(lambda passed: START + passed),
)


@settings(max_examples=150, deadline=None)
@given(routings(), routings(account_id=2), requests, moments)
def test_every_plan_ends_stays_short_keeps_its_account_and_survives_encoding(
    first, second, request, now
):
    plan = plan_route(request, build_table((first, second)), now, HuntMemory())
    assert isinstance(plan.steps[-1], HangupStep)
    assert plan.steps[-1].when is None
    assert len(plan.steps) <= MAX_STEPS + 1
    for place, step in enumerate(plan.steps, start=1):
        if step.when is not None:
            assert 1 <= step.when.step < place
            assert isinstance(plan.steps[step.when.step - 1], RingStep)
        endpoints = [t.endpoint for t in step.targets] if isinstance(step, RingStep) else []
        endpoints += [step.endpoint] if isinstance(step, TrunkStep) else []
        assert all(endpoint.startswith(f"{plan.account_id}-") for endpoint in endpoints)
    text = encode_plan(plan)
    assert len(text) <= MAX_PLAN_CHARS
    assert not set(text) & set(" \"'$;\n\r\\(){}")
    again = decode_plan(text)
    shown = replace(plan, first_offered=(), trace=again.trace)
    assert again == shown
    assert plan.trace[: len(again.trace) - 1] == again.trace[:-1]


@settings(max_examples=80, deadline=None)
@given(routings(), st.sampled_from([*NUMBERS, "unknown"]), moments)
def test_emergency_always_reaches_a_trunk(routing, key, now):
    request = RouteRequest("1.1", 1, Source.EXTENSION, key, "112")
    plan = plan_route(request, build_table((routing,)), now, HuntMemory())
    assert isinstance(plan.steps[0], TrunkStep)
    assert plan.steps[0].emergency
    assert plan.max_seconds is None
    enabled = {t.name for t in routing.trunks if t.enabled}
    assert not enabled or plan.steps[0].trunk in enabled


@settings(max_examples=80, deadline=None)
@given(routings(), requests, moments)
def test_without_transit_a_trunk_call_leaves_only_where_the_routing_says_so(routing, request, now):
    trunks = tuple(replace(t, allow_transit=False) for t in routing.trunks)
    request = replace(request, source=Source.TRUNK, account_id=1)
    plan = plan_route(request, build_table((replace(routing, trunks=trunks),)), now, HuntMemory())
    leaving = {s.number.lstrip("+") for s in plan.steps if isinstance(s, TrunkStep)}
    assert leaving <= {"36301112222", "441", "55"}
    assert plan.did is not None or not leaving


def test_the_most_that_a_plan_can_hold_fits_the_variable():
    extensions = tuple(
        Extension(str(10**15 + n), endpoint="e" * 50 + str(10**15 + n)) for n in range(200)
    )
    group = HuntGroup(
        "g", tuple(Member(e.number) for e in extensions), strategy=RingStrategy.IN_ORDER,
        max_seconds=3600, ring_seconds=1,
    )  # fmt: skip
    routing = AccountRouting(
        Account(1, "a" * 40, "A"),
        extensions=extensions,
        hunt_groups=(group,),
        dids=(Did("+3617000001", (Destination(DestinationKind.HUNT_GROUP, "g"),)),),
    )
    request = RouteRequest("9" * 32, 1, Source.TRUNK, "t", "+3617000001")
    for strategy in (RingStrategy.IN_ORDER, RingStrategy.ALL):
        changed = replace(routing, hunt_groups=(replace(group, strategy=strategy),))
        plan = plan_route(request, build_table((changed,)), None, HuntMemory())
        assert len(encode_plan(plan)) <= MAX_PLAN_CHARS
