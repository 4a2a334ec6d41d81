"""Which threshold a call has: the most specific one that fits it decides (R001-15)."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from callctl.core.routing.plan import Direction


@dataclass(frozen=True, slots=True)
class Threshold:
    """A call that talks longer than `seconds` is too long. What is None or empty fits any call.

    `extension` placed or answered it, or is a member of the hunt group `group`; `prefix` are the
    first characters of the called number (E.164 where it has such a form).
    """

    seconds: int
    direction: Direction | None = None
    extension: str | None = None
    group: str | None = None
    prefix: str = ""
    hang_up: bool = False


@dataclass(frozen=True, slots=True)
class Talk:
    """What of a call thresholds look at."""

    direction: Direction
    to_number: str | None
    extensions: Collection[str]
    groups: Collection[str]


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
        -threshold.seconds,
    )
