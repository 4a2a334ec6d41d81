"""docs/money.md: its tables are played, step by step, and every wallet is as they say."""

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from callctl.core.author import SYSTEM
from callctl.core.errors import CallctlError
from callctl.core.money.currencies import format_amount, parse_amount
from callctl.db.ledger import charge, refund, wallet_of
from callctl.features.ledger.model import IssueFunds, TopUp
from callctl.features.transfers.model import AuditTransfer, NewTransfer
from tests.ledger.conftest import Tree, who

PAGE = Path(__file__).parents[2] / "docs" / "money.md"
NAMES = ("operator", "agency", "shop", "bank")
_ROW = re.compile(r"^\| (.+?) \| (\w+) \| (.+?) \| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)


def story() -> list[tuple[str, str, tuple[str, ...]]]:
    """(step, answer, wallets) of every row of a step."""
    rows = _ROW.findall(PAGE.read_text())
    return [(row[0], row[1], row[2:]) for row in rows if row[0] != "Step"]


class Play:
    """Understands the steps."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.ids = {
            "operator": tree.operator, "agency": tree.reseller, "shop": tree.shop,
            "bank": tree.bank,
        }  # fmt: skip
        self.named: dict[str, int] = {}
        self.steps: dict[str, Callable[..., Awaitable[Any]]] = {
            r"(\w+) tops up (\w+) with (\S+)": self.top_up,
            r"(\w+) issues (\S+) to (\w+)(?: as (\w+))?": self.issue,
            r"(\w+) is charged (\S+)(?: as (\w+))?": self.charge,
            r"(\w+) is refunded by (\S+)": self.refund,
            r"(\w+) of (\w+) transfers (\S+) to (\w+)(?: as (\w+))?": self.transfer,
            r"(\w+) of (\w+) (approves|rejects) (\w+)": self.audit,
            r"(\w+) of (\w+) deletes (\w+)": self.delete,
        }

    async def play(self, step: str) -> str:
        """What was answered: a state, ``ok``, or an error's code."""
        for pattern, act in self.steps.items():
            if match := re.fullmatch(pattern, step):
                try:
                    return await act(*match.groups()) or "ok"
                except CallctlError as error:
                    return error.code
        raise AssertionError(f"nobody understands: {step}")

    async def wallets(self) -> tuple[str, ...]:
        found = []
        async with self.tree.db.connection() as connection:
            for name in NAMES:
                wallet = await wallet_of(connection, self.ids[name])
                held = f" ({format_amount(wallet.held, 'EUR')})" if wallet.held else ""
                found.append(format_amount(wallet.balance, "EUR") + held)
        return tuple(found)

    async def top_up(self, giver: str, name: str, amount: str) -> None:
        new = TopUp(parse_amount(amount, "EUR"), "EUR", self.ids[name])
        await self.tree.ledger.top_up(who(self.ids[giver]), new, None)

    async def issue(self, giver: str, amount: str, name: str, called: str | None) -> None:
        new = IssueFunds(self.ids[name], parse_amount(amount, "EUR"), "EUR")
        issued = await self.tree.ledger.issue(who(self.ids[giver]), new, None)
        self.named[called or ""] = issued.transaction_id

    async def charge(self, name: str, amount: str, called: str | None) -> None:
        async with self.tree.db.transaction() as connection:
            posted = await charge(
                connection, account_id=self.ids[name], amount=parse_amount(amount, "EUR"),
                kind="package", reference="package:1", author=SYSTEM,
            )  # fmt: skip
        assert posted is not None
        self.named[called or ""] = posted.transaction_id

    async def refund(self, called: str, amount: str) -> None:
        async with self.tree.db.transaction() as connection:
            await refund(
                connection, transaction_id=self.named[called], reference="refund",
                amount=parse_amount(amount, "EUR"), author=SYSTEM,
            )  # fmt: skip

    async def transfer(
        self, person: str, name: str, amount: str, target: str, called: str | None
    ) -> str:
        new = NewTransfer(self.ids[target], parse_amount(amount, "EUR"), "EUR")
        made = await self.tree.transfers.create(who(self.ids[name], person), new, None)
        self.named[called or ""] = made.id
        return made.state

    async def audit(self, person: str, name: str, verb: str, called: str) -> str:
        audit = AuditTransfer("approved" if verb == "approves" else "rejected")
        actor = who(self.ids[name], person)
        return (await self.tree.transfers.audit(actor, self.named[called], audit, None)).state

    async def delete(self, person: str, name: str, called: str) -> None:
        await self.tree.transfers.delete(who(self.ids[name], person), self.named[called], None)


async def test_every_step_of_the_page_is_answered_as_it_says(tree: Tree) -> None:
    play = Play(tree)
    steps = story()
    assert len(steps) >= 30
    for step, answer, wallets in steps:
        assert (await play.play(step), await play.wallets()) == (answer, wallets), step
    assert await tree.problems() == []
