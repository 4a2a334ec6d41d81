"""A page is what the filters say, whichever index it is read from."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callctl.core.errors import CallctlError
from callctl.core.scope import CallScope
from callctl.features.calls import service as calls_service
from callctl.features.calls import store
from callctl.features.calls.listing import Source, page_query
from callctl.features.calls.model import CallFilters, CallSummary
from callctl.features.calls.service import choose_source, telling_grams
from callctl.features.clients.registration import KEEP_TYPES

from .conftest import Desk
from .made_calls import EXTENSIONS, SPRING, as_stored, make_record

SPRING_AT = datetime.fromtimestamp(SPRING / 1_000_000, UTC)
HOUR = timedelta(hours=1)


OWN_NUMBERS = {1: ("+36201234567", "+3617000001"), 2: ("+36307654321",), 3: ()}
"""What numbers the clients have: the first one is a VIP, the second a problem."""

CLIENTS = """
insert into clients (id, account_id, kind, name, type_id, sort_key, search)
overriding system value
select v.id, $1, 'person', coalesce(v.type, 'none'), t.id, '', ''
from (values (1, 'VIP'), (2, 'problem'), (3, null)) v(id, type)
left join client_types t on t.account_id = $1 and t.name = v.type
"""
CLIENT_NUMBERS = """
insert into client_numbers (account_id, number_id, client_id, position)
select c.account_id, n.id, c.id, 0 from numbers n
join clients c on c.id = case when n.number in ('+36201234567', '+3617000001') then 1
                              when n.number = '+36307654321' then 2 end
"""
GROUPS = """
with a as (insert into groups (id, account_id, name) overriding system value
           select g, $1, g::text from generate_series(1, 4) g),
     u as (insert into users (account_id, login, role, password_hash, group_id, extension, active)
           select $1, concat(extension, '-', active), 'manager', '-', g, extension, active
           from (values (1, '201', true), (1, '204', true), (2, '202', true), (2, '201', false),
                        (3, null, true), (4, '203', false)) v(g, extension, active)),
     b as (insert into accounts (code, name, kind) values ('b', 'B', 'enterprise') returning id)
insert into groups (id, account_id, name) overriding system value select 9, id, '9' from b
"""
MEMBERS = {1: {"201", "204"}, 2: {"202"}, 4: {"203"}}
"""Whose calls are a group's: 201 of the second was left to somebody else, 203 to nobody. The third
has no extension, the ninth is another account's."""


@pytest.fixture
async def history(desk: Desk) -> Desk:
    chance = random.Random(7)
    calls = [as_stored(make_record(chance), desk.account_id) for _ in range(300)]
    async with desk.db.transaction() as connection:
        await connection.execute(CLIENTS, desk.account_id)
        await connection.execute(GROUPS, desk.account_id)
        ids = await store.insert_calls(connection, calls)
        await connection.execute(CLIENT_NUMBERS)
        await connection.execute(KEEP_TYPES, ids)
    # Calls of one moment are told apart by their ids.
    await desk.db.execute(
        "update calls set started_at = (select min(started_at) from calls) where id % 7 = 0"
    )
    await desk.db.execute("update calls set too_long_seconds = 60 where id % 5 = 0")
    for table in ("call_extensions", "call_clients"):
        await desk.db.execute(
            f"update {table} e set started_at = c.started_at from calls c where c.id = e.call"
        )
    return desk


Test = Callable[[Any, CallSummary, dict[str, list[str]]], bool]
TESTS: dict[str, Test] = {
    "since": lambda v, c, _: c.started_at >= v,
    "until": lambda v, c, _: c.started_at < v,
    "changed_since": lambda v, c, _: c.changed_at >= v,
    "direction": lambda v, c, _: c.direction == v,
    "disposition": lambda v, c, _: c.disposition == v,
    "missed": lambda v, c, _: c.missed == v,
    "completeness": lambda v, c, _: c.completeness == v,
    "has_recording": lambda v, c, _: c.has_recording == v,
    "too_long": lambda v, c, _: c.too_long == v,
    "min_talk": lambda v, c, _: c.talk_seconds >= v,
    "max_talk": lambda v, c, _: c.talk_seconds <= v,
    "extension": lambda v, c, parts: v in parts.get(str(c.id), []),
    "group": lambda v, c, parts: bool(MEMBERS.get(v, set()) & set(parts.get(str(c.id), []))),
    "number": lambda v, c, _: any(
        v in n for n in (c.from_number, c.to_number, c.destination_number) if n
    ),
    "client": lambda v, c, _: (
        not {c.from_number, c.to_number, c.destination_number}.isdisjoint(OWN_NUMBERS.get(v, ()))
    ),
    "client_type": lambda v, c, _: c.client_type == v,
}
"""What each filter means, in words of the record."""

