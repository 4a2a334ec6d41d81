"""A routing service on a real database with two accounts."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from callctl.core.routing.model import RoutingTable
from callctl.db.pool import Database
from callctl.features.routing.service import RoutingService
from callctl.features.routing.store import RoutingStore

DEMO = (Path(__file__).parents[2] / "callctl" / "demo" / "routing.yaml").read_text()

SMALL = """
account: {code: other, country: HU, timezone: Europe/Budapest}
extensions:
- {number: 101, ring_seconds: 10}
- {number: 201}
trunks:
- {name: carrier-a, host: 192.0.2.9, match: [192.0.2.9]}
dids:
- {number: +3618000001, to: [101, 201]}
"""


@dataclass
class World:
    """Account ids, the service, and what it told its listener."""

    db: Database
    main: int
    other: int
    service: RoutingService
    environ: dict[str, str] = field(default_factory=dict)
    tables: list[RoutingTable] = field(default_factory=list)

    async def apply(self, text: str = DEMO, account: int | None = None, **options: Any) -> Any:
        return await self.service.apply(
            account or self.main, text, "tester", file="routing.yaml", **options
        )


@pytest.fixture
async def world(db: Database) -> World:
    sql = "insert into accounts (code, name, kind) values ($1, $1, 'enterprise') returning id"
    main, other = await db.fetchval(sql, "main"), await db.fetchval(sql, "other")
    environ: dict[str, str] = {}
    tables: list[RoutingTable] = []

    async def on_change(table: RoutingTable) -> None:
        tables.append(table)

    service = RoutingService(RoutingStore(db), on_change, environ)
    await service.load()
    return World(db, main, other, service, environ, tables)
