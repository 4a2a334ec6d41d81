"""The web application: endpoints in, one shape of errors out."""

import asyncio
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import cache
from typing import Any

import msgspec
import structlog
from aiohttp import web

from callctl.core.errors import CallctlError
from callctl.db.idempotency import HEADER as KEY_HEADER
from callctl.db.idempotency import RequestKey, check_key, request_digest
from callctl.http.auth import ACTOR, Authenticator, Origin, identify, require_scope
from callctl.http.connections import Connection, Connections, HttpLimits
from callctl.http.decode import decode_body, decode_path, decode_query
from callctl.http.endpoint import NOBODY, Actor, ApiCall, Endpoint
from callctl.http.health import ReadinessCheck, health_endpoints
from callctl.http.openapi import build_openapi
from callctl.telemetry.log import get_logger
from callctl.telemetry.metrics import HTTP_REQUESTS, HTTP_SECONDS, UNITS_FAILED

log = get_logger("callctl.http")

ErrorPage = Callable[[web.Request, CallctlError], Awaitable[web.Response]]
"""How the console shows an error to a person."""

_BACKLOG = 1024

_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
_REQUEST_ID_KEY = web.RequestKey("request_id", str)
_ERROR_PAGE = web.AppKey("error_page", object)
_HANDLER = Callable[[web.Request], Awaitable[web.StreamResponse]]

_CODE_OF_STATUS = {
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    413: "body_too_large",
    415: "unsupported_media_type",
    416: "range_not_satisfiable",
}

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}


def build_web_app(
    endpoints: Sequence[Endpoint],
    authenticator: Authenticator,
    *,
    origin: Origin | None = None,
    checks: Sequence[ReadinessCheck] = (),
    pages: Iterable[web.AbstractRouteDef] = (),
    error_page: ErrorPage | None = None,
) -> web.Application:
    """An application of `endpoints`, `/healthz`, `/readyz`, `/metrics` and the OpenAPI document.

    `pages` are the console's routes; they find the request's actor, if any, with `page_actor`.
    Raises ValueError when two endpoints have the same method and path.
    """
    origin = origin or Origin()
    everything = [*endpoints, *health_endpoints(checks)]
    everything.append(_openapi_endpoint(tuple(everything)))

    app = web.Application(middlewares=[_observe, _render_errors], client_max_size=1024**2)
    app[_ERROR_PAGE] = error_page
    seen: set[tuple[str, str]] = set()
    for endpoint in everything:
        if (endpoint.method, endpoint.path) in seen:
            raise ValueError(f"declared twice: {endpoint.method} {endpoint.path}")
        seen.add((endpoint.method, endpoint.path))
        handler = _handler_of(endpoint, authenticator, origin)
        methods = ("GET", "HEAD") if endpoint.method == "GET" else (endpoint.method,)
        for method in methods:
            app.router.add_route(method, endpoint.path, handler, expect_handler=_expect)
    app.add_routes(list(pages))
    app.on_response_prepare.append(_add_headers)
    return app


def _handler_of(endpoint: Endpoint, authenticator: Authenticator, origin: Origin) -> _HANDLER:
    async def handle(request: web.Request) -> web.StreamResponse:
        actor = None
        if endpoint.scope is not None:
            actor = require_scope(await _identified(request, authenticator, origin), endpoint.scope)
        path = decode_path(endpoint, request.match_info)
        query = decode_query(endpoint, request.query)
        body = await decode_body(endpoint, request)
        sent = request.headers.get(KEY_HEADER)
        key = request_key(endpoint, sent, actor or NOBODY, request.path, query, body)
        call = ApiCall(actor or NOBODY, path, query, body, request.headers, request, key)
        return _response_of(endpoint, await endpoint.handler(call))

    return handle


def request_key(
    endpoint: Endpoint, sent: str | None, actor: Actor, path: str, query: Any, body: Any
) -> RequestKey | None:
    """How the sender of a request has named it; None where they have not, or may not.

    Raises CallctlError("invalid_field") for a key that is none.
    """
    key = check_key(sent) if endpoint.idempotent else None
    if key is None:
        return None
    digest = request_digest(endpoint.method, path, query, body)
    return RequestKey(actor.account_id, actor.name, key, digest)


async def _expect(request: web.Request) -> None:
    """Answer ``Expect: 100-continue`` and ignore others, as RFC 9110 10.1.1 lets a server do.

    aiohttp's own handler refuses them, in a shape of its own.
    """
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # What was written is no part of the answer.
        request.writer.output_size = 0


async def _identified(request: web.Request, authenticator: Authenticator, origin: Origin) -> Any:
    actor = await identify(request, authenticator, origin)
    if actor is not None:
        request[ACTOR] = actor
    return actor


def _response_of(endpoint: Endpoint, result: object) -> web.StreamResponse:
    if isinstance(result, web.StreamResponse):
        return result
    if endpoint.status == 204:
        return web.Response(status=204)
    return web.Response(
        body=msgspec.json.encode(result), status=endpoint.status, content_type="application/json"
    )


