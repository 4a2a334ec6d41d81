"""How long a call may last for the money there is: calls share an account's purse, none overdraws.

Every running call has reserved what its talk may cost at most. A reservation is let go when a
balance is known that shows the call's charge, not when its channel ends: so the same money is never
promised twice. `docs/spend.md` tells each rule with an example that a test executes.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from callctl.core.money.rating import Rate, cost_of, seconds_for

SHARE = 2
"""A call takes at most one part in so many of what is free, so that others can begin."""

SLACK_SECONDS = 1
"""What Asterisk may need to hang up: paid for beforehand, and not given to talk."""


@dataclass(frozen=True, slots=True)
class Terms:
    """A call takes half of what is free, but `slice_seconds` at least while there is money for
    them; one that money would end before `least_seconds` is not begun."""

    slice_seconds: int = 60
    least_seconds: int = 10


TERMS = Terms()


@dataclass(frozen=True, slots=True)
class Price:
    """What a call costs, by any of `rates`: which of them holds is known when it is answered."""

    rates: tuple[Rate, ...]

    def cost_of(self, seconds: int) -> int:
        """The most that `seconds` of talk may cost, in minor units."""
        return max(cost_of(rate, seconds) for rate in self.rates)

    def seconds_for(self, money: int) -> int | None:
        """The longest talk that surely costs no more than `money`; None: however long."""
        found = [s for rate in self.rates if (s := seconds_for(rate, money)) is not None]
        return min(found, default=None)


@dataclass(frozen=True, slots=True)
class Purse:
    """What an account may spend on calls, in minor units of its currency.

    `balance` may be negative. `credit`: how far it may go below zero, 0 = prepaid, None = any far.
    """

    balance: int
    credit: int | None = 0

    def free(self, reserved: int) -> int | None:
        """What is left beside what is reserved; None: any amount."""
        return None if self.credit is None else self.balance + self.credit - reserved


EMPTY = Purse(0)


@dataclass(frozen=True, slots=True)
class Claim:
    """Who pays for a call, and by which price. `bound`: the most that the call may cost it,
    whatever there is."""

    account_id: int
    price: Price
    bound: int | None = None


@dataclass(frozen=True, slots=True)
class Payer:
    """Who pays for a call. `price` None: its tariff has none for the number."""

    account_id: int
    price: Price | None


@dataclass(frozen=True, slots=True)
class Grant:
    """A call may talk for `seconds`; each of `amounts` (account, minor units) is kept for it.

    `whole`: as long as it may at all. Else it is a slice, and may be made longer."""

    seconds: int
    amounts: tuple[tuple[int, int], ...]
    whole: bool


def talk_for(
    free: int | None, claim: Claim, most_seconds: int, had: int = 0, terms: Terms = TERMS
) -> int:
    """How many seconds of talk, at most `most_seconds`, a call may have; 0: none.

    `free`: what is left for it and all others (None: any amount), `had`: what it has already, of
    which it may use all.
    """
    price = claim.price
    if free is None:
        money = price.cost_of(most_seconds + SLACK_SECONDS)
    else:
        free = max(free, 0)
        slice_ = price.cost_of(terms.slice_seconds + SLACK_SECONDS)
        money = had + max(free // SHARE, min(free, slice_))
    if claim.bound is not None:
        money = min(money, claim.bound)
    paid = price.seconds_for(max(money, 0))
    return most_seconds if paid is None else max(0, min(paid - SLACK_SECONDS, most_seconds))


@dataclass(slots=True, eq=False)
class Reservation:
    """What a running call may still cost, `amounts` as in `Grant`.

    `ends`: when it is over at the latest, its ringing included, in epoch seconds. One without
    `claims` is never extended. `shortened`: to less than Asterisk was told.
    """

    key: str
    amounts: tuple[tuple[int, int], ...]
    ends: float
    claims: tuple[Claim, ...] = ()
    seconds: int = 0
    most_seconds: int = 0
    shortened: bool = False


@dataclass(slots=True)
class Guard:
    """Purses as they were last read, and what running calls have reserved of them.

    `key` is the call's: one call may have several reservations (a transfer makes a new plan).
    """

    terms: Terms = TERMS
    _purses: Mapping[int, Purse] = field(default_factory=dict)
    _reserved: dict[int, int] = field(default_factory=dict)
    _calls: dict[str, list[Reservation]] = field(default_factory=dict)

    # What there is

    def purse(self, account_id: int) -> Purse:
        """An account that nobody has given money is empty."""
        return self._purses.get(account_id, EMPTY)

    def reserved(self, account_id: int) -> int:
        return self._reserved.get(account_id, 0)

    def free(self, account_id: int) -> int | None:
        return self.purse(account_id).free(self.reserved(account_id))

    @property
    def reservations(self) -> Iterable[Reservation]:
        return (found for call in self._calls.values() for found in call)

    def __contains__(self, key: str) -> bool:
        return key in self._calls

    def __len__(self) -> int:
        """Calls that have reserved anything, if only nothing."""
        return len(self._calls)

    def calls(self, account_id: int) -> int:
        """Those that the account pays for."""
        return sum(account_id in self.amounts(key) for key in self._calls)

    def amounts(self, key: str) -> dict[int, int]:
        """What a call has reserved, by account."""
        found: dict[int, int] = {}
        for reservation in self._calls.get(key, ()):
            for account_id, amount in reservation.amounts:
                found[account_id] = found.get(account_id, 0) + amount
        return found

    # Calls that begin and go on

    def offer(self, claims: Sequence[Claim], most_seconds: int) -> Grant | None:
        """What a call may have now; nothing is reserved by it. None: too little money."""
        seconds = most_seconds
        for claim in claims:
            free = self.free(claim.account_id)
            seconds = min(seconds, talk_for(free, claim, most_seconds, terms=self.terms))
        if seconds < min(self.terms.least_seconds, most_seconds):
            return None
        return Grant(seconds, amounts_of(claims, seconds), seconds == most_seconds)

    def begin(self, reservation: Reservation) -> None:
        """From now on its amounts are reserved; in the moment of the `offer` they are of."""
        self._calls.setdefault(reservation.key, []).append(reservation)
        self._add(reservation.amounts, 1)

    def extend(self, reservation: Reservation) -> int:
        """Give it more of what is free, if anything is: its seconds of talk from now on, in all.

        One that is settled stays as it is.
        """
        if not reservation.claims or reservation not in self._calls.get(reservation.key, ()):
            return reservation.seconds
        had = dict(reservation.amounts)
        seconds = reservation.most_seconds
        for claim in reservation.claims:
            free, own = self.free(claim.account_id), had[claim.account_id]
            seconds = min(seconds, talk_for(free, claim, seconds, own, self.terms))
        if seconds > reservation.seconds:
            self._resize(reservation, seconds)
        return reservation.seconds

    def shorten(self, key: str) -> bool:
        """Somebody else has spent what a call had reserved: it may last as long as the rest pays
        for. Whether that is less than before; a reservation without claims stays as it is."""
        shortened = False
        for reservation in self._calls.get(key, ()):
            had, seconds = dict(reservation.amounts), reservation.seconds
            for claim in reservation.claims:
                lacking = min(self.free(claim.account_id) or 0, 0)
                paid = claim.price.seconds_for(max(had[claim.account_id] + lacking, 0))
                if lacking and paid is not None:
                    seconds = min(seconds, max(paid - SLACK_SECONDS, 0))
            if seconds < reservation.seconds:
                self._resize(reservation, seconds)
                shortened = reservation.shortened = True
        return shortened

    def _resize(self, reservation: Reservation, seconds: int) -> None:
        self._add(reservation.amounts, -1)
        reservation.amounts = amounts_of(reservation.claims, seconds)
        self._add(reservation.amounts, 1)
        reservation.ends += seconds - reservation.seconds
        reservation.seconds = seconds

    # Calls that are paid

    def settle(self, purses: Mapping[int, Purse], charged: Collection[str]) -> None:
        """Take over balances that show the charges of the calls `charged`: both in one step."""
        self._purses = purses
        for key in charged:
            self._let_go(key)

    def expire(self, now: float) -> list[Reservation]:
        """Let go of calls that must be over and that no record tells of; those."""
        late = [found for found in self.reservations if found.ends < now]
        for reservation in late:
            self._calls[reservation.key].remove(reservation)
            self._add(reservation.amounts, -1)
            if not self._calls[reservation.key]:
                del self._calls[reservation.key]
        return late

    def _let_go(self, key: str) -> None:
        for reservation in self._calls.pop(key, ()):
            self._add(reservation.amounts, -1)

    def _add(self, amounts: Iterable[tuple[int, int]], sign: int) -> None:
        for account_id, amount in amounts:
            left = self._reserved.get(account_id, 0) + sign * amount
            if left:
                self._reserved[account_id] = left
            else:
                self._reserved.pop(account_id, None)


def amounts_of(claims: Iterable[Claim], seconds: int) -> tuple[tuple[int, int], ...]:
    """(account, the most that `seconds` of talk cost it) of each who pays."""
    charged = seconds + SLACK_SECONDS
    return tuple((claim.account_id, claim.price.cost_of(charged)) for claim in claims)
