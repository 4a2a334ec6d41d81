"""Where the planner asks whether a call may leave the house.

A gate answers for one plan. Who hands it in decides what it knows: the daemon's counts everything
and remembers what it let pass; `StaticGate` knows destinations only, for plans without a moment.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from callctl.core.money.guard import Price
from callctl.core.routing.limits import (
    PASSED,
    Attempt,
    Limits,
    Outside,
    Rule,
    Verdict,
    judge,
)
from callctl.core.routing.model import AccountIndex
from callctl.core.routing.outbound import Outgoing
from callctl.core.routing.schedule import opening_at

Classify = Callable[[Outgoing, str], Outside]
"""What an outgoing number is, read as people of a country dial."""


@dataclass(slots=True)
class Bid:
    """What a number outside costs, while its plan is made, for gates that ask one another.

    `price`: what the account itself pays, None = nothing; `least`: what a call costs it that is
    worth to begin. `bound`: the most that a limit lets it cost. `amount`: what is kept
    for it, once the plan is used. `refused`: there is no money for it.
    """

    price: Price | None
    least: int = 0
    bound: int | None = None
    amount: int = 0
    refused: bool = False


class Gate(Protocol):
    """Asked once for each number that a plan would dial outside, emergency numbers excepted."""

    def __call__(
        self,
        index: AccountIndex,
        extension: str | None,
        found: Outgoing,
        now: datetime | None,
        *,
        certain: bool,
    ) -> Verdict:
        """`extension`: who causes the call. `certain`: it is dialled unless the caller leaves."""
        ...


class CountingGate(Gate, Protocol):
    """A gate whose answers count once the plan is used."""

    def keep(self, uniqueid: str, linkedid: str | None, max_seconds: int | None) -> None:
        """The plan runs for channel `uniqueid`; talk ends after `max_seconds` (None = never)."""
        ...


def limits_of(index: AccountIndex, extension: str | None) -> Limits:
    """The extension's own limits where it has any, else the account's."""
    if extension is not None and (own := index.extension_limits.get(extension)) is not None:
        return own
    return index.limits


def ask(
    index: AccountIndex,
    extension: str | None,
    outside: Outside,
    now: datetime | None,
    count: Callable[[Sequence[Rule]], Sequence[int]],
    approved: str = "",
) -> Verdict:
    """`judge` by the limits in force. `count`: what each rule counts, this call included.

    Without a clock the off-hours schedule counts as open, as schedules do in such a plan.
    """
    limits = limits_of(index, extension)
    if not limits.enabled:
        return PASSED
    abroad = limits.is_abroad(outside)
    is_open = True
    if abroad and limits.off_hours is not None and now is not None:
        schedule = index.schedules.get(limits.off_hours.schedule)
        if schedule is not None:
            is_open = opening_at(schedule, now, index.account.timezone).is_open
    rules = limits.rules(abroad=abroad, extension=extension is not None)
    attempt = Attempt(outside, extension, abroad, is_open, approved)
    return judge(limits, attempt, rules, count(rules))


class StaticGate:
    """Knows no counts: for expectations, and for the fallback dialplan."""

    def __init__(self, classify: Classify) -> None:
        self._classify = classify

    def __call__(
        self,
        index: AccountIndex,
        extension: str | None,
        found: Outgoing,
        now: datetime | None,
        *,
        certain: bool,
    ) -> Verdict:
        outside = self._classify(found, index.account.country)
        return ask(index, extension, outside, now, lambda rules: [0] * len(rules))

    def keep(self, uniqueid: str, linkedid: str | None, max_seconds: int | None) -> None:
        """Nothing is counted."""
