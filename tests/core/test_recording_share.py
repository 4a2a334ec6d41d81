"""Which calls of a share are recorded: by lot, but always the same ones."""

import pytest

from callctl.core.recordings import file_name, is_in_share, stem_of
from callctl.core.routing.check import check_routing
from callctl.core.routing.expectations import plan_words
from callctl.core.routing.model import AccountRouting, RecordPolicy
from callctl.core.routing.plan import RoutePlan, RouteRequest
from tests.core.routing_world import company, edit, inbound, outbound, plan

CALLS = [f"pbx-1700000000.{n}" for n in range(4000)]


@pytest.mark.parametrize("share", [1, 30, 50, 99])
def test_so_many_in_a_hundred_are_in_the_share(share: int) -> None:
    drawn = sum(is_in_share(call, share) for call in CALLS)
    assert abs(drawn / len(CALLS) - share / 100) < 0.03


def test_larger_share_has_all_calls_of_a_smaller_one() -> None:
    assert all(is_in_share(c, 60) for c in CALLS if is_in_share(c, 20))
    assert all(is_in_share(c, 100) for c in CALLS)
    assert not any(is_in_share(c, 0) for c in CALLS)


def test_call_without_an_id_is_in_every_share() -> None:
    assert is_in_share("", 1)
    assert not is_in_share("", 0)


def test_names_lead_back_to_the_recording() -> None:
    for name in ("a-1.5-2.wav", "a-1.5-2.opus", "a-1.5-2.opus.sealed", "a-1.5-2.raw"):
        assert stem_of(name) == "a-1.5-2"
    assert file_name("a-1.5-2", "opus", sealed=True) == "a-1.5-2.opus.sealed"
    assert stem_of("odd.name") == "odd.name"


def _plans(share: int) -> list[RoutePlan]:
    routing = edit(company(), "dids", "+3617000002", record=RecordPolicy.ALWAYS, record_share=share)
    return [plan(inbound("+3617000002", uniqueid=call), routing) for call in CALLS[:200]]


def test_plan_records_the_calls_of_the_share_and_says_why_not() -> None:
    decided = _plans(40)
    recorded = [p.steps[0].record for p in decided]
    assert recorded == [is_in_share(call, 40) for call in CALLS[:200]]
    for one in decided:
        codes = {(r.code, r.subject) for r in one.trace}
        word = "recorded" if one.steps[0].record else "not_in_share"
        assert (word, "did:+3617000002") in codes


@pytest.mark.parametrize(
    ("policy", "inside", "outside", "in_"),
    [
        (RecordPolicy.INTERNAL, True, False, False),
        (RecordPolicy.EXTERNAL, False, True, True),
        (RecordPolicy.OUTBOUND, False, True, False),
        (RecordPolicy.ALWAYS, True, True, True),
        (RecordPolicy.NEVER, False, False, False),
    ],
)
def test_policy_is_of_the_direction(
    policy: RecordPolicy, inside: bool, outside: bool, in_: bool
) -> None:
    routing = company(record=policy)
    asked = (outbound("101", "102"), outbound("101", "06301234567"), inbound("+3617000002"))
    assert [plan(a, routing).steps[0].record for a in asked] == [inside, outside, in_]


def test_announcement_goes_with_what_is_recorded_and_with_nothing_else() -> None:
    routing = company(record=RecordPolicy.EXTERNAL, record_announce="recorded")
    assert plan(inbound("+3617000002"), routing).steps[0].record_announce == "recorded"
    assert plan(outbound("101", "06301234567"), routing).steps[0].record_announce == "recorded"
    assert plan(outbound("101", "102"), routing).steps[0].record_announce is None
    assert "record announced recorded" in plan_words(plan(inbound("+3617000002"), routing))[0]


def test_announcement_is_of_the_rule_that_decides_else_of_the_account() -> None:
    routing = company(record=RecordPolicy.ALWAYS, record_announce="account")
    routing = edit(routing, "extensions", "101", record=RecordPolicy.ALWAYS, record_announce="desk")
    routing = edit(routing, "extensions", "102", record_announce="inherits")
    routing = edit(routing, "extensions", "103", record=RecordPolicy.ALWAYS)

    def heard(request: RouteRequest) -> str | None:
        (step, *_) = plan(request, routing).steps
        return step.record_announce

    assert heard(outbound("101", "06301234567")) == "desk"
    assert heard(outbound("102", "101")) == "desk"
    assert heard(outbound("102", "103")) == "account"
    assert heard(outbound("103", "06301234567")) == "account"
    # A sound without a policy beside it is of no rule.
    assert heard(outbound("103", "102")) == "account"


def test_emergency_call_is_not_held_up_by_an_announcement() -> None:
    routing = company(record=RecordPolicy.ALWAYS, record_announce="recorded")
    (step, *_) = plan(outbound("101", "112"), routing).steps
    assert step.record
    assert step.record_announce is None


def errors(routing: AccountRouting) -> list[str]:
    return [p.path for p in check_routing(routing) if not p.warning]


@pytest.mark.parametrize("share", [0, -1, 101])
def test_share_that_is_none_is_refused_with_its_place(share: int) -> None:
    routing = edit(company(), "extensions", "101", record_share=share)
    assert errors(routing) == ["extensions[0].record_share"]


def test_sound_that_is_a_path_or_an_option_is_refused() -> None:
    for sound in ("../etc/passwd", "a)U(evil", "a b", ""):
        assert errors(company(record_announce=sound)) == ["account.record_announce"]
        routing = edit(company(), "extensions", "101", record_announce=sound)
        assert errors(routing) == ["extensions[0].record_announce"]
