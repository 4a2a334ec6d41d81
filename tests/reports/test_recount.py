"""Every report is what its calls add up to, whatever happens to them, for every scope."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callctl.core.periods import DashboardPeriod
from callctl.core.scope import CallScope
from callctl.db.pool import Database
from callctl.features.calls import store
from callctl.features.reports.catalogue import REPORTS
from callctl.features.reports.service import ReportService

from .world import DIDS, GROUPS, SCOPES, ZONES, World, answered, by_group, customer, first_day

Extensions = Sequence[str] | None
PERIODS = (
    ("day", "monday", 9),
    ("day", "monday", 4),
    ("week", "monday", 9),
    ("week", "sunday", 9),
    ("week", "saturday", 9),
    ("month", "monday", 9),
    ("quarter", "monday", 9),
    ("year", "monday", 9),
)
"""Periods, first days of a week, and how many days are asked for."""


async def rows(world: World, extensions: Extensions, name: str, **query: Any) -> list[Any]:
    """All rows of a report, by pages of a few where it has pages."""
    report = REPORTS[name]
    service = ReportService(world.db)
    scope = CallScope(world.account_id, None if extensions is None else tuple(extensions))
    found: list[Any] = []
    while True:
        answer = await service.answer(scope, report, report.query(**query))
        found += answer.items
        if answer.next is None:
            return found
        query["cursor"] = answer.next


async def new_world(db: Database, zone: str, seed: int) -> World:
    await db.execute("truncate calls, contacts, exports, clients cascade")
    for table in ("quarters", "days", "extension_days", "target_days"):
        await db.execute(f"truncate rollup_{table}")
    account_id = await db.fetchval(
        "insert into accounts (code, name, kind, timezone) values ('a' || $1::text, 'A', "
        "'operator', $2) on conflict (code) do update set timezone = excluded.timezone "
        "returning id",
        zone.lower().replace("/", "-").replace("_", "-"),
        zone,
    )
    return World(db, account_id, zone, random.Random(seed))


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    zone=st.sampled_from(sorted(ZONES)),
    seed=st.integers(0, 1 << 32),
    steps=st.lists(st.sampled_from("irmd"), max_size=6),
)
async def test_reports_equal_a_recount_after_any_changes_of_calls(
    db: Database, zone: str, seed: int, steps: list[str]
) -> None:
    world = await new_world(db, zone, seed)
    await world.insert(40)
    for numbers in (3, 1, 2):
        await world.make_client(numbers)
    for step in steps:
        if step == "i" or len(world.calls) < 5:
            await world.insert(2)
        else:
            await world.change(step)
    for extensions in SCOPES:
        await check_periods(world, extensions)
        await check_employees(world, extensions)
        await check_targets(world, extensions)
        await check_clients(world, extensions)
        await check_callbacks(world, extensions)
        await check_dashboard(world, extensions)


async def check_periods(world: World, extensions: Extensions) -> None:
    first = first_day(world.zone)
    for period, week_start, days in PERIODS:
        after = first + timedelta(days=days)
        query = {"period": period, "week_start": week_start, "since": first, "until": after}
        found = [
            (
                *(getattr(row, name) for name in row.__struct_fields__[:-3]),
                round(row.talk_seconds * 1e6),
                round(row.wait_seconds * 1e6),
                row.cost,
            )
            for row in await rows(world, extensions, "calls-by-period", **query)
        ]
        assert found == world.by_period(extensions, period, week_start, first, after)


async def check_employees(world: World, extensions: Extensions) -> None:
    counted = world.employees(extensions)
    shares = await rows(world, extensions, "employees-distribution")
    assert {
        r.extension: (r.calls, r.placed, r.answered, round(r.talk_seconds * 1e6), r.cost)
        for r in shares
    } == counted
    assert not shares or sum(r.share for r in shares) == pytest.approx(1)
    lines = await rows(world, extensions, "employees-answered-missed")
    for line in lines:
        if line.kind == "extension":
            rings = {name: getattr(line, name) for name in world.rings(line.name)}
            assert rings == world.rings(line.name)
            assert line.answered == counted[line.name][2]
    assert {r.name for r in lines if r.kind == "extension"} == set(counted)
    dearest = await rows(world, extensions, "rankings")
    assert {r.name: r.cost for r in dearest} == {name: c[4] for name, c in counted.items()}
    assert [r.cost for r in dearest] == sorted((r.cost for r in dearest), reverse=True)
    ranked = await rows(world, extensions, "rankings", by="effectiveness")
    for row in ranked:
        rings = world.rings(row.name)
        assert row.offered - row.answered == rings["missed"] + rings["refused"]
        assert row.effectiveness == (row.answered / row.offered if row.offered else None)
    talkers = await rows(world, extensions, "rankings", by="talk_time")
    assert [r.rank for r in talkers] == sorted(r.rank for r in talkers)
    assert [r.talk_seconds for r in talkers] == sorted(
        (row.talk_seconds for row in ranked), reverse=True
    )
    rates = [row.effectiveness for row in ranked if row.effectiveness is not None]
    assert rates == sorted(rates, reverse=True)


async def check_targets(world: World, extensions: Extensions) -> None:
    calls = [call for _, call in world.seen(extensions)]
    groups = {
        r.name: (r.answered, r.missed)
        for r in await rows(world, extensions, "employees-answered-missed")
        if r.kind == "hunt_group"
    }
    for group in filter(None, GROUPS):
        of_group = by_group(calls, group)
        counted = sum(map(answered, of_group)), sum(map(store.is_missed, of_group))
        assert groups.get(group, (0, 0)) == counted
    dids = {r.did: r for r in await rows(world, extensions, "numbers")}
    for did in filter(None, DIDS):
        of_did = [c for c in calls if c.did == did]
        assert (dids[did].calls if did in dids else 0) == len(of_did)
        if of_did:
            assert dids[did].answer_rate == sum(map(answered, of_did)) / len(of_did)
            only = await rows(world, extensions, "numbers", did=did)
            assert [r.did for r in only] == [did]


async def check_clients(world: World, extensions: Extensions) -> None:
    counted = world.clients(extensions)
    first = first_day(world.zone)
    week = {"since": first, "until": first + timedelta(days=9)}
    for period in ({}, week):
        shares = await rows(world, extensions, "clients-distribution", limit=2, **period)
        assert {r.number: (r.calls, r.answered, r.missed, r.cost) for r in shares} == {
            number: (
                len(calls),
                sum(answered(c) for _, c in calls),
                sum(store.is_missed(c) for _, c in calls),
                world.cost(calls),
            )
            for number, calls in counted.items()
        }
        assert len(shares) == len(counted)
        assert [r.calls for r in shares] == sorted((r.calls for r in shares), reverse=True)
    for name, end in (("clients-first-contact", 0), ("clients-last-contact", -1)):
        found = await rows(world, extensions, name, limit=2)
        assert {r.number: (r.at, r.call) for r in found} == {
            number: (world.at(calls[end][1]), calls[end][0]) for number, calls in counted.items()
        }
        assert len(found) == len(counted)
        assert [r.at for r in found] == sorted((r.at for r in found), reverse=True)
        some = await rows(world, extensions, name, since=first + timedelta(days=4))
        assert {r.number for r in some} == {
            number
            for number, calls in counted.items()
            if world.day(calls[end][1]) >= first + timedelta(days=4)
        }


async def check_callbacks(world: World, extensions: Extensions) -> None:
    found = await rows(world, extensions, "clients-missed", limit=2)
    assert {r.number: (r.owed_since, r.missed_at, r.missed_calls) for r in found} == world.owed(
        extensions
    )
    assert len(found) == len({r.number for r in found})
    assert [r.owed_since for r in found] == sorted(r.owed_since for r in found)
    if extensions is not None:
        assert {r.owner for r in found} <= {None, *extensions}


async def check_dashboard(world: World, extensions: Extensions) -> None:
    scope = CallScope(world.account_id, None if extensions is None else tuple(extensions))
    first = first_day(world.zone)
    now = datetime.combine(first + timedelta(days=6), time(12), UTC)
    service = ReportService(world.db, clock=lambda: now)
    for period, days in (("today", 1), ("3d", 3), ("7d", 7)):
        board = await service.dashboard(scope, DashboardPeriod(period))
        since = first + timedelta(days=7 - days)
        shown = [c for _, c in world.seen(extensions) if world.day(c) >= since]
        until = first + timedelta(days=7)
        within = [c for c in shown if world.day(c) < until]
        totals = sum(p.inbound + p.outbound + p.internal for p in board.volume)
        assert totals == len(within)
        assert sum(p.missed for p in board.volume) == sum(map(store.is_missed, within))
        length = board.until - board.since
        assert len(board.volume) == (days if period == "7d" else length / timedelta(hours=1))
        for point, after in zip(
            board.volume, [*[p.starts_at for p in board.volume][1:], board.until], strict=True
        ):
            starts = [c for c in within if point.starts_at <= world.at(c) < after]
            assert len(starts) == point.inbound + point.outbound + point.internal
        for listed, wanted in ((board.successful, answered), (board.missed, store.is_missed)):
            counted: dict[str, list[datetime]] = {}
            for call in shown:
                number = customer(call)
                if number is not None and wanted(call):
                    counted.setdefault(number, []).append(world.at(call))
            assert {r.number: (r.calls, r.last_at) for r in listed} == {
                number: (len(times), max(times)) for number, times in counted.items()
            }