MANY = ("202", "203", *(str(n) for n in range(900, 910)))

FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "since": st.integers(-72, 72).map(lambda h: SPRING_AT + h * HOUR),
        "until": st.integers(-72, 72).map(lambda h: SPRING_AT + h * HOUR),
        "changed_since": st.just(SPRING_AT),
        "direction": st.sampled_from(("inbound", "outbound", "internal")),
        "disposition": st.sampled_from(("ANSWERED", "BUSY", "FAILED", "UNKNOWN")),
        "missed": st.booleans(),
        "completeness": st.sampled_from(("complete", "repaired", "truncated")),
        "has_recording": st.booleans(),
        "too_long": st.booleans(),
        "min_talk": st.sampled_from((0.0, 30.0, 550.0, 600.0, 601.0)),
        "max_talk": st.sampled_from((0.0, 30.0, 599.0, 900.0)),
        "extension": st.sampled_from((*EXTENSIONS, "999")),
        "group": st.sampled_from((1, 2, 3, 4, 8, 9)),
        "client": st.sampled_from((1, 2, 3, 4)),
        "client_type": st.sampled_from(("VIP", "problem", "potential", "no such")),
        "number": st.sampled_from(("20", "2012345", "+3617000001", "201", "0")),
    },
)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    asked=FILTERS,
    sort=st.sampled_from(("-started_at", "started_at", "changed_at")),
    own=st.sampled_from((None, ("201",), ("202", "203"), (), MANY)),
    most_numbers=st.sampled_from((0, 400)),
)
async def test_pages_hold_what_the_filters_say_in_order_and_once(
    history: Desk,
    asked: dict[str, Any],
    sort: str,
    own: tuple[str, ...] | None,
    most_numbers: int,
) -> None:
    whole = await everything(history)
    parts: dict[str, list[str]] = {}
    for row in await history.db.fetch("select call, extension from call_extensions"):
        parts.setdefault(str(row["call"]), []).append(row["extension"])
    expected = [
        c
        for c in whole
        if all(TESTS[name](value, c, parts) for name, value in asked.items())
        and (own is None or set(own) & set(parts.get(str(c.id), [])))
    ]
    at = "changed_at" if sort == "changed_at" else "started_at"
    expected.sort(key=lambda c: (getattr(c, at), c.id), reverse=sort == "-started_at")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calls_service, "MOST_NUMBERS", most_numbers)
        try:
            found = await all_pages(history, CallScope(history.account_id, own), asked, sort)
        except CallctlError as error:
            assert error.code == "invalid_field"  # noqa: PT017 - a reversed range, refused
            return
    assert [c.id for c in found] == [c.id for c in expected], (asked, sort, own)


async def everything(desk: Desk) -> list[CallSummary]:
    page = await desk.service.list_calls(CallScope(desk.account_id), CallFilters(limit=500))
    assert page.next is None
    return page.items


async def all_pages(
    desk: Desk, scope: CallScope, asked: dict[str, Any], sort: str
) -> list[CallSummary]:
    found: list[CallSummary] = []
    cursor = None
    while True:
        filters = CallFilters(**asked, sort=sort, limit=70, cursor=cursor)  # type: ignore[arg-type]
        page = await desk.service.list_calls(scope, filters)
        found += page.items
        if page.next is None:
            return found
        cursor = page.next


@pytest.mark.parametrize(
    ("asked", "source"),
    [
        ({}, Source.EVERYTHING),
        ({"direction": "internal"}, Source.OUTCOME),
        ({"disposition": "UNKNOWN", "missed": True}, Source.EVERYTHING),
        ({"disposition": "ANSWERED", "min_talk": 3600.0}, Source.EVERYTHING),
        ({"disposition": "ANSWERED", "min_talk": 10.0}, Source.OUTCOME),
        ({"disposition": "ANSWERED", "too_long": True}, Source.EVERYTHING),
        ({"extension": "201", "disposition": "BUSY"}, Source.EXTENSION),
        ({"extension": "201", "sort": "changed_at"}, Source.EVERYTHING),
        ({"client_type": "VIP", "missed": True}, Source.CLIENT_TYPE),
        ({"client_type": "VIP", "extension": "201"}, Source.EXTENSION),
    ],
)
def test_the_source_is_where_the_rarest_stands_together(
    asked: dict[str, Any], source: Source
) -> None:
    assert choose_source(CallScope(1), CallFilters(**asked), {}) is source


