"""Requests made up from the OpenAPI document: no 5xx, and every answer is one that it declares."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from callctl.db.pool import Database
from callctl.features.access import api as access_api
from callctl.features.access.service import AccessService
from callctl.features.access.store import AccessStore
from callctl.features.calls import api as calls_api
from callctl.features.calls.service import CallService
from callctl.http.openapi import build_openapi
from callctl.http.server import HttpServer, build_web_app
from tests.http.conftest import echo_endpoints

CHECKS = [
    not_a_server_error,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
]


def fuzz(document: dict[str, Any], url: str, token: str, *, examples: int = 25) -> int:
    """Blocking: run it in a thread. The number of requests that were answered."""
    schema = schemathesis.openapi.from_dict(document)
    answered = 0

    for result in schema.get_all_operations():
        assert isinstance(result, Ok), result
        operation = result.ok()

        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def send(case: Case[Any]) -> None:
            nonlocal answered
            headers = {"Authorization": f"Bearer {token}"}
            case.call_and_validate(base_url=url, headers=headers, checks=CHECKS, timeout=10)
            answered += 1

        send()
    return answered


@pytest.fixture
async def served(db: Database) -> AsyncIterator[tuple[dict[str, Any], str, str]]:
    """OpenAPI document, URL, token."""
    access = AccessService(AccessStore(db))
    made = await access.bootstrap()
    endpoints = [
        *[e for e in echo_endpoints() if "broken" not in e.path],
        # Signing in at random hashes passwords all day.
        *[e for e in access_api.endpoints(access) if e.path != "/api/v1/sessions"],
        *calls_api.endpoints(CallService(db)),
    ]
    server = HttpServer(build_web_app(endpoints, access))
    port = await server.start("127.0.0.1", 0)
    yield build_openapi(endpoints), f"http://127.0.0.1:{port}", made.token or ""
    await server.stop()


async def test_no_made_up_request_breaks_the_server(
    served: tuple[dict[str, Any], str, str],
) -> None:
    assert await asyncio.to_thread(fuzz, *served) > 100
