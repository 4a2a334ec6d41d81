"""Real calls of an account whose seller demands a package."""

from collections.abc import AsyncIterator

import pytest

from callctl.demo.stack import Stack
from tests.asterisk.limits.test_limits import _passes, _refused
from tests.asterisk.scenarios.office import ALICE, Office, reasons

pytestmark = pytest.mark.asterisk

NATIONAL = "06301234567"
_SELLER = "insert into accounts (code, name, kind) values ('seller', 'S', 'operator') returning id"
_BELOW = """
update accounts set parent_id = $1, kind = 'enterprise', package_required = true where id = 1
"""
_ABOVE = """
update accounts set parent_id = null, kind = 'operator', package_required = false where id = 1
"""
_PACKAGE = """
insert into packages (account_id, seats, since, months, until)
values (1, 1, now(), 1, now() + interval '1 month')
"""
_MEMBER = """
with u as (insert into users (account_id, login, name, role, password_hash, extension)
           values (1, 'ann', 'Ann', 'manager', '-', '103') returning id)
insert into package_members (account_id, user_id, added_by) select 1, id, 'boss' from u
"""


@pytest.fixture
async def customer(stack: Stack) -> AsyncIterator[None]:
    """The office buys of somebody, and has bought nothing yet."""
    db, routing = stack.daemon.db, stack.daemon.routing
    seller = await db.fetchval(_SELLER)
    await db.execute(_BELOW, seller)
    await routing.refresh()
    yield
    await db.execute(_ABOVE)
    for sql in ("delete from packages", "delete from accounts where code = 'seller'"):
        await db.execute(sql)
    await routing.refresh()


async def test_calls_go_by_package_and_seat_and_emergency_calls_by_neither(
    office: Office, stack: Stack, customer: None
) -> None:
    record = await _refused(office, "103", NATIONAL)
    assert reasons(record) == [("package_required", "")]
    assert "no active package" in record["reasons"][0]["text"]
    caller = await office.outside("+3617000109", ALICE)
    assert (await caller.ended()).final_code >= 400
    assert ("package_required", "") in reasons(await office.record(caller))
    await _passes(office, "103", "112")
    await stack.daemon.agi.stop()
    try:
        assert reasons(await _refused(office, "103", NATIONAL)) == [("package_required", "")]
        await _passes(office, "106", "112")
    finally:
        await stack.daemon.agi.start()

    for sql in (_PACKAGE, _MEMBER):
        await stack.daemon.db.execute(sql)
    await stack.daemon.routing.refresh()
    await _passes(office, "103", NATIONAL)
    record = await _refused(office, "106", "06301234568")
    assert reasons(record)[-1] == ("seat_required", "extension:106")
    await _passes(office, "106", "112")
