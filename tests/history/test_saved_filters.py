"""Filters that are kept: whose they are, who may share them, and what becomes of old ones."""

from datetime import UTC, datetime, time
from typing import Any

import msgspec
import pytest

from callctl.core.errors import CallctlError
from callctl.core.permissions import Scope
from callctl.features.calls.model import (
    CallFilters,
    NewSavedFilter,
    SavedFilterChange,
    SavedFilterFilters,
)
from callctl.features.calls.saved_filters import SavedFilterService, read_stored
from callctl.http.endpoint import Actor

from .conftest import Desk

_USER = """
insert into users (account_id, login, role, password_hash) values ($1, $2, 'manager', '-')
returning id
"""
LOST = CallFilters(
    since=datetime(2026, 3, 1, tzinfo=UTC),
    time_since=time(18),
    missed=True,
    group=3,
    sort="started_at",
)


class Office:
    """Anna, Bela and the boss, who may share, of one account; Carl of another."""

    def __init__(self, desk: Desk, people: dict[str, Actor]) -> None:
        self.db = desk.db
        self.saved = SavedFilterService(desk.db)
        self.people = people

    def __getitem__(self, name: str) -> Actor:
        return self.people[name]

    async def names(self, who: str) -> list[str]:
        page = await self.saved.list_saved(self[who], SavedFilterFilters())
        return [one.name for one in page.items]

    async def audit(self) -> list[tuple[Any, ...]]:
        rows = await self.db.fetch("select author, action, before, after from audit order by id")
        return [tuple(row) for row in rows]


@pytest.fixture
async def office(desk: Desk) -> Office:
    other = await desk.db.fetchval(
        "insert into accounts (code, name, kind) values ('b', 'B', 'enterprise') returning id"
    )
    people = {}
    for name, account in (("anna", desk.account_id), ("bela", desk.account_id), ("carl", other)):
        id_ = await desk.db.fetchval(_USER, account, name)
        people[name] = Actor(account, name, frozenset({Scope.CALLS_READ}), id_, ("201",))
    boss = await desk.db.fetchval(_USER, desk.account_id, "boss")
    scopes = frozenset({Scope.CALLS_READ, Scope.SETTINGS_WRITE})
    people["boss"] = Actor(desk.account_id, "boss", scopes, boss)
    people["machine"] = Actor(desk.account_id, "token:x", frozenset({Scope.CALLS_READ}))
    return Office(desk, people)


async def test_a_saved_filter_is_what_was_asked_for(office: Office) -> None:
    made = await office.saved.create(office["anna"], NewSavedFilter(" Lost ", LOST))
    assert (made.name, made.owner, made.mine, made.problem) == ("Lost", "anna", True, None)
    assert made.filters.keys() == {"since", "time_since", "missed", "group", "sort"}
    again = await office.saved.get_saved(office["anna"], made.id)
    assert again == made
    assert read_stored(again.filters) == LOST


async def test_ones_own_are_ones_own_and_shared_ones_everybodys(office: Office) -> None:
    own = await office.saved.create(office["anna"], NewSavedFilter("Own", LOST))
    await office.saved.create(office["machine"], NewSavedFilter("Of the machine", LOST))
    shared = await office.saved.create(office["boss"], NewSavedFilter("Ours", LOST, shared=True))
    assert await office.names("anna") == ["Own", "Ours"]
    assert await office.names("bela") == ["Ours"]
    assert await office.names("machine") == ["Of the machine", "Ours"]
    assert await office.names("carl") == []
    for who, one in (("bela", own), ("boss", own), ("carl", own), ("carl", shared)):
        for act in (
            office.saved.get_saved(office[who], one.id),
            office.saved.change(office[who], one.id, SavedFilterChange(name="x")),
            office.saved.delete(office[who], one.id),
        ):
            with pytest.raises(CallctlError, match="not_found"):
                await act
    assert not (await office.saved.get_saved(office["bela"], shared.id)).mine


