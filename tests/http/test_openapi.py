"""The OpenAPI document says what the server does."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from callctl.app import Daemon
from callctl.config import Settings
from callctl.core.errors import ERRORS
from callctl.core.permissions import ALL_SCOPES
from callctl.db.pool import Database
from callctl.http import server
from callctl.http.endpoint import Endpoint
from callctl.http.openapi import build_openapi, error_codes_of
from callctl.http.server import build_web_app
from tests.http.conftest import Api, echo_endpoints, serving


@pytest.fixture
async def document(common_api: Api) -> Any:
    _, body, _ = await common_api.ask("GET", "/api/v1/openapi.json", token=None)
    return body


async def test_the_document_is_made_once_however_many_ask_first(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def make_slowly(endpoints: Sequence[Endpoint]) -> Any:
        made.append(len(endpoints))
        time.sleep(0.05)
        return build_openapi(endpoints)

    monkeypatch.setattr(server, "build_openapi", make_slowly)
    async with serving(db) as start:
        api = await start()
        ask = [api.ask("GET", "/api/v1/openapi.json", token=None) for _ in range(8)]
        answers = await asyncio.gather(*ask)
    assert [status for status, _, _ in answers] == [200] * 8
    assert len(made) == 1


def test_a_query_is_declared_field_by_field() -> None:
    operation = build_openapi(echo_endpoints())["paths"]["/api/v1/echo/{id}"]["get"]
    parameters = {p["name"]: p for p in operation["parameters"]}
    assert list(parameters) == ["id", "since", "limit", "missed", "number", "extension"]
    assert parameters["limit"]["schema"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 500,
        "default": 50,
    }
    assert parameters["number"]["schema"] == {"type": "string"}
    assert parameters["id"]["required"] is True
    assert operation["x-scope"] == "calls:read"


async def test_every_operation_declares_its_errors_and_scope(document: Any) -> None:
    ids = set()
    for path in document["paths"].values():
        for operation in path.values():
            ids.add(operation["operationId"])
            assert "500" in operation["responses"]
            if "security" in operation:
                assert {"401", "403", "503"} <= set(operation["responses"])
                assert operation["x-scope"] in ALL_SCOPES
    assert len(ids) == sum(len(path) for path in document["paths"].values())


async def test_every_reference_leads_somewhere(document: Any) -> None:
    def references(value: Any) -> list[str]:
        if isinstance(value, dict):
            here = [value["$ref"]] if "$ref" in value else []
            return here + [ref for item in value.values() for ref in references(item)]
        return [ref for item in value for ref in references(item)] if type(value) is list else []

    found = references(document)
    assert found
    for reference in found:
        assert reference.rsplit("/", 1)[1] in document["components"]["schemas"]


async def test_answers_fit_their_schema(common_api: Api, document: Any) -> None:
    async def check(method: str, path: str, declared: str, **options: Any) -> None:
        status, body, _ = await common_api.ask(method, path, **options)
        responses = document["paths"][declared][method.lower()]["responses"]
        schema = responses[str(status)]["content"]["application/json"]["schema"]
        jsonschema_rs.validate(schema | {"components": document["components"]}, body)

    await check("GET", "/api/v1/tokens", "/api/v1/tokens")
    await check("GET", "/api/v1/tokens?limit=x", "/api/v1/tokens")
    await check("GET", "/api/v1/tokens", "/api/v1/tokens", token="x")
    await check("GET", "/readyz", "/readyz")
    await check(
        "POST", "/api/v1/tokens", "/api/v1/tokens", json={"name": "a", "scopes": ["calls:read"]}
    )


def test_only_declared_errors_are_promised() -> None:
    for endpoint in echo_endpoints():
        assert set(error_codes_of(endpoint)) <= set(ERRORS)


async def test_two_endpoints_of_one_path_are_refused(common_api: Api) -> None:
    endpoint = echo_endpoints()[0]
    with pytest.raises(ValueError, match="declared twice"):
        build_web_app([endpoint, endpoint], common_api.access)


def _is_response_declared(endpoint: Endpoint, status: int) -> bool:
    return str(status) in build_openapi([endpoint])["paths"][endpoint.path]["get"]["responses"]


def test_the_declared_status_is_in_the_document() -> None:
    assert all(_is_response_declared(e, e.status) for e in echo_endpoints() if e.method == "GET")


def test_every_body_has_an_example_and_examples_are_of_the_declared_types() -> None:
    daemon = Daemon(Settings(), Database(None), "")
    for endpoint in daemon.endpoints():
        assert endpoint.body is None or endpoint.body_example, (endpoint.method, endpoint.path)
        for declared, example in (
            (endpoint.response, endpoint.example),
            (endpoint.body, endpoint.body_example),
        ):
            if example is not None:
                msgspec.convert(msgspec.to_builtins(example), declared)
