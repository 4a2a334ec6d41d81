"""Every operation of the API, whoever asks: exactly what is declared, and nothing of others.

Nothing here names an operation: what is added to the API is walked, too.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from urllib.parse import unquote

import aiohttp
import msgspec
import pytest

from callctl.app import Daemon, openapi_document
from callctl.app.web import build_web
from callctl.config import Settings
from callctl.core.permissions import ALL_SCOPES, OPEN_TO_ALL, ROLE_SCOPES, Role
from callctl.db.pool import Database
from callctl.http.endpoint import Endpoint
from callctl.http.health import health_endpoints
from tests.app.full_house import WORD, House, furnish
from tests.http.test_fuzz import fuzz

NO_ID = "999999"
OF_ALL = {
    "/api/v1/clients",
    "/api/v1/clients.csv",
    "/api/v1/clients/{id}",
    "/api/v1/client-groups",
    "/api/v1/client-groups/{id}",
    "/api/v1/companies",
    "/client-groups",
    "/client-groups/{id}",
    "/clients",
    "/clients/{id}",
    "/clients/{id}/edit",
    "/clients/{id}/merge",
}
"""What everybody of an account may see whose rights say so: clients are the account's."""
UNREADABLE = {
    "/api/v1/exports/{id}/file",
    "/api/v1/recordings/{id}",
    "/api/v1/accounts/{id}",
    "/api/v1/accounts/{id}/ledger",
    "/api/v1/accounts/{id}/spend",
    "/api/v1/accounts/{id}/wallet",
}
"""Files, which the house has none of; accounts, which only those above see."""
OTHERWISE = {
    # A call under way is needed (tests/recordings/test_live.py, scenarios/test_interventions.py).
    ("POST", "/api/v1/calls/live/{uniqueid}/recording/pause"): "asterisk_unavailable",
    ("POST", "/api/v1/calls/live/{uniqueid}/recording/resume"): "asterisk_unavailable",
    ("POST", "/api/v1/calls/live/{uniqueid}/hangup"): "asterisk_unavailable",
    ("POST", "/api/v1/calls/live/{uniqueid}/transfer"): "asterisk_unavailable",
    ("POST", "/api/v1/calls/live/{uniqueid}/supervise"): "asterisk_unavailable",
    # A token has no favourites; off one's own list goes whatever is not on it.
    ("PUT", "/api/v1/recordings/{id}/favourite"): "conflict",
    ("DELETE", "/api/v1/recordings/{id}/favourite"): "",
    # What is sent is looked at first: it is JSON here, not a CSV file.
    ("POST", "/api/v1/tariffs/{id}/imports"): "unsupported_media_type",
}
"""What is answered about another account's object, other than that there is none."""

STREAM_SECONDS = 1.0
_TIMEOUT = aiohttp.ClientTimeout(total=20)


@pytest.fixture
async def house(running: Daemon) -> House:
    return await furnish(running)


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(cookie_jar=jar, timeout=_TIMEOUT) as session:
        yield session


def scoped(house: House) -> list[Endpoint]:
    return [e for e in house.daemon.endpoints() if e.scope is not None]


async def refuses(
    client: aiohttp.ClientSession, house: House, endpoint: Endpoint, headers: dict[str, str]
) -> bool:
    """Whether it says that its scope is what is missing. Nothing is asked for that exists."""
    path = re.sub(r"\{[^}]+\}", NO_ID, endpoint.path)
    async with client.request(endpoint.method, house.url + path, headers=headers) as response:
        if response.status == 401:
            raise AssertionError(f"{endpoint.method} {path} does not know {headers}")
        if response.status != 403:
            return False
        error = (await response.json())["error"]
        assert error["code"] == "forbidden", (endpoint.method, path, error)
        return bool(error.get("detail", {}).get("scope") == endpoint.scope)


def test_an_operation_without_a_scope_is_one_that_is_open_to_all() -> None:
    everything = [*_all_endpoints()]
    open_ones = {(e.method, e.path) for e in everything if e.scope is None}
    assert open_ones | {("GET", "/api/v1/openapi.json")} == OPEN_TO_ALL
    assert {e.scope for e in everything} - {None} <= ALL_SCOPES


def _all_endpoints() -> Iterator[Endpoint]:
    yield from Daemon(Settings(), Database(None), "").endpoints()
    yield from health_endpoints(())


async def test_each_role_may_do_exactly_what_is_declared(
    house: House, client: aiohttp.ClientSession
) -> None:
    for role in Role:
        login = f"operator-{role}".replace("_", "-")
        everything = await house.token(login, ALL_SCOPES)
        for endpoint in scoped(house):
            lacks = endpoint.scope not in ROLE_SCOPES[role]
            without = await house.token(login, ALL_SCOPES - {endpoint.scope or ""})
            for headers, refused in (
                (house.sessions[login], lacks),
                (everything, lacks),
                (without, True),
            ):
                found = await refuses(client, house, endpoint, headers)
                assert found == refused, (endpoint.method, endpoint.path, role, headers)


