"""A number is bought over the API, and the very next SIP call to it is routed."""

import asyncio
from typing import Any

import pytest

from callctl.demo.sip import Answer, Caller, Phone, RingOut
from callctl.demo.stack import POLL_SECONDS
from tests.asterisk.numbers.conftest import CARRIER, NET, Shop

pytestmark = pytest.mark.asterisk

WAIT_SECONDS = 20.0
UNALLOCATED = 404


def caller(shop: Shop, number: str) -> Caller:
    directory = shop.stack.state_dir / "sip"
    return Caller("+36201234567", CARRIER, shop.stack.address, directory, to=number, talk=0.3)


def phone(shop: Shop, extension: str, behaviour: Answer | RingOut) -> Phone:
    return Phone(
        extension, f"{NET}.{extension}", shop.stack.address, shop.stack.state_dir / "sip",
        secret=shop.stack.secrets[extension], behaviour=behaviour,
    )  # fmt: skip


async def buy(shop: Shop, number: str, to: str) -> dict[str, Any]:
    async with shop.own.request(
        "POST", "/api/v1/numbers", json={"number": number, "to": to},
        headers={"Idempotency-Key": f"buy {number}".replace(" ", "-")},
    ) as response:  # fmt: skip
        assert response.status == 201, await response.text()
        return dict(await response.json())


async def until_state(shop: Shop, number: dict[str, Any], *states: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                found = await shop.own.get(f"/api/v1/numbers/{number['id']}")
                if found["state"] in states:
                    return found
                await asyncio.sleep(4 * POLL_SECONDS)
    except TimeoutError:
        raise AssertionError(f"still {found}") from None


async def test_the_next_call_to_a_number_that_is_bought_rings(shop: Shop) -> None:
    block = {
        "first": "+3612340000", "last": "+3612340002",
        "setup": {"amount": 500, "currency": "USD"}, "monthly": {"amount": 310, "currency": "USD"},
    }  # fmt: skip
    async with shop.operator.request("POST", "/api/v1/number-stock", json=block) as response:
        assert response.status == 201, await response.text()
    async with caller(shop, "+3612340000") as before:
        assert (await before.ended()).final_code == UNALLOCATED

    async with phone(shop, "101", Answer(after=0.1)), phone(shop, "102", RingOut()):
        number = await buy(shop, "+3612340000", "extension:101")
        assert number["state"] == "assigned"
        async with caller(shop, "+3612340000") as after:
            saw = await after.ended()
            assert saw.answered_at is not None, saw
        live = await until_state(shop, number, "live")
        assert live["proven_by"] == "call"
        (call,) = (await shop.own.get("/api/v1/calls"))["items"]
        assert (call["answered_by"], call["disposition"]) == ("101", "ANSWERED")

        # A test call rings a phone that nobody picks up: that proves it, too.
        second = await buy(shop, "+3612340001", "extension:102")
        await begin_test(shop, second)
        live = await until_state(shop, second, "live", "failed")
        assert (live["state"], live["proven_by"], live["test"]) == ("live", "test", "")
        # Answered ones as well.
        third = await buy(shop, "+3612340002", "extension:101")
        await begin_test(shop, third)
        live = await until_state(shop, third, "live", "failed")
        assert (live["state"], live["proven_by"]) == ("live", "test")

    # Nobody is there any more: the test says so.
    await begin_test(shop, third)
    failed = await until_state(shop, third, "live", "failed")
    assert failed["state"] == "failed"
    assert "101" in failed["test"]


async def begin_test(shop: Shop, number: dict[str, Any]) -> None:
    path = f"/api/v1/numbers/{number['id']}/test"
    async with shop.own.request("POST", path) as response:
        assert response.status == 202, await response.text()
