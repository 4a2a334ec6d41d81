"""The sums of reports are what the calls add up to, whatever happens to the calls."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callctl.asterisk.journal import split_rows
from callctl.console.words import SUPERVISIONS
from callctl.core.calls.record import CallRecord
from callctl.core.routing.plan import Direction
from callctl.db.migrate import migrate
from callctl.db.pool import Database
from callctl.features.calls import store
from callctl.features.calls.rollups import Difference, RollupChanges, find_differences, rebuild
from callctl.resources import resource_dir

from .conftest import Desk, fixture_rows
from .made_calls import SPRING, as_stored, make_record


def listening(call: CallRecord, feature: str = "listen") -> CallRecord:
    """As a supervisor's call into another one, which is in no sum."""
    return replace(call, direction=Direction.INTERNAL, route=f"feature:{feature}")


def make_any(chance: random.Random) -> CallRecord:
    call = make_record(chance)
    return listening(call) if chance.random() < 0.2 else call


async def insert(db: Database, account_id: int, records: Sequence[CallRecord]) -> list[int]:
    """As the reader stores a batch."""
    async with db.transaction() as connection:
        sums = RollupChanges(connection)
        sums.added(
            await store.insert_calls(connection, [as_stored(r, account_id) for r in records])
        )
        await sums.apply()
    return await ids_of(db)


async def ids_of(db: Database) -> list[int]:
    return [row["id"] for row in await db.fetch("select id from calls order by id")]


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 1 << 32), steps=st.lists(st.sampled_from("irmzds"), max_size=8))
async def test_sums_equal_a_recount_after_any_inserts_rebuilds_merges_and_deletions(
    desk: Desk, seed: int, steps: list[str]
) -> None:
    chance = random.Random(seed)
    ids = await insert(desk.db, desk.account_id, [make_any(chance) for _ in range(5)])
    for step in steps:
        match step:
            case "i":
                ids = await insert(desk.db, desk.account_id, [make_any(chance)])
            case "z":
                zone = chance.choice(("Europe/Budapest", "Asia/Kathmandu", "America/St_Johns"))
                await desk.db.execute("update accounts set timezone = $1", zone)
            case "d":
                await delete_some(desk, chance, ids)
                ids = await insert(desk.db, desk.account_id, [make_any(chance)])
            case "s":
                # As when a person settles callbacks: whatever comes late must respect it.
                await desk.db.execute(
                    "update contacts set settled_at = missed_at, owed_since = null, owed_calls = 0"
                )
            case _:
                await rebuild_in_one_batch(desk, chance, ids, merge=step == "m")
                ids = await ids_of(desk.db)
        assert await find_differences(desk.db) == []


async def rebuild_in_one_batch(
    desk: Desk, chance: random.Random, ids: list[int], *, merge: bool
) -> None:
    """Some calls are rebuilt, one of them twice, beside new ones; some turn out to be one."""
    keep = chance.choice(ids)
    others = [i for i in ids if i != keep]
    losers = chance.sample(others, min(len(others) - 1, 2)) if merge and len(others) > 1 else []
    async with desk.db.transaction() as connection:
        sums = RollupChanges(connection)
        for _ in range(2):
            await sums.before_change((keep, *losers))
            await store.replace_call(
                connection, keep, as_stored(make_any(chance), desk.account_id), losers
            )
        new = [as_stored(make_any(chance), desk.account_id)]
        sums.added(await store.insert_calls(connection, new))
        await sums.apply()


async def delete_some(desk: Desk, chance: random.Random, ids: list[int]) -> None:
    async with desk.db.transaction() as connection:
        sums = RollupChanges(connection)
        gone = chance.sample(ids, min(len(ids), 2))
        await sums.before_change(gone)
        await connection.execute(store.DELETE_CALLS, gone)
        await sums.apply()


@pytest.mark.parametrize("supervision", SUPERVISIONS)
async def test_a_supervisor_s_listening_is_in_no_sum(desk: Desk, supervision: str) -> None:
    call = make_record(random.Random(5))
    heard = listening(make_record(random.Random(5)), supervision)
    await insert(desk.db, desk.account_id, [call, heard])
    assert await desk.count() == 2
    for table in ("rollup_quarters", "rollup_days"):
        assert await desk.db.fetchval(f"select sum(calls) from {table}") == 1
    await replace_call(desk, listening(call, supervision))
    assert await desk.db.fetchval("select sum(calls) from rollup_days") == 0
    assert await desk.db.fetchval("select sum(attempts) from rollup_extension_days") == 0


async def replace_call(desk: Desk, call: CallRecord) -> None:
    async with desk.db.transaction() as connection:
        sums = RollupChanges(connection)
        id_ = await connection.fetchval("select id from calls where call_id = $1", call.call_id)
        await sums.before_change([id_])
        await store.replace_call(connection, id_, as_stored(call, desk.account_id), [])
        await sums.apply()


