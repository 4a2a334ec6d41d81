"""A long life of one package, step by step beside a plain model of it."""

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from callctl.core.packages import add_months
from tests.packages.conftest import MONTH, Shop

STEPS = 70
PURSE = 10**9


@dataclass
class Model:
    """What should be there."""

    seats: int = 0
    began: datetime | None = None
    months: int = 0
    members: set[int] = field(default_factory=set)
    paid: int = 0

    @property
    def until(self) -> datetime | None:
        return add_months(self.began, self.months) if self.began else None

    def is_active(self, now: datetime) -> bool:
        return self.until is not None and now < self.until


class Walk:
    def __init__(self, shop: Shop, seed: int) -> None:
        self.shop = shop
        self.model = Model()
        self.chance = random.Random(seed)
        self.seen: set[str] = set()

    @property
    def now(self) -> datetime:
        return self.shop.clock[0]

    async def buy(self, **what: Any) -> tuple[str, int]:
        """The refusal, or ``ok`` and what was paid."""
        status, answer = await self.shop.ask("POST", "/quotes", what)
        if status >= 400:
            return answer["error"]["code"], 0
        status, paid = await self.shop.ask("POST", f"/quotes/{answer['id']}/pay")
        if status >= 400:
            return paid["error"]["code"], 0
        return "ok", answer["amount"]

    async def activate(self) -> str:
        seats, months = self.chance.randint(1, 3), self.chance.randint(1, 3)
        code, paid = await self.buy(purchase="activate", seats=seats, months=months)
        if self.model.began is not None:
            assert code == "conflict"
        else:
            assert (code, paid) == ("ok", seats * months * MONTH)
            self.model = Model(seats, self.now, months, paid=paid)
        return code

    async def more_seats(self) -> str:
        seats = self.chance.randint(1, 2)
        code, paid = await self.buy(purchase="extra_seats", seats=seats)
        if not self.model.is_active(self.now):
            assert code == "package_required"
            return code
        assert code == "ok"
        assert self.model.until is not None
        days = (self.model.until - self.now) / timedelta(days=1)
        assert seats * MONTH * days / 31 - 1 <= paid <= seats * MONTH * (days + 1) / 28 + 1
        self.model.seats += seats
        self.model.paid += paid
        return code

    async def renew(self) -> str:
        months = self.chance.randint(1, 2)
        given = {} if self.chance.random() < 0.6 else {"seats": self.chance.randint(1, 4)}
        code, paid = await self.buy(purchase="renew", months=months, **given)
        if self.model.began is None:
            assert code == "package_required"
            return code
        active = self.model.is_active(self.now)
        seats = self.model.seats if active else max(1, len(self.model.members))
        if given.get("seats", seats) != seats:
            assert code == "invalid_field"
            return code
        assert (code, paid) == ("ok", seats * months * MONTH)
        self.model.seats = seats
        self.model.paid += paid
        if active:
            self.model.months += months
        else:
            self.model.began, self.model.months = self.now, months
        return code

    async def add(self) -> str:
        user = self.chance.choice(list(self.shop.users.values()))
        status, answer = await self.shop.ask("POST", "/seats", {"user_id": user})
        if not self.model.is_active(self.now):
            expected = "package_required"
        elif user in self.model.members:
            expected = "already_exists"
        elif len(self.model.members) >= self.model.seats:
            expected = "seats_taken"
        else:
            expected = "ok"
            self.model.members.add(user)
        assert ("ok" if status < 300 else answer["error"]["code"]) == expected
        return expected

    async def remove(self) -> str:
        user = self.chance.choice(list(self.shop.users.values()))
        status, _ = await self.shop.ask("DELETE", f"/seats/{user}")
        assert status == (204 if user in self.model.members else 404)
        self.model.members.discard(user)
        return str(status)

    async def wait(self) -> str:
        self.shop.later(days=self.chance.choice((0.5, 3, 20, 45)))
        await self.shop.watch.look()
        return ""

    async def check(self) -> None:
        package = await self.shop.package()
        model = self.model
        until = model.until.isoformat().replace("+00:00", "Z") if model.until else None
        state = "none" if until is None else "active" if model.is_active(self.now) else "expired"
        found = (package["state"], package["seats"] or 0, package["members"], package["until"])
        assert found == (state, model.seats, len(model.members), until)
        assert await self.shop.balances() == (PURSE - model.paid, model.paid)
        calls = self.shop.reasons("101", "102") == ["extension"]
        assert calls is model.is_active(self.now)


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_package_lives_as_its_rules_say(shop: Shop, seed: int) -> None:
    await shop.demand()
    await shop.fund(PURSE - 10_000_000)
    walk = Walk(shop, seed)
    steps = (walk.activate, walk.more_seats, walk.renew, walk.add, walk.remove, walk.wait)
    for _ in range(STEPS):
        step = walk.chance.choices(steps, (1, 2, 2, 4, 2, 3))[0]
        walk.seen.add(f"{step.__name__} {await step()}")
        await walk.check()
    assert walk.seen >= {"activate ok", "more_seats ok", "renew ok", "add ok", "remove 204"}
