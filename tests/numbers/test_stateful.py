"""Whatever is done with numbers, in whatever order: they are whose a small model says they are, and
the money is where it says."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from callctl.core.calls.record import StoredRecord
from callctl.core.errors import CallctlError
from callctl.core.numbers.charges import first_charge
from callctl.core.numbers.requests import RequestState
from callctl.core.numbers.states import OWNED_STATES, NumberState
from callctl.core.periods import local_day
from callctl.db.embedded import EmbeddedPostgres
from callctl.db.idempotency import RequestKey
from callctl.db.pool import Database
from callctl.features.ledger.verify import find_problems
from callctl.features.numbers.model import NewHold, NewNumber
from callctl.features.numbers.proving import prove_numbers
from callctl.features.numbers.request_model import Acceptance, Declination, NewOffer, NewRequest
from tests.conftest import fresh_database
from tests.numbers.conftest import open_market
from tests.numbers.test_proving import RANG

SHOP, BANK = NAMES = ("shop", "bank")
ACCOUNTS = st.sampled_from(NAMES)
STOCK = [f"+361234000{n}" for n in range(3)]
NUMBERS = st.sampled_from(STOCK)
SENT = st.integers(1, 2)
"""How often a request is sent, with one key."""
MINE = st.sampled_from((True, True, False))
SETUP, MONTH = 10, 31
S = NumberState

# Another lease takes its place, so that the month before is one that it has not paid for.
LEASE_END = "update number_leases set until = now(), ended_by = 'released' where id = $1"
LEASE_EARLIER = """
insert into number_leases (number_id, account_id, seller_id, currency, setup_price, monthly_price,
                           paid_month, unpaid_since, cut_at)
select number_id, account_id, seller_id, currency, setup_price, monthly_price,
       paid_month - interval '1 month', unpaid_since, cut_at
