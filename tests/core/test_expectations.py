"""Plans in short words, and what keeps an expectation."""

import pytest

from callctl.core.routing.expectations import keeps, plan_words
from callctl.core.routing.plan import Reason
from callctl.core.routing.reasons import REASONS, render_reason
from tests.core.routing_world import chain, company, edit, inbound, outbound, plan


@pytest.mark.parametrize(
    "then",
    [
        ("ring 101 20s", "ring 102 20s", "hangup"),
        ("ring 101", "ring 102"),
        ("ring 101", "ring 102 20s"),
    ],
)
def test_what_is_left_out_is_not_asked_for(then):
    assert keeps(plan(inbound("+3617000001")), then)


@pytest.mark.parametrize(
    "then",
    [
        (),
        ("ring 101",),
        ("ring 102", "ring 101"),
        ("ring 101 25s", "ring 102"),
        ("ring 101 record", "ring 102"),
        ("ring", "ring 102"),
        ("ring 10", "ring 102"),
        ("ring 101", "ring 102", "hangup busy"),
        ("if 105 busy, ring 101", "ring 102"),
    ],
)
def test_what_is_said_must_hold(then):
    assert not keeps(plan(inbound("+3617000001")), then)


def test_a_condition_must_be_written():
    routing = edit(company(), "extensions", "101", forward_busy=chain("extension:103"))
    decided = plan(inbound("+3617000001"), routing)
    assert keeps(decided, ("ring 101", "if 101 busy rejected, ring 103", "ring 102"))
    assert not keeps(decided, ("ring 101", "ring 103", "ring 102"))


def test_a_cause_is_not_left_out():
    assert not keeps(plan(inbound("101")), ())
    assert keeps(plan(inbound("101")), ("hangup unallocated",))


def test_words_of_a_trunk_step():
    assert plan_words(plan(outbound("101", "112")))[0] == "trunk b 112 120s emergency"


@pytest.mark.parametrize("code", REASONS)
def test_every_reason_renders_to_a_whole_sentence(code):
    for detail in ("", "D"):
        text = render_reason(Reason(code, "S", detail))
        assert "{" not in text
        assert "}" not in text


def test_a_reason_speaks_of_hostile_text_as_it_is():
    text = render_reason(Reason("unknown_number", "{detail} ${SHELL(id)}", "x"))
    assert text == "{detail} ${SHELL(id)} is no number of this account"
    assert (
        render_reason(Reason("did", "+1", "front")) == "+1 is one of the account's numbers (front)"
    )
    assert render_reason(Reason("future_code", "a", "b")) == "future_code a b"
