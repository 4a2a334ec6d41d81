"""An office that pays for its calls on a real database, whose clock the test sets."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from callctl.core.author import Author
from callctl.core.calls.record import CallRecord
from callctl.core.money.guard import Payer, Price
from callctl.core.money.postings import BookKey, BookKind, EntryClass, Line, Posting, Source
from callctl.core.money.rating import MICROS, Rate, RateTable, build_rate_table, find_rate
from callctl.core.routing.model import AccountIndex
from callctl.core.routing.outbound import Outgoing
from callctl.core.routing.plan import HangupStep, RoutePlan
from callctl.db.ledger import charge, post
from callctl.db.pool import Database
from callctl.features.limits.service import LimitService
from callctl.features.routing.service import RoutingService
from callctl.features.routing.store import RoutingStore
from callctl.features.spend.extending import Talk
from callctl.features.spend.service import SpendService
from callctl.numbers import classify_outgoing

AUTHOR = Author("tester")
ROUTING = """
account: {code: main, country: HU, timezone: Europe/Budapest, max_call_seconds: 3600}
extensions:
- {number: 101, may_dial: [national, international]}
- {number: 102, may_dial: [national, international]}
- {number: 103, may_dial: [national], forward_no_answer: "number:+36301112233"}
trunks:
- {name: carrier, host: 192.0.2.9, match: [192.0.2.9], number_format: digits}
dids:
- {number: +3617000003, to: 103}
outbound:
- {name: national, patterns: ["+36."], trunks: [carrier]}
- {name: international, permission: international, patterns: ["+."], trunks: [carrier]}
emergency:
- {number: 112, trunks: [carrier]}
"""
A_COIN_A_SECOND = Rate("36", MICROS, unit_seconds=1)
RATES = (A_COIN_A_SECOND, Rate("44", 2 * MICROS, unit_seconds=1))
HOME = "06301112233"


@dataclass
class World:
    """`decide` is what the daemon does when Asterisk asks; `over` what it does with a record."""

    db: Database
    operator: int
    account: int
    now: datetime = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    calls: int = 0
    current: bool = True
    talks: dict[str, Talk] = field(default_factory=dict)
    ends: dict[str, float] = field(default_factory=dict)
    table: RateTable = field(default_factory=lambda: build_rate_table(1, "COIN", "UTC", RATES))
    spend: SpendService = field(init=False)
    limits: LimitService = field(init=False)
    routing: RoutingService = field(init=False)

    async def start(self, systemname: str = "here") -> None:
        """A daemon that begins: it knows what the database has."""
        self.spend = self.beside(systemname)
        self.limits = LimitService(self.db, lambda: self.routing.table, lambda: self.now)
        self.routing = RoutingService(
            RoutingStore(self.db),
            open_gate=lambda now: self.spend.open_gate(self.limits.open_gate(now), now),
        )
        await self.routing.load()
        await self.spend.restore()

    def beside(self, systemname: str) -> SpendService:
        """Another daemon's, not begun yet."""
        return SpendService(
            self.db,
            self.payers,
            systemname,
            lambda: self.current,
            self.talks.get,
            self.end_after,
            lambda: self.now,
        )

    async def end_after(self, channel: str, seconds: float) -> bool:
        """What Asterisk does."""
        self.ends[channel] = self.now.timestamp() + seconds
        return True

    def payers(self, index: AccountIndex, found: Outgoing, at: datetime) -> Sequence[Payer]:
        number = classify_outgoing(found, index.account.country).number
        rate = find_rate(self.table, number, at)
        return [Payer(index.account.id, None if rate is None else Price((rate,)))]

    async def give(self, amount: int, account: int | None = None) -> None:
        """The operator issues money."""
        payee = BookKey(self.account if account is None else account)
        source = BookKey(self.operator, BookKind.ISSUANCE)
        lines = (
            Line(payee, amount, EntryClass.IN, Source.MANUAL),
            Line(source, -amount),
        )
        async with self.db.transaction() as connection:
            posting = Posting(payee.account_id, "COIN", "issue", "test", lines)
            await post(connection, [posting], AUTHOR)

    async def pay(self, amount: int) -> None:
        """For something else than a call."""
        async with self.db.transaction() as connection:
            await charge(
                connection, account_id=self.account, amount=amount, kind="number_setup",
                reference="number-lease:1", author=AUTHOR,
            )  # fmt: skip

    def decide(self, extension: str, to: str, uniqueid: str | None = None) -> RoutePlan:
        self.calls += 1
        return self.routing.decide(
            endpoint=extension,
            uniqueid=uniqueid or f"1800000000.{self.calls}",
            dialled=to,
            caller_number=extension,
            caller_name="",
            withheld=False,
            now=self.now,
        )

    def talk(self, to: str = HOME, uniqueid: str | None = None, extension: str = "101") -> int:
        """How long such a call may last; 0: it is refused."""
        plan = self.decide(extension, to, uniqueid)
        return 0 if isinstance(plan.steps[0], HangupStep) else plan.max_seconds or -1

    async def over(self, record: CallRecord, cost: int) -> None:
        """The record is stored and charged in one transaction, then told of."""
        if cost:
            async with self.db.transaction() as connection:
                await charge(
                    connection,
                    account_id=self.account,
                    amount=cost,
                    kind="call",
                    reference=f"call:{record.call_id}",
                    author=AUTHOR,
                    overdraw=True,
                )
        self.spend.calls_stored([record])

    async def balance(self) -> tuple[int, int]:
        """Of the wallet: all, and what is set aside."""
        sql = "select balance, held from books where account_id = $1 and kind = 'wallet'"
        row = await self.db.fetchrow(sql, self.account)
        return row["balance"], row["held"]

    def later(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture
async def world(db: Database) -> World:
    sql = """insert into accounts (code, name, kind, parent_id, currency)
             values ($1, $1, $2, $3, 'COIN') returning id"""
    operator = await db.fetchval(sql, "operator", "operator", None)
    world = World(db, operator, await db.fetchval(sql, "main", "enterprise", operator))
    await world.start()
    await world.routing.apply(world.account, ROUTING, "tester")
    return world
