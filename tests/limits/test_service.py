"""Holds, approvals and notices on a real database; what a restart knows."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from callctl.core.author import Author
from callctl.core.calls.record import CallRecord
from callctl.core.errors import CallctlError
from callctl.core.routing.plan import Direction, Reason
from callctl.core.scope import CallScope
from callctl.db.pool import Database
from callctl.features.calls import store
from callctl.features.limits.model import Approve, HoldFilters, NoticeFilters, Refuse
from callctl.features.limits.service import LimitService
from callctl.features.limits.store import LimitStore
from tests.limits.conftest import World
from tests.limits.records import record


async def waiting(world: World) -> list[tuple[str, str, int]]:
    await world.limits.flush()
    page = await world.limits.list_holds(CallScope(world.account), HoldFilters("waiting"))
    return [(h.extension, h.destination, h.calls) for h in page.items]


async def first_hold(world: World) -> int:
    await world.limits.flush()
    return (await world.limits.list_holds(CallScope(world.account), HoldFilters())).items[0].id


async def stored(world: World, *records: CallRecord) -> None:
    """As the journal's reader stores them; their numbers in E.164."""
    calls = [
        store.StoredCall(r, world.account, r.from_number, "+442071838750", None, b"")
        for r in records
    ]
    async with world.db.transaction() as connection:
        await store.insert_calls(connection, calls)


async def test_held_calls_ask_once_and_count(world: World) -> None:
    for number in range(3):
        assert not world.passes("101", f"00537123456{number}")
    assert not world.passes("102", "005371234560")
    assert await waiting(world) == [("102", "CU", 1), ("101", "CU", 3)]
    assert not world.passes("101", "005371234569")
    assert ("101", "CU", 4) in await waiting(world)
    page = await world.limits.list_holds(CallScope(world.account), HoldFilters())
    assert page.items[-1].reason == "held until someone approves it: it is a number of CU"
    assert page.items[-1].number == "+5371234569"


async def test_approval_is_for_who_asked_where_and_for_how_long(world: World) -> None:
    world.passes("101", "005371234567")
    approved = await world.limits.approve(
        CallScope(world.account), await first_hold(world), Approve(hours=2), "Anna"
    )
    assert (approved.state, approved.decided_by) == ("approved", "Anna")
    assert approved.until is not None
    world.now = approved.until - timedelta(minutes=1)
    plan = world.decide("101", "005371234567")
    assert plan.trace[-1] == Reason(
        "limit_approved", "CU", f"by Anna until {approved.until:%Y-%m-%d %H:%M} UTC"
    )
    assert not world.passes("102", "005371234567")
    world.now = approved.until
    assert not world.passes("101", "005371234567")


async def test_approval_of_the_whole_account_anywhere_lifts_every_hold_and_no_block(
    world: World,
) -> None:
    world.passes("101", "005371234567")
    body = Approve(whole_account=True, any_destination=True)
    await world.limits.approve(CallScope(world.account), await first_hold(world), body, "Anna")
    world.now = (await world.limits._store.get_decisions())[0].until - timedelta(hours=1)
    assert [world.passes("102", "005371234567") for _ in range(6)] == [True] * 5 + [False]
    codes = [reason.code for reason in world.decide("102", "005371234567").trace]
    assert "blocked_calls_per_hour" in codes
    assert not world.passes("103", "0690123456")


async def test_refusal_asks_no_more_and_ends_an_approval(world: World) -> None:
    world.passes("101", "005371234567")
    hold = await first_hold(world)
    approved = await world.limits.approve(CallScope(world.account), hold, Approve(), "Anna")
    assert approved.until is not None
    world.now = approved.until - timedelta(hours=23)
    assert world.passes("101", "005371234567")
    refused = await world.limits.refuse(CallScope(world.account), hold, Refuse(), "Béla")
    assert (refused.state, refused.decided_by) == ("refused", "Béla")
    assert not world.passes("101", "005371234567")
    assert await waiting(world) == []


async def test_nobody_decides_for_another_account(world: World) -> None:
    world.passes("101", "005371234567")
    with pytest.raises(CallctlError, match="not_found"):
        await world.limits.approve(
            CallScope(world.account + 1), await first_hold(world), Approve(), "x"
        )


async def test_decision_of_another_process_is_taken_over(world: World) -> None:
    world.passes("101", "005371234567")
    hold = await first_hold(world)
    watch = asyncio.create_task(world.limits.run_watch())
    other = LimitService(world.db, lambda: world.routing.table)
    approved = await other.approve(CallScope(world.account), hold, Approve(), "command line")
    assert approved.until is not None
    world.now = approved.until - timedelta(hours=1)
    async with asyncio.timeout(10):
        while not world.limits._decisions:
            await asyncio.sleep(0.01)
    watch.cancel()
    await asyncio.gather(watch, return_exceptions=True)
    assert world.passes("101", "005371234567")


