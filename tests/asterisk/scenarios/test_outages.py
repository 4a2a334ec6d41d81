"""Routing that changes while it runs, and calls while the database or the daemon is away."""

from typing import Any

import pytest

from callctl.demo.play import Api
from callctl.demo.sip import Answer, Phone, RingOut, SipError
from tests.asterisk.scenarios.conftest import NET, OwnDatabase
from tests.asterisk.scenarios.office import Office, results

pytestmark = pytest.mark.asterisk


async def _change(api: Api, method: str, path: str, body: Any = None) -> None:
    async with api.request(method, f"/api/v1/routing/{path}", json=body) as response:
        assert response.status < 300, await response.text()


async def test_extension_lives_from_its_apply_to_its_removal(office: Office, api: Api) -> None:
    await _change(api, "POST", "extensions", {"number": "161", "ring_seconds": 2})
    document = await api.get("/api/v1/routing", with_secrets="true")
    secret = next(e["secret"] for e in document["extensions"] if e["number"] == "161")
    server = office.stack.address
    phone = Phone("161", f"{NET}.161", server, secret=secret, behaviour=Answer(after=0.1))
    async with phone:
        await office.phone("101", Answer())
        caller = await office.inside("101", "161", talk=0.3)
        await caller.ended()
        record = await office.record(caller)
        assert results(record) == [("161", "ANSWER")]
        await _change(api, "DELETE", "extensions/161")
        with pytest.raises(SipError):
            await phone.register()
    gone = await office.inside("102", "161")
    assert (await gone.ended()).final_code == 404
    stranger = Phone("161", f"{NET}.161", server, secret="guessed")
    with pytest.raises(SipError):
        await stranger.register()
    await stranger.stop()


async def test_calls_go_on_while_the_database_is_away(
    office: Office, api: Api, database: OwnDatabase
) -> None:
    """From memory, by the daemon's own plan; the records come when it is back."""
    await office.phones({"149": RingOut(), "101": Answer(after=0.1)})
    await database.stop()
    try:
        caller = await office.outside("+3617000149", talk=0.4)
        saw = await caller.ended()
        assert saw.answered_at is not None
        async with api.request("GET", "/api/v1/calls") as response:
            assert response.status == 503
            assert (await response.json())["error"]["code"] == "database_unavailable"
    finally:
        await database.start()
    await office.until_ready()
    record = await office.verified(caller, ("149", "101"))
    assert record["plan_id"]


async def test_calls_go_on_while_the_daemon_is_away(office: Office, api: Api) -> None:
    """One that it left in the middle, one that it never heard of: both records are complete."""
    phone, _ = await office.phones({"101": Answer(after=0.1), "102": Answer(after=0.1)})
    left = await office.outside("+3617000101", "+36201110801")
    talking = await phone.answered()
    await office.talking("carrier-a", "101")
    await office.stack.stop_daemon()
    try:
        unheard = await office.outside("+3617000102", "+36201110802", talk=0.4)
        await unheard.ended()
        await phone.hang_up(talking)
        await left.ended()
    finally:
        await office.stack.start_daemon()
    first = await office.verified(left, ("101",))
    second = await office.verified(unheard, ("102",))
    assert first["plan_id"] != second["plan_id"]
    assert first["call"]["completeness"] == second["call"]["completeness"] == "complete"
    assert second["call"]["did"] == "+3617000102"
