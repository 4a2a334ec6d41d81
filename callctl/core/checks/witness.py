"""What the manager interface saw of channels, held against what the journal's rows say.

Asterisk does not notice that it cannot write its journal (facts of cel_custom: the error of
closing the file is not looked at). So every channel that AMI tells of must turn up in the journal;
one that does not, although the journal was read to its end long after, is lost. A reader that
stands still proves nothing: its channels are judged when it goes on.

AMI tells nothing of the time in which it was away, and its events may be forged by a caller, who
can so raise an alarm, but hide nothing.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

_UNIQUEID = re.compile(r"(?:[\w.-]{1,120}-)?\d{9,12}\.\d{1,12}")


class JournalState(Enum):
    """WELL: a channel that AMI told of has been found in the journal since the last loss."""

    UNKNOWN = "unknown"
    WELL = "well"
    LOSING = "losing"


@dataclass(frozen=True, slots=True)
class WitnessLimits:
    """Seconds, and counts of channels.

    A row may be `patience` late before it counts as lost. Losing is over when a channel that
    began `quiet` after the last lost one is in the journal. What AMI said in the last `settle`
    before it was lost is not judged: killed, Asterisk takes rows with it that were queued.
    """

    patience: float = 15.0
    quiet: float = 60.0
    settle: float = 5.0
    waiting: int = 20_000
    lost: int = 5_000


@dataclass(slots=True)
class Witness:
    """Times are monotonic seconds. Memory is bounded whatever happens (`WitnessLimits`)."""

    limits: WitnessLimits = field(default_factory=WitnessLimits)
    lost_in_all: int = 0
    """Channels lost since the journal was last well; some may have turned up late."""
    _waiting: dict[str, float] = field(default_factory=dict)
    _early: dict[str, None] = field(default_factory=dict)
    _lost: dict[str, float] = field(default_factory=dict)
    _last_lost: float | None = None
    _last_found: float | None = None

    @property
    def lost(self) -> tuple[str, ...]:
        """Unique ids that are lost, the oldest first, as many as are kept."""
        return tuple(self._lost)

    @property
    def waiting(self) -> int:
        """Channels that AMI told of and no row has shown yet."""
        return len(self._waiting)

    def channel_began(self, uniqueid: str, now: float) -> None:
        """AMI says that this channel began."""
        if not _UNIQUEID.fullmatch(uniqueid):
            return
        if uniqueid in self._early:
            # The journal was quicker.
            del self._early[uniqueid]
            self._found(now)
            return
        self._waiting.setdefault(uniqueid, now)
        if len(self._waiting) > self.limits.waiting:
            # The reader stands still for long: a sample, the thinner the older, is proof enough.
            self._waiting = dict(list(self._waiting.items())[::2])

    def rows_read(self, uniqueids: Iterable[str]) -> None:
        """The journal has rows of these channels."""
        for uniqueid in uniqueids:
            began = self._waiting.pop(uniqueid, None)
            if began is not None:
                self._found(began)
            elif uniqueid in self._lost:
                del self._lost[uniqueid]
            else:
                self._early[uniqueid] = None
        while len(self._early) > self.limits.waiting:
            del self._early[next(iter(self._early))]

    def connection_lost(self, now: float) -> None:
        """AMI is away from `now` on."""
        for uniqueid in [u for u, at in self._waiting.items() if at > now - self.limits.settle]:
            del self._waiting[uniqueid]

    def judge(self, read_until: float | None) -> JournalState:
        """Whether the journal loses calls. `read_until`: it was read to its end at that time."""
        if read_until is not None:
            self._give_up(read_until - self.limits.patience)
        if self._last_lost is None:
            return JournalState.UNKNOWN if self._last_found is None else JournalState.WELL
        found_since = (self._last_found or 0.0) - self._last_lost
        if self._lost and found_since < self.limits.quiet:
            return JournalState.LOSING
        self._lost.clear()
        self._last_lost = None
        self.lost_in_all = 0
        return JournalState.WELL

    def _give_up(self, before: float) -> None:
        for uniqueid in [u for u, began in self._waiting.items() if began < before]:
            began = self._waiting.pop(uniqueid)
            self._last_lost = max(self._last_lost or 0.0, began)
            self.lost_in_all += 1
            if len(self._lost) < self.limits.lost:
                self._lost[uniqueid] = began

    def _found(self, began: float) -> None:
        self._last_found = max(self._last_found or 0.0, began)
