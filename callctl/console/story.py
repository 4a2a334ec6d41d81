"""What became of each attempt of a call, in sentences: why the call went on to the next one."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from callctl.console.language import N_, gettext
from callctl.console.words import party_of
from callctl.features.calls.model import AttemptView

_AT_ONCE = timedelta(seconds=0.5)
"""Phones that were rung within this of each other may have been rung together."""

_OUTCOMES = {
    "ANSWER": N_("{who} rang for {n} s and answered"),
    "NOANSWER": N_("{who} rang for {n} s and did not answer"),
    "BUSY": N_("{who} was busy"),
    "REJECTED": N_("{who} declined"),
    "UNAVAILABLE": N_("{who} could not be reached"),
    "CANCEL": N_("{who} had rung for {n} s when the caller hung up"),
    "ANSWERED_ELSEWHERE": N_("{who} rang for {n} s until another one answered"),
    "PICKUP": N_("{who} rang for {n} s until another phone picked the call up"),
    "FORWARD": N_("{who} forwarded the call"),
}


def tell_attempts(attempts: Sequence[AttemptView]) -> list[str]:
    """A sentence for each attempt, or for those that were made together: how it ended, and who
    came next for that reason. `attempts` are in the order of time."""
    rounds = list(_rounds(attempts))
    told = ["; ".join(_outcome(one) for one in together) for together in rounds]
    goes_on = gettext("{told}; that is why {others} came next.")
    return [
        goes_on.format(told=said, others=", ".join(map(_who, following)))
        for said, following in zip(told, rounds[1:], strict=False)
    ] + [f"{said}." for said in told[-1:]]


def _rounds(attempts: Sequence[AttemptView]) -> Iterator[list[AttemptView]]:
    """Those that rang at the same time belong together."""
    together: list[AttemptView] = []
    for attempt in attempts:
        if together and not _rings_beside(attempt.started_at, together):
            yield together
            together = []
        together.append(attempt)
    if together:
        yield together


def _rings_beside(at: datetime, together: Sequence[AttemptView]) -> bool:
    ended = max(one.started_at + timedelta(seconds=one.seconds) for one in together)
    return at - together[0].started_at < _AT_ONCE or ended - at > _AT_ONCE


def _outcome(attempt: AttemptView) -> str:
    text = _OUTCOMES.get(attempt.result)
    if text is None:  # of a newer version
        return f"{_who(attempt)}: {attempt.result}"
    return gettext(text).format(who=_who(attempt), n=round(attempt.seconds))


def _who(attempt: AttemptView) -> str:
    if attempt.extension is None and attempt.number and attempt.endpoint:
        # Several trunks may have been tried for one number.
        return f"{attempt.number} ({attempt.endpoint})"
    return party_of(attempt)
