"""Are an account's limits sound? Part of `check_routing`."""

import re
from collections.abc import Iterator

from callctl.core.routing.limits import (
    COSTS,
    EXTENSION_SCOPES,
    OTHERS,
    LimitSettings,
    Measure,
    OutsideKind,
    Rule,
)
from callctl.core.routing.model import AccountRouting

MAX_COUNT = 100_000
MAX_DESTINATIONS = 1_000
"""The most different numbers that are told apart within an hour."""
MAX_COST = 10**13
"""In minor units."""
MAX_SECONDS = 7 * 86_400

KINDS = tuple(kind.value for kind in OutsideKind if kind is not OutsideKind.ORDINARY)
_COUNTRY = re.compile("[A-Z]{2}")
_SOUND = re.compile(r"[A-Za-z0-9][A-Za-z0-9_/-]{0,79}")


def check_limits(routing: AccountRouting) -> Iterator[tuple[str, str]]:
    """(path, what is wrong) for the account's limits and those of its extensions."""
    schedules = {schedule.name for schedule in routing.schedules}
    yield from _check("limits", routing.limits, schedules)
    for place, extension in enumerate(routing.extensions):
        if extension.limits is not None:
            yield from _check(f"extensions[{place}].limits", extension.limits, schedules)
            for rule in extension.limits.rules:
                if rule.scope not in EXTENSION_SCOPES:
                    path = f"extensions[{place}].limits.{rule.scope}"
                    yield path, "an extension has no limits of the whole account"


def _check(path: str, limits: LimitSettings, schedules: set[str]) -> Iterator[tuple[str, str]]:
    for key, _ in limits.destinations:
        if key != OTHERS and key not in KINDS and not _COUNTRY.fullmatch(key):
            words = ", ".join((*KINDS, OTHERS))
            yield f"{path}.destinations.{key}", f"{key!r} is no country such as GB; else: {words}"
    for rule in limits.rules:
        yield from _check_rule(f"{path}.{rule.name}", rule)
    if limits.off_hours is not None and limits.off_hours.schedule not in schedules:
        message = f"there is no schedule {limits.off_hours.schedule}"
        yield f"{path}.off_hours.schedule", message
    most = limits.max_seconds_abroad
    if most is not None and not 1 <= most <= MAX_SECONDS:
        message = f"{most} is out of range: 1 to {MAX_SECONDS} seconds"
        yield f"{path}.max_seconds_abroad", message
    if limits.announce is not None and not _SOUND.fullmatch(limits.announce):
        message = f"{limits.announce[:80]!r} is not the name of a sound file, without its ending"
        yield f"{path}.announce", message


def _check_rule(path: str, rule: Rule) -> Iterator[tuple[str, str]]:
    most = MAX_DESTINATIONS if rule.measure is Measure.DESTINATIONS_PER_HOUR else MAX_COUNT
    if rule.measure in COSTS:
        most = MAX_COST
    threshold = rule.threshold
    given = [v for v in (threshold.warn, threshold.hold, threshold.block) if v is not None]
    for value in given:
        if not 0 <= value <= most:
            yield path, f"{value} is out of range: 0 to {most}"
    if given != sorted(given):
        yield path, "warn, hold, block must not become smaller in this order"
