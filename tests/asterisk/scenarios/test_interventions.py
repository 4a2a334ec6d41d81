"""Calls that are listened to, transferred and ended from outside, on a real Asterisk."""

import asyncio
from typing import Any

import pytest

from callctl.demo.play import Api
from callctl.demo.sip import Answer, EndedBy, Phone, RingOut
from tests.asterisk.scenarios.conftest import NET
from tests.asterisk.scenarios.office import ALICE, CARRIERS, Office, results
from tests.asterisk.scenarios.test_live import until
from tests.asterisk.talker import Talker

pytestmark = pytest.mark.asterisk

LIVE = "/api/v1/calls/live"


async def _act(api: Api, uniqueid: str, what: str, body: Any = None) -> tuple[int, dict[str, Any]]:
    async with api.request("POST", f"{LIVE}/{uniqueid}/{what}", json=body) as response:
        return response.status, await response.json()


async def _talking(api: Api, extension: str) -> str:
    """The id of the call in which this extension talks, once it is seen live."""
    found: list[dict[str, Any]] = await until(
        api, LIVE, lambda v: [c for c in v["items"] if extension in c["talking"]]
    )
    call_id: str = found[0]["call_id"]
    return call_id


async def _supervise(api: Api, call_id: str, mode: str, boss: Talker) -> None:
    status, answer = await _act(api, call_id, "supervise", {"mode": mode, "from": "103"})
    assert (status, answer.get("kind"), answer.get("target")) == (202, mode, "103"), answer
    await boss.answer()


async def test_a_supervisor_hears_both_and_is_heard_by_whom_the_mode_says(
    office: Office, api: Api
) -> None:
    server = office.stack.address
    customer = Talker(f"{NET}.{CARRIERS['carrier-a']}", server, 500, port=0)
    agent, boss = Talker(f"{NET}.101", server, 900), Talker(f"{NET}.103", server, 1400)
    office.expected = 4
    async with customer, agent, boss:
        answered = asyncio.create_task(agent.answer())
        await customer.call("+3617000101", ALICE)
        await answered
        await asyncio.gather(customer.hears(agent), agent.hears(customer))
        call_id = await _talking(api, "101")

        await _supervise(api, call_id, "listen", boss)
        await boss.hears(agent, customer)
        assert await customer.does_not_hear(boss)
        assert await agent.does_not_hear(boss)
        (seen,) = await until(
            api, LIVE, lambda v: [c for c in v["items"] if c["feature"] == "listen"]
        )
        assert (seen["extension"], seen["to_number"], seen["extensions"]) == ("103", "101", ["103"])
        status, answer = await _act(api, seen["call_id"], "hangup")
        assert status == 200, answer
        await boss.ended()

        await _supervise(api, call_id, "whisper", boss)
        await agent.hears(boss, customer)
        assert await customer.does_not_hear(boss)
        (seen,) = await until(
            api, LIVE, lambda v: [c for c in v["items"] if c["feature"] == "whisper"]
        )
        status, answer = await _act(api, seen["call_id"], "hangup")
        assert status == 200, answer
        await boss.ended()

        await _supervise(api, call_id, "barge", boss)
        await asyncio.gather(customer.hears(boss, agent), agent.hears(boss, customer))
        status, answer = await _act(api, call_id, "hangup")
        assert (status, answer.get("kind")) == (200, "hang_up"), answer
        await asyncio.gather(customer.ended(), agent.ended(), boss.ended())
        status, answer = await _act(api, call_id, "hangup")
        assert status in (404, 409), answer
    await office.until_idle()
    await office.stored()
    observed, *own = sorted(await office.history(), key=lambda c: c["started_at"])
    assert (observed["call_id"], observed["disposition"]) == (call_id, "ANSWERED")
    assert observed["tried"] == ["101 ANSWER"]
    detail = await api.get(f"/api/v1/calls/{observed['id']}")
    assert {leg["extension"] for leg in detail["legs"]} == {None, "101"}
    done = [(i["kind"], i["extension"], i["target"]) for i in detail["interventions"]]
    assert done == [
        ("listen", "101", "103"), ("whisper", "101", "103"), ("barge", "101", "103"),
        ("hang_up", None, None),
    ]  # fmt: skip
    assert [(c["route"], c["extension"], c["to_number"], c["tried"]) for c in own] == [
        (f"feature:{mode}", "103", "101", []) for mode in ("listen", "whisper", "barge")
    ]


