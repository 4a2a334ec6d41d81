"""Counting calls to the outside, in memory: what has been, and what is going on.

A call counts from the decision that lets it out, so that two in the same instant see each other.
Its end comes from its record or from Asterisk's list of channels; one that neither tells of ends
when its longest talk is over. A forward that was not needed is taken back.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from zoneinfo import ZoneInfo

from callctl.core.routing.check_limits import MAX_DESTINATIONS
from callctl.core.routing.gate import limits_of
from callctl.core.routing.limits import COSTS, EXTENSION_SCOPES, Measure, Outside, Scope
from callctl.core.routing.model import AccountIndex
from callctl.features.limits.windows import (
    HOUR,
    Recent,
    Spent,
    Window,
    day_window,
    hour_window,
    month_of,
)

MAX_ENDED = 10_000
MAX_KNOWN = 50_000
RING_SECONDS = 1800
"""How long a call may ring and hunt before it talks."""
MAX_TALK_SECONDS = 24 * HOUR
"""When a call without a longest talk time is given up by counting."""

_COUNTRY = Scope.COUNTRY

Key = tuple[int, Scope, str]
"""Account, scope, and the extension or the country."""


@dataclass(slots=True, eq=False)
class Tally:
    """What one scope has used. `full`: a call took the last place that `concurrent` leaves.
    `reserved`: what its calls that are not charged yet may cost."""

    live: int = 0
    began_sum: float = 0.0
    full: bool = False
    calls: Window = field(default_factory=hour_window)
    seconds_hour: Window = field(default_factory=hour_window)
    seconds_day: Window = field(default_factory=day_window)
    numbers: Recent = field(default_factory=lambda: Recent(MAX_DESTINATIONS))
    reserved: int = 0
    spent_day: Spent = field(default_factory=Spent)
    spent_month: Spent = field(default_factory=Spent)

    def used(self, measure: Measure, now: float, today: date) -> int:
        """How much there is, without a further call. Minutes are whole ones. `today`: the
        account's day at `now`."""
        match measure:
            case Measure.CONCURRENT:
                return self.live
            case Measure.CALLS_PER_HOUR:
                return self.calls.total(now)
            case Measure.DESTINATIONS_PER_HOUR:
                return self.numbers.count(now)
            case Measure.MINUTES_PER_HOUR:
                running = min(self._running(now), HOUR * self.live)
                return int(self.seconds_hour.total(now) + running) // 60
            case Measure.MINUTES_PER_DAY:
                return int(self.seconds_day.total(now) + self._running(now)) // 60
            case Measure.COST_PER_DAY:
                return self.spent_day.total(today.toordinal()) + self.reserved
            case Measure.COST_PER_MONTH:
                return self.spent_month.total(month_of(today)) + self.reserved

    def add_cost(self, cost: int, day: date) -> None:
        self.spent_day.add(day.toordinal(), cost)
        self.spent_month.add(month_of(day), cost)

    def _running(self, now: float) -> float:
        return max(0.0, now * self.live - self.began_sum)

    def add_seconds(self, begin: float, end: float, now: float, sign: int = 1) -> None:
        self.seconds_hour.add_span(begin, end, now, sign)
        self.seconds_day.add_span(begin, end, now, sign)


@dataclass(frozen=True, slots=True)
class Charge:
    """One number that a call dials outside, and what it counts for. `certain`: it is dialled
    unless the caller leaves; a forward on no answer is not. `cost`: the most that it may cost."""

    account_id: int
    extension: str | None
    outside: Outside
    certain: bool = True
    scopes: tuple[Scope, ...] = ()
    cost: int = 0

    def key(self, scope: Scope) -> Key:
        """Where it is counted in `scope`."""
        if scope in EXTENSION_SCOPES:
            return self.account_id, scope, self.extension or ""
        return self.account_id, scope, self.outside.place if scope is _COUNTRY else ""