async def test_sharing_takes_a_scope_and_leaves_a_line(office: Office) -> None:
    saved, anna, boss = office.saved, office["anna"], office["boss"]
    with pytest.raises(CallctlError, match="settings:write"):
        await saved.create(anna, NewSavedFilter("Lost", LOST, shared=True))
    own = await saved.create(anna, NewSavedFilter("Lost", LOST))
    with pytest.raises(CallctlError, match="settings:write"):
        await saved.change(anna, own.id, SavedFilterChange(shared=True))
    assert not (await saved.get_saved(anna, own.id)).shared
    await saved.change(anna, own.id, SavedFilterChange(name="Mine"))
    assert await office.audit() == []

    one = await saved.create(boss, NewSavedFilter("Ours", CallFilters(missed=True), shared=True))
    for act in (
        saved.change(anna, one.id, SavedFilterChange(name="Hers")),
        saved.delete(anna, one.id),
    ):
        with pytest.raises(CallctlError, match="settings:write"):
            await act
    changed = await saved.change(boss, one.id, SavedFilterChange(name="All of ours"))
    assert (changed.name, changed.filters) == ("All of ours", {"missed": True})
    await saved.delete(boss, one.id)
    values = {"name": "Ours", "owner": "boss", "filters": {"missed": True}}
    assert await office.audit() == [
        ("boss", "saved_filter.shared", None, values),
        ("boss", "saved_filter.changed", {"name": "Ours"}, {"name": "All of ours"}),
        ("boss", "saved_filter.unshared", {**values, "name": "All of ours"}, None),
    ]


async def test_a_name_is_given_once_by_each(office: Office) -> None:
    for who in ("anna", "bela", "machine"):
        await office.saved.create(office[who], NewSavedFilter("Lost", LOST))
        with pytest.raises(CallctlError, match="already_exists"):
            await office.saved.create(office[who], NewSavedFilter("LOST", LOST))
    with pytest.raises(CallctlError, match="invalid_field") as blank:
        await office.saved.create(office["anna"], NewSavedFilter(" \u202e", LOST))
    assert blank.value.field == "body.name"


@pytest.mark.parametrize(
    ("filters", "field"),
    [
        (CallFilters(cursor="x"), "body.filters.cursor"),
        (CallFilters(limit=7), "body.filters.limit"),
        (CallFilters(min_talk=2.0, max_talk=1.0), "body.filters.max_talk"),
        (CallFilters(number="--"), "body.filters.number"),
    ],
)
async def test_what_no_list_would_take_is_not_saved(
    office: Office, filters: CallFilters, field: str
) -> None:
    with pytest.raises(CallctlError) as refused:
        await office.saved.create(office["anna"], NewSavedFilter("x", filters))
    assert (refused.value.code, refused.value.field) == ("invalid_field", field)
    with pytest.raises(msgspec.ValidationError, match="colour"):
        msgspec.convert({"name": "x", "filters": {"colour": 1}}, NewSavedFilter)


async def test_a_field_that_there_is_no_more_is_named_and_spoils_no_list(office: Office) -> None:
    anna = office["anna"]
    old = await office.saved.create(anna, NewSavedFilter("Old", LOST))
    await office.saved.create(anna, NewSavedFilter("New", LOST))
    await office.db.execute(
        'update saved_filters set filters = \'{"mood": "bad"}\' where id = $1', old.id
    )
    page = await office.saved.list_saved(anna, SavedFilterFilters())
    assert [one.problem for one in page.items] == ["filters.mood: unknown field", None]
    assert page.items[0].filters == {"mood": "bad"}
    with pytest.raises(CallctlError, match=r"filters\.mood: unknown field"):
        read_stored(page.items[0].filters)
    # It can be named anew and, with new filters, works again.
    assert (await office.saved.change(anna, old.id, SavedFilterChange(name="Older"))).problem
    mended = await office.saved.change(anna, old.id, SavedFilterChange(filters=LOST))
    assert mended.problem is None


async def test_the_list_is_read_page_by_page(office: Office) -> None:
    for name in "abc":
        await office.saved.create(office["anna"], NewSavedFilter(name, LOST))
    first = await office.saved.list_saved(office["anna"], SavedFilterFilters(limit=2))
    rest = await office.saved.list_saved(
        office["anna"], SavedFilterFilters(limit=2, cursor=first.next)
    )
    assert [one.name for one in (*first.items, *rest.items)] == ["a", "b", "c"]
    assert rest.next is None
