"""Who is rung at all: why an extension is left out, and whether a caller matches a pattern."""

from datetime import datetime

from callctl.core.routing.model import AccountIndex, Extension
from callctl.core.routing.outbound import WITHHELD
from callctl.core.routing.patterns import parse_pattern
from callctl.core.routing.plan import Direction, Reason, RouteRequest
from callctl.core.routing.schedule import opening_at


def is_caller(extension: Extension, request: RouteRequest, direction: Direction) -> bool:
    """Whether `extension` itself placed the call (never true of a call from outside)."""
    return direction is not Direction.INBOUND and request.key == extension.number


def skip_reason(
    index: AccountIndex,
    extension: Extension,
    request: RouteRequest,
    direction: Direction,
    now: datetime | None,
) -> Reason | None:
    """Why `extension` must not be rung by this call; None if it may. `now` None: no clock."""
    number = extension.number
    if is_caller(extension, request, direction):
        return Reason("skipped_self", number)
    if not extension.enabled:
        return Reason("skipped_disabled", number)
    for pattern in extension.blocked_callers:
        if caller_matches(request, pattern):
            return Reason("skipped_blocked", number, pattern)
    if extension.dnd:
        return Reason("skipped_dnd", number)
    if extension.schedule is not None and now is not None:
        schedule = index.schedules.get(extension.schedule)
        zone = index.account.timezone
        if schedule is not None and not opening_at(schedule, now, zone).is_open:
            return Reason("skipped_hours", number, extension.schedule)
    return None


def caller_matches(request: RouteRequest, pattern: str) -> bool:
    """A number pattern over the caller's number as it came and in E.164, or ``withheld``."""
    number, e164 = request.caller_number, request.caller_e164
    if pattern == WITHHELD:
        return not number and not e164
    parsed = parse_pattern(pattern)
    return (e164 is not None and parsed.matches(e164)) or (
        number is not None and parsed.matches(number)
    )


def is_open(index: AccountIndex, name: str, now: datetime | None) -> tuple[bool, Reason]:
    """Whether a schedule is, and what tells of it. Open, too, if it is missing or without clock."""
    schedule = index.schedules.get(name)
    if schedule is None:
        return True, Reason("missing", f"schedule:{name}")
    if now is None:
        return True, Reason("no_clock", name)
    opening = opening_at(schedule, now, index.account.timezone)
    when = f"{opening.local:%a %Y-%m-%d %H:%M}"
    detail = f"{when}, {opening.holiday}" if opening.holiday else when
    return opening.is_open, Reason("open" if opening.is_open else "closed", name, detail)
