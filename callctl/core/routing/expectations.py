"""A plan in short words, and expectations: words that a routing promises to keep giving.

The words of a step: ``ring 101 25s``, ``ring 101+102 20s record``,
``if 101 busy rejected, ring 103 25s``, ``trunk carrier-a +3612345678 60s``, ``announce closed``,
``hangup busy``, and ``hangup`` for "as the last attempt ended".
"""

from dataclasses import dataclass

from callctl.core.routing.causes import cause_word
from callctl.core.routing.plan import (
    LAST_CAUSE,
    AnnounceStep,
    HangupStep,
    RingStep,
    RoutePlan,
    Step,
    TrunkStep,
)


@dataclass(frozen=True, slots=True)
class Expectation:
    """If `from_` called `to` at `at`, the plan would read `then`.

    `from_` is an extension's number, a number outside, or ``withheld``; a call from outside comes
    in by trunk `via` (None: the first that is enabled). `at` is a local time of the account's
    zone, or one with an offset, in ISO 8601; None makes the plan without a clock.
    """

    name: str
    from_: str
    to: str
    then: tuple[str, ...]
    at: str | None = None
    via: str | None = None


def plan_words(plan: RoutePlan) -> tuple[str, ...]:
    """Every step of `plan`, in the words above."""
    return tuple(_step_words(step, plan.steps) for step in plan.steps)


def _step_words(step: Step, steps: tuple[Step, ...]) -> str:
    text = _body_words(step)
    if step.when is None:
        return text
    results = " ".join(r.value.lower().replace("noanswer", "no_answer") for r in step.when.results)
    return f"if {_target(steps[step.when.step - 1])} {results}, {text}"


def _target(step: Step) -> str:
    match step:
        case RingStep():
            return "+".join(t.extension for t in step.targets)
        case TrunkStep():
            return step.trunk
        case AnnounceStep():
            return step.sound
        case HangupStep():
            return "hangup"


def _body_words(step: Step) -> str:
    match step:
        case RingStep():
            return f"ring {_target(step)} {step.seconds}s{_record_words(step)}"
        case TrunkStep():
            words = f"trunk {step.trunk} {step.number} {step.seconds}s"
            if step.caller_id_number:
                words += f" as {step.caller_id_number}"
            words += " withheld" if step.withhold else ""
            words += _record_words(step)
            return words + (" emergency" if step.emergency else "")
        case AnnounceStep():
            return f"announce {step.sound}"
        case HangupStep():
            return "hangup" if step.cause == LAST_CAUSE else f"hangup {cause_word(step.cause)}"


def _record_words(step: RingStep | TrunkStep) -> str:
    if not step.record:
        return ""
    return " record" + (f" announced {step.record_announce}" if step.record_announce else "")


def keeps(plan: RoutePlan, then: tuple[str, ...]) -> bool:
    """Whether `plan` reads as `then` says.

    What an expectation leaves out it does not ask for: ``ring 101`` is kept by
    ``ring 101 25s record``, and a last ``hangup`` need not be written. Conditions must be there.
    """
    words = plan_words(plan)
    if len(words) == len(then) + 1 and words[-1] == "hangup":
        words = words[:-1]
    return len(words) == len(then) and all(map(_keeps_step, words, then))


def _keeps_step(words: str, wanted: str) -> bool:
    condition, comma, body = words.rpartition(", ")
    wanted_condition, wanted_comma, wanted_body = wanted.rpartition(", ")
    if (condition.split(), comma) != (wanted_condition.split(), wanted_comma):
        return False
    have, want = body.split(), wanted_body.split()
    given = iter(have)
    # All of `want` in this order, its kind and its target in their places.
    return have[:2] == want[:2] and all(word in given for word in want)
