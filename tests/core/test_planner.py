"""The planner, fact by fact, and as a table of calls."""

from dataclasses import replace

import pytest

from callctl.core.routing.model import (
    Account,
    AccountRouting,
    DialPattern,
    Did,
    EmergencyNumber,
    Extension,
    HuntGroup,
    HuntMemory,
    Member,
    OutboundRoute,
    RecordPolicy,
    RingStrategy,
    Trunk,
)
from callctl.core.routing.plan import Direction, RingStep, TrunkStep
from callctl.core.routing.reasons import REASONS
from tests.core.routing_world import (
    MONDAY_NOON,
    SUNDAY,
    chain,
    codes,
    company,
    edit,
    inbound,
    outbound,
    plan,
    table,
    words,
)

HUNT = ["ring 101 15s", "ring 102 5s", "ring 103 15s", "hangup"]
A = "trunk a +36301234567 60s as +3611110000"
B = "trunk b 36301234567 60s"


@pytest.mark.parametrize(
    ("call", "now", "expected"),
    [
        # In from outside
        (inbound("+3617000001"), None, ["ring 101 20s", "ring 102 20s", "hangup"]),
        (inbound("3617000001"), None, ["ring 101 20s", "ring 102 20s", "hangup"]),
        (inbound("+3617000002"), MONDAY_NOON, HUNT),
        (inbound("+3617000002"), None, HUNT),
        (inbound("+3617000002"), SUNDAY, ["announce closed", "hangup normal"]),
        (inbound("+3617000002", "+36205550100"), SUNDAY, ["ring 105 20s", "hangup"]),
        (inbound("+3617000001", "+36901234567"), None, ["hangup rejected"]),
        (inbound("+3617000001", None), None, ["hangup busy"]),
        (inbound("+3617999999"), None, ["hangup unallocated"]),
        (inbound("101"), None, ["hangup unallocated"]),
        (inbound("112"), None, ["hangup unallocated"]),
        (inbound(""), None, ["hangup unallocated"]),
        (inbound("+36301234567"), None, ["hangup unallocated"]),
        (
            inbound("+3617000003"),
            None,
            [
                "trunk a +36301112222 60s as +3617000003",
                "trunk b 36301112222 60s as +3617000003",
                "ring 103 20s",
                "hangup",
            ],
        ),
        # Inside
        (outbound("101", "102"), None, ["ring 102 20s", "hangup"]),
        (outbound("101", "101"), None, ["hangup unavailable"]),
        (outbound("105", "600"), None, HUNT),
        (outbound("102", "600"), None, ["ring 101 15s", "ring 103 15s", "hangup"]),
        (outbound("105", "+3617000001"), None, ["ring 101 20s", "ring 102 20s", "hangup"]),
        (outbound("101", "999"), None, ["hangup unallocated"]),
        # Out
        (outbound("101", "06301234567"), None, [A, B, "hangup"]),
        (outbound("101", "+36301234567"), None, [A, B, "hangup"]),
        (outbound("101", "+44201234567"), None, ["hangup rejected"]),
        (
            outbound("101", "112"),
            None,
            ["trunk b 112 120s emergency", "trunk a 112 120s as +3611110000 emergency", "hangup"],
        ),
        (outbound("nobody", "101"), None, ["hangup unallocated"]),
    ],
)
def test_plan_of_a_call(call, now, expected):
    assert words(call, now=now) == expected


def test_direction_is_of_the_source_not_of_the_callers_words():
    forged = plan(inbound("+3617000001", "101"))
    assert forged.direction is Direction.INBOUND
    assert forged.caller_number is None
    assert plan(outbound("101", "102")).direction is Direction.INTERNAL
    assert plan(outbound("101", "06301234567")).direction is Direction.OUTBOUND


def test_a_forged_internal_caller_id_is_not_taken_for_the_extension_itself():
    assert words(inbound("+3617000001", "101"))[0] == "ring 101 20s"


