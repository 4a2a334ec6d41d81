"""Which threshold a call has: the most specific one that fits it decides (R001-15)."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace

from callctl.core.routing.plan import Direction


@dataclass(frozen=True, slots=True)
class Threshold:
    """A call that talks longer than `seconds`, or costs more than `cost` (minor units), is too
    long; None: as long, as dear as it likes. What else is None or empty fits any call.

    `extension` placed or answered it, or is a member of the hunt group `group`; `prefix` are the
    first characters of the called number (E.164 where it has such a form).
    """

    seconds: int | None
    direction: Direction | None = None
    extension: str | None = None
    group: str | None = None
    prefix: str = ""
    hang_up: bool = False
    cost: int | None = None


@dataclass(frozen=True, slots=True)
class Passed:
    """The threshold that fits a call, in seconds of talk. `cost` is set where its price comes to
    those seconds before its time does."""

    seconds: int
    cost: int | None
    hang_up: bool


@dataclass(frozen=True, slots=True)
class Talk:
    """What of a call thresholds look at."""

    direction: Direction
    to_number: str | None
    extensions: Collection[str]
    groups: Collection[str]


SecondsFor = Callable[[int], int | None]
"""How long a call may talk before it costs more than an amount; None: for ever, or nobody knows."""


def find_limit(
    thresholds: Iterable[Threshold], talk: Talk, seconds_for: SecondsFor
) -> Passed | None:
    """As `find_threshold`, with prices in seconds of this call."""
    limits: dict[Threshold, Passed] = {}
    for threshold in thresholds:
        if _fits(threshold, talk):
            limit = _in_seconds(threshold, seconds_for)
            if limit is not None:
                limits[replace(threshold, seconds=limit.seconds)] = limit
    found = find_threshold(limits, talk)
    return limits[found] if found else None


def _in_seconds(threshold: Threshold, seconds_for: SecondsFor) -> Passed | None:
    seconds, cost = threshold.seconds, threshold.cost
    by_price = None if cost is None else seconds_for(cost)
    if by_price is not None and (seconds is None or by_price < seconds):
        return Passed(by_price, cost, threshold.hang_up)
    return None if seconds is None else Passed(seconds, None, threshold.hang_up)


def find_threshold(thresholds: Iterable[Threshold], talk: Talk) -> Threshold | None:
    """An extension says more than a group, a group more than a prefix, a longer prefix more than
    a shorter one, any of them more than the direction. Of equals the shorter time counts."""
    fitting = [t for t in thresholds if _fits(t, talk)]
    return max(fitting, key=_specific, default=None)


def _fits(threshold: Threshold, talk: Talk) -> bool:
    return (
        (threshold.direction is None or threshold.direction is talk.direction)
        and (threshold.extension is None or threshold.extension in talk.extensions)
        and (threshold.group is None or threshold.group in talk.groups)
        and (talk.to_number or "").startswith(threshold.prefix)
    )


def _specific(threshold: Threshold) -> tuple[bool, bool, int, bool, int]:
    return (
        threshold.extension is not None,
        threshold.group is not None,
        len(threshold.prefix),
        threshold.direction is not None,
        -(threshold.seconds or 0),
    )