def charge(
    index: AccountIndex, extension: str | None, outside: Outside, *, certain: bool = True
) -> Charge:
    """A call of `extension` to `outside`, by the limits in force."""
    limits = limits_of(index, extension)
    abroad = limits.is_abroad(outside)
    scopes = limits.scopes(abroad=abroad, extension=extension is not None)
    return Charge(index.account.id, extension, outside, certain, scopes)


def limits_money(index: AccountIndex) -> bool:
    """Whether the account has budgets, or any of its extensions."""
    every = (index.limits, *index.extension_limits.values())
    return any(rule.measure in COSTS for limits in every for rule in limits.rules_abroad)


def day_of(index: AccountIndex, now: datetime) -> date:
    """The day that it is for the account."""
    return now.astimezone(ZoneInfo(index.account.timezone)).date()


@dataclass(slots=True)
class LiveCall:
    """A call that may leave the house. Times are epoch seconds; `ended` None while it goes on."""

    uniqueid: str
    linkedid: str
    began: float
    expires: float
    charges: tuple[Charge, ...]
    tallies: tuple[tuple[Tally, int], ...]
    """Each tally once, with how many of the charges count for it."""
    costs: tuple[tuple[Tally, int], ...] = ()
    """What is reserved of each, until the call's charge is known."""
    ended: float | None = None

    @property
    def certain(self) -> bool:
        return any(charge.certain for charge in self.charges)