def test_an_internal_call_shows_the_configured_identity():
    decided = plan(outbound("101", "102"))
    assert (decided.caller_number, decided.caller_name) == ("101", "Phone 101")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"dnd": True}, "skipped_dnd"),
        ({"enabled": False}, "skipped_disabled"),
        ({"blocked_callers": ("+3620.",)}, "skipped_blocked"),
        ({"schedule": "office"}, "skipped_hours"),
        ({"forward_always": chain("extension:105")}, "skipped_forwarded"),
    ],
)
def test_every_skipped_member_has_its_reason(change, code):
    routing = edit(company(), "extensions", "102", **change)
    routing = edit(routing, "dids", "+3617000002", schedule=None)
    decided = plan(inbound("+3617000002"), routing, SUNDAY)
    assert [s.targets[0].extension for s in decided.steps[:-1]] == ["101", "103"]
    assert [(r.code, r.subject) for r in decided.trace if r.code.startswith("skipped")] == [
        (code, "102")
    ]


def test_a_paused_member_is_skipped_and_the_caller_itself_too():
    members = (Member("101"), Member("102", paused=True), Member("103"))
    routing = edit(company(), "hunt_groups", "sales", members=members)
    decided = plan(outbound("101", "600"), routing)
    assert [s.targets[0].extension for s in decided.steps[:-1]] == ["103"]
    assert codes(decided) == ["hunt_group_number", "skipped_self", "skipped_paused", "hunt_group"]


def test_all_members_skipped_ends_as_unavailable():
    members = (Member("101", paused=True),)
    routing = edit(company(), "hunt_groups", "sales", members=members)
    decided = plan(inbound("+3617000002"), routing)
    assert words(inbound("+3617000002"), routing) == ["hangup unavailable"]
    assert codes(decided)[-1] == "nobody"


def test_the_limit_of_a_hunt_cuts_the_ring_of_its_last_member():
    routing = edit(company(), "hunt_groups", "sales", max_seconds=22)
    assert words(inbound("+3617000002"), routing) == [
        "ring 101 15s",
        "ring 102 5s",
        "ring 103 2s",
        "hangup",
    ]
    routing = edit(company(), "hunt_groups", "sales", max_seconds=20)
    assert words(inbound("+3617000002"), routing)[-2:] == ["ring 102 5s", "hangup"]


def test_strategy_all_rings_everyone_at_once():
    routing = edit(company(), "hunt_groups", "sales", strategy=RingStrategy.ALL, max_seconds=12)
    assert words(inbound("+3617000002"), routing) == ["ring 101+102+103 12s", "hangup"]


def test_a_group_goes_on_to_its_then():
    routing = edit(company(), "hunt_groups", "sales", then=chain("extension:105", "hangup:busy"))
    assert words(inbound("+3617000002"), routing)[-2:] == ["ring 105 20s", "hangup busy"]


def test_round_robin_says_whom_it_put_first():
    routing = edit(company(), "hunt_groups", "sales", strategy=RingStrategy.ROUND_ROBIN)
    memory = HuntMemory(offered_first={(1, "sales"): "101"})
    decided = plan(inbound("+3617000002"), routing, memory=memory)
    assert decided.first_offered == (("sales", "102"),)


# Forwards


def test_forwards_depend_on_how_the_extension_failed():
    routing = edit(
        company(),
        "extensions",
        "101",
        forward_busy=chain("extension:103"),
        forward_no_answer=chain("extension:104", "extension:105"),
        forward_unavailable=chain("hangup:congestion"),
    )
    assert words(inbound("+3617000001"), routing) == [
        "ring 101 20s",
        "if 101 busy rejected, ring 103 20s",
        "if 101 no_answer, ring 104 20s",
        "if 101 no_answer, ring 105 20s",
        "if 101 unavailable, hangup congestion",
        "ring 102 20s",
        "hangup",
    ]


def test_forwards_to_the_same_place_are_one_block():
    same = chain("extension:103")
    routing = edit(company(), "extensions", "101", forward_busy=same, forward_no_answer=same)
    assert words(inbound("+3617000001"), routing)[1] == (
        "if 101 busy rejected no_answer, ring 103 20s"
    )


def test_forwards_of_forwards_hang_on_the_step_before_them():
    routing = edit(company(), "extensions", "101", forward_busy=chain("extension:103"))
    routing = edit(routing, "extensions", "103", forward_no_answer=chain("extension:104"))
    decided = plan(inbound("+3617000001"), routing)
    assert [s.when.step if s.when else 0 for s in decided.steps] == [0, 1, 2, 0, 0]


