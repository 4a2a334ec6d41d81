"""The gate that counts: what the planner asks before a call leaves, when it is a real call."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime

from callctl.core.routing.gate import Bid, ask, limits_of
from callctl.core.routing.limits import COSTS, PASSED, Measure, Rule, Scope, Verdict
from callctl.core.routing.model import AccountIndex
from callctl.core.routing.outbound import Outgoing
from callctl.features.limits.counts import Charge, Counts, Tally, charge, day_of
from callctl.features.limits.store import Decision
from callctl.numbers import classify_outgoing

DecisionOn = Callable[[Charge, datetime], Decision | None]
"""What a person has decided on such calls, if that is in force."""

Answer = tuple[Charge, dict[Scope, Tally], Verdict]

Paid = tuple[Bid, date, bool]
"""A number that costs something: its bid, the account's day, whether a hold is approved."""

Tell = Callable[[Charge, Verdict, datetime], None]
"""Told of every verdict that says more than yes."""


# Members of an enum are slow to look up (Python 3.11), and these are asked for every rule.
_CALLS = Measure.CALLS_PER_HOUR
_CONCURRENT = Measure.CONCURRENT
_NUMBERS = Measure.DESTINATIONS_PER_HOUR


class Gate:
    """Answers for one plan (`core.routing.gate.CountingGate`), and remembers what it answered.

    A number that costs something comes with its `bid`, and is measured by the budgets, too.
    """

    __slots__ = (
        "_answers", "_bids", "_counts", "_decision_on", "_full", "_now", "_tell", "_time",
    )  # fmt: skip

    def __init__(self, counts: Counts, decision_on: DecisionOn, tell: Tell, now: datetime) -> None:
        self._counts = counts
        self._decision_on = decision_on
        self._tell = tell
        self._now = now
        self._time = now.timestamp()
        self._answers: list[Answer] = []
        self._bids: list[Bid | None] = []
        self._full: list[Tally] = []

    def __call__(
        self,
        index: AccountIndex,
        extension: str | None,
        found: Outgoing,
        now: datetime | None,
        *,
        certain: bool,
        bid: Bid | None = None,
    ) -> Verdict:
        limits = limits_of(index, extension)
        if not limits.enabled:
            return PASSED
        outside = classify_outgoing(found, index.account.country)
        if limits.is_free(outside):
            return PASSED
        asked = charge(index, extension, outside, certain=certain)
        tallies = self._counts.tallies(asked)
        decision = self._decision_on(asked, self._now)
        approved = ""
        if decision is not None and decision.approved:
            approved = f"by {decision.decided_by} until {decision.until:%Y-%m-%d %H:%M} UTC"

        paid = None
        if bid is not None and bid.price is not None:
            paid = bid, day_of(index, self._now), bool(approved)

        def count(rules: Sequence[Rule]) -> list[int]:
            return [self._count(tallies[rule.scope], rule, outside.number, paid) for rule in rules]

        verdict = ask(index, extension, outside, now, count, approved)
        self._answers.append((asked, tallies, verdict))
        self._bids.append(bid)
        return verdict

    def keep(self, uniqueid: str, linkedid: str | None, max_seconds: int | None) -> None:
        """The plan is used: count what it lets out, tell what it does not."""
        if not self._answers:
            return
        charges = [
            (asked if bid is None else replace(asked, cost=bid.amount), found)
            for (asked, found, verdict), bid in zip(self._answers, self._bids, strict=True)
            if verdict.passes and (bid is None or not bid.refused)
        ]
        if charges:
            self._counts.begin(uniqueid, linkedid, charges, self._time, max_seconds)
            for tally in self._full:
                tally.full = True
        for asked, _, verdict in self._answers:
            if verdict.findings:
                self._tell(asked, verdict, self._now)

    def _count(self, tally: Tally, rule: Rule, number: str, paid: Paid | None) -> int:
        """With what this very plan has let out before: its steps are of one call, so only one of
        them goes on at a time."""
        measure = rule.measure
        if measure is _CALLS:
            count = tally.calls.total(self._time) + 1
        elif measure is _CONCURRENT:
            count = tally.live + 1
            places = rule.threshold.places
            if places is not None and count >= places:
                self._full.append(tally)
            return count
        elif measure is _NUMBERS:
            count = tally.numbers.count_with(number, self._time)
        elif measure in COSTS:
            # What costs nothing needs no budget.
            return 0 if paid is None else _spend(tally, rule, *paid)
        else:
            return tally.used(measure, self._time, date.min) + 1
        for asked, tallies, verdict in self._answers:
            if verdict.passes and tallies.get(rule.scope) is tally:
                count += _adds(asked.outside.number, number, measure)
        return count


def _spend(tally: Tally, rule: Rule, bid: Bid, today: date, approved: bool) -> int:
    """What is spent and reserved, with the least that a call can cost; the rest of the budget
    bounds what it may cost."""
    used = tally.used(rule.measure, 0.0, today)
    threshold = rule.threshold
    places = threshold.block if approved else threshold.places
    if places is not None:
        rest = max(0, places - used)
        bid.bound = rest if bid.bound is None else min(bid.bound, rest)
    return used + bid.least


def _adds(other: str, number: str, measure: Measure) -> bool:
    """Whether a step of the same plan to `other` adds to what is counted for `number`."""
    return other != number if measure is _NUMBERS else True
