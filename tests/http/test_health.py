"""What supervisors ask, and what is logged and counted."""

import asyncio

from callctl.core.errors import CallctlError
from callctl.http.health import ReadinessCheck
from callctl.telemetry.metrics import REGISTRY
from tests.http.conftest import Api, Serve


async def _well() -> None:
    return None


async def _no_database() -> None:
    raise CallctlError("database_unavailable", "PostgreSQL at 10.0.0.1 is away")


async def _stuck() -> None:
    await asyncio.Event().wait()


async def test_alive_needs_nothing(common_api: Api) -> None:
    status, body, _ = await common_api.ask("GET", "/healthz", token=None)
    assert (status, body) == (200, {"alive": True})


async def test_ready_when_all_required_checks_pass(serve: Serve) -> None:
    checks = (ReadinessCheck("a", _well), ReadinessCheck("ami", _stuck, required=False))
    api = await serve(checks=checks)
    status, body, _ = await api.ask("GET", "/readyz", token=None)
    assert status == 200
    assert body["ready"] is True
    assert body["checks"]["ami"] == {
        "ready": False,
        "required": False,
        "message": "no answer in time",
    }


async def test_unready_names_the_reason_but_no_address(serve: Serve) -> None:
    api = await serve(checks=(ReadinessCheck("database", _no_database),))
    status, body, _ = await api.ask("GET", "/readyz", token=None)
    assert status == 503
    assert body["checks"]["database"]["message"] == "database_unavailable"


async def test_a_check_says_why_in_its_own_words(serve: Serve) -> None:
    async def away() -> None:
        raise RuntimeError("not connected since 8:00")

    async def broken() -> None:
        raise ValueError("/etc/secret")

    api = await serve(checks=(ReadinessCheck("ami", away), ReadinessCheck("bug", broken)))
    _, body, _ = await api.ask("GET", "/readyz", token=None)
    assert body["checks"]["ami"]["message"] == "not connected since 8:00"
    assert body["checks"]["bug"]["message"] == "ValueError"


async def test_requests_are_counted_by_declared_path(common_api: Api) -> None:
    labels = {"method": "GET", "path": "/api/v1/echo/{id}", "status": "200"}
    before = REGISTRY.get_sample_value("callctl_http_requests_total", labels) or 0
    await common_api.ask("GET", "/api/v1/echo/+3612345678")
    assert REGISTRY.get_sample_value("callctl_http_requests_total", labels) == before + 1
    async with common_api.client.get(f"http://127.0.0.1:{common_api.port}/metrics") as response:
        text = await response.text()
    assert "callctl_http_requests_total" in text
    assert "3612345678" not in text


async def test_a_callers_request_id_is_kept_if_it_is_harmless(common_api: Api) -> None:
    path = "/healthz"
    _, _, response = await common_api.ask("GET", path, headers={"X-Request-Id": "abc-12345678"})
    assert response.headers["X-Request-Id"] == "abc-12345678"
    _, _, response = await common_api.ask("GET", path, headers={"X-Request-Id": "a b; c"})
    assert response.headers["X-Request-Id"] != "a b; c"


async def test_head_is_get_without_a_body(common_api: Api) -> None:
    status, _, response = await common_api.ask("HEAD", "/api/v1/openapi.json", token=None)
    assert status == 200
    assert int(response.headers["Content-Length"]) > 1000
