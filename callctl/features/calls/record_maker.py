"""From the rows of a call to what is stored of it, by the routing as it is at that moment."""

from collections.abc import Callable, Sequence

from callctl.asterisk.journal import RawRow, parse_row
from callctl.core.calls.assembly import OpenCall
from callctl.core.calls.build import build_call
from callctl.core.calls.events import CelEvent
from callctl.core.calls.inventory import Inventory
from callctl.core.routing.model import RoutingTable
from callctl.features.calls.attribution import attribute, inventory_of
from callctl.features.calls.store import StoredCall, pack_rows


class RecordMaker:
    def __init__(self, table: Callable[[], RoutingTable], default_account_id: int) -> None:
        self._table = table
        self._default_account_id = default_account_id
        self._inventory_for: tuple[RoutingTable, Inventory] | None = None

    def make(self, call: OpenCall) -> StoredCall | None:
        """None where its rows are of no call."""
        return self._make(call.events, call.raw, call.damaged)

    def make_again(self, stored: Sequence[bytes], late: OpenCall) -> StoredCall | None:
        """`stored`: the rows of the stored call, or calls, that the late ones belong to. None where
        none of them is new."""
        known = set(stored)
        new = [(e, r) for e, r in zip(late.events, late.raw, strict=True) if r not in known]
        if not new:
            return None
        # Before all that is read now, in the order in which they were.
        parsed = (parse_row(RawRow(0, raw), i - len(stored)) for i, raw in enumerate(stored))
        events = [event for event in parsed if isinstance(event, CelEvent)]
        return self._make([*events, *(e for e, _ in new)], [*stored, *(r for _, r in new)], True)

    def _make(
        self, events: Sequence[CelEvent], raw: Sequence[bytes], damaged: bool
    ) -> StoredCall | None:
        table = self._table()
        record = build_call(events, self._inventory(table), damaged=damaged)
        if record is None:
            return None
        owner = attribute(record, table, self._default_account_id)
        return StoredCall(
            record,
            owner.account_id,
            owner.from_number,
            owner.to_number,
            owner.destination_number,
            pack_rows(raw),
        )

    def _inventory(self, table: RoutingTable) -> Inventory:
        if self._inventory_for is None or self._inventory_for[0] is not table:
            self._inventory_for = (table, inventory_of(table))
        return self._inventory_for[1]
