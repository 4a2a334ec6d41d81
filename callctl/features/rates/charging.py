"""What calls cost, posted in the transaction that stores them: once each, whatever is read again.

A call that is rebuilt is priced again: what differs is taken back and charged anew. Of a batch
in which nothing went by a trunk and was answered, nothing at all is asked of the database.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from callctl.core.author import Author
from callctl.core.calls.record import StoredRecord
from callctl.core.money.call_costs import (
    NO_COST,
    CallCost,
    OutsidePart,
    PartCost,
    charges_of,
    cost_parts,
    is_emergency,
    outside_parts,
    own_cost,
    quotes_of,
)
from callctl.core.money.orders import Charge, Refund
from callctl.core.money.tariffs import NoAmount, Side, line_of
from callctl.core.routing.model import RoutingTable
from callctl.db.ledger import charge_many
from callctl.features.rates.memory import TariffMemory
from callctl.numbers import read_sent

RATING = Author("rating")

COST_COLUMNS = (
    "call", "side", "payer_id", "leg", "number", "answered_at", "version_id", "prefix",
    "with_hours", "destination", "talk_seconds", "billed_seconds", "amount", "currency", "reason",
    "transaction_id",
)  # fmt: skip
OLD_COSTS = f"select {', '.join(COST_COLUMNS)} from call_costs where call = any($1::bigint[])"  # noqa: S608
OLD_COSTS_DELETE = "delete from call_costs where call = any($1::bigint[])"
CURRENCIES = "select id, currency from accounts where id = any($1::bigint[])"
CALLS_UPDATE = """
update calls c set cost = m.cost, currency = m.currency, cost_reason = m.reason
from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[]) m(call, cost, currency, reason)
where c.id = m.call
"""

Charged = dict[tuple[int, int, int], int]
"""(call, payer, version) → minor units."""


@dataclass(frozen=True, slots=True)
class _Old:
    """What was written of a call before. `posted`: (payer, version) → (amount, transaction)."""

    costs: list[PartCost]
    posted: dict[tuple[int, int], list[tuple[int, int]]]


class CallCharging:
    """`price_stored` is a `StoreStep` of the journal's reader."""

    def __init__(self, memory: TariffMemory, table: Callable[[], RoutingTable]) -> None:
        self._memory = memory
        self._table = table
        self._own: dict[int, CallCost] = {}

    def cost_of(self, call: int) -> CallCost:
        """What a call of the batch that is being stored costs its own account."""
        return self._own.get(call, NO_COST)

    async def price_stored(self, connection: Any, calls: Sequence[StoredRecord]) -> None:
        """Write what these calls cost, and charge it."""
        self._own = {}
        table = self._table()
        parts = {c.id: outside_parts(c.record, table.endpoints) for c in calls}
        again = [c for c in calls if not c.new]
        if not again and not any(parts.values()):
            return
        tariffs = await self._memory.refresh(connection, datetime.now(UTC))
        old = await _read_old(connection, [c.id for c in again]) if again else {}
        if tariffs.is_empty and not old:
            return
        asked = [c for c in calls if parts[c.id] or c.id in old]
        lines = {c.id: line_of(table, c.account_id) for c in asked}
        lacking = {
            quote.version_id
            for call in asked
            for part in parts[call.id]
            for quote in quotes_of(tariffs, lines[call.id], part)
            if quote.table is None
        }
        tariffs = await self._memory.load(connection, tariffs, lacking)
        costs = {
            c.id: cost_parts(
                tariffs,
                lines[c.id],
                parts[c.id],
                partial(e164_of, table, c.account_id, c.to_number),
            )
            for c in asked
        }
        await _check_currencies(connection, costs)
        self._own = {c.id: _own(c, costs[c.id]) for c in asked}
        nothing = _Old([], {})
        asked = [c for c in asked if _differs(old.get(c.id, nothing), costs[c.id])]
        await _write(connection, asked, costs, old)


def e164_of(
    table: RoutingTable, account_id: int, dialled: str | None, part: OutsidePart
) -> str | None:
    """The number of a part of a call, from how it was sent to its trunk."""
    owner = table.accounts.get(account_id)
    index = table.accounts.get(part.trunk[0])
    trunk = index.trunks.get(part.trunk[1]) if index else None
    country = owner.account.country if owner else "ZZ"
    return read_sent(part.number, dialled, country, trunk.number_format if trunk else "e164")


