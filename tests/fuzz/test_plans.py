"""Plans: whatever stands in one, the dialplan's way of reading gives back what was written."""

import re
from contextlib import suppress
from urllib.parse import unquote_to_bytes

from hypothesis import given
from hypothesis import strategies as st

from callctl.asterisk.fastagi import SetVariable, encode_set_variable
from callctl.core.outcomes import AttemptResult
from callctl.core.routing.encoding import PlanError, decode_plan, decode_why, encode_plan
from callctl.core.routing.plan import (
    AnnounceStep,
    Direction,
    HangupStep,
    Reason,
    RingStep,
    RingTarget,
    RoutePlan,
    Step,
    TrunkStep,
    When,
)
from tests.fuzz.rounds import fuzz

hostile = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=25),
    st.sampled_from(
        [
            *("a|b", "a!b", "a&b", "a~b", "a,b", "a;b=c", "%21", "%", "+3612345678", "é", "王😀"),
            *("${SHELL(id)}", "$[1+1]", '"x"', "\\n", "a\nb", "\0", "PJSIP/102,60,g", "../../x"),
        ]
    ),
)
words = hostile.filter(bool)
whens = st.one_of(
    st.none(),
    st.builds(
        When,
        st.integers(1, 9),
        st.lists(st.sampled_from(AttemptResult), min_size=1, max_size=3, unique=True).map(tuple),
    ),
)
seconds = st.integers(0, 10**6)
announced = st.none() | words.filter(bool)
rings = st.builds(
    RingStep,
    st.lists(st.builds(RingTarget, words, words), min_size=1, max_size=4).map(tuple),
    seconds,
    st.booleans(),
    whens,
    announced,
)
trunks = st.builds(
    TrunkStep,
    *(words, words, words, seconds, st.one_of(st.none(), words)),
    *(st.booleans(), st.booleans(), st.booleans(), whens, announced),
    st.none() | seconds,
)
steps = st.one_of(
    rings, trunks, st.builds(AnnounceStep, words, whens), st.builds(HangupStep, seconds, whens)
)
reasons = st.builds(Reason, words, hostile, hostile)
plans = st.builds(
    RoutePlan,
    plan_id=words,
    account_id=st.integers(0, 10**12),
    direction=st.sampled_from(Direction),
    route=hostile,
    steps=st.lists(steps, max_size=6).map(tuple),
    trace=st.lists(reasons, max_size=6).map(tuple),
    did=st.one_of(st.none(), words),
    max_seconds=st.one_of(st.none(), seconds),
    caller_number=st.one_of(st.none(), words),
    caller_name=st.one_of(st.none(), words),
)


def cut(text: str, delimiter: str, number: int) -> str:
    """CUT(variable,delimiter,number) of Asterisk (func_cut.c): fields count from 1."""
    fields = text.split(delimiter)
    return fields[number - 1] if number <= len(fields) else ""


def uridecode(text: str) -> str:
    """URIDECODE: ``%xx`` to a byte; ``+`` stays."""
    return unquote_to_bytes(text).decode("utf-8", "replace")


def flag(text: str) -> bool:
    return text == "1"


def as_dialplan_reads(text: str, step: Step, number: int) -> None:
    """What dialplan/30-steps.conf takes out of step `number` is what `step` holds."""
    this = cut(text, "!", number + 1)
    kind = cut(this, "|", 1)
    when = cut(kind, "?", 2)
    if step.when is None:
        assert when == ""
    else:
        assert int(cut(when, ":", 1)) == step.when.step
        assert cut(when, ":", 2).split("&") == [str(r) for r in step.when.results]
    match step:
        case RingStep():
            assert cut(kind, "?", 1) == "ring"
            assert int(cut(this, "|", 2)) == step.seconds
            assert cut(this, "|", 3)[:1] == str(int(step.record))
            assert uridecode(cut(this, "|", 3)[2:]) == (step.record_announce or "")
            endpoints = [uridecode(e) for e in cut(this, "|", 5).split("&")]
            assert endpoints == [t.endpoint for t in step.targets]
        case TrunkStep():
            assert cut(kind, "?", 1) == "trunk"
            assert cut(this, "|", 3)[:1] == str(int(step.record))
            assert uridecode(cut(this, "|", 3)[2:]) == (step.record_announce or "")
            assert uridecode(cut(this, "|", 5)) == step.endpoint
            assert uridecode(cut(this, "|", 6)) == step.number
            assert uridecode(cut(this, "|", 7)) == (step.caller_id_number or "")
            assert flag(cut(this, "|", 8)) == step.withhold
            assert flag(cut(this, "|", 9)) == step.emergency
            assert cut(this, "|", 10) == ("" if step.max_seconds is None else str(step.max_seconds))
        case AnnounceStep():
            assert (cut(kind, "?", 1), uridecode(cut(this, "|", 2))) == ("announce", step.sound)
        case HangupStep():
            assert (cut(kind, "?", 1), int(cut(this, "|", 2))) == ("hangup", step.cause)


@fuzz(300)
@given(plans)
def test_plan_is_read_as_it_was_written_by_us_and_by_the_dialplan(plan: RoutePlan) -> None:
    try:
        text = encode_plan(plan)
    except PlanError:
        return
    assert re.fullmatch(r"[A-Za-z0-9_.:+*#/@|!?&~,%-]*", text), "nothing that anything evaluates"
    encode_set_variable(SetVariable("CALLCTL_PLAN", text))
    head = cut(text, "!", 1)
    assert cut(head, "|", 1) == "1"
    assert cut(head, "|", 4) == plan.direction
    assert uridecode(cut(head, "|", 8)) == (plan.caller_number or "")
    assert uridecode(cut(head, "|", 9)) == (plan.caller_name or "")
    assert "," not in text.replace(cut(head, "|", 10), "")
    for number, step in enumerate(plan.steps, start=1):
        as_dialplan_reads(text, step, number)
    assert cut(text, "!", len(plan.steps) + 2) == ""
    again = decode_plan(text)
    assert again.steps == plan.steps
    assert (again.did, again.route, again.plan_id) == (plan.did, plan.route, plan.plan_id)


@fuzz(250)
@given(
    st.one_of(
        st.text(max_size=80),
        st.lists(
            st.sampled_from(
                [
                    *("1|", "|", "!", "ring|", "trunk|", "hangup|0", "?", "1:BUSY", "&", "%", "~"),
                    *("inbound", "9" * 5000, "²", "-1", "announce", "1|p|1|inbound||||||", "ring"),
                ]
            ),
            max_size=15,
        ).map("".join),
    )
)
def test_any_text_is_a_plan_or_a_plan_error(text: str) -> None:
    with suppress(PlanError):
        decode_plan(text)
    for reason in decode_why(text):
        assert "\0" not in f"{reason.code}{reason.subject}{reason.detail}"
