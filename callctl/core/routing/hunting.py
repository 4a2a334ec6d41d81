"""Which members of a hunt group ring, in which order, and for how long."""

from datetime import datetime

from callctl.core.routing.eligible import skip_reason
from callctl.core.routing.model import AccountIndex, Extension, HuntGroup, HuntMemory, Member
from callctl.core.routing.plan import Direction, Reason, RouteRequest
from callctl.core.routing.strategies import order_members


def members_to_ring(
    group: HuntGroup,
    index: AccountIndex,
    request: RouteRequest,
    direction: Direction,
    now: datetime | None,
    memory: HuntMemory,
) -> tuple[list[tuple[Extension, int]], list[Reason]]:
    """(extension, seconds) in the order of its strategy; and why the others are skipped."""
    members: list[tuple[Extension, int]] = []
    skipped: list[Reason] = []
    for member in order_members(group, index.account.id, request.uniqueid, memory):
        extension = index.extensions.get(member.extension)
        if extension is None:
            skipped.append(Reason("missing", f"extension:{member.extension}"))
        elif reason := _why_not(group, member, extension, index, request, direction, now):
            skipped.append(reason)
        else:
            members.append((extension, member.ring_seconds or group.ring_seconds))
    return members, skipped


def _why_not(
    group: HuntGroup,
    member: Member,
    extension: Extension,
    index: AccountIndex,
    request: RouteRequest,
    direction: Direction,
    now: datetime | None,
) -> Reason | None:
    if member.paused:
        return Reason("skipped_paused", extension.number, group.name)
    skipped = skip_reason(index, extension, request, direction, now)
    if skipped is None and extension.forward_always:
        return Reason("skipped_forwarded", extension.number)
    return skipped
