"""Calls seen while they go on, and one that is too long and is ended, on a real Asterisk."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from callctl.demo.play import Api
from callctl.demo.sip import Answer
from tests.asterisk.scenarios.office import Office

pytestmark = pytest.mark.asterisk

SECONDS = 15.0
LIMIT = 2
TALK = 30.0
"""The caller's own wish, which is not reached."""


async def until(api: Api, path: str, found: Any) -> Any:
    """What `found` makes of the answer, once it is something."""
    async with asyncio.timeout(SECONDS):
        while True:
            answer = found(await api.get(path))
            if answer:
                return answer
            await asyncio.sleep(0.05)


@asynccontextmanager
async def too_long(api: Api, **rule: Any) -> AsyncIterator[None]:
    async def put(rules: list[Any]) -> None:
        async with api.request("PUT", "/api/v1/too-long", json={"rules": rules}) as response:
            assert response.status == 200, await response.text()

    await put([rule])
    try:
        yield
    finally:
        await put([])


async def test_a_call_is_seen_while_it_lasts_and_ended_when_it_is_too_long(
    office: Office, api: Api
) -> None:
    await office.phones({"141": Answer(after=0.5)})
    async with too_long(api, seconds=LIMIT, direction="inbound", hang_up=True):
        caller = await office.outside("+3617000141", "+36201110141", talk=TALK)
        live = "/api/v1/calls/live"
        (seen,) = await until(api, live, lambda v: v["live"] and v["items"])
        assert (seen["direction"], seen["from_number"]) == ("inbound", "+36201110141")
        answered = await until(
            api, live, lambda v: [c for c in v["items"] if c["answered_by"] == "141"]
        )
        assert answered[0]["ringing"] == []

        def raised(page: Any) -> Any:
            return [n for n in page["items"] if n["subject"] == f"call:{seen['call_id']}"]

        (notice,) = await until(api, "/api/v1/notices", raised)
        assert notice["call"] is None
        await caller.ended()
        record = await office.record(caller)
        assert record["call"]["too_long_seconds"] == LIMIT
        assert LIMIT < record["call"]["talk_seconds"] < TALK
        (notice,) = raised(await api.get("/api/v1/notices"))
        assert notice["call"] == record["call"]["id"]
        assert (await api.get(live))["items"] == []
