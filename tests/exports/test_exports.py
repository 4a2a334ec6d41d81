"""Exports hold exactly what was asked for, and leave nothing behind."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from callctl.core.errors import CallctlError
from callctl.core.scope import CallScope
from callctl.features.calls import store
from callctl.features.calls.export import CALLS_TABLE
from callctl.features.calls.model import CallFilters
from callctl.features.calls.rollups import RollupChanges
from callctl.features.calls.service import CallService
from callctl.features.exports.model import ExportFilters, NewExport
from callctl.features.exports.runner import ExportRunner
from callctl.features.reports.catalogue import REPORTS
from callctl.features.reports.service import ReportService

from .conftest import Office, office_of


async def listed(office: Office, **filters: Any) -> list[int]:
    service = CallService(office.world.db)
    page = await service.list_calls(
        CallScope(office.world.account_id), CallFilters(**{"limit": 500} | filters)
    )
    return [call.id for call in page.items]


async def test_all_search_page_and_selected_hold_just_those_calls(office: Office) -> None:
    assert office.ids(await office.export(source="calls", mode="all")) == await listed(office)

    found = await office.export(source="calls", mode="search", filters={"direction": "inbound"})
    assert office.ids(found) == await listed(office, direction="inbound")
    assert 0 < found.rows < 60

    first = await CallService(office.world.db).list_calls(
        CallScope(office.world.account_id), CallFilters(limit=7)
    )
    page = await office.export(
        source="calls", mode="page", filters={"limit": 7, "cursor": first.next}
    )
    assert office.ids(page) == (await listed(office))[7:14]

    keys = sorted(office.world.calls)[:12]
    chosen = await office.export(
        source="calls", mode="selected", keys=[*map(str, keys), "999999999"]
    )
    assert sorted(office.ids(chosen)) == keys


# Nobody pays for these calls: tests/rates shows what the reports on money say.
@pytest.mark.parametrize("name", sorted({*REPORTS} - {"cost-destinations", "margin"}))
async def test_a_report_is_exported_as_it_is_read(office: Office, name: str) -> None:
    report = REPORTS[name]
    answer = await ReportService(office.world.db).answer(
        CallScope(office.world.account_id), report, report.query()
    )
    done = await office.export(source=name, mode="all")
    rows = office.read(done)
    assert len(rows) == len(answer.items) > 0
    assert list(rows[0]) == [column.name for column in report.columns]
    key = report.key[0]
    assert [row[key] for row in rows] == [str(getattr(item, key)) for item in answer.items]
    chosen = "/".join(rows[0][column] for column in report.key)
    only = office.read(await office.export(source=name, mode="selected", keys=[chosen]))
    assert only == rows[:1]


async def test_xlsx_holds_the_same_rows_and_every_plus(office: Office) -> None:
    as_csv = office.read(await office.export(source="calls", mode="all"))
    done = await office.export(source="calls", mode="all", format="xlsx")
    head, *rows = openpyxl.load_workbook(office.file(done)).active.values
    assert [str(row[0]) for row in rows] == [row["id"] for row in as_csv]
    column = head.index("from_number")
    assert [row[column] or "" for row in rows] == [row["from_number"] for row in as_csv]
    assert any(str(row[column]).startswith("+36") for row in rows)


async def test_calls_that_come_change_and_go_meanwhile_are_not_in_it(
    office: Office, tmp_path: Path
) -> None:
    before = await listed(office)

    async def disturbed(*args: Any) -> AsyncIterator[Sequence[Sequence[Any]]]:
        count = 0
        async for page in CALLS_TABLE.pages(*args):
            yield page
            count += 1
            if count < 4:
                await office.world.insert(3)
                await office.world.change("r")
                await office.world.change("d")

    table = replace(CALLS_TABLE, name="disturbed", pages=disturbed)
    other = office_of(office.world.db, office.world, tmp_path / "other", [table])
    assert other.ids(await other.export(source="disturbed", mode="all")) == before
    assert await listed(office) != before


async def test_who_sees_some_extensions_exports_only_their_calls(office: Office) -> None:
    wide = await office.export(source="calls", mode="all")
    narrow = await office.export(office.agent, source="calls", mode="all")
    shown = [i for i, _ in office.world.seen(("201",))]
    assert sorted(office.ids(narrow)) == sorted(shown)
    assert len(shown) < 60
    hidden = next(i for i in office.world.calls if i not in shown)
    chosen = await office.export(
        office.agent, source="calls", mode="selected", keys=[str(hidden), str(shown[0])]
    )
    assert office.ids(chosen) == [shown[0]]
    # What others exported does not exist for the agent: not in the list, the file, the proof.
    agent = office.agent
    ids = {e.id for e in (await office.service.list_exports(agent, ExportFilters())).items}
    assert ids == {narrow.id, chosen.id}
    for ask in (office.service.get, office.service.find_file, office.service.cancel):
        with pytest.raises(CallctlError, match="not_found"):
            await ask(agent, wide.id)
    assert not (await office.service.verify(agent, wide.sha256 or "")).known
    assert (await office.service.verify(agent, narrow.sha256 or "")).known


async def test_another_accounts_exports_and_calls_do_not_exist(office: Office) -> None:
    other_id = await office.world.db.fetchval(
        "insert into accounts (code, name, kind) values ('other', 'Other', 'operator') returning id"
    )
    stranger = replace(office.actor, account_id=other_id)
    done = await office.export(source="calls", mode="all")
    with pytest.raises(CallctlError, match="not_found"):
        await office.service.find_file(stranger, done.id)
    key = str(min(office.world.calls))
    made = await office.service.create(
        stranger, NewExport(source="calls", mode="selected", keys=[key])
    )
    assert await office.runner.run_next(office.service)
    assert (await office.service.get(stranger, made.id)).rows == 0


async def test_a_right_to_the_list_itself_is_needed(office: Office) -> None:
    poor = replace(office.actor, scopes=frozenset({"exports:write", "calls:read"}))
    await office.service.create(poor, NewExport(source="calls", mode="all"))
    with pytest.raises(CallctlError, match="forbidden"):
        await office.service.create(poor, NewExport(source="numbers", mode="all"))


async def test_a_hundred_at_once_are_refused_but_for_the_few_allowed(office: Office) -> None:
    async def ask() -> str:
        try:
            await office.service.create(office.actor, NewExport(source="calls", mode="all"))
        except CallctlError as error:
            return f"{error.status} {error.code}"
        return "made"

    answers = await asyncio.gather(*(ask() for _ in range(100)))
    assert (answers.count("made"), answers.count("429 too_many_exports")) == (3, 97)
    while await office.runner.run_next(office.service):
        pass
    states = [
        e.state for e in (await office.service.list_exports(office.actor, ExportFilters())).items
    ]
    assert states == ["done"] * 3
    await office.service.create(office.actor, NewExport(source="calls", mode="all"))


async def test_a_cancelled_export_never_runs_and_one_under_way_stops(
    office: Office, tmp_path: Path
) -> None:
    made = await office.service.create(office.actor, NewExport(source="calls", mode="all"))
    assert (await office.service.cancel(office.actor, made.id)).state == "cancelled"
    assert not await office.runner.run_next(office.service)
    with pytest.raises(CallctlError, match="conflict"):
        await office.service.cancel(office.actor, made.id)

    async def cancels_itself(*args: Any) -> AsyncIterator[Sequence[Sequence[Any]]]:
        async for page in CALLS_TABLE.pages(*args):
            (running,) = (
                await other.service.list_exports(office.actor, ExportFilters(state="running"))
            ).items
            await other.service.cancel(office.actor, running.id)
            yield page
            break

    table = replace(CALLS_TABLE, name="cancels", pages=cancels_itself)
    other = office_of(office.world.db, office.world, tmp_path / "other", [table])
    done = await other.export(source="cancels", mode="all")
    assert (done.state, done.sha256) == ("cancelled", None)
    assert list(other.settings.root.iterdir()) == []


async def test_after_a_crash_it_is_made_anew_and_no_file_is_left_over(office: Office) -> None:
    made = await office.service.create(office.actor, NewExport(source="calls", mode="all"))
    # As a killed daemon leaves it: claimed, a part of a file, and a file that was never announced.
    await office.world.db.execute("update exports set state = 'running', runs = 1, rows = 7")
    (office.settings.root / f"{made.id}.part").mkdir()
    (office.settings.root / f"{made.id}.part" / "file").write_bytes(b"half")
    (office.settings.root / "99.csv").write_bytes(b"orphan")
    reborn = ExportRunner(office.world.db, office.settings)
    await reborn.sweep(datetime.now(UTC))
    assert list(office.settings.root.iterdir()) == []
    assert await reborn.run_next(office.service)
    assert office.ids(await office.service.get(office.actor, made.id)) == await listed(office)
    assert [path.name for path in office.settings.root.iterdir()] == [f"{made.id}.csv"]


async def test_one_that_is_cut_off_again_and_again_fails(office: Office) -> None:
    made = await office.service.create(office.actor, NewExport(source="calls", mode="all"))
    await office.world.db.execute("update exports set state = 'running', runs = 3")
    assert not await office.runner.run_next(office.service)
    failed = await office.service.get(office.actor, made.id)
    assert (failed.state, failed.reason) == ("failed", "cut off again and again")


async def test_a_file_that_cannot_be_written_fails_the_export_and_says_why(
    office: Office,
) -> None:
    office.settings.root.rmdir()
    office.settings.root.write_bytes(b"no directory")
    failed = await office.export(source="calls", mode="all")
    assert failed.state == "failed"
    assert failed.reason.startswith("the file cannot be written")


async def test_it_expires_and_can_still_be_verified(office: Office) -> None:
    done = await office.export(
        source="calls", mode="search", filters={"direction": "outbound", "min_talk": 1}
    )
    raw = office.file(done).read_bytes()
    assert done.bytes == len(raw)
    assert (await office.service.find_file(office.actor, done.id)).path == office.file(done)
    await office.runner.sweep(datetime.now(UTC) + timedelta(hours=71))
    assert office.file(done).exists()
    await office.runner.sweep(datetime.now(UTC) + timedelta(hours=73))
    assert not office.file(done).exists()
    with pytest.raises(CallctlError, match="expired"):
        await office.service.find_file(office.actor, done.id)

    async def chunks(data: bytes) -> AsyncIterator[bytes]:
        for at in range(0, len(data), 100):
            yield data[at : at + 100]

    proof = await office.service.verify_file(office.actor, chunks(raw))
    assert (proof.known, proof.sha256) == (True, done.sha256)
    (known,) = proof.exports
    assert (known.id, known.created_by, known.state) == (done.id, "boss", "expired")
    assert known.filters == {"direction": "outbound", "min_talk": 1}
    changed = await office.service.verify_file(office.actor, chunks(raw.replace(b"2", b"3", 1)))
    assert (changed.known, changed.exports) == (False, [])


@pytest.mark.parametrize(
    ("new", "field"),
    [
        ({"source": "nothing", "mode": "all"}, "body.source"),
        ({"source": "calls", "mode": "selected"}, "body.keys"),
        ({"source": "calls", "mode": "all", "keys": ["1"]}, "body.keys"),
        ({"source": "calls", "mode": "selected", "keys": ["1; drop"]}, "body.keys"),
        ({"source": "calls", "mode": "selected", "keys": ["9" * 60]}, "body.keys"),
        ({"source": "calls", "mode": "all", "filters": {"missed": True}}, "body.filters"),
        ({"source": "calls", "mode": "search", "filters": {"limit": 5}}, "body.filters.limit"),
        ({"source": "calls", "mode": "search", "filters": {"x": 5}}, "body.filters.x"),
        ({"source": "calls", "mode": "page", "filters": {"limit": 501}}, "body.filters.limit"),
        ({"source": "calls", "mode": "page", "filters": {"cursor": "?"}}, "body.filters.cursor"),
        (
            {
                "source": "calls",
                "mode": "search",
                "filters": {"since": "2026-02-01T00:00:00Z", "until": "2026-01-01T00:00:00Z"},
            },
            "body.filters.until",
        ),
        (
            {
                "source": "calls",
                "mode": "search",
                "filters": {"since": "0001-01-01T00:00:00+14:00"},
            },
            "body.filters.since",
        ),
        (
            {
                "source": "numbers",
                "mode": "search",
                "filters": {"since": "2026-02-01", "until": "2026-01-01"},
            },
            "body.filters.until",
        ),
    ],
)
async def test_what_makes_no_sense_is_refused_at_once(
    office: Office, new: dict[str, Any], field: str
) -> None:
    with pytest.raises(CallctlError) as refused:
        await office.service.create(office.actor, NewExport(**new))
    assert (refused.value.code, refused.value.field) == ("invalid_field", field)
    assert (await office.service.list_exports(office.actor, ExportFilters())).items == []


async def test_a_merge_in_the_account_does_not_disturb_a_list_of_exports(office: Office) -> None:
    ids = [(await office.export(source="calls", mode="all")).id for _ in range(3)]
    async with office.world.db.transaction() as connection:
        sums = RollupChanges(connection)
        gone = sorted(office.world.calls)[:1]
        await sums.before_change(gone)
        await connection.execute(store.DELETE_CALLS, gone)
        await sums.apply()
    page = await office.service.list_exports(office.actor, ExportFilters(limit=2))
    rest = await office.service.list_exports(office.actor, ExportFilters(cursor=page.next))
    assert [e.id for e in (*page.items, *rest.items)] == sorted(ids, reverse=True)
