"""Notes on a call: problem and solution, by whom and when (R003-09)."""

import pytest

from callctl.core.author import Author
from callctl.core.errors import CallctlError
from callctl.core.scope import CallScope
from callctl.features.calls.model import CallFilters, NewNote

from .conftest import Desk, fixture_rows

_USER = """
insert into users (account_id, login, name, role, password_hash)
values ($1, 'anna', 'Anna', 'manager', '') returning id
"""


async def stored_call(desk: Desk) -> int:
    desk.write(fixture_rows("answered"))
    await desk.read_all(1)
    page = await desk.service.list_calls(CallScope(desk.account_id), CallFilters())
    return page.items[0].id


async def test_a_note_is_kept_with_who_wrote_it_and_what_was_there_before(desk: Desk) -> None:
    call = await stored_call(desk)
    scope = CallScope(desk.account_id)
    anna = await desk.db.fetchval(_USER, desk.account_id)
    await desk.service.add_note(scope, call, NewNote("No dial tone", ""), Author("anna", anna))
    await desk.service.add_note(scope, call, NewNote("No dial tone", "New cable"), Author("bert"))
    notes = (await desk.service.get_call(scope, call)).notes
    assert [(n.problem, n.solution, n.written_by) for n in notes] == [
        ("No dial tone", "New cable", "bert"),
        ("No dial tone", "", "anna"),
    ]
    assert notes[0].written_at > notes[1].written_at
    ids = await desk.db.fetch("select id from call_notes order by id")
    lines = await desk.db.fetch("select author_id, author, action, subject, after from audit")
    # The text is the call's own.
    assert [tuple(line) for line in lines] == [
        (anna, "anna", "call.noted", f"call:{call}", {"note": ids[0][0]}),
        (None, "bert", "call.noted", f"call:{call}", {"note": ids[1][0]}),
    ]


async def test_a_call_outside_the_scope_takes_no_note(desk: Desk) -> None:
    call = await stored_call(desk)
    for scope in (CallScope(desk.account_id + 1), CallScope(desk.account_id, ("202",))):
        with pytest.raises(CallctlError, match="not_found"):
            await desk.service.add_note(scope, call, NewNote("x"), Author("eve"))
    with pytest.raises(CallctlError, match="says nothing"):
        await desk.service.add_note(
            CallScope(desk.account_id), call, NewNote(" ", ""), Author("anna")
        )
    assert await desk.db.fetchval("select count(*) from call_notes") == 0


async def test_notes_stay_when_late_rows_rebuild_the_call(desk: Desk) -> None:
    rows = fixture_rows("answered").splitlines(keepends=True)
    desk.write(b"".join(rows[:1] + rows[2:]))
    await desk.read_all(1)
    scope = CallScope(desk.account_id)
    (call,) = (await desk.service.list_calls(scope, CallFilters())).items
    await desk.service.add_note(scope, call.id, NewNote("kept"), Author("anna"))
    desk.write(rows[1])
    await desk.read_until_quiet()
    detail = await desk.service.get_call(scope, call.id)
    assert detail.call.changed_at > call.changed_at
    assert [n.problem for n in detail.notes] == ["kept"]
