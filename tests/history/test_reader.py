"""Exactly one record per call, whatever happens to the reader or to the file."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from callctl.asterisk.journal import split_rows
from callctl.asterisk.journal_files import READ_BYTES, JournalFiles
from callctl.core.calls.inventory import Inventory
from callctl.core.calls.record import StoredRecord
from callctl.core.calls.render import record_as_json
from callctl.core.scope import CallScope
from callctl.features.calls.model import CallFilters
from callctl.features.calls.offline import build_journal

from .conftest import Desk, eventually, fixture_rows

NAMES = ("answered", "second_answers", "busy", "cancelled_second", "internal", "fork_one_winner")


async def stored(desk: Desk) -> dict[str, dict[str, Any]]:
    page = await desk.service.list_calls(CallScope(desk.account_id), CallFilters(limit=500))
    return {call.call_id: _plain(call) for call in page.items}


def _plain(call: Any) -> dict[str, Any]:
    return {name: getattr(call, name) for name in call.__struct_fields__}


async def test_stored_calls_say_what_the_offline_build_says(desk: Desk) -> None:
    for name in NAMES:
        desk.write(fixture_rows(name))
    await desk.read_all(len(NAMES))
    offline = build_journal(desk.journal, Inventory.build(["trunk"], {}))
    expected = {r.call_id: record_as_json(r) for r in offline.records}
    found = await stored(desk)
    assert found.keys() == expected.keys()
    for call_id, call in found.items():
        for key in ("direction", "disposition", "answered_by", "extension", "completeness"):
            assert call[key] == expected[call_id][key]
        assert call["talk_seconds"] == pytest.approx(expected[call_id]["talk_seconds"])
        tried = [a["extension"] for a in expected[call_id]["attempts"]]
        assert [t.split()[0] for t in call["tried"]] == tried


async def test_a_reader_that_starts_again_changes_nothing(desk: Desk) -> None:
    desk.write(fixture_rows("answered"))
    await desk.read_all(1)
    before = await stored(desk)
    desk.write(fixture_rows("busy"))
    await desk.read_all(2)
    after = await stored(desk)
    assert {k: after[k] for k in before} == before


async def test_killed_at_every_row_each_call_is_there_once(desk: Desk) -> None:
    rows = split_rows(b"".join(fixture_rows(n) for n in NAMES))
    for start in range(0, len(rows), 5):
        desk.write(b"".join(rows[start : start + 5]))
        reader = desk.reader()
        task = asyncio.create_task(reader.run())
        await reader.caught_up.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await desk.read_all(len(NAMES))
    assert {c["completeness"] for c in (await stored(desk)).values()} == {"complete"}


async def test_the_whole_journal_twice_doubles_nothing(desk: Desk) -> None:
    data = b"".join(fixture_rows(n) for n in NAMES)
    desk.write(data)
    await desk.read_all(len(NAMES))
    before = await stored(desk)
    desk.write(data)
    desk.write(fixture_rows("declined"))
    await desk.read_all(len(NAMES) + 1)
    after = await stored(desk)
    assert {k: after[k] for k in before} == before


async def test_a_late_row_reopens_and_repairs_its_call(desk: Desk) -> None:
    rows = split_rows(fixture_rows("answered"))
    late = next(r for r in rows if b'"BRIDGE_ENTER"' in r and b"trunk-" in r.split(b'","')[8])
    desk.write(b"".join(r for r in rows if r is not late))
    await desk.read_all(1)
    before = next(iter((await stored(desk)).values()))
    desk.write(late)
    reader = desk.reader()
    task = asyncio.create_task(reader.run())

    async def repaired() -> bool:
        call = next(iter((await stored(desk)).values()))
        return bool(call["completeness"] == "repaired")

    try:
        await eventually(repaired, "the late row is in")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    after = next(iter((await stored(desk)).values()))
    assert after["id"] == before["id"]
    assert after["answered_by"] == "201"
    assert await desk.count() == 1


async def test_damage_is_kept_aside_and_the_calls_around_it_are_whole(desk: Desk) -> None:
    answered, busy = split_rows(fixture_rows("answered")), fixture_rows("busy")
    torn = answered[3][:100]
    desk.write(b"".join(answered[:3]) + torn + b"\n" + b"".join(answered[4:]) + busy)
    await desk.read_all(2)
    kept = await desk.db.fetch("select raw, reason from journal_quarantine")
    assert [row["raw"] for row in kept] == [torn + b"\n"]
    states = {c["disposition"]: c["completeness"] for c in (await stored(desk)).values()}
    assert states == {"ANSWERED": "repaired", "BUSY": "complete"}


async def test_a_renamed_journal_is_read_to_its_end(desk: Desk) -> None:
    rows = split_rows(fixture_rows("answered"))
    desk.write(b"".join(rows[:5]))
    reader = desk.reader()
    task = asyncio.create_task(reader.run())
    try:
        await reader.caught_up.wait()
        old = desk.journal.with_name("journal.csv.20260101T000000")
        desk.journal.rename(old)
        desk.write(b"".join(rows[6:]))
        with old.open("ab") as file:
            file.write(rows[5])
        await desk.wait_for(1)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    call = next(iter((await stored(desk)).values()))
    assert call["completeness"] == "complete"


async def test_an_emptied_journal_is_read_from_its_new_start(desk: Desk) -> None:
    desk.write(fixture_rows("answered"))
    reader = desk.reader()
    task = asyncio.create_task(reader.run())
    try:
        await desk.wait_for(1)
        desk.journal.write_bytes(b"")
        desk.write(fixture_rows("busy"))
        await desk.wait_for(2)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_calls_open_when_asterisk_died_are_truncated(desk: Desk) -> None:
    rows = split_rows(fixture_rows("answered"))
    desk.write(b"".join(rows[:8]))
    again = fixture_rows("busy").replace(b"lab-1795", b"lab-1999")
    desk.write(again)
    await desk.read_all(2)
    states = {c["disposition"]: c["completeness"] for c in (await stored(desk)).values()}
    assert states["ANSWERED"] == "truncated"
    assert states["BUSY"] == "complete"


async def test_listeners_hear_of_each_call_after_its_commit(desk: Desk) -> None:
    desk.write(fixture_rows("answered"))
    await desk.read_until_quiet()
    assert [r.answered_by for r in desk.told] == ["201"]


async def test_the_reader_says_until_when_it_has_read_and_which_channels(desk: Desk) -> None:
    rows = split_rows(fixture_rows("answered"))
    seen: list[str] = []
    reader = desk.reader()
    reader._on_channels = seen.extend
    desk.write(b"".join(rows[:8]))
    before = time.monotonic()
    task = asyncio.create_task(reader.run())
    try:
        await reader.caught_up.wait()
        assert reader.read_until is not None
        assert reader.read_until >= before
        assert set(seen) == reader.open_channels()
        assert len(seen) == 2
        closed = reader.close_channels([*seen, "lab-1700000000.999"])
        assert set(closed) == set(seen)
        await desk.wait_for(1)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    call = next(iter((await stored(desk)).values()))
    assert call["completeness"] == "truncated"
    assert call["answered_by"] == "201"


def test_a_journal_is_at_its_end_only_when_all_of_its_files_are(tmp_path: Path) -> None:
    journal = tmp_path / "journal.csv"
    data = fixture_rows("answered")
    files = JournalFiles(journal)
    files.open_at(None)

    def read() -> bool:
        list(files.read(time.monotonic()))
        return files.at_end

    assert read()
    journal.write_bytes(data * (READ_BYTES // len(data) + 2))
    assert not read()
    assert read()
    journal.rename(tmp_path / "journal.csv.20260101T000000")
    journal.write_bytes(fixture_rows("busy"))
    assert not read()
    assert read()
    files.close()


async def test_a_step_of_the_transaction_sees_each_call_and_is_undone_with_it(desk: Desk) -> None:
    seen: list[StoredRecord] = []

    async def note(connection: Any, records: Sequence[StoredRecord]) -> None:
        seen.extend(records)
        for record in records:
            await connection.execute(
                "update calls set from_name = 'noted' where id = $1", record.id
            )
        if len(seen) == 1:
            raise ConnectionResetError("the database has gone in the middle")

    desk.steps.append(note)
    desk.write(fixture_rows("answered"))
    await desk.read_all(1)
    assert [r.new for r in seen] == [True, True]
    assert seen[0].record == seen[1].record
    row = await desk.db.fetchrow("select id, from_name from calls")
    assert tuple(row) == (seen[1].id, "noted")
    assert len(desk.told) == 1
