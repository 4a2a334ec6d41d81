"""An office with limits on a real database, whose clock the test sets."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from callctl.core.routing.plan import HangupStep, RoutePlan
from callctl.db.pool import Database
from callctl.features.limits.service import LimitService
from callctl.features.routing.service import RoutingService
from callctl.features.routing.store import RoutingStore

ROUTING = """
account: {code: main, country: HU, timezone: Europe/Budapest}
limits:
  destinations: {CU: hold}
  extension_abroad:
    concurrent: {hold: 2}
    calls_per_hour: {warn: 2, hold: 3, block: 5}
    destinations_per_hour: {hold: 3}
    minutes_per_day: {hold: 60}
  account_abroad: {concurrent: {hold: 3}, calls_per_hour: {hold: 8}}
  country: {calls_per_hour: {hold: 6}}
extensions:
- {number: 101, may_dial: [national, international]}
- {number: 102, may_dial: [national, international]}
- {number: 103, may_dial: [national, international], forward_no_answer: "number:+442071838750"}
- {number: 104, may_dial: [national, international]}
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


@dataclass
class World:
    """`decide` is what the daemon does when Asterisk asks."""

    db: Database
    account: int
    now: datetime = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
    calls: int = 0
    limits: LimitService = field(init=False)
    routing: RoutingService = field(init=False)

    async def start(self) -> None:
        """A daemon that begins: it knows what the database has."""
        self.limits = LimitService(self.db, lambda: self.routing.table, lambda: self.now)
        self.routing = RoutingService(RoutingStore(self.db), open_gate=self.limits.open_gate)
        await self.routing.load()
        await self.limits.restore()

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

    def passes(self, extension: str, to: str, uniqueid: str | None = None) -> bool:
        return not isinstance(self.decide(extension, to, uniqueid).steps[0], HangupStep)

    def later(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture
async def world(db: Database) -> World:
    sql = "insert into accounts (code, name, kind) values ('main', 'Main', 'enterprise')"
    world = World(db, await db.fetchval(sql + " returning id"))
    await world.start()
    await world.routing.apply(world.account, ROUTING, "tester")
    return world
