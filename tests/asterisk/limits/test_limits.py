"""Real calls to the outside against limits: they pass, are held, are approved, are blocked."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from callctl.core.scope import CallScope
from callctl.demo.play import Api
from callctl.demo.sip import Answer, Phone
from callctl.demo.stack import POLL_SECONDS, Stack
from tests.asterisk.scenarios.office import ALICE, Office, reasons, results

pytestmark = pytest.mark.asterisk

FORBIDDEN = 403
WAIT_SECONDS = 10.0


async def _passes(office: Office, extension: str, to: str) -> dict[str, Any]:
    caller = await office.inside(extension, to, talk=0.3)
    record = await office.verified(caller, ("carrier-a",))
    assert record["call"]["disposition"] == "ANSWERED"
    return record


async def _refused(office: Office, extension: str, to: str) -> dict[str, Any]:
    caller = await office.inside(extension, to)
    assert (await caller.ended()).final_code == FORBIDDEN
    record = await office.verified(caller, ())
    assert record["call"]["disposition"] == "REJECTED"
    assert record["attempts"] == []
    return record


async def _hold(api: Api, extension: str) -> dict[str, Any]:
    """The waiting hold of this extension, once it is written."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            page = await api.get("/api/v1/limits/holds", state="waiting")
            for hold in page["items"]:
                if hold["extension"] == extension:
                    return dict(hold)
            await asyncio.sleep(POLL_SECONDS)


async def _decide(api: Api, hold: int, verb: str, **body: Any) -> dict[str, Any]:
    async with api.request("POST", f"/api/v1/limits/holds/{hold}/{verb}", json=body) as response:
        assert response.status == 200, await response.text()
        return dict(await response.json())


async def test_first_warned_then_held_and_after_approval_through(office: Office, api: Api) -> None:
    to = "004420718387"
    assert reasons(await _passes(office, "101", f"{to}01")) == [("outbound", "international")]
    warned = await _passes(office, "101", f"{to}02")
    assert ("warned_calls_per_hour", "extension 101 abroad") in reasons(warned)
    held = await _refused(office, "101", f"{to}03")
    assert ("held_calls_per_hour", "extension 101 abroad") in reasons(held)
    texts = [reason["text"] for reason in held["reasons"]]
    assert any("more than 2 calls within an hour" in text for text in texts)
    hold = await _hold(api, "101")
    assert (hold["destination"], hold["number"], hold["calls"]) == ("GB", f"+{to[2:]}03", 1)
    decided = await _decide(api, hold["id"], "approve", hours=2)
    assert (decided["state"], decided["for_extension"]) == ("approved", "101")
    again = await _passes(office, "101", f"{to}04")
    assert ("limit_approved", "GB") in reasons(again)
    await _decide(api, hold["id"], "refuse", hours=1)
    await _refused(office, "101", f"{to}05")
    page = await api.get("/api/v1/limits/notices")
    actions = {n["action"] for n in page["items"] if n["extension"] == "101"}
    assert actions == {"warn", "hold"}


async def test_line_that_is_taken_is_free_again_as_soon_as_its_call_ends(
    office: Office, stack: Stack
) -> None:
    first = await office.inside("102", "00442071838701")
    await first.answered()
    held = await _refused(office, "102", "00442071838702")
    assert ("held_concurrent", "extension 102 abroad") in reasons(held)
    await first.hang_up()
    await first.ended()
    limits = stack.daemon.limits
    await office.until(lambda: limits.status(CallScope(1)).calls == 0, 1.5)
    await _passes(office, "102", "00442071838703")


async def test_premium_satellite_and_listed_countries_do_not_pass(office: Office) -> None:
    premium, satellite, blocked, held = await asyncio.gather(
        _refused(office, "103", "0690123456"),
        _refused(office, "101", "00881612345678"),
        _refused(office, "107", "0690123456"),
        _refused(office, "106", "005371234567"),
    )
    assert ("blocked_kind", "premium") in reasons(premium)
    assert ("blocked_kind", "satellite") in reasons(satellite)
    assert ("blocked_kind", "premium") in reasons(blocked)
    assert ("held_country", "CU") in reasons(held)


async def test_emergency_call_passes_where_nothing_else_does(office: Office) -> None:
    record = await _passes(office, "104", "112")
    assert reasons(record)[0] == ("emergency", "112")


