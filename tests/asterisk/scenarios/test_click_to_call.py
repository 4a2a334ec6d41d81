"""Calls that a program orders: the phone of `from` rings, and then dials."""

from typing import Any

import pytest

from callctl.demo.play import Api
from callctl.demo.sip import Answer, Phone
from tests.asterisk.scenarios.office import Office, results

pytestmark = pytest.mark.asterisk


async def _order(api: Api, key: str, from_: str, to: str) -> tuple[int, dict[str, Any]]:
    body = {"from": from_, "to": to}
    headers = {"Idempotency-Key": key}
    async with api.request("POST", "/api/v1/calls", json=body, headers=headers) as response:
        return response.status, await response.json()


async def test_order_repeated_with_its_key_is_one_call(office: Office, api: Api) -> None:
    first, second = await office.phones({"101": Answer(after=0.2), "102": Answer(after=0.2)})
    office.expected = 1
    status, placed = await _order(api, "order-1", "101", "102")
    assert (status, placed["from"], placed["to"]) == (202, "101", "102")
    assert await _order(api, "order-1", "101", "102") == (202, placed)
    status, conflict = await _order(api, "order-1", "101", "103")
    assert (status, conflict["error"]["code"]) == (409, "idempotency_conflict")
    saw = await second.answered()
    assert saw.from_number == "101"
    await office.talking("101", "102")
    await second.hang_up()
    await first.ended()
    assert (len(first.calls), len(second.calls)) == (1, 1)
    call = (await office.only_record())["call"]
    assert (call["direction"], call["disposition"]) == ("internal", "ANSWERED")
    assert (call["extension"], call["from_number"], call["to_number"]) == ("101", "101", "102")
    assert (call["answered_by"], call["destination_number"]) == ("102", "102")


async def test_ordered_call_to_outside_is_outbound(
    office: Office, api: Api, carriers: dict[str, Phone]
) -> None:
    first = await office.phone("101", Answer(after=0.1))
    office.expected = 1
    status, _ = await _order(api, "order-2", "101", "06 70 555 66 77")
    assert status == 202
    saw = await carriers["carrier-b"].until(lambda c: c.dialled == "+36705556677" and c.answered_at)
    await office.talking("101", "carrier-b")
    await first.hang_up()
    await first.ended()
    assert saw.from_number == "+3617000000"
    record = await office.only_record()
    call = record["call"]
    assert (call["direction"], call["disposition"]) == ("outbound", "ANSWERED")
    assert (call["extension"], call["to_number"]) == ("101", "+36705556677")
    assert ("carrier-503", "UNAVAILABLE") in results(record)


async def test_order_of_an_extension_without_the_right_calls_nobody_outside(
    office: Office, api: Api, carriers: dict[str, Phone]
) -> None:
    before = {name: len(carrier.calls) for name, carrier in carriers.items()}
    phone = await office.phone("104", Answer(after=0.1))
    office.expected = 1
    assert (await _order(api, "order-3", "104", "06301112233"))[0] == 202
    await phone.ended()
    call = (await office.only_record())["call"]
    assert call["direction"] == "outbound"
    assert call["disposition"] != "ANSWERED"
    assert {name: len(carrier.calls) for name, carrier in carriers.items()} == before
