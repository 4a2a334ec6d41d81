"""A call that is too long is noticed while it lasts, once; its record and its reviewer are told."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from callctl.core.author import Author
from callctl.core.errors import CallctlError
from callctl.core.scope import CallScope
from callctl.db.notices import NewNotice, raise_notice
from callctl.features.calls import store
from callctl.features.calls.model import CallFilters, CallSummary
from callctl.features.long_calls.model import TooLongRule, TooLongSettings
from callctl.features.long_calls.service import LongCallService, TalkingCall
from callctl.features.notices.model import Acknowledge, ReviewFilters, ReviewNotice
from callctl.features.notices.service import NoticeService
from tests.events.conftest import Following, following, rows_now
from tests.history.conftest import Desk, account_id, desk, eventually
from tests.history.made_calls import as_stored, make_record

__all__ = ["account_id", "desk"]


class Watch:
    """A long-call service on a reader's live calls."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.now: Following | None = None
        self.hung_up: list[str] = []
        self.service = LongCallService(desk.db, lambda: desk.table, self.talking, self.hang_up)

    def talking(self, before_us: int) -> Iterator[TalkingCall]:
        assert self.now is not None
        live = self.now.live
        for call in live.calls():
            if call.answered_us is not None and call.answered_us < before_us:
                parties = tuple(e for e in (call.extension, call.answered_by) if e)
                yield TalkingCall(
                    call.call_id, live.account_of(call), call.direction, call.from_number,
                    call.to_number, call.from_number, parties, tuple(call.extensions),
                    call.answered_us, tuple(c.name for c in call.channels.values()),
                    emergency=call.emergency,
                )  # fmt: skip

    async def hang_up(self, channels: Sequence[str]) -> None:
        self.hung_up += channels

    async def rules(self, *rules: TooLongRule, mail_to: list[str] | None = None) -> None:
        settings = TooLongSettings(list(rules), mail_to or [])
        await self.service.save_settings(self.desk.account_id, settings, Author("anna"))

    async def notices(self, **filters: Any) -> list[ReviewNotice]:
        page = await NoticeService(self.desk.db).list_notices(
            CallScope(self.desk.account_id), ReviewFilters(**filters)
        )
        return page.items

    async def call(self) -> CallSummary:
        scope = CallScope(self.desk.account_id)
        (call,) = (await self.desk.service.list_calls(scope, CallFilters())).items
        return call


@asynccontextmanager
async def watching(desk: Desk) -> AsyncIterator[Watch]:
    watch = Watch(desk)
    await watch.service.load()
    async with following(desk, watch.service.mark_stored) as now:
        watch.now = now
        yield watch


async def look_until_raised(watch: Watch) -> None:
    task = asyncio.create_task(watch.service.run())

    async def raised() -> bool:
        return bool(await watch.notices())

    try:
        await eventually(raised, "a notice")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_price_is_a_threshold_too_and_stands_in_the_record(desk: Desk) -> None:
    """What a call has cost is a function of its talk: the price comes to seconds."""
    asked: list[Any] = []

    def seconds_until(account: int, number: str | None, _trunk: Any, _at: int, money: int) -> int:
        asked.append((account, number, money))
        return 1

    rows = rows_now("outbound", seconds_ago=3600)
    async with watching(desk) as watch:
        watch.service._seconds_until = seconds_until
        await watch.rules(TooLongRule(cost=200), TooLongRule(5000))
        desk.write(b"".join(rows))
        await desk.wait_for(1)
        call = await watch.call()
        assert asked[0][0::2] == (desk.account_id, 200)
        assert (call.too_long, call.too_long_seconds, call.too_long_cost) == (True, 1, 200)
        (notice,) = await watch.notices()
        assert (notice.data["threshold_seconds"], notice.data["threshold_cost"]) == (1, 200)
        assert "costs more" in notice.text


async def test_a_rule_needs_a_threshold(desk: Desk) -> None:
    with pytest.raises(CallctlError, match="seconds"):
        await Watch(desk).rules(TooLongRule(5), TooLongRule())


