"""Every operation that changes something writes a line of the audit log (R003-87), and one that
takes an Idempotency-Key is done once, however often it is sent.

Whoever adds an operation that is no GET adds it to tests/app/every_change.py, or says
here why it writes none.
"""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from callctl.app import Daemon
from callctl.core.changes import ACTIONS
from tests.app.every_change import PARTS
from tests.app.full_house import furnish
from tests.app.walk import Walk

WRITES_NONE = {
    "POST /api/v1/calls": "placing a call changes nothing; call_orders keeps who placed it",
    "POST /api/v1/sessions": "signing in changes nothing",
    "DELETE /api/v1/sessions": "signing out changes nothing",
    "DELETE /api/v1/sessions/{id}": "ends one's own signing in",
    "POST /api/v1/profile/second-factor": "nothing is in force until it is confirmed",
    "PUT /api/v1/recordings/{id}/favourite": "one's own list of favourites",
    "DELETE /api/v1/recordings/{id}/favourite": "one's own list of favourites",
    "POST /api/v1/quotes": "a quote moves nothing; paying it writes",
    "POST /api/v1/exports/verify": "reads",
    "POST /api/v1/exports/verify/file": "reads",
    "POST /api/v1/routing/explain": "reads",
    "POST /api/v1/routing/diff": "reads",
}

TAKE_A_KEY = {"money", "numbers", "packages", "rates", "spend"}
"""Tags of which every operation that changes something takes an Idempotency-Key."""

TAKES_NO_KEY = {
    "POST /api/v1/payments/callback": "the provider's words have an id of their own, and come "
    "twice in tests/ledger/test_payments.py",
}

EVIDENCE = {"GET /api/v1/clients.csv", "GET /api/v1/routing"}
"""They change nothing; who carries all clients away, or sees passwords, is told all the same."""

BY_COMMAND_LINE = {"calls.imported", "recording.transcribed", "recording_key.rewrapped"}
"""Their lines are looked for in tests/imports, tests/cli and tests/recordings."""


@pytest.fixture
async def walk(running: Daemon) -> AsyncIterator[Walk]:
    house = await furnish(running)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield Walk(house, session)


async def test_every_operation_that_changes_something_writes_a_line(walk: Walk) -> None:
    for part in PARTS:
        await part(walk)
    endpoints = walk.house.daemon.endpoints()
    declared = {
        f"{endpoint.method} {endpoint.path}" for endpoint in endpoints if endpoint.method != "GET"
    } | EVIDENCE
    assert declared - walk.done - set(WRITES_NONE) == set(), "add it to the walk, or say why not"
    assert (walk.done | set(WRITES_NONE)) - declared == set(), "there is no such operation"
    assert walk.done.isdisjoint(WRITES_NONE)
    keyed = {
        f"{endpoint.method} {endpoint.path}"
        for endpoint in endpoints
        if endpoint.method != "GET" and endpoint.tag in TAKE_A_KEY
    } - set(TAKES_NO_KEY)
    assert keyed - walk.sent_again == set(), "it must take an Idempotency-Key"
    rows = await walk.house.daemon.db.fetch("select distinct action from audit")
    written = {row[0] for row in rows}
    assert written | BY_COMMAND_LINE == set(ACTIONS), "callctl.core.changes lists what is written"