@pytest.mark.parametrize("own", [("201",), ("201", "202")])
def test_a_scope_of_extensions_is_read_from_their_own_index(own: tuple[str, ...]) -> None:
    assert choose_source(CallScope(1, own), CallFilters(), {}) is Source.EXTENSION


def test_rare_calls_of_many_extensions_are_read_from_where_the_rare_ones_stand() -> None:
    scope = CallScope(1, MANY)
    assert choose_source(scope, CallFilters(missed=True), {}) is Source.EVERYTHING
    assert choose_source(scope, CallFilters(), {}) is Source.EXTENSION
    assert choose_source(scope, CallFilters(missed=True, extension="202"), {}) is Source.EXTENSION


def test_a_group_is_read_like_a_scope_of_its_extensions() -> None:
    group = {"group": ["201"]}
    assert choose_source(CallScope(1), CallFilters(missed=True), group) is Source.EXTENSION
    many = {"group": list(MANY)}
    assert choose_source(CallScope(1), CallFilters(), many) is Source.EXTENSION
    assert choose_source(CallScope(1), CallFilters(missed=True), many) is Source.EVERYTHING
    assert choose_source(CallScope(1, ("201",)), CallFilters(), many) is Source.EXTENSION


@pytest.mark.parametrize("group", [1, 2, 4])
@pytest.mark.parametrize("own", [None, ("201", "202")])
async def test_calls_of_a_group_are_those_of_its_people_that_may_be_seen(
    history: Desk, group: int, own: tuple[str, ...] | None
) -> None:
    for asked in ({}, {"missed": True}, {"extension": "204"}, {"direction": "inbound"}):
        found = await all_pages(
            history, CallScope(history.account_id, own), {"group": group, **asked}, "started_at"
        )
        for call in found:
            parts = {row[0] for row in await history.db.fetch(
                "select extension from call_extensions where call = $1", call.id
            )}  # fmt: skip
            assert parts & MEMBERS[group]
            assert own is None or parts & set(own)
        assert found or asked or own, "there are some"


async def test_a_page_of_a_group_reads_the_index_of_extensions(history: Desk) -> None:
    query = page_query("-started_at", Source.EXTENSION, frozenset({"group"}))
    values = {"account": history.account_id, "limit": 50, "group": ["201", "204"]}
    async with history.db.transaction() as connection:
        await connection.execute("set local enable_seqscan = off")
        parameters = (values[name] for name in query.parameters)
        plan = await connection.fetch("explain " + query.sql, *parameters)
    assert any("call_extensions_pkey" in row[0] for row in plan), [row[0] for row in plan]


@pytest.mark.parametrize(
    ("wanted", "pieces"),
    [
        ("1", []),
        ("123", ["123"]),
        ("12345", ["345", "123"]),
        ("123456", ["456", "123"]),
        ("+36201234567", ["567", "234", "201"]),
    ],
)
def test_pieces_of_a_number_are_its_last_ones(wanted: str, pieces: list[str]) -> None:
    assert telling_grams(wanted) == pieces


async def test_the_clients_of_the_calls_are_there_to_be_found(history: Desk) -> None:
    whole = await everything(history)
    assert {c.client_type for c in whole} == {c.client_name for c in whole}
    assert {c.client_type for c in whole} == {"VIP", "problem", None}


def test_a_clients_numbers_are_read_from_the_indexes_of_numbers() -> None:
    filters = CallFilters(client=1, number="201", client_type="VIP")
    assert choose_source(CallScope(1), filters, {"numbers": [1, 2]}) is Source.NUMBER


async def test_a_page_of_too_long_calls_is_read_from_their_own_index(history: Desk) -> None:
    query = page_query("-started_at", Source.EVERYTHING, frozenset({"too_long"}))
    values = {"account": history.account_id, "limit": 50, "too_long": True}
    async with history.db.transaction() as connection:
        await connection.execute("set local enable_seqscan = off")
        parameters = (values[name] for name in query.parameters)
        plan = await connection.fetch("explain " + query.sql, *parameters)
    assert any("calls_too_long" in row[0] for row in plan), [row[0] for row in plan]
