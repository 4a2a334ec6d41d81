"""A long backlog is stored in whole batches; what is in a batch is as if it had come alone."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from callctl.asterisk.journal_files import READ_BYTES
from callctl.core.calls.record import CallRecording, StoredRecord
from callctl.features.calls import reader, store

from .conftest import WAIT_SECONDS, Desk, fixture_rows
from .made_calls import as_stored, make_record


async def test_a_backlog_is_stored_in_whole_batches_and_to_its_end(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "BATCH_CALLS", 8)
    monkeypatch.setattr(reader, "READ_ROWS", 100)
    rows = fixture_rows("answered")
    calls = 3 * READ_BYTES // len(rows)
    desk.write(b"".join(rows.replace(b"1795", b"%d" % (1800 + n)) for n in range(calls)))
    batches: list[int] = []

    async def count(_: Any, records: Sequence[StoredRecord]) -> None:
        batches.append(len(records))

    desk.steps.append(count)
    reading = desk.reader(grace_seconds=0.5)
    task = asyncio.create_task(reading.run())
    try:
        await asyncio.wait_for(reading.caught_up.wait(), WAIT_SECONDS)
        await desk.wait_for(calls)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    whole, rest = calls // 8 - 1, batches[calls // 8 - 1 :]
    assert batches[:whole] == [8] * whole
    assert sum(batches) == calls, rest


async def test_a_file_that_two_calls_of_a_batch_name_is_the_second_ones(desk: Desk) -> None:
    first, second = (
        replace(make_record(random.Random(n)), recordings=(CallRecording("same.raw", n * 10**6),))
        for n in (1, 2)
    )
    async with desk.db.transaction() as connection:
        stored = [as_stored(r, desk.account_id) for r in (first, second)]
        ids = await store.insert_calls(connection, stored)
    rows = await desk.db.fetch("select call, extract(epoch from started_at)::int from recordings")
    assert [tuple(r) for r in rows] == [(ids[1], 1)]
