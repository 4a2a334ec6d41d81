"""Calls by chance in a database, kept in memory as well, and every report counted from the latter.

The recount knows nothing of sums, queries or views: it goes by the records.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from callctl.core.calls.record import CallRecord, Disposition
from callctl.core.outcomes import AttemptResult
from callctl.core.routing.plan import Direction, Reason
from callctl.db.pool import Database
from callctl.features.calls import store
from callctl.features.calls.rollups import RollupChanges
from tests.history.made_calls import SPRING, as_stored, make_record

ZONES = {"Europe/Budapest": 0, "America/St_Johns": -21, "Asia/Kathmandu": 0}
"""Zones, and by how many days from SPRING their clocks change."""

DIDS = ("+3617000001", "+3617000002", None)
GROUPS = ("sales", "support & more", None)
SCOPES = (None, ("201",), ("202", "204"))
_RINGS = {
    "missed": (AttemptResult.NOANSWER, AttemptResult.CANCEL),
    "refused": (AttemptResult.BUSY, AttemptResult.REJECTED),
    "elsewhere": (
        AttemptResult.ANSWERED_ELSEWHERE,
        AttemptResult.PICKUP,
        AttemptResult.FORWARD,
    ),
    "unreachable": (AttemptResult.UNAVAILABLE,),
}

_CLIENT = """
insert into clients (account_id, kind, name, sort_key, search)
values ($1, 'person', 'Ann', 'ann', 'ann') returning id
"""
_CLIENT_NUMBERS = """
insert into client_numbers (account_id, client_id, number_id, position)
select $1, $2, n.id, w.place - 1 from unnest($3::text[]) with ordinality w(number, place)
join numbers n on n.number = w.number
"""


@dataclass
class World:
    """An account's calls: in the database, and here."""

    db: Database
    account_id: int
    zone: str
    chance: random.Random
    calls: dict[int, CallRecord] = field(default_factory=dict)
    costs: dict[int, int | None] = field(default_factory=dict)
    main: dict[str, str] = field(default_factory=dict)
    """Numbers of clients that have several → the first of the client's."""

    async def make_client(self, count: int) -> None:
        """A client of some numbers that are in calls and are nobody's yet."""
        known = {n for c in self.calls.values() if (n := customer(c))} - set(self.main)
        await self.link(self.chance.sample(sorted(known), min(count, len(known))))

    async def link(self, chosen: Sequence[str]) -> None:
        """A client of these numbers."""
        client = await self.db.fetchval(_CLIENT, self.account_id)
        await self.db.execute(_CLIENT_NUMBERS, self.account_id, client, chosen)
        self.main |= dict.fromkeys(chosen, chosen[0]) if chosen else {}

    def make(self) -> CallRecord:
        shift = ZONES[self.zone] * 86_400_000_000
        made = make_record(self.chance, days=2)
        group = self.chance.choice(GROUPS)
        return replace(
            made,
            started_us=made.started_us + shift,
            answered_us=None if made.answered_us is None else made.answered_us + shift,
            ended_us=made.ended_us + shift,
            did=self.chance.choice(DIDS),
            why=(Reason("hunt_group", group, "201 202"),) if group else (),
        )

    async def insert(self, count: int) -> None:
        await self.store([self.make() for _ in range(count)])

    async def store(self, records: Sequence[CallRecord]) -> None:
        async with self.db.transaction() as connection:
            sums = RollupChanges(connection)
            calls = [as_stored(record, self.account_id) for record in records]
            ids = await store.insert_calls(connection, calls)
            sums.added(ids)
            await self._price(connection, ids)
            await sums.apply()
        self.calls |= dict(zip(ids, records, strict=True))

    async def change(self, kind: str) -> None:
        """`r` rebuild a call, `m` merge others into it, `d` delete some."""
        chosen = self.chance.sample(sorted(self.calls), min(3, len(self.calls)))
        keep, losers = chosen[0], chosen[1:] if kind == "m" else []
        async with self.db.transaction() as connection:
            sums = RollupChanges(connection)
            if kind == "d":
                await sums.before_change(chosen)
                await connection.execute(store.DELETE_CALLS, chosen)
            else:
                record = self.make()
                await sums.before_change((keep, *losers))
                rebuilt = as_stored(record, self.account_id)
                await store.replace_call(connection, keep, rebuilt, losers)
                self.calls[keep] = record
                await self._price(connection, [keep])
            await sums.apply()
        for gone in chosen if kind == "d" else losers:
            del self.calls[gone]

    async def _price(self, connection: Any, ids: Sequence[int]) -> None:
        """Some calls cost something, as a step that charges them would say."""
        for id_ in ids:
            self.costs[id_] = self.chance.choice((None, 0, self.chance.randrange(10_000)))
        costs = [self.costs[id_] for id_ in ids]
        await connection.execute(
            "update calls c set cost = m.cost from unnest($1::bigint[], $2::bigint[]) m(id, cost)"
            " where c.id = m.id",
            list(ids),
            costs,
        )

    def cost(self, calls: Iterable[tuple[int, CallRecord]]) -> int:
        return sum(self.costs[id_] or 0 for id_, _ in calls)

    # The recount

    def day(self, call: CallRecord) -> date:
        return self.at(call).astimezone(ZoneInfo(self.zone)).date()

    @staticmethod
    def at(call: CallRecord) -> datetime:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=call.started_us)

    def seen(self, extensions: Sequence[str] | None) -> list[tuple[int, CallRecord]]:
        """(id, call) in order of start, as far as a scope goes."""
        shown = [
            (i, c)
            for i, c in self.calls.items()
            if extensions is None or not set(extensions).isdisjoint(store.involved_extensions(c))
        ]
        return sorted(shown, key=lambda pair: (pair[1].started_us, pair[0]))

    def by_period(
        self,
        extensions: Sequence[str] | None,
        period: str,
        week_start: str,
        first: date,
        after: date,
    ) -> list[Any]:
        rows: dict[tuple[date, str], list[tuple[int, CallRecord]]] = {}
        for id_, call in self.seen(extensions):
            day = self.day(call)
            if first <= day < after:
                rows.setdefault(
                    (_period_of(day, period, week_start), call.direction.value), []
                ).append((id_, call))
        return [
            (
                starts_on,
                direction,
                len(calls),
                *(
                    sum(c.disposition is d for _, c in calls)
                    for d in (
                        Disposition.ANSWERED,
                        Disposition.CANCELLED,
                        Disposition.NO_ANSWER,
                        Disposition.BUSY,
                        Disposition.REJECTED,
                        Disposition.FAILED,
                        Disposition.UNKNOWN,
                    )
                ),
                sum(store.is_missed(c) for _, c in calls),
                sum(talk_us(c) for _, c in calls),
                sum(max(0, (c.answered_us or c.ended_us) - c.started_us) for _, c in calls),
                self.cost(calls),
            )
            for (starts_on, direction), calls in sorted(rows.items())
        ]

    def employees(self, extensions: Sequence[str] | None) -> dict[str, tuple[int, ...]]:
        """extension → calls, placed, answered, talk (µs), cost of the calls that it placed."""
        found: dict[str, tuple[int, ...]] = {}
        for id_, call in self.calls.items():
            for name in store.involved_extensions(call):
                if extensions is None or name in extensions:
                    placed, answered = name == call.extension, name == call.answered_by
                    talk = talk_us(call) * (placed + answered)
                    cost = placed * (self.costs[id_] or 0)
                    old = found.get(name, (0, 0, 0, 0, 0))
                    new = (1, placed, answered, talk, cost)
                    found[name] = tuple(a + b for a, b in zip(old, new, strict=True))
        return found

    def rings(self, extension: str) -> dict[str, int]:
        results = [
            attempt.result
            for call in self.calls.values()
            for attempt in call.attempts
            if attempt.extension == extension
        ]
        return {name: sum(r in kinds for r in results) for name, kinds in _RINGS.items()}

    def clients(self, extensions: Sequence[str] | None) -> dict[str, list[tuple[int, CallRecord]]]:
        """Customer, by the first of a client's numbers → its calls in order."""
        found: dict[str, list[tuple[int, CallRecord]]] = {}
        for i, call in self.seen(extensions):
            number = customer(call)
            if number is not None:
                found.setdefault(self.main.get(number, number), []).append((i, call))
        return found

    def owed(self, extensions: Sequence[str] | None) -> dict[str, tuple[datetime, datetime, int]]:
        """Customer number → first, last, number of missed calls since the last conversation."""
        seen = {i for i, _ in self.seen(extensions)}
        found = {}
        for number, calls in self.clients(None).items():
            talked = max((c.started_us for _, c in calls if answered(c)), default=-1)
            missed = [
                self.at(c)
                for i, c in calls
                if store.is_missed(c) and c.started_us > talked and i in seen
            ]
            if missed:
                found[number] = (min(missed), max(missed), len(missed))
        return found


def answered(call: CallRecord) -> bool:
    return call.disposition is Disposition.ANSWERED


def talk_us(call: CallRecord) -> int:
    return 0 if call.answered_us is None else max(0, call.ended_us - call.answered_us)


def customer(call: CallRecord) -> str | None:
    if call.direction is Direction.INBOUND:
        return call.from_number
    return call.to_number if call.direction is Direction.OUTBOUND else None


def by_group(calls: Iterable[CallRecord], group: str) -> list[CallRecord]:
    return [c for c in calls if c.why and c.why[0].subject == group]


def _period_of(day: date, period: str, week_start: str) -> date:
    match period:
        case "week":
            return next(
                start
                for start in (day - timedelta(days=n) for n in range(7))
                if f"{start:%A}".lower() == week_start
            )
        case "month":
            return day.replace(day=1)
        case "quarter":
            return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
        case "year":
            return day.replace(month=1, day=1)
    return day


def first_day(zone: str) -> date:
    """Four days before the one on which clocks change."""
    spring = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=SPRING)
    return spring.date() + timedelta(days=ZONES[zone] - 4)