def _openapi_endpoint(others: Sequence[Endpoint]) -> Endpoint:
    # Made when it is first asked for, which no call needs: 7 MB stay behind of the making. In a
    # thread, since it takes as long as hundreds of other requests; and once, however many ask.
    making = asyncio.Lock()

    @cache
    def document() -> bytes:
        return msgspec.json.encode(build_openapi([*others, endpoint]))

    async def openapi(_call: ApiCall) -> web.Response:
        async with making:
            body = await asyncio.to_thread(document)
        return web.Response(body=body, content_type="application/json")

    endpoint = Endpoint(
        "GET",
        "/api/v1/openapi.json",
        "This document",
        "system",
        None,
        openapi,
        dict[str, Any],
    )
    return endpoint


def error_response(error: CallctlError) -> web.Response:
    """The one shape of an error, as JSON."""
    response = web.Response(
        body=msgspec.json.encode(error.body()),
        status=error.status,
        content_type="application/json",
    )
    if error.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if error.code == "too_many_attempts" and isinstance(error.detail, dict):
        response.headers["Retry-After"] = str(error.detail.get("retry_seconds", 60))
    return response


@web.middleware
async def _render_errors(request: web.Request, handler: _HANDLER) -> web.StreamResponse:
    """Whatever goes wrong, and wherever: a person gets a page, a program gets the one shape."""
    headers: dict[str, str] = {}
    try:
        return await handler(request)
    except CallctlError as caught:
        error = caught
    except web.HTTPException as caught:
        if caught.status < 400:
            raise
        error = _of_http_exception(request, caught)
        if "Allow" in caught.headers:
            headers["Allow"] = caught.headers["Allow"]
    except (ConnectionError, asyncio.CancelledError):
        raise
    except Exception:
        UNITS_FAILED.labels("request").inc()
        log.exception("request_failed")
        error = CallctlError("internal", "unexpected error; the log tells more")
    page: Any = request.app[_ERROR_PAGE]
    if page is not None and not _is_for_programs(request):
        response: web.StreamResponse = await page(request, error)
    else:
        response = error_response(error)
    response.headers.update(headers)
    return response


def _is_for_programs(request: web.Request) -> bool:
    return request.path.startswith("/api/") or "text/html" not in request.headers.get("Accept", "")


def _of_http_exception(request: web.Request, caught: web.HTTPException) -> CallctlError:
    code = _CODE_OF_STATUS.get(caught.status)
    if code == "not_found":
        return CallctlError(code, "there is nothing at this path")
    if code == "method_not_allowed":
        return CallctlError(code, f"{request.method} is not possible here")
    if code is None:
        code = "malformed_request" if caught.status < 500 else "internal"
    return CallctlError(code, caught.reason)


@web.middleware
async def _observe(request: web.Request, handler: _HANDLER) -> web.StreamResponse:
    """Request id, one log line, metrics. Query strings hold people's numbers: never logged."""
    given = request.headers.get("X-Request-Id", "")
    request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
    request[_REQUEST_ID_KEY] = request_id
    resource = request.match_info.route.resource
    path = resource.canonical if resource is not None else "(none)"
    began = time.perf_counter()
    status = 499  # the client went away
    with structlog.contextvars.bound_contextvars(request_id=request_id):
        try:
            response = await handler(request)
            status = response.status
            return response
        finally:
            seconds = time.perf_counter() - began
            HTTP_REQUESTS.labels(request.method, path, status).inc()
            HTTP_SECONDS.labels(request.method, path).observe(seconds)
            actor = request.get(ACTOR)
            write = log.debug if path in ("/healthz", "/readyz", "/metrics") else log.info
            write(
                "http_request",
                method=request.method,
                path=path,
                status=status,
                ms=round(seconds * 1000, 1),
                actor=actor.name if actor else None,
            )


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    if request.path.startswith("/static/"):
        # An address that changes with the file is kept for good. Others are kept, but asked for
        # again each time: an update shows at once.
        kept = "public, max-age=31536000, immutable" if "v" in request.query else "no-cache"
        response.headers.setdefault("Cache-Control", kept)
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    # Not which version of what: aiohttp has said so by now.
    response.headers["Server"] = "callctl"
    request_id = request.get(_REQUEST_ID_KEY)
    if request_id is not None:
        response.headers["X-Request-Id"] = request_id


class _Protocol(Connection):
    """Answers what is not even HTTP in the same shape as everything else."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if request.writer.output_size > 0:
            raise ConnectionError("the answer was under way when it failed")
        if status >= 500:
            UNITS_FAILED.labels("request").inc()
            log.error("request_failed", exc_info=exc)
            error = CallctlError("internal", "unexpected error; the log tells more")
        else:
            error = CallctlError("malformed_request", "this is not a valid HTTP request")
        response = error_response(error)
        response.headers.update(_HEADERS | {"Server": "callctl"})
        response.force_close()
        return response


class HttpServer:
    """A listening application."""

    def __init__(self, app: web.Application, limits: HttpLimits | None = None) -> None:
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=5.0)
        self.connections = Connections(limits or HttpLimits())
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; the port, which is a free one for 0. Raises OSError that names the address."""
        await self._runner.setup()
        manager = self._runner.server
        assert manager is not None
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                lambda: _Protocol(manager, loop=loop, connections=self.connections),
                host,
                port,
                backlog=_BACKLOG,
            )
        except OSError:
            await self._runner.cleanup()
            raise
        self.connections.start()
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def stop(self) -> None:
        """Stop listening, let running requests end for a few seconds, close all connections."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.connections.stop()
        await self._runner.cleanup()
