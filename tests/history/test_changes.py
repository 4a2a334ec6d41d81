"""A pull of what has changed passes over nothing and repeats nothing, whoever writes meanwhile."""

import asyncio
import random
from datetime import UTC, datetime
from typing import Any

from callctl.core.scope import CallScope
from callctl.features.calls import store
from callctl.features.calls.model import CallFilters, CallSummary

from .conftest import Desk
from .made_calls import as_stored, make_record

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


async def insert(desk: Desk, connection: Any, count: int = 1) -> list[int]:
    calls = [as_stored(make_record(random.Random()), desk.account_id) for _ in range(count)]
    return await store.insert_calls(connection, calls)


async def with_known_numbers(desk: Desk) -> list[int]:
    """Calls with every number there is: transactions that make the same new one would wait for
    each other."""
    async with desk.db.transaction() as connection:
        return await insert(desk, connection, 80)


class Pull:
    """A program that follows `next` to the end, and then asks from the last change it saw."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.since = LONG_AGO
        self.seen: list[CallSummary] = []

    async def run(self) -> None:
        cursor = None
        while True:
            filters = CallFilters(
                changed_since=self.since, sort="changed_at", limit=7, cursor=cursor
            )
            page = await self.desk.service.list_calls(CallScope(self.desk.account_id), filters)
            known = {(c.id, c.changed_at) for c in self.seen}
            self.seen += [c for c in page.items if (c.id, c.changed_at) not in known]
            if page.next is None:
                break
            cursor = page.next
        if self.seen:
            self.since = self.seen[-1].changed_at


async def test_a_call_that_is_written_first_and_committed_last_is_not_passed_over(
    desk: Desk,
) -> None:
    known = await with_known_numbers(desk)
    pull = Pull(desk)
    await pull.run()
    async with desk.db.transaction() as early:
        (first,) = await insert(desk, early)
        async with desk.db.transaction() as late:
            (second,) = await insert(desk, late)
        await pull.run()
        assert [c.id for c in pull.seen] == known
    await pull.run()
    assert [c.id for c in pull.seen] == [*known, first, second]


async def test_a_transaction_that_only_reads_holds_up_nothing(desk: Desk) -> None:
    pull = Pull(desk)
    async with desk.db.transaction() as reader:
        await reader.execute("select 1 from calls")
        async with desk.db.transaction() as writer:
            ids = await insert(desk, writer, 3)
        await pull.run()
        assert [c.id for c in pull.seen] == ids


async def test_under_load_every_change_comes_once_and_in_order(desk: Desk) -> None:
    chance = random.Random(5)
    written: list[int] = []

    async def write() -> None:
        for _ in range(12):
            async with desk.db.transaction() as connection:
                ids = await insert(desk, connection, chance.randrange(1, 4))
                await asyncio.sleep(chance.random() * 0.03)
                ids += await insert(desk, connection)
            written.extend(ids)

    written += await with_known_numbers(desk)
    pull = Pull(desk)
    writers = asyncio.gather(*(write() for _ in range(5)))
    while not writers.done():
        await pull.run()
    await writers
    await pull.run()
    assert sorted(c.id for c in pull.seen) == sorted(written)
    moments = [c.changed_at for c in pull.seen]
    assert moments == sorted(moments)