from number_leases where id = $1
"""
OPEN_LEASE = """
select l.id from number_leases l join stock_numbers s on s.id = l.number_id
where s.number = $1 and l.until is null
"""
END_OF_PATIENCE = "update number_leases set cut_at = now() where id = $1"
LAPSE = "update stock_numbers set until = now() where number = $1"
OFFER_LAPSE = """
update number_requests set offer_until = now() from stock_numbers s
where s.id = offered_id and s.number = $1 and number_requests.state = 'offered'
"""
WHOSE = """
select s.number, s.state, s.account_id, l.account_id as lessee, s.until > now() as lasts
from stock_numbers s left join number_leases l on l.number_id = s.id and l.until is null
"""
BOOKS = "select account_id, kind, balance, held from books"


@dataclass
class Number:
    """Where it must be. `due`: months that have begun and are not paid."""

    id: int = 0
    state: NumberState = S.AVAILABLE
    owner: str | None = None
    due: int = 0
    unpaid: bool = False

    def goes(self, state: NumberState, owner: str | None = None) -> None:
        self.state, self.owner, self.due, self.unpaid = state, owner, 0, False

    def free_for(self, name: str) -> bool:
        return self.state is S.AVAILABLE or (self.state is S.HELD and self.owner == name)


@dataclass
class Wish:
    account: str
    state: RequestState = RequestState.REQUESTED
    offered: str = ""


@dataclass
class Model:
    """What there must be."""

    numbers: dict[str, Number] = field(default_factory=lambda: {n: Number() for n in STOCK})
    wallets: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NAMES, 0))
    funded: int = 0
    wishes: dict[int, Wish] = field(default_factory=dict)

    def owned(self) -> dict[str, Number]:
        return {n: found for n, found in self.numbers.items() if found.state in OWNED_STATES}


class Sales(RuleBasedStateMachine):
    """Each rule acts on both, and holds the answer against what the model expects."""

    loop: asyncio.AbstractEventLoop
    postgres: EmbeddedPostgres
    template: str
    keys = itertools.count(1)

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.run(self.open())

    async def open(self) -> None:
        self.database = fresh_database(self.postgres, self.template)
        self.market = await open_market(await Database.connect(await self.database.__aenter__()))
        await self.market.load(STOCK[0], STOCK[-1])
        for row in await self.market.db.fetch("select id, number from stock_numbers"):
            self.model.numbers[row["number"]].id = row["id"]

    def run(self, act: Awaitable[Any]) -> Any:
        return self.loop.run_until_complete(act)

    def id_of(self, name: str) -> int:
        id_: int = getattr(self.market, name)
        return id_

    def send(self, account: int, sent: int, act: Callable[[RequestKey], Awaitable[Any]]) -> Any:
        """What it says, each time that it is sent; of an error its code."""
        key = RequestKey(account, "anna", f"k{next(self.keys)}", b"")
        answers = []
        for _ in range(sent):
            try:
                answers.append(self.run(act(key)))
            except CallctlError as error:
                answers.append(error.code)
        assert answers == answers[:1] * sent
        return answers[0]

    def whose(self, number: str, name: str, mine: bool) -> str:
        """Whoever has it, or `name`: most things that a stranger does are refused."""
        return (self.model.numbers[number].owner if mine else None) or name

    # Money and time

    @initialize(name=ACCOUNTS)
    def begin(self, name: str) -> None:
        self.fund(name, 100)

    @rule(name=ACCOUNTS, amount=st.integers(20, 120))
    def fund(self, name: str, amount: int) -> None:
        self.run(self.market.fund(self.id_of(name), amount))
        self.model.wallets[name] += amount
        self.model.funded += amount

    @rule(number=NUMBERS)
    def what_was_set_aside_or_rests_is_over(self, number: str) -> None:
        found = self.model.numbers[number]
        if found.state not in (S.HELD, S.QUARANTINED):
            return
        self.run(self.market.db.execute(LAPSE, number))
        self.run(self.market.db.execute(OFFER_LAPSE, number))
        found.goes(S.AVAILABLE)
        for wish in self.model.wishes.values():
            if wish.state is RequestState.OFFERED and wish.offered == number:
                wish.state = RequestState.REQUESTED

    @precondition(lambda self: self.model.owned())
    @rule(data=st.data(), months=st.integers(1, 4))
    def months_begin(self, data: st.DataObject, months: int) -> None:
        number = data.draw(st.sampled_from(sorted(self.model.owned())))

        async def pass_a_month() -> None:
            lease = await self.market.db.fetchval(OPEN_LEASE, number)
            await self.market.db.execute(LEASE_END, lease)
            await self.market.db.execute(LEASE_EARLIER, lease)

        for _ in range(months):
            self.run(pass_a_month())
        self.model.numbers[number].due += months
        self.months_are_charged()

    @precondition(lambda self: any(n.unpaid for n in self.model.numbers.values()))
    @rule()
    def months_are_charged(self) -> None:
        charged = 0
        for _, number in sorted(self.model.owned().items()):
            assert number.owner is not None
            while number.due and self.model.wallets[number.owner] >= MONTH:
                self.model.wallets[number.owner] -= MONTH
                number.due, number.unpaid = number.due - 1, False
                charged += 1
            number.unpaid = number.due > 0
        assert self.run(self.market.billing.charge_due()) == charged

    @precondition(lambda self: any(n.unpaid for n in self.model.numbers.values()))
    @rule(data=st.data())
    def the_grace_of_an_unpaid_number_is_over(self, data: st.DataObject) -> None:
        unpaid = sorted(n for n, found in self.model.numbers.items() if found.unpaid)
        number = data.draw(st.sampled_from(unpaid))
        lease = self.run(self.market.db.fetchval(OPEN_LEASE, number))
        self.run(self.market.db.execute(END_OF_PATIENCE, lease))
        assert self.run(self.market.billing.cut_unpaid()) == 1
        self.model.numbers[number].goes(S.QUARANTINED)

    # Holding, buying, giving up

    @rule(name=ACCOUNTS, number=NUMBERS, sent=SENT)
    def hold(self, name: str, number: str, sent: int) -> None:
        actor = self.market.actor(self.id_of(name))
        new = NewHold(number)
        answer = self.send(actor.account_id, sent, lambda k: self.market.offers.hold(actor, new, k))
        found = self.model.numbers[number]
        if found.state is not S.AVAILABLE:
            assert answer == "conflict"
        else:
            assert answer.number == number
            found.goes(S.HELD, name)

    @rule(name=ACCOUNTS, number=NUMBERS, mine=MINE, sent=SENT)
    def drop(self, name: str, number: str, mine: bool, sent: int) -> None:
        name = self.whose(number, name, mine)
        actor, found = self.market.actor(self.id_of(name)), self.model.numbers[number]
        answer = self.send(
            actor.account_id, sent, lambda k: self.market.offers.drop(actor, found.id, k)
        )
        if (found.state, found.owner) != (S.HELD, name):
            assert answer == "not_found"
        else:
            found.goes(S.AVAILABLE)

    @rule(name=ACCOUNTS, number=NUMBERS, mine=MINE, sent=SENT)
    def buy(self, name: str, number: str, mine: bool, sent: int) -> None:
        name = self.whose(number, name, mine)
        actor = self.market.actor(self.id_of(name))
        new = NewNumber(number, "extension:101")
        answer = self.send(actor.account_id, sent, lambda k: self.market.numbers.buy(actor, new, k))
        self.expect_sale(name, number, answer)

    def expect_sale(self, name: str, number: str, answer: Any) -> bool:
        """Whether it was sold."""
        found = self.model.numbers[number]
        now = self.run(self.market.db.fetchval("select now()"))
        price = first_charge(SETUP, MONTH, local_day(now, "Europe/Budapest")).total
        if not found.free_for(name):
            assert answer == "conflict"
        elif price > self.model.wallets[name]:
            assert answer == "insufficient_funds"
        else:
            assert (answer.number, answer.state) == (number, S.ASSIGNED)
            self.model.wallets[name] -= price
            found.goes(S.ASSIGNED, name)
            return True
        return False

    @rule(name=ACCOUNTS, number=NUMBERS, mine=MINE, sent=SENT)
    def release(self, name: str, number: str, mine: bool, sent: int) -> None:
        name = self.whose(number, name, mine)
        actor, found = self.market.actor(self.id_of(name)), self.model.numbers[number]
        answer = self.send(
            actor.account_id, sent, lambda k: self.market.numbers.release(actor, found.id, k)
        )
        if found.state not in OWNED_STATES or found.owner != name:
            assert answer == "not_found"
        else:
            found.goes(S.QUARANTINED)

    @rule(number=NUMBERS)
    def a_call_rings(self, number: str) -> None:
        record = replace(RANG, did=number, trunk="carrier")
        stored = StoredRecord(1, self.market.shop, record, None, number, None, True)

        async def prove() -> None:
            async with self.market.db.transaction() as connection:
                await prove_numbers(connection, [stored])

        self.run(prove())
        found = self.model.numbers[number]
        if found.state in OWNED_STATES:
            found.state = S.LIVE

    # Wishes

    @precondition(lambda self: len(self.model.wishes) < 4)
    @rule(name=ACCOUNTS, sent=SENT)
    def wish(self, name: str, sent: int) -> None:
        actor, new = self.market.actor(self.id_of(name)), NewRequest(country="HU")
        answer = self.send(
            actor.account_id, sent, lambda k: self.market.requests.ask(actor, new, k)
        )
        self.model.wishes[answer.id] = Wish(name)

    def draw_wish(self, data: st.DataObject) -> tuple[int, Wish]:
        id_ = data.draw(st.sampled_from(sorted(self.model.wishes)))
        return id_, self.model.wishes[id_]

    @precondition(lambda self: self.model.wishes)
    @rule(data=st.data(), number=NUMBERS, sent=SENT)
    def offer(self, data: st.DataObject, number: str, sent: int) -> None:
        id_, wish = self.draw_wish(data)
        actor, new = self.market.actor(self.market.operator), NewOffer(number)
        answer = self.send(
            actor.account_id, sent, lambda k: self.market.requests.offer(actor, id_, new, k)
        )
        found = self.model.numbers[number]
        if wish.state is not RequestState.REQUESTED or found.state is not S.AVAILABLE:
            assert answer == "conflict"
        else:
            assert answer.offered == number
            wish.state, wish.offered = RequestState.OFFERED, number
            found.goes(S.HELD, wish.account)

    @precondition(lambda self: self.model.wishes)
    @rule(data=st.data(), sent=SENT)
    def accept(self, data: st.DataObject, sent: int) -> None:
        id_, wish = self.draw_wish(data)
        actor, body = self.market.actor(self.id_of(wish.account)), Acceptance("extension:102")
        answer = self.send(
            actor.account_id, sent, lambda k: self.market.requests.accept(actor, id_, body, k)
        )
        if wish.state is not RequestState.OFFERED:
            assert answer == "conflict"
        elif self.expect_sale(wish.account, wish.offered, answer):
            wish.state = RequestState.FULFILLED

    @precondition(lambda self: self.model.wishes)
    @rule(data=st.data(), by_seller=st.booleans(), sent=SENT)
    def end_a_wish(self, data: st.DataObject, by_seller: bool, sent: int) -> None:
        id_, wish = self.draw_wish(data)
        account = self.market.operator if by_seller else self.id_of(wish.account)
        actor, requests = self.market.actor(account), self.market.requests
        answer = self.send(
            account,
            sent,
            lambda k: (
                requests.decline(actor, id_, Declination("none"), k)
                if by_seller
                else requests.withdraw(actor, id_, k)
            ),
        )
        if wish.state not in (RequestState.REQUESTED, RequestState.OFFERED):
            assert answer == "conflict"
            return
        held = self.model.numbers.get(wish.offered)
        offered = wish.state is RequestState.OFFERED and held is not None
        if offered and (held.state, held.owner) == (S.HELD, wish.account):
            held.goes(S.AVAILABLE)
        wish.state = RequestState.DECLINED if by_seller else RequestState.WITHDRAWN
        assert answer.state == wish.state

    # What must hold

    @invariant()
    def each_number_is_somebodys_or_nobodys_as_the_model_says(self) -> None:
        names = {self.id_of(name): name for name in NAMES}
        owners = {}
        for row in self.run(self.market.db.fetch(WHOSE)):
            found = self.model.numbers[row["number"]]
            over = row["state"] in ("held", "quarantined") and not row["lasts"]
            state = S.AVAILABLE if over else NumberState(row["state"])
            owner = None if over else names.get(row["account_id"])
            assert (state, owner) == (found.state, found.owner), row
            owned = state in OWNED_STATES
            assert names.get(row["lessee"]) == (found.owner if owned else None), row
            if owned:
                owners[row["number"]] = row["account_id"]
        assert dict(self.market.routing.table.did_accounts) == owners

    @invariant()
    def the_money_is_where_the_model_says(self) -> None:
        rows = self.run(self.market.db.fetch(BOOKS))
        found = {(r["account_id"], r["kind"]): r["balance"] for r in rows}
        for name in NAMES:
            assert found.get((self.id_of(name), "wallet"), 0) == self.model.wallets[name] >= 0
        earned = self.model.funded - sum(self.model.wallets.values())
        assert found.get((self.market.operator, "income"), 0) == earned
        assert sum(found.values()) == 0
        assert not any(row["held"] for row in rows)

    def teardown(self) -> None:
        self.run(self.close())

    async def close(self) -> None:
        db = self.market.db
        assert [p.text for name in NAMES async for p in find_problems(db, name)] == []
        told = await db.fetch("select id, state, offer_until <= now() as over from number_requests")
        for row in told:
            lapsed = row["state"] == "offered" and row["over"]
            assert self.model.wishes[row["id"]].state == ("requested" if lapsed else row["state"])
        sold = "select count(*) from audit where action = 'number.bought'"
        charged = "select count(*) from ledger_transactions where kind = 'number_setup'"
        assert await db.fetchval(sold) == await db.fetchval(charged)
        await db.close()
        await self.database.__aexit__(None, None, None)


def test_numbers_and_money_are_where_they_must_be_whatever_is_done(
    postgres: EmbeddedPostgres, template_database: str
) -> None:
    loop = asyncio.new_event_loop()
    values = {"loop": loop, "postgres": postgres, "template": template_database}
    run_state_machine_as_test(
        type("Machine", (Sales,), values),
        settings=settings(
            max_examples=16, stateful_step_count=40, deadline=None, database=None,
            derandomize=True, suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
    loop.close()
