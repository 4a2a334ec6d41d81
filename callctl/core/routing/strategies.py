"""In which order a hunt group's members ring: the six strategies.

Pure: what a strategy remembers comes in as `HuntMemory`, chance comes from the call's uniqueid by
a stable hash. Without either (the fallback dialplan) each gives the configured order.
"""

from hashlib import blake2b

from callctl.core.routing.model import HuntGroup, HuntMemory, Member, RingStrategy


def order_members(
    group: HuntGroup, account_id: int, uniqueid: str, memory: HuntMemory
) -> tuple[Member, ...]:
    """All members, those to be skipped too, in the order in which they would ring.

    Ties keep the configured order. `ALL` and `IN_ORDER` are the configured order.
    """
    members = group.members
    match group.strategy:
        case RingStrategy.ROUND_ROBIN:
            return _after(members, memory.offered_first.get((account_id, group.name)))
        case RingStrategy.LEAST_RECENT:
            at = memory.answered_at
            return tuple(sorted(members, key=lambda m: at.get((account_id, m.extension), 0.0)))
        case RingStrategy.FEWEST_CALLS:
            count = memory.answered_count
            return tuple(sorted(members, key=lambda m: count.get((account_id, m.extension), 0)))
        case RingStrategy.RANDOM if uniqueid:
            return tuple(sorted(members, key=lambda m: _lot(uniqueid, group.name, m.extension)))
        case _:
            return members


def _after(members: tuple[Member, ...], last_first: str | None) -> tuple[Member, ...]:
    for position, member in enumerate(members):
        if member.extension == last_first:
            return members[position + 1 :] + members[: position + 1]
    return members


def _lot(uniqueid: str, group: str, extension: str) -> bytes:
    text = f"{uniqueid}\0{group}\0{extension}".encode("utf-8", "replace")
    return blake2b(text, digest_size=8).digest()
