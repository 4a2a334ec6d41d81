"""Whatever is done with money, in whatever order: the ledger is what a small model says."""

import asyncio
import itertools
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from callctl.core.author import SYSTEM
from callctl.core.errors import CallctlError
from callctl.db.embedded import EmbeddedPostgres
from callctl.db.ledger import charge, refund
from callctl.db.pool import Database
from callctl.features.ledger.model import IssueFunds, TopUp
from callctl.features.transfers.model import AuditTransfer, NewTransfer
from tests.conftest import fresh_database
from tests.ledger.conftest import Tree, key_of, make_tree, who

OPERATOR, RESELLER, SHOP, BANK = NAMES = ("operator", "reseller", "shop", "bank")
ABOVE = {RESELLER: OPERATOR, SHOP: RESELLER, BANK: RESELLER}
BELOW = st.sampled_from(sorted(ABOVE))
AMOUNTS = st.integers(1, 60)
PEOPLE = st.sampled_from(("anna", "bert"))


@dataclass
class Transfer:
    payer: str
    amount: int
    creator: str
    state: str = "awaiting_audit"


@dataclass
class Sale:
    """Something that can be taken back: from whom the money came, and how much is left of it."""

    payer: str
    left: int
    gains: str | None
    """Whose wallet it went to; None = into the seller's income."""


@dataclass
class Model:
    """What there must be."""

    wallets: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NAMES, 0))
    income: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NAMES, 0))
    issued: int = 0
    transfers: dict[int, Transfer] = field(default_factory=dict)
    sales: dict[int, Sale] = field(default_factory=dict)

    def held(self, name: str) -> int:
        return sum(
            t.amount
            for t in self.transfers.values()
            if t.payer == name and t.state == "awaiting_audit"
        )

    def available(self, name: str) -> int:
        return self.wallets[name] - self.held(name)