@pytest.mark.parametrize("code", ["*8103", "*8"])
async def test_who_picks_up_a_supervisors_ringing_phone_is_hung_up(
    office: Office, api: Api, code: str
) -> None:
    """Picked up, it is the other's phone that would listen, in the supervisor's name."""
    boss, agent = await office.phones({"103": RingOut(), "101": Answer(after=0.1)})
    customer = await office.outside("+3617000101", ALICE)
    await agent.answered()
    call_id = await _talking(api, "101")
    status, answer = await _act(
        api, call_id, "supervise", {"mode": "barge", "from": "103", "ring_seconds": 30}
    )
    assert status == 202, answer
    await boss.ringing()
    curious = await office.inside("102", code)
    assert (await curious.ended()).ended_by == EndedBy.FAR
    assert not customer.calls[-1].ended_at
    await _act(api, call_id, "hangup")
    await asyncio.gather(customer.ended(), agent.ended())
    await office.until_idle()


async def test_a_transfer_from_outside_goes_as_the_phone_s_own(
    office: Office, api: Api, carriers: dict[str, Phone]
) -> None:
    first, second = await office.phones({"101": Answer(after=0.1), "102": Answer(after=0.1)})
    caller = await office.outside("+3617000101")
    await first.answered()
    await office.talking("carrier-a", "101")
    call_id = await _talking(api, "101")
    status, answer = await _act(api, call_id, "transfer", {"to": "102", "extension": "103"})
    assert (status, answer["error"]["field"]) == (422, "body.extension")
    status, answer = await _act(api, call_id, "transfer", {"to": "102"})
    assert (status, answer["extension"], answer["target"]) == (200, "101", "102"), answer
    saw = await second.answered()
    await office.talking("carrier-a", "102")
    await first.ended()
    assert await _talking(api, "102") == call_id
    status, answer = await _act(api, call_id, "transfer", {"to": "06301112233", "extension": "102"})
    assert status == 200, answer
    await carriers["carrier-b"].until(lambda c: c.dialled == "+36301112233" and c.answered_at)
    await office.talking("carrier-a", "carrier-b")
    await caller.hang_up()
    await asyncio.gather(caller.ended(), second.ended())
    record = await office.only_record()
    assert saw.from_number == ALICE
    assert results(record) == [
        ("101", "ANSWER"), ("102", "ANSWER"), ("carrier-dead", "UNAVAILABLE"),
        ("carrier-b", "ANSWER"),
    ]  # fmt: skip
    assert [i["target"] for i in record["interventions"]] == ["102", "06301112233"]


async def test_a_call_inside_is_transferred_by_either_side(office: Office, api: Api) -> None:
    """By who called: that phone's own dialplan must not go on with anything."""
    second, third = await office.phones({"102": Answer(after=0.1), "103": Answer(after=0.1)})
    caller = await office.inside("101", "102")
    await caller.answered()
    await office.talking("101", "102")
    call_id = await _talking(api, "102")
    status, answer = await _act(api, call_id, "transfer", {"to": "103", "extension": "101"})
    assert status == 200, answer
    await third.answered()
    await caller.ended()
    await office.talking("102", "103")
    assert await _talking(api, "103") == call_id
    status, answer = await _act(api, call_id, "hangup")
    assert status == 200, answer
    await asyncio.gather(second.ended(), third.ended())
    record = await office.only_record()
    assert results(record) == [("102", "ANSWER"), ("103", "ANSWER")]
    assert [i["kind"] for i in record["interventions"]] == ["transfer", "hang_up"]


async def test_a_call_that_nobody_has_answered_is_ended_and_not_listened_to(
    office: Office, api: Api
) -> None:
    await office.phone("101", RingOut())
    caller = await office.outside("+3617000101")
    (call,) = await until(api, LIVE, lambda v: v["items"])
    body = {"mode": "listen", "from": "103"}
    status, answer = await _act(api, call["call_id"], "supervise", body)
    assert (status, answer["error"]["code"]) == (409, "conflict")
    status, answer = await _act(api, call["call_id"], "hangup")
    assert status == 200, answer
    await caller.ended()
    record = await office.record(caller)
    assert record["call"]["disposition"] == "CANCELLED"
    assert [i["kind"] for i in record["interventions"]] == ["hang_up"]