class Counts:
    """All tallies, and the calls that are not settled yet. Every time is epoch seconds."""

    def __init__(self) -> None:
        self._tallies: dict[Key, Tally] = {}
        self._live: dict[str, list[LiveCall]] = {}
        self._ended: dict[str, list[LiveCall]] = {}
        self._known: dict[str, None] = {}

    # Asking

    def tallies(self, charge: Charge) -> dict[Scope, Tally]:
        """All that `charge` counts for."""
        tallies = self._tallies
        found = {}
        for scope in charge.scopes:
            key = charge.key(scope)
            tally = tallies.get(key)
            if tally is None:
                tally = tallies[key] = Tally()
            found[scope] = tally
        return found

    def usage(
        self, account_id: int, now: float, today: date
    ) -> list[tuple[Scope, str, dict[Measure, int]]]:
        """What each scope of an account has used; those that have used nothing are left out."""
        found = []
        for (account, scope, name), tally in self._tallies.items():
            if account == account_id:
                used = {measure: tally.used(measure, now, today) for measure in Measure}
                if any(used.values()):
                    found.append((scope, name, used))
        return sorted(found, key=lambda entry: (list(Scope).index(entry[0]), entry[1]))

    @property
    def live(self) -> list[LiveCall]:
        return [call for calls in self._live.values() for call in calls]

    def is_awaited(self, uniqueid: str) -> bool:
        """Whether this call's end may let another one pass."""
        calls = self._live.get(uniqueid, ())
        return any(tally.full for call in calls for tally, _ in call.tallies)

    # Calls that begin

    def begin(
        self,
        uniqueid: str,
        linkedid: str | None,
        charges: Sequence[tuple[Charge, Mapping[Scope, Tally]]],
        now: float,
        max_seconds: int | None,
    ) -> None:
        """Count `charges`, each with its tallies, for the call of channel `uniqueid` from now.

        Nothing is kept of a call that nothing limits.
        """
        times: dict[Tally, int] = {}
        costs: dict[Tally, int] = {}
        for charge, found in charges:
            for tally in found.values():
                times[tally] = times.get(tally, 0) + 1
                tally.numbers.add(charge.outside.number, now)
                if charge.cost:
                    # Only one of a plan's numbers is ever talked to.
                    costs[tally] = max(costs.get(tally, 0), charge.cost)
        for tally, count in times.items():
            tally.calls.add(now, count, now)
            tally.live += 1
            tally.began_sum += now
        if not times:
            return
        expires = now + RING_SECONDS + (max_seconds or MAX_TALK_SECONDS)
        for tally, cost in costs.items():
            tally.reserved += cost
        made = tuple(charge for charge, _ in charges)
        call = LiveCall(
            uniqueid, linkedid or uniqueid, now, expires, made, tuple(times.items()),
            tuple(costs.items()),
        )  # fmt: skip
        self._live.setdefault(uniqueid, []).append(call)

    def add_past(self, charge: Charge, at: float, talk: tuple[float, float], now: float) -> None:
        """A call that was not counted while it lasted: begun `at`, talked from and to."""
        for tally in self.tallies(charge).values():
            tally.calls.add(at, 1, now)
            if now - at < HOUR:
                tally.numbers.add(charge.outside.number, at)
            tally.add_seconds(*talk, now)

    # Calls that end

    def end(self, uniqueid: str, now: float) -> None:
        """Its channels are gone. How long it talked, its record will say."""
        for call in self._live.pop(uniqueid, ()):
            self._let_go(call, now)
            for tally, _ in call.tallies:
                tally.add_seconds(call.began, now, now)
            self._ended.setdefault(uniqueid, []).append(call)
        while len(self._ended) > MAX_ENDED:
            for call in self._ended.pop(next(iter(self._ended))):
                _unreserve(call)

    def settle(
        self,
        uniqueids: Iterable[str],
        dialled: bool,
        talk: tuple[float, float] | None,
        now: float,
        cost: int = 0,
        day: date = date.min,
    ) -> bool:
        """The record is there: whether a number outside was `dialled`, from when to when it was
        talked, and what it cost on the account's `day`. False if none of its channels was
        counted."""
        settled: dict[Tally, None] = {}
        found = False
        for uniqueid in uniqueids:
            for call in self._live.pop(uniqueid, ()):
                self._let_go(call, now)
                self._correct(call, dialled, talk, now)
                settled |= dict.fromkeys(_unreserve(call))
                found = True
            for call in self._ended.pop(uniqueid, ()):
                for tally, _ in call.tallies:
                    tally.add_seconds(call.began, call.ended or call.began, now, -1)
                self._correct(call, dialled, talk, now)
                settled |= dict.fromkeys(_unreserve(call))
                found = True
        if cost:
            for tally in settled:
                tally.add_cost(cost, day)
        return found

    def add_cost(self, charge: Charge, cost: int, day: date) -> None:
        """What a call cost that was not counted while it lasted, or many of them together."""
        for tally in self.tallies(charge).values():
            tally.add_cost(cost, day)

    def note_record(self, call_id: str) -> bool:
        """Whether this record is new: a rebuilt one must not count again."""
        if call_id in self._known:
            return False
        self._known[call_id] = None
        if len(self._known) > MAX_KNOWN:
            del self._known[next(iter(self._known))]
        return True

    def expire(self, now: float) -> list[LiveCall]:
        """End what has lasted longer than it could; those calls."""
        late = [call for call in self.live if call.expires < now]
        for call in late:
            self.end(call.uniqueid, now)
        return late

    def _let_go(self, call: LiveCall, now: float) -> None:
        call.ended = now
        for tally, _ in call.tallies:
            tally.live -= 1
            # Sums of floats drift; without calls there is no sum.
            tally.began_sum = tally.began_sum - call.began if tally.live else 0.0
            tally.full = False

    def _correct(
        self, call: LiveCall, dialled: bool, talk: tuple[float, float] | None, now: float
    ) -> None:
        for tally, count in call.tallies:
            if not dialled and not call.certain:
                tally.calls.add(call.began, -count, now)
            elif dialled and talk is not None:
                tally.add_seconds(*talk, now)


def _unreserve(call: LiveCall) -> Iterable[Tally]:
    """Its charge is known, or nobody waits for it any more. All that it counted for."""
    for tally, cost in call.costs:
        tally.reserved -= cost
    return [tally for tally, _ in call.tallies]
