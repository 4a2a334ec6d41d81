"""The API as the daemon serves it: every endpoint, no 5xx, every answer as declared."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from callctl.app import Daemon, openapi_document
from callctl.asterisk.runtime import free_port
from callctl.config import load_settings
from callctl.core.permissions import ALL_SCOPES
from callctl.db.pool import Database
from tests.http.test_fuzz import fuzz


@pytest.fixture
async def running(db: Database, database_url: str, state_dir: Path) -> AsyncIterator[Daemon]:
    settings = load_settings(
        {
            "CALLCTL_STATE_DIR": str(state_dir),
            "CALLCTL_HTTP_PORT": "0",
            "CALLCTL_AGI_PORT": "0",
            "CALLCTL_AMI_PORT": str(free_port("127.0.0.1")),
            "CALLCTL_JOURNAL_PATH": str(state_dir / "journal.csv"),
            "CALLCTL_RECORDINGS_SPOOL": str(state_dir / "spool"),
            "CALLCTL_ASTERISK_GENERATED_DIR": str(state_dir / "generated"),
        }
    )
    async with Daemon(settings, db, database_url) as daemon:
        async with asyncio.timeout(20):
            await daemon.ready.wait()
        yield daemon


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


async def test_every_endpoint_needs_exactly_its_scope(running: Daemon) -> None:
    url = f"http://127.0.0.1:{running.http_port}"
    scopes = sorted(ALL_SCOPES)
    tokens = {s: await running.access.issue_token(s, [s]) for s in scopes}
    async with aiohttp.ClientSession() as session:
        for endpoint in running.endpoints():
            for scope in scopes if endpoint.scope else ():
                path = re.sub(r"\{[^}]+\}", "1", endpoint.path)
                headers = {"Authorization": f"Bearer {tokens[scope]}"}
                async with session.request(endpoint.method, url + path, headers=headers) as got:
                    refused = got.status == 403
                assert refused == (scope != endpoint.scope), (endpoint.method, path, scope)
