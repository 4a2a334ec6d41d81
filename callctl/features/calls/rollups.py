"""Sums over calls, for reports: kept in the transaction that stores the calls (docs/adr/0009).

What one call adds is said once, by the views `call_facts`, `extension_facts`, `target_facts`. A sum
changes by what the views say of the changed calls afterwards, minus what they said before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from callctl.db.pool import Database
from callctl.features.calls import contacts
from callctl.features.calls.store import DELETE_CALLS

REBUILD_SECONDS = 6 * 3600.0


@dataclass(frozen=True, slots=True)
class Rollup:
    """One table of sums: what its rows are of, what they count, and the view it is made from."""

    table: str
    facts: str
    keys: tuple[str, ...]
    counters: tuple[str, ...]


_CALL_COUNTERS = (
    "calls",
    "answered",
    "cancelled",
    "no_answer",
    "busy",
    "rejected",
    "failed",
    "unknown",
    "missed",
    "talk_us",
    "wait_us",
    "answered_wait_us",
    "cost",
)
_EXTENSION_COUNTERS = (
    "calls",
    "placed",
    "placed_answered",
    "answered",
    "attempts",
    "attempts_answered",
    "attempts_missed",
    "attempts_refused",
    "attempts_elsewhere",
    "attempts_unreachable",
    "placed_talk_us",
    "answered_talk_us",
    "ring_us",
    "cost",
)

_TARGET_COUNTERS = ("calls", "answered", "missed", "talk_us", "wait_us", "cost")

ROLLUPS = (
    Rollup("rollup_quarters", "call_facts", ("account_id", "quarter", "direction"), _CALL_COUNTERS),
    Rollup("rollup_days", "call_facts", ("account_id", "day", "direction"), _CALL_COUNTERS),
    Rollup(
        "rollup_extension_days",
        "extension_facts",
        ("account_id", "day", "extension", "direction"),
        _EXTENSION_COUNTERS,
    ),
    Rollup(
        "rollup_target_days",
        "target_facts",
        ("account_id", "day", "kind", "target", "direction"),
        _TARGET_COUNTERS,
    ),
)
"""In the order in which every writer touches them, each in the order of its keys: two writers
that wait for each other in a circle cannot be."""


# Names in the statements below are constants of this file.


def _apply_query(rollup: Rollup) -> str:
    keys = ", ".join(rollup.keys)
    counters = ", ".join(rollup.counters)
    taken = ", ".join(f"-{c}" for c in rollup.counters)
    sums = ", ".join(f"sum({c})" for c in rollup.counters)
    changed = " or ".join(f"sum({c}) <> 0" for c in rollup.counters)
    added = ", ".join(f"{c} = r.{c} + excluded.{c}" for c in rollup.counters)
    return f"""
insert into {rollup.table} as r ({keys}, {counters})
select {keys}, {sums} from (
    select {keys}, {counters} from {rollup.facts} where call = any($1::bigint[])
    union all
    select {keys}, {taken} from jsonb_populate_recordset(null::{rollup.facts}, $2::jsonb)
) changes
group by {keys} having {changed} order by {keys}
on conflict ({keys}) do update set {added}
"""  # noqa: S608


def _difference_query(rollup: Rollup) -> str:
    keys = ", ".join(rollup.keys)
    counters = ", ".join(rollup.counters)
    sums = ", ".join(f"sum({c})::bigint as {c}" for c in rollup.counters)
    differ = " or ".join(f"coalesce(s.{c}, 0) <> coalesce(f.{c}, 0)" for c in rollup.counters)
    return f"""
select {keys}, coalesce(s.calls, 0) as kept, coalesce(f.calls, 0) as counted
from {rollup.table} s full join (
    select {keys}, {sums} from (
        select {keys}, {counters} from {rollup.facts}
        union all select {keys}, {counters} from {rollup.table}_kept
    ) counted group by {keys}
) f using ({keys})
where {differ}
order by {keys} limit $1
"""  # noqa: S608


def _keep_query(rollup: Rollup) -> str:
    keys = ", ".join(rollup.keys)
    counters = ", ".join(rollup.counters)
    sums = ", ".join(f"sum({c})" for c in rollup.counters)
    added = ", ".join(f"{c} = r.{c} + excluded.{c}" for c in rollup.counters)
    return f"""
