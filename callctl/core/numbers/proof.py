"""What the record of a call says about its number: did it ring anybody?"""

from dataclasses import dataclass

from callctl.core.calls.record import Attempt, CallRecord
from callctl.core.outcomes import AttemptResult

_SPOKE = frozenset(
    {
        AttemptResult.ANSWER,
        AttemptResult.BUSY,
        AttemptResult.REJECTED,
        AttemptResult.ANSWERED_ELSEWHERE,
        AttemptResult.PICKUP,
    }
)
"""Results that a phone gives by itself. A call that is given up early says nothing of the phone."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`rang`: None = the call proves nothing. `reason` says why it did not."""

    rang: bool | None
    reason: str = ""


def judge_call(record: CallRecord) -> Verdict:
    """Whether a call that came in on a number rang a phone.

    A call that was cut off before anything was tried proves nothing either way.
    """
    if any(_reached(attempt) for attempt in record.attempts):
        return Verdict(True)
    if any(attempt.result is AttemptResult.CANCEL for attempt in record.attempts):
        return Verdict(None, "the call was given up before a phone answered")
    if record.attempts:
        tried = ", ".join(a.extension or a.number or "?" for a in record.attempts)
        return Verdict(False, f"no phone could be reached; tried: {tried}")
    if record.route in (None, "unknown", "none"):
        return Verdict(False, "the call was not routed to this number")
    if record.refused_by_rule:
        return Verdict(False, f"the routing refuses the call by {record.route}")
    return Verdict(None, "the call ended before anything was tried")


def _reached(attempt: Attempt) -> bool:
    return attempt.rang or attempt.result in _SPOKE
