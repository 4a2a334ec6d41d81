"""Calls of another system's history, from its CSV: each once, however often it is imported."""

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from callctl.core.author import COMMAND_LINE, Author
from callctl.core.calls.imported import (
    FREEPBX,
    WAZO,
    NotImportable,
    Row,
    build_cdr_call,
    build_wazo_call,
)
from callctl.core.calls.inventory import Inventory
from callctl.core.calls.mysql_dump import MOST_LINE, read_dump
from callctl.core.calls.record import CallRecord
from callctl.core.routing.plan import Direction
from callctl.db.audit import record_change
from callctl.db.pool import WRITE_MODE, Database
from callctl.features.calls import store
from callctl.features.calls.attribution import stored_number
from callctl.features.calls.rollups import RollupChanges

BATCH = 500
DUMPED_TABLE = "cdr"
_NEEDED = {
    FREEPBX: ("calldate", "channel", "dstchannel", "dst", "duration", "billsec", "disposition",
              "uniqueid"),
    WAZO: ("id", "start", "answer", "end", "call_direction", "source_extension",
           "destination_extension"),
}  # fmt: skip

COUNTRY = "select country from accounts where id = $1"
KNOWN = "select call_id from calls where call_id = any($1::text[])"


@dataclass(frozen=True, slots=True)
class Imported:
    """A record, and the lines that it was made of."""

    record: CallRecord
    lines: tuple[str, ...]


@dataclass(slots=True)
class ImportRead:
    """What a file gave. `refused`: (line, why) of what no record could be made of."""

    calls: list[Imported] = field(default_factory=list)
    refused: list[tuple[int, str]] = field(default_factory=list)
    rows: int = 0


def read_file(
    path: Path, kind: str, inventory: Inventory, *, mysql_dump: bool = False
) -> ImportRead:
    """All calls of a CSV file with a line of names, or of the table ``cdr`` of a dump. Raises
    ValueError, OSError, csv.Error."""
    read = ImportRead()
    groups: dict[str, list[tuple[int, Row]]] = {}
    for line, row in _dumped_rows(path, kind) if mysql_dump else _rows(path, kind):
        read.rows += 1
        group = row.get("linkedid") or row.get("uniqueid") if kind == FREEPBX else f"{line}"
        groups.setdefault(group or f"{line}", []).append((line, row))
    for rows in groups.values():
        try:
            values = [row for _, row in rows]
            record = (
                build_cdr_call(values, inventory) if kind == FREEPBX else build_wazo_call(values[0])
            )
        except (NotImportable, OverflowError) as error:
            read.refused.append((rows[0][0], str(error)))
        else:
            lines = tuple(",".join(f'"{v}"' for v in row.values()) for row in values)
            read.calls.append(Imported(record, lines))
    read.calls.sort(key=lambda call: call.record.started_us)
    return read


def _rows(path: Path, kind: str) -> Iterator[tuple[int, Row]]:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        reader = csv.DictReader(line.replace("\0", "\N{REPLACEMENT CHARACTER}") for line in file)
        missing = [name for name in _NEEDED[kind] if name not in (reader.fieldnames or ())]
        if missing:
            raise ValueError(f"the first line must name the columns; missing: {', '.join(missing)}")
        for row in reader:
            yield reader.line_num, {k: v or "" for k, v in row.items() if k and not _is_rest(v)}


def _dumped_rows(path: Path, kind: str) -> Iterator[tuple[int, Row]]:
    with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
        lines = iter(lambda: file.readline(MOST_LINE + 1), "")
        for line, row in read_dump(lines, DUMPED_TABLE):
            if missing := [name for name in _NEEDED[kind] if name not in row]:
                raise ValueError(f"the table lacks columns: {', '.join(missing)}")
            yield line, {k: v.replace("\0", "\N{REPLACEMENT CHARACTER}") for k, v in row.items()}


def _is_rest(value: object) -> bool:
    """More values than names: the csv module's list of them."""
    return isinstance(value, list)


async def save(
    db: Database,
    account_id: int,
    calls: Sequence[Imported],
    *,
    author: Author = COMMAND_LINE,
    dry_run: bool = False,
    told: Callable[[int], None] = lambda done: None,
) -> int:
    """Store what is not known yet; how many calls that were. Raises CallctlError.

    No event tells of them: they are long over. Batches are stored or not as a whole; an import that
    was broken off goes on where it was.
    """
    country = await db.fetchval(COUNTRY, account_id)
    added = 0
    for first in range(0, len(calls), BATCH):
        batch = calls[first : first + BATCH]
        async with db.transaction() as connection:
            await connection.execute(WRITE_MODE)
            ids = [call.record.call_id for call in batch]
            known = {row[0] for row in await connection.fetch(KNOWN, ids)}
            fresh: dict[str, store.StoredCall] = {}
            for call in batch:
                if call.record.call_id not in known:
                    fresh[call.record.call_id] = _stored(call, account_id, country)
            added += len(fresh)
            if fresh and not dry_run:
                sums = RollupChanges(connection)
                sums.added(await store.insert_calls(connection, list(fresh.values())))
                await sums.apply()
                after = {"calls": len(fresh)}
                await record_change(
                    connection, account_id, author, "calls.imported", "calls", None, after
                )
        told(first + len(batch))
    return added


def _stored(call: Imported, account_id: int, country: str) -> store.StoredCall:
    record = call.record
    from_outside = record.direction is Direction.INBOUND
    to_outside = record.direction is not Direction.INTERNAL
    return store.StoredCall(
        record,
        account_id,
        stored_number(record.from_number, country, from_outside),
        stored_number(record.to_number, country, to_outside),
        stored_number(record.destination_number, country, to_outside),
        store.pack_rows(f"{line}\n".encode() for line in call.lines),
    )