async def _check_currencies(connection: Any, costs: dict[int, list[PartCost]]) -> None:
    """An account that has got another currency since is not charged in the wrong one."""
    payers = {c.payer_id for all_ in costs.values() for c in all_}
    if not payers:
        return
    currencies = dict(await connection.fetch(CURRENCIES, list(payers)))
    for call, all_ in costs.items():
        if any(c.currency != currencies.get(c.payer_id) for c in all_):
            costs[call] = [
                c
                if c.currency == currencies.get(c.payer_id)
                else replace(c, amount=None, reason=NoAmount.OTHER_CURRENCY)
                for c in all_
            ]


async def _read_old(connection: Any, ids: Sequence[int]) -> dict[int, _Old]:
    found: dict[int, _Old] = {}
    for row in await connection.fetch(OLD_COSTS, list(ids)):
        old = found.setdefault(row["call"], _Old([], {}))
        values = {name: row[name] for name in COST_COLUMNS[1:-1]}
        old.costs.append(PartCost(**values | {"side": Side(row["side"])}))
        if row["transaction_id"] is not None:
            key = (row["payer_id"], row["version_id"])
            old.posted.setdefault(key, []).append((row["amount"], row["transaction_id"]))
    return found


def _differs(old: _Old, costs: Sequence[PartCost]) -> bool:
    return sorted(old.costs, key=_place) != sorted(costs, key=_place)


def _place(cost: PartCost) -> tuple[int, str, int, datetime]:
    return (cost.leg, cost.side, cost.payer_id, cost.answered_at)


async def _write(
    connection: Any,
    calls: Sequence[StoredRecord],
    costs: Mapping[int, Sequence[PartCost]],
    old: Mapping[int, _Old],
) -> None:
    if not calls:
        return
    transactions = await _post(connection, calls, costs, old)
    rebuilt = [c.id for c in calls if c.id in old]
    if rebuilt:
        await connection.execute(OLD_COSTS_DELETE, rebuilt)
    rows = [
        (call.id, *_row(cost), transactions.get((call.id, cost.payer_id, cost.version_id))
         if cost.side is Side.PRICE and cost.amount else None)
        for call in calls if not is_emergency(call.record)
        for cost in costs[call.id]
    ]  # fmt: skip
    if rows:
        await connection.copy_records_to_table("call_costs", columns=COST_COLUMNS, records=rows)
    own = [_own(call, costs[call.id]) for call in calls]
    await connection.execute(
        CALLS_UPDATE,
        [c.id for c in calls],
        [o.amount for o in own],
        [o.currency for o in own],
        [o.reason for o in own],
    )


def _own(call: StoredRecord, costs: Sequence[PartCost]) -> CallCost:
    return own_cost(costs, call.account_id, emergency=is_emergency(call.record))


def _row(cost: PartCost) -> tuple[Any, ...]:
    return tuple(getattr(cost, name) for name in COST_COLUMNS[1:-1])


async def _post(
    connection: Any,
    calls: Sequence[StoredRecord],
    costs: Mapping[int, Sequence[PartCost]],
    old: Mapping[int, _Old],
) -> dict[tuple[int, int, int], int]:
    """Charges of `calls`, after what was charged wrongly before is taken back. Returns the
    transaction of each (call, payer, version)."""
    orders: list[Charge | Refund] = []
    keys: list[tuple[int, int, int] | None] = []
    kept: dict[tuple[int, int, int], int] = {}
    for call in calls:
        wanted = {} if is_emergency(call.record) else charges_of(costs[call.id])
        reference = f"call:{call.id}"
        for key, posted in (old[call.id].posted if call.id in old else {}).items():
            charged = {transaction: 0 for _, transaction in posted}
            if len(charged) == 1 and sum(a for a, _ in posted) == wanted.get(key):
                kept[call.id, *key] = next(iter(charged))
                del wanted[key]
                continue
            orders += [Refund(t, reference, note="the record was repaired", overdraw=True)
                       for t in charged]  # fmt: skip
            keys += [None] * len(charged)
        for (payer, version), amount in wanted.items():
            orders.append(Charge(payer, amount, "call", reference, overdraw=True))
            keys.append((call.id, payer, version))
    posted_now = await charge_many(connection, orders, RATING) if orders else []
    made = {k: p.transaction_id for k, p in zip(keys, posted_now, strict=True) if k and p}
    return kept | made