async def test_notices_are_one_row_for_a_quarter_of_an_hour(world: World) -> None:
    for number in range(5):
        world.decide("101", "00442071838701", f"7.{number}")
        world.limits._counts.end(f"7.{number}", world.now.timestamp())
    await world.limits.flush()
    world.decide("101", "00442071838701")
    world.later(minutes=16)
    world.decide("101", "00442071838701")
    await world.limits.flush()
    page = await world.limits.list_notices(CallScope(world.account), NoticeFilters())
    found = [(n.action, n.limit.partition(".")[2], n.calls) for n in page.items]
    assert found == [
        ("hold", "calls_per_hour", 1),
        ("hold", "calls_per_hour", 3),
        ("warn", "calls_per_hour", 1),
    ]
    warned = await world.limits.list_notices(CallScope(world.account), NoticeFilters("warn"))
    assert [n.action for n in warned.items] == ["warn"]


async def test_explaining_a_call_counts_nothing(world: World) -> None:
    for _ in range(10):
        plan = world.routing.explain(world.account, "101", "00442071838750", world.now)
        assert plan.steps[0] != plan.steps[-1]
    assert world.limits.status(CallScope(world.account)).usage == []
    for _ in range(2):
        world.passes("101", "00442071838750")
    plan = world.routing.explain(world.account, "101", "00442071838750", world.now)
    assert "held_concurrent" in [reason.code for reason in plan.trace]


async def test_restart_is_no_way_round(world: World) -> None:
    """Calls of the last hour are counted again, from their records."""
    now = world.now
    records = [
        record(f"8.{n}", now - timedelta(minutes=50 - n), talk=30 * 60.0 if n == 0 else 10.0)
        for n in range(3)
    ]
    old = record("8.9", now - timedelta(hours=2))
    help_ = record("8.8", now, number="112", to="112", route="emergency:112")
    forward = record(
        "8.7",
        now - timedelta(minutes=5),
        direction=Direction.INBOUND,
        extension=None,
        to="+3617000003",
        why=(Reason("forward_no_answer", "103", "number:+442071838750"),),
    )
    inside = record("8.6", now, number=None, direction=Direction.INTERNAL, to="102")
    await stored(world, *records, old, help_, forward, inside)
    await world.start()
    used = {(u.limit, u.name): u.used for u in world.limits.status(CallScope(world.account)).usage}
    assert used["extension_abroad.calls_per_hour", "101"] == 3
    assert used["extension_abroad.calls_per_hour", "103"] == 1
    assert used["extension_abroad.minutes_per_day", "101"] == 31
    assert used["country.calls_per_hour", "GB"] == 4
    plan = world.decide("101", "00442071838750")
    assert "held_calls_per_hour" in [reason.code for reason in plan.trace]
    # The journal tells of one of them once more.
    world.limits.calls_stored([(records[0], world.account, "+442071838750")])
    used = {(u.limit, u.name): u.used for u in world.limits.status(CallScope(world.account)).usage}
    assert used["extension_abroad.calls_per_hour", "101"] == 3


async def test_what_was_noted_waits_for_a_database_that_is_away(world: World) -> None:
    world.passes("101", "005371234567")
    store_, away = world.limits._store, await Database.connect("postgresql://x@127.0.0.1:1/x")
    world.limits._store = LimitStore(away)
    with pytest.raises(CallctlError, match="database_unavailable"):
        await world.limits.flush()
    world.limits._store = store_
    await away.close()
    world.passes("101", "005371234567")
    assert await waiting(world) == [("101", "CU", 2)]


async def test_alarms_tell_of_what_waits_and_of_a_phone_gone_wild(world: World) -> None:
    assert await world.limits.check() == []
    world.passes("101", "005371234567")
    world.now = datetime.now(UTC)
    for _ in range(11):
        world.passes("104", "0690123456")
    await world.limits.flush()
    found = [(f.code, f.subject, f.detail) for f in await world.limits.check()]
    assert found == [
        ("calls_held", "", "1 to decide on"),
        ("calls_blocked", "104", "11 calls within the hour"),
    ]


async def test_who_sees_some_extensions_sees_their_held_calls_only(world: World) -> None:
    world.passes("101", "005371234567")
    await world.limits.flush()
    hold = await first_hold(world)
    own, others = CallScope(world.account, ("101",)), CallScope(world.account, ("102",))
    nobody = CallScope(world.account, ())
    assert len((await world.limits.list_holds(own, HoldFilters())).items) == 1
    assert len((await world.limits.list_notices(own, NoticeFilters())).items) == 1
    for scope in (others, nobody):
        assert (await world.limits.list_holds(scope, HoldFilters())).items == []
        assert (await world.limits.list_notices(scope, NoticeFilters())).items == []
        with pytest.raises(CallctlError, match="not_found"):
            await world.limits.approve(scope, hold, Approve(), "x")


async def test_a_decision_is_in_the_audit_log_with_who_took_it(world: World, db: Database) -> None:
    world.passes("101", "005371234567")
    await world.limits.flush()
    hold = await first_hold(world)
    await world.limits.approve(CallScope(world.account), hold, Approve(hours=2), Author("Anna"))
    line = await db.fetchrow("select * from audit order by id desc limit 1")
    assert (line["author"], line["action"]) == ("Anna", "hold.approved")
    assert line["subject"] == f"hold:{hold}"
    assert (line["before"]["state"], line["after"]["state"]) == ("waiting", "approved")
