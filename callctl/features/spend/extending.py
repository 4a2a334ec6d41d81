"""Calls that were given a slice get more while they talk, as long as there is money; those whose
money somebody else was quicker to spend get less.

The plan was decided once and stays as it is: Asterisk is told over AMI to end the call later than
it was told first. Without the daemon, or without AMI, the call ends with its slice.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from callctl.core.money.guard import Guard, Reservation
from callctl.telemetry.clock import Clock

LOOK_SECONDS = 1.0
RENEW_SECONDS = 20.0
"""So long before its end a slice is made longer, or a third of it, if that is less."""

LATE_SECONDS = 0.3
"""What the order may need on its way."""

AT_ONCE_SECONDS = 0.1
"""To Asterisk, none at all means that the call never ends."""


@dataclass(frozen=True, slots=True)
class Talk:
    """The channel of whoever was called outside, and when it was answered (epoch seconds)."""

    channel: str
    answered_at: float


TalkOf = Callable[[str], Talk | None]
"""The talk of the call that began with this channel; None while there is none."""

EndAfter = Callable[[str, float], Awaitable[bool]]
"""Have a channel end so many seconds from now; whether that will happen."""


class Extender:
    """`extended` hears of every reservation that has become larger."""

    def __init__(
        self,
        guard: Guard,
        talk_of: TalkOf,
        end_after: EndAfter,
        extended: Callable[[Reservation], None],
        clock: Clock,
    ) -> None:
        self._guard = guard
        self._talk_of = talk_of
        self._end_after = end_after
        self._extended = extended
        self._clock = clock

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Extend what ends soon, and tell Asterisk of what was shortened."""
        now = self._clock().timestamp()
        doing = []
        for reservation in list(self._guard.reservations):
            if not (reservation.shortened or _may_grow(reservation)):
                continue
            talk = self._talk_of(reservation.key)
            if talk is None:
                continue
            if reservation.shortened:
                doing.append(self._shorten(reservation, talk))
            elif _ends_soon(reservation, talk, now):
                doing.append(self._extend(reservation, talk))
        await asyncio.gather(*doing)

    async def _extend(self, reservation: Reservation, talk: Talk) -> None:
        """What is reserved stays so, whatever becomes of the order: it may have been obeyed."""
        before = reservation.seconds
        if self._guard.extend(reservation) > before:
            self._extended(reservation)
            talked = self._clock().timestamp() - talk.answered_at
            await self._end_after(talk.channel, reservation.seconds - talked - LATE_SECONDS)

    async def _shorten(self, reservation: Reservation, talk: Talk) -> None:
        """Told until it is obeyed."""
        told = reservation.seconds
        left = talk.answered_at + told - self._clock().timestamp()
        obeyed = await self._end_after(talk.channel, max(left - LATE_SECONDS, AT_ONCE_SECONDS))
        # Meanwhile it may have become still shorter.
        if obeyed and reservation.seconds == told:
            reservation.shortened = False


def _may_grow(reservation: Reservation) -> bool:
    return bool(reservation.claims) and reservation.seconds < reservation.most_seconds


def _ends_soon(reservation: Reservation, talk: Talk, now: float) -> bool:
    left = talk.answered_at + reservation.seconds - now
    return 0 < left < min(RENEW_SECONDS, reservation.seconds / 3)