insert into {rollup.table}_kept as r ({keys}, {counters})
select {keys}, {sums} from {rollup.facts} where call = any($1::bigint[])
group by {keys} order by {keys}
on conflict ({keys}) do update set {added}
"""  # noqa: S608


def _queries(make: Any) -> Mapping[str, str]:
    return MappingProxyType({rollup.table: make(rollup) for rollup in ROLLUPS})


APPLY = _queries(_apply_query)
DIFFERENCES = _queries(_difference_query)
KEEP = _queries(_keep_query)
FACTS = MappingProxyType(
    {
        view: f"select coalesce(jsonb_agg(f), '[]') from {view} f where call = any($1::bigint[])"  # noqa: S608
        for view in ("call_facts", "extension_facts", "target_facts")
    }
)
LOCK_CALLS = "select id from calls where id = any($1::bigint[]) order by id for update"
REBUILD = "select rebuild_rollups()"


class RollupChanges:
    """What one transaction does to the sums. Applied last, so that their rows are held shortly."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._ids: set[int] = set()
        self._new: set[int] = set()
        self._before: dict[str, list[Any]] = {view: [] for view in FACTS}

    async def before_change(self, ids: Sequence[int]) -> None:
        """To be called before stored calls are rebuilt, merged or deleted."""
        new = [id_ for id_ in ids if id_ not in self._ids]
        if not new:
            return
        self._ids.update(new)
        await self._connection.execute(LOCK_CALLS, new)
        for view, query in FACTS.items():
            self._before[view] += await self._connection.fetchval(query, new)

    def added(self, ids: Sequence[int]) -> None:
        """Calls that are new."""
        self._ids.update(ids)
        self._new.update(ids)

    async def apply(self) -> None:
        """Bring the sums to what the calls are now; nothing about them may change after this."""
        if not self._ids:
            return
        ids = sorted(self._ids)
        for rollup in ROLLUPS:
            await self._connection.execute(APPLY[rollup.table], ids, self._before[rollup.facts])
        changed = sorted(self._ids - self._new)
        await contacts.apply(
            self._connection, sorted(self._new), changed, self._before["call_facts"]
        )


async def delete_but_keep_sums(connection: Any, ids: Sequence[int]) -> None:
    """Delete calls for their age. What they added stays in the sums, and is written down, so that
    sums can still be verified and made anew."""
    await connection.execute(LOCK_CALLS, ids)
    for rollup in ROLLUPS:
        await connection.execute(KEEP[rollup.table], ids)
    accounts, numbers = await contacts.keep(connection, ids)
    await connection.execute(DELETE_CALLS, ids)
    await contacts.recount(connection, accounts, numbers)


@dataclass(frozen=True, slots=True)
class Difference:
    """A row of sums that is not what its calls add up to. `kept` and `counted` are calls."""

    table: str
    key: tuple[str, ...]
    kept: int
    counted: int


async def find_differences(db: Database, most: int = 20) -> list[Difference]:
    """Up to `most` wrong rows per table; empty when all sums are exact."""
    found: list[Difference] = []
    async with db.connection() as connection:
        for rollup in ROLLUPS:
            rows = await connection.fetch(DIFFERENCES[rollup.table], most, timeout=REBUILD_SECONDS)
            for row in rows:
                key = tuple(str(row[name]) for name in rollup.keys)
                found.append(Difference(rollup.table, key, row["kept"], row["counted"]))
        rows = await connection.fetch(contacts.CONTACT_DIFFERENCES, most, timeout=REBUILD_SECONDS)
        for row in rows:
            key = (str(row["account_id"]), str(row["number_id"]))
            found.append(Difference("contacts", key, row["kept"], row["counted"]))
    return found


async def rebuild(db: Database) -> None:
    """Make all sums anew from the calls. Whoever writes calls waits meanwhile."""
    async with db.connection() as connection:
        await connection.execute(REBUILD, timeout=REBUILD_SECONDS)