async def test_forward_abroad_counts_for_who_forwards_and_the_call_goes_on_without_it(
    office: Office, carriers: dict[str, Phone]
) -> None:
    seen = len(carriers["carrier-a"].calls)
    await office.phone("103", carriers["carrier-a"].behaviour)
    caller = await office.outside("+3617000105", ALICE, talk=0.3)
    record = await office.verified(caller, ("103",))
    assert results(record) == [("103", "ANSWER")]
    assert ("held_country", "CU") in reasons(record)
    assert len(carriers["carrier-a"].calls) == seen
    hold = await _hold(office.api, "105")
    assert hold["destination"] == "CU"


def _used(stack: Stack, name: str) -> dict[str, int]:
    usage = stack.daemon.limits.status(CallScope(1)).usage
    return {u.limit.partition(".")[2]: u.used for u in usage if u.name == name}


async def test_transfer_abroad_and_click_to_call_count_for_the_phone_that_does_it(
    office: Office, api: Api, stack: Stack
) -> None:
    phone = await office.phone("109", Answer(after=0.1))
    caller = await office.outside("+3617000109", ALICE)
    talking = await phone.answered()
    await office.talking("carrier-a", "109")
    assert await phone.transfer("00442071838709", talking) == 202
    await office.until(lambda: _used(stack, "109").get("concurrent") == 1)
    await caller.hang_up()
    await caller.ended()
    await office.until(lambda: "concurrent" not in _used(stack, "109"))
    assert _used(stack, "109")["calls_per_hour"] == 1
    order = {"from": "109", "to": "+442071838710"}
    async with api.request("POST", "/api/v1/calls", json=order) as response:
        assert response.status in (200, 201, 202), await response.text()
    office.expected += 1
    await office.until(lambda: _used(stack, "109").get("calls_per_hour") == 2)
    await office.until(lambda: _used(stack, "109").get("concurrent") == 1)
    await phone.hang_up()
    await office.until(lambda: "concurrent" not in _used(stack, "109"))
    explained = {"from": "109", "to": "0690123456"}
    async with api.request("POST", "/api/v1/routing/explain", json=explained) as response:
        plan = await response.json()
    assert plan["reasons"][-1]["text"].startswith("blocked by a limit: it is a number of the kind")


async def test_full_carrier_is_never_given_one_call_too_many(
    office: Office, carriers: dict[str, Phone]
) -> None:
    """Two calls in the same moment for one channel: the other goes by the next carrier."""
    for number in range(4):
        a, b = await asyncio.gather(
            office.inside("107", f"063111122{number}1", talk=0.4),
            office.inside("108", f"063111122{number}2", talk=0.4),
        )
        trunks = []
        for caller in (a, b):
            await caller.ended()
            record = await office.record(caller)
            trunks.append(record["call"]["trunk"])
        assert sorted(trunks) == ["carrier-a", "carrier-one"]


@pytest.fixture
async def without_daemon(stack: Stack) -> AsyncIterator[None]:
    await stack.daemon.agi.stop()
    yield
    await stack.daemon.agi.start()


async def test_destinations_stay_closed_without_the_daemon(
    office: Office, without_daemon: None
) -> None:
    records = await asyncio.gather(
        _refused(office, "103", "0690123456"),
        _refused(office, "101", "00881612345678"),
        _refused(office, "106", "005371234567"),
        _refused(office, "102", "00252612345678"),
    )
    for record, code in zip(
        records, ("blocked_kind", "blocked_kind", "held_country", "blocked_country"), strict=True
    ):
        assert code in [c for c, _ in reasons(record)]
    await _passes(office, "103", "00442071838701")
    await _passes(office, "104", "112")


async def test_an_extension_s_lines_are_counted_without_the_daemon_too(
    office: Office, without_daemon: None
) -> None:
    first = await office.inside("102", "00442071838711")
    await first.answered()
    held = await _refused(office, "102", "00442071838712")
    assert ("held_concurrent", "extension 102 abroad") in reasons(held)
    await _passes(office, "102", "06301112233")
    await first.hang_up()
    await first.ended()
    await office.until_idle()
    await _passes(office, "102", "00442071838713")
