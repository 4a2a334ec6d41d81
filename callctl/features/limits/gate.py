"""The gate that counts: what the planner asks before a call leaves, when it is a real call."""

from collections.abc import Callable, Sequence
from datetime import datetime

from callctl.core.routing.gate import ask, limits_of
from callctl.core.routing.limits import PASSED, Measure, Rule, Scope, Verdict
from callctl.core.routing.model import AccountIndex
from callctl.core.routing.outbound import Outgoing
from callctl.features.limits.counts import Charge, Counts, Tally, charge
from callctl.features.limits.store import Decision
from callctl.numbers import classify_outgoing

DecisionOn = Callable[[Charge, datetime], Decision | None]
"""What a person has decided on such calls, if that is in force."""

Answer = tuple[Charge, dict[Scope, Tally], Verdict]

Tell = Callable[[Charge, Verdict, datetime], None]
"""Told of every verdict that says more than yes."""


# Members of an enum are slow to look up (Python 3.11), and these are asked for every rule.
_CALLS = Measure.CALLS_PER_HOUR
_CONCURRENT = Measure.CONCURRENT
_NUMBERS = Measure.DESTINATIONS_PER_HOUR


class Gate:
    """Answers for one plan (`core.routing.gate.CountingGate`), and remembers what it answered."""

    __slots__ = ("_answers", "_counts", "_decision_on", "_full", "_now", "_tell", "_time")

    def __init__(self, counts: Counts, decision_on: DecisionOn, tell: Tell, now: datetime) -> None:
        self._counts = counts
        self._decision_on = decision_on
        self._tell = tell
        self._now = now
        self._time = now.timestamp()
        self._answers: list[Answer] = []
        self._full: list[Tally] = []

    def __call__(
        self,
        index: AccountIndex,
        extension: str | None,
        found: Outgoing,
        now: datetime | None,
        *,
        certain: bool,
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

        def count(rules: Sequence[Rule]) -> list[int]:
            return [self._count(tallies[rule.scope], rule, outside.number) for rule in rules]

        verdict = ask(index, extension, outside, now, count, approved)
        self._answers.append((asked, tallies, verdict))
        return verdict

    def keep(self, uniqueid: str, linkedid: str | None, max_seconds: int | None) -> None:
        """The plan is used: count what it lets out, tell what it does not."""
        if not self._answers:
            return
        charges = [(asked, found) for asked, found, verdict in self._answers if verdict.passes]
        if charges:
            self._counts.begin(uniqueid, linkedid, charges, self._time, max_seconds)
            for tally in self._full:
                tally.full = True
        for asked, _, verdict in self._answers:
            if verdict.findings:
                self._tell(asked, verdict, self._now)

    def _count(self, tally: Tally, rule: Rule, number: str) -> int:
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
        else:
            return tally.used(measure, self._time) + 1
        for asked, tallies, verdict in self._answers:
            if verdict.passes and tallies.get(rule.scope) is tally:
                count += _adds(asked.outside.number, number, measure)
        return count


def _adds(other: str, number: str, measure: Measure) -> bool:
    """Whether a step of the same plan to `other` adds to what is counted for `number`."""
    return other != number if measure is _NUMBERS else True