def test_an_extension_that_forwards_all_calls_is_not_rung():
    routing = edit(company(), "extensions", "101", forward_always=chain("extension:104"))
    assert words(inbound("+3617000001"), routing) == ["ring 104 20s", "ring 102 20s", "hangup"]


def test_do_not_disturb_takes_the_busy_forward():
    routing = edit(company(), "extensions", "101", dnd=True, forward_busy=chain("extension:104"))
    assert words(inbound("+3617000001"), routing)[0] == "ring 104 20s"


def test_a_disabled_extension_takes_the_unavailable_forward():
    routing = edit(
        company(), "extensions", "101", enabled=False, forward_unavailable=chain("extension:104")
    )
    assert words(inbound("+3617000001"), routing)[0] == "ring 104 20s"


def test_a_loop_of_forwards_is_cut_with_its_reason():
    routing = edit(company(), "extensions", "101", forward_always=chain("extension:102"))
    routing = edit(routing, "extensions", "102", forward_always=chain("extension:101"))
    decided = plan(outbound("105", "101"), routing)
    assert codes(decided) == ["extension", "forward_always", "forward_always", "loop", "nobody"]


def test_a_forward_leaves_by_a_trunk_only_with_the_extensions_own_permission():
    to_london = chain("number:+44201234567")
    routing = edit(company(), "extensions", "101", forward_always=to_london)
    assert "no_permission" in codes(plan(inbound("+3617000001"), routing))
    routing = edit(routing, "extensions", "101", may_dial=("international",))
    assert words(inbound("+3617000001"), routing)[0] == ("trunk b 44201234567 60s as +3617000001")


# Trunk to trunk


def test_a_call_from_a_trunk_leaves_by_a_trunk_only_where_transit_is_allowed():
    call = inbound("+36301234567", trunk="a")
    assert plan(call).route == "unknown"
    routing = edit(company(), "trunks", "b", allow_transit=True)
    decided = plan(call, routing)
    assert decided.route == "transit:national"
    assert [s.trunk for s in decided.steps[:-1]] == ["b"]
    assert decided.direction is Direction.INBOUND


def test_transit_never_goes_back_to_the_trunk_it_came_from():
    routing = edit(company(), "trunks", "b", allow_transit=True)
    assert plan(inbound("+36301234567", trunk="b"), routing).route == "unknown"


# Outbound


def test_the_most_specific_pattern_decides():
    routes = (
        OutboundRoute("any", (DialPattern("+."),), ("b",)),
        OutboundRoute("mobile", (DialPattern("+3630XXXXXXX"),), ("a",)),
        OutboundRoute("national", (DialPattern("+36."),), ("b",)),
    )
    routing = company(outbound=routes)
    assert plan(outbound("101", "+36301234567"), routing).route == "outbound:mobile"
    assert plan(outbound("101", "+3612345678"), routing).route == "outbound:national"
    assert plan(outbound("101", "+44201234567"), routing).route == "outbound:any"


def test_between_equal_patterns_the_earlier_route_decides():
    routes = (
        OutboundRoute("first", (DialPattern("+36."),), ("b",)),
        OutboundRoute("second", (DialPattern("+36."),), ("a",)),
    )
    assert plan(outbound("101", "+3612345678"), company(outbound=routes)).route == "outbound:first"


def test_a_refused_specific_route_does_not_fall_back_to_a_general_one():
    routes = (
        OutboundRoute("any", (DialPattern("+."),), ("b",)),
        OutboundRoute("premium", (DialPattern("+3690."),), ("a",), permission="premium"),
    )
    assert words(outbound("101", "+36901234567"), company(outbound=routes)) == ["hangup rejected"]


def test_strip_and_prepend_make_the_number():
    routes = (OutboundRoute("out", (DialPattern("9X.", 1, "+36"),), ("a", "b")),)
    steps = plan(outbound("101", "9301234567"), company(outbound=routes)).steps
    assert [s.number for s in steps[:-1]] == ["+36301234567", "36301234567"]


def test_disabled_trunks_are_skipped():
    routing = edit(company(), "trunks", "a", enabled=False)
    assert words(outbound("101", "06301234567"), routing) == [B, "hangup"]
    routing = edit(routing, "trunks", "b", enabled=False)
    decided = plan(outbound("101", "06301234567"), routing)
    assert codes(decided) == ["outbound", "trunk_disabled", "trunk_disabled", "no_trunk", "nobody"]


