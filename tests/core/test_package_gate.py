"""Where a package is demanded: which calls go, and why the others do not."""

from dataclasses import replace
from datetime import timedelta

import pytest

from callctl.asterisk.fallback import render_fallback
from callctl.core.routing.model import Account, AccountRouting
from callctl.core.routing.package import PackageRights
from callctl.core.routing.plan import HangupStep, RoutePlan, TrunkStep
from callctl.core.routing.planner import CAUSE_REJECTED
from callctl.core.routing.reasons import render_reason
from tests.core.routing_world import (
    MONDAY_NOON,
    chain,
    codes,
    company,
    edit,
    inbound,
    outbound,
    plan,
    table,
)

LATER = MONDAY_NOON + timedelta(days=1)
NEVER = PackageRights()
ACTIVE = PackageRights(LATER, extensions=frozenset({"101"}))
ENDED = PackageRights(MONDAY_NOON, extensions=frozenset({"101"}))
OVER = replace(ACTIVE, over=True)


def world(package: PackageRights | None) -> AccountRouting:
    routing = company()
    return replace(routing, account=replace(routing.account, package=package))


def is_refused(decided: RoutePlan, code: str) -> bool:
    return codes(decided)[-1] == code and decided.steps == (HangupStep(CAUSE_REJECTED),)


CALLS = [outbound("101", "0612345678"), outbound("101", "102"), inbound("+3617000001")]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("package", [NEVER, ENDED, OVER])
def test_without_an_active_package_no_call_goes(call, package) -> None:  # type: ignore[no-untyped-def]
    assert is_refused(plan(call, world(package)), "package_required")


@pytest.mark.parametrize("call", CALLS)
def test_with_one_members_call_as_if_none_was_needed(call) -> None:  # type: ignore[no-untyped-def]
    free, paid = plan(call, world(None)), plan(call, world(ACTIVE))
    assert (paid.steps, paid.trace) == (free.steps, free.trace)


def test_the_term_ends_at_its_moment() -> None:
    call, routing = CALLS[0], world(ACTIVE)
    assert not is_refused(
        plan(call, routing, LATER - timedelta(microseconds=1)), "package_required"
    )
    assert is_refused(plan(call, routing, LATER), "package_required")


def test_an_extension_of_no_member_calls_inside_and_is_called() -> None:
    routing = world(ACTIVE)
    assert is_refused(plan(outbound("102", "0612345678"), routing), "seat_required")
    for call in (outbound("102", "103"), inbound("+3617000001")):
        assert plan(call, routing).steps == plan(call, world(None)).steps


def test_who_has_no_seat_forwards_nothing_outside() -> None:
    for number, sent in (("101", True), ("102", False)):
        forwards = edit(
            world(ACTIVE), "extensions", number, forward_always=chain("number:+36301112222")
        )
        decided = plan(outbound("103", number), forwards)
        assert any(isinstance(s, TrunkStep) for s in decided.steps) is sent
        assert ("seat_required" in codes(decided)) is not sent


def test_what_the_routing_itself_sends_outside_needs_a_package_but_no_seat() -> None:
    call = inbound("+3617000003")
    assert plan(call, world(ACTIVE)).steps == plan(call, world(None)).steps


@pytest.mark.parametrize("package", [None, NEVER, ACTIVE, ENDED, OVER])
@pytest.mark.parametrize("caller", ["101", "102"])
def test_emergency_calls_always_go(package: PackageRights | None, caller: str) -> None:
    call = outbound(caller, "112")
    decided = plan(call, world(package))
    assert decided.steps == plan(call, world(None)).steps
    assert [s.emergency for s in decided.steps if isinstance(s, TrunkStep)] == [True, True]


def test_a_did_below_goes_by_its_own_account() -> None:
    """The trunk is the seller's; who must pay is whose number it is."""
    child = AccountRouting(
        Account(2, "child", "Child", parent_id=1, package=NEVER),
        dids=(replace(company().dids[0], number="+3617000009", to=chain("hangup:busy")),),
    )
    both = table(company(), child)
    assert is_refused(plan(inbound("+3617000009"), both), "package_required")
    assert not is_refused(plan(inbound("+3617000001"), both), "package_required")


def test_the_reason_says_when_it_ended() -> None:
    (reason,) = plan(CALLS[0], world(ENDED)).trace
    assert render_reason(reason) == (
        "the account has no active package: the last one ended 2026-07-06 10:00 UTC"
    )
    (reason,) = plan(CALLS[0], world(NEVER)).trace
    assert render_reason(reason) == "the account has no active package"


def test_the_fallback_dialplan_refuses_the_same_and_lets_emergency_calls_go() -> None:
    def lines(package: PackageRights | None, start: str) -> list[str]:
        text = render_fallback(table(world(package)), 2026, {})
        return [line for line in text.splitlines() if line.startswith(start)]

    emergency = "exten => x112,1"
    kept = set(lines(None, emergency))
    assert len(kept) == 1
    for package in (NEVER, OVER, ACTIVE):
        assert set(lines(package, emergency)) == kept
    outside = "exten => wd0,1"
    (free,) = lines(None, outside)
    assert "package_required" in lines(OVER, outside)[0]
    with_seat, without = lines(ACTIVE, outside)
    assert with_seat == free
    assert "seat_required" in without