class Money(RuleBasedStateMachine):
    """Each rule acts on both, and holds the answer against what the model expects."""

    loop: asyncio.AbstractEventLoop
    db: Database
    numbers = itertools.count(1)

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.tree: Tree = self.run(make_tree(self.db))

    def run(self, act: Awaitable[Any]) -> Any:
        return self.loop.run_until_complete(act)

    def answer(self, act: Awaitable[Any]) -> Any:
        """What it says; of an error its code."""
        try:
            return self.run(act)
        except CallctlError as error:
            return error.code

    def id_of(self, name: str) -> int:
        id_: int = getattr(self.tree, name)
        return id_

    @rule(name=st.sampled_from(NAMES), amount=AMOUNTS)
    def top_up(self, name: str, amount: int) -> None:
        new = TopUp(amount, "EUR", self.id_of(name))
        self.run(self.tree.ledger.top_up(who(self.tree.operator), new, None))
        self.model.wallets[name] += amount
        self.model.issued += amount

    @rule(name=BELOW, amount=AMOUNTS)
    def issue(self, name: str, amount: int) -> None:
        giver = ABOVE[name]
        new = IssueFunds(self.id_of(name), amount, "EUR")
        answer = self.answer(self.tree.ledger.issue(who(self.id_of(giver)), new, None))
        if amount > self.model.available(giver):
            assert answer == "insufficient_funds"
            return
        self.model.wallets[giver] -= amount
        self.model.wallets[name] += amount
        self.model.sales[answer.transaction_id] = Sale(giver, amount, name)

    @rule(name=BELOW, amount=AMOUNTS)
    def charge(self, name: str, amount: int) -> None:
        async def act() -> Any:
            async with self.db.transaction() as connection:
                return await charge(
                    connection, account_id=self.id_of(name), amount=amount, kind="package",
                    reference="package:1", author=SYSTEM,
                )  # fmt: skip

        answer = self.answer(act())
        if amount > self.model.available(name):
            assert answer == "insufficient_funds"
            return
        self.model.wallets[name] -= amount
        self.model.income[ABOVE[name]] += amount
        self.model.sales[answer.transaction_id] = Sale(name, amount, None)

    @precondition(lambda self: self.model.sales)
    @rule(data=st.data(), amount=st.none() | AMOUNTS)
    def take_back(self, data: st.DataObject, amount: int | None) -> None:
        number = data.draw(st.sampled_from(sorted(self.model.sales)))
        sale = self.model.sales[number]

        async def act() -> Any:
            async with self.db.transaction() as connection:
                return await refund(
                    connection, transaction_id=number, amount=amount, reference="r", author=SYSTEM
                )

        answer = self.answer(act())
        wanted = sale.left if amount is None else amount
        if wanted > sale.left:
            assert answer == "conflict"
        elif wanted == 0:
            assert answer is None
        elif sale.gains is not None and wanted > self.model.available(sale.gains):
            assert answer == "insufficient_funds"
        else:
            assert not isinstance(answer, str)
            sale.left -= wanted
            self.model.wallets[sale.payer] += wanted
            if sale.gains is None:
                self.model.income[ABOVE[sale.payer]] -= wanted
            else:
                self.model.wallets[sale.gains] -= wanted

    @rule(
        name=st.sampled_from(sorted(ABOVE)), amount=AMOUNTS, creator=PEOPLE, sent=st.integers(1, 2)
    )
    def create_transfer(self, name: str, amount: int, creator: str, sent: int) -> None:
        actor = who(self.id_of(name), creator)
        new = NewTransfer(self.id_of(ABOVE[name]), amount, "EUR")
        key = key_of(actor, f"k{next(self.numbers)}", new)
        for _ in range(sent):
            answer = self.answer(self.tree.transfers.create(actor, new, key))
        if amount > self.model.available(name):
            assert answer == "insufficient_funds"
        else:
            self.model.transfers[answer.id] = Transfer(name, amount, creator)

    @precondition(lambda self: self.model.transfers)
    @rule(data=st.data(), auditor=PEOPLE, state=st.sampled_from(("approved", "rejected")))
    def audit_transfer(self, data: st.DataObject, auditor: str, state: Any) -> None:
        id_ = data.draw(st.sampled_from(sorted(self.model.transfers)))
        transfer = self.model.transfers[id_]
        actor = who(self.id_of(transfer.payer), auditor)
        act = self.tree.transfers.audit(actor, id_, AuditTransfer(state), None)
        answer = self.answer(act)
        if transfer.state != "awaiting_audit":
            assert answer == "transfer_final"
        elif auditor == transfer.creator:
            assert answer == "own_transfer"
        else:
            assert answer.state == state
            transfer.state = state
            if state == "approved":
                self.model.wallets[transfer.payer] -= transfer.amount
                self.model.wallets[ABOVE[transfer.payer]] += transfer.amount

    @precondition(lambda self: self.model.transfers)
    @rule(data=st.data())
    def delete_transfer(self, data: st.DataObject) -> None:
        id_ = data.draw(st.sampled_from(sorted(self.model.transfers)))
        transfer = self.model.transfers[id_]
        answer = self.answer(self.tree.transfers.delete(who(self.id_of(transfer.payer)), id_, None))
        if transfer.state == "approved":
            assert answer == "transfer_final"
        else:
            del self.model.transfers[id_]

    @invariant()
    def the_books_are_what_the_model_says(self) -> None:
        rows = self.run(
            self.db.fetch(
                "select account_id, kind, balance, held from books where account_id = any($1)",
                [self.id_of(name) for name in NAMES],
            )
        )
        found = {(r["account_id"], r["kind"]): (r["balance"], r["held"]) for r in rows}
        for name in NAMES:
            id_, model = self.id_of(name), self.model
            assert found[id_, "wallet"] == (model.wallets[name], model.held(name))
            assert model.available(name) >= 0
            assert found.get((id_, "income"), (0, 0)) == (model.income[name], 0)
        assert found.get((self.id_of(OPERATOR), "issuance"), (0, 0)) == (-self.model.issued, 0)
        assert sum(balance for balance, _ in found.values()) == 0

    def teardown(self) -> None:
        assert self.run(self.tree.problems()) == []
        wrong = (
            "select count(*) from ledger_entries e join books b on b.id = e.book_id"
            " where class = 'in' and source = 'system' or b.kind = 'wallet' and e.balance < 0"
        )
        assert self.run(self.db.fetchval(wrong)) == 0


@pytest.fixture
async def machine_database(postgres: EmbeddedPostgres, template_database: str) -> Any:
    async with fresh_database(postgres, template_database) as url:
        yield url


def test_money_is_conserved_whatever_is_done(machine_database: str) -> None:
    loop = asyncio.new_event_loop()
    db = loop.run_until_complete(Database.connect(machine_database))
    machine = type("Machine", (Money,), {"loop": loop, "db": db})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=15, stateful_step_count=40, deadline=None, database=None,
            derandomize=True, suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
    loop.run_until_complete(db.close())
    loop.close()
