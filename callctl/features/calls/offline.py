"""Records from a journal file alone: no database, no Asterisk, no settings (docs/journal.md)."""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from callctl.asterisk.journal import Framer, Poison, parse_row
from callctl.core.calls.build import build_call
from callctl.core.calls.events import CelEvent, unique_key
from callctl.core.calls.grouping import CallGroups
from callctl.core.calls.inventory import Inventory
from callctl.core.calls.record import CallRecord

CHUNK_BYTES = 1 << 20


class InventoryFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``{"trunks": ["trunk", …], "extensions": {"201": "PJSIP/201", …}}``."""

    trunks: list[str] = []
    extensions: dict[str, str] = {}


def load_inventory(path: Path) -> Inventory:
    """Raises msgspec.MsgspecError, whose text says what is wrong where."""
    read = msgspec.json.decode(path.read_bytes(), type=InventoryFile)
    return Inventory.build(read.trunks, read.extensions)


@dataclass(slots=True)
class JournalRead:
    """What a journal gave: records in order of start, and the damage that was cut out."""

    records: list[CallRecord] = field(default_factory=list)
    poison: list[Poison] = field(default_factory=list)
    rows: int = 0


def read_events(path: Path) -> Iterator[CelEvent | Poison]:
    """Every row of the file, damage as Poison. Reads in chunks; the file may be of any size."""
    framer = Framer()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            for piece in framer.feed(chunk):
                event = piece if isinstance(piece, Poison) else parse_row(piece)
                if event is not None:
                    yield event
    for piece in framer.flush():
        event = piece if isinstance(piece, Poison) else parse_row(piece)
        if event is not None:
            yield event


@contextmanager
def _without_collector() -> Iterator[None]:
    """Rows and records hold no cycles, and looking for some again and again takes half the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@_without_collector()
def build_journal(path: Path, inventory: Inventory) -> JournalRead:
    """All calls of a journal. Time and memory grow linearly with its rows."""
    read = JournalRead()
    groups = CallGroups()
    for event in read_events(path):
        if isinstance(event, Poison):
            read.poison.append(event)
        else:
            groups.add(event)
            read.rows += 1
    damaged = find_damaged(groups, read.poison)
    for root in groups.roots():
        record = build_call(groups.events(root), inventory, damaged=root in damaged)
        if record is not None:
            read.records.append(record)
    read.records.sort(key=lambda r: (r.started_us, unique_key(r.call_id)))
    return read


def find_damaged(groups: CallGroups, poison: Sequence[Poison]) -> set[str]:
    """Calls that broken rows speak of, or (where they name none) that were open at their place."""
    damaged = {groups.find(i) for piece in poison for i in piece.uniqueids if i in groups}
    nameless = [piece.position for piece in poison if not piece.uniqueids]
    for root in groups.roots() if nameless else ():
        places = [event.position for event in groups.events(root)]
        if any(min(places, default=0) < place < max(places, default=0) for place in nameless):
            damaged.add(root)
    return damaged
