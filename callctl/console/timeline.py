"""A call's attempts and its conversation, laid out on one line of time."""

from collections.abc import Iterator
from dataclasses import dataclass

from callctl.console.language import N_
from callctl.console.words import RESULTS, Badge, badge, party_of
from callctl.features.calls.model import CallDetail

WIDTH = 1000
_LEAST = 4
"""So that an attempt that failed at once can be seen."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One row: `x` and `width` are parts of `WIDTH`; `at` is seconds since the call began.

    `is_talk`: the conversation, whose `who` is a word of ours.
    """

    who: str
    result: Badge
    cause: int
    at: float
    seconds: float
    x: int
    width: int
    is_talk: bool = False


def build_timeline(detail: CallDetail) -> list[Bar]:
    """Rows in the order of trying, then the conversation."""
    return list(_bars(detail))


def _bars(detail: CallDetail) -> Iterator[Bar]:
    call = detail.call
    total = max(call.total_seconds, 0.001)

    def bar(
        who: str, result: Badge, cause: int, at: float, seconds: float, *, is_talk: bool = False
    ) -> Bar:
        x = min(max(round(at / total * WIDTH), 0), WIDTH - _LEAST)
        width = max(_LEAST, min(round(seconds / total * WIDTH), WIDTH - x))
        return Bar(who, result, cause, at, seconds, x, width, is_talk)

    for attempt in detail.attempts:
        at = (attempt.started_at - call.started_at).total_seconds()
        result = badge(RESULTS, attempt.result)
        yield bar(party_of(attempt), result, attempt.cause, at, attempt.seconds)
    if call.answered_at is not None:
        at = (call.answered_at - call.started_at).total_seconds()
        talked = Badge(N_("talked"), "phone-call", "green")
        yield bar(N_("Conversation"), talked, 0, at, call.talk_seconds, is_talk=True)