def test_caller_id_is_the_extensions_then_the_routes_then_the_trunks():
    call = outbound("101", "06301234567")
    assert plan(call).steps[0].caller_id_number == "+3611110000"
    routing = edit(company(), "outbound", "national", caller_id_number="+3612220000")
    assert plan(call, routing).steps[0].caller_id_number == "+3612220000"
    routing = edit(routing, "extensions", "101", caller_id_number="+3613330000")
    assert plan(call, routing).steps[0].caller_id_number == "+3613330000"


def test_the_accounts_default_number_is_shown_when_nothing_else_is_set():
    call = outbound("101", "06301234567")
    routing = replace(company(), caller_id_number="+3619990000")
    shown = [step.caller_id_number for step in plan(call, routing).steps[:2]]
    assert shown == ["+3611110000", "+3619990000"]
    emergency = plan(outbound("101", "112"), routing).steps
    assert {step.caller_id_number for step in emergency[:2]} == {"+3611110000", "+3619990000"}
    withheld = edit(routing, "extensions", "101", caller_id_number="withheld")
    step = plan(call, withheld).steps[1]
    assert (step.caller_id_number, step.withhold) == ("+3619990000", True)


def test_an_extension_may_withhold_its_number_but_not_from_emergency():
    routing = edit(company(), "extensions", "101", caller_id_number="withheld")
    step = plan(outbound("101", "06301234567"), routing).steps[0]
    assert isinstance(step, TrunkStep)
    assert step.withhold
    step = plan(outbound("101", "112"), routing).steps[1]
    assert not step.withhold
    assert step.caller_id_number == "+3611110000"


def test_a_route_may_shorten_the_longest_call_never_lengthen_it():
    call = outbound("101", "06301234567")
    assert plan(call).max_seconds == 7200
    routing = edit(company(), "outbound", "national", max_seconds=600)
    assert plan(call, routing).max_seconds == 600
    routing = edit(company(), "outbound", "national", max_seconds=9000)
    assert plan(call, routing).max_seconds == 7200


# Emergency


@pytest.mark.parametrize(
    "change", [{"enabled": False}, {"may_dial": ()}, {"dnd": True}, {"schedule": "office"}]
)
def test_nothing_keeps_an_extension_from_emergency(change):
    routing = edit(company(), "extensions", "101", **change)
    decided = plan(outbound("101", "112"), routing, SUNDAY)
    assert [s.trunk for s in decided.steps[:-1]] == ["b", "a"]
    assert decided.max_seconds is None


def test_emergency_comes_before_an_extension_of_that_number():
    routing = company(extensions=(*company().extensions, Extension("112", endpoint="ep112")))
    assert plan(outbound("101", "112"), routing).route == "emergency:112"


def test_emergency_behind_an_outside_prefix_is_emergency():
    routes = (OutboundRoute("out", (DialPattern("0X.", 1),), ("a",), permission="none"),)
    assert plan(outbound("101", "0112"), company(outbound=routes)).route == "emergency:112"


def test_emergency_takes_any_trunk_when_its_own_are_disabled():
    routing = company(emergency=(EmergencyNumber("112", ("a",)),))
    routing = edit(routing, "trunks", "a", enabled=False)
    decided = plan(outbound("101", "112"), routing)
    assert [s.trunk for s in decided.steps[:-1]] == ["b"]
    assert codes(decided) == ["emergency", "emergency_any_trunk"]


# Recording


@pytest.mark.parametrize(
    ("extension", "group", "did", "account", "recorded"),
    [
        ("inherit", "inherit", "inherit", "never", False),
        ("inherit", "inherit", "inherit", "always", True),
        ("inherit", "inherit", "never", "always", False),
        ("inherit", "always", "never", "never", True),
        ("never", "always", "always", "always", False),
        ("inbound", "never", "never", "never", True),
        ("outbound", "always", "always", "always", False),
    ],
)
def test_recording_is_the_members_then_the_groups_then_the_numbers_then_the_accounts(
    extension, group, did, account, recorded
):
    routing = company(record=RecordPolicy(account))
    for kind, key, policy in (
        ("extensions", "101", extension),
        ("hunt_groups", "sales", group),
        ("dids", "+3617000002", did),
    ):
        if policy != "inherit":
            routing = edit(routing, kind, key, record=RecordPolicy(policy))
    step = plan(inbound("+3617000002"), routing).steps[0]
    assert isinstance(step, RingStep)
    assert step.record is recorded


