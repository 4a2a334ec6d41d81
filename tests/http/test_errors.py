"""One shape of errors, whoever produces it."""

import asyncio
import json
from typing import Any

import pytest

from callctl.core.errors import ERRORS, CallctlError
from tests.http.conftest import Api


def assert_one_shape(body: Any, code: str) -> None:
    assert set(body) == {"error"}
    assert {"code", "message"} <= set(body["error"]) <= {"code", "message", "field", "detail"}
    assert body["error"]["code"] == code
    assert body["error"]["message"]


ECHO = "/api/v1/echo/1"
JSON = {"Content-Type": "application/json"}

PRODUCERS = [
    ("no such path", "GET", "/api/v1/nothing", {}, 404, "not_found"),
    ("no such path outside", "GET", "/nothing", {}, 404, "not_found"),
    ("method", "PUT", ECHO, {}, 405, "method_not_allowed"),
    ("no token", "GET", ECHO, {"token": None}, 401, "unauthenticated"),
    ("wrong token", "GET", ECHO, {"token": "cct_wrong"}, 401, "unauthenticated"),
    (
        "not bearer",
        "GET",
        ECHO,
        {"token": None, "headers": {"Authorization": "Basic eDp5"}},
        401,
        "unauthenticated",
    ),
    (
        "a time that no clock shows",
        "GET",
        f"{ECHO}?since=9999-12-31T23:59:59-23:59",
        {},
        422,
        "invalid_field",
    ),
    (
        "such a time in a body",
        "POST",
        "/api/v1/tokens",
        {
            "json": {"name": "x", "scopes": [], "expires_at": "9999-12-31T23:59:59-23:59"},
            "headers": JSON,
        },
        422,
        "invalid_field",
    ),
    ("not JSON", "POST", ECHO, {"data": b"{", "headers": JSON}, 400, "malformed_request"),
    ("empty body", "POST", ECHO, {"data": b"", "headers": JSON}, 400, "malformed_request"),
    (
        "not UTF-8",
        "POST",
        ECHO,
        {"data": b'{"name":"\xff"}', "headers": JSON},
        400,
        "malformed_request",
    ),
    (
        "deep",
        "POST",
        ECHO,
        {"data": b'{"name":' + b"[" * 1900, "headers": JSON},
        422,
        "invalid_field",
    ),
    ("type of body", "POST", ECHO, {"data": b"name=x"}, 415, "unsupported_media_type"),
    ("size", "POST", ECHO, {"data": b" " * 2001, "headers": JSON}, 413, "body_too_large"),
    ("wrong type", "POST", ECHO, {"json": {"name": 1}}, 422, "invalid_field"),
    ("half a character", "GET", "/api/v1/echo/%ff?x=%ff", {}, 422, "invalid_field"),
    ("unknown parameter", "GET", f"{ECHO}?x=1", {}, 422, "invalid_field"),
    ("bug", "GET", "/api/v1/broken", {"token": None}, 500, "internal"),
]


@pytest.mark.parametrize("case", PRODUCERS, ids=lambda case: case[0])
async def test_every_producer_has_the_one_shape(common_api: Api, case: tuple[Any, ...]) -> None:
    _, method, path, options, status, code = case
    got, body, response = await common_api.ask(method, path, **options)
    assert (got, body["error"]["code"]) == (status, code)
    assert_one_shape(body, code)
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["X-Request-Id"]


async def test_a_bug_tells_nothing_of_the_inside(common_api: Api) -> None:
    _, body, _ = await common_api.ask("GET", "/api/v1/broken")
    assert "secret" not in json.dumps(body)


async def test_a_client_may_wait_for_100_continue(common_api: Api) -> None:
    status, _, _ = await common_api.ask("POST", ECHO, json={"name": "x"}, expect100=True)
    assert status == 200


async def test_an_unknown_expectation_is_ignored(common_api: Api) -> None:
    status, _, _ = await common_api.ask("POST", ECHO, json={"name": "x"}, headers={"Expect": "tea"})
    assert status == 200


async def test_405_names_the_methods(common_api: Api) -> None:
    _, _, response = await common_api.ask("DELETE", ECHO)
    assert set(response.headers["Allow"].split(",")) >= {"GET", "POST"}


async def test_a_chunked_body_is_cut_at_the_limit(common_api: Api) -> None:
    async def endless() -> Any:
        for _ in range(10):
            yield b" " * 1000

    status, body, _ = await common_api.ask("POST", ECHO, data=endless(), headers=JSON)
    assert status == 413
    assert body["error"]["detail"] == {"limit": 2000}


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({"name": 1}, "body.name", "Expected str, got int"),
        ({}, "body.name", "required"),
        ({"name": "x", "nmae": 1}, "body.nmae", "unknown field"),
        (
            {"name": "x", "items": [{"seconds": 1}, {"seconds": "1"}]},
            "body.items[1].seconds",
            "Expected int",
        ),
        ({"name": "x", "items": [{}]}, "body.items[0].seconds", "required"),
        ({"name": "a\0b"}, "body.name", "NUL"),
        ([], "body", "Expected object"),
    ],
)
async def test_a_wrong_field_of_the_body_is_named(
    common_api: Api, body: Any, field: str, words: str
) -> None:
    status, answer, _ = await common_api.ask("POST", ECHO, json=body)
    assert status == 422
    assert answer["error"]["field"] == field
    assert words in answer["error"]["message"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "query.limit"),
        ("limit=many", "query.limit"),
        ("limit=1&limit=2", "query.limit"),
        ("since=yesterday", "query.since"),
        ("since=2026-01-01T00:00:00", "query.since"),
        ("missed=perhaps", "query.missed"),
        ("number=%00", "query.number"),
        ("numer=1", "query.numer"),
    ],
)
async def test_a_wrong_parameter_is_named(common_api: Api, query: str, field: str) -> None:
    status, answer, _ = await common_api.ask("GET", f"{ECHO}?{query}")
    assert status == 422
    assert answer["error"]["field"] == field


async def test_parameters_are_typed_and_empty_ones_are_not_given(common_api: Api) -> None:
    query = "limit=7&missed=true&since=2026-01-01T00:00:00%2B02:00&number=&extension=1&extension=2"
    status, answer, _ = await common_api.ask("GET", f"{ECHO}?{query}")
    assert status == 200
    assert answer["query"] == {
        "since": "2026-01-01T00:00:00+02:00",
        "limit": 7,
        "missed": True,
        "number": None,
        "extension": ["1", "2"],
    }


@pytest.mark.parametrize(
    "wire",
    [
        b"\x16\x03\x01\x02\x00\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost\r\n\r\n",
        b"GET /\0 HTTP/1.1\r\n\r\n",
    ],
)
async def test_what_is_not_http_has_the_one_shape_too(common_api: Api, wire: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", common_api.port)
    writer.write(wire)
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    await writer.wait_closed()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400") or head.startswith(b"HTTP/1.0 400")
    assert_one_shape(json.loads(body), "malformed_request")


def test_an_error_that_is_not_declared_cannot_be_raised() -> None:
    with pytest.raises(KeyError):
        CallctlError("no_such_code", "x")


def test_every_declared_error_is_explained() -> None:
    for code, error in ERRORS.items():
        assert code == error.code
        assert 400 <= error.status < 600
        assert error.meaning
        assert error.remedy