async def test_it_is_raised_while_the_call_lasts_once_and_stands_in_the_record(desk: Desk) -> None:
    rows = rows_now("answered")
    async with watching(desk) as watch:
        await watch.rules(TooLongRule(1, direction="inbound"), TooLongRule(5000))
        desk.write(b"".join(rows[:7]))
        await look_until_raised(watch)
        assert watch.hung_up == []
        assert await desk.count() == 0
        await watch.service.look(time.time_ns() // 1000 + 60_000_000)
        (notice,) = await watch.notices()
        assert (notice.call, notice.data["threshold_seconds"]) == (None, 1)
        # What was in force when it fired is what the record says.
        await watch.rules(TooLongRule(5000))
        desk.write(b"".join(rows[7:]))
        await watch.now.until_kinds(  # type: ignore[union-attr]
            ["call.ringing", "call.answered", "call.too_long", "call.ended"]
        )
        call = await watch.call()
        assert (call.too_long, call.too_long_seconds) == (True, 1)
        (notice,) = await watch.notices()
        assert notice.call == call.id


async def test_a_call_that_nobody_looked_at_gets_its_mark_and_one_notice_with_its_record(
    desk: Desk,
) -> None:
    async with watching(desk) as watch:
        await watch.rules(TooLongRule(1), mail_to=["boss@example.org"])
        desk.write(b"".join(rows_now("answered", seconds_ago=3600)))
        await watch.now.until_kinds(["call.too_long", "call.ended"])  # type: ignore[union-attr]
        call = await watch.call()
        (notice,) = await watch.notices()
        assert (call.too_long_seconds, notice.call) == (1, call.id)
    assert await desk.db.fetchval("select recipient from notice_mails") == "boss@example.org"


async def test_a_call_that_was_raised_before_a_restart_is_not_raised_again(desk: Desk) -> None:
    rows = rows_now("answered")
    desk.write(b"".join(rows[:7]))
    async with watching(desk) as watch:
        await watch.rules(TooLongRule(1))
        await look_until_raised(watch)
    async with watching(desk) as watch:
        await look_until_raised(watch)
        desk.write(b"".join(rows[7:]))

        async def stored() -> bool:
            return await desk.count() == 1

        await eventually(stored, "the record")
        assert (await watch.call()).too_long_seconds == 1
        assert len(await watch.notices()) == 1
    told = await desk.db.fetchval("select count(*) from outbox where kind = 'call.too_long'")
    assert told == 1


async def test_a_short_call_and_one_without_a_rule_are_not_marked(desk: Desk) -> None:
    async with watching(desk) as watch:
        await watch.rules(TooLongRule(3600), TooLongRule(1, extension="202"))
        desk.write(b"".join(rows_now("answered", seconds_ago=3600)))
        await watch.now.until_kinds(["call.ended"])  # type: ignore[union-attr]
        assert (await watch.call()).too_long is False
        assert await watch.notices() == []


async def test_it_is_hung_up_where_the_rule_says_so(desk: Desk) -> None:
    async with watching(desk) as watch:
        await watch.rules(TooLongRule(1, hang_up=True))
        desk.write(b"".join(rows_now("answered")[:7]))
        await look_until_raised(watch)
        assert watch.hung_up == ["PJSIP/trunk-00000000", "PJSIP/201-00000001"]


async def test_a_call_for_help_is_noticed_and_never_hung_up(desk: Desk) -> None:
    async with watching(desk) as watch:
        await watch.rules(TooLongRule(1, hang_up=True))
        desk.write(b"".join(rows_now("answered")[:7]))
        await watch.now.until_kinds(["call.ringing", "call.answered"])  # type: ignore[union-attr]
        (call,) = watch.now.live.calls()  # type: ignore[union-attr]
        call.emergency = True
        await watch.service.look(time.time_ns() // 1000 + 10_000_000)
        assert len(await watch.notices()) == 1
        assert watch.hung_up == []


async def test_a_notice_is_acknowledged_by_one_person_with_a_note(desk: Desk) -> None:
    async with watching(desk) as watch:
        await watch.rules(TooLongRule(1))
        desk.write(b"".join(rows_now("answered", seconds_ago=3600)))
        await watch.now.until_kinds(["call.too_long", "call.ended"])  # type: ignore[union-attr]
        (notice,) = await watch.notices(open=True)
    service, scope = NoticeService(desk.db), CallScope(desk.account_id)
    other = CallScope(desk.account_id, ("202",))
    with pytest.raises(Exception, match="not_found"):
        await service.acknowledge(other, notice.id, Acknowledge(), Author("eve"))
    said = await service.acknowledge(scope, notice.id, Acknowledge("was a sale"), Author("anna"))
    assert (said.acknowledged_by, said.note) == ("anna", "was a sale")
    with pytest.raises(Exception, match="anna has acknowledged it already"):
        await service.acknowledge(scope, notice.id, Acknowledge(), Author("bert"))
    assert (await service.list_notices(scope, ReviewFilters(open=True))).items == []


async def test_a_notice_that_is_raised_while_the_record_is_stored_is_the_record_s(
    desk: Desk,
) -> None:
    watch = Watch(desk)
    await watch.rules(TooLongRule(1))
    made = make_record(random.Random(1))
    made = replace(made, answered_us=made.started_us, ended_us=made.started_us + 9_000_000)
    call = as_stored(made, desk.account_id)
    async with desk.db.transaction() as live:
        notice = NewNotice(
            desk.account_id, "too_long", f"call:{made.call_id}", "x", {"threshold_seconds": 1}
        )
        await raise_notice(live, notice)

        async def store_it() -> int:
            async with desk.db.transaction() as connection:
                (id_,) = await store.insert_calls(connection, [call])
                await watch.service.mark_stored(connection, [call.as_stored(id_, new=True)])
                return id_

        storing = asyncio.create_task(store_it())

        async def waits() -> bool:
            waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
            return await desk.db.fetchval(waiting) == 1

        await eventually(waits, "the record waits for the notice")
    id_ = await storing
    (found,) = await watch.notices()
    assert found.call == id_
    assert await desk.db.fetchval("select too_long_seconds from calls") == 1
