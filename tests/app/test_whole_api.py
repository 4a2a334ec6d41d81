"""The API as the daemon serves it: every endpoint, no 5xx, every answer as declared."""

import asyncio
import re

import aiohttp
import pytest

from callctl.app import Daemon, openapi_document
from tests.http.test_fuzz import fuzz


# The daemon's own thread asks for chance (AMI's back-off) while requests are being made up.
@pytest.mark.filterwarnings("ignore:Do not use the .random. module inside strategies")
async def test_made_up_requests_find_no_mistake(running: Daemon) -> None:
    document = openapi_document()
    # Signing in at random hashes passwords all day.
    document["paths"].pop("/api/v1/sessions")
    # The stream of events has no end (tests/events).
    document["paths"].pop("/api/v1/events")
    token = await running.access.issue_token("fuzz")
    url = f"http://127.0.0.1:{running.http_port}"
    answered = await asyncio.to_thread(fuzz, document, url, token, examples=4)
    assert answered > 4 * len(document["paths"])


async def test_without_a_token_every_endpoint_that_has_a_scope_says_401(running: Daemon) -> None:
    url = f"http://127.0.0.1:{running.http_port}"
    async with aiohttp.ClientSession() as session:
        for endpoint in running.endpoints():
            if endpoint.scope is None:
                continue
            path = re.sub(r"\{[^}]+\}", "1", endpoint.path)
            async with session.request(endpoint.method, url + path) as response:
                body = await response.json()
                assert (response.status, body["error"]["code"]) == (401, "unauthenticated"), path
