"""``/api/v1/exports``."""

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

from callctl.core.errors import CallctlError
from callctl.core.permissions import Scope
from callctl.features.exports.model import (
    ExportFilters,
    ExportView,
    NewExport,
    Verified,
    VerifyExport,
)
from callctl.features.exports.service import ExportService
from callctl.http.decode import path_id
from callctl.http.endpoint import ApiCall, Endpoint, Page

_TAG = "exports"
_PATH = "/api/v1/exports"
_UPLOAD_SECONDS = 900.0


def endpoints(service: ExportService) -> list[Endpoint]:
    async def create(call: ApiCall) -> object:
        return await service.create(call.actor, call.body)

    async def list_exports(call: ApiCall) -> object:
        return await service.list_exports(call.actor, call.query)

    async def get(call: ApiCall) -> object:
        return await service.get(call.actor, path_id(call.path))

    async def cancel(call: ApiCall) -> object:
        return await service.cancel(call.actor, path_id(call.path))

    async def download(call: ApiCall) -> object:
        file = await service.find_file(call.actor, path_id(call.path))
        return web.FileResponse(
            file.path,
            headers={
                "Content-Type": "application/octet-stream",
                "Content-Disposition": f'attachment; filename="{file.name}"',
            },
        )

    async def verify(call: ApiCall) -> object:
        return await service.verify(call.actor, call.body.sha256)

    async def verify_file(call: ApiCall) -> object:
        try:
            async with asyncio.timeout(_UPLOAD_SECONDS):
                return await service.verify_file(call.actor, _chunks(call.raw))
        except TimeoutError:
            raise CallctlError("request_timeout", "the file did not arrive in time") from None

    scope = Scope.EXPORTS_WRITE
    return [
        Endpoint(
            "POST", _PATH, "Export a list or a report as CSV or XLSX", _TAG, scope, create,
            ExportView, body=NewExport,
            body_example=NewExport("calls", "search", filters={"direction": "inbound"}),
            status=201, errors=("too_many_exports",),
        ),
        Endpoint(
            "GET", _PATH, "Exports, the newest first", _TAG, scope, list_exports, Page[ExportView],
            query=ExportFilters,
        ),
        Endpoint(
            "GET", f"{_PATH}/{{id}}", "One export and how far it is", _TAG, scope, get, ExportView,
            errors=("not_found",),
        ),
        Endpoint(
            "POST", f"{_PATH}/{{id}}/cancel", "Cancel an export that waits or runs", _TAG, scope,
            cancel, ExportView, errors=("not_found", "conflict"),
        ),
        Endpoint(
            "GET", f"{_PATH}/{{id}}/file", "The file, until it expires; Range is answered", _TAG,
            scope, download, web.FileResponse,
            errors=("not_found", "conflict", "range_not_satisfiable"),
            content_type="application/octet-stream",
        ),
        Endpoint(
            "POST", f"{_PATH}/verify", "Which export has this SHA-256, made when and by whom", _TAG,
            scope, verify, Verified, body=VerifyExport, body_example=VerifyExport("0" * 64),
        ),
        Endpoint(
            "POST", f"{_PATH}/verify/file", "The same for a file, sent as the body", _TAG, scope,
            verify_file, Verified, errors=("body_too_large", "request_timeout"),
        ),
    ]  # fmt: skip


async def _chunks(request: web.Request) -> AsyncIterator[bytes]:
    try:
        async for chunk in request.content.iter_any():
            yield chunk
    except web.RequestPayloadError as error:
        raise CallctlError("malformed_request", f"the body is broken: {error}") from None
