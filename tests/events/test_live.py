"""Calls that go on, from the journal's file to the view and the outbox."""

import asyncio

import pytest

from callctl.app.live import ongoing_call
from callctl.core.calls.live import LiveCall, LiveCalls
from callctl.core.routing.plan import Direction
from callctl.core.scope import CallScope
from callctl.db.pool import Database
from callctl.features.events.live import LiveDesk
from callctl.features.events.model import LiveCallView
from tests.history.conftest import Desk

from .conftest import Following, eventually, following, rows_now

LIVE = ["call.ringing", "call.answered"]


async def test_a_call_rings_is_answered_ends_and_each_is_told_once_in_order(desk: Desk) -> None:
    rows = rows_now("answered")
    async with following(desk) as now:
        desk.write(b"".join(rows[:7]))
        await now.until_kinds(LIVE)
        view = now.live.view(CallScope(desk.account_id))
        assert view.live
        (call,) = view.items
        assert (call.direction, call.answered_by, call.ringing) == ("inbound", "201", [])
        assert call.from_number == call.customer_number == "00447700900101"
        assert call.talk_seconds > 0
        desk.write(b"".join(rows[7:]))
        await now.until_kinds([*LIVE, "call.ended"])
        assert now.live.view(CallScope(desk.account_id)).items == []
        ringing, answered, ended = await now.events()
        assert ringing[1] == answered[1] == ended[1] == f"call:{call.call_id}"
        assert ringing[2]["ringing"] == ["201"]
        assert answered[2]["answered_by"] == "201"
        assert ended[2]["talk_seconds"] > 1
        assert set(ended[2]["extensions"]) == {"201"}


async def test_a_reader_that_starts_again_in_the_middle_tells_nothing_twice(desk: Desk) -> None:
    rows = rows_now("answered")
    desk.write(b"".join(rows[:7]))
    async with following(desk) as now:
        await now.until_kinds(LIVE)
    async with following(desk) as now:

        async def there() -> bool:
            return len(now.live.view(CallScope(desk.account_id)).items) == 1

        await eventually(there, "the call is followed again")
        desk.write(b"".join(rows[7:]))
        await now.until_kinds([*LIVE, "call.ended"])


async def test_a_missed_call_is_told_as_ended_and_missed_and_a_backlog_rings_nobody(
    desk: Desk,
) -> None:
    async with following(desk) as now:
        desk.write(b"".join(rows_now("missed_by_all", seconds_ago=3600)))
        await now.until_kinds(["call.ended", "call.missed"])


async def test_late_rows_are_told_as_a_change(desk: Desk) -> None:
    rows = rows_now("answered", seconds_ago=3600)
    late = rows[1]
    async with following(desk) as now:
        desk.write(b"".join(rows[:1] + rows[2:]))
        await now.until_kinds(["call.ended"])
        desk.write(late)
        await now.until_kinds(["call.ended", "call.changed"])


async def test_somebody_with_calls_of_their_own_sees_no_others(desk: Desk) -> None:
    async with following(desk) as now:
        desk.write(b"".join(rows_now("answered")[:7]))
        await now.until_kinds(LIVE)
        (call,) = now.live.view(CallScope(desk.account_id)).items
        for extensions, seen in ((("201",), 1), (("202",), 0), ((), 0)):
            scope = CallScope(desk.account_id, extensions)
            assert len(now.live.view(scope).items) == seen
            assert bool(ongoing_call(now.live, scope, call.call_id)) == bool(seen)
        stranger = CallScope(desk.account_id + 1)
        assert now.live.view(stranger).items == []
        assert ongoing_call(now.live, stranger, call.call_id) is None
        acted_on = ongoing_call(now.live, CallScope(desk.account_id, ("201",)), call.call_id)
        assert acted_on is not None
        first, *_ = acted_on.channels
        assert first.extension is None, "the caller's comes first: a hunt must not go on"
        assert [c.extension for c in acted_on.talking_extensions()] == ["201"]


async def test_a_call_s_end_waits_for_its_beginning_that_is_being_told(
    desk: Desk, db: Database
) -> None:
    async with following(desk) as now:
        async with db.transaction() as connection:
            await connection.execute("lock table outbox in access exclusive mode")
            desk.write(b"".join(rows_now("answered")[:7]))
            await eventually(lambda: is_waited_for(db), "what goes on waits to be told")
            (call,) = now.live.calls()
            end = asyncio.create_task(now.live.forget_news([call.call_id]))
            await asyncio.wait([end], timeout=0.05)
            assert not end.done()
        await end
        assert await now.kinds() == LIVE


async def test_what_rang_while_the_database_was_away_is_not_told_after_the_end(
    desk: Desk, db: Database
) -> None:
    rows = rows_now("answered")
    async with following(desk) as now:
        # As long as nobody can write into the outbox, live events wait.
        async with db.transaction() as connection:
            await connection.execute("lock table outbox in access exclusive mode")
            desk.write(b"".join(rows))

            async def read() -> bool:
                return now.reader.read_until is not None and not now.reader.open_channels()

            await eventually(read, "all is read")
        await eventually(lambda: ended(now), "the end is told")
        kinds = await now.kinds()
        assert kinds.count("call.ended") == 1
        assert kinds[-1] == "call.ended"


async def is_waited_for(db: Database) -> bool:
    return bool(await db.fetchval("select exists (select from pg_locks where not granted)"))


async def ended(now: object) -> bool:
    return "call.ended" in await now.kinds()  # type: ignore[attr-defined]


async def test_an_event_that_cannot_be_written_holds_up_no_other(desk: Desk) -> None:
    first, second = rows_now("answered"), rows_now("outbound", seconds_ago=5)
    async with following(desk) as now:
        for task in now.tasks[1:]:
            task.cancel()
        desk.write(b"".join(first[:7]) + b"".join(second[:7]))

        async def read() -> bool:
            return len(list(now.live.calls())) == 2

        await eventually(read, "both calls")
        bad = next(c for c in now.live.calls() if c.direction == "inbound")
        bad.account_id = 999_999  # an account that was deleted meanwhile
        await now.live.flush()
        assert {data["direction"] for _, _, data in await now.events()} == {"outbound"}


async def test_a_mistake_about_one_call_holds_up_no_other(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    view_of = LiveDesk.view_of

    def broken(live: LiveDesk, call: LiveCall, now_us: int) -> LiveCallView:
        if call.direction is Direction.INBOUND:
            raise KeyError("a mistake")
        return view_of(live, call, now_us)

    monkeypatch.setattr(LiveDesk, "view_of", broken)
    async with following(desk) as now:
        desk.write(b"".join(rows_now("answered")[:7] + rows_now("outbound", seconds_ago=5)[:7]))
        await eventually(lambda: told_outbound(now), "what goes out is told")


async def told_outbound(now: Following) -> bool:
    return {data["direction"] for _, _, data in await now.events()} == {"outbound"}


async def test_a_mistake_in_following_calls_keeps_no_call_from_being_stored(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("a mistake")

    monkeypatch.setattr(LiveCalls, "_start", broken)
    async with following(desk) as now:
        desk.write(b"".join(rows_now("answered")))
        await now.until_kinds(["call.ended"])