async def test_a_token_of_the_machine_needs_exactly_the_scope(
    house: House, client: aiohttp.ClientSession
) -> None:
    access = house.daemon.access
    for endpoint in scoped(house):
        scope = endpoint.scope or ""
        for scopes, refused in (([scope], False), (sorted(ALL_SCOPES - {scope}), True)):
            token = await access.issue_token("t", scopes)
            headers = {"Authorization": f"Bearer {token}"}
            found = await refuses(client, house, endpoint, headers)
            assert found == refused, (endpoint.method, endpoint.path, scopes)


async def leaks(house: House, client: aiohttp.ClientSession, login: str) -> set[str]:
    """Paths whose answers hold the word: every GET of the API and every page, with real ids."""
    app = build_web(house.daemon)
    routes = [route for route in app.router.routes() if route.method == "GET"]
    paths = {route.resource.canonical for route in routes if route.resource is not None}
    found = set()
    # The stream of events has no end (tests/events).
    for path in sorted(paths - {"/metrics", "/api/v1/events", "/static"}):
        url = house.url + await house.path_of(path)
        headers = house.sessions[login] | {"Accept": "text/html,application/json"}
        async with client.get(url, headers=headers, allow_redirects=False) as response:
            assert response.status < 500, path
            text = await _text(response)
            if response.status == 404:  # It names what was asked for.
                text = text.replace(unquote(url.rpartition("/")[2]), "")
            if WORD in text.lower():
                found.add(path)
    return found


async def _text(response: aiohttp.ClientResponse) -> str:
    """What it says; of a stream, which has no end, what comes in its first moment."""
    if response.content_type != "text/event-stream":
        return await response.text(errors="replace")
    said = b""
    with suppress(TimeoutError):
        async with asyncio.timeout(STREAM_SECONDS):
            async for chunk in response.content.iter_any():
                said += chunk
    return said.decode(errors="replace")


async def test_nothing_of_another_account_is_ever_shown(
    house: House, client: aiohttp.ClientSession
) -> None:
    own = await leaks(house, client, f"{WORD}-boss")
    readable = {e.path for e in scoped(house) if e.method == "GET" and "{" in e.path}
    assert readable - own == UNREADABLE, "the house has one of everything, with the word in it"
    assert len(own) >= 50, own
    for role in Role:
        login = f"other-{role}".replace("_", "-")
        assert await leaks(house, client, login) == set(), role


async def test_a_manager_with_every_right_there_is_sees_nothing_of_others(
    house: House, client: aiohttp.ClientSession
) -> None:
    # The account's own name is no secret to its people.
    await house.daemon.db.execute(
        "update accounts set name = 'F', code = 'f' where id = $1", house.full
    )
    assert await leaks(house, client, "stranger") == OF_ALL


async def test_what_is_another_account_s_does_not_exist(
    house: House, client: aiohttp.ClientSession
) -> None:
    before = await house.state_of_full()
    # Of many, so that the last one's own id is not tried; and the session last: it ends itself.
    for _ in range(9):
        by_token = await house.token("other-administrator", ALL_SCOPES)
    told = {}
    for headers in (by_token, house.sessions["other-administrator"]):
        for endpoint in scoped(house):
            if "{" in endpoint.path:
                status, code = await ask(client, house, endpoint, headers)
                if (status, code) != (404, "not_found"):
                    told[endpoint.method, endpoint.path] = code
    assert told == OTHERWISE
    assert await house.state_of_full() == before


async def ask(
    client: aiohttp.ClientSession, house: House, endpoint: Endpoint, headers: dict[str, str]
) -> tuple[int, str]:
    """Of the full account's object, with the body that the API's document shows."""
    body = None if endpoint.body_example is None else msgspec.to_builtins(endpoint.body_example)
    url = house.url + await house.path_of(endpoint.path)
    async with client.request(endpoint.method, url, headers=headers, json=body) as response:
        answer = await response.json() if response.content_type == "application/json" else {}
        return response.status, answer.get("error", {}).get("code", "")


@pytest.mark.filterwarnings("ignore:Do not use the .random. module inside strategies")
async def test_no_made_up_request_changes_anything_of_another_account(house: House) -> None:
    before = await house.state_of_full()
    by_token = await house.token("other-administrator", ALL_SCOPES)
    token = by_token["Authorization"].split()[1]
    document = await _with_real_ids(house, openapi_document())
    await asyncio.to_thread(fuzz, document, house.url, token, examples=8)
    assert await house.state_of_full() == before


async def _with_real_ids(house: House, document: dict[str, object]) -> dict[str, object]:
    """Only operations that change an object and take a body, at the full account's objects."""
    paths: dict[str, dict[str, dict[str, object]]] = document["paths"]  # type: ignore[assignment]
    kept: dict[str, object] = {}
    for path, operations in paths.items():
        changing = {
            method: {k: v for k, v in operation.items() if k != "parameters"}
            for method, operation in operations.items()
            if method != "get"
            and "requestBody" in operation
            and "{" in path
            # Without an Asterisk these change nothing at all.
            and OTHERWISE.get((method.upper(), path)) != "asterisk_unavailable"
        }
        if changing:
            kept[await house.path_of(path)] = changing
    return document | {"paths": kept}