def test_one_never_keeps_a_common_ring_unrecorded():
    routing = edit(
        company(record=RecordPolicy.ALWAYS), "hunt_groups", "sales", strategy=RingStrategy.ALL
    )
    assert plan(inbound("+3617000002"), routing).steps[0].record
    routing = edit(routing, "extensions", "103", record=RecordPolicy.NEVER)
    decided = plan(inbound("+3617000002"), routing)
    assert not decided.steps[0].record
    assert "not_recorded" in codes(decided)


def test_the_callers_own_policy_records_an_internal_call_only_if_always():
    routing = edit(company(), "extensions", "101", record=RecordPolicy.OUTBOUND)
    assert not plan(outbound("101", "102"), routing).steps[0].record
    assert plan(outbound("101", "06301234567"), routing).steps[0].record
    routing = edit(company(), "extensions", "101", record=RecordPolicy.ALWAYS)
    assert plan(outbound("101", "102"), routing).steps[0].record


# Accounts


def test_a_trunk_serves_the_accounts_below_its_own_and_no_others():
    operator = company(account=Account(1, "op", "Op"), dids=())
    child = AccountRouting(
        Account(2, "child", "Child", parent_id=1),
        extensions=(Extension("101", endpoint="child-101"),),
        dids=(Did("+3618000001", chain("extension:101")),),
    )
    decided = plan(inbound("+3618000001"), table(operator, child))
    assert decided.account_id == 2
    assert decided.steps[0].targets[0].endpoint == "child-101"
    stranger = replace(child, account=Account(2, "other", "Other"))
    decided = plan(inbound("+3618000001"), table(operator, stranger))
    assert (decided.account_id, codes(decided)) == (1, ["other_account"])
    assert words(inbound("+3618000001"), table(operator, stranger)) == ["hangup unallocated"]


def test_an_endpoint_without_account_is_refused():
    decided = plan(inbound("+3617000001", account_id=99))
    assert codes(decided) == ["unknown_endpoint"]


def test_a_maze_of_references_is_cut():
    extensions = tuple(
        Extension(
            str(n),
            endpoint=f"e{n}",
            forward_busy=chain(f"extension:{n + 1}", f"extension:{n + 2}"),
            forward_no_answer=chain(f"extension:{n + 2}", f"extension:{n + 1}"),
        )
        for n in range(200, 260)
    )
    routing = company(extensions=extensions, dids=(Did("+3617000001", chain("extension:200")),))
    decided = plan(inbound("+3617000001"), routing)
    assert len(decided.steps) <= 41
    assert "plan_cut" in codes(decided)


def test_a_chain_of_thousands_is_cut_without_exhausting_the_stack():
    groups = tuple(
        HuntGroup(f"g{n}", (Member("101", paused=True),), then=chain(f"hunt_group:g{n + 1}"))
        for n in range(3000)
    )
    routing = company(hunt_groups=groups, dids=(Did("+3617000001", chain("hunt_group:g0")),))
    assert codes(plan(inbound("+3617000001"), routing))[-2:] == ["plan_cut", "nobody"]


def test_every_reason_that_the_planner_gives_is_declared():
    calls = [
        inbound("+3617000002"),
        inbound("+3617000002", None),
        outbound("101", "600"),
        outbound("101", "+44201234567"),
        outbound("101", "112"),
        inbound("5"),
    ]
    routing = edit(company(), "extensions", "102", dnd=True)
    assert {code for call in calls for code in codes(plan(call, routing))} <= set(REASONS)


def test_a_plan_has_the_same_id_for_the_same_call_and_another_for_another():
    assert plan(inbound("+3617000001")) == plan(inbound("+3617000001"))
    other = plan(inbound("+3617000001", uniqueid="1.2"))
    assert other.plan_id != plan(inbound("+3617000001")).plan_id


def test_a_trunk_named_twice_over_accounts_stays_in_its_account():
    other = AccountRouting(Account(2, "b", "B"), trunks=(Trunk("a", "h", endpoint="b-a"),))
    decided = plan(outbound("101", "06301234567"), table(company(), other))
    assert decided.steps[0].endpoint == "trunk-a"
