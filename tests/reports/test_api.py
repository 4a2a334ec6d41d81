"""Reports, callbacks and exports over HTTP: as declared, and hostile input is refused."""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from callctl.core.author import Author
from callctl.core.calls.record import Disposition
from callctl.core.errors import CallctlError
from callctl.core.routing.plan import Direction
from callctl.core.scope import CallScope
from callctl.db.pool import Database
from callctl.features.access.service import AccessService
from callctl.features.access.store import AccessStore
from callctl.features.calls import store
from callctl.features.calls.export import CALLS_TABLE
from callctl.features.calls.rollups import RollupChanges
from callctl.features.exports import api as exports_api
from callctl.features.exports.runner import ExportRunner
from callctl.features.exports.service import ExportService, ExportSettings
from callctl.features.reports import api as reports_api
from callctl.features.reports.catalogue import REPORTS
from callctl.features.reports.model import AssignCallback, CallbackQuery, SettleCallback
from callctl.features.reports.service import ReportService
from callctl.http.server import HttpServer, build_web_app
from tests.history.made_calls import SPRING, as_stored

from .world import World

PHONE = "+36201234567"
SECONDS = 20.0


@dataclass
class Site:
    """A running server over an account of 30 calls."""

    url: str
    token: str
    client: aiohttp.ClientSession
    world: World
    reports: ReportService

    async def ask(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self.client.request(
            method, f"{self.url}/api/v1{path}", headers=headers, **options
        ) as response:
            if response.content_type == "application/json":
                return response.status, await response.json()
            return response.status, await response.read()


@pytest.fixture
async def site(db: Database, tmp_path: Path) -> AsyncIterator[Site]:
    access = AccessService(AccessStore(db))
    bootstrap = await access.bootstrap()
    world = World(db, bootstrap.account_id, "Europe/Budapest", random.Random(5))
    await db.execute("update accounts set timezone = $1", world.zone)
    await world.insert(30)
    reports = ReportService(db, callback_minutes=30)
    settings = ExportSettings(tmp_path / "exports", "lab", 72, 3)
    runner = ExportRunner(db, settings)
    exports = ExportService(db, (CALLS_TABLE, *reports.tables()), settings, runner.wake)
    endpoints = [*reports_api.endpoints(reports), *exports_api.endpoints(exports)]
    server = HttpServer(build_web_app(endpoints, access))
    port = await server.start("127.0.0.1", 0)
    task = asyncio.create_task(runner.run(exports))
    async with aiohttp.ClientSession() as client:
        token = bootstrap.token or ""
        yield Site(f"http://127.0.0.1:{port}", token, client, world, reports)
    await server.stop()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_the_list_says_what_each_report_means(site: Site) -> None:
    status, body = await site.ask("GET", "/reports")
    assert status == 200
    assert [item["name"] for item in body["items"]] == list(REPORTS)
    for item in body["items"]:
        assert len(item["definition"]) > 40
        assert all(column["meaning"] for column in (*item["columns"], *item["parameters"]))
        status, answer = await site.ask("GET", f"/reports/{item['name']}")
        assert (status, answer["report"]) == (200, item["name"])
        assert answer["definition"] == item["definition"]
        # Nobody pays for these calls: tests/rates shows what the reports on money say.
        if item["name"] in ("cost-destinations", "margin"):
            continue
        assert answer["items"], item["name"]
        assert list(answer["items"][0]) == [column["name"] for column in item["columns"]]
    for period in ("today", "3d", "7d"):
        status, board = await site.ask("GET", "/dashboard", params={"period": period})
        assert (status, board["period"]) == (200, period)


@pytest.mark.parametrize(
    ("path", "status", "field"),
    [
        ("/reports/nothing", 404, None),
        ("/reports/calls-by-period?since=2026-02-01&until=2026-01-01", 422, "query.until"),
        ("/reports/calls-by-period?period=decade", 422, "query.period"),
        ("/reports/calls-by-period?colour=red", 422, "query.colour"),
        ("/reports/calls-by-period?since=yesterday", 422, "query.since"),
        ("/reports/calls-by-period?since=0001-01-01&until=9999-12-31", 200, None),
        ("/reports/clients-first-contact?since=0001-01-01&until=9999-12-31", 422, "query.since"),
        ("/reports/clients-distribution?since=2020-01-01&until=2026-01-01", 422, "query.since"),
        ("/reports/clients-distribution?until=2026-01-01", 422, "query.since"),
        ("/reports/clients-missed?cursor=AAAA", 422, "query.cursor"),
        ("/reports/clients-missed?cursor=%F0%9F%98%80", 422, "query.cursor"),
        ("/reports/clients-missed?limit=501", 422, "query.limit"),
        ("/reports/clients-missed?owner=%00", 422, "query.owner"),
        ("/dashboard?period=30d", 422, "query.period"),
        ("/exports/1/file", 404, None),
        ("/exports/99999999999999999999", 404, None),
        ("/exports?cursor=x", 422, "query.cursor"),
    ],
)
async def test_what_makes_no_sense_is_refused(
    site: Site, path: str, status: int, field: str | None
) -> None:
    found, body = await site.ask("GET", path)
    assert found == status
    if status != 200:
        assert body["error"].get("field") == field


async def test_a_cursor_serves_only_its_own_report(site: Site) -> None:
    _, page = await site.ask("GET", "/reports/clients-first-contact", params={"limit": 1})
    for name in ("clients-last-contact", "clients-missed", "clients-distribution"):
        path, params = f"/reports/{name}", {"cursor": page["next"]}
        assert (await site.ask("GET", path, params=params))[0] == 422


async def test_a_callback_closes_by_itself_by_hand_and_opens_again(site: Site) -> None:
    world = site.world
    clock = 0

    async def call(direction: Direction, disposition: Disposition, extension: str) -> None:
        nonlocal clock
        clock += 60_000_000
        at = SPRING + 10 * 86_400_000_000 + clock
        made = world.make()
        record = replace(
            made,
            direction=direction,
            disposition=disposition,
            started_us=at,
            answered_us=at if disposition is Disposition.ANSWERED else None,
            ended_us=at + 1_000_000,
            from_number=PHONE if direction is Direction.INBOUND else extension,
            to_number=PHONE if direction is Direction.OUTBOUND else extension,
            extension=extension if direction is Direction.OUTBOUND else None,
            answered_by=extension if disposition is Disposition.ANSWERED else None,
            attempts=tuple(replace(a, extension=extension) for a in made.attempts[:1]),
        )
        async with world.db.transaction() as connection:
            sums = RollupChanges(connection)
            sums.added(await store.insert_calls(connection, [as_stored(record, world.account_id)]))
            await sums.apply()

    async def owed() -> Any:
        _, answer = await site.ask("GET", "/reports/clients-missed", params={"limit": 500})
        return next((row for row in answer["items"] if row["number"] == PHONE), None)

    await call(Direction.OUTBOUND, Disposition.ANSWERED, "203")
    assert await owed() is None
    await call(Direction.INBOUND, Disposition.NO_ANSWER, "201")
    await call(Direction.OUTBOUND, Disposition.NO_ANSWER, "202")
    await call(Direction.INBOUND, Disposition.CANCELLED, "201")
    row = await owed()
    # Who talked last is responsible; an attempt that reached nobody removes nothing.
    assert (row["missed_calls"], row["owner"], row["state"]) == (2, "203", "overdue")
    path = f"/callbacks/{row['number_id']}"
    _, given = await site.ask("PUT", f"{path}/owner", json={"extension": "204"})
    assert given["owner"] == "204"
    reading = CallScope(world.account_id, ("204",))
    shown = await site.reports.answer(
        reading, REPORTS["clients-missed"], CallbackQuery(owner="204")
    )
    assert [item.number for item in shown.items] == [PHONE]
    await call(Direction.OUTBOUND, Disposition.ANSWERED, "204")
    assert await owed() is None
    await call(Direction.INBOUND, Disposition.BUSY, "201")
    assert (await owed())["missed_calls"] == 1
    status, note = await site.ask("POST", f"{path}/settle", json={"note": "wrote a mail"})
    assert (status, note["note"], note["marked_by"]) == (200, "wrote a mail", "token:first token")
    assert await owed() is None
    assert (await site.ask("POST", f"{path}/settle", json={"note": "again"}))[0] == 404
    await call(Direction.INBOUND, Disposition.BUSY, "201")
    assert (await owed())["missed_calls"] == 1


async def test_a_callback_of_a_client_is_one_for_all_its_numbers(site: Site) -> None:
    async def owed() -> dict[str, int]:
        _, answer = await site.ask("GET", "/reports/clients-missed", params={"limit": 500})
        return {row["number"]: row["missed_calls"] for row in answer["items"]}

    first, second = "+36201234567", "+36201234599"
    at = SPRING + 10 * 86_400_000_000
    missed = [
        replace(
            site.world.make(),
            direction=Direction.INBOUND,
            disposition=Disposition.NO_ANSWER,
            from_number=number,
            started_us=at,
            answered_us=None,
            ended_us=at + 1,
        )
        for number in (first, second)
    ]
    await site.world.store(missed)
    before = await owed()
    ids = dict(await site.world.db.fetch("select number, id from numbers"))
    await site.world.link([first, second])
    after = await owed()
    assert set(before) - set(after) == {second}
    path = f"/callbacks/{ids[second]}"
    status, row = await site.ask("PUT", f"{path}/owner", json={"extension": "204"})
    assert (status, row["number"], row["owner"]) == (200, first, "204")
    assert (await site.ask("POST", f"{path}/settle", json={"note": "wrote"}))[0] == 200
    assert set(await owed()) == set(after) - {first}
    await site.world.db.execute("delete from clients")
    assert set(await owed()) == set(before) - {first, second}


async def test_a_callback_outside_the_scope_or_the_account_does_not_exist(site: Site) -> None:
    everything, nothing = CallScope(site.world.account_id), CallScope(site.world.account_id, ())
    elsewhere = CallScope(site.world.account_id + 1)
    owed = await site.reports.answer(everything, REPORTS["clients-missed"], CallbackQuery())
    number = owed.items[0].number_id
    for scope in (nothing, elsewhere):
        with pytest.raises(CallctlError, match="not_found"):
            await site.reports.settle_callback(scope, number, SettleCallback("n"), Author("me"))
        with pytest.raises(CallctlError, match="not_found"):
            await site.reports.assign_callback(scope, number, AssignCallback("201"), Author("me"))
    again = await site.reports.answer(everything, REPORTS["clients-missed"], CallbackQuery())
    assert again.items == owed.items
    for path in ("/callbacks/999999999/settle", "/callbacks/x/settle"):
        assert (await site.ask("POST", path, json={"note": "n"}))[0] == 404
    for body in ({}, {"note": " "}, {"note": "n", "by": "me"}, {"note": "n" * 2001}):
        assert (await site.ask("POST", "/callbacks/1/settle", json=body))[0] == 422


async def test_an_export_is_made_fetched_and_verified(site: Site) -> None:
    status, made = await site.ask("POST", "/exports", json={"source": "calls", "mode": "all"})
    assert (status, made["state"]) == (201, "queued")
    async with asyncio.timeout(SECONDS):
        while (job := (await site.ask("GET", f"/exports/{made['id']}"))[1])["state"] != "done":
            assert job["state"] in ("queued", "running"), job
            await asyncio.sleep(0.01)
    assert job["rows"] == 30
    status, file = await site.ask("GET", f"/exports/{made['id']}/file")
    assert (status, hashlib.sha256(file).hexdigest()) == (200, job["sha256"])
    status, by_file = await site.ask("POST", "/exports/verify/file", data=file)
    _, by_hash = await site.ask("POST", "/exports/verify", json={"sha256": job["sha256"].upper()})
    assert by_file == by_hash
    assert (by_file["known"], by_file["exports"][0]["id"]) == (True, made["id"])
    _, changed = await site.ask("POST", "/exports/verify/file", data=file + b" ")
    assert changed["known"] is False
    assert (await site.ask("POST", "/exports/verify", json={"sha256": "12"}))[0] == 422
    assert (await site.ask("POST", f"/exports/{made['id']}/cancel"))[0] == 409
