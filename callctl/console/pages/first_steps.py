"""An empty system: to the first extension, the first phone, the first call, the first number."""

from typing import Any
from urllib.parse import urlsplit

import msgspec
from aiohttp import web

from callctl.console.desk import Desk, Visit, routes_of
from callctl.console.pages.routing import document_of, revision_of
from callctl.core.errors import CallctlError
from callctl.core.permissions import Scope

_SIP_PORT = 5060


def routes(desk: Desk) -> list[web.AbstractRouteDef]:
    write = Scope.ROUTING_WRITE
    return routes_of(
        desk,
        [
            ("GET", "/first-steps", show, write),
            ("POST", "/first-steps/extension", add_extension, write),
        ],
    )


async def show(visit: Visit, error: CallctlError | None = None) -> web.Response:
    """What is done is told by what there is, so that it can be left and come back to."""
    document: dict[str, Any] = msgspec.to_builtins(await visit.get("/routing", with_secrets=True))
    extensions = document.get("extensions", [])
    calls = await visit.get("/calls", limit=1) if visit.may(Scope.CALLS_READ) else None
    return visit.page(
        "first_run/first_steps.html",
        error.status if error else 200,
        extension=extensions[0] if extensions else None,
        endpoint=extensions[0]["number"] if extensions else "",
        server=urlsplit(f"//{visit.request.host}").hostname or "",
        port=_SIP_PORT,
        has_call=bool(calls and calls.items),
        has_trunk=bool(document.get("trunks")),
        has_number=bool(document.get("dids")),
        error=error,
    )


async def add_extension(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    document = await document_of(visit)
    new = {"number": form.get("number", ""), "name": form.get("name", "")}
    changed = {**document, "extensions": [*document.get("extensions", []), new]}
    try:
        await visit.send("PUT", "/routing", changed, query={"revision": await revision_of(visit)})
    except CallctlError as error:
        if error.code not in ("invalid_routing", "invalid_field", "already_exists"):
            raise
        return await show(visit, error)
    return visit.go("/first-steps", "saved")
