"""The gate that money opens: asked after the one that counts, for numbers that cost something."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from callctl.core.money.guard import (
    SLACK_SECONDS,
    Claim,
    Grant,
    Guard,
    Payer,
    Reservation,
    amounts_of,
)
from callctl.core.routing.gate import Bid
from callctl.core.routing.limits import LimitAction, Verdict
from callctl.core.routing.model import AccountIndex
from callctl.core.routing.outbound import Outgoing
from callctl.core.routing.plan import Reason

RING_SECONDS = 1800
"""How long a call may ring and hunt before it talks."""

PayersOf = Callable[[AccountIndex, Outgoing, datetime], Sequence[Payer]]
"""Who pays for a call of this account to this number at this moment; nobody: it is free."""


class CountingGate(Protocol):
    """A gate that is told what a number costs, and may bound that (`Bid.bound`)."""

    def __call__(
        self,
        index: AccountIndex,
        extension: str | None,
        found: Outgoing,
        now: datetime | None,
        *,
        certain: bool,
        bid: Bid | None = None,
    ) -> Verdict: ...

    def keep(self, uniqueid: str, linkedid: str | None, max_seconds: int | None) -> None: ...


@dataclass(frozen=True, slots=True)
class Refusal:
    """A number that was not dialled for want of money; `code` as in the trace."""

    account_id: int
    extension: str | None
    number: str
    code: str


@dataclass(frozen=True, slots=True)
class Granted:
    """What one number of a plan may cost. `most_seconds`: its longest talk, money aside."""

    claims: tuple[Claim, ...]
    grant: Grant
    bid: Bid
    most_seconds: int


class SpendGate:
    """Answers for one plan (`core.routing.gate.CountingGate`). When the plan is used, `began` hears
    what is to be reserved, and `refused` of each number that there is no money for."""

    __slots__ = (
        "_began",
        "_granted",
        "_guard",
        "_inner",
        "_now",
        "_payers_of",
        "_refusals",
        "_refused",
    )

    def __init__(
        self,
        inner: CountingGate,
        guard: Guard,
        payers_of: PayersOf,
        now: datetime,
        *,
        began: Callable[[Reservation], None],
        refused: Callable[[Refusal], None],
    ) -> None:
        self._inner = inner
        self._guard = guard
        self._payers_of = payers_of
        self._now = now
        self._began = began
        self._refused = refused
        self._granted: list[Granted] = []
        self._refusals: list[Refusal] = []

    def __call__(
        self,
        index: AccountIndex,
        extension: str | None,
        found: Outgoing,
        now: datetime | None,
        *,
        certain: bool,
    ) -> Verdict:
        payers = self._payers_of(index, found, self._now)
        if not payers:
            return self._inner(index, extension, found, now, certain=certain)
        own = next((p.price for p in payers if p.account_id == index.account.id), None)
        least = self._guard.terms.least_seconds + SLACK_SECONDS
        bid = Bid(own, 0 if own is None else own.cost_of(least))
        verdict = self._inner(index, extension, found, now, certain=certain, bid=bid)
        if not verdict.passes:
            return verdict
        claims = self._claims(payers, index.account.id, bid.bound)
        if claims is None:
            return self._refuse("no_price", index, extension, found, bid, verdict)
        if not claims:
            return verdict
        limits = (found.route.max_seconds, verdict.max_seconds)
        most = min([index.routing.max_call_seconds, *(n for n in limits if n is not None)])
        grant = self._guard.offer(claims, most)
        if grant is None:
            return self._refuse("no_money", index, extension, found, bid, verdict)
        self._granted.append(Granted(claims, grant, bid, most))
        if grant.whole:
            return verdict
        reason = Reason("money", index.account.code, str(grant.seconds))
        return replace(verdict, paid_seconds=grant.seconds, reasons=(*verdict.reasons, reason))

    def keep(self, uniqueid: str, linkedid: str | None, max_seconds: int | None) -> None:
        """The plan is used: reserve what it may cost."""
        if self._granted:
            self._began(self._reservation(uniqueid, max_seconds))
        for refusal in self._refusals:
            self._refused(refusal)
        self._inner.keep(uniqueid, linkedid, max_seconds)

    def _reservation(self, uniqueid: str, max_seconds: int | None) -> Reservation:
        """Of a plan's numbers only one is ever talked to, so the dearest counts for each who pays;
        and only a plan with one number is extended."""
        amounts: dict[int, int] = {}
        longest = 0
        for one in self._granted:
            seconds = min(one.grant.seconds, max_seconds or one.grant.seconds)
            longest = max(longest, seconds)
            for account_id, amount in amounts_of(one.claims, seconds):
                amounts[account_id] = max(amounts.get(account_id, 0), amount)
            if one.bid.price is not None:
                one.bid.amount = one.bid.price.cost_of(seconds + SLACK_SECONDS)
        ends = self._now.timestamp() + RING_SECONDS + longest
        made = Reservation(uniqueid, tuple(amounts.items()), ends)
        if len(self._granted) == 1:
            (one,) = self._granted
            made.claims, made.seconds = one.claims, longest
            made.most_seconds = one.most_seconds
        return made

    def _claims(
        self, payers: Sequence[Payer], own: int, bound: int | None
    ) -> tuple[Claim, ...] | None:
        """`bound`: what the budgets of account `own` leave. None: somebody who pays beforehand has
        no price for it."""
        claims = []
        for payer in payers:
            if payer.price is not None:
                most = bound if payer.account_id == own else None
                claims.append(Claim(payer.account_id, payer.price, most))
            elif self._guard.purse(payer.account_id).credit == 0:
                return None
        return tuple(claims)

    def _refuse(
        self,
        code: str,
        index: AccountIndex,
        extension: str | None,
        found: Outgoing,
        bid: Bid,
        verdict: Verdict,
    ) -> Verdict:
        bid.refused = True
        self._refusals.append(Refusal(index.account.id, extension, found.number, code))
        reason = Reason(code, index.account.code)
        return Verdict(LimitAction.BLOCK, reasons=(*verdict.reasons, reason))
