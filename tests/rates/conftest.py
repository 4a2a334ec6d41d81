"""An operator, its reseller, the enterprise below with phones and trunks; and their tariffs."""

import asyncio
import io
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from callctl.asterisk.journal_files import JournalFiles
from callctl.core.routing.model import Account, AccountRouting, Extension, Trunk, build_table
from callctl.db.pool import Database
from callctl.features.calls.reader import JournalReader
from callctl.features.rates.assignments import AssignmentService
from callctl.features.rates.charging import CallCharging
from callctl.features.rates.memory import TariffMemory
from callctl.features.rates.model import ApplyImport, ImportOptions, NewAssignment, NewTariff
from callctl.features.rates.quoting import QuoteService
from callctl.features.rates.service import TariffService
from callctl.http.endpoint import Actor
from tests.history.conftest import FIXTURES

WAIT_SECONDS = 20.0
_ACCOUNT = """
insert into accounts (parent_id, code, name, kind, country, timezone, currency)
values ($1, $2, $2, $2, 'HU', 'Europe/Budapest', 'HUF') returning id
"""
_TRUNK = "insert into routing_objects (account_id, kind, name, body) values ($1, 'trunk', $2, '{}')"
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
"""The fixtures' calls were after this."""


@dataclass(slots=True)
class World:
    """`now`: what the services' clock says."""

    db: Database
    journal: Path
    operator: Actor
    reseller: Actor
    enterprise: Actor
    table: Any
    memory: TariffMemory
    now: datetime = LONG_AGO
    steps: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.steps = [CallCharging(self.memory, lambda: self.table).price_stored]

    async def _changed(self) -> None:
        await self.memory.refresh(self.db, self.now)

    @property
    def tariffs(self) -> TariffService:
        return TariffService(self.db, self._changed, lambda: self.now)

    @property
    def assignments(self) -> AssignmentService:
        return AssignmentService(self.db, self._changed, lambda: self.now)

    @property
    def quotes(self) -> QuoteService:
        return QuoteService(self.db, self.memory, lambda: self.table, lambda: self.now)

    async def tariff(self, owner: Actor, name: str, *rows: str, zone: str = "UTC") -> int:
        """A tariff of one version: ``prefix,price[,increment_seconds[,connect_fee]]``."""
        made = await self.tariffs.create_tariff(owner, NewTariff(name, "HUF", zone))
        await self.next_version(owner, made.id, *rows)
        return made.id

    async def next_version(self, owner: Actor, tariff_id: int, *rows: str) -> None:
        heading = "prefix,price,increment_seconds,connect_fee\n"
        file = io.BytesIO((heading + "\n".join(rows)).encode())
        preview = await self.tariffs.upload(owner, tariff_id, file, ImportOptions())
        await self.tariffs.apply(owner, tariff_id, preview.id, ApplyImport())

    async def assign(
        self, owner: Actor, payer: Actor, tariff_id: int | None, trunk: str | None = None
    ) -> None:
        await self.assignments.assign(owner, NewAssignment(payer.account_id, tariff_id, trunk))

    def write(self, data: bytes) -> None:
        with self.journal.open("ab") as file:
            file.write(data)

    async def read(self, *names: str) -> None:
        """Journals of `tests/calls` through a reader, to their end."""
        for name in names:
            self.write((FIXTURES / f"{name}.csv").read_bytes())
        reader = JournalReader(
            JournalFiles(self.journal),
            self.db,
            lambda: self.table,
            systemname="lab",
            default_account_id=self.enterprise.account_id,
            grace_seconds=0.0,
            retention_days=90,
            steps=self.steps,
        )
        task = asyncio.create_task(reader.run())
        try:
            await asyncio.wait_for(reader.caught_up.wait(), WAIT_SECONDS)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def calls(self) -> list[Any]:
        return await self.db.fetch(
            "select id, call_id, cost, currency, cost_reason from calls order by id"
        )

    async def balances(self) -> dict[str, int]:
        """Every book by ``account.kind``, those that are empty left out."""
        rows = await self.db.fetch(
            "select a.code || '.' || b.kind as book, b.balance from books b"
            " join accounts a on a.id = b.account_id where b.balance <> 0"
        )
        return {row["book"]: row["balance"] for row in rows}


@pytest.fixture
async def world(db: Database, tmp_path: Path) -> World:
    ids: list[int] = []
    for code in ("operator", "reseller", "enterprise"):
        ids.append(await db.fetchval(_ACCOUNT, ids[-1] if ids else None, code))
    actors = [Actor(id_, "tester", frozenset()) for id_ in ids]
    for name in ("trunk", "trunk2"):
        await db.execute(_TRUNK, ids[-1], name)
    return World(
        db, tmp_path / "journal.csv", actors[0], actors[1], actors[2], make_table(ids),
        TariffMemory(),
    )  # fmt: skip


def make_table(ids: list[int]) -> Any:
    extensions = tuple(Extension(n, endpoint=n) for n in ("201", "202", "203", "204"))
    trunks = tuple(Trunk(n, "127.0.0.9", endpoint=n) for n in ("trunk", "trunk2"))
    parents = [None, *ids]
    accounts = [
        Account(id_, f"a{id_}", "", parent_id=parent, country="HU")
        for id_, parent in zip(ids, parents, strict=False)
    ]
    return build_table(
        (
            AccountRouting(accounts[0]),
            AccountRouting(accounts[1]),
            AccountRouting(accounts[2], extensions, trunks),
        )
    )
