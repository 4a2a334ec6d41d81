"""Who answered a call, and who had it at its end."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from callctl.core.calls.attempts import Attempts
from callctl.core.calls.channels import Channel
from callctl.core.calls.inventory import Inventory
from callctl.core.calls.record import Attempt
from callctl.core.calls.text import clean_number


@dataclass(frozen=True, slots=True)
class Parties:
    answered_by: str | None
    destination: str | None


def find_parties(
    caller: Channel,
    others: Sequence[Channel],
    attempts: Attempts,
    inventory: Inventory,
    answered: bool,
) -> Parties:
    """Who answered first, and who had the call at its end (after transfers, pickup, parking)."""
    if not answered:
        return Parties(None, _label(attempts[-1][0]) if attempts else None)
    talkers = sorted((c for c in others if not c.inner and c.talks), key=_first_talk)
    if not talkers:
        return Parties(None, None)
    numbers = {id(c): a.number for a, c in attempts if c is not None}
    bridges = {s.bridge for s in caller.talks}
    first = next((c for c in talkers if bridges & {s.bridge for s in c.talks}), talkers[0])
    together = last_together([caller, *others])
    final = next((c for c in reversed(talkers) if c in together), max(talkers, key=_last_talk))
    return Parties(
        inventory.extension(first.endpoint),
        numbers.get(id(final)) or inventory.extension(final.endpoint) or _dialled_by(final),
    )


def _label(attempt: Attempt) -> str | None:
    return attempt.number or attempt.extension


def _dialled_by(channel: Channel) -> str | None:
    return clean_number(channel.first.cid_num)


def _first_talk(channel: Channel) -> int:
    return min(s.entered_us for s in channel.talks)


def last_together(channels: Iterable[Channel]) -> list[Channel]:
    """The channels of the call's last conversation: of the last moment that two were in a bridge.

    Who leaves while two others stay (a transfer) is not of them, however soon the end comes.
    """
    moves: list[tuple[int, bool, str, Channel]] = []
    for channel in channels:
        for stay in channel.talks:
            moves.append((stay.entered_us, True, stay.bridge, channel))
            left_us = stay.exited_us if stay.exited_us is not None else channel.last_us
            moves.append((left_us, False, stay.bridge, channel))
    present: dict[str, list[Channel]] = {}
    last: list[Channel] = []
    for _, enters, bridge, channel in sorted(moves, key=lambda m: m[:2]):
        inside = present.setdefault(bridge, [])
        if enters:
            inside.append(channel)
        elif channel in inside:
            inside.remove(channel)
        if len(inside) > 1:
            last = list(inside)
    return last


def _last_talk(channel: Channel) -> int:
    ends = [s.exited_us if s.exited_us is not None else channel.last_us for s in channel.talks]
    return max(ends)
