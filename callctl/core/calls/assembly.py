"""Calls that are still being read: which rows they have, and when they are over.

A call is over when every channel that started has ended and a short grace has passed, in the
time of the rows when a backlog is read, else by the clock. LINKEDID_END is not asked: it comes in
the middle of calls that are transferred, picked up or parked.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from callctl.core.calls.events import CelEvent, unique_key
from callctl.core.calls.grouping import CallGroups

CLOCK_STEP_US = 60_000_000
"""No row is as late as this: the clock itself was put back."""


@dataclass(frozen=True, slots=True)
class OpenCall:
    """A call that is over and not stored yet. `ids`: its unique and linked ids."""

    root: str
    ids: tuple[str, ...]
    events: tuple[CelEvent, ...]
    raw: tuple[bytes, ...]
    damaged: bool


@dataclass(slots=True)
class _Due:
    last_row_us: int
    read_at: float


class CallAssembly:
    """Takes rows in any order; gives calls when they are over. Not one of them is ever dropped."""

    def __init__(self, grace_seconds: float) -> None:
        self._grace = grace_seconds
        self._groups = CallGroups()
        self._raw: dict[int, bytes] = {}
        self._open: set[str] = set()
        self._ended: set[str] = set()
        self._due: dict[str, _Due] = {}
        self._damaged: set[str] = set()
        self._newest_us = 0
        self._newest_counter = (0, 0)

    def __len__(self) -> int:
        """Calls whose end is not read yet, or that wait for their grace."""
        return len(self._groups)

    def add(self, event: CelEvent, raw: bytes, now: float) -> None:
        """File one row. `now`: monotonic seconds."""
        kind, time_us = event.type, event.time_us
        if kind == "CHAN_START":
            self._note_start(event, now)
        root = self._groups.add(event)
        self._raw[event.position] = raw
        # Earlier by so much, Asterisk's clock was put back: by the old time every call would be
        # over at once.
        if time_us > self._newest_us or time_us < self._newest_us - CLOCK_STEP_US:
            self._newest_us = time_us
        if kind == "CHAN_START":
            if event.uniqueid not in self._ended:
                self._open.add(event.uniqueid)
        elif kind in ("HANGUP", "CHAN_END"):
            self._open.discard(event.uniqueid)
            self._ended.add(event.uniqueid)
        due = self._due.get(root)
        if due is None:
            self._due[root] = _Due(time_us, now)
        else:
            if time_us > due.last_row_us:
                due.last_row_us = time_us
            due.read_at = now

    def note_damage(self, uniqueids: tuple[str, ...]) -> None:
        """Rows of these channels were found broken: their calls are *repaired* at best.

        Damage that names no channel may have cost any call that is not over a row.
        """
        self._damaged.update(
            uniqueids or [i for r in self._groups.roots() for i in self._groups.ids(r)]
        )

    def asterisk_started(self, at_us: int, now: float) -> None:
        """Asterisk began anew at `at_us`: what was open before has no end and never will."""
        for uniqueid in list(self._open):
            if unique_key(uniqueid)[0] < at_us // 1_000_000:
                self._close_channel(uniqueid, now)

    def open_channels(self) -> frozenset[str]:
        """Channels whose start was read, and whose end was not."""
        return frozenset(self._open)

    def close_channels(self, uniqueids: Iterable[str], now: float) -> tuple[str, ...]:
        """Asterisk has these no more, so their end is lost. Returns those that were open."""
        lost = tuple(uniqueid for uniqueid in uniqueids if uniqueid in self._open)
        for uniqueid in lost:
            self._close_channel(uniqueid, now)
        return lost

    def is_over(self, root: str, now: float) -> bool:
        due = self._due.get(root)
        if due is None or not self._open.isdisjoint(self._groups.ids(root)):
            return False
        by_rows = (self._newest_us - due.last_row_us) / 1_000_000
        return max(by_rows, now - due.read_at) > self._grace

    def take_over(self, now: float, most: int) -> list[OpenCall]:
        """Up to `most` calls that are over, oldest rows first. They stay until `forget`."""
        calls: list[OpenCall] = []
        for root in list(self._due):
            if self._groups.find(root) != root:
                self._merge_due(root)
            elif self.is_over(root, now):
                calls.append(self._as_open_call(root))
                if len(calls) >= most:
                    break
        return calls

    def forget(self, call: OpenCall) -> None:
        """Drop a call that is stored now."""
        for event in call.events:
            self._raw.pop(event.position, None)
        for id_ in call.ids:
            self._ended.discard(id_)
            self._damaged.discard(id_)
        self._due.pop(call.root, None)
        self._groups.forget(call.root)

    def positions(self) -> Iterable[int]:
        """Positions of all rows that are not part of a stored call yet, in order of reading."""
        return self._raw.keys()

    def oldest_position(self) -> int | None:
        """The first of `positions`."""
        return next(iter(self._raw), None)

    def _as_open_call(self, root: str) -> OpenCall:
        events = tuple(sorted(self._groups.events(root), key=lambda e: e.position))
        ids = tuple(self._groups.ids(root))
        return OpenCall(
            root=root,
            ids=ids,
            events=events,
            raw=tuple(self._raw[e.position] for e in events),
            damaged=any(i in self._damaged for i in ids),
        )

    def _merge_due(self, root: str) -> None:
        old = self._due.pop(root)
        now_in = self._groups.find(root)
        due = self._due.setdefault(now_in, old)
        due.last_row_us = max(due.last_row_us, old.last_row_us)
        due.read_at = max(due.read_at, old.read_at)

    def _note_start(self, event: CelEvent, now: float) -> None:
        """Asterisk's channel counter starts at 0 with Asterisk: a fall of it tells of a restart."""
        seconds, counter, _ = unique_key(event.uniqueid)
        newest_seconds, newest_counter = self._newest_counter
        if counter < newest_counter and seconds > newest_seconds:
            self.asterisk_started(seconds * 1_000_000, now)
            self._newest_counter = (seconds, counter)
        elif counter >= newest_counter:
            self._newest_counter = (seconds, counter)

    def _close_channel(self, uniqueid: str, now: float) -> None:
        self._open.discard(uniqueid)
        root = self._groups.find(uniqueid)
        due = self._due.setdefault(root, _Due(0, now))
        due.read_at = now
