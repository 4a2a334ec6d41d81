"""The routing's endpoints, over HTTP."""

from urllib.parse import quote

import aiohttp
import msgspec
import pytest

from callctl.core.permissions import ALL_SCOPES, Scope
from callctl.features.routing import api
from callctl.features.routing.document import parse_document
from callctl.http.endpoint import Actor
from callctl.http.server import HttpServer, build_web_app

from .conftest import DEMO


class OneActor:
    """Authenticates tokens that are lists of scopes."""

    def __init__(self, account_id):
        self.account_id = account_id

    async def by_token(self, token):
        scopes = ALL_SCOPES if token == "all" else frozenset(token.split(","))
        return Actor(self.account_id, "tester", scopes)

    async def by_session(self, session):
        return None


@pytest.fixture
async def ask(world):
    app = build_web_app(api.endpoints(world.service), OneActor(world.main))
    server = HttpServer(app)
    port = await server.start("127.0.0.1", 0)
    client = aiohttp.ClientSession()

    async def ask(method, path, body=None, token="all"):
        headers = {"Authorization": f"Bearer {token}"}
        url = f"http://127.0.0.1:{port}/api/v1/routing{path}"
        async with client.request(method, url, json=body, headers=headers) as response:
            return response.status, await response.json()

    yield ask
    await client.close()
    await server.stop()


DOCUMENT = msgspec.to_builtins(parse_document(DEMO)[0])


async def test_a_document_that_was_got_can_be_put(ask):
    status, result = await ask("PUT", "", DOCUMENT)
    assert status == 200
    assert result["warnings"] == []
    status, got = await ask("GET", "")
    assert (status, got["dids"][1]["to"]) == (200, ["extension:101", "extension:102"])
    assert await ask("PUT", "", got) == (200, {**result, "changes": []})
    assert await ask("POST", "/diff", got) == (200, {"changes": []})
    status, history = await ask("GET", "/history")
    assert [item["applied_by"] for item in history["items"]] == ["tester"]


async def test_a_wrong_document_is_refused_with_its_places(ask):
    wrong = {**DOCUMENT, "emergency": [{"number": "112", "trunks": ["nowhere"]}]}
    status, body = await ask("PUT", "", wrong)
    assert (status, body["error"]["code"]) == (422, "invalid_routing")
    assert body["error"]["detail"][0]["path"] == "emergency[0].trunks[0]"
    status, body = await ask("PUT", "", {**DOCUMENT, "extra": 1})
    assert (status, body["error"]["code"]) == (422, "invalid_field")


async def test_a_stale_revision_is_a_conflict(ask):
    await ask("PUT", "", DOCUMENT)
    status, body = await ask("PUT", "?revision=99999", {**DOCUMENT, "emergency": []})
    assert (status, body["error"]["code"]) == (409, "revision_conflict")


async def test_explain_shows_steps_words_and_reasons(ask):
    await ask("PUT", "", DOCUMENT)
    call = {"from": "+36901234567", "to": "+3617000001", "at": "2026-07-05T15:00:00+02:00"}
    status, plan = await ask("POST", "/explain", call)
    assert status == 200
    assert plan["words"] == ["hangup rejected"]
    assert plan["steps"] == [{"kind": "hangup", "cause": 21, "when": None}]
    assert plan["reasons"][1]["text"] == (
        "the caller matches +3690. of the blocklist: premium rate numbers never call in"
    )
    status, body = await ask("POST", "/explain", {**call, "at": "never"})
    assert (status, body["error"]["field"]) == (422, "at")


async def test_a_document_is_tried_before_it_is_in_force(ask):
    await ask("PUT", "", DOCUMENT)
    _, document = await ask("GET", "")
    call = {"from": "+36901234567", "to": "+3617000001"}
    _, before = await ask("POST", "/explain", call)
    open_ = {**document, "blocklist": [], "expectations": []}
    status, plan = await ask("POST", "/explain", {**call, "document": open_})
    assert (status, before["words"]) == (200, ["hangup rejected"])
    assert plan["words"] != ["hangup rejected"]
    assert (await ask("POST", "/explain", call))[1]["words"] == before["words"]
    wrong = {**document, "dids": [{"number": "+3617000001", "to": "extension:999"}]}
    status, body = await ask("POST", "/explain", {**call, "document": wrong})
    assert (status, body["error"]["code"]) == (422, "invalid_routing")


async def test_objects_of_every_kind_can_be_got_replaced_and_deleted(ask):
    await ask("PUT", "", DOCUMENT)
    for kind in api.KINDS:
        status, page = await ask("GET", f"/{kind.field}")
        assert (status, page["next"]) == (200, None)
        item = page["items"][-1]
        path = f"/{kind.field}/{quote(item[kind.key], safe='')}"
        assert await ask("GET", path) == (200, item)
        status, result = await ask("PUT", path, item)
        assert (status, result["changes"]) == (200, [])
        status, body = await ask("POST", f"/{kind.field}", item)
        assert (status, body["error"]["code"]) == (409, "already_exists")
        assert (await ask("GET", f"/{kind.field}/nothing"))[0] == 404
    status, result = await ask("DELETE", "/blocklist/%2B36205550666")
    assert (status, result["changes"][0]["action"]) == (200, "removed")
    status, result = await ask("POST", "/blocklist", {"match": "+36205550667"})
    assert (status, result["changes"][0]["action"]) == (201, "added")
    status, body = await ask("DELETE", "/extensions/101")
    assert (status, body["error"]["code"]) == (422, "invalid_routing")


async def test_reading_and_writing_are_separate_rights(ask):
    await ask("PUT", "", DOCUMENT)
    read = Scope.ROUTING_READ.value
    assert (await ask("GET", "", token=read))[0] == 200
    assert (await ask("PUT", "", DOCUMENT, token=read))[0] == 403
    assert (await ask("GET", "?with_secrets=true", token=read))[0] == 403
    assert (await ask("GET", "", token=Scope.CALLS_READ.value))[0] == 403
    _, got = await ask("GET", "?with_secrets=true")
    assert len(got["extensions"][0]["secret"]) == 20


async def test_who_reads_passwords_stands_in_the_audit_log_once_an_hour(ask, world):
    await ask("PUT", "", DOCUMENT)
    read = "select author, count(*) from audit where action = 'routing.secrets_read' group by 1"
    await ask("GET", "")
    await ask("GET", "?with_secrets=true", token=Scope.ROUTING_READ.value)
    assert await world.db.fetch(read) == []
    for _ in range(2):
        assert (await ask("GET", "?with_secrets=true"))[0] == 200
    assert [tuple(row) for row in await world.db.fetch(read)] == [("tester", 1)]
    await world.db.execute("update audit set at = at - interval '61 minutes'")
    await ask("GET", "?with_secrets=true")
    assert [tuple(row) for row in await world.db.fetch(read)] == [("tester", 2)]
