"""What storing costs: our batches of 100 calls against COPY of the same rows by the thousand.

Ours looks each call's channels up first, gives numbers their ids, moves the journal's position and
commits durably, a hundred calls at a time. COPY gets the same rows for the same tables, rendered
beforehand, a thousand calls in a transaction.
"""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.journal.generate import write_journal
from bench.journal.live import TRUNKS
from bench.store.generate import UNTIL
from callctl.core.calls.inventory import Inventory
from callctl.db.pool import WRITE_MODE, Database
from callctl.features.calls import store
from callctl.features.calls.offline import build_journal
from callctl.features.calls.rollups import RollupChanges

OUR_BATCH = 100
COPY_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Rates:
    """Calls per second of one round."""

    ours: float
    ours_with_rollups: float
    copy: float
    copy_of_calls_alone: float


def make_calls(count: int, account: int, first_second: int) -> list[store.StoredCall]:
    """Calls that follow those of the generator, with legs, attempts and journal rows."""
    with tempfile.TemporaryDirectory(prefix="callctl-bench-") as name:
        journal = Path(name) / "journal.csv"
        write_journal(journal, count, seed=first_second, first_second=first_second)
        records = build_journal(journal, Inventory.build(TRUNKS, {})).records
        size = journal.stat().st_size // count
        raw = journal.read_bytes()
    return [
        store.StoredCall(
            record,
            account,
            record.from_number,
            record.to_number,
            record.destination_number,
            store.pack_rows([raw[i * size : (i + 1) * size]]),
        )
        for i, record in enumerate(records)
    ]


async def one_round(db: Database, account: int, calls: int, number: int) -> Rates:
    """Each way stores `calls` calls of its own, one way after the other."""
    first_second = int(UNTIL.timestamp()) + number * 4 * calls
    sets = [make_calls(calls, account, first_second + i * calls) for i in range(4)]
    return Rates(
        ours=await _ours(db, sets[0], rollups=False),
        ours_with_rollups=await _ours(db, sets[1], rollups=True),
        copy=await _copy(db, sets[2], calls_alone=False),
        copy_of_calls_alone=await _copy(db, sets[3], calls_alone=True),
    )


async def _ours(db: Database, calls: Sequence[store.StoredCall], *, rollups: bool) -> float:
    began = time.perf_counter()
    for at in range(0, len(calls), OUR_BATCH):
        batch = calls[at : at + OUR_BATCH]
        async with db.transaction() as connection:
            await connection.execute(WRITE_MODE)
            known = await store.find_existing(
                connection, [leg.uniqueid for c in batch for leg in c.record.legs]
            )
            if known:
                raise RuntimeError("these calls are stored already")
            sums = RollupChanges(connection)
            sums.added(await store.insert_calls(connection, batch))
            if rollups:
                await sums.apply()
            await connection.execute(store.POSITION_UPSERT, "bench", "1-00000000", at)
    return len(calls) / (time.perf_counter() - began)


async def _copy(db: Database, calls: Sequence[store.StoredCall], *, calls_alone: bool) -> float:
    async with db.transaction() as connection:
        numbers = await store.save_numbers_of(connection, calls)
        ids = [row[0] for row in await connection.fetch(store.NEXT_CALL_IDS, len(calls))]
    pairs = list(zip(ids, calls, strict=True))
    batches = [
        store.render_rows(pairs[at : at + COPY_BATCH], numbers)
        for at in range(0, len(pairs), COPY_BATCH)
    ]
    began = time.perf_counter()
    for tables in batches:
        async with db.transaction() as connection:
            await connection.execute(WRITE_MODE)
            for rows in tables[:1] if calls_alone else tables:
                await _copy_table(connection, rows)
    return len(calls) / (time.perf_counter() - began)


async def _copy_table(connection: Any, rows: store.TableRows) -> None:
    if rows.records:
        await connection.copy_records_to_table(
            rows.table, columns=rows.columns, records=rows.records
        )
