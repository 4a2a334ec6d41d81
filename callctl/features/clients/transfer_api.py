"""``/api/v1/clients.csv``: all clients out of the account, and into it."""

import tempfile

from aiohttp import web

from callctl.core.errors import CallctlError
from callctl.core.permissions import Scope
from callctl.db.pool import Database
from callctl.features.clients.cells import MAX_BYTES
from callctl.features.clients.model import ImportOptions, ImportReport
from callctl.features.clients.transfer import export_clients, import_clients
from callctl.http.decode import save_body
from callctl.http.endpoint import ApiCall, Endpoint

_PATH = "/api/v1/clients.csv"


def transfer_endpoints(db: Database) -> list[Endpoint]:
    async def export(call: ApiCall) -> object:
        pieces = export_clients(db, call.actor)
        # Before the answer begins, so that a database that is away is told as such.
        heading, first = await anext(pieces), await anext(pieces, b"")
        response = web.StreamResponse(
            headers={
                "Content-Type": "text/csv; charset=utf-8",
                "Content-Disposition": 'attachment; filename="clients.csv"',
            }
        )
        await response.prepare(call.raw)
        if call.raw.method != "HEAD":
            await response.write(heading + first)
            async for piece in pieces:
                await response.write(piece)
        await response.write_eof()
        return response

    async def take(call: ApiCall) -> object:
        if call.raw.content_type != "text/csv":
            words = f"expected text/csv, not {call.raw.content_type}"
            raise CallctlError("unsupported_media_type", words)
        # First to disk: no transaction waits for a slow client.
        with tempfile.TemporaryFile() as file:
            await save_body(call.raw, file, MAX_BYTES)
            file.seek(0)
            return await import_clients(db, call.actor, file, call.query)

    return [
        Endpoint(
            "GET", _PATH, "All clients as CSV", "clients", Scope.CLIENTS_READ, export,
            web.StreamResponse, content_type="text/csv",
        ),
        Endpoint(
            "POST", _PATH, "Import clients from CSV: all lines, or none if one is wrong", "clients",
            Scope.CLIENTS_WRITE, take, ImportReport, query=ImportOptions,
            errors=("invalid_import", "conflict", "unsupported_media_type", "body_too_large",
                    "request_timeout"),
        ),
    ]  # fmt: skip
