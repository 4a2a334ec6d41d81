"""Reading the history: filters, pages, scopes, and input that is none."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from callctl.core.errors import CallctlError
from callctl.core.scope import CallScope
from callctl.features.calls.model import CallFilters

from .conftest import Desk, fixture_rows

NAMES = (
    "answered",
    "second_answers",
    "busy",
    "cancelled_second",
    "internal",
    "missed_by_all",
    "outbound_second_trunk",
    "anonymous_without_number",
)


@pytest.fixture
async def history(desk: Desk) -> Desk:
    for name in NAMES:
        desk.write(fixture_rows(name))
    await desk.read_all(len(NAMES))
    return desk


async def found(desk: Desk, **filters: Any) -> list[Any]:
    page = await desk.service.list_calls(CallScope(desk.account_id), CallFilters(**filters))
    return page.items


@pytest.mark.parametrize("sort", ["-started_at", "started_at", "changed_at"])
@pytest.mark.parametrize("extension", [None, "201"])
async def test_pages_neither_skip_nor_repeat(
    history: Desk, sort: str, extension: str | None
) -> None:
    whole = await found(history, sort=sort, extension=extension)
    seen: list[int] = []
    cursor = None
    while True:
        filters = CallFilters(sort=sort, extension=extension, limit=2, cursor=cursor)  # type: ignore[arg-type]
        page = await history.service.list_calls(CallScope(history.account_id), filters)
        seen += [call.id for call in page.items]
        if page.next is None:
            break
        cursor = page.next
    assert seen == [call.id for call in whole]
    assert len(seen) > 2


async def test_filters_find_what_they_say(history: Desk) -> None:
    calls = await found(history)
    assert len(calls) == len(NAMES)
    for direction in ("inbound", "outbound", "internal"):
        hits = await found(history, direction=direction)
        assert hits == [c for c in calls if c.direction == direction]
        assert hits
    assert {c.disposition for c in await found(history, disposition="BUSY")} == {"BUSY"}
    missed = await found(history, missed=True)
    assert missed == [c for c in calls if c.direction == "inbound" and c.disposition != "ANSWERED"]
    talked = await found(history, min_talk=0.5)
    assert talked == [c for c in calls if c.talk_seconds >= 0.5]


async def test_extension_finds_calls_it_was_tried_in(history: Desk) -> None:
    hits = await found(history, extension="201")
    expected = [
        c
        for c in await found(history)
        if "201" in (c.extension, c.answered_by, *(t.split()[0] for t in c.tried))
    ]
    assert hits == expected
    assert any(c.answered_by == "202" for c in hits)


@pytest.mark.parametrize("part", ["7700", "00101", "15550101", "2"])
async def test_any_part_of_a_number_finds_it(history: Desk, part: str) -> None:
    expected = [
        c
        for c in await found(history)
        if any(part in n for n in (c.from_number, c.to_number, c.destination_number) if n)
    ]
    assert await found(history, number=part) == expected
    assert expected


async def test_periods_are_half_open(history: Desk) -> None:
    calls = await found(history, sort="started_at")
    first, second = calls[0].started_at, calls[1].started_at
    assert await found(history, since=first, until=second) == calls[:1]
    assert await found(history, until=first) == []


async def test_time_of_day_is_the_accounts_and_runs_over_midnight(history: Desk) -> None:
    await history.db.execute(
        "update accounts set timezone = 'Asia/Tokyo' where id = $1", history.account_id
    )
    at = (await found(history))[0].started_at
    in_tokyo = (at.astimezone(UTC) + timedelta(hours=9)).time()
    later = (datetime.combine(at.date(), in_tokyo) + timedelta(hours=2)).time()
    inside = await found(history, time_since=in_tokyo, time_until=later)
    outside = await found(history, time_since=later, time_until=in_tokyo)
    ids = {c.id for c in inside} | {c.id for c in outside}
    assert inside
    assert len(inside) + len(outside) == len(ids) == len(NAMES)


async def test_changed_since_gives_what_came_after(history: Desk) -> None:
    calls = await found(history, sort="changed_at")
    last = calls[-1].changed_at
    assert await found(history, sort="changed_at", changed_since=last) == calls[-1:]


async def test_another_account_sees_nothing(history: Desk) -> None:
    other = CallScope(history.account_id + 1)
    assert (await history.service.list_calls(other, CallFilters())).items == []
    call = (await found(history))[0]
    with pytest.raises(CallctlError, match="not_found"):
        await history.service.get_call(other, call.id)


async def test_a_scope_of_extensions_hides_all_other_calls(history: Desk) -> None:
    scope = CallScope(history.account_id, ("204",))
    seen = (await history.service.list_calls(scope, CallFilters())).items
    expected = await found(history, extension="204")
    assert seen == expected
    hidden = next(c for c in await found(history) if c not in expected)
    with pytest.raises(CallctlError, match="not_found"):
        await history.service.get_call(scope, hidden.id)


async def test_detail_has_attempts_legs_and_the_rows(history: Desk) -> None:
    call = next(c for c in await found(history) if c.answered_by == "202" and len(c.tried) > 1)
    detail = await history.service.get_call(CallScope(history.account_id), call.id)
    assert [f"{a.extension} {a.result}" for a in detail.attempts] == call.tried
    assert len(detail.legs) == 3
    rows = await history.service.get_journal_rows(CallScope(history.account_id), call.id)
    assert rows == fixture_rows("second_answers")


async def test_a_withheld_number_is_null(history: Desk) -> None:
    numbers = [c.from_number for c in await found(history)]
    assert numbers.count(None) == 1


@pytest.mark.parametrize(
    "cursor", ["x", "", "!!!", "bnVsbA==", "WyItc3RhcnRlZF9hdCIsIjIwMjYtMDEtMDEiLDFd", "é" * 20]
)
async def test_a_hostile_cursor_is_refused(desk: Desk, cursor: str) -> None:
    with pytest.raises(CallctlError, match="invalid_field") as caught:
        await found(desk, cursor=cursor)
    assert caught.value.field == "query.cursor"


async def test_a_cursor_of_another_order_is_refused(history: Desk) -> None:
    page = await history.service.list_calls(CallScope(history.account_id), CallFilters(limit=1))
    with pytest.raises(CallctlError, match="another list"):
        await found(history, cursor=page.next, sort="started_at")


async def test_reversed_ranges_are_refused(desk: Desk) -> None:
    now = datetime.now(UTC)
    with pytest.raises(CallctlError, match="ends before it starts"):
        await found(desk, since=now, until=now - timedelta(seconds=1))
    with pytest.raises(CallctlError, match="max_talk"):
        await found(desk, min_talk=2.0, max_talk=1.0)


def test_unknown_filters_are_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="colour"):
        msgspec.convert({"colour": "red"}, CallFilters)
