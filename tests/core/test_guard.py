"""Calls share a purse: whatever happens in whatever order, none of them overdraws it."""

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from callctl.core.money.guard import (
    SLACK_SECONDS,
    TERMS,
    Claim,
    Guard,
    Price,
    Purse,
    Reservation,
    amounts_of,
    talk_for,
)
from callctl.core.money.rating import MICROS, Rate, cost_of
from tests.core.test_rating import rates

CHEAP = Rate("36", 6 * MICROS)
BY_MINUTE = Rate("44", 20 * MICROS, connect_fee=3 * MICROS, increment_seconds=60)
TWO_PRICES = (Rate("1", 10 * MICROS), Rate("1", 30 * MICROS, free_seconds=5))
PRICES = (Price((CHEAP,)), Price((BY_MINUTE,)), Price(TWO_PRICES))
HOUR = 3600


def begin(
    guard: Guard,
    key: str,
    claims: list[Claim],
    seconds: int,
    ends: float = 0,
    most: int | None = None,
) -> Reservation:
    amounts = amounts_of(claims, seconds)
    made = Reservation(key, amounts, ends, tuple(claims), seconds, most or seconds)
    guard.begin(made)
    return made


def price(micros: int) -> Price:
    return Price((Rate("36", micros),))


def test_who_has_plenty_talks_as_long_as_anyone() -> None:
    guard = Guard()
    guard.settle({1: Purse(100_000)}, ())
    grant = guard.offer([Claim(1, price(60 * MICROS))], HOUR)
    assert grant is not None
    assert (grant.seconds, grant.whole) == (HOUR, True)
    assert grant.amounts == ((1, HOUR + SLACK_SECONDS),)


def test_a_call_takes_half_of_what_is_free_and_the_next_half_of_the_rest() -> None:
    guard = Guard()
    guard.settle({1: Purse(1200)}, ())
    claims = [Claim(1, price(60 * MICROS))]
    seconds = []
    for call in "abc":
        grant = guard.offer(claims, HOUR)
        assert grant is not None
        assert not grant.whole
        begin(guard, call, claims, grant.seconds)
        seconds.append(grant.seconds)
    assert seconds == [599, 299, 149]
    assert guard.free(1) == 1200 - 600 - 300 - 150


def test_a_minute_is_given_while_there_is_one_and_nothing_for_a_few_seconds() -> None:
    found = [
        talk_for(free, Claim(1, price(60 * MICROS)), HOUR) for free in (90, 61, 30, 11, 1, 0, -5)
    ]
    assert found == [60, 60, 29, 10, 0, 0, 0]
    guard = Guard()
    guard.settle({1: Purse(TERMS.least_seconds)}, ())
    assert guard.offer([Claim(1, price(60 * MICROS))], HOUR) is None


def test_credit_goes_below_zero_so_far_and_without_a_limit_any_far() -> None:
    claims = [Claim(1, price(60 * MICROS))]
    guard = Guard()
    guard.settle({1: Purse(-40, credit=101)}, ())
    grant = guard.offer(claims, HOUR)
    assert grant is not None
    assert grant.seconds == TERMS.slice_seconds
    guard.settle({1: Purse(-(10**6), credit=None)}, ())
    grant = guard.offer(claims, HOUR)
    assert grant is not None
    assert grant.whole


def test_an_account_that_nobody_gave_money_has_none() -> None:
    assert Guard().offer([Claim(7, PRICES[0])], HOUR) is None


def test_what_costs_nothing_needs_no_money() -> None:
    grant = Guard().offer([Claim(7, price(0))], HOUR)
    assert grant is not None
    assert grant.amounts == ((7, 0),)


def test_the_poorer_of_two_who_pay_decides() -> None:
    guard = Guard()
    guard.settle({1: Purse(10_000), 2: Purse(61)}, ())
    grant = guard.offer([Claim(1, price(60 * MICROS)), Claim(2, price(60 * MICROS))], HOUR)
    assert grant is not None
    assert grant.seconds == TERMS.slice_seconds
    assert grant.amounts == ((1, 61), (2, 61))


def test_a_bound_holds_whatever_there_is_and_however_often_it_is_extended() -> None:
    guard = Guard()
    guard.settle({1: Purse(10_000)}, ())
    claims = [Claim(1, price(60 * MICROS), bound=50)]
    grant = guard.offer(claims, HOUR)
    assert grant is not None
    assert grant.seconds == 49
    made = begin(guard, "a", claims, grant.seconds, most=HOUR)
    assert guard.extend(made) == 49


def test_the_last_coin_is_promised_once() -> None:
    """As many calls in one moment as one likes: what they get is paid for."""
    guard = Guard()
    guard.settle({1: Purse(1_000)}, ())
    claims = [Claim(1, PRICES[1])]
    granted = 0
    for call in range(1_000):
        if (grant := guard.offer(claims, HOUR)) is not None:
            begin(guard, str(call), claims, grant.seconds)
            granted += PRICES[1].cost_of(grant.seconds + SLACK_SECONDS)
    assert granted == guard.reserved(1) <= 1_000
    assert guard.free(1) == 1_000 - granted < PRICES[1].cost_of(TERMS.least_seconds + SLACK_SECONDS)


@given(rates, rates, st.integers(0, 5000), st.integers(1, 4 * HOUR), st.none() | st.integers(0, 99))
def test_what_is_granted_is_never_more_than_there_is(one, other, free, most, bound):
    seconds = talk_for(free, Claim(1, Price((one, other)), bound), most)
    assert 0 <= seconds <= most
    if seconds:
        money = free if bound is None else min(free, bound)
        assert max(cost_of(rate, seconds + SLACK_SECONDS) for rate in (one, other)) <= money


