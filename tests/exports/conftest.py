"""Calls in a database, and what exports them."""

import csv
import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from callctl.core.permissions import ALL_SCOPES
from callctl.core.tables import TableSource
from callctl.db.pool import Database
from callctl.features.calls.export import CALLS_TABLE
from callctl.features.exports.model import ExportView, NewExport
from callctl.features.exports.runner import ExportRunner
from callctl.features.exports.service import ExportService, ExportSettings
from callctl.features.reports.service import ReportService
from callctl.http import list_table
from callctl.http.endpoint import Actor
from tests.reports.world import World


@dataclass
class Office:
    """An account with calls, its exports, and who asks for them."""

    world: World
    settings: ExportSettings
    service: ExportService
    runner: ExportRunner
    actor: Actor

    @property
    def agent(self) -> Actor:
        """Somebody who sees one extension's calls only."""
        return replace(self.actor, name="agent", extensions=("201",))

    def file(self, done: ExportView) -> Path:
        return self.settings.root / f"{done.id}.{done.format}"

    async def export(self, actor: Actor | None = None, **new: Any) -> ExportView:
        """Ask for an export and make it."""
        made = await self.service.create(actor or self.actor, NewExport(**new))
        assert await self.runner.run_next(self.service)
        return await self.service.get(self.actor, made.id)

    def read(self, done: ExportView) -> list[dict[str, str]]:
        assert done.state == "done", done.reason
        with self.file(done).open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))

    def ids(self, done: ExportView) -> list[int]:
        return [int(row["id"]) for row in self.read(done)]


def office_of(
    db: Database, world: World, root: Path, tables: Iterable[TableSource] = (), at_once: int = 3
) -> Office:
    settings = ExportSettings(root, "lab", 72, at_once)
    runner = ExportRunner(db, settings)
    every = (CALLS_TABLE, *ReportService(db).tables(), *tables)
    service = ExportService(db, every, settings, runner.wake)
    root.mkdir(exist_ok=True)
    return Office(world, settings, service, runner, Actor(world.account_id, "boss", ALL_SCOPES))


@pytest.fixture
async def office(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    """60 calls; the call list is read five at a time."""
    monkeypatch.setattr(list_table, "AT_ONCE", 5)
    account_id = await db.fetchval(
        "insert into accounts (code, name, kind, timezone) "
        "values ('lab', 'Lab', 'operator', 'Europe/Budapest') returning id"
    )
    world = World(db, account_id, "Europe/Budapest", random.Random(11))
    await world.insert(60)
    return office_of(db, world, tmp_path / "exports")
