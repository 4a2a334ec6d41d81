"""How much there was within the last hour or day, in constant time and memory.

A window is a ring of buckets. The bucket that is being left counts whole, so that a window is
never shorter than it says, only up to a bucket longer: a limit errs on the safe side.
"""

from collections import OrderedDict
from datetime import date

HOUR = 3600
DAY = 24 * HOUR


class Window:
    """Amounts of the last `buckets` × `step` seconds. Times are seconds since the epoch; one that
    lies before the newest counts as now (clocks are set back), one too old is not counted."""

    __slots__ = ("_head", "_ring", "_step", "_total")

    def __init__(self, step: int, buckets: int) -> None:
        self._step = step
        self._ring = [0] * (buckets + 1)
        self._head = 0
        self._total = 0

    def add(self, at: float, amount: int, now: float) -> None:
        self._advance(now)
        bucket = min(int(at // self._step), self._head)
        if bucket > self._head - len(self._ring):
            self._ring[bucket % len(self._ring)] += amount
            self._total += amount

    def add_span(self, begin: float, end: float, now: float, sign: int = 1) -> None:
        """A second for each second from `begin` to `end`; `sign` -1 takes them away again."""
        begin = max(begin, now - self._step * len(self._ring))
        at = begin
        while at < end:
            until = min(end, (at // self._step + 1) * self._step)
            self.add(at, sign * (round(until - begin) - round(at - begin)), now)
            at = until

    def total(self, now: float) -> int:
        self._advance(now)
        return self._total

    def _advance(self, now: float) -> None:
        bucket = int(now // self._step)
        passed = bucket - self._head
        if passed <= 0:
            return
        if passed >= len(self._ring):
            self._ring = [0] * len(self._ring)
            self._total = 0
        else:
            for gone in range(self._head + 1, bucket + 1):
                place = gone % len(self._ring)
                self._total -= self._ring[place]
                self._ring[place] = 0
        self._head = bucket


class Spent:
    """Money of the calendar's newest period, by the number of that (a day's, a month's)."""

    __slots__ = ("_period", "_total")

    def __init__(self) -> None:
        self._period = 0
        self._total = 0

    def add(self, period: int, amount: int) -> None:
        """Nothing is kept of what belongs to an earlier one."""
        if period > self._period:
            self._period, self._total = period, 0
        if period == self._period:
            self._total += amount

    def total(self, period: int) -> int:
        return self._total if period == self._period else 0


def month_of(day: date) -> int:
    """Counted through, as days are by their ordinal."""
    return day.year * 12 + day.month


def hour_window() -> Window:
    return Window(300, 12)


def day_window() -> Window:
    return Window(HOUR, 24)


class Recent:
    """Different things seen within an hour, at most `most` of them; the oldest go first."""

    __slots__ = ("_most", "_seen")

    def __init__(self, most: int) -> None:
        self._most = most
        self._seen: OrderedDict[str, float] = OrderedDict()

    def add(self, thing: str, at: float) -> None:
        seen = self._seen
        seen[thing] = max(at, seen.get(thing, at))
        seen.move_to_end(thing)
        if len(seen) > self._most:
            seen.popitem(last=False)

    def count_with(self, thing: str, now: float) -> int:
        """How many there are, `thing` included."""
        return self.count(now) + (thing not in self._seen)

    def count(self, now: float) -> int:
        seen = self._seen
        while seen and now - seen[next(iter(seen))] >= HOUR:
            seen.popitem(last=False)
        return len(seen)