@dataclass
class Talk:
    """A call as the world knows it. `cost` once its channel is gone."""

    reservation: Reservation
    rate: tuple[int, ...]
    cost: int | None = None


class Spending(RuleBasedStateMachine):
    """A ledger that only a refresh shows to the guard, and calls that begin, go on, end and are
    charged in any order. Account 1 pays for all, its seller 2 for some of them."""

    def __init__(self) -> None:
        super().__init__()
        self.guard = Guard()
        self.ledger = {1: 300, 2: 200}
        self.credit = {1: 0, 2: 50}
        self.put_in = dict(self.ledger)
        self.taken = {1: 0, 2: 0}
        self.calls: dict[str, Talk] = {}
        self.charged: set[str] = set()
        self.read_now: tuple[dict[int, Purse], set[str]] | None = None
        self.number = 0
        self.read()
        self.apply()

    @rule(place=st.integers(0, 2), both=st.booleans(), most=st.integers(1, 500))
    def begin(self, place: int, both: bool, most: int) -> None:
        payers = (1, 2) if both else (1,)
        claims = [Claim(payer, PRICES[place]) for payer in payers]
        grant = self.guard.offer(claims, most)
        if grant is None:
            return
        self.number += 1
        key = str(self.number % 7) if self.number % 3 == 0 else f"c{self.number}"
        if key in self.calls or key in self.charged:
            return
        made = begin(self.guard, key, claims, grant.seconds, most=most)
        self.calls[key] = Talk(made, payers)

    @precondition(lambda self: self.calls)
    @rule(which=st.integers(0, 50))
    def extend(self, which: int) -> None:
        talk = self._some(which)
        before = talk.reservation.seconds
        if talk.cost is None:
            assert before <= self.guard.extend(talk.reservation) <= talk.reservation.most_seconds

    @precondition(lambda self: self.calls)
    @rule(which=st.integers(0, 50), part=st.integers(0, 100), rate=st.integers(0, 1))
    def hang_up(self, which: int, part: int, rate: int) -> None:
        talk = self._some(which)
        if talk.cost is None:
            longest = talk.reservation.seconds + SLACK_SECONDS
            prices = talk.reservation.claims[0].price.rates
            talk.cost = cost_of(prices[rate % len(prices)], longest * part // 100)

    @precondition(lambda self: any(t.cost is not None for t in self.calls.values()))
    @rule(which=st.integers(0, 50))
    def charge(self, which: int) -> None:
        over = [key for key, talk in self.calls.items() if talk.cost is not None]
        key = over[which % len(over)]
        talk = self.calls.pop(key)
        for payer in talk.rate:
            self.ledger[payer] -= talk.cost or 0
            self.taken[payer] += talk.cost or 0
        self.charged.add(key)

    @rule(account=st.sampled_from([1, 2]), amount=st.integers(1, 200))
    def top_up(self, account: int, amount: int) -> None:
        self.ledger[account] += amount
        self.put_in[account] += amount

    @precondition(lambda self: self.read_now is None)
    @rule()
    def read(self) -> None:
        """The query sees what is committed; its answer is on the way."""
        purses = {a: Purse(money, self.credit[a]) for a, money in self.ledger.items()}
        self.read_now = (purses, set(self.charged))

    @precondition(lambda self: self.read_now is not None)
    @rule()
    def apply(self) -> None:
        assert self.read_now is not None
        purses, charged = self.read_now
        self.guard.settle(purses, charged)
        self.charged -= charged
        self.read_now = None

    @rule()
    def expire(self) -> None:
        """Nothing is late: the guard must not let go of a call that is to be charged."""
        assert self.guard.expire(-1) == []

    @invariant()
    def no_ledger_goes_below_its_credit(self) -> None:
        for account, money in self.ledger.items():
            assert money >= -self.credit[account]
            assert money == self.put_in[account] - self.taken[account]

    @invariant()
    def what_is_reserved_is_the_sum_of_the_calls(self) -> None:
        for account in (1, 2):
            amounts = [dict(r.amounts).get(account, 0) for r in self.guard.reservations]
            assert self.guard.reserved(account) == sum(amounts)
            free = self.guard.free(account)
            assert free is not None
            assert free >= 0

    def teardown(self) -> None:
        """When all is charged, nothing stays reserved and everything else can be spent."""
        for which in range(len(self.calls)):
            self.hang_up(0, which % 101, 0)
            self.charge(0)
        for _ in range(2):
            self.read_now = None
            self.read()
            self.apply()
        for account, money in self.ledger.items():
            assert self.guard.reserved(account) == 0
            assert self.guard.free(account) == money + self.credit[account]

    def _some(self, which: int) -> Talk:
        return list(self.calls.values())[which % len(self.calls)]


TestSpending = Spending.TestCase
TestSpending.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def test_calls_that_no_record_tells_of_are_let_go_of_when_they_must_be_over() -> None:
    guard = Guard()
    guard.settle({1: Purse(1000)}, ())
    claims = [Claim(1, PRICES[0])]
    begin(guard, "a", claims, 60, ends=100.0)
    begin(guard, "a", claims, 60, ends=200.0)
    assert [r.ends for r in guard.expire(150.0)] == [100.0]
    assert "a" in guard
    assert guard.reserved(1) == PRICES[0].cost_of(61)
    assert len(guard.expire(201.0)) == 1
    assert guard.reserved(1) == 0