async def test_late_rows_that_join_two_stored_calls_leave_sums_of_one(desk: Desk) -> None:
    early, joining = split_at_the_transfer(split_rows(fixture_rows("attended_transfer")))
    desk.write(b"".join(early))
    await desk.read_until_quiet()
    before = await desk.count()
    desk.write(b"".join(joining))
    await desk.read_until_quiet()
    assert (before, await desk.count()) == (2, 1)
    assert await find_differences(desk.db) == []
    assert await desk.db.fetchval("select sum(calls) from rollup_quarters") == 1


def split_at_the_transfer(rows: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    """Rows as if nothing had been joined, every channel's end included; and those that join."""
    first_linkedid: dict[bytes, bytes] = {}
    early, joining = [], []
    for row in rows:
        uniqueid, linkedid = row.split(b'","')[11:13]
        first = first_linkedid.setdefault(uniqueid, linkedid)
        if b'"HANGUP"' in row or b'"CHAN_END"' in row:
            early.append(row.replace(linkedid, first))
        elif linkedid != first or b'"ATTENDEDTRANSFER"' in row:
            joining.append(row)
        else:
            early.append(row)
    return early, joining


async def test_writers_at_once_neither_deadlock_nor_lose_a_call(desk: Desk) -> None:
    extensions = [str(n) for n in range(300, 360)]

    async def write(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(12):
            batch = [make_record(chance, extensions, days=1) for _ in range(25)]
            await insert(desk.db, desk.account_id, batch)

    async with asyncio.timeout(60):
        await asyncio.gather(*(write(seed) for seed in range(5)))
    assert await desk.count() == 5 * 12 * 25
    assert await find_differences(desk.db) == []


async def test_a_failed_transaction_leaves_the_sums_alone(desk: Desk) -> None:
    chance = random.Random(1)
    await insert(desk.db, desk.account_id, [make_record(chance)])
    doubled = make_record(chance)
    with pytest.raises(asyncpg.UniqueViolationError):
        await insert(desk.db, desk.account_id, [doubled, doubled])
    assert await find_differences(desk.db) == []


async def test_quarters_serve_zones_of_every_offset_and_days_are_the_accounts(desk: Desk) -> None:
    chance = random.Random(2)
    # 18:20 UTC is 00:05 of the next day in Nepal (+05:45) and in the quarter of 18:15.
    at = SPRING + (18 * 60 + 20) * 60_000_000
    call = replace(make_record(chance), started_us=at, answered_us=None, ended_us=at)
    await desk.db.execute("update accounts set timezone = 'Asia/Kathmandu'")
    await insert(desk.db, desk.account_id, [call])
    row = await desk.db.fetchrow(
        "select q.quarter::text as quarter, d.day::text as day "
        "from rollup_quarters q cross join rollup_days d"
    )
    assert (row["quarter"], row["day"]) == ("2026-03-29 18:15:00+00", "2026-03-30")
    await desk.db.execute("update accounts set timezone = 'UTC'")
    assert await desk.db.fetchval("select day::text from rollup_days") == "2026-03-29"


async def test_a_wrong_sum_is_found_and_mended(desk: Desk) -> None:
    chance = random.Random(3)
    await insert(desk.db, desk.account_id, [make_record(chance)])
    await desk.db.execute("update rollup_days set talk_us = talk_us + 1")
    await desk.db.execute("delete from rollup_quarters")
    found = await find_differences(desk.db)
    assert [(d.table, d.kept, d.counted) for d in found] == [
        ("rollup_quarters", 0, 1),
        ("rollup_days", 1, 1),
    ]
    assert isinstance(found[0], Difference)
    await rebuild(desk.db)
    assert await find_differences(desk.db) == []


async def test_a_database_with_calls_gets_its_sums_by_the_migration(
    postgres_url: str, postgres: Any, tmp_path: Path
) -> None:
    for path in sorted(resource_dir("migrations").glob("*.sql"))[:2]:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    connection = await asyncpg.connect(postgres_url)
    await connection.execute("create database before_rollups")
    try:
        url = postgres.url_of("before_rollups")
        await migrate(url, tmp_path)
        old = await Database.connect(url)
        account_id = await old.fetchval(
            "insert into accounts (code, name, kind) values ('lab', 'Lab', 'operator') returning id"
        )
        chance = random.Random(4)
        async with old.transaction() as inside:
            calls = [make_record(chance) for _ in range(20)]
            heard = [listening(call) for call in calls[:4]]
            stored = [as_stored(call, account_id) for call in (*heard, *calls[4:])]
            await store.insert_calls(inside, stored)
        await migrate(url)
        assert await find_differences(old) == []
        assert await old.fetchval("select sum(calls) from rollup_days") == 16
        await old.close()
    finally:
        await connection.execute("drop database before_rollups with (force)")
        await connection.close()
